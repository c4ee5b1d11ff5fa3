package profile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"gengfu/facility"
)

// String is the type of a mark that is text: ASCII, two characters in a register,
// the high byte first, filled up with zeros or blanks. A text cannot be a reading,
// so no point has this type.
const String = "string"

// Mark is what tells a model from others: registers that its maker documents as
// the identity of the model, or the medium that an M-Bus meter names. It is read by
// a request of its own, of exactly its registers: in some meters a longer read gives
// something else there. A device that shows all marks of a model is of it, one that
// shows something else is not; one that refuses the request may still be an older
// one of the model.
type Mark struct {
	Table   Table   `yaml:"table"`
	Address int     `yaml:"address"` // 0-based, as on the wire
	Type    string  `yaml:"type"`    // u16 i16 u32 i32 u64 i64, or string
	Order   string  `yaml:"order"`   // of bytes, as of a point
	Length  int     `yaml:"length"`  // registers of a string
	Equals  *int64  `yaml:"equals"`
	OneOf   []int64 `yaml:"one_of"`
	Text    string  `yaml:"text"`   // of a string; "*" at its end stands for any rest
	Medium  []int   `yaml:"medium"` // of an M-Bus meter, one of these; it has no register then
}

// Words returns how many registers the mark takes; 0 for a medium.
func (m Mark) Words() int {
	if m.Type == String {
		return m.Length
	}
	if m.Table == "" {
		return 0
	}
	return m.point().Words()
}

// Matches reports whether the registers, in the order of their addresses, are
// those of the model.
func (m Mark) Matches(words []uint16) bool {
	if n := m.Words(); n == 0 || n != len(words) {
		return false
	}
	if m.Type == String {
		return m.matchesText(textOf(words))
	}
	return slices.Contains(m.numbers(), m.point().raw(words).integer)
}

// MatchesMedium reports whether the medium of an M-Bus meter is that of the model.
func (m Mark) MatchesMedium(medium byte) bool { return slices.Contains(m.Medium, int(medium)) }

// Shown returns the registers of a device of the model; none for a medium.
func (m Mark) Shown() []uint16 {
	words := make([]uint16, m.Words())
	if m.Type == String {
		b := make([]byte, 2*len(words))
		copy(b, strings.TrimSuffix(m.Text, "*"))
		for i := range words {
			words[i] = binary.BigEndian.Uint16(b[2*i:])
		}
		return words
	}
	if numbers := m.numbers(); len(words) > 0 && len(numbers) > 0 {
		m.point().split(uint64(numbers[0]), words)
	}
	return words
}

func (m Mark) point() Point { return Point{Table: m.Table, Type: m.Type, Order: m.Order} }

func (m Mark) numbers() []int64 {
	if m.Equals != nil {
		return append([]int64{*m.Equals}, m.OneOf...)
	}
	return m.OneOf
}

func (m Mark) matchesText(s string) bool {
	if prefix, ok := strings.CutSuffix(m.Text, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return s == m.Text
}

// textOf reads ASCII without what fills it up.
func textOf(words []uint16) string {
	var b []byte
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	b, _, _ = bytes.Cut(b, []byte{0})
	return strings.TrimSpace(string(b))
}

func (m Mark) check(speaks Protocol) []facility.Problem {
	var c checker
	switch {
	case speaks == MBus:
		m.checkMedium(&c)
	case speaks != Modbus:
		c.bad("table", "Only registers of Modbus and the medium of M-Bus tell a model.", "Leave identify out.")
	case len(m.Medium) > 0:
		c.bad("medium", "Only meters of M-Bus have a medium.", "Leave medium out.")
	default:
		m.checkRegisters(&c)
	}
	return c.problems
}

func (m Mark) checkMedium(c *checker) {
	if len(m.Medium) == 0 || m.Table != "" || m.Type != "" {
		c.bad("medium", "Meters of M-Bus are told by their medium.", "Write medium: [0x06, 0x07], and nothing else.")
	}
	for _, v := range m.Medium {
		if v < 0 || v > 0xFF {
			c.bad("medium", fmt.Sprintf("%d is not a medium.", v), "Write 0 to 0xFF.")
		}
	}
}

func (m Mark) checkRegisters(c *checker) {
	if m.Table != Holding && m.Table != Input {
		c.bad("table", fmt.Sprintf("No model is told by a table %q.", m.Table), "Write holding (03) or input (04).")
		return
	}
	if !slices.Contains([]string{"", ABCD, CDAB, BADC, DCBA}, m.Order) {
		c.bad("order", fmt.Sprintf("%q is not an order of bytes.", m.Order), "Write ABCD, CDAB, BADC or DCBA.")
	}
	if last := m.Address + max(m.Words(), 1) - 1; m.Address < 0 || last > 0xFFFF {
		c.bad("address", fmt.Sprintf("Address %d with %d registers is outside 0 to 65535.", m.Address, m.Words()), "Write the address as on the wire.")
	}
	if m.Type == String {
		m.checkString(c)
		return
	}
	if !slices.Contains([]string{U16, I16, U32, I32, U64, I64}, m.Type) {
		c.bad("type", fmt.Sprintf("%q is not a type of mark.", m.Type), "Write u16, i16, u32, i32, u64, i64 or string.")
		return
	}
	if m.Text != "" || m.Length != 0 {
		c.bad("text", "A number has no text and no length.", "Write type: string, or equals.")
	}
	if len(m.numbers()) == 0 {
		c.bad("equals", "It is not said which number tells the model.", "Write equals: 112, or one_of: [112, 113].")
	}
	for _, n := range m.numbers() {
		if shown := (Mark{Table: m.Table, Type: m.Type, Order: m.Order, Equals: &n}); !shown.Matches(shown.Shown()) {
			c.bad("equals", fmt.Sprintf("%d does not fit %s.", n, m.Type), "Write the number as the type reads it.")
		}
	}
}

func (m Mark) checkString(c *checker) {
	if m.Length < 1 || m.Length > MaxRegisters {
		c.bad("length", fmt.Sprintf("A text of %d registers is not possible.", m.Length), "Write 1 to 125.")
		return
	}
	if m.Order != "" && m.Order != ABCD {
		c.bad("order", "A text has no order of bytes.", "Leave order out.")
	}
	if m.Equals != nil || len(m.OneOf) > 0 {
		c.bad("equals", "A text does not equal a number.", "Write text: with the name that the device shows.")
	}
	plain := strings.TrimSuffix(m.Text, "*")
	ascii := !strings.ContainsFunc(plain, func(r rune) bool { return r < 0x20 || r > 0x7E })
	if plain == "" || len(plain) > 2*m.Length || !ascii || strings.TrimSpace(plain) != plain {
		c.bad("text", fmt.Sprintf("%q cannot stand in %d registers.", m.Text, m.Length), fmt.Sprintf("Write 1 to %d ASCII characters without blanks around them; * at the end stands for any rest.", 2*m.Length))
	}
}
