// Package bcd reads the binary coded decimals of meters: two digits in a byte, the
// low byte first. What is no decimal never becomes a number.
package bcd

import (
	"errors"
	"fmt"
	"math"
	"time"

	"gengfu/facility"
)

// What may be wrong with a number.
var (
	// ErrAbsent: every digit is F, by which a meter says that it has no value.
	ErrAbsent = errors.New("the meter has no value")
	// ErrInvalid: a digit is A to F.
	ErrInvalid = errors.New("not a decimal number")
)

// MaxBytes is the longest number: sixteen digits.
const MaxBytes = 8

// Absent reports whether every digit is F. It is true of no bytes at all.
func Absent(b []byte) bool {
	for _, c := range b {
		if c != 0xFF {
			return false
		}
	}
	return true
}

// Uint reads a number of 1 to 8 bytes.
func Uint(b []byte) (uint64, error) {
	switch {
	case Absent(b):
		return 0, ErrAbsent
	case len(b) > MaxBytes:
		return 0, fmt.Errorf("%d bytes: %w", len(b), ErrInvalid)
	}
	var v uint64
	for i := len(b) - 1; i >= 0; i-- {
		d, ok := Digits(b[i])
		if !ok {
			return 0, fmt.Errorf("% X: %w", b, ErrInvalid)
		}
		v = v*100 + uint64(d)
	}
	return v, nil
}

// Int reads a number whose highest bit is its sign, 1 for negative, as DL/T 645
// has it.
func Int(b []byte) (int64, error) {
	if Absent(b) {
		return 0, ErrAbsent
	}
	if len(b) > MaxBytes {
		return 0, fmt.Errorf("%d bytes: %w", len(b), ErrInvalid)
	}
	var plain [MaxBytes]byte
	n := copy(plain[:], b)
	plain[n-1] &= 0x7F
	v, err := Uint(plain[:n])
	if err != nil {
		return 0, err
	}
	if b[n-1]&0x80 != 0 {
		return -int64(v), nil
	}
	return int64(v), nil
}

// Put writes a number of at most 8 bytes. It is an error when it has more digits
// than there is room for.
func Put(b []byte, v uint64) error {
	rest := v
	for i := range b {
		b[i] = byte(rest%10 | rest/10%10<<4)
		rest /= 100
	}
	if rest > 0 {
		return fmt.Errorf("%d in %d digits: %w", v, 2*len(b), ErrInvalid)
	}
	return nil
}

// Digits reads the two digits of one byte.
func Digits(c byte) (value int, ok bool) {
	hi, lo := c>>4, c&0x0F
	return int(hi)*10 + int(lo), hi <= 9 && lo <= 9
}

// Scaled moves the decimal point by so many digits to the left, and to the right
// when it is negative. It divides, so that 3 tenths are 0.3.
func Scaled(v float64, decimals int) float64 {
	if decimals < 0 {
		return v * math.Pow10(-decimals)
	}
	return v / math.Pow10(decimals)
}

// Judge turns an error of this package into the quality of a reading.
func Judge(err error) (facility.Quality, facility.Reason) {
	switch {
	case err == nil:
		return facility.Good, ""
	case errors.Is(err, ErrAbsent):
		return facility.Bad, facility.SensorFault
	}
	return facility.Bad, facility.BadReply
}

// Clock is a time of a meter's clock, each part two digits of one byte.
type Clock struct {
	Century, Year, Month, Day, Hour, Minute, Second byte
}

// ThisCentury is the only century that a meter's clock can be right in.
const ThisCentury byte = 0x20

// In returns the time where the meter stands. It reports false when there is no
// such time: digits that are none, second 60, day 0, February 30, another century,
// or an hour that the change to summer time leaves out.
func (c Clock) In(zone *time.Location) (time.Time, bool) {
	if c.Century != ThisCentury {
		return time.Time{}, false
	}
	var parts [6]int
	for i, b := range []byte{c.Year, c.Month, c.Day, c.Hour, c.Minute, c.Second} {
		v, ok := Digits(b)
		if !ok {
			return time.Time{}, false
		}
		parts[i] = v
	}
	return Civil(2000+parts[0], time.Month(parts[1]), parts[2], parts[3], parts[4], parts[5], zone)
}

// Civil returns the time of a calendar and a clock, and false when they do not
// show such a time.
func Civil(year int, month time.Month, day, hour, minute, second int, zone *time.Location) (time.Time, bool) {
	t := time.Date(year, month, day, hour, minute, second, 0, zone)
	y, m, d := t.Date()
	h, mi, s := t.Clock()
	if y != year || m != month || d != day || h != hour || mi != minute || s != second {
		return time.Time{}, false
	}
	return t, true
}
