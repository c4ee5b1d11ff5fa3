package rules

import (
	"fmt"
	"math"
	"slices"

	"github.com/expr-lang/expr/ast"

	"gengfu/facility"
)

// What is well written may still be no sense: weekday == 7 is never true, and nobody
// would find out before the alarm did not come. So a condition is looked through once
// more for what comes out the same whatever the readings are, and for what means
// something else than it seems.

// reach is the numbers that something can be.
type reach struct {
	low, high float64
	steps     bool   // by whole numbers
	cure      string // how it is to be asked
}

var (
	hourReach    = reach{0, math.Nextafter(24, 0), false, `hour goes from 0 to below 24: half past eight is 8.5, and between("22:00", "06:00") goes over midnight.`}
	weekdayReach = reach{0, 6, true, "weekday goes from 0, Sunday, over 1, Monday, to 6, Saturday."}
	scoreReach   = reach{0, 1, false, "anomaly_score goes from 0 to 1; 90 % is 0.9."}
)

// sense finds what is wrong with the meaning of the condition that was built last.
func (b *builder) sense() *mistake {
	b.nodes = 0
	var found *mistake
	walk(b.tree, func(n *ast.BinaryNode) bool {
		if found == nil {
			found = b.senseOf(n)
		}
		return found == nil
	})
	return found
}

// walk visits the binary parts of a tree from above, and what is below where visit says so.
func walk(n ast.Node, visit func(*ast.BinaryNode) bool) {
	switch n := n.(type) {
	case *ast.BinaryNode:
		if visit(n) {
			walk(n.Left, visit)
			walk(n.Right, visit)
		}
	case *ast.UnaryNode:
		walk(n.Node, visit)
	case *ast.ConditionalNode:
		for _, part := range []ast.Node{n.Cond, n.Exp1, n.Exp2} {
			walk(part, visit)
		}
	case *ast.BuiltinNode:
		for _, arg := range n.Arguments {
			walk(arg, visit)
		}
	case *ast.CallNode:
		for _, arg := range n.Arguments {
			walk(arg, visit)
		}
	}
}

func (b *builder) senseOf(n *ast.BinaryNode) *mistake {
	var m *mistake
	switch op := n.Operator; {
	case slices.Contains(comparings, op):
		m = b.senseOfComparison(n)
	case op == "and" || op == "&&":
		m = b.senseOfBoth(n)
	case op == "/" || op == "%":
		m = b.senseOfDivision(n)
	}
	if m != nil {
		m.at = n.Location().From
	}
	return m
}

// fixed is the number that a part is, if that is known beforehand.
func (b *builder) fixed(n ast.Node) (operand, bool) {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
	case *ast.UnaryNode:
		if _, ok := b.fixed(n.Node); !ok {
			return operand{}, false
		}
	case *ast.IdentifierNode:
		o, ok := b.limits[n.Value]
		return o, ok
	default:
		return operand{}, false
	}
	o := b.build(n)
	return o, o.constant
}

// sided is a comparison with what is measured on its left, and a number on its right.
type sided struct {
	n     *ast.BinaryNode
	of    ast.Node
	op    string
	limit operand
}

func (b *builder) sided(n *ast.BinaryNode) (sided, bool) {
	if !slices.Contains(comparings, n.Operator) {
		return sided{}, false
	}
	left, isLeft := b.fixed(n.Left)
	right, isRight := b.fixed(n.Right)
	switch {
	case isLeft == isRight:
		return sided{}, false
	case isLeft:
		return sided{n, n.Right, turned(n.Operator), left}, true
	}
	return sided{n, n.Left, n.Operator, right}, true
}

func (b *builder) senseOfComparison(n *ast.BinaryNode) *mistake {
	s, ok := b.sided(n)
	if !ok {
		return nil
	}
	if call, name := called(s.of); name == "held" && len(call) == 1 && s.limit.unit.any() && s.limit.value != 0 {
		return &mistake{
			what: "held(…) is a time, and the number has no unit.",
			cure: fmt.Sprintf("Write %g s, %[1]g min or %[1]g h.", s.limit.value),
		}
	}
	r, limit, ok := b.reach(s)
	if !ok {
		return nil
	}
	if name, _ := s.of.(*ast.IdentifierNode); (s.op == "==" || s.op == "!=") && name != nil && name.Value == "hour" && limit >= r.low && limit <= r.high {
		return &mistake{
			what: "hour goes on within the hour, so it is that number for a second only.",
			cure: fmt.Sprintf("Write hour >= %[1]g and hour < %[2]g for the hour from %[1]g o'clock on.", math.Floor(limit), math.Floor(limit)+1),
		}
	}
	switch never, always := r.decides(s.op, limit); {
	case never:
		return &mistake{what: fmt.Sprintf("%s is never true.", shown(n)), cure: r.cure}
	case always:
		return &mistake{what: fmt.Sprintf("%s is always true.", shown(n)), cure: r.cure}
	}
	return nil
}

