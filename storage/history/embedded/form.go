package embedded

import (
	"math"

	"gengfu/facility"
)

// form is how values become whole numbers that are near each other: up to
// maxExponent it is the number of decimals, for registers of meters are decimal.
type form byte

const (
	maxExponent      = 6
	float32s    form = maxExponent + 1 // the bits of a short float, as many meters send
	float64s    form = maxExponent + 2
)

// formOf returns the shortest form in which every value comes back bit by bit.
func formOf(samples []sample) form {
	as, short := form(0), true
	for _, s := range samples {
		if s.quality == facility.Bad {
			continue
		}
		for as <= maxExponent && !isDecimal(s.value, int(as)) {
			as++
		}
		short = short && isShort(s.value)
		if as > maxExponent && !short {
			return float64s
		}
	}
	if as <= maxExponent && comesBack(samples, as) {
		return as
	}
	if short {
		return float32s
	}
	return float64s
}

// comesBack holds a number of decimals against all values: one that is whole at a
// lower number may not come back at this one.
func comesBack(samples []sample, as form) bool {
	for _, s := range samples {
		if s.quality != facility.Bad && !isDecimal(s.value, int(as)) {
			return false
		}
	}
	return true
}

func isDecimal(v float64, exponent int) bool {
	scale := math.Pow10(exponent)
	whole := math.Round(v * scale)
	return math.Abs(whole) < 1<<53 && math.Float64bits(float64(int64(whole))/scale) == math.Float64bits(v)
}

func isShort(v float64) bool { return math.Float64bits(float64(float32(v))) == math.Float64bits(v) }

// whole returns the number of a value.
func (f form) whole(v float64) int64 {
	switch f {
	case float32s:
		return inOrder(uint64(math.Float32bits(float32(v))), 31)
	case float64s:
		return inOrder(math.Float64bits(v), 63)
	}
	return int64(math.Round(v * math.Pow10(int(f))))
}

// value returns the value of a number.
func (f form) value(n int64) float64 {
	switch f {
	case float32s:
		return float64(math.Float32frombits(uint32(fromOrder(n, 31))))
	case float64s:
		return math.Float64frombits(fromOrder(n, 63))
	}
	return float64(n) / math.Pow10(int(f))
}

// inOrder returns a number for the bits of a float whose sign is the given bit, so
// that numbers are in the order of their floats.
func inOrder(b uint64, sign int) int64 {
	if b>>sign != 0 {
		return ^int64(b &^ (1 << sign))
	}
	return int64(b)
}

func fromOrder(n int64, sign int) uint64 {
	if n < 0 {
		return uint64(^n) | 1<<sign
	}
	return uint64(n)
}
