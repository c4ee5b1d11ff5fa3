package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

const (
	readAhead = 256 << 10 // bytes read from the journal at a time
	// giveUp is how many times in a row an acknowledgement may be missing before
	// the connection itself is doubted.
	giveUp = 6
	// backlogRecords is how many batches of the journal wait before they are set
	// apart from what is live, splitEvery how often that may be, and mostRuns how
	// many such stretches a journal may hold.
	backlogRecords = 64
	splitEvery     = 15 * time.Second
	mostRuns       = 32
	// brisk is how soon a batch of a backlog is to be acknowledged while live facts
	// share the way: the line must not be full of it.
	brisk = 500 * time.Millisecond
)

// sender moves one journal to the hub.
type sender struct {
	o       *Options
	stream  facility.Stream
	journal *journal.Journal
	log     *slog.Logger
	acks    chan payload.Ack

	mu        sync.Mutex
	sent      uint64            // highest sequence ever sent, or tried to
	reached   map[string]uint64 // likewise, of each run
	resent    int64
	window    int // batches that may be unacknowledged
	flight    int // batches that are
	connected bool

	splitAt time.Time // when a backlog was last set apart

	asksSince  time.Time     // since when something waits for the hub's word; zero when nothing does
	waitsSince time.Time     // since when samples wait for the time to be known; zero when they never did
	greeted    chan struct{} // a hub may have come that could say the time
	told       bool          // that the journal is an old copy
}

// ackTopic is where the hub acknowledges.
func (s *sender) ackTopic() string {
	return payload.Topic(s.o.Root, s.o.Site, s.o.Gateway, payload.TopicAck)
}

// serve sends over one connection until it is lost.
func (s *sender) serve(ctx context.Context, c *broker.Connection) error {
	if err := c.Subscribe(ctx, s.ackTopic(), 1, s.hear); err != nil {
		return err
	}
	s.setConnected(true)
	defer s.setConnected(false)
	s.greet() // the answer to an earlier question was not heard
	f := flow{
		sender: s, conn: c, budget: bucket{rate: float64(s.o.RateLimits[s.stream])},
		listenAgain: func() error { return c.Resubscribe(ctx, s.ackTopic(), 1, s.hear) },
	}
	return f.run(ctx)
}

// hear takes what is said to the gateway.
func (s *sender) hear(m broker.Message) {
	a, err := payload.ParseAck(m.Payload)
	if err != nil {
		s.log.Warn("the hub's acknowledgement cannot be read", "error", err)
		return
	}
	if s.o.Clock != nil {
		s.o.Clock.Hear(a.Boot, a.Up, a.Time)
	}
	if a.Stream == s.stream {
		select {
		case s.acks <- a:
		default: // they are cumulative: a later one says the same
		}
	}
}

// flow is one stream on one connection.
type flow struct {
	*sender
	conn   *broker.Connection
	under  []*lane // the older first
	epoch  string  // of the journal when the lanes were laid
	budget bucket
	again  time.Time // when the budget allows more; zero when it does
	// asked is when something was published first to which the broker has said nothing.
	asked       time.Time
	listenAgain func() error // in case the broker knows another filter
}

func (f *flow) run(ctx context.Context) error {
	for {
		grown := f.journal.Grown() // before reading: nothing is missed in between
		var timed <-chan struct{}
		if f.o.Clock != nil {
			timed = f.o.Clock.Changed()
		}
		if err := f.fill(ctx); err != nil {
			return err
		}
		f.note()
		var timer <-chan time.Time
		if due := f.due(); !due.IsZero() {
			timer = time.After(max(0, due.Sub(f.o.Now())))
		}
		var silent <-chan time.Time
		if at := f.doubtAt(); !at.IsZero() {
			silent = time.After(max(0, time.Until(at)))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grown:
			if f.journal.Closed() {
				return journal.ErrClosed
			}
		case <-timed:
		case a := <-f.acks:
			if err := f.take(a); err != nil {
				return err
			}
		case <-timer:
			if err := f.expire(); err != nil {
				return err
			}
		case <-silent:
			if at := f.doubtAt(); !at.IsZero() && !time.Now().Before(at) {
				return fmt.Errorf("%w for %v", errHalfOpen, time.Since(f.asked).Round(time.Second))
			}
		}
	}
}

// errHalfOpen is why a connection is given up before its keep-alive has run out.
var errHalfOpen = errors.New("the broker owes a confirmation and has said nothing")

// thinLine is how much the thinnest line carries, in bytes per second: a broker is
// silent while a batch is on its way.
const thinLine = 4 << 10

// doubtAt is when a broker that has confirmed nothing is thought gone; zero while it
// owes nothing. That no hub acknowledges is no reason: the connection may be good.
func (f *flow) doubtAt() time.Time {
	bytes := 0
	for _, l := range f.under {
		bytes += l.w.bytes
	}
	if bytes == 0 || f.conn.Heard().After(f.asked) {
		return time.Time{}
	}
	return f.asked.Add(f.o.Patience + time.Duration(bytes)*time.Second/thinLine)
}

