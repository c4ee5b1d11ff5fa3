package mbus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Request is what a master sends, with what it awaits.
type Request struct {
	Frame Frame
	From  *Secondary // whose data are awaited; nil when the address is enough to tell
}

// Initialise returns the request that resets a meter's frame count, and that to
// Selected undoes a selection. The answer is an acknowledgement.
func Initialise(address byte) Request {
	return Request{Frame: Frame{Kind: Short, Control: sndNKE, Address: address}}
}

// Select returns the request that selects the meter with a secondary address, which
// then answers as Selected. The answer is an acknowledgement, of each meter that
// the address covers.
func Select(s Secondary) Request {
	const selectCI = 0x52
	return Request{Frame: Frame{Kind: Long, Control: sndUD, Address: Selected, CI: selectCI, Data: s[:]}}
}

// Ask returns the request for data. A meter gives its next telegram when the frame
// count bit is another than the last time, and the last one again when it is the
// same.
func Ask(address byte, count bool) Request {
	f := Frame{Kind: Short, Control: reqUD2, Address: address}
	if count {
		f.Control |= countBit
	}
	return Request{Frame: f}
}

// AskSelected returns the request for data of the meter that was selected.
func AskSelected(s Secondary, count bool) Request {
	r := Ask(Selected, count)
	r.From = &s
	return r
}

// Bytes returns what is to be sent.
func (r Request) Bytes() []byte { return r.Frame.put(nil) }

func (r Request) String() string { return r.Frame.String() }

// What a frame may be besides the reply.
var (
	// ErrForeign: the frame is no reply to this request; the reply may still come.
	ErrForeign = errors.New("not the reply to this request")
	// ErrMalformed: the frame answers this request and cannot be used.
	ErrMalformed = errors.New("malformed reply")
)

// Refusal is the reply of a meter that does not do what was asked for.
type Refusal struct {
	Code byte // EN 13757-3, 6.7; 0 when none is given
}

// Busy reports whether the meter asks for patience.
func (e Refusal) Busy() bool { return e.Code == 8 }

func (e Refusal) Error() string {
	names := [...]string{
		"unspecified error", "CI field not implemented", "too long", "too many records", "premature end of a record",
		"more than 10 DIFE", "more than 10 VIFE", "reserved", "busy", "too many readouts",
	}
	name := "of the maker's own"
	if int(e.Code) < len(names) {
		name = names[e.Code]
	}
	return fmt.Sprintf("the meter refuses with %02X (%s)", e.Code, name)
}

// Response is the data of a meter.
type Response struct {
	Address   byte // the primary one, also after a selection
	Identity  Secondary
	Access    byte // counts the answers
	Status    Status
	Signature uint16 // of encrypted data, otherwise 0
	Records   []byte
}

// Status is the state that a meter gives with its data (EN 13757-3, table 4).
type Status byte

// Flags returns what the status says, the lowest bit first: busy, error or
// abnormal of the application, power_low, permanent_error, temporary_error. The bits
// of the makers' own are left out.
func (s Status) Flags() (flags []string) {
	if application := s & 3; application > 0 {
		flags = append(flags, [...]string{"busy", "error", "abnormal"}[application-1])
	}
	for i, name := range [...]string{"power_low", "permanent_error", "temporary_error"} {
		if s>>(i+2)&1 == 1 {
			flags = append(flags, name)
		}
	}
	return flags
}

// asks reports whether data are awaited rather than an acknowledgement.
func (r Request) asks() bool { return r.Frame.Kind == Short && r.Frame.Control&^countBit == reqUD2 }

// Match returns what the frame says if it is the reply to the request; the
// response is empty for an acknowledgement that was awaited. The error is a Refusal,
// or is ErrForeign or ErrMalformed.
func (r Request) Match(f Frame) (Response, error) {
	foreign := fmt.Errorf("%s to %s: %w", f, r, ErrForeign)
	switch {
	case r.Frame.Address == Broadcast:
		return Response{}, foreign
	case !r.asks():
		if f.Kind != Ack {
			return Response{}, foreign
		}
		return Response{}, nil
	case f.Kind != Long || f.Control&rspMask != rspUD,
		r.Frame.Address != Selected && r.Frame.Address != Anyone && r.Frame.Address != f.Address:
		return Response{}, foreign
	}
	resp, err := response(f)
	if err == nil && r.From != nil && !r.From.Covers(resp.Identity) {
		return Response{}, fmt.Errorf("%s is of meter %s: %w", f, resp.Identity, ErrForeign)
	}
	return resp, err
}

func response(f Frame) (Response, error) {
	const (
		failure  = 0x70
		variable = 0x72 // the low byte first
		header   = 12
	)
	switch {
	case f.CI == failure && len(f.Data) == 0:
		return Response{}, Refusal{}
	case f.CI == failure:
		return Response{}, Refusal{Code: f.Data[0]}
	case f.CI != variable:
		return Response{}, fmt.Errorf("%s: data of CI %02X cannot be read: %w", f, f.CI, ErrMalformed)
	case len(f.Data) < header:
		return Response{}, fmt.Errorf("%s is too short: %w", f, ErrMalformed)
	}
	resp := Response{
		Address: f.Address, Identity: Secondary(f.Data), Access: f.Data[8], Status: Status(f.Data[9]),
		Signature: binary.LittleEndian.Uint16(f.Data[10:]), Records: f.Data[header:],
	}
	const mode = 0x1F00
	if resp.Signature&mode != 0 {
		return Response{}, fmt.Errorf("the data of meter %s are encrypted: %w", resp.Identity, ErrMalformed)
	}
	return resp, nil
}
