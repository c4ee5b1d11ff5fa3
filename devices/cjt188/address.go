package cjt188

import (
	"fmt"
	"slices"
	"strings"
)

// Address is the address of a meter as it stands on the wire: seven bytes of two
// decimal digits, the low byte first. The last two are the maker's code.
type Address [7]byte

// The bytes that stand for no meter of their own.
const (
	wildcard  = 0xAA
	broadcast = 0x99
)

// Any returns the address that every meter answers to. With more than one meter on
// the line their answers collide.
func Any() Address {
	return Address{wildcard, wildcard, wildcard, wildcard, wildcard, wildcard, wildcard}
}

// ParseAddress reads the address that stands on the meter, up to fourteen digits;
// leading zeros may be left out. Two of the letter A, in an even place, stand for
// any two digits. The address of all nines is refused, because no meter answers a
// broadcast.
func ParseAddress(s string) (Address, error) {
	if s == "" || len(s) > 14 {
		return Address{}, fmt.Errorf("meter address %q: want 1 to 14 digits", s)
	}
	var a Address
	padded := strings.Repeat("0", 14-len(s)) + strings.ToUpper(s)
	for i := range a {
		two := padded[12-2*i : 14-2*i]
		switch {
		case two == "AA":
			a[i] = wildcard
		case digit(two[0]) && digit(two[1]):
			a[i] = (two[0]-'0')<<4 | (two[1] - '0')
		default:
			return Address{}, fmt.Errorf("meter address %q: %q is not two digits, nor AA for any", s, two)
		}
	}
	if a.Broadcast() {
		return Address{}, fmt.Errorf("meter address %q: it is that of a broadcast, which no meter answers", s)
	}
	return a, nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// String returns the fourteen digits, the high ones first. Bytes that are no digits
// are shown in hex.
func (a Address) String() string {
	high := a
	slices.Reverse(high[:])
	return fmt.Sprintf("%X", high[:])
}

// Maker returns the four digits of the maker's code.
func (a Address) Maker() string { return a.String()[:4] }

// Broadcast reports whether all meters listen to it and none answers.
func (a Address) Broadcast() bool {
	return a == Address{broadcast, broadcast, broadcast, broadcast, broadcast, broadcast, broadcast}
}

// Covers reports whether a meter with the other address answers to this one, in
// which AA stands for any byte.
func (a Address) Covers(other Address) bool {
	for i, b := range a {
		if b != wildcard && b != other[i] {
			return false
		}
	}
	return true
}

// UnmarshalText reads an address as ParseAddress does.
func (a *Address) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAddress(string(b))
	return err
}

// MarshalText writes the fourteen digits.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
