package rules

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"gengfu/facility"
)

// subject returns the number that a condition is about and the name that it has
// its unit from: the side with a measured quantity of the first comparison that
// has one, or else the first quantity.
func (r *reader) subject(n ast.Node) (ast.Node, string) {
	if side, name := r.compared(n); side != nil {
		return side, name
	}
	for _, name := range r.order {
		if r.terms[name].point != (facility.PointID{}) {
			return &ast.IdentifierNode{Value: name}, name
		}
	}
	return nil, ""
}

func (r *reader) compared(n ast.Node) (ast.Node, string) {
	switch n := n.(type) {
	case *ast.UnaryNode:
		return r.compared(n.Node)
	case *ast.ConditionalNode:
		for _, part := range []ast.Node{n.Cond, n.Exp1, n.Exp2} {
			if side, name := r.compared(part); side != nil {
				return side, name
			}
		}
	case *ast.BinaryNode:
		for _, side := range []ast.Node{n.Left, n.Right} {
			if slices.Contains(comparings, n.Operator) {
				if name := r.measured(side); name != "" {
					return side, name
				}
			} else if side, name := r.compared(side); side != nil {
				return side, name
			}
		}
	}
	return nil, ""
}

// measured returns the first measured quantity in the node.
func (r *reader) measured(n ast.Node) string {
	f := &finder{reader: r}
	ast.Walk(&n, f)
	return f.found
}

// finder visits a tree for measured.
type finder struct {
	reader *reader
	found  string
}

// Visit looks at one node.
func (f *finder) Visit(n *ast.Node) {
	id, ok := (*n).(*ast.IdentifierNode)
	if !ok || f.found != "" {
		return
	}
	t := f.reader.terms[id.Value]
	if t.point != (facility.PointID{}) && (t.kind == facility.Measure || t.kind == facility.Counter) {
		f.found = id.Value
	}
}
