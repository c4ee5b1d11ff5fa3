package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// Option adds what the rules may ask for to Compile.
type Option func(*compilation)

// WithDetectors lets conditions ask for baseline(x) and anomaly(x); Learners are the
// shipped ones.
func WithDetectors(d Detectors) Option { return func(c *compilation) { c.detectors = d } }

// LifeLimits are what the site asks of people, by the priority of the rule.
type LifeLimits struct {
	MaxShelf map[facility.Priority]time.Duration // the longest shelf; 0 or none is lifecycle.DefaultMaxShelf
	AckNote  map[facility.Priority]bool          // whether an acknowledgement needs a note
}

// WithLife sets what the site asks of people who quiet an alarm. What holds already is
// not measured by it.
func WithLife(l LifeLimits) Option { return func(c *compilation) { c.life = l } }

// policy is what the rule and the site say of the life of its alarms.
func (l LifeLimits) policy(r Rule) lifecycle.Policy {
	return lifecycle.Policy{
		Latch: r.Latch, Realarm: r.Realarm, Quiet: r.Quiet, MaxShelf: l.MaxShelf[r.Priority], AckNote: l.AckNote[r.Priority],
	}
}

// Compile makes an engine of the rules for the devices of the estate, or says
// all that is wrong with the rules. Paths of problems begin with "rules[i]", i
// the index in rules. The engine is nil when there are problems.
func Compile(rules []Rule, estate facility.Estate, options ...Option) (*Engine, []facility.Problem) {
	c := &compilation{
		estate:   newCatalogue(estate),
		programs: map[string]*program{},
		feeds:    map[feedSpec]feed{},
		engine:   newEngine(estate.Site),
	}
	for _, o := range options {
		o(c)
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

// compilation is one run of Compile.
type compilation struct {
	estate    *catalogue
	detectors Detectors
	life      LifeLimits
	programs  map[string]*program
	feeds     map[feedSpec]feed // each is kept once, whoever asks for it
	engine    *Engine
}

// rule adds the instances of one rule that is valid by itself.
func (c *compilation) rule(r Rule) []facility.Problem {
	devices, problems := c.estate.pick("for", r.For, r.Optional)
	problems = append(problems, c.strangers(r, devices)...)
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
	var plain *ruleInUse
	for _, d := range devices {
		o, overridden := r.Overrides[d.ID]
		if o.Off {
			continue
		}
		as := plain
		if overridden || as == nil {
			as = &ruleInUse{Rule: r.with(o)}
			as.print = as.fingerprint()
			as.life = c.life.policy(as.Rule)
		}
		if !overridden {
			plain = as
		}
		test, problems := c.test(as.Rule, d)
		for _, p := range problems {
			if overridden && o.touches(p.Path) {
				p.Path = fmt.Sprintf("overrides.%s.%s", d.ID, p.Path)
			}
			same := facility.Problem{Path: p.Path, What: p.What}
			if len(shared[same]) == 0 {
				order = append(order, p)
			}
			shared[same] = append(shared[same], d.ID)
		}
		if len(problems) == 0 && test != nil {
			c.engine.add(as, &c.estate.devices[c.estate.index[d.ID]], test)
		}
	}
	for i, p := range order {
		order[i].What += " " + forDevices(shared[facility.Problem{Path: p.Path, What: p.What}])
	}
	return order
}

// strangers finds overrides for devices that the rule is not for.
func (c *compilation) strangers(r Rule, devices []facility.Device) []facility.Problem {
	ids := make([]string, len(devices))
	for i, d := range devices {
		ids[i] = d.ID
	}
	var out []facility.Problem
	for _, id := range slices.Sorted(maps.Keys(r.Overrides)) {
		if slices.Contains(ids, id) || r.Optional && !slices.Contains(c.estate.ids, id) && facility.Nearest(id, c.estate.ids) == "" {
			continue
		}
		p := facility.Problem{Path: "overrides." + id, What: fmt.Sprintf("The rule is not for a device %q.", id), Cure: "Write the id of a device that the rule selects."}
		if near := facility.Nearest(id, ids); near != "" {
			p.Cure = fmt.Sprintf("Did you mean %q?", near)
		}
		out = append(out, p)
	}
	return out
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

// condition makes the test of "when" and "clear". It is nil where a group that the
// conditions need has no device and the rule may rest.
func (c *compilation) condition(r Rule, d facility.Device) (test, []facility.Problem) {
	b := &builder{catalogue: c.estate, device: d, learns: c.learns}
	var problems []facility.Problem
	if b.groups, problems = c.groups(r, d); len(problems) > 0 {
		return nil, problems
	}
	b.limits, problems = limits(r.Limits)
	if len(problems) > 0 {
		return nil, problems
	}
	for _, name := range slices.Sorted(maps.Keys(r.Limits)) {
		if slices.Contains(c.estate.names[d.ID], name) {
			problems = append(problems, facility.Problem{Path: "limits." + name, What: fmt.Sprintf("The device has a quantity %q too.", name), Cure: "Give the limit another name."})
		}
		fmt.Fprintf(&b.key, "%s=%s\x00", name, r.Limits[name])
	}
	if len(problems) > 0 {
		return nil, problems
	}
	path, clearing := r.clearing()
	for _, part := range []struct {
		path, text string
		into       *func(*frame) Truth
	}{{"when", r.When, &b.program.raise}, {path, clearing, &b.program.clear}} {
		if part.text == "" {
			continue
		}
		truth, m := b.condition(part.text)
		if m == nil {
			m = b.sense()
		}
		switch {
		case m != nil && m.empty && r.Optional:
			return nil, nil
		case m != nil:
			return nil, []facility.Problem{m.problem(part.path, part.text)}
		}
		*part.into = truth
	}
	b.finish()
	return c.bind(b), nil
}

// bind gives a program the points and what is kept of them.
func (c *compilation) bind(b *builder) *conditionTest {
	key := b.key.String()
	shared, ok := c.programs[key]
	if !ok {
		shared = &b.program
		c.programs[key] = shared
	}
	t := &conditionTest{engine: c.engine, program: shared}
	t.points, t.feeds = t.fewPoints[:0], t.fewFeeds[:0]
	for _, id := range b.points {
		t.points = append(t.points, c.point(id))
	}
	for _, s := range b.feeds {
		t.feeds = append(t.feeds, c.keep(s))
	}
	t.reset()
	return t
}

// keep returns what is kept of a point, made when it is first asked for.
func (c *compilation) keep(s feedSpec) feed {
	kept, ok := c.feeds[s]
	if !ok {
		kept = c.makeFeed(s)
		c.feeds[s] = kept
		c.engine.feeds = append(c.engine.feeds, keptFeed{s, kept})
		p := c.point(s.point)
		p.feeds = append(p.feeds, kept)
	}
	return kept
}

// groups returns the devices of each group of the rule, without the device itself.
func (c *compilation) groups(r Rule, d facility.Device) (map[string][]facility.Device, []facility.Problem) {
	var problems []facility.Problem
	out := map[string][]facility.Device{}
	for _, name := range slices.Sorted(maps.Keys(r.Groups)) {
		g := r.Groups[name]
		picked, found := c.estate.pick("groups."+name, g.Selector, r.Optional)
		problems = append(problems, found...)
		out[name] = slices.DeleteFunc(picked, func(o facility.Device) bool {
			return o.ID == d.ID || g.Here && o.Place != d.Place || g.Children && o.Parent != d.ID
		})
	}
	return out, problems
}

// limits reads the named numbers of a rule.
func limits(texts map[string]string) (map[string]operand, []facility.Problem) {
	var problems []facility.Problem
	out := map[string]operand{}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		limit, m := number(texts[name])
		out[name] = limit
		if m != nil {
			m.cure = "Write a number with its unit, such as 2.85 m."
			problems = append(problems, m.problem("limits."+name, texts[name]))
		}
	}
	return out, problems
}

func (c *compilation) silence(r Rule, d facility.Device) (test, []facility.Problem) {
	t := &silenceTest{engine: c.engine, after: r.NoData.After, each: len(r.NoData.Quantities) > 0}
	quantities := r.NoData.Quantities
	if !t.each {
		quantities = slices.DeleteFunc(slices.Clone(c.estate.names[d.ID]), func(q string) bool { return q == facility.OnlineQuantity })
	}
	for i, q := range quantities {
		term, m := c.estate.own(d.ID, q)
		if m != nil {
			return nil, []facility.Problem{c.estate.noQuantity(d.ID, q).problem(fmt.Sprintf("no_data.quantities[%d]", i), q)}
		}
		t.points = append(t.points, c.point(term.point))
	}
	return t, nil
}

func (c *compilation) slope(r Rule, d facility.Device) (test, []facility.Problem) {
	term, m := c.estate.own(d.ID, r.Rate.Quantity)
	if m != nil {
		return nil, []facility.Problem{m.problem("rate.quantity", r.Rate.Quantity)}
	}
	p := c.point(term.point)
	kept := c.keep(feedSpec{kind: keptGrowth, point: p.id, span: int64(r.Rate.Over)})
	return newSlope(c.engine, *r.Rate, p, kept.(*growth)), nil
}

// point returns the engine's record of a point, made when it is first used.
func (c *compilation) point(id facility.PointID) *point {
	p, ok := c.engine.points[id]
	if !ok {
		known := c.estate.points[id]
		p = &point{id: id, unit: known.Unit, kind: known.Kind, wrap: known.Wrap, stale: staleAfter(known)}
		p.see()
		c.engine.points[id] = p
		c.engine.order = append(c.engine.order, p)
	}
	return p
}
