package sniff

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"gengfu/devices/framing"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
)

// pdu is what a frame of Modbus says, without its wrapping.
type pdu struct {
	transaction uint16
	unit        byte
	function    byte // without the bit of a refusal
	refused     bool
	data        []byte // after the function
}

// The functions, besides those of profile.Table.
const (
	writeCoil      = 0x05
	writeRegister  = 0x06
	writeCoils     = 0x0F
	writeRegisters = 0x10
)

// mostUnit is the highest address of a slave; 0 is a broadcast.
const mostUnit = 247

// tableOf returns what a function reads; "" when it reads nothing.
func tableOf(function byte) profile.Table {
	if function < 1 || function > 4 {
		return ""
	}
	return [...]profile.Table{profile.Coil, profile.Discrete, profile.Holding, profile.Input}[function-1]
}

// start and count are those of a request, and of the reply to a write of several.
func (p pdu) start() int { return p.word(0) }
func (p pdu) count() int { return p.word(2) }

func (p pdu) word(at int) int {
	if len(p.data) < at+2 {
		return 0
	}
	return int(binary.BigEndian.Uint16(p.data[at:]))
}

// dataLengths returns how many bytes may follow the function, for a request and for
// a reply. -1 is not known yet, -2 that it cannot be.
func dataLengths(function byte, data []byte) (request, reply int) {
	const unknown, never = -1, -2
	if function&0x80 != 0 {
		switch f := function &^ 0x80; {
		case tableOf(f) != "", f == writeCoil, f == writeRegister, f == writeCoils, f == writeRegisters:
			return never, 1
		}
		return never, never
	}
	switch function {
	case 1, 2, 3, 4:
		if len(data) == 0 {
			return 4, unknown
		}
		n := int(data[0])
		if n == 0 || n > 250 || function > 2 && n%2 != 0 {
			return 4, never
		}
		return 4, 1 + n
	case writeCoil, writeRegister:
		return 4, 4
	case writeCoils, writeRegisters:
		if len(data) < 5 {
			return unknown, 4
		}
		return 5 + int(data[4]), 4
	}
	return never, never
}

// probeRTU looks for a frame of Modbus RTU. Requests and replies of some lengths
// cannot be told apart by themselves: awaited says that a reply of that unit and
// function is.
func probeRTU(b []byte, awaited func(unit, function byte) bool) (Frame, framing.Sight) {
	const around = 4 // unit, function and CRC
	if b[0] > mostUnit {
		return Frame{}, framing.Sight{}
	}
	if len(b) < 2 {
		return Frame{}, framing.Sight{Kind: framing.Begun, Length: 5}
	}
	request, reply := dataLengths(b[1], b[2:])
	least, spoilt := 0, false
	for i, n := range [2]int{request, reply} {
		if b[0] == 0 && i == 1 {
			continue // nobody answers a broadcast
		}
		whole := around + n
		switch {
		case n == -2:
		case n == -1 || len(b) < whole:
			if least == 0 || whole < least {
				least = max(whole, len(b)+1)
			}
		case crcOK(b[:whole]):
			p := pdu{unit: b[0], function: b[1] &^ 0x80, refused: b[1]&0x80 != 0, data: bytes.Clone(b[2 : whole-2])}
			side := [2]Side{Request, Reply}[i]
			if request == reply || i == 0 && reply == n {
				side = Request
				if awaited(p.unit, p.function) {
					side = Reply
				}
			}
			return frameModbus(ModbusRTU, side, p, b[:whole]), framing.Sight{Kind: framing.Whole, Length: whole}
		default:
			spoilt = true
		}
	}
	switch {
	case least > 0:
		return Frame{}, framing.Sight{Kind: framing.Begun, Length: least}
	case spoilt:
		return Frame{}, framing.Sight{Kind: framing.Spoilt}
	}
	return Frame{}, framing.Sight{}
}

func crcOK(frame []byte) bool {
	n := len(frame) - 2
	return n >= 2 && profile.CRC16(frame[:n]) == binary.LittleEndian.Uint16(frame[n:])
}

// longestASCII is a colon, two digits for each of 254 bytes, and the end.
const longestASCII = 1 + 2*254 + 2

