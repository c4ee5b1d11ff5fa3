package rules_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"gengfu/rules"
)

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// eachStep makes a line of the script at each step of a stretch of time.
func eachStep(step, from, until time.Duration, words func(at time.Duration) string) []string {
	var out []string
	for at := from; at < until; at += step {
		out = append(out, fmt.Sprintf("%s %s", at, words(at)))
	}
	return out
}

// steady repeats the same readings.
func steady(step, from, until time.Duration, words string) []string {
	return eachStep(step, from, until, func(time.Duration) string { return words })
}

func joined(parts ...[]string) []string {
	var out []string
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// clock is the hour of the day at the site; the scripts begin at noon.
func clock(at time.Duration) int { return int(at/hour+12) % 24 }

// register shows what was counted, in tens of litres, as a meter does.
func register(v float64) float64 { return math.Floor(v*100) / 100 }

// flat is the register of a flat where nobody draws water from eleven to six, and that
// leaks between two times.
func flat(leak float64, from, until time.Duration) func(time.Duration) string {
	total := 100.0
	return func(at time.Duration) string {
		if h := clock(at); h >= 6 && h < 23 && h%3 == 0 {
			total += 0.03
		}
		if at >= from && at < until {
			total += leak / 6
		}
		return fmt.Sprintf("flat-water/total=%.2f", register(total))
	}
}

// block is the register of a block of 200 households.
func block(id string, rate func(at time.Duration) float64) func(time.Duration) string {
	total := 5000.0
	return func(at time.Duration) string {
		total += rate(at) / 6
		return fmt.Sprintf("%s/total=%.2f", id, register(total))
	}
}

func byDay(at time.Duration) float64 {
	switch h := clock(at); {
	case h < 5:
		return 0.5
	case h < 7:
		return 2
	}
	return 5
}

func TestShippedWaterRules(t *testing.T) {
	tellAll(t, []string{"water.yaml", "balance.yaml", "pumping.yaml"}, []story{
		{
			"a flat that leaks 20 l/h never stands still", eachStep(10*minute, 0, 10*day, flat(0.02, 6*day, 9*day)),
			[]string{"168h0m0s raise water-never-still/flat-water unacknowledged", "217h50m0s clear water-never-still/flat-water returned"},
		},
		{
			"a flat that leaks for less than a day is watched on", eachStep(10*minute, 0, 10*day, flat(0.02, 6*day, 6*day+20*hour)),
			nil,
		},
		{
			"a block never stands still, but its nights rise", eachStep(10*minute, 0, 12*day, block("flat-water", func(at time.Duration) float64 {
				if at >= 7*day && at < 10*day {
					return byDay(at) + 1
				}
				return byDay(at)
			})),
			[]string{"185h0m0s raise water-night-minimum/flat-water unacknowledged", "257h0m0s clear water-night-minimum/flat-water returned"},
		},
		{
			"a night that is a little busier is none", eachStep(10*minute, 0, 12*day, block("flat-water", func(at time.Duration) float64 {
				if at >= 7*day {
					return byDay(at) * 1.4
				}
				return byDay(at)
			})),
			nil,
		},
		{
			"a meter of a block is jammed", eachStep(10*minute, 0, 9*day, block("flat-water", func(at time.Duration) float64 {
				if at >= 6*day && at < 8*day {
					return 0
				}
				return byDay(at)
			})),
			[]string{"168h0m0s raise water-meter-stopped/flat-water unacknowledged", "192h0m0s clear water-meter-stopped/flat-water returned"},
		},
		{"a flat is empty", steady(10*minute, 0, 9*day, "flat-water/total=100"), nil},
		{
			"water flows back", eachStep(minute, 0, 3*hour, together(grows("main-water/total_reverse", minute, 0, 0.5, hour, 2*hour), is("main-water/flow=5", "main-water/flow=-0.5", hour, 2*hour))),
			[]string{"1h3m0s raise water-reverse/main-water unacknowledged", "2h18m0s clear water-reverse/main-water returned"},
		},
		{"a surge is none", eachStep(minute, 0, 2*hour, together(grows("main-water/total_reverse", minute, 0, 0.5, hour, hour+2*minute), is("main-water/flow=5", "main-water/flow=-0.5", hour, hour+2*minute))), nil},
		{
			"flow is shown and nothing counted", eachStep(minute, 0, 6*hour, together(grows("main-water/total", minute, 3, 0, 2*hour, 4*hour), is("main-water/flow=3", "", 0, 0))),
			[]string{"2h59m0s raise water-register-stuck/main-water unacknowledged", "4h1m0s clear water-register-stuck/main-water returned"},
		},
		{
			"a battery runs down", eachStep(minute, 0, 5*hour, is("flat-water/battery_low=0", "flat-water/battery_low=1", hour, 3*hour)),
			[]string{"2h0m0s raise water-meter-battery/flat-water unacknowledged", "4h0m0s clear water-meter-battery/flat-water returned"},
		},
		{
			"a pipe between the meters leaks", eachStep(10*minute, 0, 5*day, together(grows("main-water/total", 10*minute, 6, 7.5, 2*day, 3*day+12*hour), grows("water-a/total", 10*minute, 3, 3, 0, 0), grows("water-b/total", 10*minute, 2, 2, 0, 0), grows("flat-water/total", 10*minute, 1, 1, 0, 0))),
			[]string{"58h40m0s raise water-lost/main-water unacknowledged", "100h40m0s clear water-lost/main-water returned"},
		},
		{
			"the main meter is slow", eachStep(10*minute, 0, 5*day, together(grows("main-water/total", 10*minute, 6, 4, 2*day, 3*day+12*hour), grows("water-a/total", 10*minute, 3, 3, 0, 0), grows("water-b/total", 10*minute, 2, 2, 0, 0), grows("flat-water/total", 10*minute, 1, 1, 0, 0))),
			[]string{"51h20m0s raise water-main-short/main-water unacknowledged", "106h0m0s clear water-main-short/main-water returned"},
		},
		{
			"a transformer ratio is wrong", eachStep(10*minute, 0, 5*day, together(grows("main-power/energy_import", 10*minute, 20, 4, 2*day, 3*day+12*hour), grows("pump-power/energy_import", 10*minute, 3, 3, 0, 0),
				grows("flat-power/energy_import", 10*minute, 1, 1, 0, 0), grows("shop-power/energy_import", 10*minute, 1, 1, 0, 0))),
			[]string{"70h40m0s raise power-main-short/main-power unacknowledged", "85h10m0s clear power-main-short/main-power returned"},
		},
		{
			"a check valve lets water back", eachStep(10*minute, 0, 36*day, together(grows("pump-power/energy_import", 10*minute, 2, 2.6, 32*day, 34*day), grows("main-water/total", 10*minute, 7, 7, 0, 0))),
			[]string{"780h20m0s raise pumping-inefficient/pump-power unacknowledged", "831h50m0s clear pumping-inefficient/pump-power returned"},
		},
	})
}

// TestWhatIsLearnedIsTold has the rules alone that ask what is usual.
func TestWhatIsLearnedIsTold(t *testing.T) {
	var learned []rules.Rule
	for _, rs := range shippedRules(t) {
		for _, r := range rs {
			if strings.Contains(r.When, "anomaly(") {
				learned = append(learned, r)
			}
		}
	}
	site := wholeRange(t)
	tellWith := func(lines []string) []string {
		e, problems := rules.Compile(learned, site, rules.WithDetectors(rules.Learners(site.Site.Zone)))
		if problems != nil {
			t.Fatal(problems)
		}
		return script(t, e, lines...)
	}
	wantLines(t, tellWith(eachStep(10*minute, 0, 12*day, flat(0.02, 6*day, 9*day))),
		[]string{"168h0m0s raise water-use-unusual/flat-water unacknowledged", "228h30m0s clear water-use-unusual/flat-water returned"})
	energy := 1000.0
	wantLines(t, tellWith(eachStep(10*minute, 0, 40*day, func(at time.Duration) string {
		rate := 2.0
		if h := clock(at); h >= 8 && h < 18 || at >= 30*day && at < 33*day {
			rate = 6
		}
		energy += rate / 6 * (1 + 0.02*math.Sin(at.Hours()*7))
		return fmt.Sprintf("flat-power/energy_import=%.2f", energy)
	})), []string{"727h0m0s raise electricity-use-unusual/flat-power unacknowledged", "825h0m0s clear electricity-use-unusual/flat-power returned"})
}

// phases makes words of a quantity of three phases.
func phases(of string, l1, l2, l3 float64) string {
	return fmt.Sprintf("%[1]s_l1=%[2]g %[1]s_l2=%[3]g %[1]s_l3=%[4]g", of, l1, l2, l3)
}

// grows is a counter that grows by so much an hour, other between two times.
func grows(id string, step time.Duration, usual, other float64, from, until time.Duration) func(time.Duration) string {
	v := 1000.0
	return func(at time.Duration) string {
		r := usual
		if at >= from && at < until {
			r = other
		}
		v += r * step.Hours()
		return fmt.Sprintf("%s=%.3f", id, v)
	}
}

// together makes one line of several.
func together(parts ...func(time.Duration) string) func(time.Duration) string {
	return func(at time.Duration) string {
		var words []string
		for _, p := range parts {
			words = append(words, p(at))
		}
		return strings.Join(words, " ")
	}
}

// is repeats words, others between two times.
func is(usual, other string, from, until time.Duration) func(time.Duration) string {
	return func(at time.Duration) string {
		if at >= from && at < until {
			return other
		}
		return usual
	}
}

// story is a device that is sound, then not, then mended.
type story struct {
	name  string
	lines []string
	want  []string
}

func tellAll(t *testing.T, files []string, stories []story) {
	t.Helper()
	raised, cleared := map[string]bool{}, map[string]bool{}
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			got := script(t, shippedOn(t), s.lines...)
			wantLines(t, got, s.want)
			for _, line := range got {
				words := strings.Fields(line)
				id, _, _ := strings.Cut(words[2], "/")
				raised[id] = raised[id] || words[1] == "raise"
				cleared[id] = cleared[id] || words[1] == "clear"
			}
		})
	}
	shipped := shippedRules(t)
	for _, f := range files {
		for _, r := range shipped[f] {
			if r.NoData == nil && !strings.Contains(r.When, "anomaly(") && !(raised[r.ID] && cleared[r.ID]) {
				t.Errorf("%s: no story raises and clears %s", f, r.ID)
			}
		}
	}
}

