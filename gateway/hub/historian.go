package hub

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/storage/history"
)

// The historian waits between two tries of a write at least and at most so long.
const (
	firstRetry   = 200 * time.Millisecond
	longestRetry = 30 * time.Second
)

// historian carries the journal's readings into the history. It moves its cursor
// only behind what is stored, so a server that is down costs delay alone.
type historian struct {
	journal *journal.Journal
	store   history.Store
	points  map[facility.PointID]facility.Device
	log     *slog.Logger
}

func (h *historian) run(ctx context.Context) {
	batches := make(chan facts)
	go pump(ctx, h.journal, h.journal.Cursor(cursorHistory), batches, h.log)
	for f := range batches {
		if !h.write(ctx, h.rows(f)) {
			continue // ctx ended: pump closes the channel
		}
		if err := h.journal.Commit(cursorHistory, f.upTo); err != nil {
			h.log.Error("cannot move the history's cursor", "error", err)
		}
	}
}

func (h *historian) rows(f facts) []history.Row {
	var rows []history.Row
	for _, item := range f.items {
		for _, r := range item.readings {
			d, known := h.points[r.Point]
			if !known {
				d.Kind = "unknown"
			}
			rows = append(rows, history.Row{Reading: r, Kind: d.Kind, Place: d.Place})
		}
	}
	return rows
}

// write stores the rows and reports whether it could before ctx ended.
func (h *historian) write(ctx context.Context, rows []history.Row) bool {
	if len(rows) == 0 {
		return ctx.Err() == nil
	}
	wait, said := firstRetry, ""
	for {
		err := h.store.Write(ctx, rows)
		var rejected *history.RejectedError
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case errors.As(err, &rejected):
			for _, r := range rejected.Rows {
				h.log.Warn("the history refuses a reading", "point", r.Row.Point, "time", r.Row.Time, "why", r.Why)
			}
			return true
		}
		if err.Error() != said {
			said = err.Error()
			h.log.Error("cannot write to the history; the journal holds the readings", "error", err)
		}
		if !pause(ctx, wait/2+rand.N(wait)) {
			return false
		}
		wait = min(2*wait, longestRetry)
	}
}
