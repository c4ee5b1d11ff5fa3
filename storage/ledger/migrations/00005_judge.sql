-- How far judging has come, so that a restart or another hub goes on from there.

-- +goose Up
CREATE TABLE judge_state (
    site       TEXT    NOT NULL REFERENCES site (id),
    name       TEXT    NOT NULL CHECK (name <> ''),
    data       BLOB    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (site, name)
) STRICT;

CREATE TABLE journal_cursor (
    site TEXT    NOT NULL REFERENCES site (id),
    name TEXT    NOT NULL CHECK (name <> ''),
    seq  INTEGER NOT NULL CHECK (seq >= 0),
    PRIMARY KEY (site, name)
) STRICT;
