package rules

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"gengfu/facility"
)

// function is one of the language.
type function struct {
	usage string
	least int
	most  int
	make  func(b *builder, n ast.Node, name string, args []ast.Node) operand
}

// functions are what a condition can ask for, by name.
func functions() map[string]function {
	one := func(make func(*builder, ast.Node, string, []ast.Node) operand, usage string) function {
		return function{usage, 1, 1, make}
	}
	kept := func(usage string) function { return function{usage, 2, 2, (*builder).kept} }
	bit := function{"bitand(int(fault_word), 4)", 2, 2, (*builder).bits}
	return map[string]function{
		"value": one((*builder).value, `value("tank/level")`),

		"abs":   one((*builder).rounded, "abs(x)"),
		"ceil":  one((*builder).rounded, "ceil(x)"),
		"floor": one((*builder).rounded, "floor(x)"),
		"round": one((*builder).rounded, "round(x)"),
		"int":   one((*builder).rounded, "int(x)"),
		"float": one((*builder).rounded, "float(x)"),

		"bitand": bit, "bitor": bit, "bitxor": bit, "bitshl": bit, "bitshr": bit,

		"min":      {"min(x, y), min(x, 15m) or min(group.x)", 1, 20, (*builder).fold},
		"max":      {"max(x, y), max(x, 15m) or max(group.x)", 1, 20, (*builder).fold},
		"avg":      {"avg(x, 15m) or avg(group.x)", 1, 2, (*builder).fold},
		"sum":      {"sum(x, 15m) or sum(group.x)", 1, 2, (*builder).fold},
		"count":    {"count(x, 15m) or count(group.x)", 1, 2, (*builder).fold},
		"any":      one((*builder).among, "any(group.fault)"),
		"all":      one((*builder).among, "all(group.fault)"),
		"rate":     kept("rate(x, 30m)"),
		"delta":    kept("delta(x, 30m)"),
		"increase": kept("increase(x, 30m)"),
		"balance":  {"balance(total, group.total, 24h) or balance(flow, group.flow)", 2, 3, (*builder).balance},

		"held":  {"held(x > 1, 10m), or held(x > 1) > 10 min", 1, 2, (*builder).held},
		"edges": {"edges(running, 1h)", 2, 2, (*builder).edges},

		"stale":   {"stale(x) or stale(x, 15m)", 1, 2, (*builder).stale},
		"never":   one((*builder).never, "never(x)"),
		"quality": one((*builder).quality, "quality(x) == good"),

		"during":  one((*builder).during, `during("night-shift")`),
		"between": {`between("22:00", "06:00")`, 2, 2, (*builder).between},

		"night_minimum": {"night_minimum(flow), or night_minimum(flow, 14) for what is usual", 1, 2, (*builder).nightMinimum},
		"baseline":      one((*builder).learned, "baseline(x)"),
		"anomaly":       one((*builder).learned, "anomaly(x)"),
		"anomaly_score": one((*builder).learned, "anomaly_score(x)"),
	}
}

