package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// every says the same words at a pace, from and until so many seconds.
func every(period, from, until int, words string) []string {
	var out []string
	for s := from; s <= until; s += period {
		out = append(out, fmt.Sprintf("%ds %s", s, words))
	}
	return out
}

func TestFunctions(t *testing.T) {
	pump := rules.Selector{Devices: []string{"pump-1"}}
	meter := rules.Selector{Devices: []string{"main-water"}}
	on := func(s rules.Selector, when string) rules.Rule { return rule("r", rules.Rule{For: s, When: when}) }
	tests := []struct {
		name  string
		rule  rules.Rule
		lines []string
		want  []string
	}{
		{
			"a mean is known when its time is full", on(pump, "avg(outlet_pressure, 60s) > 2 bar"),
			append(every(10, 0, 60, "pump-1/outlet_pressure=3"), every(10, 70, 120, "pump-1/outlet_pressure=0")...),
			[]string{"59s raise r/pump-1 unacknowledged", "1m30s clear r/pump-1 returned"},
		},
		{
			"a window forgets by time alone, each whole minute", on(pump, "max(outlet_pressure, 5m) > 5 bar"),
			[]string{"0s pump-1/outlet_pressure=9", "4m pump-1/outlet_pressure=1", "5m pump-1/outlet_pressure=1", "6m tick", "7m tick"},
			[]string{"4m55s raise r/pump-1 unacknowledged", "6m0s clear r/pump-1 returned"},
		},
		{
			"a window that is not fed any more is not known", on(pump, "avg(outlet_pressure, 4m) > 2 bar"),
			append(every(30, 0, 240, "pump-1/outlet_pressure=3"), "10m tick"),
			[]string{"3m56s raise r/pump-1 unacknowledged", "7m0s unknown r/pump-1 unacknowledged unknown"},
		},
		{
			"a short gap is borne", on(pump, "avg(outlet_pressure, 4m) > 2 bar"),
			append(every(30, 0, 240, "pump-1/outlet_pressure=3"), "250s pump-1/outlet_pressure=bad", "290s pump-1/outlet_pressure=3"),
			[]string{"3m56s raise r/pump-1 unacknowledged"},
		},
		{
			"how many readings, and their sum", on(pump, "count(starts, 1m) == 7 and sum(starts, 1m) == 21"),
			[]string{"0s pump-1/starts=0", "10s pump-1/starts=1", "20s pump-1/starts=2", "30s pump-1/starts=3", "40s pump-1/starts=4", "50s pump-1/starts=5", "60s pump-1/starts=6", "70s pump-1/starts=7"},
			[]string{"1m0s raise r/pump-1 unacknowledged", "1m10s clear r/pump-1 returned"},
		},
		{
			"what a counter counted, over a reset", on(pump, "increase(starts, 1m) >= 6"),
			[]string{"0s pump-1/starts=100", "30s pump-1/starts=103", "45s pump-1/starts=1", "60s pump-1/starts=4", "75s pump-1/starts=5"},
			[]string{"1m0s raise r/pump-1 unacknowledged"},
		},
		{
			"a change and its pace", on(rules.Selector{Devices: []string{"tank"}}, "delta(level, 2m) < -50 cm or rate(level, 2m) < -20 m/h"),
			[]string{"0s tank/level=3", "60s tank/level=2.8", "120s tank/level=2.4", "180s tank/level=2.6", "240s tank/level=2.5"},
			[]string{"2m0s raise r/tank unacknowledged", "3m0s clear r/tank returned"},
		},
		{
			"held for a time, to the instant", on(pump, "held(running and outlet_pressure < 1 bar, 30s) or fault"),
			[]string{"0s pump-1/running=1 pump-1/outlet_pressure=0.5 pump-1/fault=0", "29s tick", "31s tick", "40s pump-1/outlet_pressure=2"},
			[]string{"30s raise r/pump-1 unacknowledged", "40s clear r/pump-1 returned"},
		},
		{
			"what has held stands still while it is not known", on(pump, "held(outlet_pressure < 1 bar, 30s)"),
			[]string{"0s pump-1/outlet_pressure=0.5", "10s pump-1/outlet_pressure=bad", "60s pump-1/outlet_pressure=0.5", "79s tick", "81s tick"},
			[]string{"1m20s raise r/pump-1 unacknowledged"},
		},
		{
			"how long it has held", on(pump, "held(running) > 2 min"),
			[]string{"0s pump-1/running=1", "119s tick", "3m tick", "200s pump-1/running=0"},
			[]string{"3m0s raise r/pump-1 unacknowledged", "3m20s clear r/pump-1 returned"},
		},
		{
			"how often it came", on(pump, "edges(running, 1m) >= 3"),
			[]string{
				"0s pump-1/running=0", "10s pump-1/running=1", "20s pump-1/running=0", "30s pump-1/running=1", "40s pump-1/running=bad", "45s pump-1/running=1",
				"50s pump-1/running=0", "55s pump-1/running=1", "59s tick", "60s tick", "2m tick",
			},
			[]string{"59s raise r/pump-1 unacknowledged", "2m0s clear r/pump-1 returned"},
		},
		{
			"stale by its own time", on(pump, "stale(outlet_pressure, 1m) and not stale(running, 1m)"),
			[]string{"0s listen", "0s pump-1/outlet_pressure=1 pump-1/running=1", "30s pump-1/running=1", "50s pump-1/outlet_pressure=bad", "59s tick", "61s tick", "65s pump-1/outlet_pressure=2"},
			[]string{"1m0s raise r/pump-1 unacknowledged", "1m5s clear r/pump-1 returned"},
		},
		{
			"never heard", on(pump, "never(outlet_pressure) and running"),
			[]string{"0s pump-1/running=1", "5s pump-1/outlet_pressure=bad", "6s pump-1/outlet_pressure=1"},
			[]string{"0s raise r/pump-1 unacknowledged", "6s clear r/pump-1 returned"},
		},
		{
			"quality", on(pump, "quality(outlet_pressure) != good and running"),
			[]string{"0s pump-1/running=1 pump-1/outlet_pressure=1", "1s pump-1/outlet_pressure=uncertain:1", "2s pump-1/outlet_pressure=bad", "3s pump-1/outlet_pressure=1"},
			[]string{"1s raise r/pump-1 unacknowledged", "3s clear r/pump-1 returned"},
		},
		{
			"a time of day wakes by itself", on(pump, `running and between("12:30", "12:45")`),
			[]string{"0s pump-1/running=1", "20m tick", "40m tick", "50m tick"},
			[]string{"30m0s raise r/pump-1 unacknowledged", "45m0s clear r/pump-1 returned"},
		},
		{
			"work days", on(pump, "running and workday"), // the script begins on a Sunday at noon
			[]string{"0s pump-1/running=1", "11h59m tick", "12h1m tick", "36h tick"},
			[]string{"12h0m0s raise r/pump-1 unacknowledged"},
		},
		{
			"a group, without the device itself", rule("r", rules.Rule{For: pump, Groups: map[string]rules.Group{"others": {Selector: rules.Selector{Kinds: []string{"pump"}}}}, When: "not running and not any(others.running) and count(others.fault) == 1"}),
			[]string{"0s pump-1/running=0 pump-2/running=0", "1s pump-1/fault=1", "2s pump-2/fault=1", "3s pump-2/running=1"},
			[]string{"2s raise r/pump-1 unacknowledged", "3s clear r/pump-1 returned"},
		},
		{
			"a group of which one is not known", rule("r", rules.Rule{For: meter, Groups: map[string]rules.Group{"pumps": {Selector: rules.Selector{Kinds: []string{"pump"}}}}, When: "any(pumps.fault) and flow > 0"}),
			[]string{"0s main-water/flow=1", "1s pump-1/fault=1", "2s pump-2/fault=bad", "3s pump-1/fault=0", "4s pump-2/fault=0"},
			[]string{"1s raise r/main-water unacknowledged", "3s unknown r/main-water unacknowledged unknown", "4s known r/main-water unacknowledged", "4s clear r/main-water returned"},
		},
		{
			"a group of the same place", rule("r", rules.Rule{For: meter, Groups: map[string]rules.Group{"here": {Selector: rules.Selector{Having: []string{"outlet_pressure"}}, Here: true}}, When: "max(here.outlet_pressure) - min(here.outlet_pressure) > 1 bar and avg(here.outlet_pressure) > 200 kPa"}),
			[]string{"0s pump-1/outlet_pressure=3", "1s pump-2/outlet_pressure=1.5", "2s pump-2/outlet_pressure=2.5"},
			[]string{"1s raise r/main-water unacknowledged", "2s clear r/main-water returned"},
		},
		{
			"each of a group against a limit", rule("r", rules.Rule{For: meter, Groups: map[string]rules.Group{"pumps": {Selector: rules.Selector{Kinds: []string{"pump"}}}}, When: "count(pumps.outlet_pressure < 1 bar) >= 2"}),
			[]string{"0s pump-1/outlet_pressure=0.5", "1s pump-2/outlet_pressure=0.5", "2s pump-2/outlet_pressure=1.5"},
			[]string{"1s raise r/main-water unacknowledged", "2s clear r/main-water returned"},
		},
		{
			"a limit by name", rule("r", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, Limits: map[string]string{"low": "0.2 MPa", "back": "2.4"}, When: "outlet_pressure < low", Clear: "outlet_pressure > back", Overrides: map[string]rules.Override{"pump-2": {Limits: map[string]string{"low": "1 bar"}, OnDelay: ptr(5 * time.Second), Priority: facility.P1}}}),
			[]string{"0s pump-1/outlet_pressure=1.5 pump-2/outlet_pressure=1.5", "1s pump-2/outlet_pressure=0.5", "8s tick"},
			[]string{"0s raise r/pump-1 unacknowledged", "6s raise r/pump-2 unacknowledged"},
		},
		{
			"a device that is left out", rule("r", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, When: "fault", Overrides: map[string]rules.Override{"pump-2": {Off: true}}}),
			[]string{"0s pump-1/fault=1 pump-2/fault=1"},
			[]string{"0s raise r/pump-1 unacknowledged"},
		},
		{
			"what is usual of several", rule("r", rules.Rule{For: meter, Groups: map[string]rules.Group{"pumps": {Selector: rules.Selector{Kinds: []string{"pump"}}}}, When: "sum(pumps.outlet_pressure) > sum(baseline(pumps.outlet_pressure)) * 1.5"}),
			append(every(10, 0, 60, "pump-1/outlet_pressure=3 pump-2/outlet_pressure=1"), "70s pump-1/outlet_pressure=3 pump-2/outlet_pressure=2", "80s pump-1/outlet_pressure=6 pump-2/outlet_pressure=2"),
			[]string{"1m20s raise r/main-water unacknowledged"},
		},
		{
			"what a detector says, when it is sure", on(meter, "anomaly(flow) or flow > 5 * baseline(flow)"),
			[]string{"0s main-water/flow=9", "1s main-water/flow=1", "2s main-water/flow=1", "3s main-water/flow=9", "4s main-water/flow=3", "5s main-water/flow=bad"},
			[]string{"3s raise r/main-water unacknowledged", "4s clear r/main-water returned", "5s unknown r/main-water returned unknown"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantLines(t, script(t, compile(t, test.rule), test.lines...), test.want)
		})
	}
}

