package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/expr-lang/expr/ast"

	"gengfu/facility"
)

// ownNames are those that every condition knows.
var ownNames = []string{"hour", "weekday", "workday", "holiday", "good", "uncertain", "bad", facility.OnlineQuantity}

// validateUse finds limits that nothing goes by, and a clear that asks for what raises.
func (r Rule) validateUse() []facility.Problem {
	var out []facility.Problem
	texts := []string{r.When, r.Clear}
	for _, o := range r.Overrides {
		texts = append(texts, o.When, o.Clear)
	}
	used := map[string]bool{}
	for _, text := range texts {
		if text == "" {
			continue
		}
		tree, _, m := parse(text)
		if m != nil {
			return nil // which says what is wrong first
		}
		ast.Walk(&tree, names(used))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Limits)) {
		if !used[name] && r.When != "" && givenName.MatchString(name) {
			p := facility.Problem{Path: "limits." + name, What: fmt.Sprintf("No condition of the rule names the limit %q.", name), Cure: "Write it in when or clear, in place of the number there, or leave it out."}
			out = append(out, p)
		}
	}
	if m := sameSide(r.When, r.Clear); m != nil {
		out = append(out, m.problem("clear", r.Clear))
	}
	return out
}

// names collects the names of a tree.
type names map[string]bool

// Visit is called for each node.
func (n names) Visit(node *ast.Node) {
	switch node := (*node).(type) {
	case *ast.IdentifierNode:
		n[node.Value] = true
	case *ast.StringNode: // of limits.high, about which more is to say
		n[node.Value] = true
	}
}

// sameSide finds a clear such as "level > 1.7 m" for a when such as "level > 1.8 m": as
// it clears only when the one holds and the other does not, a tank that is emptied would
// be in alarm for ever.
func sameSide(when, clear string) *mistake {
	sides := [2]struct{ name, op string }{}
	for i, text := range []string{when, clear} {
		if text == "" {
			return nil
		}
		tree, _, m := parse(text)
		n, ok := tree.(*ast.BinaryNode)
		if m != nil || !ok {
			return nil
		}
		left, isLeft := n.Left.(*ast.IdentifierNode)
		_, bothAre := n.Right.(*ast.BinaryNode)
		if !isLeft || bothAre {
			return nil
		}
		sides[i].name, sides[i].op = left.Value, n.Operator[:1]
	}
	if sides[0] != sides[1] || sides[0].op != "<" && sides[0].op != ">" {
		return nil
	}
	other := map[string]string{"<": ">", ">": "<"}[sides[0].op]
	return &mistake{
		at:   -1,
		what: fmt.Sprintf("It clears only where when does not hold, so never far from its limit: both ask for %s %s.", sides[0].name, sides[0].op),
		cure: fmt.Sprintf("Turn it, as in %s %s …, or write deadband instead.", sides[0].name, other),
	}
}
