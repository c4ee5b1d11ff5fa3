package simulator

import (
	"fmt"
	"slices"
)

// element is one value of a DL/T 645 item. The low byte comes first in all kinds:
// "number" is decimal digits, "signed" has its sign in the highest bit, "word" is
// binary, "time" is ss mm hh as seconds of the day.
type element struct {
	name     string
	kind     string
	bytes    int
	decimals int
	stamped  bool // five bytes of time follow: when a demand was
}

func (e element) length() int {
	if e.stamped {
		return e.bytes + 5
	}
	return e.bytes
}

func (e element) encode(value float64) ([]byte, error) {
	steps := counted(value, e.decimals)
	var b []byte
	var err error
	switch e.kind {
	case "word":
		b = make([]byte, e.bytes)
		for i := range b {
			b[i] = byte(uint64(value) >> (8 * i))
		}
	case "time":
		s := int(value)
		b = []byte{digitPair(s % 60), digitPair(s / 60 % 60), digitPair(s / 3600)}
	case "signed":
		if b, err = putDigits(max(steps, -steps), e.bytes); err == nil && b[e.bytes-1]&0x80 != 0 {
			err = fmt.Errorf("%d bytes of digits with a sign cannot hold %v", e.bytes, value)
		}
		if err == nil && steps < 0 {
			b[e.bytes-1] |= 0x80
		}
	default:
		b, err = putDigits(steps, e.bytes)
	}
	if e.stamped {
		b = append(b, 0x30, 0x18, 0x15, 0x06, 0x26) // 2026-06-15 18:30
	}
	return b, err
}

// must encodes a value that was tried when it was set.
func (e element) must(value float64) []byte {
	b, err := e.encode(value)
	if err != nil {
		return slices.Repeat([]byte{0xFF}, e.length())
	}
	return b
}

// rounded returns the value that is read back.
func (e element) rounded(value float64) float64 {
	if e.kind == "word" || e.kind == "time" {
		return value
	}
	return shown(counted(value, e.decimals), e.decimals)
}

// series numbers the elements of an item: from the code first, with what each adds
// to the name.
type series struct {
	first byte
	names []string
}

var (
	abc      = series{1, []string{"_a", "_b", "_c"}}
	totalABC = series{0, []string{"", "_a", "_b", "_c"}}
	tariff63 = numbered(63)
	tariff14 = numbered(14)
)

func numbered(most int) series {
	s := series{names: []string{""}}
	for i := 1; i <= most; i++ {
		s.names = append(s.names, fmt.Sprintf("_t%d", i))
	}
	return s
}

// pick returns the elements that a code means: one of them, or all with the code of
// the block.
func (s series) pick(e element, base string, code, block byte) (out []element) {
	for i, add := range s.names {
		if code == block || int(code) == int(s.first)+i {
			e.name = base + add
			out = append(out, e)
		}
	}
	return out
}

func number(bytes, decimals int) element {
	return element{kind: "number", bytes: bytes, decimals: decimals}
}

func signed(bytes, decimals int) element {
	return element{kind: "signed", bytes: bytes, decimals: decimals}
}

// entry is a row of annex A.
type entry struct {
	name string
	element
	series
}

// The energies, the demands and what flows now, by the two highest bytes of the
// identifier (DL/T 645-2007, table A.1 to A.3).
func entry2007(class uint16) (entry, bool) {
	demand := func(e element) element { e.stamped = true; return e }
	e, ok := map[uint16]entry{
		0x0000: {"active_energy", signed(4, 2), tariff63},
		0x0001: {"forward_active_energy", number(4, 2), tariff63},
		0x0002: {"reverse_active_energy", number(4, 2), tariff63},
		0x0003: {"reactive_energy_1", signed(4, 2), tariff63},
		0x0004: {"reactive_energy_2", signed(4, 2), tariff63},
		0x0005: {"reactive_energy_q1", number(4, 2), tariff63},
		0x0006: {"reactive_energy_q2", number(4, 2), tariff63},
		0x0007: {"reactive_energy_q3", number(4, 2), tariff63},
		0x0008: {"reactive_energy_q4", number(4, 2), tariff63},
		0x0009: {"forward_apparent_energy", number(4, 2), tariff63},
		0x000A: {"reverse_apparent_energy", number(4, 2), tariff63},
		0x0015: {"forward_active_energy_a", number(4, 2), series{0, []string{""}}},
		0x0029: {"forward_active_energy_b", number(4, 2), series{0, []string{""}}},
		0x003D: {"forward_active_energy_c", number(4, 2), series{0, []string{""}}},
		0x0016: {"reverse_active_energy_a", number(4, 2), series{0, []string{""}}},
		0x002A: {"reverse_active_energy_b", number(4, 2), series{0, []string{""}}},
		0x003E: {"reverse_active_energy_c", number(4, 2), series{0, []string{""}}},
		0x0101: {"forward_active_demand", demand(number(3, 4)), tariff63},
		0x0102: {"reverse_active_demand", demand(number(3, 4)), tariff63},
		0x0103: {"reactive_demand_1", demand(signed(3, 4)), tariff63},
		0x0104: {"reactive_demand_2", demand(signed(3, 4)), tariff63},
		0x0105: {"reactive_demand_q1", demand(number(3, 4)), tariff63},
		0x0106: {"reactive_demand_q2", demand(number(3, 4)), tariff63},
		0x0107: {"reactive_demand_q3", demand(number(3, 4)), tariff63},
		0x0108: {"reactive_demand_q4", demand(number(3, 4)), tariff63},
		0x0201: {"voltage", number(2, 1), abc},
		0x0202: {"current", signed(3, 3), abc},
		0x0203: {"active_power", signed(3, 4), totalABC},
		0x0204: {"reactive_power", signed(3, 4), totalABC},
		0x0205: {"apparent_power", signed(3, 4), totalABC},
		0x0206: {"power_factor", signed(2, 3), totalABC},
		0x0207: {"phase_angle", number(2, 1), abc},
	}[class]
	return e, ok
}

