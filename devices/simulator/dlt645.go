package simulator

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gengfu/devices/profile"
	"gengfu/facility"
)

// The bytes of a DL/T 645 frame, and the control codes of both editions (DL/T
// 645-2007, 5.2 and 7.1; DL/T 645-1997, 6).
const (
	start645  = 0x68
	end645    = 0x16
	offset645 = 0x33

	read1997, following1997             = 0x01, 0x02
	read2007, following2007, askAddress = 0x11, 0x12, 0x13

	reply645   = 0x80
	refused645 = 0x40
	more645    = 0x20

	otherError645 = 0x01
	noData645     = 0x02

	mostData645 = 200
)

// lang645 is DL/T 645. A payload is the address, the control code and the data as
// they are meant.
type lang645 struct{}

func (lang645) look(buf []byte, _ bool) (sight, []byte, int) {
	const second, control, length = 7, 8, 9
	switch {
	case buf[0] != start645 || len(buf) > second && buf[second] != start645:
		return nothing, nil, 0
	case len(buf) <= length || len(buf) < int(buf[length])+12:
		return begun, nil, 0
	}
	n := int(buf[length]) + 12
	if buf[n-1] != end645 || sum(buf[:n-2]) != buf[n-2] {
		return nothing, nil, 0
	}
	payload := append(slices.Clone(buf[1:second]), buf[control])
	for _, b := range buf[length+1 : n-2] {
		payload = append(payload, b-offset645)
	}
	return whole, payload, n
}

func (lang645) wrap(payload []byte, spoilt bool) []byte {
	address, control, data := payload[:6], payload[6], payload[7:]
	frame := append([]byte{start645}, address...)
	frame = append(frame, start645, control, byte(len(data)))
	for _, b := range data {
		frame = append(frame, b+offset645)
	}
	return append(frame, spoil(sum(frame), spoilt), end645)
}

func (l lang645) stranger(request, reply []byte, dice *rand.Rand) (theirRequest, theirReply []byte) {
	theirRequest, theirReply = slices.Clone(request), slices.Clone(reply)
	randomDigits(theirReply[:6], dice.IntN)
	copy(theirRequest, theirReply[:6])
	if values := 7 + identifierBytes(request[6]); len(theirReply) > values {
		randomDigits(theirReply[values:], dice.IntN)
	}
	return l.wrap(theirRequest, false), l.wrap(theirReply, false)
}

func identifierBytes(control byte) int {
	switch control {
	case read1997, following1997:
		return 2
	case read2007, following2007:
		return 4
	}
	return 0
}

// meter645 is an electricity meter.
type meter645 struct {
	address []byte
	name    string
	values  map[string]float64 // by the name of the element, as the item has them
	custom  map[uint32]element // items of the maker's own
	rest    []byte             // of a long item, what is still to be asked for
	restOf  uint32
	part    byte
	most    int // bytes of data in a frame
}

func newMeter645(p profile.Profile, address string) (face, string, error) {
	b, name, err := addressBytes(address, 6)
	if err != nil {
		return nil, "", err
	}
	m := &meter645{address: b, name: name, values: map[string]float64{}, custom: map[uint32]element{}, most: mostData645}
	for _, pt := range p.Points {
		e, err := m.element(pt)
		if err != nil {
			return nil, "", err
		}
		m.values[e.name] = 0
	}
	return m, name, nil
}

// element returns where a point stands.
func (m *meter645) element(pt profile.Point) (element, error) {
	var code uint32
	if _, err := fmt.Sscanf(pt.Item, "%X", &code); err != nil || len(pt.Item) != 8 && len(pt.Item) != 4 {
		return element{}, fmt.Errorf("point %s: %q is no data identifier", pt.ID, pt.Item)
	}
	if pt.Format != "" {
		e := element{name: "item_" + strings.ToLower(pt.Item)}
		if _, err := fmt.Sscan(pt.Format, &e.kind, &e.bytes, &e.decimals); err != nil && e.bytes == 0 {
			return element{}, fmt.Errorf("point %s: format %q: %w", pt.ID, pt.Format, err)
		}
		m.custom[code] = e
		return e, nil
	}
	elements := items2007(code)
	if len(pt.Item) == 4 {
		elements = items1997(uint16(code))
	}
	for _, e := range elements {
		if pt.Value == e.name || pt.Value == "" && len(elements) == 1 {
			return e, nil
		}
	}
	return element{}, fmt.Errorf("point %s: the item %s has no value %q", pt.ID, pt.Item, pt.Value)
}

func (m *meter645) protocol() profile.Protocol { return profile.DLT645 }

