// Package embedded keeps the history of one site in one SQLite file, without a
// server. What is written goes into a log, one row for each Write, and is held
// in memory too; when enough has gathered it is packed into compressed chunks,
// each with its summary, which is the roll-up that charts are drawn from. Meters
// take two to three bytes a reading.
package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// Options are what Open needs.
type Options struct {
	Path      string           // of the file; it is made when it is not there
	Retention time.Duration    // readings that are older are refused, and deleted in time; 0 keeps all
	Now       func() time.Time // nil is time.Now

	// ReadOnly is for reading beside the process that writes the file: it shows what
	// was written until now. Nothing is taken over, and Write fails.
	ReadOnly bool

	// HeadLimit is how many readings gather before they are packed into chunks;
	// each takes 40 bytes of memory. 0 is 100,000.
	HeadLimit int
}

const (
	readers       = 4
	logPiece      = 64 << 10 // entries in a row of the log
	pruneInterval = time.Hour
)

// Store is a history.Store in one file. One process writes it at a time: the
// one that opened it last.
type Store struct {
	options Options
	writer  *sql.DB                // one connection
	files   atomic.Pointer[sql.DB] // readers; a damaged file is replaced while they read
	tally   *history.Tally
	epoch   int64

	write  sync.Mutex // held through a Write; guards the next three
	prune  time.Time  // when to look for what is too old
	limit  int        // size of the head at which it is packed
	looked bool       // head.newest counts what is in chunks

	head    head
	damage  damage
	suspect atomic.Bool // a reader found the file damaged

	alive     context.Context // until Close
	end       context.CancelFunc
	work      sync.WaitGroup
	salvaging sync.Mutex
}

var _ history.Store = (*Store)(nil)

// Open opens or makes the file and takes it over from whoever has it open. One that is
// damaged, or of an earlier version, is set aside and a new one begun; Stats says so.
// It fails with *history.ConfigurationError or *history.TemporaryError.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HeadLimit <= 0 {
		o.HeadLimit = 100_000
	}
	s := &Store{options: o, limit: o.HeadLimit, tally: history.NewTally("embedded")}
	s.alive, s.end = context.WithCancel(context.WithoutCancel(ctx))
	err := s.open(ctx)
	switch {
	case o.ReadOnly:
	case errors.Is(err, errOlder):
		err = s.retire(ctx, err)
	case corrupt(err) || headless(o.Path, err):
		err = s.replace(ctx, err)
	}
	if err != nil {
		return nil, errors.Join(classify(ctx, "open "+o.Path, err), s.Close())
	}
	if !o.ReadOnly {
		s.bringOver() // what an earlier start did not finish
	}
	return s, nil
}

// reader is for what only reads.
func (s *Store) reader() *sql.DB { return s.files.Load() }

func (s *Store) open(ctx context.Context) (err error) {
	reader, err := sql.Open("sqlite", source(s.options.Path, "_pragma=query_only(1)"))
	if err != nil {
		return err
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	s.files.Store(reader)
	if s.options.ReadOnly {
		return s.look(ctx)
	}
	if s.writer, err = sql.Open("sqlite", source(s.options.Path, "_txlock=immediate")); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	if err := migrate(ctx, tx); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, "UPDATE owner SET epoch = epoch + 1 RETURNING epoch").Scan(&s.epoch); err != nil {
		return fmt.Errorf("take it over: %w", err)
	}
	damaged, err := s.head.load(ctx, tx)
	if err != nil {
		return err
	}
	s.missing(damaged)
	for _, row := range damaged {
		for _, text := range []string{`INSERT INTO damaged SELECT 0, 0, 0, entries FROM log WHERE id = $1`, `DELETE FROM log WHERE id = $1`} {
			if _, err := tx.ExecContext(ctx, text, row.id); err != nil {
				return fmt.Errorf("lay aside a row of the log: %w", err)
			}
		}
	}
	return tx.Commit()
}

// look reads what a file holds that another process may be writing.
func (s *Store) look(ctx context.Context) error {
	if _, err := os.Stat(s.options.Path); err != nil { // SQLite would make the file
		return &history.ConfigurationError{Err: err}
	}
	tx, err := s.reader().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	version, _, err := versionOf(ctx, tx)
	if err != nil {
		return err
	}
	if version != schemaVersion {
		return versionError(version)
	}
	if err := checkTables(ctx, tx); err != nil {
		return err
	}
	damaged, err := s.head.load(ctx, tx)
	s.missing(damaged)
	return err
}

// missing counts damaged rows of the log.
func (s *Store) missing(rows []logged) {
	for _, row := range rows {
		s.damage.other(min(max(row.readings, 0), logPiece), fmt.Errorf("row %d of the log is damaged", row.id))
	}
}

// Close ends the store. It waits for a running Write.
func (s *Store) Close() error {
	s.end()
	s.work.Wait()
	s.write.Lock()
	defer s.write.Unlock()
	return s.closeFiles()
}