// waterEstate is a main meter and three behind it.
func waterEstate() facility.Estate {
	e := estate()
	for _, id := range []string{"sub-1", "sub-2", "sub-3"} {
		e.Devices = append(e.Devices, device(id, "water_meter", "roof", text(id, ""), quantity("total", facility.Counter, "m3"), quantity("flow", facility.Measure, "l/min")))
	}
	return e
}

func TestBalance(t *testing.T) {
	subs := map[string]rules.Group{"subs": {Selector: rules.Selector{Kinds: []string{"water_meter"}}}}
	main := rules.Selector{Devices: []string{"main-water"}}
	e, problems := rules.Compile([]rules.Rule{
		rule("lost", rules.Rule{For: main, Groups: subs, When: "balance(total, subs.total, 1h) / increase(total, 1h) > 10 %"}),
		rule("now", rules.Rule{For: main, Groups: subs, When: "balance(flow, subs.flow) > 1 m3/h"}),
	}, waterEstate())
	if problems != nil {
		t.Fatal(problems)
	}
	var got []string
	for s := 0; s <= 7200; s += 600 {
		leak := 0.0
		if s > 3600 {
			leak = 0.2 * float64(s-3600) / 600
		}
		main := float64(s)/600*0.9 + leak
		sub := float64(s) / 600 * 0.3
		line := fmt.Sprintf("%ds main-water/total=%v main-water/flow=6 sub-1/total=%v sub-2/total=%v sub-3/total=%v sub-1/flow=30 sub-2/flow=30 sub-3/flow=23.3", s, main, sub, sub, sub)
		if s == 3600 {
			line = strings.ReplaceAll(line, "sub-3/flow=23.3", "sub-3/flow=30")
		}
		got = append(got, script(t, e, line)...)
	}
	wantLines(t, got, []string{
		"0s raise now/main-water unacknowledged", "1h0m0s clear now/main-water returned", "1h10m0s recur now/main-water unacknowledged x2",
		"1h40m0s raise lost/main-water unacknowledged",
	})
	for _, a := range e.Standing() {
		if a.Rule == "now" && (a.Unit != "m3/h" || a.Value < 1.001 || a.Value > 1.003) {
			t.Errorf("the balance is %v %s, want 1.002 m3/h", a.Value, a.Unit)
		}
	}
}