// preamble differs from maker to maker.
func (m *meter645) preamble() int { return int(m.address[0]&0x0F) % 5 }

func (m *meter645) set(pt profile.Point, value float64) error {
	e, err := m.element(pt)
	if err != nil {
		return err
	}
	raw, err := merge(pt, value, m.values[e.name])
	if err != nil {
		return err
	}
	if _, err := e.encode(raw); err != nil {
		return fmt.Errorf("%s: %w", pt.ID, err)
	}
	m.values[e.name] = raw
	return nil
}

func (m *meter645) get(pt profile.Point) (float64, error) {
	e, err := m.element(pt)
	if err != nil {
		return 0, err
	}
	value, _, reason := pt.Finish(e.rounded(m.values[e.name]), facility.Good, "")
	return value, because(reason)
}

// merge returns the raw value of a point; bits are put into the word that is there.
func merge(pt profile.Point, value, word float64) (float64, error) {
	raw, err := pt.Raw(value)
	if err != nil || pt.Bit == nil {
		return raw, err
	}
	mask := (uint64(1)<<max(pt.Width, 1) - 1) << *pt.Bit
	return float64(uint64(word)&^mask | uint64(raw)), nil
}

func (m *meter645) attends(request []byte) (attends, replies bool) {
	const broadcast = 0x99
	if slices.Equal(request[:6], slices.Repeat([]byte{broadcast}, 6)) {
		return true, false
	}
	attends = request[6]&reply645 == 0 && covers(request[:6], m.address)
	return attends, attends
}

func (m *meter645) says(control byte, data []byte) []byte {
	return append(append(slices.Clone(m.address), control), data...)
}

func (m *meter645) refuse(request []byte, f Fault) []byte {
	code := f.Code
	if code == 0 {
		code = otherError645
	}
	return m.says(request[6]|reply645|refused645, []byte{code})
}

func (m *meter645) respond(request []byte) []byte {
	control, data := request[6], request[7:]
	size := identifierBytes(control)
	switch {
	case control == askAddress && len(data) == 0:
		return m.says(askAddress|reply645, m.address)
	case size == 0 || len(data) < size:
		return m.refuse(request, Fault{})
	}
	var wide [4]byte
	copy(wide[:], data[:size])
	di := binary.LittleEndian.Uint32(wide[:])
	switch {
	case control == read2007 || control == read1997:
		m.rest, m.restOf, m.part = m.item(di, size == 2), di, 0
	case m.restOf != di || control == following2007 && (len(data) != size+1 || data[size] != m.part):
		m.rest = nil
	}
	if len(m.rest) == 0 {
		return m.refuse(request, Fault{Code: noData645})
	}
	return m.next(control, data[:size])
}

// next sends as much of the item as a frame holds.
func (m *meter645) next(control byte, di []byte) []byte {
	fits := m.most - len(di) - 1
	data := slices.Clone(di)
	say := control | reply645
	if len(m.rest) > fits {
		say |= more645
	}
	n := min(fits, len(m.rest))
	data, m.rest = append(data, m.rest[:n]...), m.rest[n:]
	if control == following2007 {
		data = append(data, m.part)
	}
	m.part++
	return m.says(say, data)
}

// item returns the data of an item, nil when the meter does not have it. A block
// ends with the last element that the meter has.
func (m *meter645) item(di uint32, old bool) []byte {
	if e, ok := m.custom[di]; ok {
		return e.must(m.values[e.name])
	}
	elements := items2007(di)
	if old {
		elements = items1997(uint16(di))
	}
	last := -1
	for i, e := range elements {
		if _, ok := m.values[e.name]; ok {
			last = i
		}
	}
	if last < 0 {
		return m.identity(di, old, time.Now())
	}
	var data []byte
	for _, e := range elements[:last+1] {
		value, ok := m.values[e.name]
		if !ok {
			data = append(data, slices.Repeat([]byte{0xFF}, e.length())...) // it has no value
			continue
		}
		data = append(data, e.must(value)...)
	}
	return data
}

// identity returns what every meter knows of itself.
func (m *meter645) identity(di uint32, old bool, now time.Time) []byte {
	two := func(n ...int) (out []byte) {
		for _, v := range n {
			out = append(out, digitPair(v))
		}
		return out
	}
	switch {
	case !old && (di == 0x04000401 || di == 0x04000402), old && di == 0xC032:
		return slices.Clone(m.address)
	case !old && di == 0x04000101, old && di == 0xC010:
		return two(int(now.Weekday()), now.Day(), int(now.Month()), now.Year())
	case !old && di == 0x04000102, old && di == 0xC011:
		return two(now.Second(), now.Minute(), now.Hour())
	}
	return nil
}
