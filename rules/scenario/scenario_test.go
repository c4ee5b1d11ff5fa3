package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/rules/scenario"
)

func parse(t testing.TB, text string) scenario.File {
	t.Helper()
	var f scenario.File
	if err := yaml.UnmarshalWithOptions([]byte(text), &f, yaml.DisallowUnknownField()); err != nil {
		t.Fatal(err)
	}
	return f
}

// told is the failures of a file's only scenario, each as "path: what".
func told(t testing.TB, text string) []string {
	t.Helper()
	outcomes := parse(t, text).Run(world(t))
	if len(outcomes) != 1 {
		t.Fatalf("%d outcomes", len(outcomes))
	}
	var out []string
	for _, p := range outcomes[0].Failures {
		out = append(out, p.Path+": "+p.What+" "+p.Cure)
	}
	return out
}

const tank = `
devices: [{id: tank, kind: level, place: roof, points: [{id: level, unit: m}]}]
scenarios:
  - name: s
    rules: [tank-very-low]
    poll: 10s
`

// TestWhatIsWrongIsSaidWhereItStands: each mistake and each broken expectation has the
// path of what was written.
func TestWhatIsWrongIsSaidWhereItStands(t *testing.T) {
	tests := []struct{ name, text, path, says string }{
		{
			"nothing expected comes", tank + "    timeline:\n      - {at: 0s, given: {tank/level: 2}}\n      - {at: 1h, expect: [raise tank-very-low/tank]}\n",
			"scenarios[0].timeline[1].expect[0]", "did not come: raise tank-very-low/tank; besides what is expected came: nothing",
		},
		{
			"at another time", tank + "    timeline:\n      - {at: 0s, given: {tank/level: 0.5}}\n      - {at: 1h, expect: [raise tank-very-low/tank at 5s]}\n",
			"scenarios[0].timeline[1].expect[0]", "came: raise tank-very-low/tank at 10s",
		},
		{
			"what nobody expects", tank + "    timeline:\n      - {at: 0s, given: {tank/level: 0.5}}\n      - {at: 1h, expect: []}\n",
			"scenarios[0].timeline[1].expect", "raise tank-very-low/tank at 10s",
		},
		{
			"what nobody expects at the end", tank + "    end: 1h\n    timeline:\n      - {at: 0s, given: {tank/level: 0.5}}\n",
			"scenarios[0].timeline", "Behind the last step that expects something came: raise tank-very-low/tank at 10s",
		},
		{
			"a point that is misspelt", tank + "    timeline:\n      - {at: 0s, given: {tank/levl: 0.5}}\n",
			"scenarios[0].timeline[0].given.tank/levl", `Did you mean "tank/level"?`,
		},
		{
			"an alarm that is misspelt", tank + "    timeline:\n      - {at: 0s, expect: [raise tank-very-lo/tank]}\n",
			"scenarios[0].timeline[0].expect[0]", `Did you mean "tank-very-low/tank"?`,
		},
		{
			"a change that is misspelt", tank + "    timeline:\n      - {at: 0s, expect: [rise tank-very-low/tank]}\n",
			"scenarios[0].timeline[0].expect[0]", `Did you mean "raise"?`,
		},
		{
			"a value that is none", tank + "    timeline:\n      - {at: 0s, given: {tank/level: lots}}\n",
			"scenarios[0].timeline[0].given.tank/level", "is no value of a point",
		},
		{
			"a time that is none", tank + "    timeline:\n      - {at: noon, given: {tank/level: 1}}\n",
			"scenarios[0].timeline[0].at", `"noon" is no time after the start`,
		},
		{
			"an alarm that does not stand", tank + "    timeline:\n      - {at: 0s, given: {tank/level: 2}, acknowledge: [tank-very-low/tank]}\n",
			"scenarios[0].timeline[0].acknowledge[0]", "does not stand at 0s",
		},
		{
			"a rule that is misspelt", strings.Replace(tank, "tank-very-low", "tank-very-lo", 1) + "    timeline: [{at: 0s}]\n",
			"scenarios[0].rules[0]", `Did you mean "tank-very-low"?`,
		},
		{"a step behind the end", tank + "    end: 1m\n    timeline: [{at: 2m}]\n", "scenarios[0].timeline[0].at", "behind the end"},
		{"late before it was taken", tank + "    timeline: [{at: 2m, taken: 3m, given: {tank/level: 1}}]\n", "scenarios[0].timeline[0].taken", "taken before it came"},
		{"a start that is none", tank + "    start: monday\n    timeline: [{at: 2m}]\n", "scenarios[0].start", "no day and time"},
		{
			"a step too often", tank + "    end: 300d\n    timeline: [{at: 0s, every: 1s, given: {tank/level: 2}}]\n",
			"scenarios[0].timeline[0].every", "more than 1000000 times",
		},
		{"far too much", strings.Replace(tank, "10s", "100ms", 1) + "    end: 399d\n    timeline: [{at: 0s, given: {tank/level: 1}}]\n", "scenarios[0].poll", "50 million"},
		{"no scenario", "devices: []\n", "scenarios", "has no scenario"},
		{"a profile that is none", "devices: [{id: x, profile: nothing}]\nscenarios: [{name: s, timeline: [{at: 0s}]}]\n", "devices[0].profile", `no profile "nothing"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := told(t, test.text)
			if len(got) != 1 || !strings.HasPrefix(got[0], test.path+": ") || !strings.Contains(got[0], test.says) {
				t.Errorf("said %q\nwant %s: …%s…", got, test.path, test.says)
			}
		})
	}
}

// TestValues: what a point shows is what was given, and moves as was said.
func TestValues(t *testing.T) {
	got := told(t, tank+`    end: 2h
    timeline:
      - {at: 0s, given: {tank/level: {value: 1.3, per_hour: -1}}}
      - {at: 50m, expect: [raise tank-very-low/tank at 30m20s]}
      - {at: 55m, given: {tank/level: uncertain 1.5}}
      - {at: 1h, expect: [clear tank-very-low/tank at 56m]}
      - {at: 1h1m, given: {tank/level: bad}}
      - {at: 1h2m, expect: [unknown tank-very-low/tank at 1h1m]}
      - {at: 1h3m, given: {tank/level: silent}}
      - {at: 2h, expect: []}
`)
	if got != nil {
		t.Error(got)
	}
}

// TestAMonthTakesASecond: two rules on a month of readings each minute.
func TestAMonthTakesASecond(t *testing.T) {
	f := parse(t, `
devices: [{id: main-water, kind: water_meter, period: 1m, points: [{id: flow, unit: m3/h}, {id: total, unit: m3, kind: counter}]}]
scenarios:
  - name: month
    poll: 1m
    end: 30d
    rules: [water-burst, water-high-use, water-night-flow, meter-no-data]
    timeline:
      - {at: 0s, given: {main-water/total: {value: 0, per_hour: 3}}}
      - {at: 0s, every: 24h, given: {main-water/flow: 1}}
      - {at: 8h, every: 24h, given: {main-water/flow: 9}}
`)
	w := world(t)
	best := time.Hour
	for range 3 {
		begun := time.Now()
		o := f.Run(w)[0]
		best = min(best, time.Since(begun))
		if len(o.Failures) > 0 || o.Readings < 2*30*24*60 {
			t.Fatalf("%d readings, %v", o.Readings, o.Failures)
		}
	}
	t.Logf("30 days in %s", best)
	if best > time.Second && !raceEnabled {
		t.Errorf("30 days took %s, more than a second", best)
	}
}

// FuzzScenario: whatever stands in a file, it is played or refused with words.
func FuzzScenario(f *testing.F) {
	f.Add("1m", "2m", "10s", "raise tank-very-low/tank", "bad")
	f.Add("1d2h", "", "1h", "clear tank-very-low/tank at 1d", "uncertain 3")
	w := world(f)
	f.Fuzz(func(t *testing.T, at, taken, every, expect, given string) {
		file := scenario.File{
			Devices: []scenario.Device{{ID: "tank", Kind: "level", Points: []scenario.Point{{ID: "level", Unit: "m"}}}},
			Scenarios: []scenario.Scenario{{Rules: []string{"tank-very-low"}, End: "2h", Timeline: []scenario.Step{
				{At: at, Taken: taken, Given: map[string]any{"tank/level": given}},
				{At: "0s", Every: every, Until: "1h", Given: map[string]any{"tank/level": 1.0}, Expect: []string{expect}},
			}}},
		}
		for _, o := range file.Run(w) {
			for _, p := range o.Failures {
				if p.What == "" || p.Cure == "" {
					t.Errorf("a problem without words: %+v", p)
				}
			}
		}
	})
}
