package modbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goburrow/modbus"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/profile"
)

// Options of a master.
type Options struct {
	Framing Framing
	Timeout time.Duration      // until a reply has begun, when the request says no other
	Bus     *bus.Bus           // of an RTU line, which masters of other protocols may share
	Gap     time.Duration      // over TCP: silence before each request
	Trace   func(bus.Exchange) // over TCP: sees every frame, may be nil

	// Wait returns at a time or with the context's error; nil is line.Wait.
	Wait func(ctx context.Context, until time.Time) error
}

// Timing is what a model of slave wants otherwise than its line.
type Timing = bus.Timing

// Counters of what happened since the master was made.
type Counters struct {
	Requests   uint64 `json:"requests"`
	Timeouts   uint64 `json:"timeouts"`
	Garbled    uint64 `json:"crc_errors"` // wrong CRC, cut short or wrong length
	Exceptions uint64 `json:"exceptions"`
	Stale      uint64 `json:"stale"`       // late replies that were discarded, over TCP
	Resyncs    uint64 `json:"resyncs"`     // extra reads after a timeout, to get into step again
	Units      uint64 `json:"wrong_units"` // replies over TCP with another unit than was asked
}

// Master asks the slaves of one line, one request at a time. It belongs to one
// goroutine and outlives the connections of its line, because a slave may answer
// on the next connection what it was asked on the last.
type Master struct {
	opts     Options
	bus      *bus.Bus
	tcp      tcpLine
	lost     unanswered
	counters Counters
	packRTU  *modbus.RTUClientHandler
	packTCP  *modbus.TCPClientHandler
}

// NewMaster returns a master that has no line yet.
func NewMaster(opts Options) *Master {
	if opts.Wait == nil {
		opts.Wait = line.Wait
	}
	return &Master{
		opts: opts, bus: opts.Bus,
		packRTU: modbus.NewRTUClientHandler(""), packTCP: modbus.NewTCPClientHandler(""),
	}
}

// Attach gives the master a newly opened socket of Modbus TCP. On an RTU line it is
// the bus that is attached.
func (m *Master) Attach(conn bus.Conn) {
	m.tcp = tcpLine{conn: conn, lastByte: time.Now()}
}

// Trace has see called with every frame over TCP from now on; nil ends it. On a bus
// it is the bus that is traced.
func (m *Master) Trace(see func(bus.Exchange)) { m.opts.Trace = see }

// Counters returns what happened so far.
func (m *Master) Counters() Counters { return m.counters }

// Read asks for a stretch of a table and returns one word per register or bit.
// The errors are ErrTimeout, ErrGarbled, Exception, the context's, and
// line.ErrBroken when the line must be opened anew.
func (m *Master) Read(ctx context.Context, r Request, t Timing) ([]uint16, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	if held, ambiguous := m.lost.ambiguous(r.expected(), time.Now()); ambiguous {
		if err := m.resync(ctx, r, t, held); err != nil {
			return nil, fmt.Errorf("%s: after a lost reply: %w", r, err)
		}
	}
	words, err := m.exchange(ctx, r, t)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r, err)
	}
	return words, nil
}

// resync lets a late reply pass, and then reads something whose reply cannot be
// mistaken for a later one still. When that answer is there, nothing that was asked
// before can come any more. A refusal is an answer too.
func (m *Master) resync(ctx context.Context, r Request, t Timing, held time.Time) error {
	if err := m.opts.Wait(ctx, held); err != nil {
		return err
	}
	s, ok := m.lost.sync(r, time.Now())
	if !ok {
		return fmt.Errorf("too many lost replies: %w", ErrTimeout)
	}
	m.counters.Resyncs++
	_, err := m.exchange(ctx, s, t)
	var refused Exception
	if errors.As(err, &refused) && refused.Code != TargetSilent && refused.Code != PathUnavailable {
		m.counters.Exceptions-- // nobody but the master wanted those registers
		m.lost.answered(r.Unit, time.Now())
		return nil
	}
	return err
}

func (m *Master) exchange(ctx context.Context, r Request, t Timing) ([]uint16, error) {
	m.counters.Requests++
	words, err := m.call(ctx, r, t)
	var refused Exception
	switch {
	case err == nil:
		m.lost.answered(r.Unit, time.Now())
		return words, nil
	case errors.As(err, &refused):
		m.counters.Exceptions++
		return nil, err
	case errors.Is(err, ErrTimeout):
		m.counters.Timeouts++
	case errors.Is(err, ErrGarbled):
		m.counters.Garbled++
	}
	if m.opts.Framing == RTU {
		m.bus.Disturbed()
		m.lost.add(r.expected(), time.Now(), Hold(m.timeout(t)))
	}
	return nil, err
}

// call packs the request, sends it and unpacks the reply.
func (m *Master) call(ctx context.Context, r Request, t Timing) ([]uint16, error) {
	t.Timeout = m.timeout(t)
	var failed error
	send := func(adu []byte) (frame []byte, err error) {
		if m.opts.Framing == TCP {
			frame, err = m.sendTCP(ctx, adu, t)
		} else {
			frame, err = m.sendRTU(ctx, adu, r, t)
		}
		failed = err
		return frame, err
	}
	data, err := read(modbus.NewClient2(m.packager(r.Unit), transport(send)), r)
	var refused *modbus.ModbusError
	switch {
	case failed != nil:
		return nil, failed
	case errors.As(err, &refused):
		return nil, Exception{Code: refused.ExceptionCode}
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrGarbled, err)
	}
	return r.words(data)
}

func (m *Master) timeout(t Timing) time.Duration {
	if t.Timeout == 0 {
		return m.opts.Timeout
	}
	return t.Timeout
}

func (m *Master) packager(unit byte) modbus.Packager {
	if m.opts.Framing == TCP {
		m.packTCP.SlaveId = unit
		return m.packTCP
	}
	m.packRTU.SlaveId = unit
	return m.packRTU
}

// transport is a function as the Transporter of goburrow/modbus.
type transport func(adu []byte) ([]byte, error)

func (t transport) Send(adu []byte) ([]byte, error) { return t(adu) }

func read(c modbus.Client, r Request) ([]byte, error) {
	switch r.Table {
	case profile.Coil:
		return c.ReadCoils(r.Address, r.Quantity)
	case profile.Discrete:
		return c.ReadDiscreteInputs(r.Address, r.Quantity)
	case profile.Holding:
		return c.ReadHoldingRegisters(r.Address, r.Quantity)
	default:
		return c.ReadInputRegisters(r.Address, r.Quantity)
	}
}

// sendRTU sends one frame and returns the frame that answers it.
func (m *Master) sendRTU(ctx context.Context, adu []byte, r Request, t Timing) ([]byte, error) {
	expect := r.expected()
	return m.bus.Exchange(ctx, bus.Ask{
		Frame: adu, Expect: expect.length(), Timeout: t.Timeout, Pause: t.Pause, Pace: t.Pace, Find: expect.find,
	})
}
