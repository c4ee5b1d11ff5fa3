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

// ofOldFlat has it be that of the flat whose pipe is known.
func ofOldFlat(words func(time.Duration) string) func(time.Duration) string {
	return func(at time.Duration) string { return strings.ReplaceAll(words(at), "flat-water/", "old-water/") }
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
			"a flat that leaks since before the first day", eachStep(10*minute, 0, 5*day, ofOldFlat(flat(0.02, 0, 3*day))),
			[]string{"25h0m0s raise water-never-still-pipe/old-water unacknowledged", "73h50m0s clear water-never-still-pipe/old-water returned"},
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
		{
			"a meter that shows its flow is jammed", eachStep(10*minute, 0, 9*day, together(grows("garden-water/total", 10*minute, 2, 0, 6*day, 8*day), is("garden-water/flow=2", "garden-water/flow=0", 6*day, 8*day))),
			[]string{"168h0m0s raise water-meter-jammed/garden-water unacknowledged", "192h0m0s clear water-meter-jammed/garden-water returned"},
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
			"somebody taps a line", eachStep(10*minute, 0, 5*day, together(grows("tower-power/energy_import", 10*minute, 10.5, 13, 2*day, 3*day+12*hour), grows("floor-power/energy_import", 10*minute, 10, 10, 0, 0))),
			[]string{"51h30m0s raise power-lost/tower-power unacknowledged", "106h20m0s clear power-lost/tower-power returned"},
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
		{
			"more than the flat's breaker is rated for", eachStep(minute, 0, hour, is("flat-power/current=30", "flat-power/current=41", 10*minute, 30*minute)),
			[]string{"20m0s raise overload-single/flat-power unacknowledged", "40m0s clear overload-single/flat-power returned"},
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

// shippedOn has all shipped rules on every device, but those that judge silence, for
// the scripts are about one device at a time, and those that learn, of which
// TestWhatIsLearnedIsTold is.
func shippedOn(t *testing.T) *rules.Engine {
	t.Helper()
	var all []rules.Rule
	for _, r := range shippedInOrder(t) {
		if r.NoData == nil && !strings.Contains(r.When, "anomaly(") {
			all = append(all, r)
		}
	}
	e, problems := rules.Compile(all, wholeRange(t))
	if problems != nil {
		t.Fatal(problems)
	}
	return e
}
