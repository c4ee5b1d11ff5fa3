package mbus

import (
	"fmt"
	"strings"

	"gengfu/facility"
)

// treatment is what becomes of the data of a quantity.
type treatment int

const (
	asNumber treatment = iota // signed, with a power of ten
	asBits                    // unsigned, as flags and counts are
	asName                    // digits or text
	asDate
)

// valueInfo is a VIF with its VIFE.
type valueInfo struct {
	quantity  string
	unit      string
	as        treatment
	exponent  int // of ten
	times     float64
	modifiers string
	reason    facility.Reason // why there is no value, when the meter says so
}

// The VIF that lead to other tables (EN 13757-3, table 10).
const (
	vifFB    = 0x7B
	vifText  = 0x7C
	vifFD    = 0x7D
	vifMaker = 0x7F
)

func (c *cursor) valueInfo() (valueInfo, error) {
	b, err := c.take(1)
	if err != nil {
		return valueInfo{}, err
	}
	last := b[0]
	var v valueInfo
	switch vif := last &^ extended; {
	case vif == vifText:
		v, err = c.plainText()
	case (vif == vifFB || vif == vifFD) && last&extended != 0:
		if b, err = c.take(1); err == nil {
			last = b[0]
			v = lookup(vif, last&^extended)
		}
	default:
		v = primary(vif)
	}
	if err != nil {
		return valueInfo{}, err
	}
	if v.times == 0 {
		v.times = 1
	}
	return c.modify(v, last)
}

// makerQuantity is what primary calls a quantity of the maker's own.
const makerQuantity = "vif_7f"

// plainText reads the name of a quantity that the meter spells out.
func (c *cursor) plainText() (valueInfo, error) {
	n, err := c.take(1)
	if err != nil {
		return valueInfo{}, err
	}
	name, err := c.take(int(n[0]))
	if err != nil {
		return valueInfo{}, err
	}
	s, _ := text(name)
	return valueInfo{quantity: s}, nil
}

// modify reads the VIFE that follow a byte (EN 13757-3, tables 15 to 18).
func (c *cursor) modify(v valueInfo, last byte) (valueInfo, error) {
	own := v.quantity == makerQuantity
	for i := 0; last&extended != 0; i++ {
		if i == mostExtensions {
			return v, fmt.Errorf("more than %d VIFE: %w", mostExtensions, ErrMalformed)
		}
		b, err := c.take(1)
		if err != nil {
			return v, err
		}
		last = b[0]
		vife := last &^ extended
		if own {
			v.modifiers += fmt.Sprintf("%02X", vife)
			continue
		}
		own = vife == vifMaker
		v.apply(vife)
	}
	return v, nil
}

func (v *valueInfo) apply(vife byte) {
	const (
		lastError = 0x1F
		factor    = 0x70 // to 77: times 10^(n-6)
		thousand  = 0x7D
	)
	switch {
	case vife == 0: // no error
	case vife <= lastError:
		v.reason = facility.SensorFault
	case vife >= factor && vife <= factor+7:
		v.exponent += int(vife-factor) - 6
	case vife == thousand:
		v.exponent += 3
	default:
		v.modifiers += fmt.Sprintf("%02X", vife)
	}
}

// scale is a stretch of codes that differ in the power of ten only.
type scale struct {
	first, last byte
	quantity    string
	unit        string
	exponent    int // of the first code
	times       float64
}

func find(table []scale, code byte) valueInfo {
	for _, s := range table {
		if code >= s.first && code <= s.last {
			return valueInfo{quantity: s.quantity, unit: s.unit, exponent: s.exponent + int(code-s.first), times: s.times}
		}
	}
	return valueInfo{}
}

