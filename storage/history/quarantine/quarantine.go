// Package quarantine keeps the readings that a history refused for good, with the
// reason, so that a person can look at them, mend the cause and bring them in. It
// holds a bounded number; the oldest make room.
package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"gengfu/facility"
	"gengfu/storage/history"
)

// DefaultLimit is how many readings are held when Options do not say: about 20 MB.
const DefaultLimit = 100_000

// Options are what Open needs.
type Options struct {
	Path  string           // of the file; it is made when it is not there
	Limit int              // of readings held; 0 is DefaultLimit
	Now   func() time.Time // nil is time.Now
}

// Entry is a reading that was refused.
type Entry struct {
	history.Rejected
	At time.Time // when it was refused
}

// Cause is a reason for which readings are held.
type Cause struct {
	Why    string
	Held   int
	Oldest time.Time // of the readings
	Newest time.Time
	Point  facility.PointID // of one of them
}

// Stats is what the health page shows.
type Stats struct {
	Held    int     // readings
	Evicted uint64  // readings that made room for newer ones, since the file was begun
	Causes  []Cause // those of most readings
}

// Store keeps refused readings in one file. Its methods may be called concurrently,
// also by several processes.
type Store struct {
	options Options
	db      *sql.DB

	mu    sync.Mutex
	held  int
	stats Stats
	fresh bool // stats are those of the file
}

const schema = `
CREATE TABLE IF NOT EXISTS refused (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	kind TEXT NOT NULL, place TEXT NOT NULL, device TEXT NOT NULL, quantity TEXT NOT NULL,
	time INTEGER NOT NULL, value REAL, unit TEXT NOT NULL, quality INTEGER NOT NULL, reason TEXT NOT NULL,
	why TEXT NOT NULL, at INTEGER NOT NULL,
	UNIQUE (device, quantity, time, kind)
) STRICT;
CREATE TABLE IF NOT EXISTS evicted (readings INTEGER NOT NULL) STRICT;
INSERT INTO evicted SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM evicted);
`

