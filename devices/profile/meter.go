package profile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/mbus"
)

// Place645 is where a point of a DL/T 645 meter stands. Points with the same
// identifier are read together.
type Place645 struct {
	DI    dlt645.DI
	Item  dlt645.Item // decodes the data of a reply
	Value string      // the name of the point's value among those that Item.Decode gives
}

// DLT645 returns where the point stands in a DL/T 645 meter. The error says which
// key of the profile is wrong and what it may be.
func (p Point) DLT645() (Place645, error) {
	di, err := dlt645.ParseDI(p.Item)
	if err != nil {
		return Place645{}, keyed("item", err.Error(), `Write eight hex digits in quotes, as "00010000", or four for a meter of 1997.`)
	}
	item, known := dlt645.Lookup(di)
	if p.Format != "" {
		f, err := parseFormat(p.Format)
		if err != nil {
			return Place645{}, err
		}
		item, known = dlt645.Item{Name: "value", Formats: []dlt645.Format{f}}, true
	}
	if !known {
		return Place645{}, keyed("item", fmt.Sprintf("The item %s is not of the standard.", di),
			`Say how it is read, as format: number 4 2 kWh, or correct the item. Its digits stand in quotes, as "00010000".`)
	}
	names := values645(item)
	name, ok := choose(p.Value, names)
	if !ok {
		return Place645{}, keyed("value", fmt.Sprintf("The item %s has no value %q.", di, p.Value), oneOf(names))
	}
	return Place645{DI: di, Item: item, Value: name}, nil
}

// format returns the format of the value.
func (at Place645) format() dlt645.Format {
	for i, f := range at.Item.Formats {
		if i == 0 && slices.Contains(names645(at.Item, 0), at.Value) ||
			i > 0 && slices.Contains(names645(at.Item, i), at.Value) {
			return f
		}
	}
	return dlt645.Format{}
}

// values645 lists the values of an item that are numbers, in the order of the wire.
func values645(it dlt645.Item) []string {
	var names []string
	for i, f := range it.Formats {
		switch f.Kind {
		case dlt645.Number, dlt645.Signed, dlt645.Word, dlt645.TimeOfDay:
			names = append(names, names645(it, i)...)
		}
	}
	return names
}

// names645 lists the names of one format of an item, over its block.
func names645(it dlt645.Item, format int) []string {
	suffix := ""
	if format > 0 {
		suffix = it.Suffix[format-1]
	}
	if it.Block == nil {
		return []string{it.Name + suffix}
	}
	names := make([]string, len(it.Block))
	for i, element := range it.Block {
		names[i] = it.Name + element + suffix
	}
	return names
}

// parseFormat reads "number 4 2 kWh": kind, bytes, decimals, unit. The last two
// may be left out.
func parseFormat(s string) (dlt645.Format, error) {
	bad := func(what string) (dlt645.Format, error) {
		return dlt645.Format{}, keyed("format", what, "Write kind, bytes, decimals and unit, as: number 4 2 kWh; the kinds are number, signed and word.")
	}
	parts := strings.Fields(s)
	if len(parts) < 2 || len(parts) > 4 {
		return bad(fmt.Sprintf("%q is not a format.", s))
	}
	kind, ok := map[string]dlt645.Kind{"number": dlt645.Number, "signed": dlt645.Signed, "word": dlt645.Word}[parts[0]]
	if !ok {
		return bad(fmt.Sprintf("%q is not a kind of format.", parts[0]))
	}
	f := dlt645.Format{Kind: kind}
	var err error
	if f.Bytes, err = strconv.Atoi(parts[1]); err != nil || f.Bytes < 1 || f.Bytes > 8 {
		return bad(fmt.Sprintf("A value cannot have %s bytes.", parts[1]))
	}
	if len(parts) > 2 {
		if f.Decimals, err = strconv.Atoi(parts[2]); err != nil || f.Decimals < 0 || f.Decimals > 2*f.Bytes {
			return bad(fmt.Sprintf("%d bytes cannot have %s digits after the point.", f.Bytes, parts[2]))
		}
	}
	if len(parts) > 3 {
		f.Unit = parts[3]
	}
	return f, nil
}

