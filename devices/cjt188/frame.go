// Package cjt188 is the language of Chinese water, heat and gas meters, CJ/T 188 of
// 2004 and 2018: it builds requests to read, finds frames in a stream, tells which
// reply belongs to which request and what it says. It does no I/O, and it cannot
// build a request that moves a valve or changes anything else in a meter.
package cjt188

import (
	"bytes"
	"fmt"

	"gengfu/devices/framing"
)

// The fixed bytes of a frame.
const (
	startByte = 0x68
	endByte   = 0x16
	wakeByte  = 0xFE
)

// MaxData is the longest data of a frame, in bytes, identifier and serial number
// included.
const MaxData = 0xFF

// overhead is a frame without its data: start, type, address, control, length,
// check and end.
const overhead = 13

// MeterType says what a meter measures (CJ/T 188-2004, table 1).
type MeterType byte

// The types of meter. 40 to 49 are others, electricity meters among them.
const (
	ColdWater      MeterType = 0x10
	HotWater       MeterType = 0x11
	DrinkingWater  MeterType = 0x12
	ReclaimedWater MeterType = 0x13
	HeatMeter      MeterType = 0x20
	CoolingMeter   MeterType = 0x21
	HeatCooling    MeterType = 0x22 // 2018
	GasMeter       MeterType = 0x30
	AnyType        MeterType = wildcard // in a request: of any type
)

// class is water 1, heat 2, gas 3 or other 4; 0 for what is no type.
func (t MeterType) class() byte {
	if class := byte(t) >> 4; class >= 1 && class <= 4 && t&0x0F <= 9 {
		return class
	}
	return 0
}

// Control is the control code of a frame.
type Control byte

// The control codes of requests to read. A reply has the same with bit 7, a
// refusal with bits 7 and 6, a reply that goes on with bits 7 and 5.
const (
	ReadData       Control = 0x01
	ReadAddress    Control = 0x03
	ReadKeyVersion Control = 0x09
)

// The control codes that write, which are only recognised.
const (
	writeData    Control = 0x04
	writeAddress Control = 0x15
	setReading   Control = 0x16
)

// Reply reports whether a meter sent the frame.
func (c Control) Reply() bool { return c&0x80 != 0 }

// Refused reports whether the meter refused the request.
func (c Control) Refused() bool { return c&0x40 != 0 }

// More reports whether there is more data than the frame holds.
func (c Control) More() bool { return c&0x20 != 0 }

// Function returns what was asked for: the control code of the request.
func (c Control) Function() Control { return c & 0x1F }

func (c Control) known() bool {
	switch c.Function() {
	case ReadData, ReadAddress, ReadKeyVersion, writeData, writeAddress, setReading:
		return true
	}
	return false
}

// Frame is one frame, of a master or of a meter. The data begin with the two bytes
// of the identifier and the serial number.
type Frame struct {
	Type    MeterType
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
	dst = append(dst, startByte, byte(f.Type))
	dst = append(dst, f.Address[:]...)
	dst = append(dst, byte(f.Control), byte(len(f.Data)))
	dst = append(dst, f.Data...)
	return append(dst, framing.Sum(dst[from:]), endByte)
}

// String shows the frame for people: type, address, control code and data.
func (f Frame) String() string {
	return fmt.Sprintf("meter %s type %02X control %02X data % X", f.Address, byte(f.Type), byte(f.Control), f.Data)
}

// NewReader returns a reader of frames. Preambles are passed over. There is no
// second start byte to go by, so that a frame counts as begun only with a type and
// a control code that the standard knows.
func NewReader() *framing.Reader[Frame] { return framing.NewReader(probe) }

// Probe looks for a frame at the start of b, which is not empty, for those who read
// a stream in which other protocols are spoken too.
func Probe(b []byte) (Frame, framing.Sight) { return probe(b) }

func probe(b []byte) (Frame, framing.Sight) {
	const kind, address, control, length = 1, 2, 9, 10
	switch {
	case b[0] != startByte,
		len(b) > kind && MeterType(b[kind]).class() == 0 && MeterType(b[kind]) != AnyType,
		len(b) > control && !Control(b[control]).known():
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
	return Frame{
		Type: MeterType(b[kind]), Address: Address(b[address:control]), Control: Control(b[control]),
		Data: bytes.Clone(b[length+1 : n-2]),
	}, framing.Sight{Kind: framing.Whole, Length: n}
}
