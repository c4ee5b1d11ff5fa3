-- Taps and rounds. A tap's facts never change; what the judge made of it may. The
-- facts are not checked either: a device that tells nonsense has told it.

-- +goose Up
CREATE TABLE tap (
    site              TEXT    NOT NULL REFERENCES site (id),
    id                TEXT    NOT NULL CHECK (id <> ''),
    source            TEXT    NOT NULL,
    reader            TEXT    NOT NULL,
    credential        TEXT    NOT NULL,
    checkpoint        TEXT    NOT NULL,
    person            TEXT    NOT NULL,
    tapped_at         INTEGER,
    sent_at           INTEGER,
    received_at       INTEGER,
    judged_checkpoint TEXT    NOT NULL,
    judged_person     TEXT    NOT NULL,
    round             TEXT    NOT NULL,
    verdict           TEXT    NOT NULL CHECK (verdict IN ('', 'pending', 'on_time', 'early', 'late', 'missed', 'exempt')),
    flags             TEXT    NOT NULL, -- separated by commas
    PRIMARY KEY (site, id)
) STRICT;
CREATE INDEX tap_newest ON tap (site, tapped_at DESC, id DESC);

-- +goose StatementBegin
CREATE TRIGGER tap_no_update BEFORE UPDATE OF
    site, id, source, reader, credential, checkpoint, person, tapped_at, sent_at, received_at ON tap
BEGIN
    SELECT RAISE(ABORT, 'a tap is never altered');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tap_no_delete BEFORE DELETE ON tap
BEGIN
    SELECT RAISE(ABORT, 'a tap is never dropped');
END;
-- +goose StatementEnd

CREATE TABLE patrol_round (
    site      TEXT    NOT NULL REFERENCES site (id),
    id        TEXT    NOT NULL CHECK (id <> ''),
    plan      TEXT    NOT NULL,
    route     TEXT    NOT NULL,
    name_zh   TEXT    NOT NULL,
    name_en   TEXT    NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at   INTEGER NOT NULL,
    tolerance INTEGER NOT NULL, -- nanoseconds
    grace     INTEGER NOT NULL, -- nanoseconds
    in_order  INTEGER NOT NULL CHECK (in_order IN (0, 1)),
    assignee  TEXT    NOT NULL, -- from the configuration, perhaps nobody's login
    state     TEXT    NOT NULL CHECK (state IN ('scheduled', 'due', 'in_progress', 'completed', 'exceptions', 'incomplete', 'missed', 'cancelled')),
    PRIMARY KEY (site, id),
    CHECK (ends_at >= starts_at)
) STRICT;
CREATE INDEX patrol_round_start ON patrol_round (site, starts_at, id);

CREATE TABLE visit (
    site         TEXT    NOT NULL,
    round        TEXT    NOT NULL,
    position     INTEGER NOT NULL CHECK (position >= 0), -- a route may pass a checkpoint twice
    checkpoint   TEXT    NOT NULL CHECK (checkpoint <> ''),
    verdict      TEXT    NOT NULL CHECK (verdict IN ('pending', 'on_time', 'early', 'late', 'missed', 'exempt')),
    out_of_order INTEGER NOT NULL CHECK (out_of_order IN (0, 1)),
    tap          TEXT    NOT NULL,
    tapped_at    INTEGER,
    made_by      TEXT    NOT NULL,
    corrected    INTEGER NOT NULL CHECK (corrected IN (0, 1)),
    PRIMARY KEY (site, round, position),
    FOREIGN KEY (site, round) REFERENCES patrol_round (site, id) ON DELETE CASCADE
) STRICT;
