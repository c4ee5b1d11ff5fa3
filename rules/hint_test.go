package rules_test

import (
	"strings"
	"testing"

	"gengfu/facility"
	"gengfu/rules"
)

// TestCommonMistakes writes conditions as people do, and holds what they are told: the
// column, what is wrong, and what to write instead.
func TestCommonMistakes(t *testing.T) {
	e := estate()
	e.Devices[2].Points[0].Name = text("液位", "Level")
	e.Calendars = []facility.Calendar{{ID: "night-shift"}}
	for _, test := range []struct{ when, where, what, cure string }{
		{"level ＞ 1.8", "column 7", `"＞" is no character`, "Write >."},
		{"level > １.8", "column 9", `"１" is no character`, "Write 1."},
		{"（level > 1.8）", "column 1", `"（" is no character`, "Write (."},
		{"level ≥ 1.8", "column 7", `"≥" is no character`, "Write >=."},
		{"level > 1.8，online", "column 12", `"，" is no character`, "Write and where both must hold"},
		{"avg(level，1h) > 1.8", "column 10", `"，" is no character`, "Write ,."},
		{"level > 1.8 and between(“22:00”, “06:00”)", "column 25", `"“" is no character`, `Write ".`},
		{"level > 1.8\u00a0and online", "column 12", "only looks like a space (U+00A0)", "Write a space."},
		{"level = 1.8", "column 7", `"=" is not a comparison`, "Write =="},
		{"level => 1.8", "column 7", `"=>" is not a sign`, "Write >=."},
		{"level =< 1.8", "column 7", `"=<" is not a sign`, "Write <=."},
		{"level <> 1.8", "column 7", `"<>" is not a sign`, "Write !=."},
		{"level > 1.8 & online", "column 13", `"&" is not a sign`, "Write and."},
		{"level > 1.8 | online", "column 13", `"|" is not a sign`, "Write or."},
		{"level > 1.8 m AND online", "column 15", `"AND" is not a word`, "Write and."},
		{"level > 1.8 m 且 online", "column 15", `"且" is not a word`, "Write and."},
		{"level > 1.8 或 online", "column 13", `"或" is not a word`, "Write or."},
		{"level > 1.8 or < 0.5", "column 16", "What is compared is missing", "level > 1 m and level < 2 m"},
		{"level between 1 and 2", "column 7", "between is for times of day", "level > 1 m and level < 2 m"},
		{"level in [1, 2]", "column 7", `"in" is not part`, "mode == 1 or mode == 2"},
		{"level > 1.8 for 5m", "column 13", `"for" is not a word`, "on_delay"},
		{"level > 1.8 and hour > 8:30", "column 24", "time of day is not written so", "hour >= 8.5"},
		{"level > 1,8", "column 10", "A comma stands in the number 1", "as in 1.8"},
		{"level > 1 800 mm", "column 11", "Two numbers stand beside each other", "1000"},
		{"avg(level 15m) > 1", "column 11", "A sign is missing", "Write a comma"},
		{"level > 1.8 metres", "column 13", `"metres" is no unit`, "Units are"},
		{"level > 1.8米", "column 12", `"米" is no unit`, "Write m."},
		{"level > 1.8 M", "column 13", `"M" is no unit`, "Write m: units have their capital letters."},
		{"level > 180 Cms", "column 13", `"Cms" is no unit`, `Did you mean "cm"?`},
		{"held(level > 1, 10分钟)", "column 19", `"分钟" is no unit`, "Write min."},
		{"level > 1.8 and", "column 15", "ends in the middle", "Write what comes next"},
		{"level > 1.8 and (online", "column 17", "bracket that is opened here is not closed", "Close it"},
		{"level > 1.8)", "column 12", "closed here that was not opened", "Leave it out"},
		{`level > 1.8 and during("night-shift)`, "column 24", "quote that begins here is not closed", "Close it"},
		{`level > "1.8"`, "column 9", "is a text in quotes", "without quotes"},
		{`quality(level) == "good"`, "column 19", "is a text in quotes", "without quotes"},
		{`value("pump-1/mode") == 1 and level > limits.high`, "column 46", `no group "limits"`, "named alone: high"},
		{"not level > high", "column 5", "is a number, not a yes or no", "not (level > 0)"},
		{"level > 1 and workday == 1", "column 23", "A yes or no stands beside a number", "Leave the number out"},
		{"液位 > 1.8", "column 1", `no quantity "液位"`, `Did you mean "level"?`},
		{"LEVEL > 1.8", "column 1", `no quantity "LEVEL"`, `Did you mean "level"?`},
		{"tank/level > 1.8", "column 1", `no quantity "tank"`, `"tank" is a device`},
		{`value("tank.level") > 1.8`, "column 1", "is not a point", `Did you mean "tank/level"?`},

		// What is well written and no sense.
		{"level > 1 and hour > 24", "column 20", "is never true", "below 24"},
		{"level > 1 and hour >= 0", "column 20", "is always true", "below 24"},
		{"level > 1 and hour == 8", "column 20", "for a second only", "hour >= 8 and hour < 9"},
		{"level > 1 and hour > 22 and hour < 6", "column 25", "hour is never all of this at once", `between("22:00", "06:00")`},
		{"level > 1 and 22 h < hour < 6 h", "column 11", "hour is never all of this at once", "hour >= 22 or hour < 6"},
		{"level > 1 and weekday == 7", "column 23", "is never true", "0, Sunday"},
		{"level > 1 and weekday > 6", "column 23", "is never true", "0, Sunday"},
		{"level > 2 and online and level < 1.5", "column 22", "level is never all of this at once", "Write or"},
		{"online == 2", "column 8", "is never true", "online or not online"},
		{"level > 1 and 1 < online", "column 17", "is never true", "online or not online"},
		{"held(level > 1) > 6", "column 17", "the number has no unit", "6 s, 6 min or 6 h"},
		{"level > 120% baseline(level)", "column 12", "is no percentage", "1.2 * …"},
		{"anomaly_score(level) > 90", "column 22", "is never true", "from 0 to 1"},
		{"level / 0 > 1", "column 7", "divided by 0", "another number"},
	} {
		r := rule("r", rules.Rule{For: rules.Selector{Devices: []string{"tank"}}, When: test.when})
		if strings.Contains(test.when, "high") {
			r.Limits = map[string]string{"high": "1.5"}
		}
		_, problems := rules.Compile([]rules.Rule{r}, e, rules.WithDetectors(strangers))
		if len(problems) != 1 {
			t.Errorf("%s: %v, want one problem", test.when, problems)
			continue
		}
		p := problems[0]
		if !strings.Contains(p.What, "At "+test.where+" of") || !strings.Contains(p.What, test.what) || !strings.Contains(p.Cure, test.cure) {
			t.Errorf("%s:\n%s\n→ %s\nwant %s: %s\n→ %s", test.when, p.What, p.Cure, test.where, test.what, test.cure)
		}
	}
}

