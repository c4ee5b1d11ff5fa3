-- What the configuration said, and from when until when, so that history can
-- name what has been removed since.

-- +goose Up
CREATE TABLE provisioned (
    site    TEXT    NOT NULL REFERENCES site (id),
    kind    TEXT    NOT NULL CHECK (kind IN ('place', 'device', 'reader', 'checkpoint', 'route', 'plan')),
    id      TEXT    NOT NULL CHECK (id <> ''),
    since   INTEGER NOT NULL,
    until   INTEGER, -- NULL while it stands in the configuration
    hash    TEXT    NOT NULL, -- SHA-256 of body, hex
    name_zh TEXT    NOT NULL,
    name_en TEXT    NOT NULL,
    body    TEXT    NOT NULL, -- JSON, without secrets
    PRIMARY KEY (site, kind, id, since)
) STRICT;
CREATE UNIQUE INDEX provisioned_current ON provisioned (site, kind, id) WHERE until IS NULL;
