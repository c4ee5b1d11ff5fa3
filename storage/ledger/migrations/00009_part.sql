-- What changed of a state of the judge since it was kept whole, in order, so that what
-- is written with a decision is as small as what it changed.

-- +goose Up
CREATE TABLE judge_part (
    site TEXT    NOT NULL REFERENCES site (id),
    name TEXT    NOT NULL CHECK (name <> ''),
    seq  INTEGER NOT NULL CHECK (seq > 0),
    data BLOB    NOT NULL,
    PRIMARY KEY (site, name, seq)
) STRICT;
