package profile

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/mbus"
	"gengfu/facility"
)

// checkMeter checks where a point stands in a model that does not speak Modbus.
func (p Point) checkMeter(c *checker, model Profile) {
	p.checkNoRegister(c)
	p.checkOnly(c, model.Language())
	p.checkBits(c, 64)
	if p.Writable {
		c.bad("writable", "Meters are only ever read.", "Leave writable out.")
	}
	var err error
	switch model.Language() {
	case DLT645:
		err = p.checkDLT645()
	case CJT188:
		err = p.checkCJT188(model.CJT188)
	case MBus:
		err = p.checkMBus()
	}
	c.blame(err)
}

// checkNoRegister finds keys that belong to Modbus.
func (p Point) checkNoRegister(c *checker) {
	if p.Table != "" {
		c.bad("table", "Only Modbus has tables.", "Leave table out, or write protocol: modbus.")
	}
	if p.Address != 0 {
		c.bad("address", "Only Modbus has addresses of registers.", "Leave address out, or write protocol: modbus.")
	}
	if p.Type != "" {
		c.bad("type", "Only registers of Modbus have a type.", "Leave type out: the protocol says how the value is written.")
	}
	if p.Order != "" {
		c.bad("order", "Only registers of Modbus have an order of bytes.", "Leave order out: the protocol says it.")
	}
}

// checkOnly finds keys that belong to another protocol than the model's.
func (p Point) checkOnly(c *checker, speaks Protocol) {
	if p.Format != "" && speaks != DLT645 {
		c.bad("format", "Only items of DL/T 645 have a format.", "Leave format out.")
	}
	if speaks == MBus {
		if p.Item != "" {
			c.bad("item", "M-Bus has no items.", "Leave item out, and write value: with the quantity of the record.")
		}
		return
	}
	if p.Storage != 0 || p.Tariff != 0 || p.Subunit != 0 || p.Is != "" {
		c.bad("storage", "Only records of M-Bus have storage, tariff, subunit and is.", "Leave them out, and choose by item and value.")
	}
}

// checkMine finds keys of meters on a register of Modbus.
func (p Point) checkMine(c *checker) {
	for _, k := range []struct {
		key string
		set bool
	}{
		{"item", p.Item != ""},
		{"value", p.Value != ""},
		{"format", p.Format != ""},
		{"is", p.Is != ""},
		{"storage", p.Storage != 0},
		{"tariff", p.Tariff != 0},
		{"subunit", p.Subunit != 0},
	} {
		if k.set {
			c.bad(k.key, fmt.Sprintf("A register of Modbus has no %s.", k.key), "Leave it out, or write protocol: dlt645, cjt188 or mbus.")
		}
	}
}

func (p Point) checkDLT645() error {
	at, err := p.DLT645()
	if err != nil {
		return err
	}
	f := at.format()
	if f.Kind == dlt645.Word && p.Bit != nil && *p.Bit+max(p.Width, 1) > 8*f.Bytes {
		return keyed("bit", fmt.Sprintf("The value %s has %d bits.", at.Value, 8*f.Bytes), fmt.Sprintf("Write 0 for the lowest, up to %d.", 8*f.Bytes-1))
	}
	return p.agree(at.Value, f.Unit, f.Kind == dlt645.Word)
}

func (p Point) checkCJT188(d *Dialect) error {
	at, err := p.CJT188()
	if err != nil {
		return err
	}
	types := []cjt188.MeterType{cjt188.ColdWater, cjt188.HeatMeter}
	if t, err := d.meterType(); err == nil && t != cjt188.AnyType {
		types = []cjt188.MeterType{t}
	}
	var names []string
	known := false
	for _, t := range types {
		layout, ok := d.Layout(t, at.DI)
		known = known || ok
		for _, f := range layout.Fields {
			if f.Kind == cjt188.Clock {
				continue
			}
			if f.Name == at.Value {
				return p.agree(f.Name, f.Unit, f.Kind == cjt188.Status)
			}
			names = append(names, f.Name)
		}
	}
	if !known {
		return keyed("item", fmt.Sprintf("The item %s of such a meter is not of the standard.", at.DI),
			"Write 901F for what the meter shows now, or D120 to D12B for the settlement days before.")
	}
	return keyed("value", fmt.Sprintf("The item %s has no value %q.", at.DI, at.Value), oneOf(names))
}

