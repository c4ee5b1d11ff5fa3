package dashboard

import (
	"context"
	"encoding/json"
	"time"

	"gengfu/facility"
)

// watchOverview computes the overview whenever something may have changed it, at
// most once a second, and hands it on.
func (h *hub) watchOverview(ctx context.Context, dirty <-chan struct{}, out chan<- overviewShape) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	var failed string
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		o, err := h.readOverview(ctx)
		switch {
		case err == nil:
			failed = ""
			select {
			case out <- o:
			case <-ctx.Done():
				return
			}
		case ctx.Err() == nil && err.Error() != failed:
			failed = err.Error()
			h.log.WarnContext(ctx, "the overview cannot be computed", "error", err)
		}
		if !h.rest(ctx, dirty) {
			return
		}
		pause.Reset(overviewEvery)
	}
}

// rest waits for something to happen, or so long that time alone has changed
// something. It reports false when ctx has ended.
func (h *hub) rest(ctx context.Context, dirty <-chan struct{}) bool {
	idle := time.NewTimer(overviewIdle)
	defer idle.Stop()
	select {
	case <-dirty:
		return true
	case <-idle.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// essence is an overview without its time.
func essence(o overviewShape) []byte {
	o.At = time.Time{}
	b, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	return b
}

func (h *hub) readOverview(ctx context.Context) (overviewShape, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	now := h.now()
	f := facts{estate: h.estate, tiles: h.options.Tiles, values: h.options.Live.Latest()}
	var err error
	if f.standing, err = h.options.Watch.Alarms(ctx, facility.AlarmFilter{Standing: true, Page: facility.Page{Limit: 1000}}); err != nil {
		return overviewShape{}, doing("list the standing alarms", err)
	}
	if h.options.Held != nil {
		if f.holds, err = h.options.Held.AlarmHolds(ctx); err != nil {
			return overviewShape{}, doing("read what keeps alarms quiet", err)
		}
	}
	if f.orders, err = h.options.Orders.OrderTotals(ctx, now); err != nil {
		return overviewShape{}, doing("count the orders", err)
	}
	from, to := h.estate.localDay(now)
	if f.rounds, err = h.options.Watch.Rounds(ctx, from.AddDate(0, 0, -1), to.AddDate(0, 0, 1)); err != nil {
		return overviewShape{}, doing("list the rounds", err)
	}
	if f.names, err = h.register.all(ctx); err != nil {
		return overviewShape{}, err
	}
	return overview(f, now), nil
}
