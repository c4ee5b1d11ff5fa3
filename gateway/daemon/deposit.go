package daemon

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/gateway/hub"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// depositAtOnce is how many taps go into one record of the journal.
const depositAtOnce = 200

// Deposit puts taps into the data folder of a gateway that does not run. They are
// judged when it starts. It fails where a gateway runs.
func Deposit(ctx context.Context, data, site string, taps []facility.Tap, log *slog.Logger) (err error) {
	release, err := claim(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	j, err := openHubLog(data, log, time.Now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	for part := range slices.Chunk(taps, depositAtOnce) {
		if err := intake.Keep(ctx, j, site, part, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

func openHubLog(data string, log *slog.Logger, now func() time.Time) (*journal.Journal, error) {
	return journal.Open(filepath.Join(data, hubFile), journal.Options{
		Cursors: hub.Cursors, MaxBytes: 4 << 30, Logger: log.With("journal", "hub"), Facts: payload.FactsWrapped, Now: now,
	})
}
