package uplink

import (
	"context"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/clock"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// Clock knows by which time facts were taken, and how to put that right.
type Clock interface {
	// Stamp returns by what a time of the field is to be moved, and what to write beside
	// a batch that begins with it.
	Stamp(first time.Time) (time.Duration, payload.Stamp)
	// Correct says how a batch is to be put right whose first fact is of the time.
	Correct(s payload.Stamp, first time.Time) payload.Correction
	// Sent counts a batch that is sent with a correction.
	Sent(payload.Correction)
	// Up says which instant of which boot it is, and Hear takes the hub's time in answer
	// to what was sent then.
	Up() (boot string, up time.Duration)
	Hear(boot string, sent time.Duration, hub time.Time)
	State() clock.State
	Known() bool
	Changed() <-chan struct{}
}

var _ Clock = (*clock.Clock)(nil)

const (
	// How long facts wait whose time may be known soon: urgent ones until the hub has had
	// time to tell it, samples until a time service has.
	urgentWait  = 2 * time.Second
	samplesWait = 10 * time.Minute
	// askEvery is how often a gateway that does not know the time asks the hub.
	askEvery = 5 * time.Second
)

// stamped puts readings that go into one batch right and encodes them with the stamp.
func stamped(c Clock, readings []facility.Reading) ([]byte, error) {
	dst := make([]byte, 0, 80*len(readings))
	if c == nil {
		return payload.AppendReadings(dst, readings)
	}
	shift, s := c.Stamp(readings[0].Time)
	if shift != 0 {
		for i := range readings {
			readings[i].Time = readings[i].Time.Add(shift)
		}
	}
	batch, err := payload.AppendReadings(dst, readings)
	if err != nil {
		return nil, err
	}
	return s.On(batch), nil
}

// stampedTap is stamped for a tap.
func stampedTap(c Clock, t facility.Tap) []byte {
	if c == nil {
		return payload.AppendTap(nil, t)
	}
	shift, s := c.Stamp(t.TappedAt)
	t.TappedAt = t.TappedAt.Add(shift)
	if !t.SentAt.IsZero() {
		t.SentAt = t.SentAt.Add(shift)
	}
	return s.On(payload.AppendTap(nil, t))
}

// serveSpeaking serves a stream and speaks for the gateway meanwhile.
func (u *Uplink) serveSpeaking(ctx context.Context, c *broker.Connection, s *sender) error {
	if u.o.Clock == nil {
		return s.serve(ctx, c)
	}
	talking, stop := context.WithCancel(ctx)
	var speaking sync.WaitGroup
	speaking.Go(func() { u.speak(talking, c, s.greeted) })
	err := s.serve(ctx, c)
	stop()
	speaking.Wait()
	return err
}

// speak says the gateway's state whenever that of its clock is another one, and asks the
// hub for the time while the gateway does not know it.
func (u *Uplink) speak(ctx context.Context, c *broker.Connection, greeted <-chan struct{}) {
	for {
		changed := u.o.Clock.Changed()
		var ask <-chan time.Time
		if !u.o.Clock.Known() {
			ask = time.After(askEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-ask:
		case <-greeted:
		}
		if c.Publish(ctx, u.online()) != nil {
			return // the connection is lost, as whoever serves it will see
		}
	}
}

// greet notes that a hub may be there: urgent facts wait for its word once more, when
// nobody else knows the time.
func (s *sender) greet() {
	if s.stream != facility.Urgent || s.o.Clock == nil || s.o.Clock.Known() {
		return
	}
	s.waitsSince = time.Time{}
	select {
	case s.greeted <- struct{}{}:
	default:
	}
}

// dated returns how many of the records may be sent, as their times are known, or have
// been waited for long enough, and else until when to wait.
func (s *sender) dated(records []journal.Record, now time.Time) (n int, until time.Time) {
	if s.o.Clock == nil {
		return len(records), time.Time{}
	}
	wait := samplesWait
	if s.stream == facility.Urgent {
		wait = urgentWait
	}
	for n, r := range records {
		stamp, first, ok := payload.StampOf(r.Body)
		if !ok || stamp.Basis != payload.Unknown || !s.o.Clock.Correct(stamp, first).Pending {
			continue
		}
		if s.waitsSince.IsZero() {
			s.waitsSince = now
		}
		if until = s.waitsSince.Add(wait); now.Before(until) {
			return n, until
		}
	}
	return len(records), time.Time{}
}

// bodies returns what is sent of records, their times put right as far as that can be.
func (s *sender) bodies(records []journal.Record) [][]byte {
	out := make([][]byte, len(records))
	for i, r := range records {
		out[i] = r.Body
		if s.o.Clock != nil {
			out[i] = s.corrected(r)
		}
	}
	return out
}

func (s *sender) corrected(r journal.Record) []byte {
	stamp, first, ok := payload.StampOf(r.Body)
	if !ok || stamp.Basis.Sure() {
		return r.Body
	}
	to := s.o.Clock.Correct(stamp, first)
	body, err := payload.Restamp(r.Body, stamp, to)
	if err != nil {
		s.log.Error("a batch is sent with the times that it was taken with", "sequence", r.Seq, "error", err)
		return r.Body
	}
	s.o.Clock.Sent(to)
	return body
}

// headed adds to a header when it is sent.
func (s *sender) headed(h payload.Header) payload.Header {
	if s.o.Clock != nil {
		h.Boot, h.Up = s.o.Clock.Up()
	}
	return h
}