func (p Point) checkMBus() error {
	id, err := p.MBus()
	if err != nil {
		return err
	}
	units := mbus.Units(id.Quantity)
	if len(units) == 0 {
		return keyed("value", fmt.Sprintf("%q is not a quantity of M-Bus that is a number.", id.Quantity),
			"Write energy, power, volume, flow, supply_temperature, return_temperature, temperature_difference, operating_time, voltage, current, frequency or another name of EN 13757-3.")
	}
	if p.Bit != nil && !slices.Contains(units, "") {
		return keyed("bit", fmt.Sprintf("The %s is a quantity, not a word of bits.", id.Quantity), "Leave bit out.")
	}
	for _, u := range units {
		if _, ok := Factor(u, p.Unit); ok {
			return nil
		}
	}
	return keyed("unit", fmt.Sprintf("The %s comes in %s, which is not turned into %q.", id.Quantity, strings.Join(units, " or "), p.Unit),
		fmt.Sprintf("Write unit: %s.", units[0]))
}

// agree checks that the unit that a decoder gives is that of the point, or that a
// scale turns it; and that a bit is taken from a word.
func (p Point) agree(value, unit string, word bool) error {
	if p.Bit != nil && !word {
		return keyed("bit", fmt.Sprintf("The value %s is a number, not a word of bits.", value), "Leave bit out, or take a status word.")
	}
	if p.Unit == unit {
		return nil
	}
	factor, same := Factor(unit, p.Unit)
	if same && p.Scale != 0 && p.Scale != 1 {
		return nil
	}
	cure := fmt.Sprintf("Write unit: %q.", unit)
	if same {
		cure = fmt.Sprintf("Write unit: %s, or scale: %v.", unit, factor)
	}
	return keyed("unit", fmt.Sprintf("The value %s comes in %q, not in %q.", value, unit, p.Unit), cure)
}

func (d *Dialect) check() []facility.Problem {
	var c checker
	if d == nil {
		return nil
	}
	if _, err := d.meterType(); err != nil {
		c.blame(err)
	}
	if !slices.Contains([]string{"", HighFirst, LowFirst}, d.Order) {
		c.bad("order", fmt.Sprintf("%q is not an order of the identifier's bytes.", d.Order), "Write high-first (90 1F) or low-first (1F 90), or leave it out to try both.")
	}
	return c.problems
}

// collides reports whether two points of a meter are the same value, or share bits
// of it. A bit may share its word with the whole.
func (p Point) collides(q Point) bool {
	if p.Item != q.Item || p.Value != q.Value || p.Is != q.Is || p.Storage != q.Storage || p.Tariff != q.Tariff || p.Subunit != q.Subunit {
		return false
	}
	if p.Bit == nil || q.Bit == nil {
		return p.Bit == q.Bit
	}
	return p.sharesBits(q)
}

func (p Point) sharesBits(q Point) bool {
	return *p.Bit < *q.Bit+max(q.Width, 1) && *q.Bit < *p.Bit+max(p.Width, 1)
}

// showable reports what keeps a meter from showing the value.
func (p Point) showable(value float64, speaks Protocol) error {
	raw, err := p.Raw(value)
	if err != nil || speaks != DLT645 || p.Bit != nil {
		return err
	}
	at, wrong := p.DLT645()
	if wrong != nil {
		return nil //nolint:nilerr // said of the point already
	}
	f := at.format()
	digits := math.Round(math.Abs(raw) * math.Pow10(f.Decimals))
	most := math.Pow10(2 * f.Bytes)
	switch f.Kind {
	case dlt645.Signed:
		most *= 0.8
	case dlt645.Word:
		most = math.Pow(2, float64(8*f.Bytes))
	}
	if digits >= most || raw < 0 && f.Kind != dlt645.Signed {
		return fmt.Errorf("encode %s: %v: %w", p.ID, value, errTooBig)
	}
	return nil
}
