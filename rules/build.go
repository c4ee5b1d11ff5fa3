package rules

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
)

var (
	comparings = []string{"==", "!=", "<", "<=", ">", ">="}
	joinings   = []string{"and", "or", "&&", "||"}
	countings  = []string{"+", "-", "*", "/", "%", "**", "^"}
)

const languageCure = `Use quantities, numbers, comparisons, and, or, not, arithmetic and the functions.`

// build makes an operand of a node.
func (b *builder) build(node ast.Node) operand {
	// "a < b < c" becomes "a < b and b < c" with b in both: nested, so few nodes
	// make a tree without end.
	b.nodes++
	if b.nodes > mostNodes {
		return b.fail(node, mistake{what: "The condition is too long.", cure: "Make several rules of it."})
	}
	if b.err != nil {
		return operand{point: -1}
	}
	switch n := node.(type) {
	case *ast.BoolNode:
		t := truthOf(n.Value)
		return yes(func(*frame) Truth { return t })
	case *ast.IntegerNode:
		return b.literal(n, float64(n.Value))
	case *ast.FloatNode:
		return b.literal(n, n.Value)
	case *ast.IdentifierNode:
		return b.name(n)
	case *ast.MemberNode:
		return b.member(n)
	case *ast.UnaryNode:
		return b.unary(n)
	case *ast.BinaryNode:
		return b.binary(n)
	case *ast.ConditionalNode:
		return b.conditional(n)
	case *ast.BuiltinNode:
		return b.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return b.call(n, callee.Value, n.Arguments)
		}
	}
	return b.fail(node, mistake{what: "This is not part of the language of conditions.", cure: languageCure})
}

// literal is a number with or without a unit.
func (b *builder) literal(n ast.Node, v float64) operand {
	l, ok := b.literals[n.Location().From]
	if !ok {
		return constant(v, anyUnit)
	}
	if l.unit == "" {
		return constant(l.span.Seconds(), second)
	}
	return constant(v, unitOf(l.unit))
}

// name is a limit of the rule, a quantity of the device, or what every condition
// knows.
func (b *builder) name(n *ast.IdentifierNode) operand {
	if o, ok := b.limits[n.Value]; ok {
		return o
	}
	t, m := b.catalogue.own(b.device.ID, n.Value)
	if m == nil {
		return b.use(t)
	}
	switch n.Value {
	case "hour":
		return operand{num: (*frame).hour, unit: hourUnit, point: -1}
	case "weekday":
		return operand{num: (*frame).weekday, unit: bareUnit, point: -1}
	case "workday":
		c, _ := b.catalogue.calendar(workdays)
		return yes(during(c))
	case "holiday":
		if c, ok := b.catalogue.calendar(holidays); ok {
			return yes(during(c))
		}
		return b.fail(n, mistake{what: "The site has no calendar of its holidays.", cure: "Add one with id: holidays to calendars in the site file."})
	}
	if q, ok := qualities[n.Value]; ok {
		return constant(float64(q), qualityUnit)
	}
	if n.Value == ratedName {
		return b.fail(n, mistake{what: "rated is all that the device is rated for.", cure: "Name the rating too, as in rated.current."})
	}
	if _, ok := b.groups[n.Value]; ok {
		return b.fail(n, mistake{what: fmt.Sprintf("%q is a group of devices.", n.Value), cure: fmt.Sprintf("Name the quantity too, as in sum(%s.flow).", n.Value)})
	}
	return b.fail(n, *b.unknown(n.Value, m))
}

// member is a quantity of each device of a group.
func (b *builder) member(n *ast.MemberNode) operand {
	group, ok := n.Node.(*ast.IdentifierNode)
	quantity, okQ := n.Property.(*ast.StringNode)
	if !ok || !okQ {
		return b.fail(n, mistake{what: "This is not part of the language of conditions.", cure: languageCure})
	}
	devices, ok := b.groups[group.Value]
	if !ok && group.Value == ratedName {
		return b.rated(n, quantity.Value)
	}
	if !ok {
		return b.fail(n, b.noGroup(group.Value, quantity.Value))
	}
	if len(devices) == 0 {
		return b.fail(n, mistake{what: fmt.Sprintf("The group %q has no device.", group.Value), cure: "Widen it, or write optional: true when the rule may rest here.", empty: true})
	}
	fmt.Fprintf(&b.key, "%d of %s\x00", len(devices), group.Value)
	out := operand{point: -1}
	for _, d := range devices {
		t, m := b.catalogue.own(d.ID, quantity.Value)
		if m != nil {
			m.what = fmt.Sprintf("%s of the group %q has no quantity %q.", d.ID, group.Value, quantity.Value)
			m.cure = fmt.Sprintf("Write having: [%s] in the group, to take only devices with it.", quantity.Value)
			return b.fail(n, *m)
		}
		out.list = append(out.list, b.use(t))
	}
	return out
}

