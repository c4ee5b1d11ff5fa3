package profile

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
)

var (
	profileID  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	quantityID = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
)

// Validate returns every mistake of the profile, each with what to write
// instead. An empty result means that devices of it can be read.
func (p Profile) Validate() []facility.Problem {
	var c checker
	if !profileID.MatchString(p.ID) {
		c.bad("id", fmt.Sprintf("%q cannot be the id of a profile.", p.ID), "Use the file's name: lower-case letters, digits and single dashes.")
	}
	if p.Name.Empty() {
		c.bad("name", "The profile has no name.", "Write name: {zh: …, en: …}.")
	}
	if !quantityID.MatchString(p.Kind) {
		c.bad("kind", fmt.Sprintf("%q cannot be a kind of device.", p.Kind), "Use for example pump, drive, water_meter, electricity_meter, heat_meter, gas_meter, level, pressure, digital_input or climate.")
	}
	if strings.TrimSpace(p.Source) == "" {
		c.bad("source", "It is not said where the register map comes from.", "Name the manual and page, or the code that it was taken from.")
	}
	p.checkProtocol(&c)
	c.add("limits", p.Limits.check())
	if len(p.Points) == 0 {
		c.bad("points", "The profile has no points.", "List at least one quantity.")
	}
	for i, pt := range p.Points {
		c.add(fmt.Sprintf("points[%d]", i), pt.check(p))
	}
	c.problems = append(c.problems, p.checkTogether()...)
	for i, m := range p.Identify {
		c.add(fmt.Sprintf("identify[%d]", i), m.check(p.Language()))
	}
	for i, g := range p.Golden {
		c.add(fmt.Sprintf("golden[%d]", i), g.check(p))
	}
	c.add("persona.values", p.checkPersona())
	return c.problems
}

type checker struct{ problems []facility.Problem }

func (c *checker) bad(path, what, cure string) {
	c.problems = append(c.problems, facility.Problem{Path: path, What: what, Cure: cure})
}

func (c *checker) add(prefix string, more []facility.Problem) {
	c.problems = append(c.problems, facility.Under(prefix, more)...)
}

func (l Limits) check() []facility.Problem {
	var c checker
	if l.Registers < 0 || l.Registers > MaxRegisters {
		c.bad("registers", fmt.Sprintf("%d registers in one read are not possible.", l.Registers), "Write 1 to 125, or leave it out for 125.")
	}
	if l.Bits < 0 || l.Bits > MaxBits {
		c.bad("bits", fmt.Sprintf("%d bits in one read are not possible.", l.Bits), "Write 1 to 2000, or leave it out for 2000.")
	}
	if l.Gap < 0 || l.Gap >= MaxRegisters {
		c.bad("gap", fmt.Sprintf("A gap of %d registers is not possible.", l.Gap), "Write 0 to read listed registers only, or at most 124.")
	}
	if l.Timeout < 0 || l.Timeout > 30*time.Second {
		c.bad("timeout", fmt.Sprintf("A timeout of %v is not sensible.", l.Timeout), "Write 1ms to 30s, or leave it out for the line's.")
	}
	if l.Pause < 0 || l.Pause > 5*time.Second {
		c.bad("pause", fmt.Sprintf("A pause of %v is not sensible.", l.Pause), "Write 1ms to 5s, or leave it out for the line's gap.")
	}
	for i, r := range l.Forbidden {
		if r.Table.Function() == 0 || r.From < 0 || r.To < r.From || r.To > 0xFFFF {
			c.bad(fmt.Sprintf("forbidden[%d]", i), fmt.Sprintf("%q %d to %d is no stretch of a table.", r.Table, r.From, r.To),
				"Write {table: holding, from: 100, to: 199}, as on the wire.")
		}
	}
	return c.problems
}

// forbids reports whether the point lies where no request may reach.
func (l Limits) forbids(p Point) bool {
	return slices.ContainsFunc(l.Forbidden, func(r Range) bool {
		return p.Table == r.Table && p.Address <= r.To && p.Address+p.Words() > r.From
	})
}

