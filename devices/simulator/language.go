package simulator

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"

	"gengfu/devices/profile"
)

// sight is what stands at one place of the bytes that came in.
type sight int

const (
	nothing sight = iota // no frame begins here
	perhaps              // a frame of unknown length may begin here
	begun                // a frame begins here and is not complete
	whole
)

// language is how the frames of one protocol look on the wire.
type language interface {
	// look tells what stands at the start of buf, which is not empty. settled says
	// that nothing has come for a while. The payload and the length are of a whole
	// frame.
	look(buf []byte, settled bool) (s sight, payload []byte, length int)
	// wrap makes a frame of a payload; the check of a spoilt one is wrong.
	wrap(payload []byte, spoilt bool) []byte
	// stranger returns the frames of such a request and reply of a device that is not
	// on the line, with other values.
	stranger(request, reply []byte, dice *rand.Rand) (theirRequest, theirReply []byte)
}

// damage is put on a check that is to be wrong.
const damage = 0x55

func spoil(check byte, spoilt bool) byte {
	if spoilt {
		return check ^ damage
	}
	return check
}

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}

// rtu is Modbus RTU.
type rtu struct{ strangers }

func (l rtu) stranger(request, reply []byte, dice *rand.Rand) (theirRequest, theirReply []byte) {
	theirRequest, theirReply = l.of(request, reply, dice)
	return l.wrap(theirRequest, false), l.wrap(theirReply, false)
}

func (rtu) look(buf []byte, settled bool) (sight, []byte, int) {
	n := requestLength(buf)
	if n == 0 && settled {
		n = len(buf)
	}
	switch {
	case n == 0:
		return perhaps, nil, 0
	case len(buf) < n:
		return begun, nil, 0
	case n < 4 || binary.LittleEndian.Uint16(buf[n-2:]) != profile.CRC16(buf[:n-2]):
		return nothing, nil, 0
	}
	return whole, slices.Clone(buf[:n-2]), n
}

// requestLength returns how long the request at the start of buf is, 0 when that
// cannot be known yet or at all.
func requestLength(buf []byte) int {
	if len(buf) < 2 {
		return 0
	}
	switch buf[1] {
	case readCoils, readDiscretes, readHolding, readInput, writeCoil, writeRegister:
		return 8
	case writeCoils, writeRegisters:
		if len(buf) < 7 {
			return 0
		}
		return 9 + int(buf[6])
	}
	return 0
}

func (rtu) wrap(payload []byte, spoilt bool) []byte {
	frame := binary.LittleEndian.AppendUint16(slices.Clone(payload), profile.CRC16(payload))
	frame[len(frame)-1] = spoil(frame[len(frame)-1], spoilt)
	return frame
}

// ascii is Modbus ASCII.
type ascii struct{ strangers }

func (l ascii) stranger(request, reply []byte, dice *rand.Rand) (theirRequest, theirReply []byte) {
	theirRequest, theirReply = l.of(request, reply, dice)
	return l.wrap(theirRequest, false), l.wrap(theirReply, false)
}

const mostASCII = 513 // characters of a frame (Modbus serial line V1.02, 2.5.2)

func (ascii) look(buf []byte, settled bool) (sight, []byte, int) {
	if buf[0] != ':' {
		return nothing, nil, 0
	}
	end := slices.Index(buf, '\n')
	switch {
	case end < 0 && len(buf) < mostASCII:
		return begun, nil, 0
	case end < 9 || buf[end-1] != '\r':
		return nothing, nil, 0
	}
	raw, err := hex.DecodeString(string(buf[1 : end-1]))
	if err != nil || len(raw) < 3 || sum(raw) != 0 {
		return nothing, nil, 0
	}
	return whole, raw[:len(raw)-1], end + 1
}

func (ascii) wrap(payload []byte, spoilt bool) []byte {
	raw := append(slices.Clone(payload), spoil(-sum(payload), spoilt))
	frame := []byte{':'}
	for _, c := range raw {
		const digits = "0123456789ABCDEF"
		frame = append(frame, digits[c>>4], digits[c&0x0F])
	}
	return append(frame, '\r', '\n')
}

// strangers are the Modbus devices that are not on the line.
type strangers struct{ taken []byte }

// of turns payloads into those of a stranger.
func (s strangers) of(request, reply []byte, dice *rand.Rand) (theirRequest, theirReply []byte) {
	theirRequest, theirReply = slices.Clone(request), slices.Clone(reply)
	unit := byte(1 + dice.IntN(247))
	for len(s.taken) < 247 && slices.Contains(s.taken, unit) {
		unit = unit%247 + 1
	}
	theirRequest[0], theirReply[0] = unit, unit
	if theirReply[1] <= readInput {
		for i := 3; i < len(theirReply); i++ {
			theirReply[i] = byte(dice.Uint32())
		}
	}
	return theirRequest, theirReply
}

// languages returns what the devices speak; Modbus is asciiToo or RTU.
func languages(slaves []*Slave, modbusASCII bool) map[profile.Protocol]language {
	var s strangers
	var primary []byte
	for _, one := range slaves {
		switch f := one.face.(type) {
		case *registers:
			s.taken = append(s.taken, f.unit)
		case *meterMBus:
			primary = append(primary, f.primary)
		}
	}
	out := map[profile.Protocol]language{}
	for _, one := range slaves {
		switch one.face.protocol() {
		case profile.Modbus:
			out[profile.Modbus] = rtu{s}
			if modbusASCII {
				out[profile.Modbus] = ascii{s}
			}
		case profile.DLT645:
			out[profile.DLT645] = lang645{}
		case profile.CJT188:
			out[profile.CJT188] = lang188{}
		case profile.MBus:
			out[profile.MBus] = langMBus{taken: primary}
		}
	}
	return out
}
