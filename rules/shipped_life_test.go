package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gengfu/rules"
)

// shownBy is the number of a register's words.
func shownBy(t *testing.T, words string) float64 {
	t.Helper()
	_, text, _ := strings.Cut(words, "=")
	return number(t, text)
}

// TestOrdinaryLifeRaisesNothing tells of what looks like a fault and is none.
func TestOrdinaryLifeRaisesNothing(t *testing.T) {
	const volts, amperes = "main-power/voltage", "main-power/current"
	for _, s := range []story{
		{
			"a flat fills a pool for ten hours", eachStep(10*minute, 0, 10*day, flat(0.5, 7*day+20*hour, 8*day+6*hour)), nil,
		},
		{
			"so does one whose pipe is known", eachStep(10*minute, 0, 10*day, ofOldFlat(flat(0.5, 7*day+20*hour, 8*day+6*hour))), nil,
		},
		{
			"a flat has guests until three, three nights", eachStep(10*minute, 0, 14*day, func() func(time.Duration) string {
				sound := flat(0, 0, 0)
				extra := 0.0
				return func(at time.Duration) string {
					if h := clock(at); at > 7*day && at < 10*day && (h >= 20 || h < 3) {
						extra += 0.01
					}
					v := shownBy(t, sound(at))
					return fmt.Sprintf("flat-water/total=%.2f", register(v+extra))
				}
			}()), nil,
		},
		{
			"a resident is away for three weeks and comes back", eachStep(10*minute, 0, 40*day, func() func(time.Duration) string {
				sound := flat(0, 0, 0)
				gone, v := 0.0, 0.0
				return func(at time.Duration) string {
					before := v
					v = shownBy(t, sound(at))
					if at > 8*day && at < 29*day {
						gone += v - before
					}
					return fmt.Sprintf("flat-water/total=%.2f", v-gone)
				}
			}()), nil,
		},
		{
			"the meter of a block is exchanged", eachStep(10*minute, 0, 14*day, func() func(time.Duration) string {
				total := 5000.0
				return func(at time.Duration) string {
					if at == 10*day {
						total = 0
					}
					total += byDay(at) / 6
					return fmt.Sprintf("flat-water/total=%.2f", register(total))
				}
			}()), nil,
		},
		{
			"the town shuts the water off for eight hours", eachStep(10*minute, 0, 14*day, block("flat-water", func(at time.Duration) float64 {
				if at >= 10*day && at < 10*day+8*hour {
					return 0
				}
				return byDay(at)
			})), nil,
		},
		{
			"the meter of a main is exchanged, its sub-meters count on", eachStep(10*minute, 0, 10*day, func() func(time.Duration) string {
				main, a, b, f := 90000.0, 100.0, 100.0, 100.0
				return func(at time.Duration) string {
					if at == 6*day {
						main = 0
					}
					main, a, b, f = main+1, a+0.5, b+0.3, f+0.18
					return fmt.Sprintf("main-water/total=%.2f water-a/total=%.2f water-b/total=%.2f flat-water/total=%.2f", main, a, b, f)
				}
			}()), nil,
		},
		{
			"mains fail for an hour: nothing but that", eachStep(minute, 0, 5*hour, is(phases(volts, 228, 229, 230)+" "+phases(amperes, 100, 90, 95), phases(volts, 0, 0, 0)+" "+phases(amperes, 0, 0, 0), hour, 2*hour)),
			[]string{"1h0m10s raise mains-lost/main-power unacknowledged", "2h0m30s clear mains-lost/main-power returned"},
		},
		{
			"the standby is tested by hand for ten minutes", eachStep(10*time.Second, 0, hour, is(
				"pump-1/running=1 pump-1/duty=1 pump-1/mode=2 pump-1/setpoint=4 pump-1/outlet_pressure=4 pump-2/running=0 pump-2/duty=0 pump-2/mode=2 pump-2/setpoint=4 pump-2/outlet_pressure=4 main-water/flow=5",
				"pump-1/running=1 pump-1/duty=1 pump-1/mode=2 pump-1/setpoint=4 pump-1/outlet_pressure=4 pump-2/running=1 pump-2/duty=0 pump-2/mode=1 pump-2/setpoint=4 pump-2/outlet_pressure=4 main-water/flow=5", 10*minute, 20*minute)), nil,
		},
		{
			"the garden is watered for an hour in the evening", eachStep(minute, 0, 4*hour, together(grows("garden-water/total", minute, 0, 3, hour, 2*hour), is("garden-water/flow=0", "garden-water/flow=3", hour, 2*hour))), nil,
		},
		{
			"a transformer idles: a little energy comes back each night", eachStep(minute, 0, 12*hour, grows("main-power/energy_export", minute, 0, 0.2, 0, 12*hour)), nil,
		},
		{
			"solar panels feed what stands behind the meter, and back", eachStep(10*minute, 0, 4*day, together(grows("solar-power/energy_import", 10*minute, 2, 0, day, 3*day),
				grows("solar-power/energy_export", 10*minute, 0, 8, day, 3*day), grows("carport-power/energy_import", 10*minute, 2, 2, 0, 0))), nil,
		},
		{
			"lifts and pumps run against each other for minutes", eachStep(minute, 0, 2*hour, is(phases(amperes, 100, 90, 95), phases(amperes, 180, 60, 90), 10*minute, 25*minute)), nil,
		},
		{
			"people draw little at night and pumps stop and start", eachStep(10*time.Second, 0, 3*hour, func(at time.Duration) string {
				on := 0
				if at%(12*minute) < 3*minute {
					on = 1
				}
				return fmt.Sprintf("booster/running=%d booster/setpoint=4 booster/pressure=3.9 booster/overpressure=0", on)
			}), nil,
		},
	} {
		t.Run(s.name, func(t *testing.T) { wantLines(t, script(t, shippedOn(t), s.lines...), s.want) })
	}
}