// The items that stand alone.
func single2007(di uint32) (element, bool) {
	e, ok := map[uint32]element{
		0x02800001: {"neutral_current", "signed", 3, 3, false},
		0x02800002: {"frequency", "number", 2, 2, false},
		0x02800003: {"mean_active_power", "signed", 3, 4, false},
		0x02800004: {"present_active_demand", "signed", 3, 4, false},
		0x02800007: {"temperature", "signed", 2, 1, false},
		0x02800008: {"clock_battery_voltage", "number", 2, 2, false},
		0x02800009: {"meter_battery_voltage", "number", 2, 2, false},
		0x0280000A: {"battery_time", "number", 4, 0, false},
		0x03110000: {"power_off_count", "number", 3, 0, false},
		0x03300000: {"programming_count", "number", 3, 0, false},
		0x03300200: {"demand_clear_count", "number", 3, 0, false},
		0x03300400: {"time_set_count", "number", 3, 0, false},
		0x03300D00: {"cover_open_count", "number", 3, 0, false},
		0x03300E00: {"terminal_cover_open_count", "number", 3, 0, false},
		0x04000102: {"clock_time", "time", 3, 0, false},
	}[di]
	return e, ok
}

// items2007 returns the elements behind an identifier of 2007.
func items2007(di uint32) []element {
	const block = 0xFF
	if e, ok := single2007(di); ok {
		return []element{e}
	}
	if di&0xFFFFFF00 == 0x04000500 {
		words := series{1, []string{"_1", "_2", "_3", "_4", "_5", "_6", "_7"}}
		return words.pick(element{kind: "word", bytes: 2}, "status_word", byte(di), block)
	}
	last := byte(di)
	for class, name := range map[uint32]string{0x050601: "forward_active_energy", 0x050602: "reverse_active_energy"} {
		if di>>8 == class && last >= 1 && last <= 62 {
			return tariff63.pick(number(4, 2), fmt.Sprintf("%s_day_%d", name, last), block, block)
		}
	}
	e, ok := entry2007(uint16(di >> 16))
	if !ok || last > 12 || di>>24 == 2 && last > 0 {
		return nil
	}
	base := e.name
	if last > 0 {
		base += fmt.Sprintf("_settled_%d", last)
	}
	return e.pick(e.element, base, byte(di>>8), block)
}

// items1997 returns the elements behind an identifier of 1997.
func items1997(di uint16) []element {
	const block = 0x0F
	period := ""
	class := di &^ 0x000F
	if high := di >> 8; high == 0x94 || high == 0x95 {
		period, class = "_settled_1", class-0x0400
	}
	e, ok := map[uint16]entry{
		0x9010: {"forward_active_energy", number(4, 2), tariff14},
		0x9020: {"reverse_active_energy", number(4, 2), tariff14},
		0x9110: {"forward_reactive_energy", number(4, 2), tariff14},
		0x9120: {"reverse_reactive_energy", number(4, 2), tariff14},
		0x9130: {"reactive_energy_q1", number(4, 2), tariff14},
		0x9140: {"reactive_energy_q4", number(4, 2), tariff14},
		0x9150: {"reactive_energy_q2", number(4, 2), tariff14},
		0x9160: {"reactive_energy_q3", number(4, 2), tariff14},
		0xB610: {"voltage", number(2, 0), abc},
		0xB620: {"current", number(2, 2), abc},
		0xB630: {"active_power", number(3, 4), totalABC},
		0xB640: {"reactive_power", number(2, 2), totalABC},
		0xB650: {"power_factor", number(2, 3), totalABC},
		0xC010: {"clock_time", element{kind: "time", bytes: 3}, series{1, []string{""}}},
	}[class]
	if !ok {
		return nil
	}
	return e.pick(e.element, e.name+period, byte(di&0x0F), block)
}
