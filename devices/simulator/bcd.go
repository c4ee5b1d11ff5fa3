package simulator

import (
	"fmt"
	"math"
)

// putDigits returns the number as packed decimal digits, the low byte first. It is
// an error when it is negative or has too many digits.
func putDigits(n float64, bytes int) ([]byte, error) {
	if n < 0 || n >= math.Pow10(2*bytes) {
		return nil, fmt.Errorf("%d bytes of digits cannot hold %v", bytes, n)
	}
	out := make([]byte, bytes)
	left := uint64(n)
	for i := range out {
		out[i] = byte(left%10 | left/10%10<<4)
		left /= 100
	}
	return out, nil
}

// counted returns the number in steps of the last of its decimals.
func counted(value float64, decimals int) float64 { return math.Round(value * math.Pow10(decimals)) }

// shown is the value that so many steps are.
func shown(steps float64, decimals int) float64 { return steps / math.Pow10(decimals) }

// digitPair returns a number below 100 as one byte.
func digitPair(n int) byte { return byte(n%10 | n/10%10<<4) }

// addressBytes turns the digits on a device into the bytes on the wire, the low one
// first. Leading zeros may be left out.
func addressBytes(digits string, bytes int) ([]byte, string, error) {
	if digits == "" || len(digits) > 2*bytes {
		return nil, "", fmt.Errorf("address %q: want 1 to %d digits", digits, 2*bytes)
	}
	padded := fmt.Sprintf("%0*s", 2*bytes, digits)
	out := make([]byte, bytes)
	for i, c := range []byte(padded) {
		if c < '0' || c > '9' {
			return nil, "", fmt.Errorf("address %q: want 1 to %d digits", digits, 2*bytes)
		}
		at := bytes - 1 - i/2
		out[at] = out[at]<<4 | (c - '0')
	}
	return out, padded, nil
}

// anyDigits is the byte that stands for any two digits in an address.
const anyDigits = 0xAA

// covers reports whether a device with the address answers to the one asked for.
func covers(asked, own []byte) bool {
	for i, b := range asked {
		if b != anyDigits && b != own[i] {
			return false
		}
	}
	return true
}

// randomDigits fills b with decimal digits.
func randomDigits(b []byte, dice func(n int) int) {
	for i := range b {
		b[i] = digitPair(dice(100))
	}
}
