package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"gengfu/storage/history"
)

const schemaVersion = 2

// The log holds what was written since the chunks were last rewritten. The
// summaries in chunk are apart from the bytes in data, so that a year's chart
// reads a few pages of them; the chunk that still grows of a series has the id
// -series in data, so that what is rewritten leaves no holes between what stays.
// Names of series are the one thing that readings cannot do without, so they stand
// twice.
const schema = `
CREATE TABLE series (
	id INTEGER PRIMARY KEY, kind TEXT NOT NULL, device TEXT NOT NULL, quantity TEXT NOT NULL,
	UNIQUE (kind, device, quantity)
) STRICT;
CREATE TABLE log (id INTEGER PRIMARY KEY, readings INTEGER NOT NULL, entries BLOB NOT NULL) STRICT;
CREATE TABLE data (id INTEGER PRIMARY KEY, samples BLOB NOT NULL) STRICT;
CREATE TABLE chunk (
	series INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
	readings INTEGER NOT NULL, count INTEGER NOT NULL,
	sum REAL NOT NULL, min REAL NOT NULL, max REAL NOT NULL, first REAL NOT NULL, last REAL NOT NULL,
	data INTEGER NOT NULL, checksum INTEGER NOT NULL,
	PRIMARY KEY (series, start)
) STRICT, WITHOUT ROWID;
CREATE TABLE damaged (series INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL, samples BLOB NOT NULL) STRICT;
CREATE TABLE series_again (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, device TEXT NOT NULL, quantity TEXT NOT NULL) STRICT;
CREATE TRIGGER again AFTER INSERT ON series BEGIN
	INSERT INTO series_again VALUES (NEW.id, NEW.kind, NEW.device, NEW.quantity);
END;
CREATE TABLE owner (epoch INTEGER NOT NULL) STRICT;
INSERT INTO owner VALUES (0);
`

// source returns the data source name of a file. With synchronous=FULL a commit
// is on the disk when it returns, also through a power cut: the caller trims its
// journal on our word, and NORMAL would lose the last commits. What SQLite sorts
// stays in memory, because an image without a system has no folder for it.
func source(path string, extra ...string) string {
	escape := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")
	params := append([]string{
		"_pragma=busy_timeout(10000)",
		"_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)",
		"_pragma=temp_store(MEMORY)",
		"_pragma=journal_size_limit(16777216)",
	}, extra...)
	return "file:" + escape.Replace(path) + "?" + strings.Join(params, "&")
}

// migrate makes the tables of a new file and refuses those of a newer program.
func migrate(ctx context.Context, tx *sql.Tx) error {
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read the version: %w", err)
	}
	switch version {
	case schemaVersion:
		return nil
	case 0:
		if _, err := tx.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA user_version = %d;", schemaVersion)); err != nil {
			return fmt.Errorf("make the tables: %w", err)
		}
		return nil
	}
	return versionError(version)
}

func versionError(version int) error {
	return &history.ConfigurationError{Err: fmt.Errorf("the file has version %d, this program knows %d", version, schemaVersion)}
}

// classify gives an error of SQLite the type that says what the caller does next.
func classify(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("embedded history: %s: %w", doing, err)
	if ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", err, ctx.Err())
	}
	var configuration *history.ConfigurationError
	if errors.As(err, &configuration) {
		return &history.ConfigurationError{Err: err}
	}
	var s *sqlite.Error
	if errors.As(err, &s) {
		switch s.Code() & 0xff {
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
			return &history.ConfigurationError{Err: err}
		}
	}
	return &history.TemporaryError{Err: err}
}
