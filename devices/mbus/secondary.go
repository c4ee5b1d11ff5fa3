package mbus

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Secondary is the secondary address of a meter as it stands on the wire: four
// bytes of digits, the low byte first, the maker, the version and the medium. A digit
// F, a maker FFFF, a version FF and a medium FF stand for any.
type Secondary [8]byte

// ParseSecondary reads the number on the meter, up to eight digits, with F for any
// digit; leading zeros may be left out. Sixteen hex digits are the number and then
// maker, version and medium as they stand on the wire, as other M-Bus tools show
// them.
func ParseSecondary(s string) (Secondary, error) {
	const full = 16
	number, rest := s, "FFFFFFFF"
	if len(s) == full {
		number, rest = s[:8], s[8:]
	}
	if number == "" || len(number) > 8 || strings.Trim(strings.ToUpper(number), "0123456789F") != "" {
		return Secondary{}, fmt.Errorf("secondary address %q: want up to 8 digits, F for any, or 16 hex digits", s)
	}
	b, err := hex.DecodeString(strings.Repeat("0", 8-len(number)) + number + rest)
	if err != nil {
		return Secondary{}, fmt.Errorf("secondary address %q: want up to 8 digits, F for any, or 16 hex digits", s)
	}
	slices.Reverse(b[:4])
	return Secondary(b), nil
}

// String returns the sixteen hex digits that ParseSecondary reads.
func (s Secondary) String() string { return fmt.Sprintf("%X%X", reversed(s[:4]), s[4:]) }

func reversed(b []byte) []byte {
	out := slices.Clone(b)
	slices.Reverse(out)
	return out
}

// Covers reports whether a meter with the other address answers to this one.
func (s Secondary) Covers(other Secondary) bool {
	for i := range 4 {
		low, high := s[i]&0x0F, s[i]>>4
		if low != 0x0F && low != other[i]&0x0F || high != 0x0F && high != other[i]>>4 {
			return false
		}
	}
	const anyMaker = 0xFFFF
	maker := binary.LittleEndian.Uint16(s[4:])
	return (maker == anyMaker || maker == binary.LittleEndian.Uint16(other[4:])) &&
		(s[6] == 0xFF || s[6] == other[6]) && (s[7] == 0xFF || s[7] == other[7])
}

// UnmarshalText reads an address as ParseSecondary does.
func (s *Secondary) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSecondary(string(b))
	return err
}

// MarshalText writes the sixteen hex digits.
func (s Secondary) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Number returns the eight digits of the meter's number.
func (s Secondary) Number() string { return fmt.Sprintf("%X", reversed(s[:4])) }

// Maker returns the three letters of the maker (EN 62056-21).
func (s Secondary) Maker() string {
	code := binary.LittleEndian.Uint16(s[4:])
	letter := func(shift int) byte { return byte(code>>shift&0x1F) + 'A' - 1 }
	return string([]byte{letter(10), letter(5), letter(0)})
}

// Version returns the generation of the meter.
func (s Secondary) Version() byte { return s[6] }

// Medium returns what the meter measures.
func (s Secondary) Medium() Medium { return Medium(s[7]) }

// Medium is what a meter measures (EN 13757-3, table 3).
type Medium byte

func (m Medium) String() string {
	names := map[Medium]string{
		0x00: "other", 0x01: "oil", 0x02: "electricity", 0x03: "gas", 0x04: "heat, outlet", 0x05: "steam", 0x06: "hot water",
		0x07: "water", 0x08: "heat cost", 0x0A: "cooling, outlet", 0x0B: "cooling, inlet", 0x0C: "heat, inlet",
		0x0D: "heat and cooling", 0x15: "hot water above 90 °C", 0x16: "cold water",
	}
	if name, ok := names[m]; ok {
		return name
	}
	return fmt.Sprintf("medium %02X", byte(m))
}
