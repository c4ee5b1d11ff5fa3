package cjt188

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"gengfu/devices/bus"
)

// ReplyTime is within which a meter begins to answer, and how long it may pause
// between two bytes (CJ/T 188-2004, 5.4).
const ReplyTime = 500 * time.Millisecond

// Options of a master.
type Options struct {
	Timeout time.Duration // until a reply has begun; 0 is ReplyTime
}

// Master reads the meters of one line, one request at a time. It belongs to the
// goroutine of its bus, which masters of other protocols may share.
type Master struct {
	bus    *bus.Bus
	opts   Options
	meters map[Address]*known
	lost   bus.Lost[Address]
}

// known is what is known of a meter besides its address.
type known struct {
	serial  byte // of the last request
	order   Order
	learned bool // that it answers to the order
	failed  int  // reads in a row
}

// NewMaster returns a master on the bus.
func NewMaster(b *bus.Bus, opts Options) *Master {
	if opts.Timeout == 0 {
		opts.Timeout = ReplyTime
	}
	return &Master{bus: b, opts: opts, meters: map[Address]*known{}}
}

// Learned returns the order of an identifier's bytes that the meter has answered
// to.
func (m *Master) Learned(a Address) (Order, bool) {
	k, ok := m.meters[a]
	if !ok {
		return 0, false
	}
	return k.order, k.learned
}

// Learn says what the meter has answered to before this master was made.
func (m *Master) Learn(a Address, o Order) {
	k := m.known(a)
	k.order, k.learned = o, true
}

func (m *Master) known(a Address) *known {
	k, ok := m.meters[a]
	if !ok {
		k = &known{serial: byte(rand.Uint32())} // what a program before has asked may still be answered
		m.meters[a] = k
	}
	return k
}

// doubtful is after how many failed reads in a row the learned order is doubted: the
// meter may have been exchanged.
const doubtful = 3

// Read asks a meter for an item. When the order of the identifier's bytes is not
// known beforehand both are tried, and that which was answered is used from then on.
// A meter is asked a second time, because the first request may only have woken it.
// The errors are bus.ErrTimeout, bus.ErrGarbled, Refusal, the context's, and
// line.ErrBroken when the line must be opened anew.
//
// Each request has a serial number of its own, and the first of a master a random
// one, so that a late reply is never taken for another; a meter of AnySerial is asked once only, and is better left alone for
// a while after a timeout.
func (m *Master) Read(ctx context.Context, meter Meter, orderKnown bool, di DI, t bus.Timing) (Reply, error) {
	k := m.known(meter.Address)
	reply, err := m.tries(ctx, k, meter, orderKnown, di, t)
	if err != nil {
		if errors.Is(err, bus.ErrTimeout) || errors.Is(err, bus.ErrGarbled) {
			k.failed++
		}
		return Reply{}, err
	}
	k.failed = 0
	return reply, nil
}

func (m *Master) tries(ctx context.Context, k *known, meter Meter, orderKnown bool, di DI, t bus.Timing) (Reply, error) {
	orders := k.orders(meter, orderKnown)
	var last error
	for _, o := range orders {
		meter.Order = o
		reply, err := m.ask(ctx, k, meter, di, t)
		var refused Refusal
		switch {
		case err == nil:
			k.order, k.learned = o, true
			return reply, nil
		case errors.As(err, &refused) && !orderKnown && !k.learned:
			// perhaps only the order is not to its taste
		case !errors.Is(err, bus.ErrTimeout) && !errors.Is(err, bus.ErrGarbled):
			return Reply{}, err
		}
		if last == nil || errors.As(err, &refused) {
			last = err
		}
	}
	return Reply{}, last
}

// orders returns the orders to ask in.
func (k *known) orders(meter Meter, orderKnown bool) []Order {
	first := meter.Order
	switch {
	case orderKnown:
	case k.learned:
		first = k.order
	case k.failed%2 == 1: // of the two, the second finds a meter awake
		first = LowFirst - first
	}
	second := first
	if !orderKnown && (!k.learned || k.failed >= doubtful) {
		second = LowFirst - first
	}
	if meter.AnySerial && second == first {
		return []Order{first}
	}
	return []Order{first, second}
}

