package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"gengfu/rules"
)

// MaxRuleSource is how long the text of one rule may be, in bytes.
const MaxRuleSource = 64 << 10

// RuleText is a rule as it stands in a file.
type RuleText struct {
	File   string
	Source string // the rule alone, as ParseRule reads it
}

// likeRules is the file that shows how rules are written.
const likeRules = "configs/rules/README.md"

// ParseRule reads one rule, as it stands behind its dash in a file of rules, and holds it
// against the site. With findings the rule is as far as it could be read.
func (c *Config) ParseRule(source string) (rules.Rule, Report) {
	var r rules.Rule
	if len(source) > MaxRuleSource {
		return r, Report{{What: "The rule is too long.", Cure: fmt.Sprintf("Write at most %d KiB.", MaxRuleSource>>10)}}
	}
	if deep(source) {
		return r, Report{{What: "Lists or mappings stand in each other too deeply.", Cure: "Close the brackets."}}
	}
	doc, report := decodeLike(likeRules, "", []byte(source), &r)
	if m, ok := unwrap(doc.root).(*ast.MappingNode); ok && len(m.Values) == 1 && m.Values[0].Key.String() == "rules" {
		return rules.Rule{}, Report{doc.at(m.Values[0].Key, "", "A file of rules stands here.", "Write one rule, as it stands behind its dash, without “rules:”.")}
	}
	if len(report) > 0 {
		return r, report
	}
	_, problems := rules.Compile([]rules.Rule{r}, c.Estate, c.RuleOptions()...)
	for i, p := range problems {
		problems[i].Path = strings.TrimPrefix(strings.TrimPrefix(p.Path, "rules[0]"), ".")
	}
	return r, doc.find(problems)
}

// deepest is how many brackets may be open, and how many dashes begin a line: ten times
// what any rule has. The parser takes seconds for some thousands.
const deepest = 64

// deep reports whether a text is nested so that to parse it is no use.
func deep(source string) bool {
	open := 0
	for line := range strings.Lines(source) {
		if begin := line[:len(line)-len(strings.TrimLeft(line, "-? \t"))]; strings.Count(begin, "-")+strings.Count(begin, "?") > deepest {
			return true
		}
		for _, c := range line {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
			if open > deepest {
				return true
			}
		}
	}
	return false
}

// ruleFile is a file of rules as it was read.
type ruleFile struct {
	doc   *document
	rules []rules.Rule
}

// RuleTexts returns each rule of the files as it stands there, by its id.
func (c *Config) RuleTexts() map[string]RuleText {
	out := map[string]RuleText{}
	for _, f := range c.ruleFiles {
		for i, text := range f.doc.ruleTexts(f.rules) {
			out[f.rules[i].ID] = RuleText{File: f.doc.name, Source: text}
		}
	}
	return out
}

// ruleTexts returns the text of each rule of a file, in their order.
func (d *document) ruleTexts(all []rules.Rule) []string {
	list, _ := d.node("rules").(*ast.SequenceNode)
	out := make([]string, len(all))
	for i, r := range all {
		if list != nil && i < len(list.Values) {
			out[i] = d.cut(list, i)
		}
		if !reads(out[i], r) { // as where names stand for parts of other rules
			out[i] = written(r)
		}
	}
	return out
}

// cut returns the lines of an item of a list with the comment above it, without what it
// is indented by.
func (d *document) cut(list *ast.SequenceNode, i int) string {
	first := d.at(list.Values[i], "", "", "")
	last := len(d.lines)
	if i+1 < len(list.Values) {
		last = d.above(d.at(list.Values[i+1], "", "", "").Line - 1)
	}
	if first.Line < 1 || last < first.Line {
		return ""
	}
	indent := first.Column - 1
	var out []string
	for _, line := range d.lines[d.above(first.Line-1) : first.Line-1] {
		out = append(out, strings.TrimSpace(line))
	}
	for n, line := range d.lines[first.Line-1 : last] {
		runes := []rune(line)
		skip := 0
		for skip < len(runes) && skip < indent && (n == 0 || runes[skip] == ' ') {
			skip++
		}
		out = append(out, strings.TrimRight(string(runes[skip:]), " \r"))
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
}

// above returns how many lines stand before the comment that ends with line n, counted
// from 1; n where there is none.
func (d *document) above(n int) int {
	for n > 0 && strings.HasPrefix(strings.TrimSpace(d.lines[n-1]), "#") {
		n--
	}
	return n
}

// reads reports whether a text is the rule.
func reads(source string, r rules.Rule) bool {
	var again rules.Rule
	_, report := decode("", []byte(source), &again)
	return len(report) == 0 && reflect.DeepEqual(r, again)
}

// written is the rule as YAML.
func written(r rules.Rule) string {
	text, err := yaml.MarshalWithOptions(r, yaml.OmitZero(), yaml.IndentSequence(true))
	if err != nil {
		panic("config: a rule that was read cannot be written: " + err.Error()) // it holds nothing but texts, numbers and lists
	}
	return string(text)
}
