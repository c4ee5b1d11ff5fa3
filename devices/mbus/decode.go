package mbus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"gengfu/devices/bcd"
	"gengfu/facility"
)

// decode reads the data into the record.
func (v valueInfo) decode(r *Record, form byte, data []byte, zone *time.Location) {
	if v.reason != "" {
		r.Reason = v.reason
		return
	}
	err := v.read(r, form, data, zone)
	if err == nil && (math.IsNaN(r.Number) || math.IsInf(r.Number, 0)) {
		err = bcd.ErrAbsent
	}
	if err != nil {
		r.Number, r.Text, r.Time = 0, "", time.Time{}
	}
	r.Quality, r.Reason = bcd.Judge(err)
	if err == nil && r.Function == DuringError {
		r.Quality, r.Reason = facility.Uncertain, facility.SensorFault
	}
}

func (v valueInfo) read(r *Record, form byte, data []byte, zone *time.Location) (err error) {
	switch {
	case len(data) == 0:
		return bcd.ErrAbsent
	case v.as == asDate && form == codeInteger:
		r.Time, err = date(data, zone)
		return err
	case v.as == asDate:
		return fmt.Errorf("a time as %02X: %w", form, bcd.ErrInvalid)
	case form == codeText:
		return name(r, data)
	}
	number, err := v.number(form, data)
	if err != nil {
		return err
	}
	if v.as == asName {
		r.Text = digits(form, data)
		return nil
	}
	r.Number = bcd.Scaled(number, -v.exponent) * v.times
	return nil
}

func name(r *Record, data []byte) error {
	s, ok := text(data)
	switch {
	case !ok:
		return fmt.Errorf("text % X: %w", data, bcd.ErrInvalid)
	case s == "":
		return bcd.ErrAbsent
	}
	r.Text = s
	return nil
}

// digits shows a number that is a name.
func digits(form byte, data []byte) string {
	if form == codeBCD {
		return fmt.Sprintf("%X", reversed(data))
	}
	return strconv.FormatUint(unsigned(data), 10)
}

func unsigned(data []byte) uint64 {
	var wide [8]byte
	copy(wide[:], data)
	return binary.LittleEndian.Uint64(wide[:])
}

func (v valueInfo) number(form byte, data []byte) (float64, error) {
	switch form {
	case codeReal:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(data))), nil
	case codeBCD:
		return signedBCD(data)
	case codeNegativeBCD:
		n, err := bcd.Uint(data)
		return -float64(n), err
	}
	if len(data) > 8 {
		return 0, fmt.Errorf("a number of %d bytes: %w", len(data), bcd.ErrInvalid)
	}
	if v.as != asNumber {
		if bcd.Absent(data) {
			return 0, bcd.ErrAbsent
		}
		return float64(unsigned(data)), nil
	}
	return signed(data)
}

// signed reads a binary number. The lowest that it could be says that there is no
// value (EN 13757-3, annex A, type B).
func signed(data []byte) (float64, error) {
	unused := 64 - 8*len(data)
	n := int64(unsigned(data)<<unused) >> unused
	if n == math.MinInt64>>unused {
		return 0, bcd.ErrAbsent
	}
	return float64(n), nil
}

// signedBCD reads digits, of which the highest may be F for a sign (EN 13757-3,
// annex A, type A).
func signedBCD(data []byte) (float64, error) {
	top := data[len(data)-1]
	if bcd.Absent(data) || top>>4 != 0x0F {
		n, err := bcd.Uint(data)
		return float64(n), err
	}
	plain := bytes.Clone(data)
	plain[len(plain)-1] = top & 0x0F
	n, err := bcd.Uint(plain)
	return -float64(n), err
}

var errNoTime = fmt.Errorf("no such time: %w", bcd.ErrInvalid)

// date reads a date of two bytes, or a time of four or six (EN 13757-3, annex A,
// types G, F and I). The years are those of this century.
func date(b []byte, zone *time.Location) (time.Time, error) {
	const invalid = 0x80
	var second, minute, hour byte
	day := b
	switch len(b) {
	case 2:
	case 4:
		minute, hour, day = b[0], b[1], b[2:]
	case 6:
		second, minute, hour, day = b[0], b[1], b[2], b[3:]
	default:
		return time.Time{}, errNoTime
	}
	if minute&invalid != 0 || bcd.Absent(day[:2]) || day[0] == 0 && day[1] == 0 {
		return time.Time{}, bcd.ErrAbsent
	}
	year := int(day[0]>>5 | day[1]&0xF0>>1)
	t, ok := bcd.Civil(2000+year, time.Month(day[1]&0x0F), int(day[0]&0x1F), int(hour&0x1F), int(minute&0x3F), int(second&0x3F), zone)
	if !ok || year > 99 {
		return time.Time{}, errNoTime
	}
	return t, nil
}
