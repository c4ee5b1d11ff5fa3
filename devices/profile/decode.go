package profile

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gengfu/facility"
)

// Decode turns the registers of the point, in the order of their addresses, into
// its value in its unit. A coil or discrete input is one word, 0 or not 0. When
// the quality is not good the value is 0 and means nothing: bad_reply for the
// wrong number of words or an unknown type, sensor_fault for NaN, infinity or a
// sentinel, out_of_range outside Min and Max. Integers of 64 bits beyond 2^53
// lose their lowest digits.
func (p Point) Decode(words []uint16) (float64, facility.Quality, facility.Reason) {
	if n := p.Words(); n == 0 || len(words) != n {
		return 0, facility.Bad, facility.BadReply
	}
	raw := p.raw(words)
	if raw.reason != "" {
		return 0, facility.Bad, raw.reason
	}
	if p.absent(raw) {
		return 0, facility.Bad, facility.SensorFault
	}
	return p.judge(raw.float)
}

// Encode is the inverse of Decode. A value is rounded to what the registers can
// hold; it is an error when they cannot hold it at all, when it is outside Min
// and Max, or when it would read as a sentinel. For a bit of a register the
// other bits are 0; use Put to keep them.
func (p Point) Encode(value float64) ([]uint16, error) {
	words := make([]uint16, p.Words())
	if err := p.Put(words, value); err != nil {
		return nil, err
	}
	return words, nil
}

// Put writes the value into the registers of the point, as Encode says, and
// leaves the other bits of a register as they are.
func (p Point) Put(words []uint16, value float64) error {
	switch n := p.Words(); {
	case n == 0:
		return fmt.Errorf("encode %s: unknown type %q", p.ID, p.Type)
	case n != len(words):
		return fmt.Errorf("encode %s: %d words given, it takes %d", p.ID, len(words), n)
	case math.IsNaN(value) || math.IsInf(value, 0):
		return fmt.Errorf("encode %s: %v is not a value", p.ID, value)
	case !p.inRange(value):
		return fmt.Errorf("encode %s: %v is outside its range", p.ID, value)
	}
	if p.Binary() || p.Bit != nil {
		return p.putBits(words, value)
	}
	out := make([]uint16, len(words))
	if err := p.putNumber(out, unscaled(value-p.Offset, p.Scale)); err != nil {
		return fmt.Errorf("encode %s: %v: %w", p.ID, value, err)
	}
	if _, q, reason := p.Decode(out); q != facility.Good {
		return fmt.Errorf("encode %s: %v would read back as %s", p.ID, value, reason)
	}
	copy(words, out)
	return nil
}

// inRange allows for the rounding of a 32-bit float: 0.1 as one is a little more
// than a Max of 0.1.
func (p Point) inRange(v float64) bool {
	slack := 1e-6 * math.Abs(v)
	return (p.Min == nil || v >= *p.Min-slack) && (p.Max == nil || v <= *p.Max+slack)
}

// raw is what the registers say before scaling.
type raw struct {
	float   float64
	integer int64 // of an integer type, for sentinels; a u64 wraps
	isFloat bool
	reason  facility.Reason // why the registers hold no value of the type
}

func (p Point) raw(words []uint16) raw {
	if p.Table.Bits() {
		return rawBits(boolWord(words[0] != 0))
	}
	if p.Type == I32F32 {
		whole := int32(p.join(words[:2]))
		rest := math.Float32frombits(uint32(p.join(words[2:])))
		return raw{float: float64(whole) + float64(rest), integer: int64(whole), isFloat: true}
	}
	u := p.join(words)
	if p.Bit != nil {
		return p.bits(u)
	}
	switch p.Type {
	case BCD16, BCD32, BCD48, BCD64:
		return rawBCD(u, 4*len(words))
	case I16:
		return rawInt(int64(int16(u)))
	case I32:
		return rawInt(int64(int32(u)))
	case I64:
		return rawInt(int64(u))
	case F32:
		return raw{float: float64(math.Float32frombits(uint32(u))), isFloat: true}
	case F64:
		return raw{float: math.Float64frombits(u), isFloat: true}
	}
	return rawBits(u)
}

func rawInt(i int64) raw   { return raw{float: float64(i), integer: i} }
func rawBits(u uint64) raw { return raw{float: float64(u), integer: int64(u)} }

// rawBCD reads a number of so many digits, the highest first.
func rawBCD(u uint64, digits int) raw {
	absent, n := true, uint64(0)
	bad := false
	for i := digits - 1; i >= 0; i-- {
		d := u >> (4 * i) & 0xF
		absent = absent && d == 0xF
		bad = bad || d > 9
		n = 10*n + d
	}
	switch {
	case absent:
		return raw{reason: facility.SensorFault}
	case bad:
		return raw{reason: facility.BadReply}
	}
	return rawBits(n)
}

