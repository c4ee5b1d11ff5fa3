package lang

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func mistakeTable(t *testing.T) map[string]string {
	t.Helper()
	table := map[string]string{}
	if err := json.Unmarshal(mistakesJSON, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

// finders are the files whose sentences about wrong rules people see in the editor.
func finders(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../rules/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(len(files), err)
	}
	return append(files, "../../gateway/config/document.go", "../../gateway/config/rule.go", "../../gateway/hub/rulebook.go")
}

// said is a literal that is, or begins, a sentence about a mistake: errors of Go end
// without a full stop.
var said = regexp.MustCompile(`(?s)^[^\x00]*[A-Za-z] [^\x00]*[.?]$|^[A-Z][a-z]+ [^\x00]* $`)

func TestEveryMistakeIsSaidInChinese(t *testing.T) {
	var table strings.Builder
	for format := range mistakeTable(t) {
		table.WriteString(format + "\n")
	}
	n := 0
	for _, name := range finders(t) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			l, ok := node.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(l.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !said.MatchString(text) {
				return true
			}
			n++
			if !strings.Contains(table.String(), text) {
				t.Errorf("%s: mistakes.json has no Chinese sentence for %q", set.Position(l.Pos()), text)
			}
			return true
		})
	}
	if n < 150 {
		t.Errorf("only %d sentences were found", n)
	}
}

func TestChineseMistakesHaveTheirValues(t *testing.T) {
	for format, zh := range mistakeTable(t) {
		if strings.TrimSpace(zh) == "" {
			t.Errorf("%q is empty", format)
		}
		p := patternOf(format, zh)
		for _, found := range regexp.MustCompile(`\{(\d+)\}`).FindAllStringSubmatch(zh, -1) {
			if i, _ := strconv.Atoi(found[1]); i < 1 || i > len(p.whole) {
				t.Errorf("%q has no value %s of %q", format, found[0], zh)
			}
		}
		// What a format makes is recognised as what it made, unless another says more of it.
		if args := sample(p); len(args) > 0 {
			made := fmt.Sprintf(format, args...)
			if !p.is.MatchString(made) || Mistake(made).ZH == made {
				t.Errorf("%q is not recognised", made)
			}
		}
	}
}

// sample returns a value for each verb.
func sample(p pattern) []any {
	var out []any
	for _, v := range verb.FindAllString(p.format, -1) {
		if strings.HasPrefix(v, "%[") || v == "%%" {
			continue
		}
		switch v[len(v)-1] {
		case 'd':
			out = append(out, 7)
		case 'g':
			out = append(out, 1.5)
		case 'U':
			out = append(out, '，')
		default:
			out = append(out, "x-1")
		}
	}
	return out
}

func TestMistake(t *testing.T) {
	for english, want := range map[string]string{
		"The condition is empty.": "条件是空的。",
		`"a\"b" is no counter.`:   `"a\"b" 不是累计量。`,
		"At column 3 of `levle > 1`: The device has no quantity \"levle\". (device tank)":                              "“levle > 1”第 3 列：设备没有 \"levle\" 这个量。（设备 tank）",
		"At line 2, column 3 of `a\nb`: \"x > 5\" is never true. (device tank-1 and 12 more)":                          "“a\nb”第 2 行第 3 列：\"x > 5\" 永远不成立。（设备 tank-1 等，另有 12 台）",
		`Did you mean "level"? It has level, volume. To leave out devices without a quantity, write it in for.having.`: `是不是 "level"？它有：level, volume。只选有某个量的设备，请把这个量写进 for.having。`,
		"m cannot be put beside a number without a unit.":                                                              "m 与 没有单位的数 不能相比或相加减。",
		`unexpected token Operator("<").`:                                                                              "这里不能写 \"<\"。",
		"String was used where mapping is expected.":                                                                   "这里应是“键: 值”，却不是。",
		"Found character '\t' that cannot start any token.":                                                            "这里有制表符，YAML 只能用空格缩进。",
		"Write d: a week is 7d.":                                                                                       "请写成 d：一周是 7d。",
		"A thing that no table has, said by a parser":                                                                  "A thing that no table has, said by a parser",
	} {
		if got := Mistake(english); got.ZH != want || got.EN != english {
			t.Errorf("%q\n got %q\nwant %q", english, got.ZH, want)
		}
	}
}
