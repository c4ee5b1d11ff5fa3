package rules

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"gengfu/facility"
)

// The language of conditions is a part of expr's: numbers, comparisons, and, or,
// not, arithmetic and a few functions. It has no strings, lists or loops, so
// that a condition costs the same each time and cannot fail on its data.
const (
	longestCondition = 1000 // characters
	mostNodes        = 200  // of the syntax tree
)

// Names that every condition knows beside the quantities.
const (
	hourName    = "hour"    // local time of day as 0 ≤ hour < 24
	weekdayName = "weekday" // local day of the week, 0 is Sunday
	valueName   = "value"   // value("device/quantity")
)

var (
	functions  = []string{"abs", "ceil", "floor", "round", "int", "float", "min", "max", "bitand", "bitor", "bitxor", "bitshl", "bitshr"}
	comparings = []string{"==", "!=", "<", "<=", ">", ">="}
	joinings   = []string{"and", "or", "&&", "||"}
	countings  = []string{"+", "-", "*", "/", "%", "**", "^"}
)

// mistake is what is wrong with a condition, and where.
type mistake struct {
	at   int // index of the character, from 0; -1 is the whole condition
	what string
	cure string
}

// problem turns the mistake into a problem of the field path.
func (m mistake) problem(path, text string) facility.Problem {
	what := m.what
	if m.at >= 0 {
		what = fmt.Sprintf("At %s of `%s`: %s", position(text, m.at), strings.Join(strings.Fields(text), " "), m.what)
	}
	return facility.Problem{Path: path, What: what, Cure: m.cure}
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
	if _, m := parse(text); m != nil {
		return []facility.Problem{m.problem(path, text)}
	}
	return nil
}

func parse(text string) (*parser.Tree, *mistake) {
	if utf8.RuneCountInString(text) > longestCondition {
		return nil, &mistake{at: -1, what: fmt.Sprintf("The condition is longer than %d characters.", longestCondition), cure: "Make several rules of it."}
	}
	if strings.TrimSpace(text) == "" {
		return nil, &mistake{at: -1, what: "The condition is empty.", cure: "Write one such as outlet_pressure < 2.0."}
	}
	config := conf.CreateNew()
	config.MaxNodes = mostNodes
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, fromExpr(err, `Write a condition such as "outlet_pressure < 2.0 and running == 1".`)
	}
	return tree, nil
}

func fromExpr(err error, cure string) *mistake {
	if fe, ok := errors.AsType[*file.Error](err); ok {
		return &mistake{at: fe.From, what: fe.Message + ".", cure: cure}
	}
	return &mistake{at: -1, what: err.Error() + ".", cure: cure}
}

// term is what a name in a condition stands for.
type term struct {
	point facility.PointID // empty for hour and weekday
	kind  facility.PointKind
	bit   bool // 0 or 1, so that it may stand as a yes or no
}

// reader resolves the names of a condition and rewrites bits that stand as a
// yes or no.
type reader struct {
	own   func(quantity string) (term, *mistake)
	other func(point string) (term, *mistake)
	terms map[string]term // by name in the program's environment
	order []string        // of terms, as they first appear
	seen  int             // nodes visited
	err   *mistake
}

func (r *reader) fail(n ast.Node, m mistake) {
	if r.err == nil {
		m.at = n.Location().From
		r.err = &m
	}
}

// read visits the node. yes says that it stands where a yes or no is wanted.
func (r *reader) read(node *ast.Node, yes bool) {
	// "a < b < c" becomes "a < b and b < c" with b in both: nested, so few nodes
	// make a tree without end.
	r.seen++
	if r.seen > mostNodes {
		r.fail(*node, mistake{what: "The condition is too long.", cure: "Make several rules of it."})
	}
	if r.err != nil {
		return
	}
	switch n := (*node).(type) {
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
	case *ast.IdentifierNode:
		r.name(node, n.Value, r.own, yes)
	case *ast.UnaryNode:
		r.read(&n.Node, n.Operator == "not" || n.Operator == "!")
	case *ast.BinaryNode:
		r.binary(n)
	case *ast.ConditionalNode:
		r.read(&n.Cond, true)
		r.read(&n.Exp1, yes)
		r.read(&n.Exp2, yes)
	case *ast.BuiltinNode:
		if !slices.Contains(functions, n.Name) {
			r.fail(n, unknownFunction(n.Name))
		}
		for i := range n.Arguments {
			r.read(&n.Arguments[i], false)
		}
	case *ast.CallNode:
		r.call(node, n, yes)
	default:
		r.fail(n, mistake{what: "This is not part of the language of conditions.", cure: "Use quantities, numbers, comparisons, and, or, not, arithmetic and value(\"device/quantity\")."})
	}
}