func TestShippedElectricityRules(t *testing.T) {
	const volts = "main-power/voltage"
	const amperes = "main-power/current"
	even := phases(volts, 228, 229, 230)
	tellAll(t, []string{"electricity.yaml"}, []story{
		{
			"one phase too high, then too low",
			joined(steady(minute, 0, 5*minute, "flat-power/voltage=220"), steady(minute, 5*minute, 10*minute, "flat-power/voltage=236"), steady(minute, 10*minute, 15*minute, "flat-power/voltage=232"),
				steady(minute, 15*minute, 20*minute, "flat-power/voltage=197"), steady(minute, 20*minute, 25*minute, "flat-power/voltage=201")),
			[]string{
				"6m0s raise voltage-high-single/flat-power unacknowledged", "11m0s clear voltage-high-single/flat-power returned",
				"16m0s raise voltage-low-single/flat-power unacknowledged", "21m0s clear voltage-low-single/flat-power returned",
			},
		},
		{"one phase at the ends of its band", joined(steady(minute, 0, 5*minute, "flat-power/voltage=235.4"), steady(minute, 5*minute, 10*minute, "flat-power/voltage=198")), nil},
		{
			"voltages drift apart", eachStep(minute, 0, hour, is(even, phases(volts, 215, 229, 230), 10*minute, 30*minute)),
			[]string{"20m0s raise voltage-unbalance/main-power unacknowledged", "40m0s clear voltage-unbalance/main-power returned"},
		},
		{"voltages 3 % apart", steady(minute, 0, hour, phases(volts, 223, 229, 230)), nil},
		{
			"currents are uneven", eachStep(minute, 0, 2*hour, is(phases(amperes, 100, 90, 95), phases(amperes, 100, 40, 90), 10*minute, 50*minute)),
			[]string{"40m0s raise current-unbalance/main-power unacknowledged", "1h20m0s clear current-unbalance/main-power returned"},
		},
		{"currents are uneven at little load", steady(minute, 0, 2*hour, phases(amperes, 15, 4, 9)), nil},
		{
			"a phase carries nothing", eachStep(minute, 0, 20*minute, is(even+" "+phases(amperes, 60, 55, 58), even+" "+phases(amperes, 60, 0.1, 58), 5*minute, 10*minute)),
			[]string{"6m0s raise current-lost/main-power unacknowledged", "11m0s clear current-lost/main-power returned"},
		},
		{
			"phases are swapped", eachStep(minute, 0, 20*minute, is("shop-power/voltage_sequence=0", "shop-power/voltage_sequence=1", 5*minute, 10*minute)),
			[]string{"6m0s raise phase-sequence/shop-power unacknowledged", "11m0s clear phase-sequence/shop-power returned"},
		},
		{
			"more than the line is rated for", eachStep(minute, 0, hour, is(phases(amperes, 150, 160, 155), phases(amperes, 190, 205, 195), 10*minute, 30*minute)),
			[]string{"20m0s raise overload/main-power unacknowledged", "40m0s clear overload/main-power returned"},
		},
		{"motors start", eachStep(minute, 0, hour, is(phases(amperes, 150, 160, 155), phases(amperes, 260, 270, 265), 10*minute, 19*minute)), nil},
		{
			"the meter says overload", eachStep(minute, 0, 20*minute, is("small-power/overload=0", "small-power/overload=1", 5*minute, 8*minute)),
			[]string{"6m0s raise overload-meter/small-power unacknowledged", "13m0s clear overload-meter/small-power returned"},
		},
		{
			"demand comes near the contract", eachStep(minute, 0, 2*hour, is("main-power/active_power=90", "main-power/active_power=118", 30*minute, 60*minute)),
			[]string{"40m0s raise demand-high/main-power unacknowledged", "1h12m0s clear demand-high/main-power returned"},
		},
		{
			"energy flows back", eachStep(minute, 0, 5*hour, grows("main-power/energy_export", minute, 0, 3, 2*hour, 3*hour)),
			[]string{"2h10m0s raise energy-reversed/main-power unacknowledged", "3h58m0s clear energy-reversed/main-power returned"},
		},
		{
			"the capacitors are off", eachStep(minute, 0, 5*hour, is("main-power/active_power=40 main-power/power_factor=0.95", "main-power/active_power=40 main-power/power_factor=0.7", 2*hour, 4*hour)),
			[]string{"2h24m0s raise power-factor-low/main-power unacknowledged", "4h48m0s clear power-factor-low/main-power returned"},
		},
		{"a bad power factor at little load", steady(minute, 0, 3*hour, "main-power/active_power=2 main-power/power_factor=0.4"), nil},
		{
			"a register is stuck", eachStep(minute, 0, 6*hour, together(grows("main-power/energy_import", minute, 12, 0, 2*hour, 4*hour), is("main-power/active_power=12", "", 0, 0))),
			[]string{"2h57m0s raise electricity-register-stuck/main-power unacknowledged", "4h4m0s clear electricity-register-stuck/main-power returned"},
		},
		{
			"a battery runs down", eachStep(minute, 0, 5*hour, is("flat-power/meter_battery_low=0", "flat-power/meter_battery_low=1", hour, 3*hour)),
			[]string{"2h0m0s raise electricity-meter-battery/flat-power unacknowledged", "4h0m0s clear electricity-meter-battery/flat-power returned"},
		},
	})
}

