-- Rules that are made or overridden in the dashboard: one line for each saving, which is
-- only ever added to. The last of a rule counts; without a source the files count again.

-- +goose Up
CREATE TABLE rule_version (
    site    TEXT    NOT NULL REFERENCES site (id),
    rule    TEXT    NOT NULL CHECK (rule <> ''),
    version INTEGER NOT NULL CHECK (version >= 1),
    at      INTEGER NOT NULL,
    author  TEXT    NOT NULL CHECK (author <> ''),
    reason  TEXT    NOT NULL CHECK (reason <> ''),
    source  TEXT    CHECK (source <> ''), -- YAML; NULL is taken back
    PRIMARY KEY (site, rule, version)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER rule_version_no_update BEFORE UPDATE ON rule_version
BEGIN
    SELECT RAISE(ABORT, 'the versions of rules are only ever added to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER rule_version_no_delete BEFORE DELETE ON rule_version
BEGIN
    SELECT RAISE(ABORT, 'the versions of rules are only ever added to');
END;
-- +goose StatementEnd
