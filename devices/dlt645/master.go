package dlt645

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gengfu/devices/bus"
)

// The timing of DL/T 645-2007, 5.3.3: a meter begins to answer within 500 ms and
// pauses no longer than that between two bytes.
const (
	ReplyTime = 500 * time.Millisecond
	ByteTime  = 500 * time.Millisecond
)

// Options of a master.
type Options struct {
	Timeout time.Duration // until a reply has begun; 0 is ReplyTime
}

// Master reads the meters of one line, one request at a time. It belongs to the
// goroutine of its bus, which masters of other protocols may share.
type Master struct {
	bus  *bus.Bus
	opts Options
	lost bus.Lost[Address]
}

// NewMaster returns a master on the bus.
func NewMaster(b *bus.Bus, opts Options) *Master {
	if opts.Timeout == 0 {
		opts.Timeout = ReplyTime
	}
	return &Master{bus: b, opts: opts}
}

// Read asks a meter for an item and for all that follows, and returns the data
// without their identifier. The errors are bus.ErrTimeout, bus.ErrGarbled, Refusal,
// the context's, and line.ErrBroken when the line must be opened anew.
//
// A frame counts only with the meter's address and the item that was asked for, so
// that a late reply is at worst of the same item, and never one that came in before
// this request had left. A refusal names no item: after a request was lost, one of
// that meter is ErrGarbled, because it may be the late answer to the other.
func (m *Master) Read(ctx context.Context, a Address, di DI, t bus.Timing) ([]byte, error) {
	transfer := NewTransfer(a, di)
	for {
		r := transfer.Request()
		f, err := m.ask(ctx, r, di, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r, err)
		}
		done, err := transfer.Take(f)
		switch {
		case errors.Is(err, ErrMalformed):
			m.bus.Disturbed()
			return nil, fmt.Errorf("%w: %w", bus.ErrGarbled, err)
		case err != nil:
			return nil, m.refused(a, r, err)
		}
		m.lost.Answered(a)
		if done {
			return transfer.Data(), nil
		}
	}
}

// ReadAddress asks the only meter of the line for its address. With more than one
// their answers collide, which is ErrGarbled.
func (m *Master) ReadAddress(ctx context.Context, t bus.Timing) (Address, error) {
	r := AskAddress()
	f, err := m.ask(ctx, r, DI{}, t)
	if err != nil {
		return Address{}, fmt.Errorf("%s: %w", r, err)
	}
	reply, err := r.Match(f)
	if err == nil {
		var a Address
		if a, err = reply.AddressOf(); err == nil {
			return a, nil
		}
	}
	if errors.Is(err, ErrMalformed) {
		return Address{}, fmt.Errorf("%w: %w", bus.ErrGarbled, err)
	}
	return Address{}, m.refused(r.Address, r, err)
}

func (m *Master) refused(a Address, r Request, err error) error {
	if m.lost.Explains(a, time.Now()) {
		m.bus.Disturbed()
		return fmt.Errorf("%s: %s, which may be the late answer to an earlier request: %w", r, err.Error(), bus.ErrGarbled)
	}
	return fmt.Errorf("%s: %w", r, err)
}

// ask sends one request and returns the frame that answers it, good or not.
func (m *Master) ask(ctx context.Context, r Request, di DI, t bus.Timing) (answer Frame, err error) {
	if t.Timeout == 0 {
		t.Timeout = m.opts.Timeout
	}
	mine := func(f Frame) bool {
		_, err := r.Match(f)
		answer = f
		return !errors.Is(err, ErrForeign)
	}
	_, err = m.bus.Exchange(ctx, bus.Ask{
		Frame: r.Bytes(), Expect: expected(di), Timeout: t.Timeout, Pause: t.Pause, Pace: t.Pace, Between: ByteTime,
		Find: bus.Finder(probe, mine),
	})
	if errors.Is(err, bus.ErrTimeout) || errors.Is(err, bus.ErrGarbled) {
		m.lost.Add(r.Address, time.Now())
	}
	return answer, err
}

// RequestLength and ReplyLength return the bytes that reading an item takes on the
// wire, preambles included.
func RequestLength(di DI) int { return preamble + overhead + len(di.wire()) }

// ReplyLength is for the data of one element when the standard has the item, and
// for four bytes otherwise.
func ReplyLength(di DI) int { return expected(di) }

func expected(di DI) int {
	const unknown = 4
	data := 0
	if it, ok := Lookup(di); ok {
		for _, f := range it.Formats {
			data += f.Bytes
		}
		data *= max(1, len(it.Block))
	}
	if data == 0 || data > MaxData {
		data = unknown
	}
	return preamble + overhead + len(di.wire()) + data
}