// fill sends while there is something to send and room for it, live facts first.
func (f *flow) fill(ctx context.Context) error {
	f.again = time.Time{}
	for {
		if f.journal.Returned(Cursor) {
			f.goBack()
		}
		if e := f.journal.Epoch(); e != f.epoch || len(f.under) == 0 {
			f.under, f.epoch = f.lanes(), e
		}
		sent := false
		for _, l := range slices.Backward(f.under) {
			more, err := l.read(f.journal)
			if err != nil {
				return err
			}
			if !more && len(l.w.flight) == 0 && l.w.held == 0 {
				if err := f.finish(l); err != nil {
					return err
				}
				sent = true // the lanes are others now
				break
			}
			if sent, err = f.sendOne(ctx, l); err != nil {
				return err
			}
			if sent {
				break
			}
		}
		if !sent {
			return nil
		}
	}
}

// finish ends a lane whose run was sent whole.
func (f *flow) finish(l *lane) error {
	if err := f.move(l.run.Last); err != nil || len(f.under) == 0 {
		return err
	}
	f.mu.Lock()
	delete(f.reached, l.run.Epoch)
	f.mu.Unlock()
	f.under = f.lanes()
	return f.commit()
}

// goBack begins anew at the journal's cursor, which was moved back.
func (f *flow) goBack() {
	f.log.Warn("the journal can be read again, and what was left in it is sent", "after", f.journal.Resume(Cursor))
	f.under = nil
}

// move moves the journal's cursor, or begins anew where that was moved back.
func (f *flow) move(to uint64) error {
	err := f.journal.Commit(Cursor, to)
	if errors.Is(err, journal.ErrReturned) {
		f.goBack()
		return nil
	}
	return err
}

// commit moves the journal's cursor to what the hub has without a gap.
func (f *flow) commit() error {
	oldest := f.under[0]
	if acked := min(oldest.w.acked, oldest.run.Last); acked > f.journal.Cursor(Cursor) {
		return f.move(acked)
	}
	return nil
}

// sendOne sends one batch of the lane if there is one and it may go.
func (f *flow) sendOne(ctx context.Context, l *lane) (bool, error) {
	n, size := l.join(f.stream == facility.Telemetry)
	if n == 0 || !l.w.room(size) {
		return false, nil
	}
	now := f.o.Now()
	if dated, until := f.dated(l.ahead[:n], now); dated < n {
		if n, size = dated, sizeOf(l.ahead[:dated]); n == 0 {
			f.wake(until)
			return false, nil
		}
	}
	if wait := max(f.budget.wait(now), l.budget.wait(now)); wait > 0 {
		f.wake(now.Add(wait))
		return false, nil
	}
	if err := f.send(ctx, l, l.ahead[:n], size); err != nil {
		return false, err
	}
	l.ahead = l.ahead[n:]
	return true, nil
}

// wake has more tried at the instant.
func (f *flow) wake(at time.Time) {
	if f.again.IsZero() || at.Before(f.again) {
		f.again = at
	}
}

func sizeOf(records []journal.Record) (size int) {
	for _, r := range records {
		size += len(r.Body)
	}
	return size
}

func (f *flow) send(ctx context.Context, l *lane, recs []journal.Record, size int) error {
	last := recs[len(recs)-1].Seq
	h := f.headed(payload.Header{
		Site: f.o.Site, Gateway: f.o.Gateway, Stream: f.stream,
		Epoch: l.run.Epoch, Seq: last, Prev: l.w.prev(),
	})
	if len(recs) > 1 {
		h.First = recs[0].Seq
	}
	bodies := f.bodies(recs)
	if f.conn.Heard().After(f.asked) {
		f.asked = time.Now()
	}
	f.noteSent(l.run.Epoch, recs[0].Seq, last) // it may arrive whatever becomes of the connection
	err := f.conn.Publish(ctx, broker.Message{
		Topic:   payload.Topic(f.o.Root, f.o.Site, f.o.Gateway, string(f.stream)),
		Payload: payload.Wrap(h, bodies...), QoS: 1,
	})
	if err != nil {
		return err
	}
	l.w.send(last, size, f.o.Now())
	f.budget.take(size)
	l.budget.take(size)
	return nil
}

// noteSent counts a batch that is about to be sent, which is sent again when any of it
// was sent before.
func (s *sender) noteSent(epoch string, first, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first <= s.reached[epoch] {
		s.resent++
	}
	s.reached[epoch] = max(s.reached[epoch], last)
	s.sent = max(s.sent, last)
}

