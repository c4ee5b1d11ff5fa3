package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/goburrow/modbus"

	"gengfu/devices/bus"
	"gengfu/devices/line"
)

// Options of a master.
type Options struct {
	Framing Framing
	Timeout time.Duration      // until a reply has begun, when the request says no other
	Bus     *bus.Bus           // of an RTU or ASCII line, which masters of other protocols may share
	Gap     time.Duration      // over TCP: silence before each request
	Trace   func(bus.Exchange) // over TCP: sees every frame, may be nil

	// Wait returns at a time or with the context's error; nil is that of a line.Timer.
	Wait func(ctx context.Context, until time.Time) error
}

// Timing is what a model of slave wants otherwise than its line.
type Timing struct {
	Timeout time.Duration // beyond the wire time; 0 is the line's
	Pause   time.Duration // silence before the request; 0 is the line's
	Pace    *bus.Pace     // learns how soon it answers, and how late; nil learns nothing

	// Allow reports whether the model stands a request. It is asked about requests
	// that read more than was wanted, after a lost reply; nil allows all.
	Allow func(Request) bool
}

func (t Timing) allows(r Request) bool { return t.Allow == nil || t.Allow(r) }

// Allows reports whether a request is within the terms of a device.
func (t Terms) Allows(r Request) bool {
	from, to := int(r.Address), int(r.Address)+int(r.Quantity)
	return int(r.Quantity) <= most(r.Table, t.Limits) && !t.forbids(r.Table, from, to) && !t.cuts(r.Table, from, to-1)
}

// Counters of what happened since the master was made.
type Counters struct {
	Requests   uint64 `json:"requests"`
	Timeouts   uint64 `json:"timeouts"`
	Garbled    uint64 `json:"crc_errors"` // wrong check, cut short or wrong length
	Exceptions uint64 `json:"exceptions"`
	Stale      uint64 `json:"stale"`       // late replies that were discarded
	Twice      uint64 `json:"twice"`       // replies that came a second time, and were discarded
	Resyncs    uint64 `json:"resyncs"`     // reads of another length, because a late reply could be taken for that to the same
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
	told     memory
	met      [256]uint64    // by slave, the line of the bus on which its replies are known to be its own
	strange  [256]uint64    // by slave, bytes of its replies that answered nothing and are not the last one again
	failures [256]time.Time // by slave, when a reply was last lost or spoilt
	troubled time.Time      // when something last came that answered nothing
	noise    uint64         // bytes that answered nothing and are no request or reply to read
	last     said           // the reply to the last request
	former   said           // and to the one before
	twice    map[byte]*twice
	spurious int       // bytes behind the last request that are no frame of anybody
	before   time.Time // when the request before had left
	counters Counters
	request  []byte // the frame that was sent last
	pdu      modbus.ProtocolDataUnit
	data     [4]byte // of the PDU of a read
	packs    [ASCII + 1]modbus.Packager
	rtu      *modbus.RTUClientHandler
	socket   *modbus.TCPClientHandler
	ascii    *modbus.ASCIIClientHandler
}

// NewMaster returns a master that has no line yet.
func NewMaster(opts Options) *Master {
	if opts.Wait == nil {
		opts.Wait = new(line.Timer).Wait
	}
	m := &Master{
		opts: opts, bus: opts.Bus, told: newMemory(), twice: map[byte]*twice{},
		rtu: modbus.NewRTUClientHandler(""), socket: modbus.NewTCPClientHandler(""), ascii: modbus.NewASCIIClientHandler(""),
	}
	m.packs = [...]modbus.Packager{RTU: m.rtu, TCP: m.socket, ASCII: m.ascii}
	if opts.Framing != TCP {
		m.bus.Overhear(m.overhear)
	}
	return m
}

// Attach gives the master a newly opened socket of Modbus TCP. On other lines it is
// the bus that is attached.
func (m *Master) Attach(conn bus.Conn) {
	m.tcp = tcpLine{conn: conn, lastByte: time.Now()}
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
	words := make([]uint16, r.Quantity)
	if err := m.ReadInto(ctx, r, t, words); err != nil {
		return nil, err
	}
	return words, nil
}

// ReadInto is Read into words, of which there must be as many as the request asks
// for. It makes no garbage to speak of.
func (m *Master) ReadInto(ctx context.Context, r Request, t Timing, words []uint16) error {
	if err := r.validate(); err != nil {
		return err
	}
	if len(words) != int(r.Quantity) {
		return fmt.Errorf("%s: there is room for %d words", r, len(words))
	}
	if m.opts.Framing != TCP && m.lost.ambiguous(r.expected(), time.Now()) {
		return m.readGuarded(ctx, r, t, words, nil)
	}
	data, err := m.read(ctx, r, t)
	if err == nil && m.doubts(r, data, t) {
		return m.readGuarded(ctx, r, t, words, data)
	}
	if data, err = m.meet(ctx, r, t, data, err); err != nil {
		return fmt.Errorf("%s: %w", r, err)
	}
	r.unpack(data, words)
	return nil
}

