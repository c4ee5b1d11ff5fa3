package rules

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"
)

// A balance of which a sub-meter is silent is not known, but its ends are: the
// sub-meter counted nothing, or at most what it ever counted in such a time of late. A
// comparison that comes out the same at both ends is known. So one dead sub-meter
// neither makes an alarm nor switches leak control off: the loss must only be greater
// than what the dead one could have taken.

// end is one of the ends of a number that is not known.
type end byte

const (
	exactly end = iota // the number itself, which is not known
	least              // silent sub-meters took the most
	most               // they took nothing
)

// balance is what a main meter counts and its sub-meters do not.
func (b *builder) balance(n ast.Node, name string, args []ast.Node) operand {
	whole, parts := b.build(args[0]), b.build(args[1])
	usage := b.catalogue.functions[name].usage
	if b.err == nil && (parts.list == nil || whole.list != nil) {
		return b.fail(n, mistake{what: "balance takes a quantity and a group.", cure: fmt.Sprintf("Write %s.", usage)})
	}
	if len(args) == 3 {
		return b.balanceOver(n, name, args, whole, parts)
	}
	if b.err == nil && whole.counter {
		return b.fail(args[0], mistake{what: "Registers of meters cannot be compared as they stand.", cure: "Say over what time, as in balance(total, subs.total, 24h)."})
	}
	if b.err != nil {
		return whole
	}
	sum := b.ofGroup(args[1], "sum", parts.list)
	if b.err != nil {
		return sum
	}
	whole, sum = b.unify(side(args[0], args[1], n), whole, sum)
	l, r := whole.num, sum.num
	return operand{num: func(f *frame) float64 { return l(f) - r(f) }, unit: whole.unit, point: -1, measured: true}
}

// side is a node that names two parts in what is said of their units.
func side(left, right, at ast.Node) *ast.BinaryNode {
	n := &ast.BinaryNode{Left: left, Right: right}
	n.SetLocation(at.Location())
	return n
}

// meter is one of the meters of a balance.
type meter struct {
	point, growth, most int     // indices; most is 0 of a main meter
	by                  float64 // what its numbers are multiplied by
}

func (b *builder) balanceOver(n ast.Node, name string, args []ast.Node, whole, parts operand) operand {
	span := b.window(args[2], b.catalogue.functions[name].usage)
	counted := func(n ast.Node, o operand) meter {
		switch {
		case !b.quantity(n, name, o):
		case !o.counter:
			b.fail(n, mistake{what: fmt.Sprintf("%q is no counter.", n.String()), cure: "Leave out the time to compare what is measured now."})
		default:
			return meter{point: o.point, growth: b.keep(keptGrowth, o.point, int64(span)), by: 1}
		}
		return meter{}
	}
	main := counted(args[0], whole)
	subs := make([]meter, len(parts.list))
	for i, o := range parts.list {
		subs[i] = counted(args[1], o)
		if b.err != nil {
			return operand{point: -1}
		}
		subs[i].most = b.keep(keptMost, o.point, int64(span))
		subs[i].by = whole.unit.per(o.unit)
		b.unify(side(args[0], args[1], n), whole, o)
	}
	if b.err != nil {
		return operand{point: -1}
	}
	return operand{unit: whole.unit, point: -1, measured: true, spread: true, num: func(f *frame) float64 {
		change, over := main.counted(f)
		for _, s := range subs {
			change -= s.part(f, over, span) * s.by
		}
		return change
	}}
}

func (m meter) counted(f *frame) (change float64, over instant) {
	return f.test.feeds[m.growth].(*growth).at(f, f.test.points[m.point].patience())
}

// part is what a sub-meter counted while the main meter did over a time. One that was
// silent longer than the main counted in another time, and the other way round.
func (m meter) part(f *frame, over instant, span time.Duration) float64 {
	change, own := m.counted(f)
	near := instant(span / 4)
	switch {
	case own < over-near && own > 0:
		return math.NaN() // it is the main that was silent
	case change == change && own <= over+near:
		return change
	case f.end == least:
		return f.test.feeds[m.most].(*mostGrown).bound()
	case f.end == most:
		return 0
	}
	return math.NaN()
}

// exact is the number without its ends: not known while it is not.
func (o operand) exact() operand {
	num := o.num
	o.spread, o.point = false, -1
	o.num = func(f *frame) float64 {
		was := f.end
		f.end = exactly
		v := num(f)
		f.end = was
		return v
	}
	return o
}

// sure is what of the number is sure: itself, or of its ends what is nearer to nothing.
func (o operand) sure() func(*frame) float64 {
	num := o.num
	return func(f *frame) float64 {
		v := num(f)
		if v == v {
			return v
		}
		f.end = least
		low := num(f)
		f.end = most
		high := num(f)
		f.end = exactly
		switch {
		case low != low || high != high:
			return math.NaN()
		case low > 0:
			return low
		}
		return min(high, 0)
	}
}

// atBothEnds is a comparison that is known when it comes out the same at both ends.
func atBothEnds(t func(*frame) Truth) func(*frame) Truth {
	return func(f *frame) Truth {
		if v := t(f); v != Unknown {
			return v
		}
		f.end = least
		low := t(f)
		f.end = most
		high := t(f)
		f.end = exactly
		if low == high {
			return low
		}
		return Unknown
	}
}

// beside makes two numbers that are compared or counted with. Only one of them may keep
// its ends, and only where what comes of it lies between what comes of them.
func (b *builder) beside(n *ast.BinaryNode, left, right operand) (l, r operand) {
	left, right = b.ends(n.Left, left), b.ends(n.Right, right)
	orderly := slices.Contains([]string{"<", "<=", ">", ">=", "+", "-", "*"}, n.Operator)
	if left.spread && (right.spread || !orderly && n.Operator != "/") {
		left = left.exact()
	}
	if right.spread && (left.spread || !orderly) {
		right = right.exact()
	}
	return left, right
}

// remembered is for how long at least it is known what a meter took at most.
const remembered = instant(30 * 24 * time.Hour)

// mostGrown keeps the most that a counter grew over a stretch of time, of the last
// month or two in which it was read.
type mostGrown struct {
	growth      *growth // which takes a reading in first
	from        instant // of this month; 0 is never
	now, before float64 // the most of this month, and of the one before; below 0 is not known
}

func newMost(g *growth) *mostGrown { return &mostGrown{growth: g, now: -1, before: -1} }

func (m *mostGrown) take(_ *point, at instant, _ float64) {
	if g := m.growth; !g.full() || g.reach() > g.span+g.span/4 { // it was silent
		return
	}
	switch {
	case m.from == 0:
		m.from = at
	case at-m.from >= remembered:
		m.from, m.before, m.now = at, m.now, -1
	}
	m.now = max(m.now, m.growth.change())
}

func (m *mostGrown) late(*point, instant, float64) bool { return false }

// bound is the most, or NaN when it was never read for so long.
func (m *mostGrown) bound() float64 {
	if b := max(m.now, m.before); b >= 0 {
		return b
	}
	return math.NaN()
}

func (m *mostGrown) blank() feed { return newMost(m.growth) }

func (m *mostGrown) save(w *writer) {
	w.instant(m.from)
	if m.from != 0 {
		w.float(m.now)
		w.float(m.before)
	}
}

func (m *mostGrown) load(r *reader) {
	*m = mostGrown{growth: m.growth, from: r.instant(), now: -1, before: -1}
	if m.from != 0 {
		m.now, m.before = r.float(), r.float()
	}
}
