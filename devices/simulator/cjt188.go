package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"gengfu/devices/profile"
	"gengfu/facility"
)

// The bytes of a CJ/T 188 frame (CJ/T 188-2004, 6.2; 2018, 6.3).
const (
	start188 = 0x68
	end188   = 0x16

	readData188, readAddress188, readKey188 = 0x01, 0x03, 0x09

	reply188   = 0x80
	refused188 = 0x40
)

// lang188 is CJ/T 188. A payload is the type, the address, the control code and the
// data.
type lang188 struct{}

func (lang188) look(buf []byte, _ bool) (sight, []byte, int) {
	const kind, control, length = 1, 9, 10
	known := []byte{readData188, readAddress188, readKey188, 0x04, 0x15, 0x16}
	switch {
	case buf[0] != start188,
		len(buf) > kind && buf[kind] != anyDigits && (buf[kind] < 0x10 || buf[kind] > 0x49),
		len(buf) > control && !slices.Contains(known, buf[control]):
		return nothing, nil, 0
	case len(buf) <= length || len(buf) < int(buf[length])+13:
		return begun, nil, 0
	}
	n := int(buf[length]) + 13
	if buf[n-1] != end188 || sum(buf[:n-2]) != buf[n-2] {
		return nothing, nil, 0
	}
	return whole, append(slices.Clone(buf[kind:length]), buf[length+1:n-2]...), n
}

// head188 is the payload without its data.
const head188 = 9

func (lang188) wrap(payload []byte, spoilt bool) []byte {
	data := payload[head188:]
	frame := append([]byte{start188}, payload[:head188]...)
	frame = append(append(frame, byte(len(data))), data...)
	return append(frame, spoil(sum(frame), spoilt), end188)
}

func (l lang188) stranger(request, reply []byte, dice *rand.Rand) (theirRequest, theirReply []byte) {
	theirRequest, theirReply = slices.Clone(request), slices.Clone(reply)
	address := theirReply[1 : head188-1]
	randomDigits(address, dice.IntN)
	copy(theirRequest[1:], address)
	if digits := theirReply[head188:]; len(digits) > 7 {
		randomDigits(digits[3:7], dice.IntN) // behind identifier and serial number
	}
	return l.wrap(theirRequest, false), l.wrap(theirReply, false)
}

// field188 is one value in the body of a reply: digits with the code of their
// unit, digits alone when that is 0, or a clock or status word.
type field188 struct {
	name     string
	bytes    int
	decimals int
	code     byte
}

const (
	clock188  = "clock"
	status188 = "status"
)

// body188 returns the body of a reply (CJ/T 188-2004, 7.5), nil for an identifier
// that a meter of the type does not have.
func body188(kind byte, di uint16) []field188 {
	const kWh, kW, m3h, m3 = 0x05, 0x17, 0x35, 0x2C
	heat := kind&0xF0 == 0x20
	switch {
	case di == 0x901F && heat:
		return []field188{
			{"settled_heat_energy", 4, 2, kWh},
			{"heat_energy", 4, 2, kWh},
			{"heat_power", 4, 2, kW},
			{"flow", 4, 4, m3h},
			{"volume", 4, 2, m3},
			{"supply_temperature", 3, 2, 0},
			{"return_temperature", 3, 2, 0},
			{"working_time", 3, 0, 0},
			{name: clock188},
			{name: status188},
		}
	case di == 0x901F:
		return []field188{{"volume", 4, 2, m3}, {"settled_volume", 4, 2, m3}, {name: clock188}, {name: status188}}
	case di >= 0xD120 && di <= 0xD12B && !heat:
		return []field188{{fmt.Sprintf("volume_settled_%d", di-0xD120+1), 4, 2, m3}}
	}
	return nil
}

// meter188 is a water, heat or gas meter.
type meter188 struct {
	kind    byte
	address []byte
	dialect profile.Dialect
	values  map[string]float64
}

func newMeter188(p profile.Profile, address string) (face, string, error) {
	b, name, err := addressBytes(address, 7)
	if err != nil {
		return nil, "", err
	}
	m := &meter188{address: b, values: map[string]float64{}, kind: 0x10}
	if p.CJT188 != nil {
		m.dialect = *p.CJT188
	}
	if kind, err := strconv.ParseUint(m.dialect.Type, 16, 8); err == nil {
		m.kind = byte(kind)
	} else if slices.ContainsFunc(p.Points, func(pt profile.Point) bool { return strings.Contains(pt.Value, "heat") }) {
		m.kind = 0x20
	}
	for _, pt := range p.Points {
		if _, err := m.field(pt); err != nil {
			return nil, "", err
		}
		m.values[pt.Value] = 0
	}
	return m, name, nil
}

