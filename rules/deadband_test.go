package rules_test

import (
	"strings"
	"testing"

	"gengfu/rules"
)

func TestDeadband(t *testing.T) {
	tank := rules.Selector{Devices: []string{"tank"}}
	for when, told := range map[string][]string{
		"level > 1.8 m":                {"1s tank/level=1.81", "2s tank/level=1.75", "3s tank/level=1.69"},
		"1.8 m < level":                {"1s tank/level=1.81", "2s tank/level=1.75", "3s tank/level=1.69"},
		"level < 1.8 m":                {"1s tank/level=1.79", "2s tank/level=1.85", "3s tank/level=1.91"},
		"level * 2 >= high + 1.0 m":    {"1s tank/level=1.8", "2s tank/level=1.76", "3s tank/level=1.74"},
		`value("tank/level") > 1.8 m`:  {"1s tank/level=1.81", "2s tank/level=1.75", "3s tank/level=1.69"},
		"abs(level) <= (high - 0.8 m)": {"1s tank/level=1.8", "2s tank/level=1.85", "3s tank/level=1.91"},
	} {
		r := rules.Rule{For: tank, When: when, Deadband: "10 cm"}
		if strings.Contains(when, "high") {
			r.Limits = map[string]string{"high": "2.6 m"}
		}
		e := compile(t, rule("r", r))
		got := script(t, e, told...)
		if len(got) != 2 || got[0] != "1s raise r/tank unacknowledged" || got[1] != "3s clear r/tank returned" {
			t.Errorf("%s: %v", when, got)
		}
	}
	for when, band := range map[string]string{
		"level > 1.8 m and level < 3 m": "0.1 m", "level == 1 m": "0.1 m", "(level > 1.8 m)": "0.1 m", "1 m < level < 2 m": "0.1 m",
		"level > 1.8 m": "0.1 bar", "level >= 1.8 m": "0 m", "level < 1.8 m": "-1 m", "level <= 1.8 m": "level", "level >": "0.1 m",
	} {
		if _, problems := rules.Compile([]rules.Rule{rule("r", rules.Rule{For: tank, When: when, Deadband: band})}, estate()); len(problems) == 0 {
			t.Errorf("%s with %s is no mistake", when, band)
		}
	}
	r := rules.Rule{For: tank, When: "level > 1.8 m", Deadband: "0.1 m", Overrides: map[string]rules.Override{"tank": {When: "level > 1 m and level < 2 m"}}}
	if _, problems := rules.Compile([]rules.Rule{rule("r", r)}, estate()); len(problems) == 0 {
		t.Error("an override that is no comparison is no mistake")
	}
	r.Overrides["tank"] = rules.Override{Clear: "level < 1 m"}
	wantLines(t, script(t, compile(t, rule("r", r)), "1s tank/level=2", "2s tank/level=1.5", "3s tank/level=0.9"), []string{"1s raise r/tank unacknowledged", "3s clear r/tank returned"})
}
