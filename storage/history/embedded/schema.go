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
CREATE TABLE owner (epoch INTEGER NOT NULL, version INTEGER NOT NULL) STRICT;
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

// migrate makes the tables of a new file and refuses those of another version.
func migrate(ctx context.Context, tx *sql.Tx) error {
	version, tables, err := versionOf(ctx, tx)
	switch {
	case err != nil:
		return err
	case version == schemaVersion:
		return checkTables(ctx, tx)
	case version != 0 || tables > 0:
		return versionError(version)
	}
	_, err = tx.ExecContext(ctx, schema+fmt.Sprintf("INSERT INTO owner VALUES (0, %[1]d); PRAGMA user_version = %[1]d;", schemaVersion))
	if err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	return nil
}

var errHead = errors.New("what the file says of itself is damaged")

// checkTables holds what the file says of its tables against that of a new file:
// it is text, in which a turned bit makes other tables.
func checkTables(ctx context.Context, tx *sql.Tx) error {
	memory, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return err
	}
	defer memory.Close() //nolint:errcheck // nothing is in it
	memory.SetMaxOpenConns(1)
	if _, err := memory.ExecContext(ctx, schema); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	var texts [2]sql.NullString
	for i, q := range []interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
	}{memory, tx} {
		const all = "SELECT group_concat(type || ' ' || name || ' ' || rootpage || ' ' || coalesce(sql, '')) FROM (SELECT * FROM sqlite_schema ORDER BY rowid)"
		if err := q.QueryRowContext(ctx, all).Scan(&texts[i]); err != nil {
			return fmt.Errorf("read the tables: %w", err)
		}
	}
	if texts[0] != texts[1] {
		return errHead
	}
	return nil
}

// versionOf returns the version of a file, which stands in it twice, and how many
// tables it has.
func versionOf(ctx context.Context, tx *sql.Tx) (version, tables int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version").Scan(&version, &tables)
	if err != nil {
		return 0, 0, fmt.Errorf("read the version: %w", err)
	}
	if version == schemaVersion || tables == 0 {
		return version, tables, nil
	}
	var again int
	if tx.QueryRowContext(ctx, "SELECT version FROM owner").Scan(&again) == nil && again != version {
		return 0, 0, errHead
	}
	return version, tables, nil
}

func versionError(version int) error {
	err := fmt.Errorf("the file has version %d, this program knows %d", version, schemaVersion)
	if version < schemaVersion {
		err = fmt.Errorf("%w: %w", errOlder, err)
	}
	return &history.ConfigurationError{Err: err}
}

// errOlder says that a file is of an earlier version of the format, which this program
// does not read.
var errOlder = errors.New("the format is an old one")

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
