package rules

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"gengfu/facility"
)

// The language of conditions is expr's grammar with units behind numbers and with
// functions of our own. It has no strings, lists or loops, so that a condition costs
// the same each time and cannot fail on its data. What expr's parser understood is
// checked against the points that there are and made into closures over the points
// themselves: expr's machine would take ten times as long, and knows only two truths.
const (
	longestCondition = 1000 // characters
	mostNodes        = 200  // of the syntax tree
)

// mistake is what is wrong with a condition, and where.
type mistake struct {
	at    int // index of the character, from 0; -1 is the whole condition
	what  string
	cure  string
	empty bool // the site lacks a device that it asks for: an optional rule may rest
}

// problem turns the mistake into a problem of the field path.
func (m mistake) problem(path, text string) facility.Problem {
	what := m.what
	if m.at >= 0 {
		what = fmt.Sprintf("At %s of `%s`: %s", position(text, m.at), strings.Join(strings.Fields(text), " "), m.what)
	}
	return facility.Problem{Path: path, What: what, Cure: m.cure, At: max(m.at, 0)}
}

// position names the place of the character at index at, counted from 1.
func position(text string, at int) string {
	line, column := 1, 1
	for i, c := range []rune(text) {
		if i >= at {
			break
		}
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
	}
	if strings.Contains(text, "\n") {
		return fmt.Sprintf("line %d, column %d", line, column)
	}
	return fmt.Sprintf("column %d", column)
}

// syntax returns the problem of a condition that no estate could make right.
func syntax(path, text string) []facility.Problem {
	if _, _, m := parse(text); m != nil {
		return []facility.Problem{m.problem(path, text)}
	}
	return nil
}

// parse reads a condition, and what stands behind its numbers.
func parse(text string) (ast.Node, map[int]literal, *mistake) {
	if utf8.RuneCountInString(text) > longestCondition {
		return nil, nil, &mistake{at: -1, what: fmt.Sprintf("The condition is longer than %d characters.", longestCondition), cure: "Make several rules of it."}
	}
	if strings.TrimSpace(text) == "" {
		return nil, nil, &mistake{at: -1, what: "The condition is empty.", cure: "Write one such as outlet_pressure < 2.0 bar."}
	}
	if m := hint(text, false); m != nil {
		return nil, nil, m
	}
	bare, literals := lift(text)
	config := conf.CreateNew()
	config.MaxNodes = mostNodes
	for _, f := range builtin.Builtins { // ours may have the same names
		config.Functions[f.Name] = f
	}
	for _, name := range []string{"all", "none", "any", "one", "count", "sum", "map", "filter", "find", "reduce"} {
		config.Functions[name] = &builtin.Function{Name: name}
	}
	tree, err := parser.ParseWithConfig(bare, config)
	if err != nil {
		if m := hint(text, true); m != nil {
			return nil, nil, m
		}
		return nil, nil, fromExpr(err, `Write a condition such as "outlet_pressure < 2.0 bar and running".`)
	}
	return tree.Node, literals, nil
}

func fromExpr(err error, cure string) *mistake {
	if fe, ok := errors.AsType[*file.Error](err); ok {
		return &mistake{at: fe.From, what: fe.Message + ".", cure: cure}
	}
	return &mistake{at: -1, what: err.Error() + ".", cure: cure}
}

// term is what a name in a condition stands for.
type term struct {
	point facility.PointID
	kind  facility.PointKind
	unit  unit
	bit   bool // 0 or 1, so that it may stand as a yes or no
}

// operand is a part of a condition: a number, a yes or no, or one of them for each
// device of a group.
type operand struct {
	num      func(*frame) float64 // NaN is not known
	truth    func(*frame) Truth
	list     []operand
	unit     unit
	bit      bool    // a number that may stand as a yes or no
	constant bool    // and known beforehand:
	value    float64 //
	point    int     // index of the point that it is, and nothing else; -1 is none
	counter  bool    // a number of a counter
	measured bool    // something that a person would want to see the value of
	spread   bool    // while it is not known its ends may be, see balance
}

func constant(v float64, u unit) operand {
	return operand{num: func(*frame) float64 { return v }, constant: true, value: v, unit: u, point: -1}
}

func yes(t func(*frame) Truth) operand { return operand{truth: t, point: -1} }

// program is what the conditions of a rule are made into. It may be shared by
// devices for which the names mean the same kind of thing.
type program struct {
	cells []cellSpec
	asked []int // feeds that say what is usual
	raise func(*frame) Truth
	clear func(*frame) Truth // nil: not raise
	value func(*frame) float64
	unit  string // of value
}