// bcdOf writes the decimal digits of a number.
func bcdOf(n uint64) (u uint64) {
	for i := 0; n > 0; i++ {
		u |= n % 10 << (4 * i)
		n /= 10
	}
	return u
}

func boolWord(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// join puts the bytes into the order ABCD, as one number.
func (p Point) join(words []uint16) uint64 {
	var u uint64
	for i := range words {
		w := words[i]
		if p.Order == CDAB || p.Order == DCBA {
			w = words[len(words)-1-i]
		}
		if p.Order == BADC || p.Order == DCBA {
			w = w<<8 | w>>8
		}
		u = u<<16 | uint64(w)
	}
	return u
}

// split is the inverse of join.
func (p Point) split(u uint64, words []uint16) {
	for i := range words {
		w := uint16(u >> (16 * (len(words) - 1 - i)))
		if p.Order == BADC || p.Order == DCBA {
			w = w<<8 | w>>8
		}
		if p.Order == CDAB || p.Order == DCBA {
			words[len(words)-1-i] = w
		} else {
			words[i] = w
		}
	}
}

var (
	errTooBig = errors.New("its type cannot hold that")
	errNotBit = errors.New("its bits cannot be that")
)

func (p Point) putBits(words []uint16, value float64) error {
	if p.Table.Bits() {
		if value != 0 && value != 1 {
			return fmt.Errorf("encode %s: %v: %w", p.ID, value, errNotBit)
		}
		words[0] = uint16(value)
		return nil
	}
	if *p.Bit < 0 || *p.Bit+max(p.Width, 1) > 16*len(words) {
		return fmt.Errorf("encode %s: it has no bit %d", p.ID, *p.Bit+max(p.Width, 1)-1)
	}
	raw, err := p.Raw(value)
	if err != nil {
		return err
	}
	u := p.join(words)&^(p.mask()<<uint(*p.Bit)) | uint64(raw)
	if slices.Contains(p.Sentinels, int64(u)) {
		return fmt.Errorf("encode %s: %v would read as no value", p.ID, value)
	}
	p.split(u, words)
	return nil
}

func (p Point) putNumber(words []uint16, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return errTooBig
	}
	switch p.Type {
	case F32:
		f := float32(v)
		if math.IsInf(float64(f), 0) {
			return errTooBig
		}
		p.split(uint64(math.Float32bits(f)), words)
		return nil
	case F64:
		p.split(math.Float64bits(v), words)
		return nil
	case I32F32:
		whole, rest := math.Modf(v)
		if whole < math.MinInt32 || whole > math.MaxInt32 {
			return errTooBig
		}
		p.split(uint64(uint32(int32(whole))), words[:2])
		p.split(uint64(math.Float32bits(float32(rest))), words[2:])
		return nil
	}
	u, err := integer(p.Type, math.Round(v))
	if err != nil {
		return err
	}
	if isBCD(p.Type) {
		u = bcdOf(u)
	}
	p.split(u, words)
	return nil
}

func isBCD(kind string) bool {
	return kind == BCD16 || kind == BCD32 || kind == BCD48 || kind == BCD64
}

// integer returns the two's complement of a whole number. The upper bounds are
// exclusive, because 2^63-1 and 2^64-1 are not floats.
func integer(kind string, v float64) (uint64, error) {
	var low, high float64
	switch kind {
	case U16:
		high = 1 << 16
	case I16:
		low, high = -1<<15, 1<<15
	case U32:
		high = 1 << 32
	case I32:
		low, high = -1<<31, 1<<31
	case U64:
		high = 1 << 64
	case I64:
		low, high = -1<<63, 1<<63
	case BCD16:
		high = 1e4
	case BCD32:
		high = 1e8
	case BCD48:
		high = 1e12
	case BCD64:
		high = 1e16
	}
	if v < low || v >= high {
		return 0, errTooBig
	}
	if v < 0 {
		return uint64(int64(v)), nil
	}
	return uint64(v), nil
}

// scaled multiplies by the scale; where the scale is one part of a whole number
// it divides, so that 3 tenths are 0.3 and not 0.30000000000000004.
func scaled(v, scale float64) float64 {
	if scale == 0 || scale == 1 {
		return v
	}
	if parts, ok := wholeParts(scale); ok {
		return v / parts
	}
	return v * scale
}

func unscaled(v, scale float64) float64 {
	if scale == 0 || scale == 1 {
		return v
	}
	if parts, ok := wholeParts(scale); ok {
		return v * parts
	}
	return v / scale
}

func wholeParts(scale float64) (float64, bool) {
	parts := math.Round(1 / scale)
	return parts, math.Abs(parts) > 1 && math.Abs(parts*scale-1) < 1e-12
}
