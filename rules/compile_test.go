package rules_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

func TestCompileSaysWhatIsWrong(t *testing.T) {
	pump := rules.Selector{Devices: []string{"pump-1"}}
	all := rules.Selector{}
	rate := func(change func(*rules.Rate)) *rules.Rate {
		r := &rules.Rate{Quantity: "total", Over: time.Minute, Above: ptr(1.0)}
		change(r)
		return r
	}
	meter := rules.Selector{Devices: []string{"main-water"}}
	tests := []struct {
		name string
		rule rules.Rule
		want []string // parts of the problem
	}{
		{"id", rules.Rule{ID: "Pump Fault", Name: text("x", ""), Priority: "P1", For: pump, When: "fault"}, []string{"rules[0].id:", `"Pump Fault" is not a rule id`}},
		{"name", rules.Rule{ID: "a", Priority: "P1", For: pump, When: "fault"}, []string{"rules[0].name:", "no name"}},
		{"priority", rules.Rule{ID: "a", Name: text("x", ""), Priority: "high", For: pump, When: "fault"}, []string{"rules[0].priority:", `"high" is not a priority`, "P1, P2, P3 or P4"}},
		{"category", rule("a", rules.Rule{For: pump, When: "fault", Order: rules.OrderPolicy{Category: "plumber"}}), []string{"rules[0].order.category:", `"plumber" is not a trade`}},
		{"role", rule("a", rules.Rule{For: pump, When: "fault", Order: rules.OrderPolicy{Role: "boss"}}), []string{"rules[0].order.role:", `"boss" is not a role`}},
		{"delay", rule("a", rules.Rule{For: pump, When: "fault", OnDelay: -time.Second}), []string{"rules[0].on_delay:", "-1s is no delay"}},
		{"nothing judged", rule("a", rules.Rule{For: pump}), []string{"rules[0]:", "judges nothing"}},
		{"two kinds", rule("a", rules.Rule{For: pump, When: "fault", NoData: &rules.NoData{After: 1}}), []string{"rules[0]:", "more than one kind"}},

		{"no device", rule("a", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}, Places: []string{"roof"}}, When: "fault"}), []string{"rules[0].for:", "selects no device", "optional: true"}},
		{"unknown kind", rule("a", rules.Rule{For: rules.Selector{Kinds: []string{"pumps"}}, When: "fault"}), []string{"rules[0].for.kinds[0]:", `no "pumps"`, `Did you mean "pump"?`}},
		{"unknown device", rule("a", rules.Rule{For: rules.Selector{Devices: []string{"pump-1", "pmp-2"}}, When: "fault"}), []string{"rules[0].for.devices[1]:", `Did you mean "pump-2"?`}},
		{"unknown place", rule("a", rules.Rule{For: rules.Selector{Places: []string{"cellar"}}, When: "fault"}), []string{"rules[0].for.places[0]:", `no "cellar"`}},
		{"misspelt device of an optional rule", rule("a", rules.Rule{Optional: true, For: rules.Selector{Devices: []string{"pump1"}}, When: "fault"}), []string{`Did you mean "pump-1"?`}},

		{"unknown quantity", rule("a", rules.Rule{For: pump, When: "running == 1 and outlet_presure < 2"}), []string{"rules[0].when:", "At column 18", `no quantity "outlet_presure"`, `Did you mean "outlet_pressure"?`, "(device pump-1)"}},
		{"quantity of some", rule("a", rules.Rule{For: all, When: "level < 1"}), []string{`no quantity "level"`, "(device pump-1, pump-2, main-water)", "for.having"}},
		{"on a later line", rule("a", rules.Rule{For: pump, When: "fault and\n  typo"}), []string{"line 2, column 3", `"typo"`}},
		{"unknown in clear", rule("a", rules.Rule{For: pump, When: "fault", Clear: "not falt"}), []string{"rules[0].clear:", "At column 5", `Did you mean "fault"?`}},
		{"unknown point", rule("a", rules.Rule{For: pump, When: `value("tank/lvel") < 1`}), []string{"At column 1 of `value", `no point "tank/lvel"`, `Did you mean "tank/level"?`}},
		{"no point", rule("a", rules.Rule{For: pump, When: `value("tank") < 1`}), []string{`"tank" is not a point`}},
		{"computed point", rule("a", rules.Rule{For: pump, When: `value("tank/" + "level") < 1`}), []string{"one point in quotes"}},
		{"not a condition", rule("a", rules.Rule{For: pump, When: "outlet_pressure + 1"}), []string{"rules[0].when:", "true or false"}},
		{"a measure as a yes", rule("a", rules.Rule{For: pump, When: "fault and outlet_pressure"}), []string{"At column 11", `"outlet_pressure" is a number`, "outlet_pressure > 0"}},
		{"a state of three as a yes", rule("a", rules.Rule{For: pump, When: "mode"}), []string{`"mode" is a number`}},
		{"a yes compared", rule("a", rules.Rule{For: pump, When: "outlet_pressure < (fault or running)"}), []string{"At column 26", "is a yes or no, not a number"}},
		{"syntax", rule("a", rules.Rule{For: pump, When: "fault and"}), []string{"rules[0].when:", "At column 9", "ends in the middle"}},
		{"one equals sign", rule("a", rules.Rule{For: pump, When: "fault = 1"}), []string{"rules[0].when:", "At column 7"}},
		{"blank", rule("a", rules.Rule{For: pump, When: " "}), []string{"rules[0].when:", "empty"}},
		{"constant", rule("a", rules.Rule{For: pump, When: "1 < 2"}), []string{"names no quantity"}},
		{"only the hour", rule("a", rules.Rule{For: pump, When: "hour > 3"}), []string{"names no quantity"}},
		{"a clock", rule("a", rules.Rule{For: pump, When: "fault and now().Hour() > 3"}), []string{"not"}},
		{"a list", rule("a", rules.Rule{For: pump, When: "fault in [1, 2]"}), []string{"not part of the language"}},
		{"a function", rule("a", rules.Rule{For: pump, When: "abbs(outlet_pressure) > 1"}), []string{`"abbs" is not a function`, `Did you mean "abs"?`}},
		{"a loop", rule("a", rules.Rule{For: pump, When: "none(1..9, {# > fault})"}), []string{"rules[0].when:"}},
		{"too long", rule("a", rules.Rule{For: pump, When: "fault" + strings.Repeat(" or fault", 200)}), []string{"longer than 1000 characters"}},
		{"too bushy", rule("a", rules.Rule{For: pump, When: strings.Repeat("1 < (", 22) + "fault" + strings.Repeat(") < 3", 22)}), []string{"rules[0].when:"}},
		{"too deep", rule("a", rules.Rule{For: pump, When: "fault" + strings.Repeat("+1", 300) + " > 1"}), []string{"rules[0].when:"}},

		{"no time to be silent", rule("a", rules.Rule{For: meter, NoData: &rules.NoData{}}), []string{"rules[0].no_data.after:"}},
		{"silence with a delay", rule("a", rules.Rule{For: meter, NoData: &rules.NoData{After: time.Minute}, OffDelay: 1}), []string{"rules[0].no_data:", "clears with the first good reading"}},
		{"silence of nothing", rule("a", rules.Rule{For: meter, NoData: &rules.NoData{After: time.Minute, Quantities: []string{"flow", "hour"}}}), []string{"rules[0].no_data.quantities[1]:", `no quantity "hour"`}},

		{"rate of nothing", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Quantity = "" })}), []string{"rules[0].rate.quantity:"}},
		{"rate of a misspelt quantity", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Quantity = "totl" })}), []string{"rules[0].rate.quantity:", `Did you mean "total"?`}},
		{"rate of the hour", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Quantity = "hour" })}), []string{"rules[0].rate.quantity:", `no quantity "hour"`}},
		{"rate over no time", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Over = 0 })}), []string{"rules[0].rate.over:"}},
		{"rate per no time", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Per = -1 })}), []string{"rules[0].rate.per:"}},
		{"rate without a limit", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Above = nil })}), []string{"rules[0].rate:", "one limit"}},
		{"rate with two limits", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Below = ptr(0.5) })}), []string{"rules[0].rate:", "one limit"}},
		{"rate that clears above", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Clear = ptr(2.0) })}), []string{"rules[0].rate.clear:"}},
		{"rate with a clear condition", rule("a", rules.Rule{For: meter, Clear: "flow < 1", Rate: rate(func(*rules.Rate) {})}), []string{"rules[0].clear:", "rate.clear"}},
		{"limit that is infinite", rule("a", rules.Rule{For: meter, Rate: rate(func(r *rules.Rate) { r.Above = ptr(math.Inf(1)) })}), []string{"rules[0].rate:", "no number"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, problems := rules.Compile([]rules.Rule{test.rule}, estate())
			if e != nil || len(problems) != 1 {
				t.Fatalf("engine %v, problems %v, want one problem", e != nil, problems)
			}
			for _, part := range test.want {
				if !strings.Contains(problems[0].Error(), part) {
					t.Errorf("%s\ndoes not contain %q", problems[0].Error(), part)
				}
			}
			if problems[0].Cure == "" {
				t.Errorf("%s\ndoes not say what to write instead", problems[0].Error())
			}
		})
	}
}

