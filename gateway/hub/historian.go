package hub

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/storage/history"
)

// The historian waits between two tries of a write at least and at most so long;
// when the server asks for a longer pause, that long, within reason.
const (
	firstRetry   = 200 * time.Millisecond
	longestRetry = 30 * time.Second
	longestAsked = 10 * time.Minute
)

// historian carries the journal's readings into the history. It moves its cursor
// only behind what is stored, so a server that is down costs delay alone.
type historian struct {
	journal *journal.Journal
	store   history.Store
	devices map[string]facility.Device
	log     *slog.Logger

	strays  atomic.Uint64   // readings of devices that the configuration does not have
	strange map[string]bool // those devices that were named in the log
}

func (h *historian) run(ctx context.Context) {
	follow(ctx, h.journal, h.journal.Cursor(cursorHistory), h.log, func(f facts) bool {
		if !h.write(ctx, h.rows(f)) {
			return false
		}
		if err := h.journal.Commit(cursorHistory, f.upTo); err != nil {
			h.log.Error("cannot move the history's cursor", "error", err)
		}
		return true
	})
}

// stray counts a reading of a device that the configuration does not have, and
// says so once for each device, for some of them.
func (h *historian) stray(p facility.PointID) {
	h.strays.Add(1)
	if len(h.strange) < 100 && !h.strange[p.Device] {
		h.strange[p.Device] = true
		h.log.Warn("readings of a device that the configuration does not have are not kept", "point", p)
	}
}

func (h *historian) rows(f facts) []history.Row {
	var rows []history.Row
	for _, item := range f.items {
		for _, r := range item.readings {
			d, known := h.devices[r.Point.Device]
			if !known {
				h.stray(r.Point)
				continue
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
		case errors.As(err, &rejected):
			h.log.Warn("the history refuses readings for good", "error", err)
			return true
		case err == nil:
			if said != "" {
				h.log.Info("the history takes readings again")
			}
			return true
		case ctx.Err() != nil:
			return false
		}
		if err.Error() != said {
			said = err.Error()
			h.log.Error("cannot write to the history; the journal holds the readings", "error", err)
		}
		if !pause(ctx, max(wait/2+rand.N(wait), asked(err))) {
			return false
		}
		wait = min(2*wait, longestRetry)
	}
}

// asked is the pause that the server wants.
func asked(err error) time.Duration {
	var temporary *history.TemporaryError
	if !errors.As(err, &temporary) {
		return 0
	}
	return min(temporary.RetryAfter, longestAsked)
}