// TestNoSenseIsNotSeenWhereThereIsSome holds conditions that are near to such mistakes.
func TestNoSenseIsNotSeenWhereThereIsSome(t *testing.T) {
	for _, when := range []string{
		"level > 1 and hour >= 22.5", "level > 1 and (hour >= 22 or hour < 6)", "level > 1 and hour >= 8 and hour < 18", "level > 1 and not (hour > 6 and hour < 20)",
		"level > 1 and weekday == 0", "level > 1 and weekday != 6", "level > 2 or level < 1", "level > 1 and level < 2", "1 m < level <= 150 cm or level == 1", "online > 0.5", "online < 1",
		"held(level > 1) > 0", "held(level > 1) > 6 h", "10 % int(level) == 1", "level % 2 == 0", "120 % * level > 2", "level / 2 > 1", "anomaly_score(level) > 90 %", "floor(hour) == 8 and level > 1",
		"level > 3 and not (level > 3 and level < 4)", "online and level > high and level < 2 m", `value("pump-1/fault") and level > 1`,
	} {
		r := rule("r", rules.Rule{For: rules.Selector{Devices: []string{"tank"}}, When: when})
		if strings.Contains(when, "high") {
			r.Limits = map[string]string{"high": "1.5"}
		}
		e := estate()
		e.Devices[2].Points[0].Unit = "m"
		if _, problems := rules.Compile([]rules.Rule{r}, e, rules.WithDetectors(strangers)); problems != nil {
			t.Errorf("%s: %v", when, problems)
		}
	}
}

