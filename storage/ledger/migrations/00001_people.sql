-- People, their sessions and what they did.
--
-- Conventions of all tables: the site is in every key; a time is the number of
-- nanoseconds since 1970-01-01 UTC, NULL for none; a truth value is 0 or 1.

-- +goose Up
CREATE TABLE site (
    id      TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
    name_zh TEXT NOT NULL,
    name_en TEXT NOT NULL,
    zone    TEXT NOT NULL -- IANA name
) STRICT;

CREATE TABLE person (
    site          TEXT    NOT NULL REFERENCES site (id),
    login         TEXT    NOT NULL CHECK (login <> ''),
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('admin', 'manager', 'desk', 'technician', 'guard', 'viewer')),
    phone         TEXT    NOT NULL,
    disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    password_hash TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (site, login)
) STRICT;

CREATE TABLE badge (
    site  TEXT NOT NULL,
    uid   TEXT NOT NULL CHECK (uid <> ''),
    login TEXT NOT NULL,
    PRIMARY KEY (site, uid),
    FOREIGN KEY (site, login) REFERENCES person (site, login)
) STRICT;
CREATE INDEX badge_login ON badge (site, login);

CREATE TABLE session (
    site       TEXT    NOT NULL,
    hash       TEXT    NOT NULL CHECK (hash <> ''),
    login      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    agent      TEXT    NOT NULL,
    PRIMARY KEY (site, hash),
    FOREIGN KEY (site, login) REFERENCES person (site, login)
) STRICT;
CREATE INDEX session_login ON session (site, login);
CREATE INDEX session_expires ON session (site, expires_at);

CREATE TABLE audit (
    site   TEXT    NOT NULL REFERENCES site (id),
    id     TEXT    NOT NULL CHECK (id <> ''),
    at     INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    action TEXT    NOT NULL CHECK (action <> ''),
    target TEXT    NOT NULL,
    detail TEXT    NOT NULL,
    PRIMARY KEY (site, id)
) STRICT;
CREATE INDEX audit_newest ON audit (site, at DESC, id DESC);

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit is only ever added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit is only ever added to');
END;
-- +goose StatementEnd