func TestShippedPumpRules(t *testing.T) {
	toggled := func(id string, half time.Duration, from, until time.Duration) func(time.Duration) string {
		return func(at time.Duration) string {
			if at >= from && at < until && (at-from)/half%2 == 0 {
				return id + "=1"
			}
			return id + "=0"
		}
	}
	const others = " pump-2/running=0 pump-3/running=0"
	const lead = "pump-1/running=1 pump-1/duty=1 pump-1/frequency=44 main-water/flow="
	tellAll(t, []string{"pumps.yaml"}, []story{
		{
			"the lead fails and nothing starts", eachStep(10*time.Second, 0, 5*minute, is("pump-1/fault=0 pump-1/running=1"+others, "pump-1/fault=1 pump-1/running=0"+others, minute, 2*minute)),
			[]string{"1m10s raise standby-did-not-start/pump-1 unacknowledged", "2m5s clear standby-did-not-start/pump-1 returned"},
		},
		{"the lead fails and the standby starts", eachStep(10*time.Second, 0, 5*minute, is("pump-1/fault=0 pump-1/running=1"+others, "pump-1/fault=1 pump-1/running=0 pump-2/running=1 pump-3/running=0", minute, 4*minute)), nil},
		{
			"a pump runs on an empty tank", eachStep(5*time.Second, 0, 5*minute, is("pump-1/running=1 tank/level=2", "pump-1/running=1 tank/level=0.2", minute, 2*minute)),
			[]string{"1m10s raise tank-very-low/tank unacknowledged", "1m10s raise pump-suction-empty/pump-1 unacknowledged", "2m10s clear pump-suction-empty/pump-1 returned", "3m0s clear tank-very-low/tank returned"},
		},
		{
			"a valve is shut behind the pump", eachStep(10*time.Second, 0, 10*minute, is(lead+"5", lead+"0.02", 2*minute, 7*minute)),
			[]string{"5m0s raise running-without-flow/pump-1 unacknowledged", "7m30s clear running-without-flow/pump-1 returned"},
		},
		{"nobody draws much at night", steady(10*time.Second, 0, 10*minute, lead+"0.3"), nil},
		{"a pump cycles", eachStep(10*time.Second, 0, hour, toggled("pump-1/running", 30*time.Second, 15*minute, 25*minute)), []string{"18m0s raise pump-short-cycles/pump-1 unacknowledged", "33m10s clear pump-short-cycles/pump-1 returned"}},
		{"a pump starts three times in ten minutes", eachStep(10*time.Second, 0, hour, toggled("pump-1/running", 100*time.Second, 15*minute, 25*minute)), nil},
		{"a pump that does not count its starts", eachStep(15*time.Second, 0, 4*hour, toggled("booster/running", 105*time.Second, 75*minute, 3*hour)), []string{"2h7m30s raise pump-starts-seen/booster unacknowledged", "3h33m0s clear pump-starts-seen/booster returned"}},
		{
			"one pump does all the work",
			eachStep(10*minute, 0, 24*day, together(
				grows("pump-1/run_hours", 10*minute, 1./3, 1, 8*day, 13*day), grows("pump-2/run_hours", 10*minute, 1./3, 0, 8*day, 13*day), grows("pump-3/run_hours", 10*minute, 1./3, 0, 8*day, 13*day))),
			[]string{"264h0m0s raise pump-hours-uneven/pump-1 unacknowledged", "432h0m0s clear pump-hours-uneven/pump-1 returned"},
		},
		{
			"a booster leaves its band", joined(steady(5*time.Second, 0, minute, "booster/running=1 booster/setpoint=4 booster/pressure=4 booster/overpressure=0"),
				steady(5*time.Second, minute, 2*minute, "booster/pressure=2.9"), steady(5*time.Second, 2*minute, 3*minute, "booster/pressure=4"),
				steady(5*time.Second, 3*minute, 4*minute, "booster/pressure=5.2"), steady(5*time.Second, 4*minute, 6*minute, "booster/pressure=4")),
			[]string{
				"1m15s raise booster-pressure-low/booster unacknowledged", "2m30s clear booster-pressure-low/booster returned",
				"3m15s raise booster-pressure-high/booster unacknowledged", "4m30s clear booster-pressure-high/booster returned",
			},
		},
		{
			"a riser leaves its band", joined(steady(5*time.Second, 0, minute, "riser/pressure=300"), steady(5*time.Second, minute, 2*minute, "riser/pressure=140"), steady(5*time.Second, 2*minute, 3*minute, "riser/pressure=300"),
				steady(5*time.Second, 3*minute, 4*minute, "riser/pressure=620"), steady(5*time.Second, 4*minute, 6*minute, "riser/pressure=500")),
			[]string{
				"1m15s raise pressure-low/riser unacknowledged", "2m30s clear pressure-low/riser returned",
				"3m15s raise pressure-high/riser unacknowledged", "4m30s clear pressure-high/riser returned",
			},
		},
		{
			"the sump is high and its pump stands", eachStep(10*time.Second, 0, 5*minute, is("sump-inputs/sump_high=0 sump-inputs/sump_pump_running=0", "sump-inputs/sump_high=1 sump-inputs/sump_pump_running=0", minute, 2*minute)),
			[]string{"1m30s raise sump-not-pumped/sump-inputs unacknowledged", "2m30s clear sump-not-pumped/sump-inputs returned"},
		},
		{"the sump is high and is pumped", eachStep(10*time.Second, 0, 5*minute, is("sump-inputs/sump_high=0 sump-inputs/sump_pump_running=0", "sump-inputs/sump_high=1 sump-inputs/sump_pump_running=1", minute, 4*minute)), nil},
		{
			"the sump rises and its pump stands", eachStep(30*time.Second, 0, 40*minute, together(
				func(at time.Duration) string { return fmt.Sprintf("sump/level=%.3f", 0.5+0.02*at.Minutes()) },
				is("sump-inputs/sump_pump_running=0", "sump-inputs/sump_pump_running=1", 30*minute, 40*minute))),
			[]string{"16m0s raise sump-rising/sump unacknowledged", "30m30s clear sump-rising/sump returned"},
		},
	})
}