// TestRulesThatDoNotDoWhatTheySeemTo holds what is wrong between the fields of a rule.
func TestRulesThatDoNotDoWhatTheySeemTo(t *testing.T) {
	tank := rules.Selector{Devices: []string{"tank"}}
	limits := func(names ...string) map[string]string {
		out := map[string]string{}
		for _, n := range names {
			out[n] = "1.5"
		}
		return out
	}
	for name, test := range map[string]struct {
		rule rules.Rule
		want []string
	}{
		"a limit that nothing goes by": {rules.Rule{When: "level > 1.8", Limits: limits("high")}, []string{"rules[0].limits.high:", "No condition of the rule names", "in place of the number"}},
		"a limit that hides the hour":  {rules.Rule{When: "level > 1 and hour > 8", Limits: limits("hour")}, []string{"rules[0].limits.hour:", "a word of every condition"}},
		"a limit that hides a level":   {rules.Rule{When: "level > 1", Limits: limits("level")}, []string{"rules[0].limits.level:", "has a quantity", "another name"}},
		"a clear on the same side":     {rules.Rule{When: "level > 1.8", Clear: "level > 1.7"}, []string{"rules[0].clear:", "never far from its limit", "level < …"}},
		"a clear below, too":           {rules.Rule{When: "level < high", Clear: "level <= 1.7", Limits: limits("high")}, []string{"rules[0].clear:", "level > …"}},
	} {
		test.rule.For = tank
		_, problems := rules.Compile([]rules.Rule{rule("r", test.rule)}, estate())
		if len(problems) != 1 {
			t.Errorf("%s: %v, want one problem", name, problems)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(problems[0].Error(), part) {
				t.Errorf("%s:\n%s\ndoes not contain %q", name, problems[0].Error(), part)
			}
		}
	}
	for _, r := range []rules.Rule{
		{When: "level > 1.8", Clear: "level < 1.7"},
		{When: "level > 1.8", Clear: "level > 0 and online"},
		{When: "level > 1.8", Clear: "level < high", Limits: limits("high")},
		{When: "level > 1.8", Limits: limits("high"), Overrides: map[string]rules.Override{"tank": {When: "level > high"}}},
		{When: "level != 0", Clear: "level != 1"},
	} {
		r.For = tank
		if _, problems := rules.Compile([]rules.Rule{rule("r", r)}, estate()); problems != nil {
			t.Errorf("%s, %s: %v", r.When, r.Clear, problems)
		}
	}
}

// TestEachFunctionOfANameThatIsNone makes sure that a misspelt name is a mistake and
// nothing worse, whatever asks for it.
func TestEachFunctionOfANameThatIsNone(t *testing.T) {
	for _, when := range []string{
		"anomaly(lvl)", "anomaly_score(lvl) > 0.5", "baseline(lvl) > 1", "sum(baseline(subs.lvl)) > 1", "night_minimum(lvl) > 1", "night_minimum(lvl, 14) > 1", "stale(lvl)", "stale(lvl, 1h)",
		"quality(lvl) == good", "never(lvl)", "avg(lvl, 1h) > 1", "min(lvl, 1h) > 1", "max(lvl, 1) > 1", "sum(lvl, 1h) > 1", "count(lvl, 1h) > 1", "count(subs.lvl) > 1", "any(lvl)", "all(subs.lvl)",
		"rate(lvl, 1h) > 1", "delta(lvl, 1h) > 1", "increase(lvl, 1h) > 1", "balance(lvl, subs.total, 1h) > 1", "balance(lvl, subs.flow) > 1", "balance(level, subs.lvl) > 1",
		"held(lvl, 1h)", "held(lvl > 1) > 1 h", "edges(lvl, 1h) > 1", "bitand(lvl, 1) > 0", "abs(lvl) > 1", "lvl ? 1 : 2", "not lvl", "-lvl > 1", "lvl % 2 > 1", "1 < lvl < 2", "lvl == 7", "rated.lvl > 1",
	} {
		r := rule("r", rules.Rule{For: rules.Selector{Devices: []string{"tank"}}, Groups: map[string]rules.Group{"subs": {Selector: rules.Selector{Kinds: []string{"water_meter"}}}}, When: when})
		_, problems := rules.Compile([]rules.Rule{r}, estate(), rules.WithDetectors(strangers))
		if len(problems) != 1 || !strings.Contains(problems[0].What, `"lvl"`) || problems[0].Cure == "" {
			t.Errorf("%s: %v", when, problems)
		}
	}
}
