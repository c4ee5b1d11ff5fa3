package dlt645

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"gengfu/devices/bcd"
	"gengfu/facility"
)

// Kind is how the bytes of a value are to be read; the low byte comes first in all
// of them.
type Kind int

// The kinds.
const (
	Number    Kind = iota // decimal digits
	Signed                // decimal digits, the highest bit is the sign
	Word                  // a binary number, as status words are
	Digits                // decimal digits that are a name: an address, a number of a meter
	Text                  // ASCII
	Stamp                 // YYMMDDhhmm or YYMMDDhhmmss: a time
	Date                  // YYMMDDWW: a day; the day of the week is not looked at
	TimeOfDay             // hhmmss: seconds since midnight
)

// Format is how one value stands in the data.
type Format struct {
	Kind     Kind
	Bytes    int // 1 to 8 for numbers, 4 for a date, 3 for a time of day, 5 or 6 for a stamp
	Decimals int // digits after the point, of Number and Signed
	Unit     string
}

// Value is one value of an item.
type Value struct {
	Name    string // of the quantity
	Number  float64
	Unit    string
	Text    string    // of Digits and Text
	Time    time.Time // of Stamp and Date, where the meter stands
	Quality facility.Quality
	Reason  facility.Reason // empty when the quality is good
}

// Decode reads one value. When the quality is not good, number, text and time are
// empty and mean nothing: sensor_fault when all digits are F, by which a meter says
// that it has no value, bad_reply for anything else that is no value of the format.
func (f Format) Decode(b []byte, zone *time.Location) Value {
	v := Value{Unit: f.Unit, Quality: facility.Bad, Reason: facility.BadReply}
	switch {
	case len(b) != f.Bytes || len(b) == 0:
		return v
	case bcd.Absent(b):
		v.Reason = facility.SensorFault
		return v
	}
	if f.read(&v, b, zone) {
		v.Quality, v.Reason = facility.Good, ""
	}
	return v
}

func (f Format) read(v *Value, b []byte, zone *time.Location) (ok bool) {
	switch f.Kind {
	case Number:
		n, err := bcd.Uint(b)
		v.Number = bcd.Scaled(float64(n), f.Decimals)
		return err == nil
	case Signed:
		n, err := bcd.Int(b)
		v.Number = bcd.Scaled(float64(n), f.Decimals)
		return err == nil
	case Word:
		var wide [8]byte
		ok = copy(wide[:], b) == len(b)
		v.Number = float64(binary.LittleEndian.Uint64(wide[:]))
		return ok
	case Digits:
		v.Text, ok = digits(b)
		return ok
	case Text:
		v.Text, ok = text(b)
		return ok
	case Stamp, Date:
		v.Time, ok = stamp(b, f.Kind == Date, zone)
		return ok
	case TimeOfDay:
		v.Number, ok = timeOfDay(b)
		return ok
	}
	return false
}

func digits(b []byte) (string, bool) {
	high := slices.Clone(b)
	slices.Reverse(high)
	for _, c := range high {
		if _, ok := bcd.Digits(c); !ok {
			return "", false
		}
	}
	return fmt.Sprintf("%X", high), true
}

// text drops the zeros and blanks that fill it up.
func text(b []byte) (string, bool) {
	high := slices.Clone(b)
	slices.Reverse(high)
	s := strings.Trim(string(high), "\x00 ")
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7E {
			return "", false
		}
	}
	return s, true
}

func stamp(b []byte, date bool, zone *time.Location) (time.Time, bool) {
	c := bcd.Clock{Century: bcd.ThisCentury}
	switch {
	case date && len(b) == 4: // b[0] is the day of the week
		c.Day, c.Month, c.Year = b[1], b[2], b[3]
	case !date && len(b) == 5:
		c.Minute, c.Hour, c.Day, c.Month, c.Year = b[0], b[1], b[2], b[3], b[4]
	case !date && len(b) == 6:
		c.Second, c.Minute, c.Hour, c.Day, c.Month, c.Year = b[0], b[1], b[2], b[3], b[4], b[5]
	default:
		return time.Time{}, false
	}
	return c.In(zone)
}

func timeOfDay(b []byte) (seconds float64, ok bool) {
	if len(b) != 3 {
		return 0, false
	}
	s, okS := bcd.Digits(b[0])
	m, okM := bcd.Digits(b[1])
	h, okH := bcd.Digits(b[2])
	if !okS || !okM || !okH || s > 59 || m > 59 || h > 23 {
		return 0, false
	}
	return float64(h*3600 + m*60 + s), true
}
