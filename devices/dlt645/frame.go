// Package dlt645 is the language of Chinese electricity meters, DL/T 645 of 2007
// and of 1997: it builds requests to read, finds frames in a stream, tells which
// reply belongs to which request and what it says. It does no I/O, and it cannot
// build a request that changes anything in a meter.
package dlt645

import (
	"bytes"
	"fmt"

	"gengfu/devices/framing"
)

// The fixed bytes of a frame, and what is added to each byte of data on the wire
// (DL/T 645-2007, 5.2).
const (
	startByte = 0x68
	endByte   = 0x16
	wakeByte  = 0xFE
	mask      = 0x33
)

// MaxData is the longest data of a frame, in bytes (DL/T 645-2007, 5.2.4).
const MaxData = 200

// overhead is a frame without its data: two starts, address, control, length,
// check and end.
const overhead = 12

// Control is the control code of a frame.
type Control byte

// The control codes of requests to read. A reply has the same with bit 7, a
// refusal with bits 7 and 6, a reply that goes on with bits 7 and 5.
const (
	ReadData      Control = 0x11
	ReadFollowing Control = 0x12
	ReadAddress   Control = 0x13

	ReadData1997      Control = 0x01
	ReadFollowing1997 Control = 0x02
)

// Reply reports whether a meter sent the frame.
func (c Control) Reply() bool { return c&0x80 != 0 }

// Refused reports whether the meter refused the request.
func (c Control) Refused() bool { return c&0x40 != 0 }

// More reports whether a frame that follows has the rest of the data.
func (c Control) More() bool { return c&0x20 != 0 }

// Function returns what was asked for: the control code of the request.
func (c Control) Function() Control { return c & 0x1F }

// Frame is one frame, of a master or of a meter. The data are as they are meant,
// without the 33h that is added on the wire.
type Frame struct {
	Address Address
	Control Control
	Data    []byte
}

// Append appends the frame as it goes over the wire, without a preamble. It is an
// error when the data are longer than MaxData.
func (f Frame) Append(dst []byte) ([]byte, error) {
	if len(f.Data) > MaxData {
		return dst, fmt.Errorf("frame for %s: %d bytes of data, at most %d", f.Address, len(f.Data), MaxData)
	}
	return f.put(dst), nil
}

func (f Frame) put(dst []byte) []byte {
	from := len(dst)
	dst = append(dst, startByte)
	dst = append(dst, f.Address[:]...)
	dst = append(dst, startByte, byte(f.Control), byte(len(f.Data)))
	for _, b := range f.Data {
		dst = append(dst, b+mask)
	}
	return append(dst, framing.Sum(dst[from:]), endByte)
}

// String shows the frame for people: address, control code and data.
func (f Frame) String() string {
	return fmt.Sprintf("meter %s control %02X data % X", f.Address, byte(f.Control), f.Data)
}

// NewReader returns a reader of frames. Preambles are passed over.
func NewReader() *framing.Reader[Frame] { return framing.NewReader(probe) }

// Probe looks for a frame at the start of b, which is not empty, for those who read
// a stream in which other protocols are spoken too.
func Probe(b []byte) (Frame, framing.Sight) { return probe(b) }

func probe(b []byte) (Frame, framing.Sight) {
	const second, control, length = 7, 8, 9
	switch {
	case b[0] != startByte, len(b) > second && b[second] != startByte, len(b) > length && b[length] > MaxData:
		return Frame{}, framing.Sight{}
	case len(b) <= length:
		return Frame{}, framing.Sight{Kind: framing.Begun, Length: overhead}
	}
	n := overhead + int(b[length])
	if len(b) < n {
		return Frame{}, framing.Sight{Kind: framing.Begun, Length: n}
	}
	if b[n-1] != endByte || b[n-2] != framing.Sum(b[:n-2]) {
		return Frame{}, framing.Sight{Kind: framing.Spoilt}
	}
	f := Frame{Address: Address(b[1:second]), Control: Control(b[control])}
	f.Data = bytes.Clone(b[length+1 : n-2])
	for i := range f.Data {
		f.Data[i] -= mask
	}
	return f, framing.Sight{Kind: framing.Whole, Length: n}
}
