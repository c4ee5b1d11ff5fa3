package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

const shiftRules = `rules:
  - id: night-running
    name: {zh: 夜间运行, en: runs at night}
    priority: P4
    for: {kinds: [pump], having: [running]}
    limits: {low: 200 kPa, often: 12}
    groups:
      others: {kinds: [pump], having: [running], here: true}
    when: >-
      running and during("night-shift") and not any(others.running)
      and outlet_pressure < low and edges(running, 24h) < often
    overrides:
      pump-2: {limits: {low: 1.5 bar}, on_delay: 30s, priority: P3}
`

// shiftSite is a right site with calendars and rules that ask for them, with one
// thing changed.
func shiftSite(t *testing.T, calendars, ruleFile string) (*Config, error) {
	t.Helper()
	site, err := os.ReadFile("testdata/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := strings.Replace(string(site), "rules: [pump-house]", calendars+"rules: [own.yaml]", 1)
	for name, data := range map[string]string{"site.yaml": text, "own.yaml": ruleFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(filepath.Join(dir, "site.yaml"))
}

const nightShift = `calendars:
  - {id: night-shift, name: 夜班, days: [fri, sat], dates: [2026-10-01..2026-10-03, 2026-12-31], except: [2026-10-02], from: "22:00", until: "06:30"}
`

func TestCalendars(t *testing.T) {
	c, err := shiftSite(t, nightShift, shiftRules)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Estate.Calendars); n != 1 {
		t.Fatalf("%d calendars, want 1", n)
	}
	k := c.Estate.Calendars[0]
	for at, want := range map[string]bool{
		"2026-11-20 21:59": false, "2026-11-20 22:00": true, "2026-11-21 06:29": true, "2026-11-21 06:30": false, // a Friday
		"2026-11-22 03:00": true, "2026-11-22 23:00": false, // from Saturday on
		"2026-10-01 23:00": true, "2026-10-02 05:00": true, "2026-10-02 23:00": false, "2026-10-03 05:00": false, // a Friday that is left out
		"2026-10-03 23:00": true, "2027-01-01 01:00": true,
	} {
		local, err := time.ParseInLocation("2006-01-02 15:04", at, c.Estate.Site.Zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Holds(local); got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
	if o := c.Rules[0].Overrides["pump-2"]; o.Limits["low"] != "1.5 bar" || *o.OnDelay != 30*time.Second || o.Priority != facility.P3 {
		t.Errorf("the override is %+v", o)
	}
	if g := c.Rules[0].Groups["others"]; !g.Here || len(g.Kinds) != 1 || c.Rules[0].Limits["often"] != "12" {
		t.Errorf("the group is %+v, the limits %v", g, c.Rules[0].Limits)
	}
}

func TestWrongCalendarsAndRules(t *testing.T) {
	for name, test := range map[string]struct{ old, new, want string }{
		"day":            {"days: [fri, sat]", "days: [friday]", `"friday" is not a day`},
		"date":           {"2026-12-31", "31.12.2026", `"31.12.2026" is no date`},
		"span":           {"2026-10-01..2026-10-03", "2026-10-03..2026-10-01", "is no date"},
		"long span":      {"2026-10-01..2026-10-03", "2026-10-01..2036-10-01", "is no date"},
		"exception":      {"except: [2026-10-02]", "except: [tomorrow]", `"tomorrow" is no date`},
		"time":           {`until: "06:30"`, `until: "6:30 am"`, "not a time of day"},
		"half":           {`, until: "06:30"`, "", "only one end"},
		"no time":        {`until: "06:30"`, `until: "22:00"`, "begins and ends at the same time"},
		"id":             {"id: night-shift", "id: Night Shift", "cannot be an id"},
		"calendar":       {`during("night-shift")`, `during("night")`, `no calendar "night"`},
		"key of a group": {"here: true", "hear: true", `Unknown key "rules[0].groups.others.hear"`},
		"unit":           {"low: 200 kPa", "low: 2 m", "bar cannot be put beside m"},
		"override":       {"pump-2: {limits: {low: 1.5 bar}", "pump-2: {limits: {low: 1.5 kW}", "bar cannot be put beside kW"},
	} {
		c, err := shiftSite(t, strings.Replace(nightShift, test.old, test.new, 1), strings.Replace(shiftRules, test.old, test.new, 1))
		if err == nil {
			t.Errorf("%s: taken as %+v", name, c.Estate.Calendars)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v\ndoes not say %q", name, err, test.want)
		}
	}
}

// TestAMistakeInAConditionStandsWhereItIs: file, line and column are those of the
// word, not of the rule.
func TestAMistakeInAConditionStandsWhereItIs(t *testing.T) {
	for name, test := range map[string]struct{ when, want string }{
		"plain":  {"    when: running and outlet_presure < 2 bar\n", "own.yaml:6:23: "},
		"quoted": {"    when: \"running and outlet_presure < 2 bar\"\n", "own.yaml:6:24: "},
		"folded": {"    when: >-\n      running and\n      outlet_presure < 2 bar\n", "own.yaml:6:"},
	} {
		_, err := shiftSite(t, "", `rules:
  - id: low
    name: {zh: 低, en: low}
    priority: P4
    for: {kinds: [pump]}
`+test.when)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `Did you mean "outlet_pressure"?`) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}
