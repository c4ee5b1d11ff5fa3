-- What keeps the alarms of a key quiet now, and the history of that, which is only ever
-- added to.

-- +goose Up
CREATE TABLE alarm_hold (
    site     TEXT    NOT NULL REFERENCES site (id),
    key      TEXT    NOT NULL CHECK (key <> ''),
    kind     TEXT    NOT NULL CHECK (kind IN ('shelved', 'suppressed', 'out_of_service')),
    made_by  TEXT    NOT NULL CHECK (made_by <> ''),
    reason   TEXT    NOT NULL,
    cause    TEXT    NOT NULL,
    order_id TEXT,
    since    INTEGER NOT NULL,
    until    INTEGER,
    one_shot INTEGER NOT NULL CHECK (one_shot IN (0, 1)),
    PRIMARY KEY (site, key, kind),
    -- What package lifecycle asks of each.
    CHECK (CASE kind
        WHEN 'shelved' THEN reason <> '' AND until IS NOT NULL
        WHEN 'suppressed' THEN cause <> ''
        ELSE reason <> '' OR order_id IS NOT NULL END),
    FOREIGN KEY (site, order_id) REFERENCES work_order (site, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX alarm_hold_order ON alarm_hold (site, order_id) WHERE order_id IS NOT NULL;

CREATE TABLE hold_event (
    site     TEXT    NOT NULL REFERENCES site (id),
    id       TEXT    NOT NULL CHECK (id <> ''),
    key      TEXT    NOT NULL CHECK (key <> ''),
    alarm    TEXT, -- that stood then
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL CHECK (actor <> ''),
    event    TEXT    NOT NULL CHECK (event IN ('shelve', 'unshelve', 'suppress', 'unsuppress', 'take_out', 'put_back')),
    note     TEXT    NOT NULL,
    cause    TEXT    NOT NULL,
    order_id TEXT,
    until    INTEGER,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, alarm) REFERENCES alarm (site, id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (site, order_id) REFERENCES work_order (site, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX hold_event_key ON hold_event (site, key, at DESC, id DESC);

-- +goose StatementBegin
CREATE TRIGGER hold_event_no_update BEFORE UPDATE ON hold_event
BEGIN
    SELECT RAISE(ABORT, 'the history of what held an alarm is only ever added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_event_no_delete BEFORE DELETE ON hold_event
BEGIN
    SELECT RAISE(ABORT, 'the history of what held an alarm is only ever added to');
END;
-- +goose StatementEnd