// read makes one request and returns the data of its reply, which are good until
// the next request.
func (m *Master) read(ctx context.Context, r Request, t Timing) ([]byte, error) {
	binary.BigEndian.PutUint16(m.data[:], r.Address)
	binary.BigEndian.PutUint16(m.data[2:], r.Quantity)
	m.pdu = modbus.ProtocolDataUnit{FunctionCode: r.Table.Function(), Data: m.data[:]}
	body, err := m.exchange(ctx, r.expected(), t)
	if err != nil {
		return nil, err
	}
	return body[bodyHead:], nil
}

// exchange sends the PDU, counts and remembers what came of it, and returns the
// body of the reply.
func (m *Master) exchange(ctx context.Context, e expected, t Timing) ([]byte, error) {
	m.counters.Requests++
	m.spurious = 0
	if m.bus != nil {
		m.before = m.bus.Sent()
		m.turn()
	}
	body, err := m.send(ctx, e, t)
	if err != nil {
		m.last.forget()
		return nil, m.failed(e, t, err)
	}
	if err := m.second(ctx, e); err != nil {
		return nil, err
	}
	if body[1]&0x80 == 0 {
		m.lost.answered(e.unit, time.Now())
		return body, nil
	}
	refused := Exception{Code: body[2]}
	if m.lost.explains(e, time.Now()) {
		m.counters.Garbled++
		m.lost.add(lost{shape: e, sent: m.bus.Sent(), passed: true}, time.Now(), m.hold(t))
		return nil, fmt.Errorf("%w, or to an earlier request: %w", refused, ErrGarbled)
	}
	m.counters.Exceptions++
	if !refused.Unreached() {
		m.lost.answered(e.unit, time.Now())
	}
	return nil, refused
}

// failed counts a request without a reply, and remembers it if that may still come.
func (m *Master) failed(e expected, t Timing, err error) error {
	switch {
	case errors.Is(err, ErrTimeout):
		m.counters.Timeouts++
	case errors.Is(err, ErrGarbled):
		m.counters.Garbled++
	}
	if m.opts.Framing != TCP && !errors.Is(err, bus.ErrUnsent) {
		m.failures[e.unit] = time.Now()
		m.lost.add(lost{shape: e, sent: m.bus.Sent(), pace: t.Pace}, time.Now(), m.holdAfter(err, t))
	}
	return err
}

// send packs the PDU, sends it and returns the body of what matches it.
func (m *Master) send(ctx context.Context, e expected, t Timing) (body []byte, err error) {
	m.rtu.SlaveId, m.socket.SlaveId, m.ascii.SlaveId = e.unit, e.unit, e.unit
	m.request, err = m.packs[m.opts.Framing].Encode(&m.pdu)
	if err != nil {
		return nil, fmt.Errorf("pack a request: %w", err)
	}
	ask := bus.Ask{
		Frame: m.request, Timeout: m.timeout(t), Pause: t.Pause, Pace: t.Pace,
		Mirror: e.write && e.function < writeCoils,
	}
	switch m.opts.Framing {
	case TCP:
		return m.sendTCP(ctx, e, t)
	case ASCII:
		ask.Expect, ask.Find = charactersASCII(e.length()), m.noting(e.findASCII)
		frame, err := m.bus.Exchange(ctx, ask)
		if err != nil {
			return nil, err
		}
		body, _, _ := cutASCII(frame)
		return body, nil
	default:
		ask.Expect, ask.Find = e.length()+checkLength, m.noting(e.findRTU)
		frame, err := m.bus.Exchange(ctx, ask)
		if err != nil {
			return nil, err
		}
		return frame[:len(frame)-checkLength], nil
	}
}

// noting remembers the reply that is found.
func (m *Master) noting(find func([]byte) bus.Found) func([]byte) bus.Found {
	return func(received []byte) bus.Found {
		f := find(received)
		if f.Frame != nil {
			m.last.hear(m.bodyOf(f.Frame), time.Now())
		}
		return f
	}
}

// bodyOf returns the body of a frame of a serial line.
func (m *Master) bodyOf(frame []byte) []byte {
	if m.opts.Framing == ASCII {
		body, _, _ := cutASCII(frame)
		return body
	}
	return frame[:len(frame)-checkLength]
}

func (m *Master) timeout(t Timing) time.Duration {
	if t.Timeout == 0 {
		return m.opts.Timeout
	}
	return t.Timeout
}

// holdAfter returns how long the slave is better left alone after the error. Of what was
// spoilt nothing is late: it has come, or comes as soon as replies do.
func (m *Master) holdAfter(err error, t Timing) time.Duration {
	if !errors.Is(err, ErrGarbled) {
		return m.hold(t)
	}
	settled := m.timeout(t)
	if t.Pace != nil {
		settled = t.Pace.Settled()
	}
	return min(m.hold(t), max(0, settled-time.Since(m.bus.Sent())))
}

// hold returns how long the slave is better left alone after a lost reply.
func (m *Master) hold(t Timing) time.Duration {
	if t.Pace != nil {
		return t.Pace.Window()
	}
	return Hold(m.timeout(t))
}
