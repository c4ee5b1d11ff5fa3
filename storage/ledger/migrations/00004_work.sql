-- Work orders and alarms, each with a history that is only ever added to.

-- +goose Up
CREATE TABLE work_order (
    site          TEXT    NOT NULL REFERENCES site (id),
    id            TEXT    NOT NULL CHECK (id <> ''),
    number        TEXT    NOT NULL CHECK (number <> ''),
    key           TEXT    NOT NULL,
    source        TEXT    NOT NULL CHECK (source IN ('alarm', 'patrol', 'desk', 'staff')),
    title_zh      TEXT    NOT NULL,
    title_en      TEXT    NOT NULL,
    detail_zh     TEXT    NOT NULL,
    detail_en     TEXT    NOT NULL,
    device        TEXT    NOT NULL,
    place         TEXT    NOT NULL,
    priority      TEXT    NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
    state         TEXT    NOT NULL CHECK (state IN ('new', 'assigned', 'accepted', 'arrived', 'in_progress', 'on_hold', 'completed', 'verified', 'closed', 'cancelled', 'reopened')),
    assignee      TEXT,
    occurrences   INTEGER NOT NULL CHECK (occurrences >= 1),
    created_by    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    last_at       INTEGER,
    updated_at    INTEGER NOT NULL,
    accept_by     INTEGER,
    arrive_by     INTEGER,
    finish_by     INTEGER,
    accepted_at   INTEGER,
    arrived_at    INTEGER,
    finished_at   INTEGER,
    reopened      INTEGER NOT NULL CHECK (reopened >= 0),
    version       INTEGER NOT NULL CHECK (version >= 1),
    acted_version INTEGER NOT NULL CHECK (acted_version BETWEEN 1 AND version),
    search        TEXT    NOT NULL, -- what the list is searched in, case folded
    PRIMARY KEY (site, id),
    UNIQUE (site, number),
    FOREIGN KEY (site, assignee) REFERENCES person (site, login)
) STRICT;
CREATE UNIQUE INDEX work_order_open_key ON work_order (site, key)
    WHERE key <> '' AND state NOT IN ('verified', 'closed', 'cancelled');
-- With the search text, so that a search reads this index and not the wide rows.
CREATE INDEX work_order_newest ON work_order (site, created_at DESC, id DESC, search);
CREATE INDEX work_order_open ON work_order (site, created_at DESC, id DESC)
    WHERE state NOT IN ('verified', 'closed', 'cancelled');
CREATE INDEX work_order_key ON work_order (site, key, created_at DESC, id DESC) WHERE key <> '';
CREATE INDEX work_order_assignee ON work_order (site, assignee, created_at DESC, id DESC);
CREATE INDEX work_order_maker ON work_order (site, created_by, created_at DESC, id DESC);

CREATE TABLE order_number (
    site TEXT    NOT NULL REFERENCES site (id),
    day  TEXT    NOT NULL, -- local day, 20261122
    last INTEGER NOT NULL CHECK (last >= 1),
    PRIMARY KEY (site, day)
) STRICT;

CREATE TABLE photo (
    site       TEXT    NOT NULL,
    id         TEXT    NOT NULL CHECK (id <> ''),
    order_id   TEXT    NOT NULL,
    media_type TEXT    NOT NULL CHECK (media_type <> ''),
    made_by    TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    data       BLOB    NOT NULL CHECK (length(data) > 0),
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, order_id) REFERENCES work_order (site, id)
) STRICT;
CREATE INDEX photo_order ON photo (site, order_id);