func TestCompileSaysAllThatIsWrong(t *testing.T) {
	good := rule("a", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, When: "fault"})
	bad := rule("b", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, When: "falt"})
	_, problems := rules.Compile([]rules.Rule{good, bad, good, {ID: "c"}}, estate())
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	want := []string{"rules[1].when", "rules[2].id", "rules[3].name", "rules[3].priority", "rules[3]"}
	wantLines(t, paths, want)
}

func TestCompileAccepts(t *testing.T) {
	pump := rules.Selector{Devices: []string{"pump-1"}}
	for _, when := range []string{
		"fault", "fault == 1", "fault == true", "true != fault", "not fault", "!fault", "fault and running", "fault || dry_run",
		"fault ? true : running", "mode == 2", "outlet_pressure < 2.0 && running == 1", "1 < outlet_pressure and outlet_pressure < 3",
		"abs(outlet_pressure - 3) > 0.5", "bitand(int(mode), 2) != 0", "max(outlet_pressure, 1, 2) >= 2", "outlet_pressure ** 2 > 4",
		`value("tank/level") > 1`, `value("pump-2/fault")`, `fault and not value("pump-2/fault")`, "outlet_pressure > 2 and hour > 22.5 and weekday != 0",
		"online == 0", "not online", "-outlet_pressure < 1", "(outlet_pressure > 1) == running",
	} {
		if _, problems := rules.Compile([]rules.Rule{rule("a", rules.Rule{For: pump, When: when})}, estate()); problems != nil {
			t.Errorf("%s: %v", when, problems)
		}
	}
}

