package rules_test

import (
	"slices"
	"strings"
	"testing"

	"gengfu/facility"
	"gengfu/rules"
)

// rated is the estate with ratings and a meter behind another.
func rated() facility.Estate {
	e := estate()
	for i := range e.Devices {
		switch e.Devices[i].ID {
		case "pump-1":
			e.Devices[i].Ratings = map[string]string{"pressure": "0.6 MPa", "starts": "15 1"}
		case "main-water":
			e.Devices[i].Ratings = map[string]string{"pipe": "DN65"}
		}
	}
	sub := device("sub-water", "water_meter", "roof", text("分表", "Sub-meter"), quantity("flow", facility.Measure, "m3/h"))
	sub.Parent, sub.Ratings = "main-water", map[string]string{"pipe": "DN 25"}
	other := device("other-water", "water_meter", "roof", text("别的表", "Other meter"), quantity("flow", facility.Measure, "m3/h"))
	e.Devices = append(e.Devices, sub, other)
	return e
}

func TestRatings(t *testing.T) {
	const burst = "flow > 0.785 * rated.pipe * rated.pipe * 2 m/s"
	tests := []struct {
		name  string
		rule  rules.Rule
		lines []string
		want  []string
	}{
		{
			"one rule, and each meter by its own pipe",
			rules.Rule{For: rules.Selector{Rated: []string{"pipe"}}, When: burst},
			[]string{"0s main-water/flow=23 sub-water/flow=3 other-water/flow=99", "1s main-water/flow=24 sub-water/flow=3.5", "2s sub-water/flow=3.6"},
			[]string{"1s raise r/main-water unacknowledged", "2s raise r/sub-water unacknowledged"},
		},
		{
			"a rating in another unit",
			rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "outlet_pressure > rated.pressure"},
			[]string{"0s pump-1/outlet_pressure=5.9", "1s pump-1/outlet_pressure=6.1"},
			[]string{"1s raise r/pump-1 unacknowledged"},
		},
		{
			"those without it",
			rules.Rule{For: rules.Selector{Kinds: []string{"water_meter"}, Unrated: []string{"pipe"}}, When: "flow > 1"},
			[]string{"0s main-water/flow=9 sub-water/flow=9 other-water/flow=9"},
			[]string{"0s raise r/other-water unacknowledged"},
		},
		{
			"the meters behind a meter",
			rules.Rule{
				For: rules.Selector{Kinds: []string{"water_meter"}}, Optional: true, When: "balance(flow, subs.flow) > 1",
				Groups: map[string]rules.Group{"subs": {Selector: rules.Selector{Having: []string{"flow"}}, Children: true}},
			},
			[]string{"0s main-water/flow=9 sub-water/flow=8 other-water/flow=3", "1s sub-water/flow=7.5"},
			[]string{"1s raise r/main-water unacknowledged"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, problems := rules.Compile([]rules.Rule{rule("r", test.rule)}, rated())
			if problems != nil {
				t.Fatal(problems)
			}
			wantLines(t, script(t, e, test.lines...), test.want)
		})
	}
}

func TestMistakesWithRatings(t *testing.T) {
	meters := rules.Selector{Kinds: []string{"water_meter"}}
	for _, test := range []struct {
		name string
		rule rules.Rule
		path string
		want []string
	}{
		{"a device without it", rules.Rule{For: meters, When: "flow > rated.flow"}, "rules[0].when", []string{`column 14`, `no rating "flow"`, "for.rated: [flow]", "main-water"}},
		{"a slip of the pen", rules.Rule{For: rules.Selector{Rated: []string{"pipe"}}, When: "flow > rated.pip * rated.pipe * 1 m/s"}, "rules[0].when", []string{`no rating "pip"`, `"pipe"`}},
		{"another unit", rules.Rule{For: rules.Selector{Rated: []string{"pipe"}}, When: "flow > rated.pipe"}, "rules[0].when", []string{"m3/h cannot be put beside mm", "sub-water"}},
		{"all of it", rules.Rule{For: meters, When: "flow > rated"}, "rules[0].when", []string{"rated.current"}},
		{"its name taken", rules.Rule{For: meters, When: "flow > rated", Limits: map[string]string{"rated": "3 m3/h"}}, "rules[0].limits.rated", []string{"another name"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := rules.Compile([]rules.Rule{rule("r", test.rule)}, rated())
			if len(problems) != 1 || problems[0].Path != test.path {
				t.Fatalf("problems: %v", problems)
			}
			for _, want := range test.want {
				if !strings.Contains(problems[0].What+" "+problems[0].Cure, want) {
					t.Errorf("%q is not in: %s %s", want, problems[0].What, problems[0].Cure)
				}
			}
		})
	}
}

func TestWhatIsARating(t *testing.T) {
	if p := rules.CheckRatings(map[string]string{"current": "100 A", "pipe": "DN100", "power": "50kW", "speed": "1480 rpm", "head": "32.5 m"}); p != nil {
		t.Errorf("%v", p)
	}
	for text, name := range map[string]string{"100": "current", "-5 A": "current", "0 A": "current", "much": "current", "DN": "pipe", "100 Å": "current", "": "current", "3 A + 2 A": "current", "5 A ": "Current"} {
		if p := rules.CheckRatings(map[string]string{name: text}); len(p) != 1 || p[0].Path != name || p[0].Cure == "" {
			t.Errorf("%s: %q: %v", name, text, p)
		}
	}
}

func TestCoverageOfWhatAsksOthers(t *testing.T) {
	c := rules.Cover([]rules.Rule{rule("r", rules.Rule{
		For: rules.Selector{Kinds: []string{"water_meter"}}, Optional: true, When: "balance(flow, subs.flow) > 1",
		Groups: map[string]rules.Group{"subs": {Selector: rules.Selector{Having: []string{"flow"}}, Children: true}},
	})}, rated())[0]
	if !slices.Equal(c.Devices, []string{"main-water"}) || !slices.Equal(c.Alone, []string{"sub-water", "other-water"}) {
		t.Errorf("%+v", c)
	}
}

func TestCoverageOfRatings(t *testing.T) {
	c := rules.Cover([]rules.Rule{rule("r", rules.Rule{For: rules.Selector{Kinds: []string{"water_meter"}, Rated: []string{"pipe"}}, When: "flow > 1"})}, rated())[0]
	if len(c.Devices) != 2 || len(c.Lacking) != 1 || c.Lacking[0].Device != "other-water" || c.Lacking[0].Quantities[0] != "rated.pipe" {
		t.Errorf("%+v", c)
	}
}
