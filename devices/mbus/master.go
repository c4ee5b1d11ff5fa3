package mbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gengfu/devices/bus"
)

// The timing of EN 13757-2, 5.4: a meter begins to answer within 330 bit times and
// 50 ms.
const (
	replyBits   = 330
	replyMargin = 50 * time.Millisecond
	bitsPerChar = 11

	// overNetwork is for a serial server of which the baud rate is not known, and
	// which may keep a telegram until it is whole: at 2400 baud the longest takes 1.2 s.
	overNetwork = 2 * time.Second
)

// ReplyTime returns how long a meter has to begin its answer.
func ReplyTime(w bus.Wire) time.Duration {
	if w.Character == 0 {
		return overNetwork
	}
	return w.Character*replyBits/bitsPerChar + replyMargin
}

// between is how long a telegram may pause between its bytes: a level converter or
// serial server cuts it into packets.
const between = 500 * time.Millisecond

// Options of a master.
type Options struct {
	Timeout time.Duration  // until a reply has begun; 0 is ReplyTime
	Zone    *time.Location // where the meters' clocks stand
}

// Master reads the meters of one line, one request at a time. It belongs to the
// goroutine of its bus, which masters of other protocols may share.
type Master struct {
	bus      *bus.Bus
	opts     Options
	counts   map[byte]bool // the next frame count bit, of the meters that are in step
	selected *Secondary    // the meter that was selected last, and heard since
}

// NewMaster returns a master on the bus.
func NewMaster(b *bus.Bus, opts Options) *Master {
	if opts.Timeout == 0 {
		opts.Timeout = ReplyTime(b.Wire())
	}
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	return &Master{bus: b, opts: opts, counts: map[byte]bool{}}
}

// Read reads all records of a meter by its primary address. The errors are
// bus.ErrTimeout, bus.ErrGarbled, Refusal, the context's, and line.ErrBroken when the
// line must be opened anew.
//
// A meter that was not in step, because it was never read or the last time failed,
// is initialised first, so that it does not give an old telegram again.
func (m *Master) Read(ctx context.Context, address byte, t bus.Timing) (Response, []Record, error) {
	count, inStep := m.counts[address]
	delete(m.counts, address)
	if !inStep {
		if err := m.acknowledged(ctx, Initialise(address), t); err != nil {
			return Response{}, nil, fmt.Errorf("initialise meter %d: %w", address, err)
		}
		count = true
	}
	o := NewReadout(address, count, m.opts.Zone)
	if err := m.readout(ctx, o, t); err != nil {
		return Response{}, nil, fmt.Errorf("read meter %d: %w", address, err)
	}
	if o.telegrams == 1 { // after several it is to begin with the first again
		m.counts[address] = o.Count()
	}
	return o.Response(), o.Records(), nil
}

// ReadSecondary reads all records of a meter by its secondary address: it is selected
// and then asked. The errors are those of Read.
func (m *Master) ReadSecondary(ctx context.Context, s Secondary, t bus.Timing) (Response, []Record, error) {
	if m.selected == nil {
		// Whoever was selected before this program ran, or did not hear that another
		// is. Nobody answers when there is none.
		err := m.acknowledged(ctx, Initialise(Selected), t)
		if err != nil && !errors.Is(err, bus.ErrTimeout) && !errors.Is(err, bus.ErrGarbled) {
			return Response{}, nil, fmt.Errorf("undo the selection: %w", err)
		}
	}
	m.selected = nil
	if err := m.acknowledged(ctx, Select(s), t); err != nil {
		return Response{}, nil, fmt.Errorf("select meter %s: %w", s, err)
	}
	o := NewSelectedReadout(s, m.opts.Zone)
	if err := m.readout(ctx, o, t); err != nil {
		return Response{}, nil, fmt.Errorf("read meter %s: %w", s, err)
	}
	m.selected = &s
	return o.Response(), o.Records(), nil
}

// readout asks for telegrams until there are no more.
func (m *Master) readout(ctx context.Context, o *Readout, t bus.Timing) error {
	for {
		f, err := m.ask(ctx, o.Request(), t)
		if err != nil {
			return err
		}
		done, err := o.Take(f)
		switch {
		case errors.Is(err, ErrMalformed):
			m.bus.Disturbed()
			return fmt.Errorf("%w: %w", bus.ErrGarbled, err)
		case err != nil || done:
			return err
		}
	}
}

// acknowledged sends a request that is answered by an acknowledgement.
func (m *Master) acknowledged(ctx context.Context, r Request, t bus.Timing) error {
	_, err := m.ask(ctx, r, t)
	return err
}

// ask sends one request and returns the frame that answers it, good or not.
func (m *Master) ask(ctx context.Context, r Request, t bus.Timing) (answer Frame, err error) {
	if t.Timeout == 0 {
		t.Timeout = m.opts.Timeout
	}
	_, err = m.bus.Exchange(ctx, bus.Ask{
		Frame: r.Bytes(), Expect: 1, Timeout: t.Timeout, Pause: t.Pause, Pace: t.Pace, Between: between,
		Find: bus.Finder(probe, func(f Frame) bool {
			_, err := r.Match(f)
			answer = f
			return !errors.Is(err, ErrForeign)
		}),
	})
	return answer, err
}

// The bytes that a readout takes on the wire: the request, and a telegram of a
// usual length.
const (
	RequestLength = shortLength
	ReplyLength   = 100
)