// shippedOn has all shipped rules on every device, but those that judge silence, for
// the scripts are about one device at a time, and those that learn, of which
// TestWhatIsLearnedIsTold is.
func shippedOn(t *testing.T) *rules.Engine {
	t.Helper()
	var all []rules.Rule
	for _, rs := range shippedRules(t) {
		for _, r := range rs {
			if r.NoData == nil && !strings.Contains(r.When, "anomaly(") {
				all = append(all, r)
			}
		}
	}
	e, problems := rules.Compile(all, wholeRange(t))
	if problems != nil {
		t.Fatal(problems)
	}
	return e
}

// TestShippedRulesOfPumpHousesAndMeters tells of each rule that it raises and clears;
// TestShippedRulesJudge has more of them.
func TestShippedRulesOfPumpHousesAndMeters(t *testing.T) {
	const sound = "pump-1/running=1 pump-1/fault=0 pump-1/dry_run=0 pump-1/overpressure=0 pump-1/sensor_fault=0 pump-1/duty=1 pump-1/mode=2 pump-1/setpoint=4 pump-1/outlet_pressure=4"
	var stories []story
	// One quantity goes wrong from the first minute on, until a time.
	simple := func(rule, device, right, wrong string, raised, until, cleared time.Duration) {
		right, wrong = device+"/"+right, device+"/"+wrong
		if strings.HasPrefix(wrong, "pump-1/") {
			quantity, _, _ := strings.Cut(wrong, "=")
			words := strings.Fields(sound)
			for i, w := range words {
				if strings.HasPrefix(w, quantity+"=") {
					words[i] = wrong
				}
			}
			right, wrong = sound, strings.Join(words, " ")
		}
		stories = append(stories, story{
			rule, eachStep(5*time.Second, 0, cleared+minute, is(right, wrong, minute, until)),
			[]string{fmt.Sprintf("%s raise %s/%s unacknowledged", raised, rule, device), fmt.Sprintf("%s clear %s/%s returned", cleared, rule, device)},
		})
	}
	const s = time.Second
	simple("pump-fault", "pump-1", "", "fault=1", minute, 2*minute, 2*minute+3*s)
	simple("pump-fault-simple", "simple-pump", "fault=0", "fault=1", minute, 2*minute, 2*minute+3*s)
	simple("drive-fault", "drive-2", "fault=0", "fault=1", minute, 2*minute, 2*minute+3*s)
	simple("drive-fault-code", "drive-1", "fault_code=0", "fault_code=7", minute, 2*minute, 2*minute+3*s)
	simple("pump-dry-run", "pump-1", "", "dry_run=1", minute, 2*minute, 2*minute+10*s)
	simple("pump-sensor-fault", "pump-1", "", "sensor_fault=1", minute+5*s, 2*minute, 2*minute+10*s)
	simple("outlet-pressure-low", "pump-1", "", "outlet_pressure=2.9", minute+15*s, 2*minute, 2*minute+30*s)
	simple("outlet-pressure-high", "pump-1", "", "outlet_pressure=5.1", minute+15*s, 2*minute, 2*minute+30*s)
	simple("running-without-pressure", "pump-1", "", "outlet_pressure=0.2", minute+30*s, 2*minute, 2*minute+5*s)
	simple("pump-not-automatic", "pump-1", "", "mode=1", 31*minute, 40*minute, 40*minute)
	simple("tank-very-high", "tank", "level=2.3", "level=2.9", minute+10*s, minute+30*s, 2*minute+30*s)
	simple("tank-high", "tank", "level=2.3", "level=2.8", 2*minute, 3*minute, 4*minute)
	simple("tank-low", "tank", "level=2.3", "level=1.4", 2*minute, 3*minute, 4*minute)
	simple("tank-very-low", "tank", "level=2.3", "level=0.7", minute+10*s, minute+30*s, 2*minute+30*s)
	const room = "pump-room-inputs"
	simple("tank-overflow", room, "tank_overflow=0", "tank_overflow=1", minute+5*s, 2*minute, 2*minute+30*s)
	simple("tank-empty", room, "tank_empty=0", "tank_empty=1", minute+5*s, 2*minute, 2*minute+30*s)
	simple("floor-water", room, "floor_water=0", "floor_water=1", minute+2*s, 2*minute, 2*minute+30*s)
	simple("sump-high", room, "floor_water=0 pump-room-inputs/sump_high=0", "floor_water=0 pump-room-inputs/sump_high=1", minute+10*s, 2*minute, 2*minute+30*s)
	simple("cabinet-power-loss", room, "power_loss=0", "power_loss=1", minute+5*s, 2*minute, 2*minute+10*s)
	simple("smoke", room, "smoke=0", "smoke=1", minute, 2*minute, 2*minute+10*s)
	simple("door-open", room, "door_open=0", "door_open=1", 16*minute, 20*minute, 20*minute)
	simple("device-offline", "tank", "online=1", "online=0", minute+30*s, 2*minute, 2*minute+10*s)
	simple("water-burst", "main-water", "flow=7", "flow=25", 2*minute, 3*minute, 8*minute)
	simple("voltage-high", "main-power", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=230", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=236", 2*minute, 3*minute, 4*minute)
	simple("voltage-low", "main-power", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=230", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=197", 2*minute, 3*minute, 4*minute)
	simple("phase-loss", "main-power", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=230", "voltage_l1=228 main-power/voltage_l2=229 main-power/voltage_l3=20", minute+10*s, 2*minute, 2*minute+30*s)
	stories = append(stories,
		story{"pump-starts-often", eachStep(5*minute, 0, 5*hour, grows("pump-1/starts", 5*minute, 6, 20, hour, 3*hour)), []string{"1h35m0s raise pump-starts-often/pump-1 unacknowledged", "3h50m0s clear pump-starts-often/pump-1 returned"}},
		story{"water-high-use", eachStep(minute, 0, 4*hour, grows("flat-water/total", minute, 7, 24, hour, 2*hour)), []string{"1h22m0s raise water-high-use/flat-water unacknowledged", "2h12m0s clear water-high-use/flat-water returned"}},
		story{"water-night-flow", eachStep(minute, 12*hour, 20*hour, is("water-a/flow=1", "water-a/flow=4", 13*hour, 15*hour)), []string{"14h30m0s raise water-night-flow/water-a unacknowledged", "15h15m0s clear water-night-flow/water-a returned"}},
	)
	tellAll(t, []string{"pump-house.yaml", "meters.yaml", "devices.yaml"}, stories)
}
