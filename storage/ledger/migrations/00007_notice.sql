-- What people were told of alarms: one line each time, with the alarms of it.

-- +goose Up
CREATE TABLE notice (
    site     TEXT    NOT NULL REFERENCES site (id),
    id       TEXT    NOT NULL CHECK (id <> ''),
    at       INTEGER NOT NULL,
    priority TEXT    NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
    flood    INTEGER NOT NULL CHECK (flood IN (0, 1)),
    alarms   INTEGER NOT NULL CHECK (alarms >= 1),
    PRIMARY KEY (site, id)
) STRICT;
CREATE INDEX notice_newest ON notice (site, at DESC, id DESC);

CREATE TABLE notice_alarm (
    site     TEXT    NOT NULL,
    notice   TEXT    NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 0), -- the most severe first
    alarm    TEXT    NOT NULL,
    key      TEXT    NOT NULL CHECK (key <> ''),
    title_zh TEXT    NOT NULL,
    title_en TEXT    NOT NULL,
    priority TEXT    NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
    gone     INTEGER NOT NULL CHECK (gone IN (0, 1)),
    follow   INTEGER NOT NULL CHECK (follow >= 0),
    PRIMARY KEY (site, notice, position),
    FOREIGN KEY (site, notice) REFERENCES notice (site, id),
    FOREIGN KEY (site, alarm) REFERENCES alarm (site, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_alarm_alarm ON notice_alarm (site, alarm);

-- +goose StatementBegin
CREATE TRIGGER notice_no_update BEFORE UPDATE ON notice
BEGIN
    SELECT RAISE(ABORT, 'what people were told is only ever added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER notice_no_delete BEFORE DELETE ON notice
BEGIN
    SELECT RAISE(ABORT, 'what people were told is only ever added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER notice_alarm_no_update BEFORE UPDATE ON notice_alarm
BEGIN
    SELECT RAISE(ABORT, 'what people were told is only ever added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER notice_alarm_no_delete BEFORE DELETE ON notice_alarm
BEGIN
    SELECT RAISE(ABORT, 'what people were told is only ever added to');
END;
-- +goose StatementEnd
