package rules

import (
	"fmt"
	"math"
	"strings"
)

// unit is what a number counts. Units of one dimension are brought to each other by
// their factor; a number that was written without a unit takes that of what it is
// put beside.
type unit struct {
	name   string  // as people see it; empty for none, or for one that was computed
	dim    dim     //
	factor float64 // of the dimension's own unit; 0 is "any": it fits beside everything
	other  string  // a unit that nothing is known of, such as NTU: fits only itself
	level  bool    // a temperature and not a difference of two
}

// dim are the powers of metre, kilogram, second, ampere and kelvin.
type dim struct{ m, kg, s, a, k int8 }

var (
	anyUnit  = unit{}
	bareUnit = unit{factor: 1} // of what has none: bits, states, numbers of starts
	second   = unit{name: "s", dim: dim{s: 1}, factor: 1}
	hourUnit = unit{name: "h", dim: dim{s: 1}, factor: 3600}
)

var (
	pressure = dim{m: -1, kg: 1, s: -2}
	power    = dim{m: 2, kg: 1, s: -3}
	energy   = dim{m: 2, kg: 1, s: -2}
	volume   = dim{m: 3}
)

// symbol is a unit that may be written behind a number or stand in a profile.
func symbol(name string) (unit, bool) {
	u := func(d dim, factor float64) (unit, bool) { return unit{name: name, dim: d, factor: factor}, true }
	switch name {
	case "1":
		return u(dim{}, 1)
	case "%":
		return u(dim{}, 0.01)
	case "‰":
		return u(dim{}, 0.001)
	case "ppm":
		return u(dim{}, 1e-6)
	case "mm":
		return u(dim{m: 1}, 1e-3)
	case "cm":
		return u(dim{m: 1}, 1e-2)
	case "m":
		return u(dim{m: 1}, 1)
	case "km":
		return u(dim{m: 1}, 1e3)
	case "m2", "m²":
		return u(dim{m: 2}, 1)
	case "m3", "m³":
		return u(volume, 1)
	case "l", "L":
		return u(volume, 1e-3)
	case "g":
		return u(dim{kg: 1}, 1e-3)
	case "kg":
		return u(dim{kg: 1}, 1)
	case "t":
		return u(dim{kg: 1}, 1e3)
	case "ms":
		return u(dim{s: 1}, 1e-3)
	case "s":
		return u(dim{s: 1}, 1)
	case "min":
		return u(dim{s: 1}, 60)
	case "h":
		return u(dim{s: 1}, 3600)
	case "d":
		return u(dim{s: 1}, 86400)
	case "Hz":
		return u(dim{s: -1}, 1)
	case "kHz":
		return u(dim{s: -1}, 1e3)
	case "rpm":
		return u(dim{s: -1}, 1.0/60)
	case "mA":
		return u(dim{a: 1}, 1e-3)
	case "A":
		return u(dim{a: 1}, 1)
	case "kA":
		return u(dim{a: 1}, 1e3)
	case "mV":
		return u(dim{m: 2, kg: 1, s: -3, a: -1}, 1e-3)
	case "V":
		return u(dim{m: 2, kg: 1, s: -3, a: -1}, 1)
	case "kV":
		return u(dim{m: 2, kg: 1, s: -3, a: -1}, 1e3)
	case "Ohm", "Ω":
		return u(dim{m: 2, kg: 1, s: -3, a: -2}, 1)
	case "W", "VA", "var":
		return u(power, 1)
	case "kW", "kVA", "kvar":
		return u(power, 1e3)
	case "MW", "MVA", "Mvar":
		return u(power, 1e6)
	case "J":
		return u(energy, 1)
	case "kJ":
		return u(energy, 1e3)
	case "MJ":
		return u(energy, 1e6)
	case "GJ":
		return u(energy, 1e9)
	case "Wh":
		return u(energy, 3600)
	case "kWh", "kVAh", "kvarh":
		return u(energy, 3.6e6)
	case "MWh":
		return u(energy, 3.6e9)
	case "Pa":
		return u(pressure, 1)
	case "kPa":
		return u(pressure, 1e3)
	case "MPa":
		return u(pressure, 1e6)
	case "mbar":
		return u(pressure, 1e2)
	case "bar":
		return u(pressure, 1e5)
	case "psi":
		return u(pressure, 6894.757293168)
	case "K":
		return u(dim{k: 1}, 1)
	case "Cel", "°C", "℃":
		return unit{name: name, dim: dim{k: 1}, factor: 1, level: true}, true
	}
	return unit{}, false
}

