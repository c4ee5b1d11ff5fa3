package profile

import (
	"time"

	"gengfu/facility"
)

// The types of a point, with the registers that they take.
const (
	U16 = "u16" // 1
	I16 = "i16" // 1
	U32 = "u32" // 2
	I32 = "i32" // 2
	F32 = "f32" // 2, IEEE 754
	U64 = "u64" // 4
	I64 = "i64" // 4
	F64 = "f64" // 4, IEEE 754
	Bit = "bit" // 1: a coil, a discrete input, or the bit of a register that Point.Bit names

	// Packed BCD, four digits in a register. A register of FFFF each says that there
	// is no value.
	BCD16 = "bcd16" // 1
	BCD32 = "bcd32" // 2
	BCD48 = "bcd48" // 3
	BCD64 = "bcd64" // 4

	// I32F32 is an i32 followed by an f32 with the digits after the point, 4
	// registers. Ultrasonic flow meters of the TUF-2000 family keep totals so.
	I32F32 = "i32+f32"
)

// The orders of bytes, for the value ABCD. For 64 bits the same rule holds: CDAB
// reverses the registers, BADC the two bytes of each, DCBA both. A 16-bit value
// is affected by BADC and DCBA only.
const (
	ABCD = "ABCD"
	CDAB = "CDAB"
	BADC = "BADC"
	DCBA = "DCBA"
)

// Limits of the Modbus application protocol V1.1b3 for one read.
const (
	MaxRegisters = 125
	MaxBits      = 2000
)

// Periods of reading when neither profile nor configuration says another. Meters
// that do not speak Modbus are slow, and some live on a battery.
const (
	SignalPeriod  = time.Second // alarm and state
	MeasurePeriod = 10 * time.Second
	CounterPeriod = time.Minute

	MeterPeriod        = time.Minute
	MeterCounterPeriod = 5 * time.Minute
)

// Bits reports whether the table holds single bits rather than registers.
func (t Table) Bits() bool { return t == Coil || t == Discrete }

// Function returns the Modbus function code that reads the table; 0 for an
// unknown one.
func (t Table) Function() byte {
	switch t {
	case Coil:
		return 1
	case Discrete:
		return 2
	case Holding:
		return 3
	case Input:
		return 4
	}
	return 0
}

// Words returns how many registers the point takes; a coil or discrete input
// counts as one. It is 0 for an unknown type.
func (p Point) Words() int {
	if p.Table.Bits() {
		return 1
	}
	switch p.Type {
	case U16, I16, BCD16, Bit:
		return 1
	case U32, I32, F32, BCD32:
		return 2
	case BCD48:
		return 3
	case U64, I64, F64, BCD64, I32F32:
		return 4
	case "":
		if p.Bit != nil {
			return 1
		}
	}
	return 0
}

// Binary reports whether the value is only ever 0 or 1.
func (p Point) Binary() bool { return p.Table.Bits() || p.Bit != nil && p.Width <= 1 }

// Defaults fills in what the file may leave out: the protocol, limits, order,
// scale, the type of bits, and the period by kind.
func (p *Profile) Defaults() {
	if p.Limits.Registers == 0 {
		p.Limits.Registers = MaxRegisters
	}
	if p.Limits.Bits == 0 {
		p.Limits.Bits = MaxBits
	}
	if p.Protocol == "" {
		p.Protocol = Modbus
	}
	for i := range p.Points {
		p.Points[i].defaults(p.Protocol)
	}
}

func (p *Point) defaults(speaks Protocol) {
	if speaks == Modbus {
		if p.Type == "" && (p.Table.Bits() || p.Bit != nil) {
			p.Type = Bit
		}
		if p.Order == "" {
			p.Order = ABCD
		}
	}
	if p.Scale == 0 {
		p.Scale = 1
	}
	if p.Period == 0 {
		p.Period = defaultPeriod(p.Kind, speaks)
	}
}

func defaultPeriod(k facility.PointKind, speaks Protocol) time.Duration {
	switch {
	case speaks != Modbus && k == facility.Counter:
		return MeterCounterPeriod
	case speaks != Modbus:
		return MeterPeriod
	case k == facility.Signal || k == facility.State:
		return SignalPeriod
	case k == facility.Counter:
		return CounterPeriod
	}
	return MeasurePeriod
}

// Point returns the point of a quantity.
func (p Profile) Point(quantity string) (Point, bool) {
	for _, pt := range p.Points {
		if pt.ID == quantity {
			return pt, true
		}
	}
	return Point{}, false
}

// FacilityPoints returns what the rest of the house must know of the points of a
// device of this model.
func (p Profile) FacilityPoints(device string) []facility.Point {
	out := make([]facility.Point, len(p.Points))
	for i, pt := range p.Points {
		pt.defaults(p.Language())
		out[i] = facility.Point{
			ID:       facility.PointID{Device: device, Quantity: pt.ID},
			Name:     pt.Name,
			Kind:     pt.Kind,
			Unit:     pt.Unit,
			Min:      pt.Min,
			Max:      pt.Max,
			Wrap:     pt.wrap(),
			Labels:   pt.Labels,
			Period:   pt.Period,
			Decimals: pt.Decimals,
			Detail:   pt.Detail,
		}
	}
	return out
}

// wrap is what a counter shows 0 instead of, 0 when nobody knows. A register that is
// said to be nothing else rolls over when it is full, if not before.
func (p Point) wrap() float64 {
	full := map[string]float64{U16: 1 << 16, U32: 1 << 32, BCD16: 1e4, BCD32: 1e8, BCD48: 1e12}
	if p.Wrap != 0 || p.Kind != facility.Counter || p.Bit != nil || p.Offset != 0 || p.Scale < 0 {
		return p.Wrap
	}
	return scaled(full[p.Type], p.Scale)
}
