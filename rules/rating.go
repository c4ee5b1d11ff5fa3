package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"gengfu/facility"
)

// A device's ratings stand with it in the site file, as ratings: {current: 100 A}, so
// that one rule fits all that are rated, and no number stands in a rule.

// ratedName is what conditions call the ratings of their device by: rated.current.
const ratedName = "rated"

// nominal is the size of a pipe as it is written on it: DN100 is 100 mm.
var nominal = regexp.MustCompile(`^DN ?([0-9]+)$`)

// rating reads what stands behind the name of a rating.
func rating(text string) (operand, *mistake) {
	text = strings.TrimSpace(text)
	if size := nominal.FindStringSubmatch(text); size != nil {
		text = size[1] + " mm"
	}
	o, m := number(text)
	if m == nil && (o.unit.any() || o.value <= 0) {
		m = &mistake{at: -1, what: fmt.Sprintf("%q is no rating.", text)}
	}
	if m != nil {
		m.cure = "Write a number above 0 with its unit, such as 100 A, 50 kW or DN100."
	}
	return o, m
}

// number reads a number with or without a unit.
func number(text string) (operand, *mistake) {
	b := &builder{}
	node, literals, m := parse(text)
	if m != nil {
		return operand{}, m
	}
	b.literals = literals
	var out operand
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.UnaryNode:
		out = b.number(n, b.build(n))
	}
	if b.err == nil && !out.constant {
		return operand{}, &mistake{at: -1, what: fmt.Sprintf("%q is no number.", text)}
	}
	return out, b.err
}

// CheckRatings says what is wrong with the ratings of a device, by their names.
func CheckRatings(ratings map[string]string) []facility.Problem {
	var out []facility.Problem
	for _, name := range slices.Sorted(maps.Keys(ratings)) {
		if !givenName.MatchString(name) {
			out = append(out, facility.Problem{Path: name, What: fmt.Sprintf("%q is no name.", name), Cure: `Write lower-case letters, digits and "_", such as current or pipe.`})
		} else if _, m := rating(ratings[name]); m != nil {
			out = append(out, m.problem(name, ratings[name]))
		}
	}
	return out
}

// rated is a rating of the rule's device.
func (b *builder) rated(n ast.Node, name string) operand {
	text, ok := b.device.Ratings[name]
	if !ok {
		names := slices.Sorted(maps.Keys(b.device.Ratings))
		m := mistake{
			what: fmt.Sprintf("The device has no rating %q.", name),
			cure: fmt.Sprintf("Write it with the device in the site file, as ratings: {%s: 100 A}, or for.rated: [%s] in the rule, to take only devices that have it.", name, name),
		}
		if near := facility.Nearest(name, names); near != "" {
			m.cure = fmt.Sprintf("Did you mean %q? %s", near, m.cure)
		}
		return b.fail(n, m)
	}
	o, m := rating(text)
	if m != nil {
		return b.fail(n, mistake{what: fmt.Sprintf("The rating %q of the device is %q.", name, text), cure: m.cure})
	}
	fmt.Fprintf(&b.key, "rated %s=%s\x00", name, text)
	return o
}
