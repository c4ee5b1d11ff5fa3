package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"
)

// The file has one connection, in exclusive mode: a second process cannot open
// it, and there is no shared memory that could be damaged, or not be made on a disk
// that is full. FULL syncs the write-ahead log at each commit; without it a power
// cut could take back sequence numbers that the other end has already seen. The
// driver would carry these out in the order of the alphabet, and make the shared
// memory first. auto_vacuum is for a new file, and writes to one that is not.
const vacuum = "auto_vacuum(incremental)"

var pragmas = [...]string{
	"busy_timeout(2000)",
	"locking_mode(exclusive)",
	vacuum,
	"journal_mode(wal)",
	"synchronous(full)",
	"journal_size_limit(4194304)",
	"cache_size(-1024)",
}

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

// checkTime is how long a file's structure is checked before it is used. What it
// does not get to is checked when it is read: by the records' checksums, and as
// their sequences have no holes.
const checkTime = 250 * time.Millisecond

// state is what a file says when it is opened.
type state struct {
	runs    runs
	cursors map[string]uint64
	marks   map[string]uint64
	counts  map[string]int64
	last    uint64 // the greatest sequence that was ever used, as far as the file knows
	newest  uint64 // that of the newest record; 0 without any
	held    tally
	counted bool // the file says what it holds
	books   books
	salvage salvageState
}

func openFile(path string) (*file, state, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, state{}, err
	}
	log, err := inspectLog(path)
	if err == nil {
		err = log.damage()
	}
	if err != nil {
		return nil, state{}, err
	}
	f, err := connect(path)
	if err != nil {
		return nil, state{}, err
	}
	f.cutLog()
	s, err := f.prepare()
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, state{}, errors.Join(err, f.close())
	}
	return f, s, nil
}

// openReadOnly opens a file that cannot be written. Whatever is written to it fails.
func openReadOnly(path string) (*file, state, error) {
	log, err := inspectLog(path)
	if err == nil {
		err = log.damage()
	}
	if err != nil {
		return nil, state{}, err
	}
	f, err := connectReadOnly(path)
	if err != nil {
		return nil, state{}, err
	}
	f.readOnly = true
	s, err := f.prepare()
	if err == nil && s.salvage.name != "" {
		err = errors.New("a damaged file is yet to be saved")
	}
	if err != nil {
		return nil, state{}, errors.Join(err, f.close())
	}
	return f, s, nil
}

func connect(path string) (*file, error) {
	use := pragmas[:]
	if size(path) > 0 || size(path+"-wal") > 0 {
		use = slices.DeleteFunc(slices.Clone(use), func(p string) bool { return p == vacuum })
	}
	return dial(path, "", use...)
}

// size is how long a file is; 0 where there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// connectReadOnly needs no lock, which takes a file that can be written. Without a
// write-ahead log SQLite must be told that it need not make one.
func connectReadOnly(path string) (*file, error) {
	query := "?mode=ro&vfs=unix-none"
	if size(path+"-wal") == 0 {
		query = "?immutable=1"
	}
	return dial(path, query, "locking_mode(exclusive)", "cache_size(-1024)")
}

func dial(path, query string, pragmas ...string) (*file, error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path)}).String()+query)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	f := &file{path: path, db: db, conn: conn}
	for _, p := range pragmas {
		if err := f.exec("PRAGMA " + p); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	return f, nil
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
	if err := f.check(checkTime); err != nil {
		return state{}, err
	}
	s, bad, err := f.loadState()
	if err != nil {
		return state{}, err
	}
	if bad > 0 {
		return state{}, fmt.Errorf("%w: %d of its cursors and marks", errDamaged, bad)
	}
	if !s.counted {
		if err := f.count(&s); err != nil {
			return state{}, err
		}
	}
	if len(s.runs) > 0 {
		return s, nil
	}
	if s.newest > 0 {
		return state{}, fmt.Errorf("%w: it has no epoch", errDamaged)
	}
	if f.readOnly {
		return state{}, errors.New("it was never used")
	}
	life, err := newLife()
	if err != nil {
		return state{}, err
	}
	s.runs = runs{{1, life}}
	return s, f.transact(func() error { return f.putRuns(s.runs) })
}

// check looks for damage to the structure for as long as it may.
func (f *file) check(atMost time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	var verdict string
	err := f.conn.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict)
	switch {
	case damaged(err):
		return err
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	case verdict != "ok":
		return fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	return nil
}

// loadState reads everything but the records. bad counts entries with a wrong
// checksum, which are left out.
func (f *file) loadState() (s state, bad int, err error) {
	s.cursors, s.marks, s.counts = map[string]uint64{}, map[string]uint64{}, map[string]int64{}
	rows, err := f.conn.QueryContext(context.Background(), "SELECT kind, name, value, sum FROM state")
	if err != nil {
		return s, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, name, value string
		var sum int64
		if err := rows.Scan(&kind, &name, &value, &sum); err != nil {
			return s, bad, fmt.Errorf("%w: %w", errDamaged, err)
		}
		if sum != int64(stateSum(kind, name, value)) || !s.take(kind, name, value) {
			bad++
		}
	}
	slices.SortFunc(s.runs, func(a, b run) int { return int(int64(a.first - b.first)) })
	if err := rows.Err(); err != nil {
		return s, bad, err
	}
	s.newest, err = f.newest()
	s.last = max(s.last, s.newest)
	return s, bad, err
}

// take takes one entry of the state and reports whether it makes sense.
func (s *state) take(kind, name, value string) bool {
	n, err := strconv.ParseUint(value, 10, 64)
	switch kind {
	case "epoch":
		first := uint64(1)
		if name != "" {
			if first, err = strconv.ParseUint(name, 10, 64); err != nil {
				return false
			}
		}
		s.runs = append(s.runs, run{first, value})
		s.last = max(s.last, first-1)
		return true
	case "held":
		var last uint64
		read, err := fmt.Sscan(value, &s.held.records, &s.held.bytes, &last, &s.held.facts)
		s.counted = err == nil || read == 3 // by an earlier version
		s.books = readBooks(value, read+1)
		s.last = max(s.last, last)
		return s.counted
	case "cursor":
		s.cursors[name] = n
		s.last = max(s.last, n)
	case "mark":
		s.marks[name] = n
	case "count":
		s.counts[name] = int64(n)
	case "salvage":
		s.salvage = salvageState{name: name, upTo: n}
	}
	return err == nil
}

// count counts what a file of an earlier version holds.
func (f *file) count(s *state) error {
	return f.row("SELECT count(*), coalesce(sum(length(body) + ?), 0) FROM records", overhead).
		Scan(&s.held.records, &s.held.bytes)
}

// syncDir makes a new name in the folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