func (r *reader) binary(n *ast.BinaryNode) {
	yes := slices.Contains(joinings, n.Operator)
	if !yes && !slices.Contains(comparings, n.Operator) && !slices.Contains(countings, n.Operator) {
		r.fail(n, mistake{what: fmt.Sprintf("%q is not part of the language of conditions.", n.Operator), cure: "Use comparisons, and, or, not and arithmetic."})
	}
	equal := n.Operator == "==" || n.Operator == "!="
	left, right := equal && isYes(n.Left), equal && isYes(n.Right)
	r.read(&n.Left, yes || right)
	r.read(&n.Right, yes || left)
}

// isYes reports whether the node is a yes or no by its form, so that a bit beside
// it is one too.
func isYes(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BoolNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "not" || n.Operator == "!"
	case *ast.BinaryNode:
		return slices.Contains(joinings, n.Operator) || slices.Contains(comparings, n.Operator)
	}
	return false
}

func (r *reader) call(node *ast.Node, n *ast.CallNode, yes bool) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || callee.Value != valueName {
		r.fail(n, unknownFunction(n.Callee.String()))
		return
	}
	if len(n.Arguments) == 1 {
		if s, ok := n.Arguments[0].(*ast.StringNode); ok {
			r.name(node, s.Value, r.other, yes)
			return
		}
	}
	r.fail(n, mistake{what: "value takes one point in quotes.", cure: `Write value("tank/level").`})
}

func unknownFunction(name string) mistake {
	m := mistake{what: fmt.Sprintf("%q is not a function of conditions.", name), cure: "The functions are value, " + strings.Join(functions, ", ") + "."}
	if near := facility.Nearest(name, append([]string{valueName}, functions...)); near != "" {
		m.cure = fmt.Sprintf("Did you mean %q? %s", near, m.cure)
	}
	return m
}

func (r *reader) name(node *ast.Node, name string, resolve func(string) (term, *mistake), yes bool) {
	t, m := resolve(name)
	if m != nil {
		r.fail(*node, *m)
		return
	}
	if _, ok := r.terms[name]; !ok {
		r.terms[name] = t
		r.order = append(r.order, name)
	}
	load := &ast.IdentifierNode{Value: name}
	load.SetLocation((*node).Location())
	if !yes {
		ast.Patch(node, load)
		return
	}
	if !t.bit {
		r.fail(*node, mistake{what: fmt.Sprintf("%q is a number, not a yes or no.", name), cure: fmt.Sprintf("Compare it, as in %s > 0.", (*node).String())})
		return
	}
	zero := &ast.IntegerNode{Value: 0}
	zero.SetLocation((*node).Location())
	ast.Patch(node, &ast.BinaryNode{Operator: "!=", Left: load, Right: zero})
}

// condition is a compiled condition of one device. The program may be shared
// with other devices.
type condition struct {
	program *vm.Program
	value   *vm.Program // of the number that it is about, for people to see
	shown   string      // the name that the number's unit is taken from
	terms   map[string]term
	order   []string
}

// programs are what a text compiles to.
type programs struct{ truth, value *vm.Program }

// compile makes a condition of the text. Programs are shared through the cache
// among devices for which the names mean the same kind of thing.
func compile(text string, own, other func(string) (term, *mistake), cache map[string]programs) (*condition, *mistake) {
	tree, m := parse(text)
	if m != nil {
		return nil, m
	}
	r := &reader{own: own, other: other, terms: map[string]term{}}
	r.read(&tree.Node, true)
	if r.err != nil {
		return nil, r.err
	}
	if !slices.ContainsFunc(r.order, func(n string) bool { return r.terms[n].point != facility.PointID{} }) {
		return nil, &mistake{at: -1, what: "The condition names no quantity.", cure: "Write one such as outlet_pressure < 2.0."}
	}
	c := &condition{terms: r.terms, order: r.order}
	var subject ast.Node
	subject, c.shown = r.subject(tree.Node)
	key := text
	for _, name := range r.order {
		key += fmt.Sprintf("\x00%s %s %t", name, r.terms[name].kind, r.terms[name].bit)
	}
	p, ok := cache[key]
	if !ok {
		// The subject is a part of the condition and is checked along with it.
		if p.truth, m = assemble(tree.Node, tree.Source, r.order, true); m != nil {
			return nil, m
		}
		if p.value, m = assemble(subject, tree.Source, r.order, false); m != nil {
			return nil, m
		}
		cache[key] = p
	}
	c.program, c.value = p.truth, p.value
	return c, nil
}

// assemble makes a program of a tree whose names are resolved.
func assemble(node ast.Node, source file.Source, names []string, truth bool) (*vm.Program, *mistake) {
	env := make(map[string]any, len(names))
	for _, n := range names {
		env[n] = 0.0
	}
	config := conf.New(env)
	if truth {
		config.Expect = reflect.Bool
	}
	tree := &parser.Tree{Node: node, Source: source}
	if _, err := checker.Check(tree, config); err != nil {
		return nil, fromExpr(err, `A condition must be true or false and compare numbers, as in "outlet_pressure < 2.0 and running == 1".`)
	}
	program, err := compiler.Compile(tree, config)
	if err != nil {
		return nil, fromExpr(err, "Write it in a simpler way.")
	}
	return program, nil
}
