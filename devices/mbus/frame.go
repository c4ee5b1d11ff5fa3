// Package mbus is the wired M-Bus, EN 13757-2 and -3: it builds requests to read,
// finds frames in a stream, tells which reply belongs to which request and what
// its records say. It does no I/O, and it cannot build a request that changes
// anything in a meter but its selection.
package mbus

import (
	"bytes"
	"fmt"

	"gengfu/devices/framing"
)

// The fixed bytes of frames (EN 13757-2, 5.2).
const (
	ackByte    = 0xE5
	shortStart = 0x10
	longStart  = 0x68
	endByte    = 0x16
)

// Lengths in bytes: of a short frame, of what a long one has around control,
// address, CI and data, and of the longest data.
const (
	shortLength  = 5
	longOverhead = 6
	leastLong    = 3
	MaxData      = 0xFF - leastLong
)

// Kind is the form of a frame.
type Kind int

// The forms. A long frame without data is also called a control frame.
const (
	Ack   Kind = iota // one byte, E5
	Short             // control and address
	Long              // control, address, CI and data
)

// The addresses that are not of one meter.
const (
	Selected  byte = 0xFD // of the meter that is selected by its secondary address
	Anyone    byte = 0xFE // of every meter; with more than one their answers collide
	Broadcast byte = 0xFF // of every meter, and none answers
)

// MaxAddress is the highest primary address of a meter. 0 is that of a new one.
const MaxAddress = 250

// The control fields of frames that are sent or awaited.
const (
	sndNKE   = 0x40 // initialise
	sndUD    = 0x53 // send data
	reqUD2   = 0x5B // ask for data; with the frame count bit 7B
	rspUD    = 0x08 // data; the two bits above are access demand and flow control
	countBit = 0x20
	rspMask  = 0xCF
)

// Frame is one frame, of a master or of a meter. What a form does not have is zero.
type Frame struct {
	Kind    Kind
	Control byte
	Address byte
	CI      byte // what the data are
	Data    []byte
}

// Append appends the frame as it goes over the wire. It is an error when the data
// are longer than MaxData.
func (f Frame) Append(dst []byte) ([]byte, error) {
	if len(f.Data) > MaxData {
		return dst, fmt.Errorf("frame for address %d: %d bytes of data, at most %d", f.Address, len(f.Data), MaxData)
	}
	return f.put(dst), nil
}

func (f Frame) put(dst []byte) []byte {
	switch f.Kind {
	case Ack:
		return append(dst, ackByte)
	case Short:
		return append(dst, shortStart, f.Control, f.Address, f.Control+f.Address, endByte)
	}
	n := byte(leastLong + len(f.Data))
	dst = append(dst, longStart, n, n, longStart)
	from := len(dst)
	dst = append(dst, f.Control, f.Address, f.CI)
	dst = append(dst, f.Data...)
	return append(dst, framing.Sum(dst[from:]), endByte)
}

// String shows the frame for people.
func (f Frame) String() string {
	switch f.Kind {
	case Ack:
		return "acknowledgement"
	case Short:
		return fmt.Sprintf("control %02X address %d", f.Control, f.Address)
	}
	return fmt.Sprintf("control %02X address %d CI %02X data % X", f.Control, f.Address, f.CI, f.Data)
}

// NewReader returns a reader of frames. An acknowledgement is one byte, so that
// noise may look like it; it means something only when it is awaited.
func NewReader() *framing.Reader[Frame] { return framing.NewReader(probe) }

// Probe looks for a frame at the start of b, which is not empty, for those who read
// a stream in which other protocols are spoken too.
func Probe(b []byte) (Frame, framing.Sight) { return probe(b) }

func probe(b []byte) (Frame, framing.Sight) {
	switch b[0] {
	case ackByte:
		return Frame{}, framing.Sight{Kind: framing.Whole, Length: 1}
	case shortStart:
		return probeShort(b)
	case longStart:
		return probeLong(b)
	}
	return Frame{}, framing.Sight{}
}

func probeShort(b []byte) (Frame, framing.Sight) {
	const fromMaster, direction = 0x40, 0xC0
	switch {
	case len(b) > 1 && b[1]&direction != fromMaster:
		return Frame{}, framing.Sight{}
	case len(b) < shortLength:
		return Frame{}, framing.Sight{Kind: framing.Begun, Length: shortLength}
	case b[3] != b[1]+b[2] || b[4] != endByte:
		return Frame{}, framing.Sight{Kind: framing.Spoilt}
	}
	return Frame{Kind: Short, Control: b[1], Address: b[2]}, framing.Sight{Kind: framing.Whole, Length: shortLength}
}

func probeLong(b []byte) (Frame, framing.Sight) {
	switch {
	case len(b) > 1 && b[1] < leastLong, len(b) > 2 && b[2] != b[1], len(b) > 3 && b[3] != longStart:
		return Frame{}, framing.Sight{}
	case len(b) < 2:
		return Frame{}, framing.Sight{Kind: framing.Begun, Length: longOverhead + leastLong}
	}
	n := longOverhead + int(b[1])
	if len(b) < n {
		return Frame{}, framing.Sight{Kind: framing.Begun, Length: n}
	}
	body := b[4 : n-2]
	if b[n-2] != framing.Sum(body) || b[n-1] != endByte {
		return Frame{}, framing.Sight{Kind: framing.Spoilt}
	}
	return Frame{
		Kind: Long, Control: body[0], Address: body[1], CI: body[2], Data: bytes.Clone(body[leastLong:]),
	}, framing.Sight{Kind: framing.Whole, Length: n}
}
