// Package ledger keeps what must never be lost or told twice: people, rounds,
// taps, alarms, work orders, who did what, and how far judging has come. It
// checks that what is written is possible, and never decides what should be.
package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"gengfu/facility"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Options are what Open needs beside the file.
type Options struct {
	// Site is whose register this is: it is in every key, and orders are numbered
	// by the day of its zone (nil is UTC). An empty ID takes the one site that the
	// file knows.
	Site facility.Site
	// Sole refuses a file that knows another site: what stands beside it, as the
	// journals and the embedded history, is of one site only.
	Sole bool
	// Driver is the name of the SQLite driver in database/sql; empty is "sqlite". Tests
	// name one that fails.
	Driver string
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // stamps what comes without a time; nil is time.Now
}

// Ledger is the register of one site. It may be used by many goroutines: reads
// run side by side, writes one after the other.
type Ledger struct {
	writer *sql.DB // one connection
	reader *sql.DB
	folder *folder
	site   string
	zone   *time.Location
	now    func() time.Time
}

// readers is how many reads run at once; each connection costs about 2 MiB of
// page cache at most.
const readers = 4

// Open opens the ledger in the file at path, makes it when it is not there, and
// brings its tables to the present version. A file written by a newer version of
// the program is refused.
func Open(ctx context.Context, path string, o Options) (_ *Ledger, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := create(ctx, o.Driver, path); err != nil {
		return nil, fmt.Errorf("ledger %s: make the file: %w", path, err)
	}
	l := &Ledger{now: o.Now}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("ledger %s: %w", path, err), l.Close())
		}
	}()
	if l.writer, err = connect(o.Driver, path, 1, "_txlock=immediate&_pragma=wal_autocheckpoint("+foldLate+")"); err != nil {
		return nil, err
	}
	if l.reader, err = connect(o.Driver, path, readers, "_pragma=query_only(1)"); err != nil {
		return nil, err
	}
	if err := migrate(ctx, l.writer, o.Logger); err != nil {
		return nil, err
	}
	if o.Sole {
		if err := l.refuseOthers(ctx, o.Site.ID); err != nil {
			return nil, err
		}
	}
	if l.site, l.zone, err = l.adopt(ctx, o.Site); err != nil {
		return nil, err
	}
	if l.folder, err = newFolder(o.Driver, path, o.Logger); err != nil {
		return nil, err
	}
	return l, nil
}

// create makes the file, when it is not there, whole before anybody sees it:
// SQLite switches a new file to its log without waiting for another process that
// is at the same, and refuses one of them. It is readable by its owner only, as it
// holds password hashes; SQLite gives its -wal and -shm files the same rights. A
// file that is there is not opened but by SQLite: to close it would drop the locks
// that this process has on it.
func create(ctx context.Context, driver, path string) (err error) {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connect(driver, f.Name(), 1, "_txlock=immediate")
	if err != nil {
		return err
	}
	if err := errors.Join(db.PingContext(ctx), db.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return makePrivate(path) // a disk without hard links
	}
	return nil
}