// shown is a part as the sentences have it. Units are not in the tree.
func shown(n ast.Node) string { return fmt.Sprintf("%q", n.String()) }

// called returns the arguments and the name of a function that a part calls.
func called(n ast.Node) ([]ast.Node, string) {
	switch n := n.(type) {
	case *ast.BuiltinNode:
		return n.Arguments, n.Name
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return n.Arguments, callee.Value
		}
	}
	return nil, ""
}

// reach returns which numbers the measured side can be, with the limit in its unit.
func (b *builder) reach(s sided) (r reach, limit float64, ok bool) {
	limit = s.limit.value
	if _, name := called(s.of); name == "anomaly_score" {
		return scoreReach, limit * bareUnit.per(s.limit.unit), true
	}
	name, ok := s.of.(*ast.IdentifierNode)
	if !ok {
		return reach{}, 0, false
	}
	if t, m := b.catalogue.own(b.device.ID, name.Value); m == nil {
		cure := fmt.Sprintf("%s is 0 or 1: write %[1]s or not %[1]s.", name.Value)
		return reach{0, 1, true, cure}, limit, t.bit && t.kind == facility.Signal || name.Value == facility.OnlineQuantity
	}
	switch name.Value {
	case "hour":
		return hourReach, limit * hourUnit.per(s.limit.unit), true
	case "weekday":
		return weekdayReach, limit, true
	}
	return reach{}, 0, false
}

// decides reports whether a comparison with the limit comes out the same for all numbers
// of the reach.
func (r reach) decides(op string, limit float64) (never, always bool) {
	switch op {
	case "<":
		return limit <= r.low, limit > r.high
	case "<=":
		return limit < r.low, limit >= r.high
	case ">":
		return limit >= r.high, limit < r.low
	case ">=":
		return limit > r.high, limit <= r.low
	}
	out := limit < r.low || limit > r.high || r.steps && limit != math.Trunc(limit)
	return out && op == "==", out && op == "!="
}

// senseOfBoth finds two limits of one quantity that are never both kept. It is asked for
// each "and" from above, so that it looks at all that is joined below it.
func (b *builder) senseOfBoth(n *ast.BinaryNode) *mistake {
	within := map[string]reach{}
	for _, s := range b.joined(n, nil) {
		name, ok := s.of.(*ast.IdentifierNode)
		if !ok {
			continue
		}
		r, seen := within[name.Value]
		if !seen {
			r = reach{low: math.Inf(-1), high: math.Inf(1)}
		}
		limit := s.limit.value
		if t, m := b.catalogue.own(b.device.ID, name.Value); m == nil {
			limit *= t.unit.per(s.limit.unit)
		} else if name.Value == "hour" {
			limit *= hourUnit.per(s.limit.unit)
		}
		switch s.op {
		case "<":
			r.high = min(r.high, math.Nextafter(limit, math.Inf(-1)))
		case "<=":
			r.high = min(r.high, limit)
		case ">":
			r.low = max(r.low, math.Nextafter(limit, math.Inf(1)))
		case ">=":
			r.low = max(r.low, limit)
		case "==":
			r.low, r.high = max(r.low, limit), min(r.high, limit)
		}
		if r.low > r.high {
			m := &mistake{what: fmt.Sprintf("%s is never all of this at once.", name.Value), cure: "Write or between them, or turn one of the comparisons."}
			if name.Value == "hour" {
				m.cure = `For a time over midnight write between("22:00", "06:00"), or hour >= 22 or hour < 6.`
			}
			return m
		}
		within[name.Value] = r
	}
	return nil
}

// joined adds the comparisons with a number that all must hold for a part to hold.
func (b *builder) joined(n ast.Node, all []sided) []sided {
	both, ok := n.(*ast.BinaryNode)
	if !ok {
		return all
	}
	if both.Operator == "and" || both.Operator == "&&" {
		return b.joined(both.Right, b.joined(both.Left, all))
	}
	if s, ok := b.sided(both); ok {
		all = append(all, s)
	}
	return all
}

func (b *builder) senseOfDivision(n *ast.BinaryNode) *mistake {
	if by, ok := b.fixed(n.Right); ok && by.value == 0 {
		return &mistake{what: "Nothing can be divided by 0.", cure: "Write another number."}
	}
	if of, ok := b.fixed(n.Left); ok && n.Operator == "%" {
		_, whole := called(n.Right)
		if _, both := b.fixed(n.Right); !both && !slices.Contains([]string{"int", "floor", "ceil", "round"}, whole) {
			return &mistake{
				what: fmt.Sprintf("%% between two numbers is what remains of a division: %s is no percentage.", shown(n)),
				cure: fmt.Sprintf("For a percentage write %g %% * …, or %g * ….", of.value, of.value/100),
			}
		}
	}
	return nil
}
