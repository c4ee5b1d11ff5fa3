package hub

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"gengfu/facility"
	"gengfu/storage/history"
)

// What is read while a write is under way: so many stretches of the journal, and
// together no more rows than this are written at once.
const (
	stretchesAhead = 4
	rowsAtOnce     = 20_000
)

// historian carries the journal's readings into the history. It moves its cursor
// only behind what is stored or set aside, so a server that is down costs delay
// alone. What it reads ahead is bounded: what it cannot write stays in the journal.
type historian struct {
	*follower
	store    history.Store
	setAside func(context.Context, []history.Rejected) error // makes refused readings durable; nil lets them go
	devices  map[string]facility.Device

	tasks   tasks
	strays  atomic.Uint64   // readings of devices that the configuration does not have
	aside   atomic.Uint64   // readings that were set aside
	strange map[string]bool // those devices that were named in the log
	named   string          // the reason of refusals that was named last in the log
	rows    []history.Row   // memory for the next write
}

// stretch is a part of the journal as rows of the history.
type stretch struct {
	rows   []history.Row
	strays []history.Rejected
	taps   int   // which are not for the history
	lost   int64 // facts that cannot be read
	upTo   uint64
}

// tasks is what became of the facts that the historian has taken since the start.
type tasks struct{ stored, aside, taps, lost atomic.Int64 }

// Delivered is what became of the facts of the hub's journal that the history has been
// given since the start.
type Delivered struct {
	Stored, Aside int64
	Taps          int64 // which are for the ledger alone
	Unreadable    int64
}

// Facts are all of them.
func (d Delivered) Facts() int64 { return d.Stored + d.Aside + d.Taps + d.Unreadable }

// Delivered says what became of them.
func (h *Hub) Delivered() Delivered {
	t := &h.historian.tasks
	return Delivered{Stored: t.stored.Load(), Aside: t.aside.Load(), Taps: t.taps.Load(), Unreadable: t.lost.Load()}
}

func (h *historian) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	ahead := make(chan facts, stretchesAhead)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	reading.Go(func() {
		defer close(ahead)
		h.follow(ctx, h.journal.Cursor(cursorHistory), func(f facts) bool {
			select {
			case ahead <- f:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	for f := range ahead {
		s := h.gather(f, ahead)
		if !h.write(ctx, s) {
			return
		}
		if err := h.journal.Commit(cursorHistory, s.upTo); err != nil {
			h.log.Error("cannot move the history's cursor", "error", err)
		}
		if h.rows = s.rows[:0]; len(s.rows) < cap(s.rows)/8 { // much less than there was
			h.rows = nil
		}
	}
}

// gather makes rows of facts and of what was read meanwhile, so that many small
// stretches become one write.
func (h *historian) gather(f facts, ahead <-chan facts) stretch {
	s := stretch{rows: h.rows}
	h.add(&s, f)
	for len(s.rows) < rowsAtOnce {
		select {
		case next, ok := <-ahead:
			if !ok {
				return s
			}
			h.add(&s, next)
		default:
			return s
		}
	}
	return s
}

// add makes rows of facts.
func (h *historian) add(s *stretch, f facts) {
	s.upTo, s.lost = f.upTo, s.lost+f.lost
	n := 0
	for _, item := range f.items {
		n += len(item.readings)
		s.taps += len(item.taps)
	}
	s.rows = slices.Grow(s.rows, n)
	var of facility.Device // that of the reading before: they mostly come device by device
	for _, item := range f.items {
		for i := range item.readings {
			r := &item.readings[i]
			if r.Point.Device != of.ID || of.ID == "" {
				var known bool
				if of, known = h.devices[r.Point.Device]; !known {
					h.stray(r.Point)
					s.strays = append(s.strays, history.Rejected{Row: history.Row{Reading: *r}, Why: strayed})
					continue
				}
			}
			s.rows = append(s.rows, history.Row{Reading: *r, Kind: of.Kind, Place: of.Place})
		}
	}
}

// strayed is why a stray is set aside.
const strayed = "the configuration does not have the device"

// stray counts a reading of a device that the configuration does not have, and
// says so once for each device, for some of them.
func (h *historian) stray(p facility.PointID) {
	h.strays.Add(1)
	if len(h.strange) < 100 && !h.strange[p.Device] {
		h.strange[p.Device] = true
		h.log.Warn("readings of a device that the configuration does not have are set aside", "point", p)
	}
}

// write stores the rows, or sets aside those that are refused for good, and reports
// whether it could before ctx ended.
func (h *historian) write(ctx context.Context, s stretch) bool {
	before := h.aside.Load()
	d := history.Delivery{Store: h.store, SetAside: h.putAside, Failed: h.failed}
	if d.Write(ctx, s.rows) != nil || d.Aside(ctx, s.strays) != nil || ctx.Err() != nil {
		return false
	}
	aside := int64(h.aside.Load() - before)
	h.tasks.aside.Add(aside)
	h.tasks.stored.Add(int64(len(s.rows)+len(s.strays)) - aside)
	h.tasks.taps.Add(int64(s.taps))
	h.tasks.lost.Add(s.lost)
	return true
}

func (h *historian) failed(err error) {
	if err == nil {
		h.log.Info("the history takes readings again")
		return
	}
	h.log.Error("cannot write to the history; the journal holds the readings", "error", err)
}

// putAside makes refused readings durable where somebody holds them, and names a
// reason once.
func (h *historian) putAside(ctx context.Context, refused []history.Rejected) error {
	if h.setAside != nil {
		if err := h.setAside(ctx, refused); err != nil {
			return err
		}
		h.aside.Add(uint64(len(refused)))
	}
	if first := refused[0]; first.Why != h.named && first.Why != strayed {
		h.named = first.Why
		h.log.Warn("the history refuses readings for good", "kept aside", h.setAside != nil, "error", &history.RejectedError{Rows: refused})
	}
	return nil
}
