package config

import (
	"errors"
	"strings"
	"testing"
)

// withMore puts more behind the address of pump-2, and a second meter behind the first.
func withMore(t *testing.T, pump, meter, second string) string {
	t.Helper()
	text := site(t)
	for old, more := range map[string]string{"address: 12, place: pump-room": pump, "line: meters, address: 1": meter} {
		if !strings.Contains(text, old) {
			t.Fatalf("the site has no %q", old)
		}
		text = strings.Replace(text, old, old+more, 1)
	}
	return strings.Replace(text, "\nreaders:", "\n  - {id: sub-power, name: 分表, profile: eastron-sdm630, line: meters, address: 2"+second+"}\n\nreaders:", 1)
}

func TestRatingsAndParents(t *testing.T) {
	c, err := Load(write(t, withMore(t, ", ratings: {current: 16 A, head: 32 m}", ", ratings: {power: 120kW}", ", parent: main-power"), map[string]string{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Estate.Devices {
		switch d.ID {
		case "pump-2":
			if d.Ratings["current"] != "16 A" || d.Parent != "" {
				t.Errorf("%+v", d)
			}
		case "sub-power":
			if d.Parent != "main-power" || d.Ratings != nil {
				t.Errorf("%+v", d)
			}
		}
	}
}

func TestMistakesInRatingsAndParents(t *testing.T) {
	for _, test := range []struct{ name, pump, meter, second, at, what, cure string }{
		{name: "no unit", pump: ", ratings: {current: 16}", at: "ratings: {current: 16", what: `"16" is no rating`, cure: "100 A"},
		{name: "no number", pump: ", ratings: {pipe: DN}", at: "ratings: {pipe: DN", what: "DN", cure: "DN100"},
		{name: "no name", pump: ", ratings: {Rated current: 16 A}", at: "ratings: {Rated", what: "is no name", cure: "current"},
		{name: "no such parent", second: ", parent: main-powr", at: "parent: main-powr", what: `no device "main-powr"`, cure: `"main-power"`},
		{name: "a parent of its own", second: ", parent: sub-power", at: "parent: sub-power", what: "sub-meter of itself", cure: "no parent"},
		{name: "a circle", meter: ", parent: sub-power", second: ", parent: main-power", at: "parent: ", what: "sub-meter of itself", cure: "no parent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := withMore(t, test.pump, test.meter, test.second)
			_, err := Load(write(t, text, map[string]string{}))
			var r Report
			if !errors.As(err, &r) || len(r) == 0 {
				t.Fatalf("no report: %v", err)
			}
			p := r[0]
			if line := strings.Split(text, "\n")[p.Line-1]; !strings.Contains(line, test.at) {
				t.Errorf("line %d is %q, want the one with %q", p.Line, line, test.at)
			}
			if !strings.Contains(p.What, test.what) || !strings.Contains(p.Cure, test.cure) {
				t.Errorf("%s %s", p.What, p.Cure)
			}
		})
	}
}
