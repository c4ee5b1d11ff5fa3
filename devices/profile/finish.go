package profile

import (
	"fmt"
	"math"
	"slices"

	"gengfu/facility"
)

// maxWhole is the whole numbers below which a float64 has them all.
const maxWhole = 1 << 53

// Finish turns a number that the codec of another protocol decoded, with the
// quality that it gave, into the value of the point, by the same rules as Decode:
// sensor_fault for NaN, infinity or a sentinel, then the bits, the scale and the
// offset, then out_of_range outside Min and Max. A bad quality stays as it is, an
// uncertain one stays unless the value turns out bad. When the result is bad the
// value is 0 and means nothing.
func (p Point) Finish(raw float64, q facility.Quality, r facility.Reason) (float64, facility.Quality, facility.Reason) {
	if q == facility.Bad {
		if r == "" {
			r = facility.BadReply
		}
		return 0, q, r
	}
	number := rawFloat(raw)
	if p.absent(number) {
		return 0, facility.Bad, facility.SensorFault
	}
	if p.Bit != nil {
		if raw < 0 || raw >= maxWhole || raw != math.Trunc(raw) {
			return 0, facility.Bad, facility.BadReply
		}
		number = p.bits(uint64(raw))
	}
	v, judged, reason := p.judge(number.float)
	if judged == facility.Bad || q == facility.Good {
		return v, judged, reason
	}
	return v, q, r
}

// FinishIn is Finish for a number whose unit the reply says, as M-Bus does: it is
// first turned into the unit of the point. What cannot be turned is bad_reply.
func (p Point) FinishIn(raw float64, unit string, q facility.Quality, r facility.Reason) (float64, facility.Quality, facility.Reason) {
	factor, ok := Factor(unit, p.Unit)
	if !ok && q != facility.Bad {
		return 0, facility.Bad, facility.BadReply
	}
	return p.Finish(raw*factor, q, r)
}

// Raw is the inverse of Finish: the number that a codec decodes when the device
// shows the value. For bits it is those bits alone, at their place in the word.
func (p Point) Raw(value float64) (float64, error) {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return 0, fmt.Errorf("encode %s: %v is not a value", p.ID, value)
	case !p.inRange(value):
		return 0, fmt.Errorf("encode %s: %v is outside its range", p.ID, value)
	case p.Bit != nil:
		if value < 0 || value > float64(p.mask()) || value != math.Trunc(value) {
			return 0, fmt.Errorf("encode %s: %v: %w", p.ID, value, errNotBit)
		}
		return float64(uint64(value) << uint(*p.Bit)), nil
	}
	return unscaled(value-p.Offset, p.Scale), nil
}

// absent reports whether the raw value says that there is none.
func (p Point) absent(r raw) bool {
	return math.IsNaN(r.float) || math.IsInf(r.float, 0) || p.sentinel(r)
}

// judge turns a raw number, which is a value, into the value of the point.
func (p Point) judge(raw float64) (float64, facility.Quality, facility.Reason) {
	v := raw
	if !p.Binary() {
		v = scaled(v, p.Scale) + p.Offset
	}
	if math.IsNaN(v) || math.IsInf(v, 0) || !p.inRange(v) {
		return 0, facility.Bad, facility.OutOfRange
	}
	return v, facility.Good, ""
}

func (p Point) sentinel(r raw) bool {
	if r.isFloat {
		return slices.ContainsFunc(p.Sentinels, func(s int64) bool { return float64(s) == r.float })
	}
	return slices.Contains(p.Sentinels, r.integer)
}

func rawFloat(f float64) raw { return raw{float: f, isFloat: true} }

// bits takes the bits of the point out of the word.
func (p Point) bits(word uint64) raw {
	return raw{float: float64(word >> uint(*p.Bit) & p.mask()), integer: int64(word)}
}

// mask is the greatest number that the bits of the point can be.
func (p Point) mask() uint64 { return 1<<max(p.Width, 1) - 1 }