// Open opens or makes the file. One that is damaged is renamed to
// "path.damaged-TIME" and begun anew: it must not keep a gateway from starting.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Limit <= 0 {
		o.Limit = DefaultLimit
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s, err := open(ctx, o)
	if !damaged(err) {
		return s, err
	}
	aside := o.Path + ".damaged-" + o.Now().UTC().Format("20060102T150405Z")
	if renamed := os.Rename(o.Path, aside); renamed != nil {
		return nil, errors.Join(err, renamed)
	}
	for _, suffix := range []string{"-wal", "-shm"} { // they belong to the damaged file
		if err := os.Remove(o.Path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return open(ctx, o)
}

func open(ctx context.Context, o Options) (*Store, error) {
	escape := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")
	db, err := sql.Open("sqlite", "file:"+escape.Replace(o.Path)+"?_txlock=immediate&_pragma=busy_timeout(10000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=temp_store(MEMORY)")
	if err != nil {
		return nil, fmt.Errorf("quarantine: open %s: %w", o.Path, err)
	}
	db.SetMaxOpenConns(2)
	s := &Store{options: o, db: db}
	if _, err = db.ExecContext(ctx, schema); err == nil {
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM refused").Scan(&s.held)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("quarantine: open %s: %w", o.Path, err), db.Close())
	}
	return s, nil
}

func damaged(err error) bool {
	var s *sqlite.Error
	return errors.As(err, &s) && (s.Code()&0xff == sqlite3.SQLITE_CORRUPT || s.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// Close ends the store.
func (s *Store) Close() error { return s.db.Close() }

// Add holds readings; when it returns nil they are durable. The same reading again
// replaces what was held of it.
func (s *Store) Add(ctx context.Context, refused []history.Rejected) error {
	if len(refused) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held, err := s.add(ctx, refused)
	if err != nil {
		return fmt.Errorf("quarantine: hold %d readings: %w", len(refused), err)
	}
	s.held, s.fresh = held, false
	return nil
}

func (s *Store) add(ctx context.Context, refused []history.Rejected) (held int, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	insert, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO refused
		(kind, place, device, quantity, time, value, unit, quality, reason, why, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`)
	if err != nil {
		return 0, err
	}
	defer insert.Close() //nolint:errcheck // it ends with the transaction
	at := s.options.Now().UnixMilli()
	for _, r := range refused {
		_, err := insert.ExecContext(ctx, text(r.Row.Kind), text(r.Row.Place), text(r.Row.Point.Device), text(r.Row.Point.Quantity),
			r.Row.Time.UnixMilli(), r.Row.Value, text(r.Row.Unit), int(r.Row.Quality), text(string(r.Row.Reason)), text(r.Why), at)
		if err != nil {
			return 0, err
		}
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM refused").Scan(&held); err != nil {
		return 0, err
	}
	if over := held - s.options.Limit; over > 0 {
		if _, err := tx.ExecContext(ctx, "DELETE FROM refused WHERE id IN (SELECT id FROM refused ORDER BY id LIMIT $1)", over); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE evicted SET readings = readings + $1", over); err != nil {
			return 0, err
		}
		held -= over
	}
	return held, tx.Commit()
}

const maxText = 1024 // bytes of a name or reason that is held

// text cuts a text that is too long: a name of megabytes may be why a reading was
// refused.
func text(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxText)], "\uFFFD") }

// Each calls do for every reading that is held, those held longest first, until it
// fails.
func (s *Store) Each(ctx context.Context, do func(Entry) error) error {
	rows, err := s.db.QueryContext(ctx, `SELECT kind, place, device, quantity, time, coalesce(value, 0), unit, quality, reason, why, at
		FROM refused ORDER BY id`)
	if err != nil {
		return fmt.Errorf("quarantine: read: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e Entry
		var ms, at int64
		r := &e.Row
		err := rows.Scan(&r.Kind, &r.Place, &r.Point.Device, &r.Point.Quantity, &ms, &r.Value, &r.Unit, &r.Quality, &r.Reason, &e.Why, &at)
		if err != nil {
			return fmt.Errorf("quarantine: read: %w", err)
		}
		r.Time, e.At = time.UnixMilli(ms).UTC(), time.UnixMilli(at).UTC()
		if err := do(e); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Empty removes all readings that were held no later than the time, and returns how
// many.
func (s *Store) Empty(ctx context.Context, until time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result, err := s.db.ExecContext(ctx, "DELETE FROM refused WHERE at <= $1", until.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("quarantine: empty: %w", err)
	}
	n, err := result.RowsAffected()
	s.fresh = false
	return int(n), err
}

const maxCauses = 5

// Stats returns what is held, and why.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh {
		return s.stats, nil
	}
	st, err := s.count(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("quarantine: count: %w", err)
	}
	s.stats, s.held, s.fresh = st, st.Held, true
	return st, nil
}

func (s *Store) count(ctx context.Context) (st Stats, err error) {
	if err := s.db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM refused), readings FROM evicted").Scan(&st.Held, &st.Evicted); err != nil {
		return st, err
	}
	rows, err := s.db.QueryContext(ctx, `SELECT why, count(*), min(time), max(time), min(device), min(quantity) FROM refused
		GROUP BY why ORDER BY count(*) DESC, why LIMIT $1`, maxCauses)
	if err != nil {
		return st, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Cause
		var oldest, newest int64
		if err := rows.Scan(&c.Why, &c.Held, &oldest, &newest, &c.Point.Device, &c.Point.Quantity); err != nil {
			return st, err
		}
		c.Oldest, c.Newest = time.UnixMilli(oldest).UTC(), time.UnixMilli(newest).UTC()
		st.Causes = append(st.Causes, c)
	}
	return st, rows.Err()
}
