package modbus

import (
	"encoding/binary"
	"iter"

	"gengfu/devices/bus"
)

// findRTU looks for the reply anywhere in the bytes, because noise, a foreign frame
// or a stale reply may stand before it. What stands behind another master's request
// that looks the same is that one's reply, or cannot be told from it. What looks like a
// refusal among the data of a reply is none: its five bytes are right by chance.
func (e expected) findRTU(buf []byte) bus.Found {
	var f bus.Found
	data := 0 // until where there are those of a reply that is not whole, or spoilt
	for i := range buf {
		n := e.lengthAt(buf[i:])
		if n == 0 || n == exceptionBody && i < data {
			continue
		}
		if n > exceptionBody && len(buf)-i >= bodyHead {
			data = max(data, i+n+checkLength)
		}
		n += checkLength
		switch {
		case len(buf)-i < n:
			if f.Missing == 0 {
				f.Missing = n - (len(buf) - i)
			}
		case !crcOK(buf[i : i+n]):
			f.Corrupt = true
		case e.askedRTU(buf[:i]):
			return bus.Found{Corrupt: true}
		default:
			return bus.Found{Frame: buf[i : i+n]}
		}
	}
	return f
}

// askedRTU reports whether a request for the same is among the bytes.
func (e expected) askedRTU(buf []byte) bool {
	for i := range len(buf) - requestLength + 1 {
		frame := buf[i : i+requestLength]
		if frame[0] != e.unit || frame[1] != e.function || !crcOK(frame) {
			continue
		}
		if other, ok := asked(frame[:writeBody]); ok && other == e {
			return true
		}
	}
	return false
}

// bodiesRTU returns the bodies of all frames among the bytes that are requests to
// read, their replies or their refusals.
func bodiesRTU(buf []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 0; i+exceptionBody+checkLength <= len(buf); i++ {
			if function := buf[i+1] &^ 0x80; function == 0 || int(function) >= len(readTables) {
				continue
			}
			if n := exceptionBody; refusal(buf[i : i+n]) {
				if crcOK(buf[i:i+n+checkLength]) && !yield(buf[i:i+n]) {
					return
				}
				continue
			}
			for _, n := range [...]int{requestLength, bodyHead + int(buf[i+2]) + checkLength} {
				if i+n <= len(buf) && crcOK(buf[i:i+n]) && !yield(buf[i:i+n-checkLength]) {
					return
				}
			}
		}
	}
}

func crcOK(frame []byte) bool {
	n := len(frame) - checkLength
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
