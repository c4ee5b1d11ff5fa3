package ledger

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// provider returns the migrations bound to a database.
func provider(db *sql.DB, log *slog.Logger) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(log))
}

// migrate brings the tables to the present version, each step in a transaction
// of its own.
func migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	p, err := provider(db, log)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	for {
		have, want, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read the version of the tables: %w", err)
		}
		if have > want {
			return fmt.Errorf("its tables are of version %d, this program knows %d: use the newer program", have, want)
		}
		if have == want {
			return nil
		}
		_, err = p.Up(ctx)
		if err == nil {
			log.InfoContext(ctx, "ledger migrated", "from", have, "to", want)
			return nil
		}
		// Another process may have taken the same step at the same time; then this
		// one failed, but the tables moved on all the same.
		now, _, again := p.GetVersions(ctx)
		if again != nil || now <= have {
			return fmt.Errorf("migrate tables from version %d to %d: %w", have, want, err)
		}
	}
}
