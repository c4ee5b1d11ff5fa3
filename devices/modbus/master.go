package modbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goburrow/modbus"

	"gengfu/devices/line"
	"gengfu/devices/profile"
)

// Conn is the line that the master speaks on. Read waits until the deadline for
// at least one byte and then returns os.ErrDeadlineExceeded.
type Conn interface {
	Read(ctx context.Context, p []byte, deadline time.Time) (int, error)
	Write(ctx context.Context, p []byte) error
	Discard() error
}

var _ Conn = (*line.Conn)(nil)

// Options of a master.
type Options struct {
	Framing Framing
	Wire    Wire
	Timeout time.Duration  // until a reply has begun, when the request says no other
	Echo    Echo           // of an RTU line; "" is auto
	Trace   func(Exchange) // sees every frame, may be nil

	// Wait returns at a time or with the context's error; nil is line.Wait.
	Wait func(ctx context.Context, until time.Time) error
}

// Exchange is one request with what came back, for people to look at.
type Exchange struct {
	At      time.Time
	Request []byte
	Reply   []byte // everything that was received, nil for nothing
	Took    time.Duration
	Err     error
}

// Timing is what a model of slave wants otherwise than its line.
type Timing struct {
	Timeout time.Duration // beyond the wire time; 0 is the line's
	Pause   time.Duration // silence before the request; 0 is the line's
}

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
	conn     Conn
	rtu      *modbus.RTUClientHandler
	tcp      *modbus.TCPClientHandler
	buf      [1024]byte
	stream   []byte    // over TCP: received and not yet understood
	lastByte time.Time // when the line was last busy
	dirty    bool      // something may still be on its way
	lost     unanswered
	echo     Echo
	counters Counters
}

// NewMaster returns a master that has no line yet.
func NewMaster(opts Options) *Master {
	if opts.Echo == "" {
		opts.Echo = EchoAuto
	}
	if opts.Wait == nil {
		opts.Wait = line.Wait
	}
	return &Master{
		opts: opts, echo: opts.Echo,
		rtu: modbus.NewRTUClientHandler(""), tcp: modbus.NewTCPClientHandler(""),
	}
}

// Attach gives the master a newly opened line.
func (m *Master) Attach(conn Conn) {
	m.conn = conn
	m.stream = nil
	m.lastByte = time.Now()
	m.dirty = m.opts.Framing == RTU // a serial server first delivers what it had buffered
}

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
	m.dirty = true
	if m.opts.Framing == RTU {
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
		m.tcp.SlaveId = unit
		return m.tcp
	}
	m.rtu.SlaveId = unit
	return m.rtu
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
	if err := m.silence(ctx, t.Pause); err != nil {
		return nil, err
	}
	if err := m.conn.Discard(); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := m.conn.Write(ctx, adu); err != nil {
		return nil, err
	}
	sent := start.Add(m.opts.Wire.Of(len(adu)))
	m.lastByte = sent
	expect := r.expected()
	received, frame, err := m.receive(ctx, adu, expect, sent.Add(t.Timeout+m.opts.Wire.Of(expect.length())))
	m.trace(start, adu, received, err)
	return frame, err
}

// receive reads until the reply is complete. Its frame is a part of received,
// which is everything that came.
func (m *Master) receive(ctx context.Context, adu []byte, expect expected, deadline time.Time) (received, frame []byte, err error) {
	n := 0
	var f found
	until := deadline
	for n < len(m.buf) {
		k, err := m.conn.Read(ctx, m.buf[n:], until)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return m.buf[:n], nil, verdict(f, n)
		}
		if err != nil {
			return m.buf[:n], nil, err
		}
		n += k
		m.lastByte = time.Now()
		rest, echoed := m.withoutEcho(m.buf[:n], adu)
		if f = expect.find(rest); f.frame != nil {
			m.learnEcho(echoed)
			return m.buf[:n], bytes.Clone(f.frame), nil
		}
		if f.corrupt && f.missing == 0 {
			until = earlier(deadline, m.lastByte.Add(m.giveUp()))
		}
		if err := m.nap(ctx, f.missing, until); err != nil {
			return m.buf[:n], nil, err
		}
	}
	return m.buf[:n], nil, fmt.Errorf("%d bytes and no reply among them: %w", n, ErrGarbled)
}

func verdict(f found, received int) error {
	switch {
	case f.corrupt:
		return fmt.Errorf("wrong CRC: %w", ErrGarbled)
	case f.missing > 0:
		return fmt.Errorf("cut short by %d bytes: %w", f.missing, ErrGarbled)
	case received > 0:
		return fmt.Errorf("%d bytes that are not its reply: %w", received, ErrTimeout)
	}
	return ErrTimeout
}

// nap leaves the rest of a frame to arrive instead of waking for each byte.
func (m *Master) nap(ctx context.Context, missing int, until time.Time) error {
	left := m.opts.Wire.Of(missing - 1)
	if left < 4*time.Millisecond {
		return nil
	}
	return m.opts.Wait(ctx, earlier(until, time.Now().Add(left)))
}

// withoutEcho drops the master's own bytes where the adapter returns them.
func (m *Master) withoutEcho(received, adu []byte) (rest []byte, echoed bool) {
	if m.echo == EchoOff || !bytes.HasPrefix(received, adu) {
		return received, false
	}
	return received[len(adu):], true
}

// learnEcho settles what auto means: an adapter either always does it or never.
func (m *Master) learnEcho(echoed bool) {
	if m.echo != EchoAuto {
		return
	}
	m.echo = EchoOff
	if echoed {
		m.echo = EchoOn
	}
}

// giveUp is the silence after which nothing more of a spoilt frame comes. A serial
// server may cut a frame into packets.
func (m *Master) giveUp() time.Duration {
	if m.opts.Wire.Character == 0 {
		return 200 * time.Millisecond
	}
	return max(50*time.Millisecond, 18*m.opts.Wire.Character)
}

// longestNoise is how long a line may go on talking before a request fails.
const longestNoise = 2 * time.Second

// silence waits until the line has been quiet for long enough, and after a failure
// until what may still be on its way has passed.
func (m *Master) silence(ctx context.Context, pause time.Duration) error {
	if m.dirty {
		if err := m.drain(ctx); err != nil {
			return err
		}
	}
	return m.opts.Wait(ctx, m.lastByte.Add(max(m.opts.Wire.Silence(), pause)))
}

func (m *Master) drain(ctx context.Context) error {
	for end := time.Now().Add(longestNoise); time.Now().Before(end); {
		_, err := m.conn.Read(ctx, m.buf[:], m.lastByte.Add(m.giveUp()))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			m.dirty = false
			return nil
		}
		if err != nil {
			return err
		}
		m.lastByte = time.Now()
	}
	return fmt.Errorf("the line is never quiet: %w", ErrGarbled)
}

func (m *Master) trace(start time.Time, request, reply []byte, err error) {
	if m.opts.Trace == nil {
		return
	}
	m.opts.Trace(Exchange{
		At: start, Request: bytes.Clone(request), Reply: bytes.Clone(reply), Took: time.Since(start), Err: err,
	})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
