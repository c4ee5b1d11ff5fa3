package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"
)

// The file has one connection, in exclusive mode: a second process cannot open
// it, and no shared memory can be damaged. FULL syncs the write-ahead log at
// each commit; without it a power cut could take back sequence numbers that the
// other end has already seen.
const pragmas = "?_pragma=busy_timeout(2000)" +
	"&_pragma=auto_vacuum(incremental)" +
	"&_pragma=locking_mode(exclusive)" +
	"&_pragma=journal_mode(wal)" +
	"&_pragma=synchronous(full)" +
	"&_pragma=journal_size_limit(4194304)" +
	"&_pragma=cache_size(-1024)"

const schema = `
CREATE TABLE IF NOT EXISTS records (
	seq  INTEGER PRIMARY KEY,
	at   INTEGER NOT NULL,
	sum  INTEGER NOT NULL,
	body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS state (
	kind  TEXT NOT NULL,
	name  TEXT NOT NULL,
	value TEXT NOT NULL,
	sum   INTEGER NOT NULL,
	PRIMARY KEY (kind, name)
) WITHOUT ROWID;`

// state is what a file says when it is opened.
type state struct {
	epoch   string
	cursors map[string]uint64
	marks   map[string]uint64
	last    uint64 // the greatest sequence that was ever used, as far as the file knows
	newest  uint64 // that of the newest record; 0 without any
	records int64
	bytes   int64
}

func openFile(path string) (*file, state, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, state{}, err
	}
	f, err := connect(path)
	if err != nil {
		return nil, state{}, err
	}
	s, err := f.prepare()
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, state{}, errors.Join(err, f.close())
	}
	return f, s, nil
}

func connect(path string) (*file, error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path)}).String()+pragmas)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &file{db, conn}, nil
}

// prepare makes the tables or checks them, and loads what they say.
func (f *file) prepare() (state, error) {
	if err := f.exec(schema); err != nil {
		var e *sqlite.Error
		if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_ERROR {
			err = errors.Join(errDamaged, err) // tables of somebody else
		}
		return state{}, err
	}
	var verdict string
	if err := f.row("PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return state{}, err
	}
	if verdict != "ok" {
		return state{}, fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	s, bad, err := f.loadState()
	if err != nil {
		return state{}, err
	}
	if bad > 0 {
		return state{}, fmt.Errorf("%w: %d of its cursors and marks", errDamaged, bad)
	}
	if s.epoch == "" {
		if s.records > 0 {
			return state{}, fmt.Errorf("%w: it has no epoch", errDamaged)
		}
		s.epoch, err = f.renew()
	}
	return s, err
}

// loadState reads everything but the records. bad counts entries with a wrong
// checksum, which are left out.
func (f *file) loadState() (s state, bad int, err error) {
	s.cursors, s.marks = map[string]uint64{}, map[string]uint64{}
	rows, err := f.conn.QueryContext(context.Background(), "SELECT kind, name, value, sum FROM state")
	if err != nil {
		return s, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, name, value string
		var sum uint32
		if err := rows.Scan(&kind, &name, &value, &sum); err != nil {
			return s, bad, err
		}
		n, numErr := strconv.ParseUint(value, 10, 64)
		switch {
		case sum != stateSum(kind, name, value):
			bad++
		case kind == "epoch":
			s.epoch = value
		case numErr != nil:
			bad++
		case kind == "cursor":
			s.cursors[name] = n
			s.last = max(s.last, n)
		case kind == "mark":
			s.marks[name] = n
		}
	}
	if err := rows.Err(); err != nil {
		return s, bad, err
	}
	err = f.row("SELECT coalesce(max(seq), 0), count(*), coalesce(sum(length(body) + ?), 0) FROM records", overhead).
		Scan(&s.newest, &s.records, &s.bytes)
	s.last = max(s.last, s.newest)
	return s, bad, err
}

// syncDir makes a new name in the folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