CREATE TABLE order_event (
    site       TEXT    NOT NULL,
    id         TEXT    NOT NULL CHECK (id <> ''),
    order_id   TEXT    NOT NULL,
    version    INTEGER NOT NULL CHECK (version >= 1), -- of the order after it
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL CHECK (actor <> ''),
    action     TEXT    NOT NULL CHECK (action IN ('create', 'assign', 'accept', 'return', 'arrive', 'start', 'hold', 'resume', 'complete', 'verify', 'close', 'cancel', 'reopen', 'comment', 'photo', 'recur', 'withdraw')),
    from_state TEXT    NOT NULL,
    to_state   TEXT    NOT NULL,
    note       TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    photo      TEXT,
    PRIMARY KEY (site, id),
    UNIQUE (site, order_id, version),
    FOREIGN KEY (site, order_id) REFERENCES work_order (site, id),
    FOREIGN KEY (site, photo) REFERENCES photo (site, id)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER order_event_no_update BEFORE UPDATE ON order_event
BEGIN
    SELECT RAISE(ABORT, 'the history of an order is only ever added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER order_event_no_delete BEFORE DELETE ON order_event
BEGIN
    SELECT RAISE(ABORT, 'the history of an order is only ever added to');
END;
-- +goose StatementEnd

CREATE TABLE alarm (
    site       TEXT    NOT NULL REFERENCES site (id),
    id         TEXT    NOT NULL CHECK (id <> ''),
    key        TEXT    NOT NULL CHECK (key <> ''),
    rule       TEXT    NOT NULL,
    device     TEXT    NOT NULL,
    place      TEXT    NOT NULL,
    checkpoint TEXT    NOT NULL,
    round      TEXT    NOT NULL,
    title_zh   TEXT    NOT NULL,
    title_en   TEXT    NOT NULL,
    advice_zh  TEXT    NOT NULL,
    advice_en  TEXT    NOT NULL,
    priority   TEXT    NOT NULL CHECK (priority IN ('P1', 'P2', 'P3', 'P4')),
    state      TEXT    NOT NULL CHECK (state IN ('normal', 'unacknowledged', 'acknowledged', 'returned')),
    is_unknown INTEGER NOT NULL CHECK (is_unknown IN (0, 1)),
    value      REAL    NOT NULL,
    unit       TEXT    NOT NULL,
    occurrences INTEGER NOT NULL CHECK (occurrences >= 1),
    raised_at  INTEGER NOT NULL,
    last_at    INTEGER,
    cleared_at INTEGER,
    acked_at   INTEGER,
    acked_by   TEXT    NOT NULL,
    ack_note   TEXT    NOT NULL,
    order_id   TEXT,
    PRIMARY KEY (site, id),
    -- Checked at the end of the transaction: an alarm and its order may be saved in either order.
    FOREIGN KEY (site, order_id) REFERENCES work_order (site, id) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE UNIQUE INDEX alarm_standing_key ON alarm (site, key) WHERE state <> 'normal';
CREATE INDEX alarm_newest ON alarm (site, raised_at DESC, id DESC);
CREATE INDEX alarm_device ON alarm (site, device, raised_at DESC, id DESC);
CREATE INDEX alarm_order ON alarm (site, order_id) WHERE order_id IS NOT NULL;

CREATE TABLE alarm_event (
    site       TEXT    NOT NULL,
    id         TEXT    NOT NULL CHECK (id <> ''),
    alarm      TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL CHECK (actor <> ''),
    event      TEXT    NOT NULL CHECK (event <> ''), -- an open list: the judge learns new words
    from_state TEXT    NOT NULL,
    to_state   TEXT    NOT NULL,
    value      REAL    NOT NULL,
    note       TEXT    NOT NULL,
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, alarm) REFERENCES alarm (site, id)
) STRICT;
CREATE INDEX alarm_event_alarm ON alarm_event (site, alarm, at, id);

-- +goose StatementBegin
CREATE TRIGGER alarm_event_no_update BEFORE UPDATE ON alarm_event
BEGIN
    SELECT RAISE(ABORT, 'the history of an alarm is only ever added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER alarm_event_no_delete BEFORE DELETE ON alarm_event
BEGIN
    SELECT RAISE(ABORT, 'the history of an alarm is only ever added to');
END;
-- +goose StatementEnd