func (p Profile) checkProtocol(c *checker) {
	switch p.Language() {
	case Modbus, DLT645, CJT188, MBus:
	default:
		c.bad("protocol", fmt.Sprintf("%q is not a protocol.", p.Protocol), "Write modbus, dlt645, cjt188 or mbus, or leave it out for modbus.")
	}
	if p.CJT188 != nil && p.Language() != CJT188 {
		c.bad("cjt188", "The model does not speak CJ/T 188.", "Leave cjt188 out, or write protocol: cjt188.")
	}
	c.add("cjt188", p.CJT188.check())
}

func (p Point) check(model Profile) []facility.Problem {
	var c checker
	if !quantityID.MatchString(p.ID) {
		c.bad("id", fmt.Sprintf("%q cannot be the id of a quantity.", p.ID), "Use lower-case letters, digits and single underscores, as active_power.")
	}
	if p.Name.Empty() {
		c.bad("name", fmt.Sprintf("Point %s has no name.", p.ID), "Write name: {zh: …, en: …}.")
	}
	if !slices.Contains(units, p.Unit) {
		c.bad("unit", fmt.Sprintf("%q is not a known unit.", p.Unit), nearestUnit(p.Unit))
	}
	if model.Language() == Modbus {
		p.checkPlace(&c, model.Limits)
		p.checkType(&c)
		p.checkMine(&c)
	} else {
		p.checkMeter(&c, model)
	}
	p.checkKind(&c)
	p.checkNumbers(&c)
	return c.problems
}

// nearestUnit proposes the symbol that differs in case or dress only, as "kwh",
// "m³/h" or "℃" do.
func nearestUnit(s string) string {
	dressed := strings.NewReplacer("³", "3", "µ", "u", "°C", "Cel", "℃", "Cel", "rpm", "1/min", "^", "", " ", "", "pH", "[pH]", "ppm", "[ppm]").Replace(s)
	for _, u := range units {
		if u != "" && strings.EqualFold(u, dressed) {
			return fmt.Sprintf("Write %q.", u)
		}
	}
	return "Write one of " + strings.Join(units[1:], ", ") + ", or leave it out for a number without a unit."
}

func (p Point) checkPlace(c *checker, l Limits) {
	if p.Table.Function() == 0 {
		c.bad("table", fmt.Sprintf("%q is not a table of Modbus.", p.Table), "Write coil (function 01), discrete (02), holding (03) or input (04).")
	}
	if last := p.Address + max(p.Words(), 1) - 1; p.Address < 0 || last > 0xFFFF {
		c.bad("address", fmt.Sprintf("Address %d with %d registers is outside 0 to 65535.", p.Address, p.Words()), "Write the address as on the wire: 40001 in a manual is holding address 0, 30001 is input address 0.")
	}
	if limit := l.Registers; limit > 0 && p.Words() > limit {
		c.bad("type", fmt.Sprintf("%s takes %d registers, but the model stands only %d in one read.", p.Type, p.Words(), limit), "Raise limits.registers or choose a narrower type.")
	}
	if l.forbids(p) {
		c.bad("address", fmt.Sprintf("%s lies where limits.forbidden lets no request reach.", p.ID), "Correct the address or the stretch.")
	}
	if p.Writable && (p.Table == Discrete || p.Table == Input) {
		c.bad("writable", fmt.Sprintf("The table %s cannot be written.", p.Table), "Write writable: false, or table holding or coil.")
	}
}

func (p Point) checkType(c *checker) {
	if p.Table.Bits() {
		if p.Type != "" && p.Type != Bit {
			c.bad("type", fmt.Sprintf("A %s has no type %s.", p.Table, p.Type), "Write type: bit, or leave it out.")
		}
		if p.Bit != nil {
			c.bad("bit", fmt.Sprintf("A %s is a single bit already.", p.Table), "Leave bit out, and give each bit its own address.")
		}
		return
	}
	if p.Words() == 0 {
		c.bad("type", fmt.Sprintf("%q is not a type of value.", p.Type), "Write u16, i16, u32, i32, f32, u64, i64, f64, bcd16, bcd32, bcd48, bcd64, i32+f32, or bit.")
		return
	}
	if !slices.Contains([]string{"", ABCD, CDAB, BADC, DCBA}, p.Order) {
		c.bad("order", fmt.Sprintf("%q is not an order of bytes.", p.Order), "Write ABCD, CDAB, BADC or DCBA.")
	}
	whole := slices.Contains([]string{"", Bit, U16, U32, U64}, p.Type)
	switch {
	case p.Bit == nil && p.Type == Bit:
		c.bad("bit", "A bit of a register needs its number.", "Write bit: 0 for the lowest, up to 15.")
	case p.Bit != nil && !whole:
		c.bad("bit", fmt.Sprintf("A bit cannot be taken from a %s.", p.Type), "Write type bit for one register, u32 for two or u64 for four.")
	}
	p.checkBits(c, 16*p.Words())
}