func (s *Store) closeFiles() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader(), s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Stats returns what the store did so far.
func (s *Store) Stats() history.Stats {
	stats := s.tally.Stats()
	stats.Damaged, stats.Damage = s.damage.found()
	return stats
}

// Write stores the rows, all in one transaction.
func (s *Store) Write(ctx context.Context, rows []history.Row) error {
	lawful, refused := history.Sift(rows)
	s.write.Lock()
	defer s.write.Unlock()
	lawful, tooOld, err := s.store(ctx, lawful)
	if corrupt(err) && !s.options.ReadOnly {
		if err = s.replace(ctx, err); err == nil {
			lawful, tooOld, err = s.store(ctx, lawful)
		}
	}
	refused = append(refused, tooOld...)
	err = classify(ctx, fmt.Sprintf("write %d readings", len(lawful)), err)
	if err != nil {
		return s.tally.Written(s.options.Now(), 0, nil, err)
	}
	s.keepUp(ctx) // the rows are durable; what fails from here on is done by a later Write
	return s.tally.Written(s.options.Now(), len(lawful), refused, nil)
}

// store makes those rows durable that are not too old.
func (s *Store) store(ctx context.Context, rows []history.Row) (young []history.Row, tooOld []history.Rejected, err error) {
	young, tooOld, err = s.sift(ctx, rows)
	if err != nil {
		return rows, nil, err
	}
	if err := s.log(ctx, young); err != nil {
		return rows, nil, err
	}
	return young, tooOld, nil
}

// sift parts from the rows those that are older than what is kept: however late a
// reading comes, it is taken while its neighbours are there. A clock that runs ahead
// refuses nothing that the readings do not confirm to be old.
func (s *Store) sift(ctx context.Context, rows []history.Row) (young []history.Row, refused []history.Rejected, err error) {
	if s.options.Retention <= 0 || s.options.ReadOnly {
		return rows, nil, nil
	}
	newest, err := s.newest(ctx)
	if err != nil {
		return rows, nil, err
	}
	for i := range rows {
		newest = max(newest, rows[i].Time.UnixMilli())
	}
	oldest := time.UnixMilli(min(s.options.Now().UnixMilli(), newest)).Add(-s.options.Retention)
	if !slices.ContainsFunc(rows, func(r history.Row) bool { return r.Time.Before(oldest) }) {
		return rows, nil, nil
	}
	why := fmt.Sprintf("it is older than the %s that are kept", s.options.Retention)
	for i := range rows {
		if rows[i].Time.Before(oldest) {
			refused = append(refused, history.Rejected{Row: rows[i], Why: why})
			continue
		}
		young = append(young, rows[i])
	}
	return young, refused, nil
}

// log makes the rows durable and adds them to the head.
func (s *Store) log(ctx context.Context, rows []history.Row) error {
	if len(rows) == 0 {
		return nil
	}
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	added := map[seriesKey]int64{}
	entries := make([]entry, len(rows))
	for i := range rows {
		id, err := s.seriesFor(ctx, tx, &rows[i], added)
		if err != nil {
			return err
		}
		entries[i] = entry{series: id, sample: sampleOf(rows[i].Reading)}
	}
	var last int64
	for piece := range slices.Chunk(entries, logPiece) {
		result, err := tx.ExecContext(ctx, "INSERT INTO log (readings, entries) VALUES ($1, $2)", len(piece), encodeLog(piece))
		if err != nil {
			return err
		}
		if last, err = result.LastInsertId(); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.head.add(added, entries, last)
	return nil
}

// begin starts a transaction of the writer, unless somebody else has taken the
// file over: what he packed we would pack again over it.
func (s *Store) begin(ctx context.Context) (*sql.Tx, error) {
	if s.options.ReadOnly {
		return nil, &history.ConfigurationError{Err: errors.New("the file was opened for reading")}
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	var epoch int64
	err = tx.QueryRowContext(ctx, "SELECT epoch FROM owner").Scan(&epoch)
	if err == nil && epoch != s.epoch {
		err = &history.ConfigurationError{Err: errors.New("another process has opened the file")}
	}
	if err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// seriesFor returns the series of a row, which it makes and notes in added when
// it is new.
func (s *Store) seriesFor(ctx context.Context, tx *sql.Tx, row *history.Row, added map[seriesKey]int64) (int64, error) {
	key := seriesKey{kind: row.Kind, point: row.Point}
	if id, ok := s.head.series(key); ok {
		return id, nil
	}
	if id, ok := added[key]; ok {
		return id, nil
	}
	var id int64
	err := tx.QueryRowContext(ctx, "INSERT INTO series (kind, device, quantity) VALUES ($1, $2, $3) RETURNING id",
		key.kind, key.point.Device, key.point.Quantity).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("add series %s: %w", key.point, err)
	}
	added[key] = id
	return id, nil
}

// seriesKey names a series within the site.
type seriesKey struct {
	kind  string
	point facility.PointID
}
