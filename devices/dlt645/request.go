package dlt645

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Edition is one of the two editions of the standard that meters speak.
type Edition int

// The editions. They differ in the control codes and the data identifiers.
const (
	Edition2007 Edition = iota
	Edition1997
)

// DI is a data identifier: what is asked for.
type DI struct {
	Edition Edition
	Code    uint32 // four bytes in the edition of 2007, two in that of 1997
}

// ParseDI reads eight hex digits for an identifier of 2007, and four for one of
// 1997.
func ParseDI(s string) (DI, error) {
	b, err := hex.DecodeString(s)
	switch {
	case err == nil && len(b) == 4:
		return DI{Code: binary.BigEndian.Uint32(b)}, nil
	case err == nil && len(b) == 2:
		return DI{Edition: Edition1997, Code: uint32(binary.BigEndian.Uint16(b))}, nil
	}
	return DI{}, fmt.Errorf("data identifier %q: want 8 hex digits, or 4 for a meter of 1997", s)
}

func (d DI) String() string {
	if d.Edition == Edition1997 {
		return fmt.Sprintf("%04X", d.Code)
	}
	return fmt.Sprintf("%08X", d.Code)
}

// UnmarshalText reads an identifier as ParseDI does.
func (d *DI) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDI(string(b))
	return err
}

// MarshalText writes the hex digits.
func (d DI) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// wire is the identifier as it is sent: the low byte first.
func (d DI) wire() []byte {
	b := binary.LittleEndian.AppendUint32(nil, d.Code)
	if d.Edition == Edition1997 {
		return b[:2]
	}
	return b
}

// Request asks one meter for one item.
type Request struct {
	Address  Address
	Control  Control
	DI       DI
	Sequence byte // of a request for what follows in 2007: 1 for the first, and so on
}

// Read returns the request for an item.
func Read(a Address, di DI) Request {
	r := Request{Address: a, Control: ReadData, DI: di}
	if di.Edition == Edition1997 {
		r.Control = ReadData1997
	}
	return r
}

// AskAddress returns the request that the only meter of a line answers with its
// address, in the edition of 2007. Its reply's data are the address.
func AskAddress() Request { return Request{Address: Any(), Control: ReadAddress} }

// following returns the request for the next part of the item.
func (r Request) following() Request {
	if r.DI.Edition == Edition1997 {
		r.Control = ReadFollowing1997
		return r
	}
	r.Control = ReadFollowing
	r.Sequence++
	return r
}

// hasSequence reports whether request and reply end with a sequence number.
func (r Request) hasSequence() bool { return r.Control == ReadFollowing }

// preamble wakes a meter; some answer only after it (DL/T 645-2007, 5.2).
const preamble = 4

// Frame returns the request as a frame.
func (r Request) Frame() Frame {
	f := Frame{Address: r.Address, Control: r.Control}
	if r.Control == ReadAddress {
		return f
	}
	f.Data = r.DI.wire()
	if r.hasSequence() {
		f.Data = append(f.Data, r.Sequence)
	}
	return f
}

// Bytes returns what is to be sent: four bytes FE and the frame.
func (r Request) Bytes() []byte {
	b := make([]byte, 0, preamble+overhead+5)
	for range preamble {
		b = append(b, wakeByte)
	}
	return r.Frame().put(b)
}

func (r Request) String() string {
	if r.Control == ReadAddress {
		return "the address of the only meter"
	}
	s := fmt.Sprintf("meter %s item %s", r.Address, r.DI)
	if r.hasSequence() {
		s += fmt.Sprintf(" part %d", r.Sequence)
	}
	return s
}

// What a frame may be besides the reply.
var (
	// ErrForeign: the frame is no reply to this request; the reply may still come.
	ErrForeign = errors.New("not the reply to this request")
	// ErrMalformed: the frame answers this request and cannot be used.
	ErrMalformed = errors.New("malformed reply")
)

// Refusal is the reply of a meter that does not give what was asked for. It names
// no item, so that a late one cannot be told from that to the present request.
type Refusal struct {
	Code byte // the bits of DL/T 645-2007, 7.3.3
}

// The bits of a refusal.
const (
	OtherError       byte = 1 << 0
	NoSuchData       byte = 1 << 1
	Unauthorised     byte = 1 << 2
	BaudRateFixed    byte = 1 << 3
	TooManyZones     byte = 1 << 4
	TooManyTimeSlots byte = 1 << 5
	TooManyTariffs   byte = 1 << 6
)

// Has reports whether the meter named the reason.
func (e Refusal) Has(bit byte) bool { return e.Code&bit != 0 }

func (e Refusal) Error() string {
	names := [...]string{
		"other error", "no such data", "wrong password or not authorised", "the baud rate cannot be changed",
		"too many year zones", "too many day slots", "too many tariffs", "reserved bit 7",
	}
	var said []string
	for i, name := range names {
		if e.Has(1 << i) {
			said = append(said, name)
		}
	}
	if said == nil {
		said = []string{"no reason given"}
	}
	return fmt.Sprintf("the meter refuses with %02X (%s)", e.Code, strings.Join(said, ", "))
}

// Reply is what a meter answered to one request.
type Reply struct {
	Address Address // the true one of the meter
	Data    []byte  // without data identifier and sequence number
	More    bool    // the rest is to be asked for
}

// Match returns what the frame says if it is the reply to the request. The error
// is a Refusal, or is ErrForeign or ErrMalformed.
func (r Request) Match(f Frame) (Reply, error) {
	if !f.Control.Reply() || f.Control.Function() != r.Control || !r.Address.Covers(f.Address) {
		return Reply{}, fmt.Errorf("%s to %s: %w", f, r, ErrForeign)
	}
	if f.Control.Refused() {
		if len(f.Data) != 1 {
			return Reply{}, fmt.Errorf("%s is a refusal of %d bytes: %w", f, len(f.Data), ErrMalformed)
		}
		return Reply{}, Refusal{Code: f.Data[0]}
	}
	data := f.Data
	if r.Control != ReadAddress {
		var err error
		if data, err = r.unwrap(f); err != nil {
			return Reply{}, err
		}
	}
	return Reply{Address: f.Address, Data: data, More: f.Control.More()}, nil
}

// unwrap takes the identifier and the sequence number off the data.
func (r Request) unwrap(f Frame) ([]byte, error) {
	di := r.DI.wire()
	need := len(di)
	if r.hasSequence() {
		need++
	}
	if len(f.Data) < need {
		return nil, fmt.Errorf("%s to %s is too short: %w", f, r, ErrMalformed)
	}
	rest := f.Data[len(di):]
	if string(f.Data[:len(di)]) != string(di) {
		return nil, fmt.Errorf("%s to %s has another item: %w", f, r, ErrForeign)
	}
	if !r.hasSequence() {
		return rest, nil
	}
	last := len(rest) - 1
	if rest[last] != r.Sequence {
		return nil, fmt.Errorf("%s to %s is part %d: %w", f, r, rest[last], ErrForeign)
	}
	return rest[:last], nil
}

// AddressOf returns the address in the reply to AskAddress.
func (r Reply) AddressOf() (Address, error) {
	if len(r.Data) != len(Address{}) {
		return Address{}, fmt.Errorf("an address of %d bytes: %w", len(r.Data), ErrMalformed)
	}
	return Address(r.Data), nil
}
