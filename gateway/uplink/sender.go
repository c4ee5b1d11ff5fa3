package uplink

import (
	"context"
	"fmt"
	"log/slog"
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
)

// sender moves one journal to the hub.
type sender struct {
	o       *Options
	stream  facility.Stream
	journal *journal.Journal
	log     *slog.Logger

	mu        sync.Mutex
	sent      uint64 // highest sequence ever sent
	resent    int64
	connected bool
}

// serve sends over one connection until it is lost.
func (s *sender) serve(ctx context.Context, c *broker.Connection) error {
	acks := make(chan payload.Ack, 2*maxFlight)
	topic := payload.Topic(s.o.Root, s.o.Site, s.o.Gateway, payload.TopicAck)
	err := c.Subscribe(ctx, topic, 1, func(m broker.Message) {
		a, err := payload.ParseAck(m.Payload)
		if err != nil {
			s.log.Warn("the hub's acknowledgement cannot be read", "error", err)
			return
		}
		if a.Stream == s.stream {
			select {
			case acks <- a:
			default: // they are cumulative: a later one says the same
			}
		}
	})
	if err != nil {
		return err
	}
	s.setConnected(true)
	defer s.setConnected(false)
	f := flow{sender: s, conn: c, epoch: s.journal.Epoch(), w: newWindow(s.journal.Cursor(Cursor), s.o.ResendAfter)}
	return f.run(ctx, acks)
}

// flow is one stream on one connection.
type flow struct {
	*sender
	conn   *broker.Connection
	w      *window
	epoch  string
	ahead  []journal.Record // read, not yet sent
	missed int              // acknowledgements in a row
}

func (f *flow) run(ctx context.Context, acks <-chan payload.Ack) error {
	for {
		grown := f.journal.Grown() // before reading: nothing is missed in between
		if err := f.fill(ctx); err != nil {
			return err
		}
		var timer <-chan time.Time
		if !f.w.deadline.IsZero() {
			timer = time.After(max(0, f.w.deadline.Sub(f.o.Now())))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-grown:
			if f.journal.Closed() {
				return journal.ErrClosed
			}
		case a := <-acks:
			if err := f.take(a); err != nil {
				return err
			}
		case <-timer:
			if err := f.expire(); err != nil {
				return err
			}
		}
	}
}

// fill sends while there is something to send and room for it.
func (f *flow) fill(ctx context.Context) error {
	for {
		if len(f.ahead) == 0 {
			var err error
			if f.ahead, err = f.journal.Read(f.w.after(), readAhead); err != nil || len(f.ahead) == 0 {
				return err
			}
			if e := f.journal.Epoch(); e != f.epoch { // the file was damaged meanwhile
				f.renewed(e)
				continue
			}
		}
		rec := f.ahead[0]
		if !f.w.room(len(rec.Body)) {
			return nil
		}
		if err := f.send(ctx, rec); err != nil {
			return err
		}
		f.ahead = f.ahead[1:]
	}
}

func (f *flow) send(ctx context.Context, rec journal.Record) error {
	h := payload.Header{
		Site: f.o.Site, Gateway: f.o.Gateway, Stream: f.stream,
		Epoch: f.epoch, Seq: rec.Seq, Prev: f.w.prev(),
	}
	err := f.conn.Publish(ctx, broker.Message{
		Topic:   payload.Topic(f.o.Root, f.o.Site, f.o.Gateway, string(f.stream)),
		Payload: payload.Wrap(h, rec.Body), QoS: 1,
	})
	if err != nil {
		return err
	}
	f.w.send(rec.Seq, len(rec.Body), f.o.Now())
	f.mu.Lock()
	defer f.mu.Unlock()
	if rec.Seq <= f.sent {
		f.resent++
	}
	f.sent = max(f.sent, rec.Seq)
	return nil
}

func (f *flow) take(a payload.Ack) error {
	switch {
	case a.Epoch == "" && a.Again: // a hub that has just come
		f.missed = 0
		f.w.ack(f.w.acked, true, f.o.Now())
	case a.Epoch != f.epoch:
		return nil // of another life of this journal
	case a.Seq > f.journal.Last():
		return f.outdated(a)
	default:
		if f.w.ack(a.Seq, a.Again, f.o.Now()) {
			f.missed = 0
			if err := f.journal.Commit(Cursor, a.Seq); err != nil {
				return err
			}
		}
		if f.w.hold(min(a.Held, f.w.after())) {
			f.missed = 0
		}
	}
	f.dropAhead()
	return nil
}

// dropAhead forgets what was read when the window no longer continues there.
func (f *flow) dropAhead() {
	if len(f.w.flight) == 0 {
		f.ahead = nil
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
	f.renewed(f.journal.Epoch())
	return nil
}

func (f *flow) renewed(epoch string) {
	f.epoch, f.ahead = epoch, nil
	f.w = newWindow(f.journal.Cursor(Cursor), f.o.ResendAfter)
}

func (f *flow) expire() error {
	if !f.w.expire(f.o.Now()) {
		return nil
	}
	f.ahead = nil
	if f.missed++; f.missed >= giveUp {
		return fmt.Errorf("the hub has not acknowledged %s for %d tries", f.stream, f.missed)
	}
	return nil
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
		Resent: s.resent, Dropped: j.Evicted + j.Damaged, Connected: s.connected,
	}
	if !j.Oldest.IsZero() {
		out.Oldest = &j.Oldest
	}
	return out
}