func functionNames() []string {
	var names []string
	for name := range functions() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (b *builder) call(n ast.Node, name string, args []ast.Node) operand {
	f, ok := b.catalogue.functions[name]
	if !ok {
		m := mistake{what: fmt.Sprintf("%q is not a function of conditions.", name), cure: "The functions are " + strings.Join(functionNames(), ", ") + "."}
		if near := facility.Nearest(name, functionNames()); near != "" {
			m.cure = fmt.Sprintf("Did you mean %q? %s", near, m.cure)
		}
		return b.fail(n, m)
	}
	if len(args) < f.least || len(args) > f.most {
		return b.fail(n, mistake{what: fmt.Sprintf("%s takes other arguments.", name), cure: fmt.Sprintf("Write %s.", f.usage)})
	}
	out := f.make(b, n, name, args)
	if b.err != nil {
		return operand{point: -1}
	}
	return out
}

// text is an argument in quotes.
func (b *builder) text(n ast.Node, name, usage string) string {
	if s, ok := n.(*ast.StringNode); ok {
		return s.Value
	}
	b.fail(n, mistake{what: name + " takes a name in quotes.", cure: fmt.Sprintf("Write %s.", usage)})
	return ""
}

func (b *builder) value(n ast.Node, _ string, args []ast.Node) operand {
	s, ok := args[0].(*ast.StringNode)
	if !ok {
		return b.fail(n, mistake{what: "value takes one point in quotes.", cure: `Write value("tank/level").`})
	}
	t, m := b.catalogue.other(s.Value)
	if m != nil {
		return b.fail(n, *m)
	}
	return b.use(t)
}

func (b *builder) rounded(_ ast.Node, name string, args []ast.Node) operand {
	do := map[string]func(float64) float64{
		"abs": math.Abs, "ceil": math.Ceil, "floor": math.Floor, "round": math.Round, "int": math.Trunc,
		"float": func(v float64) float64 { return v },
	}[name]
	return b.each(b.build(args[0]), func(o operand) operand {
		o = b.number(args[0], o)
		num := o.num
		return operand{num: func(f *frame) float64 { return do(num(f)) }, unit: o.unit, point: -1, measured: o.measured}
	})
}

func (b *builder) bits(_ ast.Node, name string, args []ast.Node) operand {
	l, r := b.number(args[0], b.build(args[0])), b.number(args[1], b.build(args[1]))
	return operand{num: overBits(bits[name], strings.HasPrefix(name, "bitsh"), l.num, r.num), unit: bareUnit, point: -1, measured: l.measured}
}

// span is an argument that says how long.
func (b *builder) span(n ast.Node) (time.Duration, bool) {
	l, ok := b.literals[n.Location().From]
	if !ok {
		return 0, false
	}
	if l.span > 0 {
		return l.span, true
	}
	u := unitOf(l.unit)
	if u.dim != second.dim {
		return 0, false
	}
	switch n := n.(type) {
	case *ast.IntegerNode:
		return time.Duration(float64(n.Value) * u.factor * float64(time.Second)), true
	case *ast.FloatNode:
		return time.Duration(n.Value * u.factor * float64(time.Second)), true
	}
	return 0, false
}

// window is an argument that says over what time.
func (b *builder) window(n ast.Node, usage string) time.Duration {
	d, ok := b.span(n)
	switch {
	case !ok:
		b.fail(n, mistake{what: fmt.Sprintf("%q is no stretch of time.", n.String()), cure: fmt.Sprintf("Write it as 90s, 15m, 24h or 7d, as in %s.", usage)})
	case d < time.Second || d > LongestDelay:
		b.fail(n, mistake{what: fmt.Sprintf("%s is no time to look back.", d), cure: "Write a time between 1s and 31d."})
	default:
		return d
	}
	return time.Second
}

// quantity makes sure that an argument is a quantity and nothing else, of which
// something can be kept.
func (b *builder) quantity(n ast.Node, name string, o operand) bool {
	if b.err == nil && o.point < 0 {
		b.fail(n, mistake{what: fmt.Sprintf("%s takes a quantity by its name, not what is counted from it.", name), cure: `Write it around each quantity, as in avg(voltage_l1, 15m) - avg(voltage_l2, 15m).`})
	}
	return b.err == nil
}

// fold is the least, greatest, mean, sum or number: of some numbers, of a quantity
// over a time, or of a group.
func (b *builder) fold(n ast.Node, name string, args []ast.Node) operand {
	first := b.build(args[0])
	if len(args) == 2 && b.err == nil {
		l, over := b.literals[args[1].Location().From]
		if over = over && l.span > 0 || name != "min" && name != "max"; over {
			return b.over(name, args, first)
		}
	}
	switch {
	case b.err != nil:
		return first
	case len(args) == 1 && first.list != nil:
		return b.ofGroup(args[0], name, first.list)
	case name == "min" || name == "max":
		return b.ofNumbers(name, args, first)
	}
	return b.fail(n, mistake{what: fmt.Sprintf("%s takes a group, or a quantity and a time.", name), cure: fmt.Sprintf("Write %s.", b.catalogue.functions[name].usage)})
}

func (b *builder) ofNumbers(name string, args []ast.Node, first operand) operand {
	out := b.number(args[0], first)
	for i, arg := range args[1:] {
		next := b.number(arg, b.build(arg))
		if b.err != nil {
			return out
		}
		measured := out.measured || next.measured
		beside := &ast.BinaryNode{Left: args[i], Right: arg}
		beside.SetLocation(arg.Location())
		out, next = b.unify(beside, out, next)
		if b.err != nil {
			return out
		}
		u := out.unit
		if out.constant && !next.constant {
			u = next.unit
		}
		x, y := out.num, next.num
		num := func(f *frame) float64 { return min(x(f), y(f)) }
		if name == "max" {
			num = func(f *frame) float64 { return max(x(f), y(f)) }
		}
		out = operand{num: num, unit: u, point: -1, measured: measured}
	}
	if b.err == nil && len(args) == 1 {
		return b.fail(args[0], mistake{what: fmt.Sprintf("%s of one number is that number.", name), cure: fmt.Sprintf("Write %s.", b.catalogue.functions[name].usage)})
	}
	return out
}

// ofGroup folds what there is for each device of a group. It is known when each is.
func (b *builder) ofGroup(n ast.Node, name string, list []operand) operand {
	if name == "count" {
		return b.howMany(n, list)
	}
	nums := make([]func(*frame) float64, len(list))
	first, measured := b.number(n, list[0]), false
	for i, o := range list {
		o = b.number(n, o)
		if b.err != nil {
			return o
		}
		measured = measured || o.measured
		beside := &ast.BinaryNode{Left: n, Right: n}
		beside.SetLocation(n.Location())
		_, o = b.unify(beside, first, o)
		nums[i] = o.num
	}
	do := func(x, y float64) float64 { return x + y }
	switch name {
	case "min":
		do = func(x, y float64) float64 { return min(x, y) }
	case "max":
		do = func(x, y float64) float64 { return max(x, y) }
	}
	by := 1.0
	if name == "avg" {
		by = 1 / float64(len(list))
	}
	return operand{unit: first.unit, point: -1, measured: measured, num: func(f *frame) float64 {
		out := nums[0](f)
		for _, num := range nums[1:] {
			out = do(out, num(f))
		}
		return out * by
	}}
}

func (b *builder) howMany(n ast.Node, list []operand) operand {
	truths := make([]func(*frame) Truth, len(list))
	for i, o := range list {
		truths[i] = b.truth(n, o)
	}
	return operand{unit: bareUnit, point: -1, num: func(f *frame) float64 {
		count := 0.0
		for _, t := range truths {
			switch t(f) {
			case True:
				count++
			case Unknown:
				return math.NaN()
			}
		}
		return count
	}}
}

// among is any and all.
func (b *builder) among(_ ast.Node, name string, args []ast.Node) operand {
	o := b.build(args[0])
	if b.err == nil && o.list == nil {
		return b.fail(args[0], mistake{what: fmt.Sprintf("%s takes a group.", name), cure: fmt.Sprintf("Write %s.", b.catalogue.functions[name].usage)})
	}
	truths := make([]func(*frame) Truth, len(o.list))
	for i, e := range o.list {
		truths[i] = b.truth(args[0], e)
	}
	if name == "any" {
		return yes(func(f *frame) Truth {
			out := False
			for _, t := range truths {
				out = max(out, t(f))
			}
			return out
		})
	}
	return yes(func(f *frame) Truth {
		out := True
		for _, t := range truths {
			out = min(out, t(f))
		}
		return out
	})
}

func (b *builder) stale(_ ast.Node, name string, args []ast.Node) operand {
	o := b.build(args[0])
	var after time.Duration
	if len(args) == 2 {
		after = b.window(args[1], "stale(x, 15m)")
	}
	return b.each(o, func(o operand) operand {
		if !b.quantity(args[0], name, o) {
			return o
		}
		return yes(func(f *frame) Truth {
			p, d := f.test.points[o.point], after
			if d == 0 {
				d = p.patience()
			}
			return truthOf(f.quiet(p, d))
		})
	})
}

func (b *builder) never(_ ast.Node, name string, args []ast.Node) operand {
	return b.each(b.build(args[0]), func(o operand) operand {
		if !b.quantity(args[0], name, o) {
			return o
		}
		return yes(func(f *frame) Truth { return truthOf(f.test.points[o.point].LastGood == 0) })
	})
}

// qualities are the words that quality(x) is compared with.
var (
	qualities   = map[string]facility.Quality{"bad": facility.Bad, "uncertain": facility.Uncertain, "good": facility.Good}
	qualityUnit = unit{name: "quality", factor: 1, other: "quality"}
)

func (b *builder) quality(_ ast.Node, name string, args []ast.Node) operand {
	return b.each(b.build(args[0]), func(o operand) operand {
		if !b.quantity(args[0], name, o) {
			return o
		}
		return operand{unit: qualityUnit, point: -1, num: func(f *frame) float64 {
			p := f.test.points[o.point]
			if v := f.value(p); v != v {
				return float64(facility.Bad)
			}
			return float64(p.Quality)
		}}
	})
}

func (b *builder) during(_ ast.Node, name string, args []ast.Node) operand {
	id := b.text(args[0], name, `during("night-shift")`)
	if b.err != nil {
		return operand{point: -1}
	}
	c, ok := b.catalogue.calendar(id)
	if !ok {
		m := mistake{what: fmt.Sprintf("The site has no calendar %q.", id), cure: "Add it to calendars in the site file. It has " + strings.Join(b.catalogue.calendarIDs(), ", ") + "."}
		if near := facility.Nearest(id, b.catalogue.calendarIDs()); near != "" {
			m.cure = fmt.Sprintf("Did you mean %q?", near)
		}
		return b.fail(args[0], m)
	}
	return yes(during(c))
}

func (b *builder) between(_ ast.Node, name string, args []ast.Node) operand {
	var c facility.Calendar
	for i, to := range []*time.Duration{&c.From, &c.Until} {
		text := b.text(args[i], name, `between("22:00", "06:00")`)
		t, err := time.Parse("15:04", text)
		if b.err == nil && err != nil {
			return b.fail(args[i], mistake{what: fmt.Sprintf("%q is no time of day.", text), cure: `Write it as "06:30".`})
		}
		*to = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	return yes(during(c))
}
