package simulator

import (
	"encoding/binary"
	"fmt"
	"math"

	"gengfu/devices/profile"
	"gengfu/facility"
)

// recordMBus is one value of a meter, in the unit of its code.
type recordMBus struct {
	key   keyMBus
	code  codeMBus
	power int     // of ten, of one step
	value float64 // in the unit of the code
}

// keyMBus tells the records of a meter apart.
type keyMBus struct {
	quantity string
	is       byte // bits 4 and 5 of the DIF
	storage  uint64
	tariff   uint32
	subunit  uint32
}

// codeMBus is a stretch of VIF for one quantity, whose unit is that of the points.
// The codes go up by powers of ten.
type codeMBus struct {
	quantity string
	unit     string
	table    byte // VIF of the extension; 0 is the main table
	first    byte
	last     byte
	power    int // of the first code
	bits     bool
}

// codesMBus is EN 13757-3, table 10, 12 and 14, as far as meters of an estate use
// it. The first one of a quantity that has the unit is used.
func codesMBus() []codeMBus {
	const fb, fd = 0xFB, 0xFD
	return []codeMBus{
		{"energy", "kWh", 0, 0x00, 0x07, -6, false},
		{"energy", "GJ", 0, 0x08, 0x0F, -9, false},
		{"volume", "m3", 0, 0x10, 0x17, -6, false},
		{"mass", "kg", 0, 0x18, 0x1F, -3, false},
		{"on_time", "h", 0, 0x22, 0x22, 0, false},
		{"operating_time", "h", 0, 0x26, 0x26, 0, false},
		{"power", "kW", 0, 0x28, 0x2F, -6, false},
		{"flow", "m3/h", 0, 0x38, 0x3F, -6, false},
		{"mass_flow", "kg/h", 0, 0x50, 0x57, -3, false},
		{"supply_temperature", "Cel", 0, 0x58, 0x5B, -3, false},
		{"return_temperature", "Cel", 0, 0x5C, 0x5F, -3, false},
		{"temperature_difference", "K", 0, 0x60, 0x63, -3, false},
		{"external_temperature", "Cel", 0, 0x64, 0x67, -3, false},
		{"pressure", "bar", 0, 0x68, 0x6B, -3, false},
		{"heat_cost_units", "", 0, 0x6E, 0x6E, 0, false},
		{"reactive_energy", "kvarh", fb, 0x02, 0x03, 0, false},
		{"apparent_energy", "kVAh", fb, 0x04, 0x05, 0, false},
		{"reactive_power", "kvar", fb, 0x14, 0x17, -3, false},
		{"relative_humidity", "%", fb, 0x1A, 0x1B, -1, false},
		{"phase_angle_voltage", "deg", fb, 0x2A, 0x2A, 0, false},
		{"phase_angle_current", "deg", fb, 0x2B, 0x2B, 0, false},
		{"frequency", "Hz", fb, 0x2C, 0x2F, -3, false},
		{"apparent_power", "kVA", fb, 0x34, 0x37, -3, false},
		{"dimensionless", "", fd, 0x3A, 0x3A, 0, false},
		{"voltage", "V", fd, 0x40, 0x4F, -9, false},
		{"current", "A", fd, 0x50, 0x5F, -12, false},
		{"access_number", "", fd, 0x08, 0x08, 0, true},
		{"error_flags", "", fd, 0x17, 0x17, 0, true},
		{"digital_output", "", fd, 0x1A, 0x1A, 0, true},
		{"digital_input", "", fd, 0x1B, 0x1B, 0, true},
		{"reset_count", "", fd, 0x60, 0x60, 0, true},
		{"cumulation_count", "", fd, 0x61, 0x61, 0, true},
	}
}

// newRecordMBus returns the record that holds a point.
func newRecordMBus(pt profile.Point) (recordMBus, error) {
	is, ok := map[string]byte{"": 0x00, "present": 0x00, "maximum": 0x10, "minimum": 0x20}[pt.Is]
	if !ok {
		return recordMBus{}, fmt.Errorf("a record cannot be %q", pt.Is)
	}
	for _, c := range codesMBus() {
		if _, ok := profile.Factor(c.unit, pt.Unit); c.quantity != pt.Value || !ok && pt.Bit == nil {
			continue
		}
		return recordMBus{
			key:  keyMBus{pt.Value, is, pt.Storage, pt.Tariff, pt.Subunit},
			code: c, power: c.step(pt),
		}, nil
	}
	return recordMBus{}, fmt.Errorf("no code for %q in %q", pt.Value, pt.Unit)
}

// step is the power of ten of the finest digit that the point shows, within what
// the codes allow.
func (c codeMBus) step(pt profile.Point) int {
	if c.bits {
		return c.power
	}
	factor, _ := profile.Factor(c.unit, pt.Unit)
	scale := pt.Scale
	if scale == 0 {
		scale = 1
	}
	finest := -float64(pt.Decimals) - math.Log10(math.Abs(factor*scale))
	return min(max(int(math.Floor(finest+1e-9)), c.power), c.power+int(c.last-c.first))
}

// factor is what a number in the code's unit is in the point's.
func (c codeMBus) factor(pt profile.Point) float64 {
	f, ok := profile.Factor(c.unit, pt.Unit)
	if !ok {
		return 1 // bits have no unit
	}
	return f
}

// shown returns the value that is read back.
func (r recordMBus) shown(pt profile.Point) (float64, error) {
	raw := shown(counted(r.value, -r.power), -r.power)
	value, _, reason := pt.Finish(raw*r.code.factor(pt), facility.Good, "")
	return value, because(reason)
}

// encode writes the record: what only grows as digits, other numbers in binary.
func (r recordMBus) encode(value float64) ([]byte, error) {
	const binary32, digits8, word16 = 0x04, 0x0C, 0x02
	steps := counted(value, -r.power)
	coding := byte(binary32)
	var data []byte
	switch {
	case r.code.bits:
		coding = word16
		data = binary.LittleEndian.AppendUint16(nil, uint16(value))
	case r.key.quantity == "volume" || r.key.quantity == "energy":
		coding = digits8
		var err error
		if data, err = putDigits(steps, 4); err != nil {
			return nil, err
		}
	default:
		if math.Abs(steps) >= math.MaxInt32 {
			return nil, fmt.Errorf("four bytes cannot hold %v", value)
		}
		data = binary.LittleEndian.AppendUint32(nil, uint32(int32(steps)))
	}
	return append(append(r.dif(coding), r.vif()...), data...), nil
}

const extension = 0x80

// dif returns the DIF and as many DIFE as storage, tariff and subunit need.
func (r recordMBus) dif(coding byte) []byte {
	out := []byte{coding | r.key.is | byte(r.key.storage&1)<<6}
	storage, tariff, subunit := r.key.storage>>1, r.key.tariff, r.key.subunit
	for storage > 0 || tariff > 0 || subunit > 0 {
		out[len(out)-1] |= extension
		out = append(out, byte(storage&0x0F)|byte(tariff&3)<<4|byte(subunit&1)<<6)
		storage, tariff, subunit = storage>>4, tariff>>2, subunit>>1
	}
	return out
}

func (r recordMBus) vif() []byte {
	code := r.code.first + byte(r.power-r.code.power)
	if r.code.table != 0 {
		return []byte{r.code.table, code}
	}
	return []byte{code}
}