func (m *meter188) field(pt profile.Point) (field188, error) {
	di, err := strconv.ParseUint(pt.Item, 16, 16)
	if err != nil {
		return field188{}, fmt.Errorf("point %s: %q is no data identifier", pt.ID, pt.Item)
	}
	for _, f := range body188(m.kind, uint16(di)) {
		if f.name == pt.Value {
			return f, nil
		}
	}
	return field188{}, fmt.Errorf("point %s: the item %s of a meter of type %02X has no value %q", pt.ID, pt.Item, m.kind, pt.Value)
}

func (m *meter188) protocol() profile.Protocol { return profile.CJT188 }

// preamble differs from maker to maker, 2 to 4.
func (m *meter188) preamble() int { return 2 + int(m.address[0]&0x0F)%3 }

func (m *meter188) set(pt profile.Point, value float64) error {
	f, err := m.field(pt)
	if err != nil {
		return err
	}
	raw, err := merge(pt, value, m.values[f.name])
	if err != nil {
		return err
	}
	if f.bytes > 0 {
		if _, err := putDigits(counted(raw, f.decimals), f.bytes); err != nil {
			return fmt.Errorf("%s: %w", pt.ID, err)
		}
	}
	m.values[f.name] = raw
	return nil
}

func (m *meter188) get(pt profile.Point) (float64, error) {
	f, err := m.field(pt)
	if err != nil {
		return 0, err
	}
	value, _, reason := pt.Finish(shown(counted(m.values[f.name], f.decimals), f.decimals), facility.Good, "")
	return value, because(reason)
}

func (m *meter188) attends(request []byte) (attends, replies bool) {
	kind, address, control := request[0], request[1:head188-1], request[head188-1]
	if slices.Equal(address, slices.Repeat([]byte{0x99}, len(address))) {
		return true, false
	}
	attends = control&reply188 == 0 && (kind == anyDigits || kind == m.kind) && covers(address, m.address)
	return attends, attends
}

// identifier reads the two bytes in either order; the high byte of all identifiers
// is above the low one of those that it could be taken for.
func (m *meter188) identifier(data []byte) (di uint16, ok bool) {
	high := uint16(data[0])<<8 | uint16(data[1])
	low := uint16(data[1])<<8 | uint16(data[0])
	known := func(di uint16) bool { return di == 0x810A || di == 0x907F || body188(m.kind, di) != nil }
	switch {
	case known(high) && m.dialect.Order != profile.LowFirst:
		return high, true
	case known(low) && m.dialect.Order != profile.HighFirst:
		return low, true
	}
	return 0, false
}

func (m *meter188) says(control byte, data []byte) []byte {
	return append(append(append([]byte{m.kind}, m.address...), control), data...)
}

func (m *meter188) refuse(request []byte, f Fault) []byte {
	const header = 3
	var serial byte
	if data := request[head188:]; len(data) >= header {
		serial = data[header-1]
	}
	return m.says(request[head188-1]|reply188|refused188, []byte{m.serial(serial), f.Code, 0})
}

// serial is what the meter answers to a serial number.
func (m *meter188) serial(asked byte) byte {
	if m.dialect.AnySerial {
		return 0
	}
	return asked
}

// respond gives what was asked for, and silence for an identifier that is not
// understood, as such meters do.
func (m *meter188) respond(request []byte) []byte {
	control, data := request[head188-1], request[head188:]
	if len(data) < 3 || control != readData188 && control != readAddress188 {
		return m.refuse(request, Fault{})
	}
	di, ok := m.identifier(data)
	if !ok {
		return nil
	}
	head := append(slices.Clone(data[:2]), m.serial(data[2]))
	if control == readAddress188 {
		return m.says(control|reply188, head)
	}
	body := body188(m.kind, di)
	if body == nil {
		return m.refuse(request, Fault{})
	}
	for _, f := range body {
		head = append(head, m.encode(f, time.Now())...)
	}
	return m.says(control|reply188, head)
}

func (m *meter188) encode(f field188, now time.Time) []byte {
	value := m.values[f.name]
	switch f.name {
	case status188:
		return []byte{byte(uint64(value)), byte(uint64(value) >> 8)}
	case clock188:
		return []byte{
			digitPair(now.Second()), digitPair(now.Minute()), digitPair(now.Hour()),
			digitPair(now.Day()), digitPair(int(now.Month())), digitPair(now.Year()), digitPair(now.Year() / 100),
		}
	}
	digits, err := putDigits(counted(value, f.decimals), f.bytes)
	switch {
	case err != nil: // it was tried when it was set
		digits = slices.Repeat([]byte{0xFF}, f.bytes)
	case f.code == 0:
		return digits
	}
	if m.dialect.UnitFirst {
		return append([]byte{f.code}, digits...)
	}
	return append(digits, f.code)
}
