package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"

	"gengfu/devices/bus"
)

// expected is what the reply to a request over RTU must look like.
type expected struct {
	unit, function, count byte
}

func (r Request) expected() expected {
	return expected{unit: r.Unit, function: r.Table.Function(), count: r.count()}
}

// length of the reply in bytes.
func (e expected) length() int { return replyOverhead + int(e.count) }

// find looks for the reply anywhere in the bytes, because noise, a foreign frame
// or a stale reply may stand before it.
func (e expected) find(buf []byte) bus.Found {
	var f bus.Found
	for i := range buf {
		n := e.lengthAt(buf[i:])
		switch {
		case n == 0:
		case len(buf)-i < n:
			if f.Missing == 0 {
				f.Missing = n - (len(buf) - i)
			}
		case crcOK(buf[i : i+n]):
			return bus.Found{Frame: buf[i : i+n]}
		default:
			f.Corrupt = true
		}
	}
	return f
}

// lengthAt returns how long the frame at the start of b would be if it were the
// reply, and 0 when it cannot be.
func (e expected) lengthAt(b []byte) int {
	switch {
	case b[0] != e.unit:
		return 0
	case len(b) == 1:
		return exceptionLength // the shortest that it can be
	case b[1] == e.function|0x80:
		return exceptionLength
	case b[1] != e.function:
		return 0
	case len(b) > 2 && b[2] != e.count:
		return 0
	}
	return e.length()
}

func crcOK(frame []byte) bool {
	n := len(frame) - 2
	return crc16(frame[:n]) == binary.LittleEndian.Uint16(frame[n:])
}

// crc16 is the CRC of the Modbus serial line specification, section 6.2.2:
// polynomial A001 reflected, start FFFF.
func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			carry := crc & 1
			crc >>= 1
			if carry != 0 {
				crc ^= 0xA001
			}
		}
	}
	return crc
}

const (
	mbapLength = 7        // transaction, protocol, length and unit
	olderIDs   = 1 << 12  // how far back a transaction id counts as one of ours that came late
	maxMBAP    = 2 + 0xFF // the length field of the longest frame, with a byte to spare
)

// errStream says that a TCP stream is out of step and must be opened anew.
var errStream = errors.New("the reply is no Modbus TCP; if a serial server is in transparent mode, its protocol is modbus-rtu")

// cutMBAP takes the first frame off a TCP stream. The frame is nil when it is not
// complete yet.
func cutMBAP(stream []byte) (frame, rest []byte, err error) {
	if len(stream) < mbapLength-1 {
		return nil, stream, nil
	}
	protocol := binary.BigEndian.Uint16(stream[2:])
	length := int(binary.BigEndian.Uint16(stream[4:]))
	if protocol != 0 || length < 3 || length > maxMBAP {
		return nil, stream, fmt.Errorf("% X: %w", stream[:mbapLength-1], errStream)
	}
	n := mbapLength - 1 + length
	if len(stream) < n {
		return nil, stream, nil
	}
	return stream[:n], stream[n:], nil
}

// match says what a frame of a TCP stream is to the request.
type match int

const (
	theReply match = iota
	older          // the reply to an earlier request that was given up
	stranger       // to nothing that was asked: the stream is out of step
)

// matchMBAP compares transaction id and function. The unit is left out, because
// some gateways answer with one of their own.
func matchMBAP(request, frame []byte) match {
	behind := binary.BigEndian.Uint16(request) - binary.BigEndian.Uint16(frame)
	switch {
	case behind == 0 && frame[mbapLength]&0x7F == request[mbapLength]:
		return theReply
	case behind > 0 && behind < olderIDs:
		return older
	}
	return stranger
}