// TestWhatIsEasilyMissed tells of faults that begin small, or while nobody listens.
func TestWhatIsEasilyMissed(t *testing.T) {
	silent := func(from, until time.Duration, words func(time.Duration) string) func(time.Duration) string {
		return func(at time.Duration) string {
			if w := words(at); at < from || at >= until {
				return w
			}
			return "tick"
		}
	}
	growing := func(perDay float64) func(time.Duration) string {
		return block("flat-water", func(at time.Duration) float64 { return byDay(at) + max(0, at-20*day).Hours()/24*perDay })
	}
	for _, s := range []struct {
		story
		rule string
	}{
		{story{"a leak of a block grows by 50 l/h each day", eachStep(10*minute, 0, 60*day, growing(0.05)), []string{"761h0m0s raise water-night-minimum/flat-water unacknowledged"}}, "water-night-minimum"},
		{story{"a flat begins to leak while its line is down for two days", eachStep(10*minute, 0, 12*day, silent(6*day, 8*day, flat(0.02, 7*day, 12*day))), []string{"216h0m0s raise water-never-still/flat-water unacknowledged"}}, "water-never-still"},
		{story{"a block begins to leak while its line is down for two days", eachStep(10*minute, 0, 12*day, silent(6*day, 8*day, block("flat-water", func(at time.Duration) float64 {
			if at >= 7*day {
				return byDay(at) + 1
			}
			return byDay(at)
		}))), []string{"209h0m0s raise water-night-minimum/flat-water unacknowledged"}}, "water-night-minimum"},
		{story{"a pump fails while its line is down", []string{"0s simple-pump/fault=0", "10s simple-pump/fault=0", "2h simple-pump/fault=1", "2h1m tick"}, []string{"2h0m0s raise pump-fault-simple/simple-pump unacknowledged"}}, "pump-fault-simple"},
		{story{"a phase was lost before the first day", steady(minute, 0, 5*minute, phases("main-power/voltage", 228, 12, 230)), []string{"10s raise phase-loss/main-power unacknowledged"}}, "phase-loss"},
	} {
		t.Run(s.name, func(t *testing.T) {
			e, problems := rules.Compile(shippedBy(t, s.rule), wholeRange(t))
			if problems != nil {
				t.Fatal(problems)
			}
			wantLines(t, script(t, e, s.lines...), s.want)
		})
	}
}
