package rules

import (
	"fmt"
	"math"
	"time"

	"github.com/expr-lang/expr/ast"

	"gengfu/facility"
)

// What is kept of a point's readings.
const (
	keptWindow   = "window"
	keptGrowth   = "growth"
	keptNights   = "nights"
	keptDetector = "detector"
	keptMost     = "most"
)

// over is the least, greatest, mean, sum or number of a quantity's readings over a
// time.
func (b *builder) over(name string, args []ast.Node, o operand) operand {
	span := b.window(args[1], b.catalogue.functions[name].usage)
	return b.each(o, func(o operand) operand {
		if !b.quantity(args[0], name, o) {
			return o
		}
		i, p := b.keep(keptWindow, o.point, int64(span)), o.point
		part := map[string]func(fold) float64{
			"min": func(w fold) float64 { return w.min }, "max": func(w fold) float64 { return w.max },
			"avg": fold.mean, "sum": func(w fold) float64 { return w.sum }, "count": func(w fold) float64 { return float64(w.n) },
		}[name]
		u := o.unit
		if name == "count" {
			u = bareUnit
		}
		return operand{unit: u, point: -1, measured: o.measured, num: func(f *frame) float64 {
			if w, ok := f.test.feeds[i].(*window).at(f, f.test.points[p].patience()); ok {
				return part(w)
			}
			return math.NaN()
		}}
	})
}

// kept is rate, delta and increase.
func (b *builder) kept(_ ast.Node, name string, args []ast.Node) operand {
	o := b.build(args[0])
	span := b.window(args[1], b.catalogue.functions[name].usage)
	return b.each(o, func(o operand) operand {
		if !b.quantity(args[0], name, o) {
			return o
		}
		if name == "increase" && !o.counter {
			return b.fail(args[0], mistake{what: fmt.Sprintf("%q is no counter.", args[0].String()), cure: "Write delta for how a value moved; increase is what a counter counted."})
		}
		return b.growing(name, o, span)
	})
}

func (b *builder) growing(name string, o operand, span time.Duration) operand {
	i, p := b.keep(keptGrowth, o.point, int64(span)), o.point
	out := operand{unit: o.unit.difference(), point: -1, measured: o.measured}
	if name != "rate" {
		out.num = func(f *frame) float64 {
			change, _ := f.test.feeds[i].(*growth).at(f, f.test.points[p].patience())
			return change
		}
		return out
	}
	out.unit = o.unit.perHour()
	out.num = func(f *frame) float64 {
		change, over := f.test.feeds[i].(*growth).at(f, f.test.points[p].patience())
		return perHour(change, over)
	}
	return out
}

// watch makes a cell that looks at an argument each time the condition is looked at.
func (b *builder) watch(n ast.Node, span time.Duration) int {
	t := b.truth(n, b.build(n))
	b.program.cells = append(b.program.cells, cellSpec{of: t, span: span})
	return len(b.program.cells) - 1
}

func (b *builder) held(_ ast.Node, _ string, args []ast.Node) operand {
	i := b.watch(args[0], 0)
	if len(args) == 1 {
		return operand{unit: second, point: -1, num: func(f *frame) float64 {
			if s, ok := f.test.cells[i].heldSeconds(f); ok {
				return s
			}
			return math.NaN()
		}}
	}
	span := b.window(args[1], "held(x > 1, 10m)")
	return yes(func(f *frame) Truth { return f.test.cells[i].heldFor(f, span) })
}

func (b *builder) edges(_ ast.Node, _ string, args []ast.Node) operand {
	i := b.watch(args[0], b.window(args[1], "edges(running, 1h)"))
	return operand{unit: bareUnit, point: -1, measured: true, num: func(f *frame) float64 {
		if n, ok := f.test.cells[i].count(f); ok {
			return n
		}
		return math.NaN()
	}}
}

func (b *builder) nightMinimum(_ ast.Node, name string, args []ast.Node) operand {
	o := b.build(args[0])
	most := 0
	if len(args) == 2 {
		n, ok := args[1].(*ast.IntegerNode)
		if !ok || n.Value < fewestNights || n.Value > nightsKept {
			return b.fail(args[1], mistake{what: fmt.Sprintf("%q is no number of nights.", args[1].String()), cure: fmt.Sprintf("Write one from %d to %d.", fewestNights, nightsKept)})
		}
		most = n.Value
	}
	return b.each(o, func(o operand) operand {
		if !b.quantity(args[0], name, o) {
			return o
		}
		i := b.keep(keptNights, o.point, 0)
		out := operand{unit: o.unit, point: -1, measured: o.measured}
		if o.counter {
			out.unit = o.unit.perHour()
		}
		out.num = func(f *frame) float64 { return f.test.feeds[i].(*nights).last(f) }
		if most > 0 {
			b.refer(i)
			out.num = func(f *frame) float64 { return f.test.feeds[i].(*nights).usual(f, most) }
		}
		return out
	})
}

// learned is baseline, anomaly and anomaly_score. They are not known until the
// detector is sure, and while the quantity is not.
func (b *builder) learned(n ast.Node, name string, args []ast.Node) operand {
	return b.each(b.build(args[0]), func(o operand) operand {
		if b.err != nil {
			return o
		}
		if o.point < 0 {
			return b.fail(args[0], mistake{
				what: fmt.Sprintf("%s is of a quantity by its name: what is usual is not learned of what is counted from several.", name),
				cure: "Ask it of each quantity, as in sum(subs.flow) > sum(baseline(subs.flow)) * 1.5, or compare with its own past, as in increase(energy, 24h) / increase(total, 24h) > 1.15 * increase(energy, 30d) / increase(total, 30d).",
			})
		}
		if !b.learns(b.points[o.point]) {
			return b.fail(n, mistake{what: fmt.Sprintf("Nothing here learns what is usual of %q.", args[0].String()), cure: "Write a limit, or compare it with its own past: avg(x, 7d), night_minimum(x, 14)."})
		}
		i, p := b.keep(keptDetector, o.point, 0), o.point
		if name == "anomaly" {
			return yes(func(f *frame) Truth {
				v := f.test.feeds[i].(*watch).verdict
				if now := f.value(f.test.points[p]); now != now || !v.Sure {
					return Unknown
				}
				return truthOf(v.Flag)
			})
		}
		out := operand{unit: bareUnit, point: -1, measured: o.measured}
		if name == "baseline" {
			b.refer(i)
			out.unit = o.unit
		}
		out.num = func(f *frame) float64 {
			v := f.test.feeds[i].(*watch).verdict
			if now := f.value(f.test.points[p]); now != now || !v.Sure {
				return math.NaN()
			}
			if name == "baseline" {
				return v.Baseline
			}
			return v.Score
		}
		return out
	})
}

// makeFeed makes what a program wants kept of a point.
func (c *compilation) makeFeed(s feedSpec) feed {
	switch s.kind {
	case keptWindow:
		return newWindow(time.Duration(s.span))
	case keptGrowth:
		return newGrowth(time.Duration(s.span))
	case keptMost:
		return newMost(c.keep(feedSpec{keptGrowth, s.point, s.span}).(*growth))
	case keptNights:
		return newNights(c.engine.frame.clock)
	}
	known := c.estate.points[s.point]
	device := c.estate.device(s.point.Device)
	made := func() Detector { return c.detectors(device, known) }
	return &watch{made: made, detector: made()}
}

// learns reports whether a detector fits the point.
func (c *compilation) learns(id facility.PointID) bool {
	return c.detectors != nil && c.detectors(c.estate.device(id.Device), c.estate.points[id]) != nil
}