func (b *builder) unary(n *ast.UnaryNode) operand {
	o := b.build(n.Node)
	switch n.Operator {
	case "not", "!":
		if b.err == nil && o.num != nil && !o.bit {
			return b.fail(n.Node, mistake{what: fmt.Sprintf("%q is a number, not a yes or no.", n.Node.String()), cure: fmt.Sprintf("not is for what stands right behind it: write brackets, as in not (%s > 0).", n.Node.String())})
		}
		return b.each(o, func(o operand) operand {
			t := b.truth(n.Node, o)
			return yes(func(f *frame) Truth { return t(f).not() })
		})
	case "-":
		return b.each(o, func(o operand) operand {
			o = b.number(n.Node, o)
			num := o.num
			if o.constant {
				return constant(-o.value, o.unit)
			}
			return operand{num: func(f *frame) float64 { return -num(f) }, unit: o.unit, point: -1, measured: o.measured}
		})
	case "+":
		return b.number(n.Node, o)
	}
	return b.fail(n, mistake{what: fmt.Sprintf("%q is not part of the language of conditions.", n.Operator), cure: languageCure})
}

// each does the same to a number, or to that of each device of a group.
func (b *builder) each(o operand, do func(operand) operand) operand {
	if o.list == nil {
		return do(o)
	}
	out := operand{point: -1}
	for _, e := range o.list {
		out.list = append(out.list, do(e))
	}
	return out
}

func (b *builder) binary(n *ast.BinaryNode) operand {
	op := n.Operator
	comparing, joining := slices.Contains(comparings, op), slices.Contains(joinings, op)
	if op == "in" {
		return b.fail(n, mistake{what: `"in" is not part of the language of conditions.`, cure: "Write mode == 1 or mode == 2, hour >= 8 and hour < 18, or during(\"night-shift\")."})
	}
	if !comparing && !joining && !slices.Contains(countings, op) {
		return b.fail(n, mistake{what: fmt.Sprintf("%q is not part of the language of conditions.", op), cure: languageCure})
	}
	for _, sides := range [][2]ast.Node{{n.Left, n.Right}, {n.Right, n.Left}} {
		if _, ok := sides[0].(*ast.StringNode); ok && comparing {
			return b.fail(sides[0], b.quotedText(sides[0], sides[1]))
		}
	}
	left, right := b.build(n.Left), b.build(n.Right)
	if b.err != nil {
		return operand{point: -1}
	}
	do := b.count
	switch {
	case joining:
		do = b.join
	case comparing:
		do = b.compare
	}
	switch {
	case left.list != nil && right.list != nil:
		return b.fail(n, mistake{what: "Two groups cannot be put side by side.", cure: "Write sum, avg, min, max or count around one of them."})
	case left.list != nil:
		return b.each(left, func(l operand) operand { return do(n, l, right) })
	case right.list != nil:
		return b.each(right, func(r operand) operand { return do(n, left, r) })
	}
	return do(n, left, right)
}

func (b *builder) join(n *ast.BinaryNode, left, right operand) operand {
	l, r := b.truth(n.Left, left), b.truth(n.Right, right)
	if n.Operator == "and" || n.Operator == "&&" {
		return yes(func(f *frame) Truth {
			if a := l(f); a != False {
				return min(a, r(f))
			}
			return False
		})
	}
	return yes(func(f *frame) Truth {
		if a := l(f); a != True {
			return max(a, r(f))
		}
		return True
	})
}