// unitOf reads a unit such as "m3/h". One that nothing is known of is not wrong: it
// fits itself.
func unitOf(name string) unit {
	if name == "" {
		return bareUnit
	}
	if u, ok := known(name); ok {
		return u
	}
	return unit{name: name, factor: 1, other: name}
}

// known reads a unit of which everything is known: a symbol or one over another.
func known(name string) (unit, bool) {
	if u, ok := symbol(name); ok {
		return u, true
	}
	above, below, ok := strings.Cut(name, "/")
	if !ok {
		return unit{}, false
	}
	a, okA := symbol(above)
	b, okB := symbol(below)
	if !okA || !okB || below == "1" || a.level || b.level {
		return unit{}, false
	}
	return unit{name: name, dim: a.dim.plus(b.dim, -1), factor: a.factor / b.factor}, true
}

func (d dim) plus(o dim, sign int8) dim {
	return dim{d.m + sign*o.m, d.kg + sign*o.kg, d.s + sign*o.s, d.a + sign*o.a, d.k + sign*o.k}
}

func (u unit) any() bool { return u.factor == 0 }

// fits reports whether numbers of both may be put side by side.
func (u unit) fits(o unit) bool {
	return u.any() || o.any() || u.dim == o.dim && u.other == o.other && u.level == o.level
}

// per returns by what a number of o is multiplied to be one of u.
func (u unit) per(o unit) float64 {
	if u.any() || o.any() || u.factor == o.factor {
		return 1
	}
	return tidy(o.factor / u.factor)
}

// tidy takes away the last digit's noise, so that 0.2 MPa are 2 bar and not
// 2.0000000000000004.
func tidy(f float64) float64 {
	if r := math.Round(f); r != 0 && math.Abs(f-r) < 1e-9*math.Abs(f) {
		return r
	}
	if r := math.Round(1 / f); r != 0 && math.Abs(1/f-r) < 1e-9*math.Abs(1/f) {
		return 1 / r
	}
	return f
}

// times is the unit of a product, or with sign -1 of a quotient. What is computed of
// a unit that nothing is known of is not checked.
func (u unit) times(o unit, sign int8) unit {
	switch {
	case u.any() && o.any(), u.other != "", o.other != "", u.level, o.level:
		return anyUnit
	case o.any() || o == bareUnit:
		return u
	case u.any():
		u = bareUnit
	}
	out := unit{dim: u.dim.plus(o.dim, sign), factor: u.factor * math.Pow(o.factor, float64(sign))}
	if sign < 0 && u.name != "" && o.name != "" && !strings.Contains(u.name+o.name, "/") {
		out.name = u.name + "/" + o.name
	}
	if out.dim == (dim{}) {
		out.name = ""
	}
	return out
}

// difference is the unit of the difference of two numbers of it.
func (u unit) difference() unit {
	if u.level {
		return unit{name: "K", dim: u.dim, factor: u.factor}
	}
	return u
}

// perHour is the unit of a change of it in an hour.
func (u unit) perHour() unit {
	d := u.difference()
	if d.any() || d.other != "" {
		return unit{name: d.name + "/h"}
	}
	out := d.times(hourUnit, -1)
	out.name = "1/h"
	if d.name != "" {
		out.name = d.name + "/h"
	}
	return out
}

// String names it in a sentence.
func (u unit) String() string {
	switch {
	case u.name != "":
		return u.name
	case u.any() || u.dim == (dim{}):
		return "a number without a unit"
	}
	var parts []string
	for _, p := range []struct {
		name  string
		power int8
	}{{"m", u.dim.m}, {"kg", u.dim.kg}, {"s", u.dim.s}, {"A", u.dim.a}, {"K", u.dim.k}} {
		switch p.power {
		case 0:
		case 1:
			parts = append(parts, p.name)
		default:
			parts = append(parts, fmt.Sprintf("%s^%d", p.name, p.power))
		}
	}
	return strings.Join(parts, "·")
}
