package rules_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// TestWhatIsUsualIsNotKnownAtFirst has rules that ask what is usual of a new meter: they
// say that they learn, and nothing else, until enough was seen; a restart in between makes
// them neither forget nor believe earlier.
func TestWhatIsUsualIsNotKnownAtFirst(t *testing.T) {
	compile := func() *rules.Engine {
		e, problems := rules.Compile([]rules.Rule{
			rule("unusual", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "anomaly(outlet_pressure)"}),
			rule("high", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "outlet_pressure > 1.5 * baseline(outlet_pressure)"}),
			rule("limit", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "outlet_pressure > 100"}),
		}, estate(), rules.WithDetectors(rules.Learners(time.UTC)))
		if problems != nil {
			t.Fatal(problems)
		}
		return e
	}
	truths := func(e *rules.Engine) map[string]rules.Truth {
		out := map[string]rules.Truth{}
		for _, f := range e.Findings() {
			out[f.Rule] = f.Truth
		}
		return out
	}
	learning := []rules.Learning{{Rule: "unusual", Devices: 1}, {Rule: "high", Devices: 1}}
	e := compile()
	if got := e.Learning(); !slices.Equal(got, learning) {
		t.Fatalf("before anything is read they learn: %v", got)
	}
	const enough = 201 // means of five minutes; the next reading ends the last of them
	for i := range 260 {
		at := start.Add(time.Duration(i) * 5 * time.Minute)
		value := 3 + 0.01*float64(i*7%10)
		if i == 100 {
			value = 30 // on the first day nobody knows that this is unusual
		}
		for _, c := range e.Observe(reading(t, at, fmt.Sprintf("pump-1/outlet_pressure=%.2f", value))) {
			if c.Event == facility.AlarmRaise {
				t.Errorf("%v after the first reading: %s is raised", at.Sub(start), c.Alarm.Key)
			}
		}
		got, said := truths(e), e.Learning()
		switch {
		case i < enough && (got["unusual"] != rules.Unknown || got["high"] != rules.Unknown || !slices.Equal(said, learning)):
			t.Fatalf("sample %d: they say %v and learn %v", i, got, said)
		case i > enough && (got["unusual"] != rules.False || got["high"] != rules.False || len(said) > 0):
			t.Fatalf("sample %d: they say %v and learn %v", i, got, said)
		case got["limit"] != rules.False:
			t.Fatalf("sample %d: a limit says %v", i, got["limit"])
		}
		if i%40 == 39 {
			data, err := e.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			e = compile()
			if err := e.Restore(data); err != nil {
				t.Fatal(err)
			}
			if again := truths(e); again["unusual"] != got["unusual"] || !slices.Equal(e.Learning(), said) {
				t.Fatalf("sample %d: after a restart they say %v and learn %v", i, again, e.Learning())
			}
		}
	}
}