func TestCalendars(t *testing.T) {
	e := estate()
	e.Calendars = []facility.Calendar{
		{ID: "night-shift", Weekdays: []time.Weekday{time.Sunday}, From: 22 * time.Hour, Until: 6 * time.Hour},
		{ID: "holidays", Days: []facility.Day{{Year: 2026, Month: time.November, Date: 23}}},
	}
	pump := rules.Selector{Devices: []string{"pump-1"}}
	engine, problems := rules.Compile([]rules.Rule{
		rule("shift", rules.Rule{For: pump, When: `running and during("night-shift")`}),
		rule("holiday", rules.Rule{For: pump, When: "running and holiday"}),
	}, e)
	if problems != nil {
		t.Fatal(problems)
	}
	wantLines(t, script(t, engine, "0s pump-1/running=1", "48h tick"), []string{ // from Sunday noon on
		"10h0m0s raise shift/pump-1 unacknowledged", "12h0m0s raise holiday/pump-1 unacknowledged",
		"18h0m0s clear shift/pump-1 returned", "36h0m0s clear holiday/pump-1 returned",
	})
}

func TestAValueThatIsNotRepeatedIsNotKnown(t *testing.T) {
	e := estate()
	for i := range e.Devices {
		for k := range e.Devices[i].Points {
			e.Devices[i].Points[k].Period = 10 * time.Second
		}
	}
	engine, problems := rules.Compile([]rules.Rule{rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault"})}, e)
	if problems != nil {
		t.Fatal(problems)
	}
	wantLines(t, script(t, engine, "0s listen", "0s pump-1/fault=1", "179s tick", "181s tick", "190s pump-1/fault=0"), []string{
		"0s raise r/pump-1 unacknowledged", "3m0s unknown r/pump-1 unacknowledged unknown",
		"3m10s known r/pump-1 unacknowledged", "3m10s clear r/pump-1 returned",
	})
	// Silence while nobody listened is not held against it.
	script(t, engine, "200s pump-1/fault=1", "1h listen")
	if got := script(t, engine, "62m tick"); got != nil {
		t.Errorf("%v", got)
	}
}

func TestOverridesAndGroupsSayWhatIsWrong(t *testing.T) {
	pumps := rules.Selector{Kinds: []string{"pump"}}
	over := func(o rules.Override) map[string]rules.Override { return map[string]rules.Override{"pump-1": o} }
	for name, test := range map[string]struct {
		rule rules.Rule
		want []string
	}{
		"stranger":           {rules.Rule{For: pumps, When: "fault", Overrides: map[string]rules.Override{"pump-11": {Off: true}}}, []string{"rules[0].overrides.pump-11:", `Did you mean "pump-1"?`}},
		"condition":          {rules.Rule{For: pumps, When: "fault", Overrides: over(rules.Override{When: "falt"})}, []string{"rules[0].overrides.pump-1.when:", `Did you mean "fault"?`}},
		"syntax":             {rules.Rule{For: pumps, When: "fault", Overrides: over(rules.Override{When: "fault and"})}, []string{"rules[0].overrides.pump-1.when:", "ends in the middle"}},
		"limit":              {rules.Rule{For: pumps, When: "fault", Overrides: over(rules.Override{Limits: map[string]string{"low": "1"}})}, []string{"overrides.pump-1.limits.low:", `no limit "low"`}},
		"limit's unit":       {rules.Rule{For: pumps, When: "outlet_pressure < low", Limits: map[string]string{"low": "1 bar"}, Overrides: over(rules.Override{Limits: map[string]string{"low": "1 kW"}})}, []string{"bar cannot be put beside kW", "(device pump-1)"}},
		"limit that is none": {rules.Rule{For: pumps, When: "outlet_pressure < low", Limits: map[string]string{"low": "high"}}, []string{"rules[0].limits.low:", `"high" is no number`}},
		"name":               {rules.Rule{For: pumps, When: "fault", Limits: map[string]string{"Too-Low": "1"}}, []string{"rules[0].limits.Too-Low:", "no name"}},
		"delay":              {rules.Rule{For: pumps, When: "fault", Overrides: over(rules.Override{OnDelay: ptr(-time.Second)})}, []string{"overrides.pump-1.on_delay:", "-1s is no delay"}},
		"priority":           {rules.Rule{For: pumps, When: "fault", Overrides: over(rules.Override{Priority: "P9"})}, []string{"overrides.pump-1.priority:"}},
		"nothing to change":  {rules.Rule{For: pumps, NoData: &rules.NoData{After: time.Minute}, Overrides: over(rules.Override{When: "fault"})}, []string{"overrides.pump-1:", "no condition"}},
		"group":              {rules.Rule{For: pumps, When: "any(meters.fault)", Groups: map[string]rules.Group{"meters": {Selector: rules.Selector{Kinds: []string{"watermeter"}}}}}, []string{"rules[0].groups.meters.kinds[0]:", `Did you mean "water_meter"?`}},
		"group's quantity":   {rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "sum(all_of_them.flow) > 1", Groups: map[string]rules.Group{"all_of_them": {}}}, []string{`has no quantity "flow"`, "having: [flow]"}},
		"group alone":        {rules.Rule{For: pumps, When: "others.running and fault", Groups: map[string]rules.Group{"others": {Selector: pumps}}}, []string{"a value for each device of the group", "any(…)"}},
		"group's name":       {rules.Rule{For: pumps, When: "others > 1", Groups: map[string]rules.Group{"others": {Selector: pumps}}}, []string{`"others" is a group`}},
		"misspelt group":     {rules.Rule{For: pumps, When: "any(other.running)", Groups: map[string]rules.Group{"others": {Selector: pumps}}}, []string{`Did you mean "others"?`}},
		"empty group":        {rules.Rule{For: rules.Selector{Devices: []string{"tank"}}, When: "any(same.running)", Groups: map[string]rules.Group{"same": {Selector: pumps, Here: true}}}, []string{`"same" has no device`, "optional: true"}},
		"two groups":         {rules.Rule{For: pumps, When: "any(a.starts > b.starts)", Groups: map[string]rules.Group{"a": {Selector: pumps}, "b": {Selector: pumps}}}, []string{"Two groups cannot be put side by side"}},
		"learned of several": {rules.Rule{For: pumps, When: "sum(a.starts) > baseline(sum(a.starts))", Groups: map[string]rules.Group{"a": {Selector: pumps}}}, []string{"baseline is of a quantity by its name", "sum(baseline(subs.flow))"}},
		"misspelt point":     {rules.Rule{For: pumps, Optional: true, When: `fault and value("tnk/level") > 1`}, []string{"no point"}},
		"registers":          {rules.Rule{For: pumps, When: "balance(starts, a.starts) > 1", Groups: map[string]rules.Group{"a": {Selector: pumps}}}, []string{"Say over what time"}},
	} {
		_, problems := rules.Compile([]rules.Rule{rule("r", test.rule)}, estate())
		if len(problems) != 1 {
			t.Errorf("%s: %v, want one problem", name, problems)
			continue
		}
		for _, part := range test.want {
			if !strings.Contains(problems[0].Error(), part) || problems[0].Cure == "" {
				t.Errorf("%s:\n%s\ndoes not contain %q", name, problems[0].Error(), part)
			}
		}
	}
	// A rule that may rest does so where the site lacks a device that it asks for,
	if got := compile(t, rule("r", rules.Rule{Optional: true, For: pumps, When: `fault and value("heat-exchanger/level") > 1`})).Instances(); got != 0 {
		t.Errorf("%d instances, want none", got)
	}
	// and where a group is empty.
	e := compile(t, rule("r", rules.Rule{Optional: true, When: "any(same.running)", Groups: map[string]rules.Group{"same": {Selector: pumps, Here: true}}}))
	if got := e.Instances(); got != 3 { // the two pumps and the meter of the pump room
		t.Errorf("%d instances, want 3", got)
	}
}