// checkBits checks which bits the point is of a word of so many.
func (p Point) checkBits(c *checker, most int) {
	switch {
	case p.Width < 0 || p.Width > 16:
		c.bad("width", fmt.Sprintf("A point of %d bits is not possible.", p.Width), "Write 2 to 16, or leave it out for one bit.")
	case p.Bit == nil && p.Width != 0:
		c.bad("width", "Only bits have a width.", "Say the lowest of them, as bit: 0, or leave width out.")
	case p.Bit != nil && (*p.Bit < 0 || *p.Bit+max(p.Width, 1) > most):
		c.bad("bit", fmt.Sprintf("There is no bit %d in %d bits.", *p.Bit+max(p.Width, 1)-1, most), fmt.Sprintf("Write 0 for the lowest, up to %d.", most-max(p.Width, 1)))
	}
}

func (p Point) checkKind(c *checker) {
	switch p.Kind {
	case facility.Measure, facility.Counter, facility.State:
	case facility.Signal:
		if !p.Binary() {
			c.bad("kind", fmt.Sprintf("Point %s is an alarm but not a single bit.", p.ID), "Give its bit, or write kind: state and let a rule judge the number.")
		}
	default:
		c.bad("kind", fmt.Sprintf("%q is not a kind of point.", p.Kind), "Write measure, counter, state or alarm.")
	}
	if p.Kind == facility.State && len(p.Labels) == 0 {
		c.bad("labels", fmt.Sprintf("The states of %s have no words.", p.ID), "Write labels: {0: {zh: …, en: …}, 1: …}, or kind: measure.")
	}
	if (p.Kind == facility.State || p.Kind == facility.Signal) && p.Unit != "" {
		c.bad("unit", fmt.Sprintf("A %s has no unit.", p.Kind), "Leave the unit out, or write kind: measure.")
	}
	if len(p.Labels) > 0 && (p.Kind == facility.Measure || p.Kind == facility.Counter) {
		c.bad("labels", fmt.Sprintf("A %s has no labels.", p.Kind), "Leave labels out, or write kind: state.")
	}
	for value, text := range p.Labels {
		if text.Empty() {
			c.bad(fmt.Sprintf("labels.%d", value), fmt.Sprintf("Value %d of %s has an empty label.", value, p.ID), "Write {zh: …, en: …}.")
		}
		if p.Binary() && value != 0 && value != 1 {
			c.bad(fmt.Sprintf("labels.%d", value), fmt.Sprintf("A bit is never %d.", value), "Label 0 and 1 only.")
		}
	}
}

