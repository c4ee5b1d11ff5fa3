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
	// Asks reports whether the hub could say more.
	Asks() bool
	Changed() <-chan struct{}
}

var _ Clock = (*clock.Clock)(nil)

const (
	// hubWait is how long facts wait for the hub's word when nobody has confirmed the time,
	// and unknownWait how long samples wait for anybody's when it is not known at all.
	hubWait     = 2 * time.Second
	unknownWait = 10 * time.Minute
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
// hub for the time while nobody else confirms it.
func (u *Uplink) speak(ctx context.Context, c *broker.Connection, greeted <-chan struct{}) {
	for {
		changed := u.o.Clock.Changed()
		var ask <-chan time.Time
		if u.o.Clock.Asks() {
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

// greet notes that a hub may be there: where it could say more than is known, facts wait
// for its word once more.
func (s *sender) greet() {
	if s.o.Clock == nil || !s.o.Clock.Asks() {
		return
	}
	s.asksSince = time.Time{}
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
	asks := s.o.Clock.Asks()
	for n, r := range records {
		stamp, first, ok := payload.StampOf(r.Body)
		if !ok || stamp.Basis.Sure() {
			continue
		}
		if asks {
			until = later(&s.asksSince, now, hubWait)
		}
		if s.stream == facility.Telemetry && stamp.Basis == payload.Unknown && s.o.Clock.Correct(stamp, first).Pending {
			until = later(&s.waitsSince, now, unknownWait)
		}
		if now.Before(until) {
			return n, until
		}
	}
	return len(records), time.Time{}
}

// later is so long after since, which begins now unless it has.
func later(since *time.Time, now time.Time, wait time.Duration) time.Time {
	if since.IsZero() {
		*since = now
	}
	return since.Add(wait)
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