func TestSelection(t *testing.T) {
	tests := []struct {
		name string
		rule rules.Rule
		want string // devices with an alarm when all is wrong
	}{
		{"all", rules.Rule{When: "online == 0"}, "pump-1 pump-2 tank main-water"},
		{"kind", rules.Rule{For: rules.Selector{Kinds: []string{"pump", "level"}}, When: "online == 0"}, "pump-1 pump-2 tank"},
		{"place", rules.Rule{For: rules.Selector{Places: []string{"roof"}}, When: "online == 0"}, "tank"},
		{"devices", rules.Rule{For: rules.Selector{Devices: []string{"tank", "pump-2"}}, When: "online == 0"}, "pump-2 tank"},
		{"except", rules.Rule{For: rules.Selector{Except: []string{"pump-1"}}, When: "online == 0"}, "pump-2 tank main-water"},
		{"having", rules.Rule{For: rules.Selector{Having: []string{"running", "fault"}}, When: "online == 0"}, "pump-1 pump-2"},
		{"lacking", rules.Rule{For: rules.Selector{Lacking: []string{"running", "online"}}, When: "online == 0"}, "tank main-water"},
		{"several", rules.Rule{For: rules.Selector{Places: []string{"pump-room"}, Having: []string{"flow"}}, When: "online == 0"}, "main-water"},
		{"optional", rules.Rule{Optional: true, For: rules.Selector{Kinds: []string{"lift"}, Devices: []string{"lift-1"}}, When: "stuck"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := compile(t, rule("r", test.rule))
			var got []string
			for _, d := range estate().Devices {
				for _, c := range e.Observe(facility.Reading{Point: facility.PointID{Device: d.ID, Quantity: facility.OnlineQuantity}, Time: start, Quality: facility.Good}) {
					got = append(got, c.Alarm.Device)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%v, want %s", got, test.want)
			}
		})
	}
}

func TestSilenceNeedsSomethingToBeSilent(t *testing.T) {
	e := estate()
	e.Devices = append(e.Devices, device("repeater", "repeater", "", text("中继", "Repeater")))
	r := rule("silent", rules.Rule{NoData: &rules.NoData{After: time.Minute}})
	engine, problems := rules.Compile([]rules.Rule{r}, e)
	if problems != nil {
		t.Fatal(problems)
	}
	engine.Listen(start)
	if got := len(engine.Advance(start.Add(time.Hour))); got != 4 {
		t.Errorf("%d alarms, want those of the 4 devices with quantities", got)
	}
}

// FuzzCompile tries conditions: none may panic, and what compiles must run on any
// values.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		"fault", "outlet_pressure < 2.0 && running == 1", `value("tank/level") < 0.5`, "not (fault or dry_run)", "hour >= 2 and hour < 4 and fault",
		"bitand(int(mode), 4) != 0", "fault ? running : dry_run == false", "1 / outlet_pressure > mode % 3", "int(mode) % int(running) == 0",
		"min(outlet_pressure, abs(-mode)) ** 2 > 4e3", "fault and\n\trunning", "(((", "value(value)", "fault in [1]", "{a: fault}.a == 1", "let x = fault; x == 1", "0x7fffffffffffffff + int(mode) > 0",
		"not not not fault", "fault == true == running", "1 < mode < 3", "fault | int() == 1", "mode ?? 1 == 1", "'a' < 'b' and fault",
		"bitshl(1, int(mode)) > 1", "avg(outlet_pressure, 1h30m) > 180 kPa", "held(running and outlet_pressure < 1 bar, 2s)", "edges(running, 10s) > 1 and not stale(fault, 3s)",
		"rate(outlet_pressure, 2s) > 3 or increase(starts, 2s) > 1", `between("22:00", "06:00") and quality(mode) == good`, "night_minimum(outlet_pressure, 3) > 1 % 3",
		"anomaly(outlet_pressure) or baseline(outlet_pressure) > 10 %", "never(mode) or workday", "balance(starts, x.starts, 1h) > 0", "(a.b).c > 1 m", "0t%", "level > 1,8 （且", "min(mode, 1s) > max(mode, 1 s)",
	} {
		f.Add(s, 1.0, 0.0)
	}
	f.Fuzz(func(t *testing.T, when string, a, b float64) {
		r := rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: when})
		e, problems := rules.Compile([]rules.Rule{r}, estate(), rules.WithDetectors(strangers))
		if e == nil {
			if len(problems) == 0 {
				t.Fatal("neither an engine nor a problem")
			}
			return
		}
		for i, v := range []float64{a, b, a} {
			for _, p := range append(estate().Devices[0].Points, estate().Devices[2].Points...) {
				at := start.Add(time.Duration(i) * time.Second)
				for _, c := range e.Observe(facility.Reading{Point: p.ID, Time: at, Value: v, Quality: facility.Good}) {
					if math.IsNaN(c.Alarm.Value) || math.IsInf(c.Alarm.Value, 0) {
						t.Errorf("alarm with value %v", c.Alarm.Value)
					}
				}
			}
		}
		if _, err := e.Snapshot(); err != nil {
			t.Error(err)
		}
	})
}
