package rules

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"

	"gengfu/facility"
)

// amount is a number above zero, with its unit or without.
var amount = regexp.MustCompile(`^(?:[1-9]\d*(?:\.\d+)?|0?\.\d*[1-9]\d*)(?:\s*[^\s\d()].*)?$`)

// clearing returns the condition that clears, or "" when it is the contrary of When, and
// which field it comes from.
func (r Rule) clearing() (path, text string) {
	if r.Deadband == "" {
		return "clear", r.Clear
	}
	text, _ = r.beyondDeadband()
	return "deadband", text
}

// beyondDeadband says when the compared value is back by more than the deadband.
func (r Rule) beyondDeadband() (string, bool) {
	tree, _, m := parse(r.When)
	if m != nil {
		return "", false
	}
	compare, ok := tree.(*ast.BinaryNode)
	if !ok {
		return "", false
	}
	back := map[string]string{">": "-", ">=": "-", "<": "+", "<=": "+"}[compare.Operator]
	text, at := []rune(r.When), compare.Location().From
	if back == "" || at < 0 || at+len(compare.Operator) > len(text) || string(text[at:at+len(compare.Operator)]) != compare.Operator {
		return "", false
	}
	left, right := text[:at], string(text[at+len(compare.Operator):])
	if strings.Count(string(left), "(") != strings.Count(string(left), ")") {
		return "", false
	}
	return fmt.Sprintf("not (%s%s (%s) %s %s)", string(left), compare.Operator, right, back, r.Deadband), true
}

func (r Rule) validateDeadband() []facility.Problem {
	if r.Deadband == "" {
		return nil
	}
	problem := func(what, cure string) []facility.Problem {
		return []facility.Problem{{Path: "deadband", What: what, Cure: cure}}
	}
	switch {
	case !amount.MatchString(r.Deadband):
		return problem(fmt.Sprintf("%q is no deadband.", r.Deadband), "Write a number above zero with its unit, such as 0.1 m.")
	case r.Clear != "":
		return problem("The rule has a clear and a deadband.", "Keep one of them.")
	case r.When == "" || syntax("when", r.When) != nil:
		return problem("A deadband is for a when.", "Leave it out.")
	}
	if _, ok := r.beyondDeadband(); !ok {
		return problem("The condition is not one comparison.", "Write it as level > 1.8 m, without brackets around it, or write a clear.")
	}
	return nil
}
