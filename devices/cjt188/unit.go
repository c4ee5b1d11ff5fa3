package cjt188

import "gengfu/devices/bcd"

// family is what units can be turned into each other by moving the decimal point.
type family int

const (
	noFamily  family = iota
	wattHours        // Wh
	joules           // J
	watts            // W
	joulesPerHour
	litres
	litresPerHour
)

// unit is a unit by its family and its power of ten: kWh is 10^3 Wh.
type unit struct {
	family   family
	exponent int
}

// unitOf reads a unit's code (CJ/T 188-2004 table 13, 2018 table 20). Each block of
// codes goes up by a power of ten, three of them by a step to the next name.
func unitOf(code byte) (unit, bool) {
	switch {
	case code == 0x02, code >= 0x05 && code <= 0x0A: // 02 Wh, 05 kWh, 08 MWh
		return unit{wattHours, int(code) - 0x02}, true
	case code == 0x01: // J
		return unit{joules, 0}, true
	case code == 0x0B: // kJ
		return unit{joules, 3}, true
	case code == 0x0E: // MJ
		return unit{joules, 6}, true
	case code >= 0x11 && code <= 0x13: // GJ
		return unit{joules, 9 + int(code) - 0x11}, true
	case code == 0x14, code >= 0x17 && code <= 0x1A: // 14 W, 17 kW, 1A MW
		return unit{watts, int(code) - 0x14}, true
	case code >= 0x29 && code <= 0x2E: // 29 L, 2C m3
		return unit{litres, int(code) - 0x29}, true
	case code == 0x32, code >= 0x35 && code <= 0x37: // 32 L/h, 35 m3/h
		return unit{litresPerHour, int(code) - 0x32}, true
	case code == 0x40, code == 0x43, code == 0x46, code == 0x49: // J/h, kJ/h, MJ/h, GJ/h
		return unit{joulesPerHour, int(code) - 0x40}, true
	}
	return unit{}, false
}

// unitNamed reads the symbol that a reading has.
func unitNamed(symbol string) unit {
	switch symbol {
	case "Wh":
		return unit{wattHours, 0}
	case "kWh":
		return unit{wattHours, 3}
	case "MWh":
		return unit{wattHours, 6}
	case "MJ":
		return unit{joules, 6}
	case "GJ":
		return unit{joules, 9}
	case "W":
		return unit{watts, 0}
	case "kW":
		return unit{watts, 3}
	case "L":
		return unit{litres, 0}
	case "m3":
		return unit{litres, 3}
	case "m3/h":
		return unit{litresPerHour, 3}
	}
	return unit{}
}

const secondsPerHour = 3600

// convert turns digits with a decimal point, counted in one unit, into the other.
// It reports false when the two do not measure the same.
func convert(digits uint64, decimals int, from, to unit) (float64, bool) {
	v := bcd.Scaled(float64(digits), decimals-from.exponent+to.exponent)
	switch {
	case from.family == noFamily:
		return 0, false
	case from.family == to.family:
		return v, true
	case from.family == wattHours && to.family == joules, from.family == watts && to.family == joulesPerHour:
		return v * secondsPerHour, true
	case from.family == joules && to.family == wattHours, from.family == joulesPerHour && to.family == watts:
		return v / secondsPerHour, true
	}
	return 0, false
}
