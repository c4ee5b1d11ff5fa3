package config

import (
	"reflect"
	"strings"
	"testing"

	"gengfu/rules"
)

func builtIn(t testing.TB, name string) *Config {
	t.Helper()
	c, err := BuiltIn(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What a page shows of a rule is the rule, and so is what is written where the text of
// the file cannot be shown.
func TestTextsOfRulesAreTheRules(t *testing.T) {
	c := builtIn(t, "demo")
	if len(c.Rules) < 30 {
		t.Fatalf("only %d rules", len(c.Rules))
	}
	texts := c.RuleTexts()
	for _, r := range c.Rules {
		text := texts[r.ID]
		again, report := c.ParseRule(text.Source)
		if len(report) > 0 || !reflect.DeepEqual(r, again) {
			t.Errorf("%s reads as %+v, want %+v\n%s", r.ID, again, r, report)
		}
		if again, report = c.ParseRule(written(r)); len(report) > 0 || !reflect.DeepEqual(r, again) {
			t.Errorf("%s is written as\n%s\nwhich reads as %+v, want %+v\n%s", r.ID, written(r), again, r, report)
		}
		if text.Source == written(r) || !strings.HasPrefix(text.File, "configs/rules/") {
			t.Errorf("%s is not shown as it stands in %s", r.ID, text.File)
		}
	}
}

func TestTextOfARuleIsCutOutOfItsFile(t *testing.T) {
	const file = `# Of the file.
rules:
  # Why the first.
  - id: first
    name: {zh: 一, en: one} # behind
    # within
    when: a == 1

  # Why the second:
  # two lines.
  - id: second
    limits:
      high: 2 bar
    advice:
      en: |
        Two
          lines.
  - id: third
    for: &pumps {kinds: [pump]}
  - {id: fourth, for: *pumps}
# the end
`
	var f rules.File
	doc, report := decode("f", []byte(file), &f)
	if len(report) > 0 {
		t.Fatal(report)
	}
	want := []string{
		"# Why the first.\nid: first\nname: {zh: 一, en: one} # behind\n# within\nwhen: a == 1\n",
		"# Why the second:\n# two lines.\nid: second\nlimits:\n  high: 2 bar\nadvice:\n  en: |\n    Two\n      lines.\n",
		"id: third\nfor: &pumps {kinds: [pump]}\n",
		"id: fourth\nfor:\n  kinds:\n    - pump\n",
	}
	for i, got := range doc.ruleTexts(f.Rules) {
		if got != want[i] {
			t.Errorf("%d is\n%s\nwant\n%s", i, got, want[i])
		}
		if !reads(got, f.Rules[i]) {
			t.Errorf("%d is not the rule", i)
		}
	}
}

const soundRule = `id: own
name: {zh: 故障, en: fault}
priority: P2
for: {kinds: [pump]}
when: fault == 1
`

func TestWhatIsWrongWithARuleIsShownWhereItStands(t *testing.T) {
	c := builtIn(t, "demo")
	if r, report := c.ParseRule(soundRule); len(report) > 0 || r.ID != "own" {
		t.Fatalf("%+v: %v", r, report)
	}
	for name, x := range map[string]struct {
		source       string
		line, column int
		what, cure   string
	}{
		"nothing":          {"# a comment\n", 0, 0, "empty", likeRules},
		"no YAML":          {"id: [a\n", 1, 5, "", "brackets"},
		"a file of rules":  {"rules:\n  - id: own\n", 1, 1, "A file of rules", "behind its dash"},
		"a list":           {"- id: own\n", 1, 1, "mapping", ""},
		"an unknown key":   {soundRule + "wen: 1\n", 6, 1, `Unknown key "wen"`, `"when"`},
		"an unknown point": {strings.Replace(soundRule, "fault ==", "fualt ==", 1), 5, 7, "fualt", `"fault"`},
		"a wrong unit":     {strings.Replace(soundRule, "fault == 1", "outlet_pressure > 2 V", 1), 5, 23, "bar cannot be put beside V", "same kind"},
		"no priority":      {strings.Replace(soundRule, "P2", "P9", 1), 3, 11, "P9", "P1"},
		"no device":        {strings.Replace(soundRule, "[pump]", "[spaceship]", 1), 4, 15, "spaceship", ""},
		"a tag":            {strings.Replace(soundRule, "fault == 1", "!fault", 1), 5, 7, `"!fault" is a tag of YAML`, "write not instead of !"},
		"a list of texts":  {strings.Replace(soundRule, "fault == 1", "[fault, running]", 1), 5, 7, "Here stands a list where a text is expected", likeRules},
		"a text as number": {soundRule + "rate: {quantity: starts, over: 1h, above: 20 m}\n", 6, 43, "Here stands a text where a number is expected", likeRules},
		"deep brackets":    {strings.Repeat("[", 60_000), 0, 0, "too deeply", "brackets"},
		"deep dashes":      {soundRule + "clear: " + "\n" + strings.Repeat("- ", 30_000), 0, 0, "too deeply", ""},
		"too long":         {soundRule + "#" + strings.Repeat("x", MaxRuleSource), 0, 0, "too long", "64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, report := c.ParseRule(x.source)
			if len(report) == 0 {
				t.Fatal("nothing is wrong")
			}
			f := report[0]
			if f.Line != x.line || f.Column != x.column || !strings.Contains(f.What, x.what) || !strings.Contains(f.Cure, x.cure) || strings.Contains(f.Path, "rules[") {
				t.Errorf("%+v, want line %d, column %d, %q, %q", f, x.line, x.column, x.what, x.cure)
			}
		})
	}
}

// Whatever somebody types, there is an answer, in words, and in time.
func FuzzRule(f *testing.F) {
	c := builtIn(f, "demo")
	f.Add(soundRule)
	for _, t := range c.RuleTexts() {
		f.Add(t.Source)
	}
	for _, s := range []string{
		"", "\x00", "id", "[]", "{}", "- a", "a: b: c", "%YAML 1.2\n---\n", "<<: *a", "&a [*a]",
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nfor: {kinds: *b}",
		"when: " + strings.Repeat("(", 2000), strings.Repeat("[", 2000), strings.Repeat("{a: ", 2000), strings.Repeat("- ", 2000),
		soundRule + "when: 'a\n", strings.Replace(soundRule, "fault == 1", "\"\\u0000\"", 1),
		strings.Replace(soundRule, "fault == 1", "avg(fault, 1000000000h) > 1e999", 1),
		strings.Replace(soundRule, "fault == 1", "fault == 1"+strings.Repeat(" and fault == 1", 500), 1),
		"on_delay: -1h", "rate: {over: 1e99h, above: .nan}", "realarm: 9223372036854775807ns",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		r, report := c.ParseRule(source)
		for _, p := range report {
			if strings.TrimSpace(p.What) == "" || p.Line < 0 || p.Column < 0 {
				t.Errorf("%+v", p)
			}
		}
		if len(report) > 0 {
			return
		}
		if r.ID == "" {
			t.Error("a rule without an id is right")
		}
		if again, report := c.ParseRule(written(r)); len(report) > 0 || again.ID != r.ID {
			t.Errorf("a right rule is written as\n%s\nwhich is wrong: %v", written(r), report)
		}
	})
}
