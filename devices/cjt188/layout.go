package cjt188

import (
	"encoding/binary"
	"fmt"
	"time"

	"gengfu/devices/bcd"
	"gengfu/facility"
)

// Kind is how the bytes of a field are to be read.
type Kind int

// The kinds.
const (
	Quantity Kind = iota // four bytes of digits and one of the unit's code
	Number               // digits in the field's unit
	Clock                // ss mm hh DD MM YY CC: a time
	Status               // two bytes of bits
)

// Field is one value in the body of a reply.
type Field struct {
	Name     string
	Kind     Kind
	Bytes    int    // of a Number, 1 to 8; the other kinds have their own
	Decimals int    // digits after the point, of Quantity and Number
	Unit     string // that the value is to have; the meter's is turned into it

	// Code is the code of the unit that a quantity is counted in, for meters that
	// send a wrong one; 0 is to believe the meter.
	Code byte
}

func (f Field) length() int {
	switch f.Kind {
	case Quantity:
		return 5
	case Clock:
		return 7
	case Status:
		return 2
	}
	return f.Bytes
}

// Layout is the body of a reply.
type Layout struct {
	Fields    []Field
	UnitFirst bool // the unit's code stands before the digits, as some makers have it
}

// Value is one value of a reply.
type Value struct {
	Name    string
	Number  float64
	Unit    string
	Time    time.Time // of a clock, where the meter stands
	Quality facility.Quality
	Reason  facility.Reason // empty when the quality is good
}

// Water returns the current reading of water and gas meters (CJ/T 188-2004, 7.5).
func Water() Layout {
	return Layout{Fields: []Field{
		{Name: "volume", Decimals: 2, Unit: "m3"},
		{Name: "settled_volume", Decimals: 2, Unit: "m3"},
		{Name: "clock", Kind: Clock},
		{Name: "status", Kind: Status},
	}}
}

// Heat returns the current reading of heat and cooling meters (CJ/T 188-2004, 7.5).
func Heat() Layout {
	return Layout{Fields: []Field{
		{Name: "settled_heat_energy", Decimals: 2, Unit: "kWh"},
		{Name: "heat_energy", Decimals: 2, Unit: "kWh"},
		{Name: "heat_power", Decimals: 2, Unit: "kW"},
		{Name: "flow", Decimals: 4, Unit: "m3/h"},
		{Name: "volume", Decimals: 2, Unit: "m3"},
		{Name: "supply_temperature", Kind: Number, Bytes: 3, Decimals: 2, Unit: "Cel"},
		{Name: "return_temperature", Kind: Number, Bytes: 3, Decimals: 2, Unit: "Cel"},
		{Name: "working_time", Kind: Number, Bytes: 3, Unit: "h"},
		{Name: "clock", Kind: Clock},
		{Name: "status", Kind: Status},
	}}
}

// Lookup returns what a meter of a type answers to an identifier, as far as the
// standard has it.
func Lookup(t MeterType, di DI) (Layout, bool) {
	const water, heat, gas = 1, 2, 3
	class := t.class()
	switch {
	case di == Current && (class == water || class == gas):
		return Water(), true
	case di == Current && class == heat && t != HeatCooling:
		return Heat(), true
	case di >= LastSettled && di < LastSettled+mostSettled && (class == water || class == gas):
		name := fmt.Sprintf("volume_settled_%d", di-LastSettled+1)
		return Layout{Fields: []Field{{Name: name, Decimals: 2, Unit: "m3"}}}, true
	}
	return Layout{}, false
}

// Length returns how many bytes the body has.
func (l Layout) Length() (n int) {
	for _, f := range l.Fields {
		n += f.length()
	}
	return n
}

// Decode reads the data of a reply. It is ErrMalformed when their length is not
// that of the layout. A field that cannot be read is bad alone: sensor_fault when
// the meter says that it has no value, by all F or by a clock of zeros, bad_reply
// otherwise; its number and time are then empty and mean nothing.
func (l Layout) Decode(data []byte, zone *time.Location) ([]Value, error) {
	if len(data) != l.Length() || len(data) == 0 {
		return nil, fmt.Errorf("a body of %d bytes where %d are wanted: %w", len(data), l.Length(), ErrMalformed)
	}
	values := make([]Value, len(l.Fields))
	for i, f := range l.Fields {
		n := f.length()
		v := Value{Name: f.Name, Unit: f.Unit}
		v.Quality, v.Reason = bcd.Judge(l.read(f, &v, data[:n], zone))
		values[i], data = v, data[n:]
	}
	return values, nil
}

func (l Layout) read(f Field, v *Value, b []byte, zone *time.Location) error {
	switch f.Kind {
	case Quantity:
		return l.quantity(f, v, b)
	case Number:
		n, err := bcd.Uint(b)
		v.Number = bcd.Scaled(float64(n), f.Decimals)
		return err
	case Clock:
		return clock(v, b, zone)
	case Status:
		if bcd.Absent(b) {
			return bcd.ErrAbsent
		}
		v.Number = float64(binary.LittleEndian.Uint16(b))
		return nil
	}
	return fmt.Errorf("field %s of kind %d: %w", f.Name, f.Kind, bcd.ErrInvalid)
}

func (l Layout) quantity(f Field, v *Value, b []byte) error {
	digits, code := b[:4], b[4]
	if l.UnitFirst {
		digits, code = b[1:], b[0]
	}
	n, err := bcd.Uint(digits)
	if err != nil {
		return err
	}
	if f.Code != 0 {
		code = f.Code
	}
	from, ok := unitOf(code)
	number, same := convert(n, f.Decimals, from, unitNamed(f.Unit))
	if !ok || !same {
		return fmt.Errorf("%s in a unit of code %02X: %w", f.Name, code, bcd.ErrInvalid)
	}
	v.Number = number
	return nil
}

func clock(v *Value, b []byte, zone *time.Location) error {
	c := bcd.Clock{Second: b[0], Minute: b[1], Hour: b[2], Day: b[3], Month: b[4], Year: b[5], Century: b[6]}
	if bcd.Absent(b) || c == (bcd.Clock{}) {
		return bcd.ErrAbsent
	}
	t, ok := c.In(zone)
	if !ok {
		return fmt.Errorf("clock % X: %w", b, bcd.ErrInvalid)
	}
	v.Time = t
	return nil
}

// Valve is what a meter says of its valve.
type Valve int

// The states of a valve.
const (
	ValveOpen     Valve = 0
	ValveClosed   Valve = 1
	ValveUnknown  Valve = 2 // not in the standard
	ValveAbnormal Valve = 3
)

// StatusMap says which bits of a status word mean what: makers differ.
type StatusMap struct {
	Valve   int // lowest of its two bits
	Battery int // 1 is low
}

// StandardStatus returns the bits of CJ/T 188-2004, table 12.
func StandardStatus() StatusMap { return StatusMap{Valve: 0, Battery: 2} }

// HighBitsStatus returns the bits of a firmware that has the valve in the highest
// two bits of the first byte, and the battery below.
func HighBitsStatus() StatusMap { return StatusMap{Valve: 6, Battery: 5} }

// ValveOf returns the state of the valve in a status word.
func (m StatusMap) ValveOf(word uint16) Valve { return Valve(word >> m.Valve & 3) }

// BatteryLow reports whether the status word says that the battery is low.
func (m StatusMap) BatteryLow(word uint16) bool { return word>>m.Battery&1 == 1 }