func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // the path is the configuration's
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// connect opens a pool of size connections with the pragmas that each needs.
func connect(driver, path string, size int, more string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}
	// Waiting comes first: the pragmas after it may meet another process's lock.
	// FULL because an order or a tap that was confirmed must survive a power cut;
	// recursive triggers because REPLACE would pass by those that refuse deletion;
	// sorting in memory because an image without a system has no folder for it.
	u.RawQuery = "_pragma=busy_timeout(10000)" +
		"&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(FULL)" +
		"&_pragma=foreign_keys(1)" +
		"&_pragma=recursive_triggers(1)" +
		"&_pragma=temp_store(MEMORY)" +
		"&_pragma=journal_size_limit(67108864)" +
		"&" + more
	db, err := sql.Open(cmp.Or(driver, "sqlite"), u.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// adopt registers the site, or finds the only one there is when none is named.
// A site that is known keeps its zone and name where none is given.
func (l *Ledger) adopt(ctx context.Context, s facility.Site) (string, *time.Location, error) {
	if s.ID == "" {
		return l.onlySite(ctx)
	}
	zone := ""
	if s.Zone != nil {
		zone = s.Zone.String()
	}
	err := l.writer.QueryRowContext(ctx, `
		INSERT INTO site (id, name_zh, name_en, zone) VALUES ($1, $2, $3, COALESCE(NULLIF($4, ''), 'UTC'))
		ON CONFLICT (id) DO UPDATE SET
			name_zh = COALESCE(NULLIF(excluded.name_zh, ''), site.name_zh),
			name_en = COALESCE(NULLIF(excluded.name_en, ''), site.name_en),
			zone = COALESCE(NULLIF($4, ''), site.zone)
		RETURNING zone`, s.ID, s.Name.ZH, s.Name.EN, zone).Scan(&zone)
	if err != nil {
		return "", nil, failure(err, "register site %s", s.ID)
	}
	if s.Zone != nil {
		return s.ID, s.Zone, nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return "", nil, fmt.Errorf("time zone of site %s: %w", s.ID, err)
	}
	return s.ID, loc, nil
}

// refuseOthers fails with facility.ErrConflict when the file knows another site.
func (l *Ledger) refuseOthers(ctx context.Context, site string) error {
	var other string
	err := l.reader.QueryRowContext(ctx, `SELECT COALESCE(min(id), '') FROM site WHERE id <> $1`, site).Scan(&other)
	if err != nil {
		return failure(err, "look for other sites")
	}
	if other != "" {
		return fmt.Errorf("it is of site %s, not %s; use another data folder: %w", other, site, facility.ErrConflict)
	}
	return nil
}

func (l *Ledger) onlySite(ctx context.Context) (string, *time.Location, error) {
	var count int
	var id, zone string
	err := l.reader.QueryRowContext(ctx, `
		SELECT count(*), COALESCE(min(id), ''), COALESCE(min(zone), '') FROM site`).Scan(&count, &id, &zone)
	if err != nil {
		return "", nil, failure(err, "find the site")
	}
	if count != 1 {
		return "", nil, fmt.Errorf("it holds %d sites, so one must be named: %w", count, facility.ErrInvalid)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return "", nil, fmt.Errorf("time zone of site %s: %w", id, err)
	}
	return id, loc, nil
}

// Close waits for running queries and closes the file.
func (l *Ledger) Close() error {
	var errs []error
	if l.folder != nil {
		errs = append(errs, l.folder.close())
	}
	// The writer last: the connection that leaves last folds the WAL into the file.
	for _, db := range []*sql.DB{l.reader, l.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Engine names the engine below, for the health page.
func (l *Ledger) Engine() string { return "sqlite" }

// Site returns the id of the site whose ledger this is.
func (l *Ledger) Site() string { return l.site }

// Tx is a transaction: its reads see one moment, its writes are kept all or not
// at all. It is for one goroutine and must not be used after its function ends.
type Tx struct {
	ctx context.Context // a transaction lives exactly as long as its context
	register
	now func() time.Time
}

// Update runs fn in a transaction that may write and keeps its writes when it
// returns nil and this returns nil. Updates run one after the other, also those
// of other processes on the same file. Within fn use the Tx alone: another write
// through the Ledger would wait for this one for ever.
func (l *Ledger) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := l.transact(ctx, l.writer, fn); err != nil {
		return err
	}
	l.folder.note()
	return nil
}

// View runs fn in a transaction that only reads, beside any others.
func (l *Ledger) View(ctx context.Context, fn func(*Tx) error) error {
	return l.transact(ctx, l.reader, fn)
}

func (l *Ledger) transact(ctx context.Context, db *sql.DB, fn func(*Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return failure(err, "ledger: begin")
	}
	// After a commit this does nothing; after an error or a panic of fn it undoes.
	defer tx.Rollback() //nolint:errcheck // there is nothing left to undo when it fails
	if err := fn(&Tx{ctx: ctx, register: register{db: tx, site: l.site, zone: l.zone}, now: l.now}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return failure(err, "ledger: commit")
	}
	return nil
}

// register is the reading side, the same in and out of a transaction.
type register struct {
	db interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	site string
	zone *time.Location
}

// read is the register outside of a transaction.
func (l *Ledger) read() register { return register{db: l.reader, site: l.site, zone: l.zone} }

// exec runs one statement of a transaction; doing and args say what for.
func (t *Tx) exec(query string, args []any, doing string, of ...any) (int64, error) {
	res, err := t.db.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, failure(err, doing, of...)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, failure(err, doing, of...)
	}
	return n, nil
}
