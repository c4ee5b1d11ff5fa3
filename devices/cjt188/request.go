package cjt188

import (
	"errors"
	"fmt"
	"strconv"
)

// Order is the order in which a meter wants the two bytes of an identifier. What
// the editions print and what meters do are not the same: it is a matter of trial.
type Order int

// The orders.
const (
	HighFirst Order = iota // 90 1F, as printed in 2004
	LowFirst               // 1F 90, as printed in 2018
)

// DI is a data identifier: what is asked for.
type DI uint16

// The identifiers that are asked for here. The readings of the last settlement days
// follow each other, LastSettled for the last one and so on, twelve of them.
const (
	Current     DI = 0x901F
	LastSettled DI = 0xD120
	MeterNumber DI = 0x810A
)

// mostSettled is how many settlement days a meter keeps.
const mostSettled = 12

// ParseDI reads four hex digits, the high byte first: 901F.
func ParseDI(s string) (DI, error) {
	v, err := strconv.ParseUint(s, 16, 16)
	if err != nil || len(s) != 4 {
		return 0, fmt.Errorf("data identifier %q: want 4 hex digits", s)
	}
	return DI(v), nil
}

func (d DI) String() string { return fmt.Sprintf("%04X", uint16(d)) }

// UnmarshalText reads an identifier as ParseDI does.
func (d *DI) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDI(string(b))
	return err
}

// MarshalText writes the four hex digits.
func (d DI) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d DI) bytes(o Order) [2]byte {
	if o == LowFirst {
		return [2]byte{byte(d), byte(d >> 8)}
	}
	return [2]byte{byte(d >> 8), byte(d)}
}

// Meter is whom a request is for, and how it wants to be asked.
type Meter struct {
	Type    MeterType
	Address Address
	Order   Order

	// AnySerial is for the meters that answer with a serial number of their own
	// instead of the request's. A late reply then cannot be told from the next one
	// by it.
	AnySerial bool
}

// Request asks one meter for one item.
type Request struct {
	Meter
	Control Control
	DI      DI
	Serial  byte // of the request; it should differ from that of the request before
}

// Read returns the request for an item.
func Read(m Meter, di DI, serial byte) Request {
	return Request{Meter: m, Control: ReadData, DI: di, Serial: serial}
}

// AskAddress returns the request that the only meter of a line answers with its
// address, which is that of the reply.
func AskAddress(o Order, serial byte) Request {
	return Request{Meter: Meter{Type: AnyType, Address: Any(), Order: o}, Control: ReadAddress, DI: MeterNumber, Serial: serial}
}

// preamble wakes a meter; those with a battery need two to four bytes.
const preamble = 4

// Frame returns the request as a frame.
func (r Request) Frame() Frame {
	di := r.DI.bytes(r.Order)
	return Frame{Type: r.Type, Address: r.Address, Control: r.Control, Data: []byte{di[0], di[1], r.Serial}}
}

// Bytes returns what is to be sent: four bytes FE and the frame.
func (r Request) Bytes() []byte {
	b := make([]byte, 0, preamble+overhead+3)
	for range preamble {
		b = append(b, wakeByte)
	}
	return r.Frame().put(b)
}

func (r Request) String() string {
	return fmt.Sprintf("meter %s type %02X item %s serial %02X", r.Address, byte(r.Type), r.DI, r.Serial)
}

// What a frame may be besides the reply.
var (
	// ErrForeign: the frame is no reply to this request; the reply may still come.
	ErrForeign = errors.New("not the reply to this request")
	// ErrSerial: the frame is ErrForeign only because of its serial number. When it
	// is so each time, the meter has one of its own.
	ErrSerial = errors.New("another serial number")
	// ErrMalformed: the frame answers this request and cannot be used.
	ErrMalformed = errors.New("malformed reply")
)

// Refusal is the reply of a meter that does not give what was asked for. Its body
// is the serial number and the status, as far as is known.
type Refusal struct {
	Function Control
	Body     []byte
}

func (e Refusal) Error() string {
	return fmt.Sprintf("the meter refuses function %02X with % X", byte(e.Function), e.Body)
}

// Reply is what a meter answered to one request.
type Reply struct {
	Type    MeterType
	Address Address // the true one of the meter
	Order   Order   // in which the meter wrote the identifier
	Serial  byte
	Data    []byte // without identifier and serial number
	More    bool   // there is more than the frame holds; the standard does not say how to ask for it
}

// header is the length of identifier and serial number.
const header = 3

// Match returns what the frame says if it is the reply to the request. The error is
// a Refusal, or is ErrForeign or ErrMalformed.
func (r Request) Match(f Frame) (Reply, error) {
	if !f.Control.Reply() || f.Control.Function() != r.Control || !r.Address.Covers(f.Address) ||
		r.Type != AnyType && r.Type != f.Type {
		return Reply{}, fmt.Errorf("%s to %s: %w", f, r, ErrForeign)
	}
	if f.Control.Refused() {
		return Reply{}, Refusal{Function: r.Control, Body: f.Data}
	}
	if len(f.Data) < header {
		return Reply{}, fmt.Errorf("%s to %s is too short: %w", f, r, ErrMalformed)
	}
	reply := Reply{
		Type: f.Type, Address: f.Address, Serial: f.Data[header-1], Data: f.Data[header:], More: f.Control.More(),
	}
	switch [2]byte(f.Data) {
	case r.DI.bytes(HighFirst):
	case r.DI.bytes(LowFirst):
		reply.Order = LowFirst
	default:
		return Reply{}, fmt.Errorf("%s to %s has another item: %w", f, r, ErrForeign)
	}
	if reply.Serial != r.Serial && !r.AnySerial {
		return Reply{}, fmt.Errorf("%s to %s: %w: %w", f, r, ErrSerial, ErrForeign)
	}
	return reply, nil
}