func (m *Master) ask(ctx context.Context, k *known, meter Meter, di DI, t bus.Timing) (Reply, error) {
	k.serial++
	r := Read(meter, di, k.serial)
	if t.Timeout == 0 {
		t.Timeout = m.opts.Timeout
	}
	var reply Reply
	var verdict, serial error
	_, err := m.bus.Exchange(ctx, bus.Ask{
		Frame: r.Bytes(), Expect: ReplyLength(meter.Type, di), Timeout: t.Timeout, Pause: t.Pause, Pace: t.Pace, Between: ReplyTime,
		Find: bus.Finder(probe, func(f Frame) bool {
			reply, verdict = r.Match(f)
			if errors.Is(verdict, ErrSerial) {
				serial = verdict
			}
			return !errors.Is(verdict, ErrForeign)
		}),
	})
	switch {
	case err != nil:
		return Reply{}, m.failed(r, err, serial)
	case errors.Is(verdict, ErrMalformed):
		m.bus.Disturbed()
		return Reply{}, fmt.Errorf("%s: %w: %w", r, bus.ErrGarbled, verdict)
	case verdict != nil:
		return Reply{}, m.refused(r, verdict)
	}
	m.lost.Answered(meter.Address)
	return reply, nil
}

func (m *Master) failed(r Request, err, serial error) error {
	if errors.Is(err, bus.ErrTimeout) || errors.Is(err, bus.ErrGarbled) {
		m.lost.Add(r.Address, time.Now())
	}
	if serial != nil {
		err = fmt.Errorf("%w; it answers with another serial number: if it always does, write any_serial: true in its profile (%w)", err, serial)
	}
	return fmt.Errorf("%s: %w", r, err)
}

// refused judges a refusal, which names no item, and its serial number only with
// some meters.
func (m *Master) refused(r Request, err error) error {
	var said Refusal
	named := errors.As(err, &said) && len(said.Body) > 0 && said.Body[0] == r.Serial
	if !named && m.lost.Explains(r.Address, time.Now()) {
		m.bus.Disturbed()
		return fmt.Errorf("%s: %s, which may be the late answer to an earlier request: %w", r, err.Error(), bus.ErrGarbled)
	}
	return fmt.Errorf("%s: %w", r, err)
}

// ReadAddress asks the only meter of the line for its type and address, in both
// orders. With more than one their answers collide.
func (m *Master) ReadAddress(ctx context.Context, t bus.Timing) (MeterType, Address, error) {
	var last error
	k := m.known(Any())
	for _, o := range []Order{HighFirst, LowFirst} {
		k.serial++
		r := AskAddress(o, k.serial)
		if t.Timeout == 0 {
			t.Timeout = m.opts.Timeout
		}
		var from Frame
		_, err := m.bus.Exchange(ctx, bus.Ask{
			Frame: r.Bytes(), Expect: preamble + overhead + header, Timeout: t.Timeout, Pause: t.Pause, Pace: t.Pace, Between: ReplyTime,
			Find: bus.Finder(probe, func(f Frame) bool {
				from = f
				_, err := r.Match(f)
				return err == nil || errors.Is(err, ErrSerial) // whose it is, is all that is asked
			}),
		})
		if err == nil {
			return from.Type, from.Address, nil
		}
		if last = err; !errors.Is(err, bus.ErrTimeout) && !errors.Is(err, bus.ErrGarbled) {
			break
		}
	}
	return 0, Address{}, fmt.Errorf("the address of the only meter: %w", last)
}

// RequestLength is the bytes of a request on the wire, with its preamble.
const RequestLength = preamble + overhead + header

// ReplyLength returns the bytes of a reply on the wire, with a preamble; that of a
// water meter when the standard does not have the item.
func ReplyLength(t MeterType, di DI) int {
	l, ok := Lookup(t, di)
	if !ok {
		l = Water()
	}
	return preamble + overhead + header + l.Length()
}