func probeASCII(b []byte, awaited func(unit, function byte) bool) (Frame, framing.Sight) {
	if b[0] != ':' {
		return Frame{}, framing.Sight{}
	}
	n := bytes.IndexByte(b, '\n') + 1
	head := b[1:]
	if n > 0 {
		head = b[1 : n-1]
	}
	digits := bytes.TrimRight(head, "\r")
	for _, c := range digits {
		if (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return Frame{}, framing.Sight{}
		}
	}
	switch {
	case n == 0 && len(b) >= longestASCII:
		return Frame{}, framing.Sight{}
	case n == 0:
		return Frame{}, framing.Sight{Kind: framing.Begun, Length: len(b) + 1}
	}
	raw, err := hex.DecodeString(string(digits))
	if err != nil || len(raw) < 3 || framing.Sum(raw) != 0 {
		return Frame{}, framing.Sight{Kind: framing.Spoilt}
	}
	raw = raw[:len(raw)-1] // the check
	p := pdu{unit: raw[0], function: raw[1] &^ 0x80, refused: raw[1]&0x80 != 0, data: raw[2:]}
	return frameModbus(ModbusASCII, sideOf(p, awaited), p, b[:n]), framing.Sight{Kind: framing.Whole, Length: n}
}

// sideOf tells a request from a reply by its length.
func sideOf(p pdu, awaited func(unit, function byte) bool) Side {
	if p.refused {
		return Reply
	}
	request, reply := dataLengths(p.function, p.data)
	switch {
	case len(p.data) == reply && len(p.data) != request,
		len(p.data) == reply && awaited(p.unit, p.function):
		return Reply
	}
	return Request
}

// parseTCP reads one frame with the header of Modbus TCP.
func parseTCP(b []byte, side Side) (Frame, int, bool) {
	const header = 7
	if len(b) <= header || b[2] != 0 || b[3] != 0 {
		return Frame{}, 0, false
	}
	n := header - 1 + int(binary.BigEndian.Uint16(b[4:]))
	if n <= header || n > len(b) {
		return Frame{}, 0, false
	}
	p := pdu{
		transaction: binary.BigEndian.Uint16(b), unit: b[6], function: b[7] &^ 0x80, refused: b[7]&0x80 != 0,
		data: bytes.Clone(b[8:n]),
	}
	return frameModbus(ModbusTCP, side, p, b[:n]), n, true
}

func frameModbus(protocol Protocol, side Side, p pdu, raw []byte) Frame {
	f := Frame{
		Protocol: protocol, Side: side, Address: strconv.Itoa(int(p.unit)), Bytes: bytes.Clone(raw),
		Refused: p.refused, modbus: p,
	}
	f.Says = p.says(side)
	return f
}

func (p pdu) says(side Side) string {
	table := tableOf(p.function)
	switch {
	case p.refused && len(p.data) > 0:
		return modbus.Exception{Code: p.data[0]}.Error()
	case table != "" && side == Request:
		return fmt.Sprintf("read %s %d+%d", table, p.start(), p.count())
	case table != "":
		return fmt.Sprintf("gives %d bytes", max(len(p.data)-1, 0))
	}
	verb := map[Side]string{Request: "write", Reply: "has written"}[side]
	switch p.function {
	case writeCoil:
		return fmt.Sprintf("%s coil %d: %d", verb, p.start(), p.word(2)>>15)
	case writeRegister:
		return fmt.Sprintf("%s holding %d: %04X", verb, p.start(), p.word(2))
	case writeCoils:
		return fmt.Sprintf("%s coil %d+%d", verb, p.start(), p.count())
	case writeRegisters:
		if side == Request && len(p.data) > 5 {
			return fmt.Sprintf("%s holding %d+%d: % X", verb, p.start(), p.count(), p.data[5:])
		}
		return fmt.Sprintf("%s holding %d+%d", verb, p.start(), p.count())
	}
	return fmt.Sprintf("function %02X", p.function)
}

// words returns what a reply to a read gives, one word for each register or bit that
// was asked for; nil when it is not as much as that.
func (p pdu) words(request pdu) []uint16 {
	table := tableOf(request.function)
	if table == "" || p.refused || len(p.data) < 1 || len(p.data)-1 != int(p.data[0]) {
		return nil
	}
	data, n := p.data[1:], request.count()
	want := 2 * n
	if table.Bits() {
		want = (n + 7) / 8
	}
	if len(data) != want || n == 0 {
		return nil
	}
	words := make([]uint16, n)
	for i := range words {
		if table.Bits() {
			words[i] = uint16(data[i/8] >> (i % 8) & 1)
		} else {
			words[i] = binary.BigEndian.Uint16(data[2*i:])
		}
	}
	return words
}