// Place188 is where a point of a CJ/T 188 meter stands.
type Place188 struct {
	DI    cjt188.DI
	Value string // the name of the point's value among those that Layout.Decode gives
}

// CJT188 returns where the point stands in a CJ/T 188 meter.
func (p Point) CJT188() (Place188, error) {
	di, err := cjt188.ParseDI(p.Item)
	if err != nil {
		return Place188{}, keyed("item", err.Error(), `Write four hex digits in quotes, as "901F" for what the meter shows now.`)
	}
	if p.Value == "" {
		return Place188{}, keyed("value", "It is not said which value of the item it is.", "Write value: volume, or another one of the reply.")
	}
	return Place188{DI: di, Value: p.Value}, nil
}

// MBus returns which record of an M-Bus meter the point is.
func (p Point) MBus() (mbus.ID, error) {
	functions := map[string]mbus.Function{"": mbus.Present, "present": mbus.Present, "maximum": mbus.Maximum, "minimum": mbus.Minimum}
	function, ok := functions[p.Is]
	if !ok {
		return mbus.ID{}, keyed("is", fmt.Sprintf("%q is not what a record can be.", p.Is), "Write present, maximum or minimum, or leave it out for present.")
	}
	if p.Value == "" {
		return mbus.ID{}, keyed("value", "It is not said which quantity the record has.", "Write value: energy, volume, power or another quantity of M-Bus.")
	}
	return mbus.ID{Quantity: p.Value, Function: function, Storage: p.Storage, Tariff: p.Tariff, Subunit: p.Subunit}, nil
}

// Meter returns how a meter of the model is asked. It reports whether the order of
// the identifier's bytes is known; otherwise both are to be tried. A nil dialect
// is that of the standard.
func (d *Dialect) Meter(a cjt188.Address) (m cjt188.Meter, orderKnown bool) {
	m = cjt188.Meter{Type: cjt188.AnyType, Address: a}
	if d == nil {
		return m, false
	}
	if t, err := d.meterType(); err == nil {
		m.Type = t
	}
	m.AnySerial = d.AnySerial
	if d.Order == LowFirst {
		m.Order = cjt188.LowFirst
	}
	return m, d.Order != ""
}

// Layout returns how the reply of a meter of the type is to be read. The type is
// that of the reply.
func (d *Dialect) Layout(t cjt188.MeterType, di cjt188.DI) (cjt188.Layout, bool) {
	l, ok := cjt188.Lookup(t, di)
	l.UnitFirst = d != nil && d.UnitFirst
	return l, ok
}

// The orders of a dialect.
const (
	HighFirst = "high-first" // 90 1F, as printed in 2004
	LowFirst  = "low-first"  // 1F 90, as printed in 2018
)

func (d *Dialect) meterType() (cjt188.MeterType, error) {
	if d == nil || d.Type == "" {
		return cjt188.AnyType, nil
	}
	v, err := strconv.ParseUint(d.Type, 16, 8)
	if err != nil || len(d.Type) != 2 || v < 0x10 || v > 0x49 || v&0x0F > 9 {
		return 0, keyed("type", fmt.Sprintf("%q is not a type of meter.", d.Type), "Write 10 for cold water, 11 hot water, 20 heat, 21 cooling, 30 gas, or leave it out for any.")
	}
	return cjt188.MeterType(v), nil
}

// keyError is a mistake in one key of a point, with its cure.
type keyError struct{ key, what, cure string }

func keyed(key, what, cure string) error { return &keyError{key, what, cure} }

func (e *keyError) Error() string { return e.key + ": " + e.what + " " + e.cure }

// blame adds the mistake to the others.
func (c *checker) blame(err error) {
	var e *keyError
	if errors.As(err, &e) {
		c.bad(e.key, e.what, e.cure)
	}
}

// choose returns the name, or the only one when none is given.
func choose(name string, names []string) (string, bool) {
	if name == "" && len(names) == 1 {
		return names[0], true
	}
	return name, slices.Contains(names, name)
}

func oneOf(names []string) string {
	const most = 12
	switch {
	case len(names) == 0:
		return "It is a text or a time, which cannot be a point: choose another item."
	case len(names) > most:
		return "Write one of " + strings.Join(names[:most], ", ") + " and so on."
	}
	return "Write one of " + strings.Join(names, ", ") + "."
}
