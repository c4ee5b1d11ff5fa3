package hub

import (
	"context"
	"sync"

	"gengfu/dashboard"
	"gengfu/facility"
)

// subscriberQueue is how many events a subscriber may be behind before it loses
// its channel. Readings come in batches, so this is many seconds of a busy
// estate.
const subscriberQueue = 256

// board is the estate now: the last reading of every point, and whoever wants to
// know of changes.
type board struct {
	turn        chan struct{} // held from a change of the ledger until it is told
	mu          sync.RWMutex
	points      map[facility.PointID]*shown
	subscribers map[chan dashboard.Event]struct{}
	stopped     bool
}

// shown is a point on the board.
type shown struct {
	last facility.Reading
	has  bool // there is a last one
}

// newBoard shows the points of the estate, and whatever else comes not at all:
// its memory is bounded by the configuration.
func newBoard(estate facility.Estate) *board {
	points := map[facility.PointID]*shown{}
	for _, d := range estate.Devices {
		for _, p := range d.Points {
			points[p.ID] = &shown{}
		}
	}
	return &board{
		points:      points,
		turn:        make(chan struct{}, 1),
		subscribers: map[chan dashboard.Event]struct{}{},
	}
}

// Latest returns the last reading of every point that has one.
func (b *board) Latest() map[facility.PointID]facility.Reading {
	b.mu.RLock()
	defer b.mu.RUnlock()
	latest := make(map[facility.PointID]facility.Reading, len(b.points))
	for id, p := range b.points {
		if p.has {
			latest[id] = p.last
		}
	}
	return latest
}

// Subscribe delivers events until cancel is called, the board stops, or the
// subscriber falls too far behind; then the channel is closed.
func (b *board) Subscribe() (<-chan dashboard.Event, func()) {
	ch := make(chan dashboard.Event, subscriberQueue)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		close(ch)
		return ch, func() {}
	}
	b.subscribers[ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.drop(ch)
	}
}

func (b *board) drop(ch chan dashboard.Event) {
	if _, ok := b.subscribers[ch]; ok {
		delete(b.subscribers, ch)
		close(ch)
	}
}

// publish hands the event to every subscriber and waits for none.
func (b *board) publish(e dashboard.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.subscribers {
		select {
		case ch <- e:
		default:
			b.drop(ch)
		}
	}
}

// change does what changes the ledger and then tells what it returns. One change
// is told before the next begins, so that nobody sees an order as it was before
// after it was seen as it is.
func (b *board) change(ctx context.Context, do func() ([]dashboard.Event, error)) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	news, err := do()
	if err != nil {
		return err
	}
	for _, e := range news {
		b.publish(e)
	}
	return nil
}

// show takes new readings, which nobody may change afterwards. One that is older
// than what stands is history, not the present.
func (b *board) show(readings []facility.Reading) {
	if news := b.take(readings); len(news) > 0 {
		b.publish(dashboard.Event{Readings: news})
	}
}

// take returns the readings that are news: mostly all of them, and then no copy.
func (b *board) take(readings []facility.Reading) []facility.Reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, news := true, readings[:0:0]
	for i := range readings {
		r := &readings[i]
		p, known := b.points[r.Point]
		if !known || p.has && r.Time.Before(p.last.Time) {
			if all {
				all, news = false, append(news, readings[:i]...)
			}
			continue
		}
		p.last, p.has = *r, true
		if !all {
			news = append(news, *r)
		}
	}
	if all {
		return readings
	}
	return news
}

// stop tells every subscriber that the server stops.
func (b *board) stop() {
	b.publish(dashboard.Event{Stopping: true})
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	for ch := range b.subscribers {
		b.drop(ch)
	}
}
