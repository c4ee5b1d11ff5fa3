package scan

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/dlt645"
	"gengfu/devices/framing"
	"gengfu/devices/mbus"
	"gengfu/devices/profile"
	"gengfu/devices/sniff"
)

// Conn is an open line.
type Conn interface {
	bus.Conn
	Close() error
}

// Talk asks on one open line, in any protocol, and keeps what came. It belongs to one
// goroutine.
type Talk struct {
	bus         *bus.Bus
	wire        bus.Wire
	last        bus.Exchange
	strays      []byte
	transaction uint16
}

// NewTalk returns a talk on a line that was opened just now.
func NewTalk(conn Conn, wire bus.Wire, echo bus.Echo) *Talk {
	t := &Talk{wire: wire}
	t.bus = bus.New(bus.Options{Wire: wire, Echo: echo, Trace: func(x bus.Exchange) { t.last = x }})
	t.bus.Overhear(func(stray []byte, _ time.Time) { t.strays = append(t.strays, stray...) })
	t.bus.Attach(conn)
	return t
}

// Strays returns what has come besides replies since it was last asked: late answers,
// noise.
func (t *Talk) Strays() []byte {
	out := t.strays
	t.strays = nil
	return out
}

// Heard is what came after a request.
type Heard struct {
	Request  []byte
	Received []byte // everything; nil for nothing
	sniff.Meaning
	Took  time.Duration
	First time.Duration // from the end of the request until something came; 0 for nothing
}

// Spoilt reports whether something came that is no answer.
func (h Heard) Spoilt() bool { return len(h.Received) > 0 && h.Reply == nil }

// Words returns the registers of a reply of Modbus.
func (h Heard) Words() []uint16 {
	if h.Problem != "" {
		return nil
	}
	out := make([]uint16, 0, len(h.Values))
	for _, v := range h.Values {
		if v.Number == nil {
			return nil
		}
		out = append(out, uint16(*v.Number))
	}
	return out
}

// Modbus reads a stretch of a table. The error is that of the line; that nobody
// answers is none.
func (t *Talk) Modbus(ctx context.Context, p sniff.Protocol, unit int, q Question, patience time.Duration) (Heard, error) {
	t.transaction++
	frame := request(p, t.transaction, byte(unit), q)
	expect := 5 + 2*q.Count
	if q.Table.Bits() {
		expect = 5 + (q.Count+7)/8
	}
	if p == sniff.ModbusASCII {
		expect = 2*expect + 3
	}
	return t.Ask(ctx, p, frame, expect, patience)
}

// request packs a read of Modbus.
func request(p sniff.Protocol, transaction uint16, unit byte, q Question) []byte {
	pdu := []byte{unit, q.Table.Function()}
	pdu = binary.BigEndian.AppendUint16(pdu, uint16(q.Address))
	pdu = binary.BigEndian.AppendUint16(pdu, uint16(q.Count))
	switch p {
	case sniff.ModbusTCP:
		head := binary.BigEndian.AppendUint16(nil, transaction)
		return append(append(head, 0, 0, 0, byte(len(pdu))), pdu...)
	case sniff.ModbusASCII:
		return []byte(":" + strings.ToUpper(hex.EncodeToString(append(pdu, -framing.Sum(pdu)))) + "\r\n")
	}
	return binary.LittleEndian.AppendUint16(pdu, profile.CRC16(pdu))
}

// Ask sends a frame and waits for the frame that answers it.
func (t *Talk) Ask(ctx context.Context, p sniff.Protocol, frame []byte, expect int, patience time.Duration) (Heard, error) {
	return t.exchange(ctx, p, frame, expect, patience, false)
}

// Listen sends a frame and hears everything until the patience is over, because more
// than one may answer.
func (t *Talk) Listen(ctx context.Context, p sniff.Protocol, frame []byte, expect int, patience time.Duration) (Heard, error) {
	return t.exchange(ctx, p, frame, expect, patience, true)
}

func (t *Talk) exchange(ctx context.Context, p sniff.Protocol, frame []byte, expect int, patience time.Duration, all bool) (Heard, error) {
	h := Heard{Request: frame}
	t.last = bus.Exchange{}
	var first time.Time
	find := func(received []byte) (f bus.Found) {
		if first.IsZero() {
			first = time.Now()
		}
		if all {
			return f
		}
		m := sniff.Interpret(p, frame, received, nil)
		f.Frame = m.Reply
		return f
	}
	_, err := t.bus.Exchange(ctx, bus.Ask{Frame: frame, Expect: expect, Timeout: patience, Find: find})
	if err != nil && !errors.Is(err, bus.ErrTimeout) && !errors.Is(err, bus.ErrGarbled) {
		return h, err
	}
	h.Received, h.Took = t.last.Reply, t.last.Took
	h.Meaning = sniff.Interpret(p, frame, h.Received, nil)
	if !first.IsZero() {
		h.First = max(time.Millisecond, first.Sub(t.last.At)-t.wire.Of(len(frame)))
	}
	return h, nil
}

// Frames returns the replies among what was received.
func (h Heard) Frames() (frames []sniff.Frame, noise int) {
	c := sniff.NewCutter(0)
	at := time.Unix(0, 0)
	events := append(c.Feed(at, h.Request), c.Feed(at, h.Received)...)
	for _, e := range append(events, c.Quiet(at)...) {
		switch {
		case e.Kind != sniff.Whole:
			noise += len(e.Bytes)
		case e.Frame.Side == sniff.Reply:
			frames = append(frames, *e.Frame)
		}
	}
	return frames, noise
}

// Questions of the protocols in which a request goes to all meters.
func anyone645() [][]byte {
	energy, err := dlt645.ParseDI("9010")
	if err != nil {
		panic(err) // constant
	}
	return [][]byte{dlt645.AskAddress().Bytes(), dlt645.Read(dlt645.Any(), energy).Bytes()}
}

// askMBus is the request for data of the meter with an address.
func askMBus(address byte) []byte { return mbus.Ask(address, true).Bytes() }

// errShut says that the line cannot be used with a setting.
func errShut(s Setting, err error) error { return fmt.Errorf("open the line with %s: %w", s, err) }