func (f *flow) take(a payload.Ack) error {
	now := f.o.Now()
	if a.Again && a.Boot == "" { // of a hub that has just come
		f.greet()
	}
	for i, l := range f.under {
		switch {
		case a.Epoch == "" && a.Again: // a hub that has just come
			l.missed = 0
			l.w.hasten()
			l.w.ack(l.w.acked, true, now)
		case a.Epoch != l.run.Epoch:
			continue // of another lane, or of another life of this journal
		case l.run.Last == math.MaxUint64 && a.Seq > max(f.journal.Opened(), f.highest()):
			return f.outdated(a)
		default:
			f.tellCopy(l, a)
			if l.w.ack(min(a.Seq, l.run.Last, f.journal.Last()), a.Again, now) {
				l.missed = 0
				f.setApart(now)
			}
			if l.w.hold(min(a.Held, l.w.after()), now) {
				l.missed = 0
			}
			if i == 0 {
				if err := f.commit(); err != nil {
					return err
				}
			}
		}
		l.rewound()
	}
	return nil
}

// setApart makes what waits a backlog of its own, now that the way is open, when
// it is so much that what is live would be late behind it.
func (f *flow) setApart(now time.Time) {
	if len(f.under) == 0 {
		return
	}
	live := f.under[len(f.under)-1]
	last := f.journal.Last()
	if f.stream != facility.Telemetry || live.run.Last != math.MaxUint64 || f.o.BacklogShare >= 1 ||
		last < live.w.after()+backlogRecords || len(f.journal.Runs()) >= mostRuns ||
		now.Sub(f.splitAt) < splitEvery && !now.Before(f.splitAt) {
		return
	}
	f.splitAt = now
	first := f.journal.Split()
	f.log.Info("a backlog is sent beside what is live", "batches", first-1-live.w.acked, "live_from", first)
}

// highest is the greatest sequence that may have been sent since the start.
func (f *flow) highest() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

// tellCopy says once that the hub knows more of a run than this journal does: the file
// is an old copy. What is made since its opening is of a run of its own.
func (f *flow) tellCopy(l *lane, a payload.Ack) {
	if a.Seq > l.run.Last && !f.told {
		f.told = true
		f.log.Error("THE HUB KNOWS FACTS OF THIS JOURNAL THAT IT DOES NOT HOLD: it is an old copy",
			"epoch", a.Epoch, "hub", a.Seq, "journal", l.run.Last)
	}
}

// outdated handles a hub that knows more of this epoch than this journal: the
// file is an old copy, and its next sequences would be taken for duplicates.
func (f *flow) outdated(a payload.Ack) error {
	f.log.Error("THE HUB KNOWS FACTS OF THIS JOURNAL THAT IT DOES NOT HOLD: it is an old copy and begins a new epoch",
		"epoch", a.Epoch, "hub", a.Seq, "journal", f.journal.Last())
	if err := f.journal.Renew(); err != nil {
		return err
	}
	f.under = nil
	return nil
}

// due is when something happens by itself; zero for never.
func (f *flow) due() time.Time {
	due := f.again
	for _, l := range f.under {
		if d := l.w.deadline; !d.IsZero() && (due.IsZero() || d.Before(due)) {
			due = d
		}
	}
	return due
}

// expire sends again what was not acknowledged in time, and listens again: the hub may
// have acknowledged all of it.
func (f *flow) expire() error {
	listened := false
	for _, l := range f.under {
		if !l.w.expire(f.o.Now()) {
			continue
		}
		if !listened {
			if err := f.listenAgain(); err != nil {
				return err
			}
			listened = true
		}
		l.ahead = nil
		if l.missed++; l.missed >= giveUp {
			return fmt.Errorf("the hub has not acknowledged %s for %d tries", f.stream, l.missed)
		}
	}
	return nil
}

// note keeps the window for the health page.
func (f *flow) note() {
	window, flight := 0, 0
	for _, l := range f.under {
		window += l.w.limit
		flight += len(l.w.flight)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.window, f.flight = window, flight
}

func (s *sender) setConnected(c bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = c
}

func (s *sender) stats() StreamStats {
	j := s.journal.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := StreamStats{
		Gateway: s.o.Gateway, Stream: s.stream, Epoch: j.Epoch,
		Sent: max(s.sent, j.Cursors[Cursor]), Acknowledged: j.Cursors[Cursor],
		QueuedBytes: j.Bytes, Queued: j.Records,
		Resent: s.resent, Dropped: j.Evicted + j.Damaged + j.Forgotten, Connected: s.connected,
		DroppedBy: map[string]int64{"full": j.Evicted, "damaged": j.Damaged, "memory": j.Forgotten},
		Volatile:  j.Volatile, Vanished: j.Vanished, Trouble: j.Trouble, Window: s.window, InFlight: s.flight, Runs: len(s.journal.Runs()),
	}
	if !j.Oldest.IsZero() {
		out.Oldest = &j.Oldest
	}
	return out
}
