// Package modbus is the master: it plans requests, sends them over a line that it
// is given and returns the words of the reply that belongs to the request. A reply
// that cannot be told to belong to it is never returned.
//
// What nobody can tell on a line without transaction ids: two replies to what others
// have asked of a slave before the line was opened, which are late and have just the
// lengths of the first two replies; a reply to the very same
// request that comes again just when the next one may, and says what that brought
// last (the value is then one poll old); and a spoilt frame whose check is right by
// chance, one of 65536 with the CRC and one of 256 with the LRC of ASCII, when more
// than the check is made for has changed.
//
// Frames are packed by goburrow/modbus. The transport and the unpacking are here,
// because that library takes a late reply for the next one, and makes a dozen
// allocations for each.
package modbus

import (
	"errors"
	"fmt"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/profile"
)

// Framing is how a request is wrapped.
type Framing int

// The framings.
const (
	RTU   Framing = iota // address, data, CRC; on a serial port or through a serial server
	TCP                  // MBAP header with a transaction id
	ASCII                // hexadecimal digits between colon and line end, LRC; on a serial port or through a serial server
)

// What may go wrong with a request besides the line itself.
var (
	ErrTimeout = bus.ErrTimeout
	ErrGarbled = bus.ErrGarbled
	// ErrUnconfirmed: a write was sent, and nobody knows whether it was carried out.
	ErrUnconfirmed = errors.New("sent, but not known whether it was carried out")
)

// Exception is the reply of a slave that refuses a request. Makers use codes that
// the standard does not know.
type Exception struct {
	Code byte
}

// The exceptions of the Modbus application protocol V1.1b3, section 7, that a
// master treats each in its own way.
const (
	IllegalFunction byte = 0x01
	IllegalAddress  byte = 0x02
	IllegalValue    byte = 0x03
	Acknowledge     byte = 0x05
	Busy            byte = 0x06
	PathUnavailable byte = 0x0A
	TargetSilent    byte = 0x0B
)

// Later reports whether the slave asks to be asked again, and does not refuse.
func (e Exception) Later() bool { return e.Code == Acknowledge || e.Code == Busy }

// Unreached reports whether the answer is a gateway's, for a slave that it could
// not reach.
func (e Exception) Unreached() bool { return e.Code == PathUnavailable || e.Code == TargetSilent }

func (e Exception) Error() string {
	names := map[byte]string{
		IllegalFunction: "illegal function", IllegalAddress: "illegal data address", IllegalValue: "illegal data value",
		0x04: "device failure", Acknowledge: "acknowledged, not ready yet", Busy: "busy", 0x08: "memory parity error",
		PathUnavailable: "gateway path unavailable", TargetSilent: "gateway target failed to respond",
	}
	name, ok := names[e.Code]
	if !ok {
		name = "of the maker's own"
	}
	return fmt.Sprintf("exception %02X (%s)", e.Code, name)
}

// Request reads a stretch of one table of one slave.
type Request struct {
	Unit     byte
	Table    profile.Table
	Address  uint16 // 0-based, as on the wire
	Quantity uint16 // registers, at most 125, or bits, at most 2000
}

func (r Request) String() string {
	return fmt.Sprintf("slave %d %s %d+%d", r.Unit, r.Table, r.Address, r.Quantity)
}

func (r Request) validate() error {
	most := uint16(profile.MaxRegisters)
	if r.Table.Bits() {
		most = profile.MaxBits
	}
	switch {
	case r.Table.Function() == 0:
		return fmt.Errorf("%s: unknown table", r)
	case r.Quantity == 0 || r.Quantity > most:
		return fmt.Errorf("%s: quantity must be 1 to %d", r, most)
	case int(r.Address)+int(r.Quantity) > 1<<16:
		return fmt.Errorf("%s: beyond address 65535", r)
	}
	return nil
}

// count is the byte count that the reply carries.
func (r Request) count() byte {
	if r.Table.Bits() {
		return byte((r.Quantity + 7) / 8)
	}
	return byte(2 * r.Quantity)
}

// expected returns what the reply must look like.
func (r Request) expected() expected {
	return expected{unit: r.Unit, function: r.Table.Function(), count: r.count()}
}

// unpack writes the data of a reply into words, one per register or bit.
func (r Request) unpack(data []byte, words []uint16) {
	for i := range words {
		if r.Table.Bits() {
			words[i] = uint16(data[i/8] >> (i % 8) & 1)
		} else {
			words[i] = uint16(data[2*i])<<8 | uint16(data[2*i+1])
		}
	}
}

// Lengths of frames in bytes, of the Modbus serial line specification.
const (
	requestLength = 8 // of a read: address, function, start, quantity, CRC
	checkLength   = 2 // of RTU
	replyOverhead = bodyHead + checkLength
)

// Duration returns how long the request occupies a serial line with a typical
// slave: both frames, 30 ms for the slave to answer, and the silence before.
func (r Request) Duration(w bus.Wire) time.Duration {
	return w.Duration(requestLength, replyOverhead+int(r.count()))
}
