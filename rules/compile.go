package rules

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"gengfu/facility"
)

// Compile makes an engine of the rules for the devices of the estate, or says
// all that is wrong with the rules. Paths of problems begin with "rules[i]", i
// the index in rules. The engine is nil when there are problems.
func Compile(rules []Rule, estate facility.Estate) (*Engine, []facility.Problem) {
	c := &compilation{
		estate:   newCatalogue(estate),
		programs: map[string]programs{},
		engine: &Engine{
			site:   estate.Site,
			points: map[facility.PointID]*point{},
			byID:   map[string]*instance{},
		},
	}
	var problems []facility.Problem
	first := map[string]int{}
	for i, r := range rules {
		found := r.Validate()
		if j, ok := first[r.ID]; ok {
			found = append(found, facility.Problem{Path: "id", What: fmt.Sprintf("The id %q is used by rules[%d] already.", r.ID, j), Cure: "Give each rule an id of its own."})
		} else {
			first[r.ID] = i
		}
		if len(found) == 0 {
			found = c.rule(r)
		}
		problems = append(problems, facility.Under(fmt.Sprintf("rules[%d]", i), found)...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return c.engine, nil
}

// catalogue finds what the estate has by name.
type catalogue struct {
	devices []facility.Device
	points  map[facility.PointID]facility.Point
	names   map[string][]string // quantities by device
	kinds   []string
	places  []string
	ids     []string // of devices
}

func newCatalogue(estate facility.Estate) *catalogue {
	c := &catalogue{
		devices: estate.Devices,
		points:  map[facility.PointID]facility.Point{},
		names:   map[string][]string{},
	}
	for _, d := range estate.Devices {
		online := facility.PointID{Device: d.ID, Quantity: facility.OnlineQuantity}
		c.points[online] = facility.Point{ID: online, Kind: facility.State}
		for _, p := range d.Points {
			c.points[p.ID] = p
			c.names[d.ID] = append(c.names[d.ID], p.ID.Quantity)
		}
		if !slices.Contains(c.names[d.ID], facility.OnlineQuantity) {
			c.names[d.ID] = append(c.names[d.ID], facility.OnlineQuantity)
		}
		c.ids = append(c.ids, d.ID)
		c.kinds = append(c.kinds, d.Kind)
	}
	for _, p := range estate.Places {
		c.places = append(c.places, p.ID)
	}
	return c
}

// compilation is one run of Compile.
type compilation struct {
	estate   *catalogue
	programs map[string]programs
	engine   *Engine
}

// rule adds the instances of one rule that is valid by itself.
func (c *compilation) rule(r Rule) []facility.Problem {
	devices, problems := c.estate.pick(r)
	if len(problems) > 0 {
		return problems
	}
	if r.NoData != nil && len(r.NoData.Quantities) == 0 {
		devices = slices.DeleteFunc(devices, c.mute)
	}
	if len(devices) == 0 && !r.Optional {
		return []facility.Problem{{Path: "for", What: "The rule selects no device.", Cure: "Widen the selection, or write optional: true when the rule may rest here."}}
	}
	// One sentence per mistake is enough, however many devices share it.
	shared := map[facility.Problem][]string{}
	var order []facility.Problem
	for _, d := range devices {
		test, problems := c.test(r, d)
		for _, p := range problems {
			same := facility.Problem{Path: p.Path, What: p.What}
			if len(shared[same]) == 0 {
				order = append(order, p)
			}
			shared[same] = append(shared[same], d.ID)
		}
		if len(problems) == 0 {
			c.engine.add(r, d, test)
		}
	}
	for i, p := range order {
		order[i].What += " " + forDevices(shared[facility.Problem{Path: p.Path, What: p.What}])
	}
	return order
}

func forDevices(ids []string) string {
	if len(ids) > 3 {
		return fmt.Sprintf("(device %s and %d more)", ids[0], len(ids)-1)
	}
	return "(device " + strings.Join(ids, ", ") + ")"
}

// mute reports whether the device has no quantity of its own to be silent.
func (c *compilation) mute(d facility.Device) bool {
	return !slices.ContainsFunc(c.estate.names[d.ID], func(q string) bool { return q != facility.OnlineQuantity })
}

// pick returns the devices that the rule selects, in the estate's order.
func (c *catalogue) pick(r Rule) ([]facility.Device, []facility.Problem) {
	var problems []facility.Problem
	known := func(field string, words, names []string) {
		for i, w := range words {
			if slices.Contains(names, w) {
				continue
			}
			near := facility.Nearest(w, names)
			if near == "" && r.Optional {
				continue
			}
			cure := fmt.Sprintf("Write the id of one of the %s that the site has.", field)
			if near != "" {
				cure = fmt.Sprintf("Did you mean %q?", near)
			}
			problems = append(problems, facility.Problem{Path: fmt.Sprintf("for.%s[%d]", field, i), What: fmt.Sprintf("The site has no %q among its %s.", w, field), Cure: cure})
		}
	}
	s := r.For
	if !r.Optional {
		known("kinds", s.Kinds, c.kinds)
	}
	known("devices", s.Devices, c.ids)
	known("places", s.Places, c.places)
	known("except", s.Except, c.ids)
	if len(problems) > 0 {
		return nil, problems
	}
	within := func(list []string, word string) bool { return len(list) == 0 || slices.Contains(list, word) }
	var out []facility.Device
	for _, d := range c.devices {
		lacks := func(q string) bool { return !slices.Contains(c.names[d.ID], q) }
		if within(s.Kinds, d.Kind) && within(s.Devices, d.ID) && within(s.Places, d.Place) &&
			!slices.Contains(s.Except, d.ID) && !slices.ContainsFunc(s.Having, lacks) &&
			(len(s.Lacking) == 0 || slices.ContainsFunc(s.Lacking, lacks)) {
			out = append(out, d)
		}
	}
	return out, nil
}

// test makes what the rule asks of one device.
func (c *compilation) test(r Rule, d facility.Device) (test, []facility.Problem) {
	switch {
	case r.NoData != nil:
		return c.silence(r, d)
	case r.Rate != nil:
		return c.slope(r, d)
	default:
		return c.condition(r, d)
	}
}

func (c *compilation) condition(r Rule, d facility.Device) (test, []facility.Problem) {
	own := func(name string) (term, *mistake) { return c.estate.own(d.ID, name) }
	when, m := compile(r.When, own, c.estate.other, c.programs)
	if m != nil {
		return nil, []facility.Problem{m.problem("when", r.When)}
	}
	t := &conditionTest{engine: c.engine, when: when, env: map[string]any{}}
	t.unit = c.estate.points[when.terms[when.shown].point].Unit
	names := slices.Clone(when.order)
	terms := when.terms
	if r.Clear != "" {
		var m *mistake
		t.clear, m = compile(r.Clear, own, c.estate.other, c.programs)
		if m != nil {
			return nil, []facility.Problem{m.problem("clear", r.Clear)}
		}
		names = append(names, t.clear.order...)
		for n, term := range t.clear.terms {
			terms[n] = term
		}
	}
	t.bind(c, names, terms)
	return t, nil
}

// bind gives each name its point.
func (t *conditionTest) bind(c *compilation, names []string, terms map[string]term) {
	for i, n := range names {
		term := terms[n]
		switch {
		case slices.Contains(names[:i], n):
		case term.point == facility.PointID{}:
			t.timed = true
		default:
			t.inputs = append(t.inputs, input{name: n, point: c.point(term.point)})
		}
	}
}

func (c *compilation) silence(r Rule, d facility.Device) (test, []facility.Problem) {
	t := &silenceTest{engine: c.engine, after: r.NoData.After, each: len(r.NoData.Quantities) > 0}
	quantities := r.NoData.Quantities
	if !t.each {
		quantities = slices.DeleteFunc(slices.Clone(c.estate.names[d.ID]), func(q string) bool { return q == facility.OnlineQuantity })
	}
	for i, q := range quantities {
		term, m := c.estate.own(d.ID, q)
		if m != nil || term.point == (facility.PointID{}) {
			return nil, []facility.Problem{c.estate.noQuantity(d.ID, q).problem(fmt.Sprintf("no_data.quantities[%d]", i), q)}
		}
		t.points = append(t.points, c.point(term.point))
	}
	return t, nil
}

func (c *compilation) slope(r Rule, d facility.Device) (test, []facility.Problem) {
	term, m := c.estate.own(d.ID, r.Rate.Quantity)
	if m == nil && term.point == (facility.PointID{}) {
		m = c.estate.noQuantity(d.ID, r.Rate.Quantity)
	}
	if m != nil {
		return nil, []facility.Problem{m.problem("rate.quantity", r.Rate.Quantity)}
	}
	return newSlope(*r.Rate, c.point(term.point)), nil
}

// point returns the engine's record of a point, made when it is first used.
func (c *compilation) point(id facility.PointID) *point {
	p, ok := c.engine.points[id]
	if !ok {
		known := c.estate.points[id]
		p = &point{id: id, unit: known.Unit, kind: known.Kind, wrap: known.Wrap}
		c.engine.points[id] = p
	}
	return p
}

// own resolves a bare name in a condition of the device.
func (c *catalogue) own(device, name string) (term, *mistake) {
	if p, ok := c.points[facility.PointID{Device: device, Quantity: name}]; ok {
		return termOf(p), nil
	}
	if name == hourName || name == weekdayName {
		return term{kind: facility.Measure}, nil
	}
	return term{}, c.noQuantity(device, name)
}

func (c *catalogue) noQuantity(device, name string) *mistake {
	names := append(slices.Clone(c.names[device]), hourName, weekdayName)
	m := &mistake{at: -1, what: fmt.Sprintf("The device has no quantity %q.", name)}
	if near := facility.Nearest(name, names); near != "" {
		m.cure = fmt.Sprintf("Did you mean %q? ", near)
	}
	sort.Strings(names)
	m.cure += "It has " + strings.Join(names, ", ") + `. To leave out devices without a quantity, write it in for.having.`
	return m
}

// other resolves the point of a value("device/quantity").
func (c *catalogue) other(name string) (term, *mistake) {
	id, err := facility.ParsePointID(name)
	if err != nil {
		return term{}, &mistake{at: -1, what: fmt.Sprintf("%q is not a point.", name), cure: `Write value("device/quantity"), such as value("tank/level").`}
	}
	if p, ok := c.points[id]; ok {
		return termOf(p), nil
	}
	names := make([]string, 0, len(c.points))
	for p := range c.points {
		names = append(names, p.String())
	}
	sort.Strings(names)
	m := &mistake{at: -1, what: fmt.Sprintf("The site has no point %q.", name), cure: "Write the device and one of its quantities."}
	if near := facility.Nearest(name, names); near != "" {
		m.cure = fmt.Sprintf("Did you mean %q?", near)
	}
	return term{}, m
}

// termOf says how a point may be used. A state is a bit only when its labels
// speak of nothing but 0 and 1: "state 3 is stopped" must not count as a yes.
func termOf(p facility.Point) term {
	bit := p.Kind == facility.Signal || p.Kind == facility.State
	for v := range p.Labels {
		bit = bit && (v == 0 || v == 1)
	}
	return term{point: p.ID, kind: p.Kind, bit: bit}
}
