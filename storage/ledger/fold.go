package ledger

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
)

// What is committed stands in SQLite's write-ahead log until it is folded into the file.
// SQLite has the commit do that which finds the log long, which then takes tens of
// milliseconds instead of one. So it is done beside, on a connection of its own, and
// commits go on meanwhile.
const (
	// foldPages is from how many pages of 4 KiB on the log is folded.
	foldPages = 1000
	// foldLate is from how many pages on a commit does it itself, as nobody else did.
	foldLate = "8000"
)

// folder folds the log after commits.
type folder struct {
	db    *sql.DB
	log   *slog.Logger
	wrote chan struct{} // something was committed
	stop  context.CancelFunc
	runs  sync.WaitGroup
}

func newFolder(driver, path string, log *slog.Logger) (*folder, error) {
	db, err := connect(driver, path, 1, "")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &folder{db: db, log: log, wrote: make(chan struct{}, 1), stop: stop}
	f.runs.Go(func() { f.run(ctx) })
	return f, nil
}

// note says that something was committed.
func (f *folder) note() {
	select {
	case f.wrote <- struct{}{}:
	default:
	}
}

func (f *folder) run(ctx context.Context) {
	failed := false
	for {
		select {
		case <-f.wrote:
		case <-ctx.Done():
			return
		}
		err := f.fold(ctx) // what fails is tried again behind the next commit
		if err != nil && !failed && ctx.Err() == nil {
			f.log.Warn("the ledger's log cannot be folded into its file; it grows", "error", err)
		}
		failed = err != nil
	}
}

// fold folds a log that is long. The next commit after all of it is folded begins it anew.
func (f *folder) fold(ctx context.Context) error {
	var busy, pages, folded int64
	if err := f.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &pages, &folded); err != nil {
		return failure(err, "look at the log")
	}
	if pages < foldPages || folded == pages {
		return nil
	}
	_, err := f.db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
	return failure(err, "fold the log")
}

func (f *folder) close() error {
	f.stop()
	f.runs.Wait()
	return f.db.Close()
}