// compare makes a yes or no of two numbers, or of two of its kind.
func (b *builder) compare(n *ast.BinaryNode, left, right operand) operand {
	if equal := n.Operator == "==" || n.Operator == "!="; equal && (left.num == nil || right.num == nil) {
		for _, side := range []operand{left, right} {
			if side.constant {
				return b.fail(n, mistake{what: "A yes or no stands beside a number.", cure: "Leave the number out: what is yes or no stands alone, or behind not."})
			}
		}
		l, r := b.truth(n.Left, left), b.truth(n.Right, right)
		same := n.Operator == "=="
		return yes(func(f *frame) Truth {
			x, y := l(f), r(f)
			if x == Unknown || y == Unknown {
				return Unknown
			}
			return truthOf((x == y) == same)
		})
	}
	left, right = b.beside(n, left, right)
	if b.err != nil {
		return operand{point: -1}
	}
	for _, side := range []operand{left, right} {
		if b.subject == nil && side.measured {
			b.subject = &side
		}
	}
	left, right = b.unify(n, left, right)
	spread, op := left.spread || right.spread, n.Operator
	if left.constant && !right.constant {
		left, right, op = right, left, turned(op)
	}
	t := comparison(op, left, right)
	if spread {
		t = atBothEnds(t)
	}
	return yes(t)
}

// unify brings two numbers to one unit.
func (b *builder) unify(n *ast.BinaryNode, left, right operand) (l, r operand) {
	if !left.unit.fits(right.unit) {
		cure := fmt.Sprintf("Write both in units of the same kind. %q is in %s, %q in %s.", n.Left.String(), left.unit, n.Right.String(), right.unit)
		if right.constant && right.unit.name == "m" && left.unit.dim == second.dim {
			cure = "m is metres; minutes are min. " + cure
		}
		b.fail(n, mistake{what: fmt.Sprintf("%s cannot be put beside %s.", left.unit, right.unit), cure: cure})
		return left, right
	}
	if left.unit.any() {
		left.unit = right.unit
	}
	by := left.unit.per(right.unit)
	switch {
	case by == 1:
	case right.constant:
		right = constant(tidy(right.value*by), left.unit)
	case left.constant: // the measured one keeps its unit
		left = constant(tidy(left.value/by), right.unit)
	default:
		num := right.num
		right.num = func(f *frame) float64 { return num(f) * by }
	}
	return left, right
}

func (b *builder) count(n *ast.BinaryNode, left, right operand) operand {
	left, right = b.beside(n, left, right)
	if b.err != nil {
		return operand{point: -1}
	}
	var u unit
	switch n.Operator {
	case "+", "-":
		if left.unit.level != right.unit.level && left.unit.dim == right.unit.dim {
			u = left.unit // a temperature and a difference of two
			break
		}
		left, right = b.unify(n, left, right)
		if u = left.unit; left.constant && !right.constant {
			u = right.unit
		}
		if n.Operator == "-" {
			u = u.difference()
		}
	case "*":
		u = left.unit.times(right.unit, 1)
	case "/":
		u = left.unit.times(right.unit, -1)
	case "%":
		u = left.unit
	}
	if b.err != nil {
		return operand{point: -1}
	}
	o := operand{num: arithmetic(n.Operator, left, right), unit: u, point: -1, measured: left.measured || right.measured, spread: left.spread || right.spread}
	if left.constant && right.constant {
		if v := o.num(&frame{}); finite(v) {
			return constant(v, u)
		}
	}
	return o
}

// conditional is "a ? b : c".
func (b *builder) conditional(n *ast.ConditionalNode) operand {
	cond := b.truth(n.Cond, b.build(n.Cond))
	one, two := b.build(n.Exp1), b.build(n.Exp2)
	if b.err != nil {
		return operand{point: -1}
	}
	if one.num == nil || two.num == nil || one.bit && two.bit {
		x, y := b.truth(n.Exp1, one), b.truth(n.Exp2, two)
		return yes(func(f *frame) Truth {
			switch cond(f) {
			case True:
				return x(f)
			case False:
				return y(f)
			}
			if t := x(f); t == y(f) {
				return t
			}
			return Unknown
		})
	}
	one, two = b.number(n.Exp1, one), b.number(n.Exp2, two)
	beside := &ast.BinaryNode{Left: n.Exp1, Right: n.Exp2}
	beside.SetLocation(n.Location())
	one, two = b.unify(beside, one, two)
	x, y := one.num, two.num
	return operand{num: choice(cond, x, y), unit: one.unit, point: -1, measured: one.measured || two.measured}
}