func (p Point) checkNumbers(c *checker) {
	if (p.Binary() || p.Bit != nil) && (p.Scale != 0 && p.Scale != 1 || p.Offset != 0) {
		c.bad("scale", fmt.Sprintf("Point %s is a bit and cannot be scaled.", p.ID), "Leave scale and offset out.")
	}
	for name, v := range map[string]float64{"scale": p.Scale, "offset": p.Offset} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			c.bad(name, fmt.Sprintf("%v is not a number to calculate with.", v), "Write a plain number.")
		}
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		c.bad("min", fmt.Sprintf("min %v is above max %v.", *p.Min, *p.Max), "Exchange them.")
	}
	switch {
	case p.Wrap == 0:
	case p.Kind != facility.Counter:
		c.bad("wrap", fmt.Sprintf("A %s does not roll over.", p.Kind), "Leave wrap out, or write kind: counter.")
	case math.IsNaN(p.Wrap) || math.IsInf(p.Wrap, 0) || p.Wrap < 0:
		c.bad("wrap", fmt.Sprintf("A counter cannot roll over at %v.", p.Wrap), "Write the value that it shows 0 instead of: 1000000 after 999999.99.")
	}
	if p.Decimals < 0 || p.Decimals > 6 {
		c.bad("decimals", fmt.Sprintf("%d digits after the point are not sensible.", p.Decimals), "Write 0 to 6.")
	}
	if p.Period != 0 && (p.Period < 100*time.Millisecond || p.Period > 24*time.Hour) {
		c.bad("period", fmt.Sprintf("A period of %v is not sensible.", p.Period), "Write 100ms to 24h, or leave it out.")
	}
	if low, high := p.rawRange(); low < high {
		for i, s := range p.Sentinels {
			if s < low || s > high {
				c.bad(fmt.Sprintf("sentinels[%d]", i), fmt.Sprintf("The raw value %d does not fit %s.", s, p.Type), "Write the raw value as the type reads it: 0xFFFF of an i16 is -1.")
			}
		}
	}
}

// rawRange is what an integer type of fewer than 64 bits can hold.
func (p Point) rawRange() (low, high int64) {
	switch p.Type {
	case U16, Bit, "":
		return 0, math.MaxUint16
	case I16:
		return math.MinInt16, math.MaxInt16
	case U32:
		return 0, math.MaxUint32
	case I32:
		return math.MinInt32, math.MaxInt32
	case BCD16:
		return 0, 1e4 - 1
	case BCD32:
		return 0, 1e8 - 1
	case BCD48:
		return 0, 1e12 - 1
	}
	return 0, 0
}

// checkTogether finds ids that are used twice and points that lie on top of each
// other. Bits may share their register with each other and with the whole word.
func (p Profile) checkTogether() []facility.Problem {
	var c checker
	for i, a := range p.Points {
		for j, b := range p.Points[:i] {
			path := fmt.Sprintf("points[%d]", i)
			if a.ID == b.ID {
				c.bad(path+".id", fmt.Sprintf("The id %s is used by points[%d] too.", a.ID, j), "Give each quantity its own id.")
			}
			if p.Language() != Modbus {
				if a.collides(b) {
					c.bad(path+".value", fmt.Sprintf("%s is the same value as %s.", a.ID, b.ID), "Correct the item or the value of one of them.")
				}
				continue
			}
			if a.overlaps(b) {
				c.bad(path+".address", fmt.Sprintf("%s lies on the registers of %s.", a.ID, b.ID), "Correct the address or the type of one of them.")
			}
		}
	}
	return c.problems
}

func (p Point) overlaps(q Point) bool {
	if p.Table != q.Table || p.Address >= q.Address+q.Words() || q.Address >= p.Address+p.Words() {
		return false
	}
	if p.Bit == nil && q.Bit == nil {
		return true
	}
	same := p.Address == q.Address && p.Words() == q.Words() && p.order() == q.order()
	if !same {
		return true
	}
	return p.Bit != nil && q.Bit != nil && p.sharesBits(q)
}

// order is the order of bytes with its default.
func (p Point) order() string {
	if p.Order == "" {
		return ABCD
	}
	return p.Order
}

func (p Profile) checkPersona() []facility.Problem {
	var c checker
	for _, id := range sortedKeys(p.Persona.Values) {
		pt, ok := p.Point(id)
		if !ok {
			c.bad(id, fmt.Sprintf("The profile has no point %q.", id), "Use the id of one of its points.")
			continue
		}
		if err := pt.shows(p.Persona.Values[id], p.Language()); err != nil {
			c.bad(id, fmt.Sprintf("The device cannot show this: %v.", err), "Choose a value that the point can hold.")
		}
	}
	return c.problems
}

func (p Point) shows(value float64, speaks Protocol) error {
	if speaks != Modbus {
		return p.showable(value, speaks)
	}
	if p.Words() == 0 {
		return nil // said of the point already
	}
	_, err := p.Encode(value)
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