// primary reads the main table of VIF (EN 13757-3, table 10). Energies come in kWh
// or GJ, powers in kW, flows in m3/h, times in s, min or h.
func primary(vif byte) valueInfo {
	const perHour = 1.0 / 3600
	v := find([]scale{
		{0x00, 0x07, "energy", "kWh", -6, 0},
		{0x08, 0x0F, "energy", "GJ", -9, 0},
		{0x10, 0x17, "volume", "m3", -6, 0},
		{0x18, 0x1F, "mass", "kg", -3, 0},
		{0x28, 0x2F, "power", "kW", -6, 0},
		{0x30, 0x37, "power", "kW", -3, perHour}, // J/h
		{0x38, 0x3F, "flow", "m3/h", -6, 0},
		{0x40, 0x47, "flow", "m3/h", -7, 60},
		{0x48, 0x4F, "flow", "m3/h", -9, 3600},
		{0x50, 0x57, "mass_flow", "kg/h", -3, 0},
		{0x58, 0x5B, "supply_temperature", "Cel", -3, 0},
		{0x5C, 0x5F, "return_temperature", "Cel", -3, 0},
		{0x60, 0x63, "temperature_difference", "K", -3, 0},
		{0x64, 0x67, "external_temperature", "Cel", -3, 0},
		{0x68, 0x6B, "pressure", "bar", -3, 0},
		{0x6E, 0x6E, "heat_cost_units", "", 0, 0},
	}, vif)
	if v.quantity != "" {
		return v
	}
	switch vif &^ 3 {
	case 0x20:
		return duration("on_time", vif)
	case 0x24:
		return duration("operating_time", vif)
	case 0x70:
		return duration("averaging_time", vif)
	case 0x74:
		return duration("actuality_time", vif)
	}
	switch vif {
	case 0x6C:
		return valueInfo{quantity: "date", as: asDate}
	case 0x6D:
		return valueInfo{quantity: "time", as: asDate}
	case 0x78:
		return valueInfo{quantity: "fabrication_number", as: asName}
	case 0x79:
		return valueInfo{quantity: "identification", as: asName}
	case 0x7A:
		return valueInfo{quantity: "bus_address", as: asBits}
	}
	return valueInfo{quantity: fmt.Sprintf("vif_%02x", vif)}
}

// duration has its unit in the lowest two bits: seconds, minutes, hours, days.
func duration(quantity string, vif byte) valueInfo {
	units := [...]string{"s", "min", "h", "h"}
	v := valueInfo{quantity: quantity, unit: units[vif&3]}
	if vif&3 == 3 {
		v.times = 24
	}
	return v
}

// lookup reads the extension tables FB and FD (EN 13757-3, tables 14 and 12).
func lookup(table, code byte) valueInfo {
	v, name := lookupFD(code), "vif_fd_%02x"
	if table == vifFB {
		v, name = lookupFB(code), "vif_fb_%02x"
	}
	if v.quantity == "" {
		v.quantity = fmt.Sprintf(name, code)
	}
	return v
}

func lookupFB(code byte) valueInfo {
	return find([]scale{
		{0x00, 0x01, "energy", "kWh", 2, 0}, // MWh
		{0x02, 0x03, "reactive_energy", "kvarh", 0, 0},
		{0x04, 0x05, "apparent_energy", "kVAh", 0, 0},
		{0x08, 0x09, "energy", "GJ", -1, 0},
		{0x10, 0x11, "volume", "m3", 2, 0},
		{0x14, 0x17, "reactive_power", "kvar", -3, 0},
		{0x18, 0x19, "mass", "kg", 5, 0},
		{0x1A, 0x1B, "relative_humidity", "%", -1, 0},
		{0x28, 0x29, "power", "kW", 2, 0}, // MW
		{0x2A, 0x2A, "phase_angle_voltage", "deg", 0, 0},
		{0x2B, 0x2B, "phase_angle_current", "deg", 0, 0},
		{0x2C, 0x2F, "frequency", "Hz", -3, 0},
		{0x34, 0x37, "apparent_power", "kVA", -3, 0},
	}, code)
}

func lookupFD(code byte) valueInfo {
	if v := find([]scale{
		{0x3A, 0x3A, "dimensionless", "", 0, 0},
		{0x40, 0x4F, "voltage", "V", -9, 0},
		{0x50, 0x5F, "current", "A", -12, 0},
	}, code); v.quantity != "" {
		return v
	}
	names := map[byte]string{
		0x09: "medium", 0x0A: "maker", 0x0B: "parameter_set", 0x0C: "model_version", 0x0D: "hardware_version",
		0x0E: "firmware_version", 0x0F: "software_version", 0x10: "customer_location", 0x11: "customer",
	}
	if name, ok := names[code]; ok {
		return valueInfo{quantity: name, as: asName}
	}
	bits := map[byte]valueInfo{
		0x08: {quantity: "access_number"}, 0x17: {quantity: "error_flags"}, 0x18: {quantity: "error_mask"},
		0x1A: {quantity: "digital_output"}, 0x1B: {quantity: "digital_input"}, 0x1C: {quantity: "baud_rate"},
		0x60: {quantity: "reset_count"}, 0x61: {quantity: "cumulation_count"},
		0x74: {quantity: "battery_time", unit: "h", times: 24},
	}
	v, ok := bits[code]
	if ok {
		v.as = asBits
	}
	return v
}

// text reads ASCII, which is sent from its end. It reports false for anything that
// cannot be shown.
func text(b []byte) (string, bool) {
	s := strings.Trim(string(reversed(b)), "\x00 ")
	for _, c := range []byte(s) {
		if c < 0x20 || c > 0x7E {
			return "", false
		}
	}
	return s, true
}