// feedSpec is what a program wants kept of a point.
type feedSpec struct {
	kind  string // window, growth, nights, detector
	point facility.PointID
	span  int64 // nanoseconds; 0 where it means nothing
}

// builder makes a program of the conditions of one rule for one device.
type builder struct {
	catalogue *catalogue
	device    facility.Device
	groups    map[string][]facility.Device
	limits    map[string]operand
	learns    func(facility.PointID) bool

	literals map[int]literal
	tree     ast.Node // of the last condition
	nodes    int
	err      *mistake
	program  program
	points   []facility.PointID
	feeds    []feedSpec
	subject  *operand // the number that the condition is about
	first    *operand // the first quantity
	key      strings.Builder
}

func (b *builder) fail(n ast.Node, m mistake) operand {
	if b.err == nil {
		m.at = n.Location().From
		b.err = &m
	}
	return operand{point: -1}
}

// condition makes a closure of a condition.
func (b *builder) condition(text string) (func(*frame) Truth, *mistake) {
	node, literals, m := parse(text)
	if m != nil {
		return nil, m
	}
	b.literals, b.tree, b.nodes = literals, node, 0
	named := len(b.points)
	if strings.TrimSpace(text) != "" {
		fmt.Fprintf(&b.key, "%s\x00", text)
	}
	out := b.truth(node, b.build(node))
	switch {
	case b.err != nil:
		return nil, b.err
	case len(b.points) == named && named == 0:
		return nil, &mistake{at: -1, what: "The condition names no quantity.", cure: "Write one such as outlet_pressure < 2.0 bar."}
	}
	return out, nil
}

// truth makes sure that a part is a yes or no.
func (b *builder) truth(n ast.Node, o operand) func(*frame) Truth {
	switch {
	case b.err != nil:
	case o.list != nil:
		b.fail(n, mistake{what: fmt.Sprintf("%q is a value for each device of the group.", n.String()), cure: "Write any(…), all(…), count(…) > 0 or one of sum, avg, min and max."})
	case o.truth != nil:
		return o.truth
	case o.bit:
		num := o.num
		return func(f *frame) Truth { return truthOfBit(num(f)) }
	default:
		b.fail(n, mistake{what: fmt.Sprintf("%q is a number, not a yes or no.", n.String()), cure: fmt.Sprintf("A condition must be true or false: compare it, as in %s > 0.", n.String())})
	}
	return nil
}

// number makes sure that a part is a number.
func (b *builder) number(n ast.Node, o operand) operand {
	if o = b.ends(n, o); o.spread {
		return o.exact()
	}
	return o
}

// ends makes sure that a part is a number, of which the ends may be known alone.
func (b *builder) ends(n ast.Node, o operand) operand {
	switch {
	case b.err != nil:
	case o.list != nil:
		return b.fail(n, mistake{what: fmt.Sprintf("%q is a value for each device of the group.", n.String()), cure: "Write sum, avg, min, max or count around it."})
	case o.num == nil:
		return b.fail(n, mistake{what: fmt.Sprintf("%q is a yes or no, not a number.", n.String()), cure: "Compare numbers, and join yes and no with and, or and not."})
	}
	return o
}

// use returns the operand of a point.
func (b *builder) use(t term) operand {
	i := -1
	for k, p := range b.points {
		if p == t.point {
			i = k
		}
	}
	if i < 0 {
		i = len(b.points)
		b.points = append(b.points, t.point)
		fmt.Fprintf(&b.key, "%s %s %t\x00", t.kind, t.unit.name, t.bit)
	}
	o := operand{
		num:  func(f *frame) float64 { return f.value(f.test.points[i]) },
		unit: t.unit, bit: t.bit, point: i,
		counter:  t.kind == facility.Counter,
		measured: t.kind == facility.Measure || t.kind == facility.Counter,
	}
	if b.first == nil {
		b.first = &o
	}
	return o
}

// keep returns the index of what is kept of a point.
func (b *builder) keep(kind string, point int, span int64) int {
	spec := feedSpec{kind, b.points[point], span}
	for i, s := range b.feeds {
		if s == spec {
			return i
		}
	}
	b.feeds = append(b.feeds, spec)
	return len(b.feeds) - 1
}

// finish makes the number that an alarm shows.
func (b *builder) finish() {
	o := b.subject
	if o == nil {
		o = b.first
	}
	num := o.num
	if o.spread {
		num = o.sure()
	}
	b.program.unit = o.unit.name
	b.program.value = func(f *frame) float64 {
		if v := num(f); finite(v) {
			return v
		}
		return 0
	}
}
