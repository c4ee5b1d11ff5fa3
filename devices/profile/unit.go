package profile

import "slices"

// units are the symbols that a point may have, after UCUM where it has one that
// people recognise. One symbol per unit, so that rules and charts can compare.
var units = []string{
	"", "V", "kV", "A", "mA", "W", "kW", "VA", "kVA", "var", "kvar", "Hz", "Wh", "kWh", "MWh", "kvarh", "kVAh",
	"m3", "m3/h", "L", "L/min", "L/s", "m/s", "Pa", "kPa", "MPa", "bar", "m", "cm", "mm",
	"Cel", "K", "%", "deg", "1/min", "s", "min", "h", "NTU", "mg/L", "[pH]", "[ppm]", "ug/m3", "uS/cm", "lx", "dB", "kg", "kg/h",
	"GJ", "MJ",
}

// Units lists the symbols that a point's unit may be.
func Units() []string { return slices.Clone(units) }

// Factor returns by what a number in one unit is multiplied to be in the other. It
// reports false when the two do not measure the same, or nobody here knows how.
func Factor(from, to string) (float64, bool) {
	if from == to {
		return 1, true
	}
	for _, family := range []map[string]float64{
		{"V": 1, "kV": 1e3},
		{"mA": 1, "A": 1e3},
		{"W": 1, "kW": 1e3},
		{"VA": 1, "kVA": 1e3},
		{"var": 1, "kvar": 1e3},
		{"Wh": 3600, "kWh": 3.6e6, "MWh": 3.6e9, "MJ": 1e6, "GJ": 1e9},
		{"L": 1, "m3": 1e3},
		{"L/min": 60, "L/s": 3600, "m3/h": 1e3},
		{"Pa": 1, "kPa": 1e3, "bar": 1e5, "MPa": 1e6},
		{"mm": 1, "cm": 10, "m": 1e3},
		{"s": 1, "min": 60, "h": 3600},
	} {
		a, known := family[from]
		b, same := family[to]
		if known && same {
			return a / b, true
		}
	}
	return 0, false
}
