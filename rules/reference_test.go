package rules_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// TestALeakNeverBecomesUsual lets a block leak for two months, mends it, and lets it
// leak again three weeks later.
func TestALeakNeverBecomesUsual(t *testing.T) {
	leaks := func(at time.Duration) float64 {
		if at >= 20*day && at < 80*day || at >= 100*day {
			return byDay(at) + 1
		}
		return byDay(at)
	}
	lines := eachStep(10*minute, 0, 103*day, block("flat-water", leaks))
	wantLines(t, script(t, shippedOn(t), lines...), []string{
		"497h0m0s raise water-night-minimum/flat-water unacknowledged",
		"1937h0m0s clear water-night-minimum/flat-water returned",
		"2417h0m0s recur water-night-minimum/flat-water unacknowledged x2",
	})
}

// TestNightsOfMetersThatAreReadEachHour has a meter that is read each hour and a little
// later each time: what it counted lies in the quarters of an hour between.
func TestNightsOfMetersThatAreReadEachHour(t *testing.T) {
	e := wholeRange(t)
	for i := range e.Devices {
		for k := range e.Devices[i].Points {
			e.Devices[i].Points[k].Period = hour
		}
	}
	for _, test := range []struct {
		step time.Duration
		want []string
	}{
		{hour + 2*time.Second, []string{"168h4m48s raise water-never-still/flat-water unacknowledged", "217h7m14s clear water-never-still/flat-water returned"}},
		{3 * hour, nil}, // nothing is known of single hours
	} {
		engine, problems := rules.Compile(shippedBy(t, "water-never-still"), e)
		if problems != nil {
			t.Fatal(problems)
		}
		wantLines(t, script(t, engine, eachStep(test.step, 0, 10*day, flat(6*0.02*test.step.Hours(), 6*day, 9*day))...), test.want)
	}
}

// steadyLearner says that what was usual is the last that was no fault.
type steadyLearner struct {
	stranger
	frozen bool
	usual  float64
}

func (l *steadyLearner) Freeze(fault bool) { l.frozen = fault }

func (l *steadyLearner) Observe(at time.Time, v float64) rules.Verdict {
	out := l.stranger.Observe(at, v)
	if !l.frozen {
		l.usual = v
	}
	out.Baseline = l.usual
	return out
}

// TestABaselineIsNotLearnedFromItsAlarm makes sure that a baseline is frozen while an
// alarm that asks for it stands, and by no other.
func TestABaselineIsNotLearnedFromItsAlarm(t *testing.T) {
	var l *steadyLearner
	learners := func(_ facility.Device, p facility.Point) rules.Detector {
		if p.Kind != facility.Measure {
			return nil
		}
		l = &steadyLearner{}
		return l
	}
	tank := rules.Selector{Devices: []string{"tank"}}
	for _, test := range []struct {
		when   string
		frozen []bool // after each reading
	}{
		{"level > baseline(level) - 0.5 m and level > 2 m", []bool{false, false, false, false, true, true, false}},
		{"level > 2 m and not anomaly(level)", []bool{false, false, false, false, false, false, false}},
	} {
		e, problems := rules.Compile([]rules.Rule{rule("r", rules.Rule{For: tank, When: test.when})}, estate(), rules.WithDetectors(learners))
		if problems != nil {
			t.Fatal(problems)
		}
		var frozen []bool
		for i, v := range []float64{1, 1, 1, 2.2, 2.3, 1, 1} { // sure from the fourth on
			script(t, e, fmt.Sprintf("%dm tank/level=%g", i, v))
			frozen = append(frozen, l.frozen)
		}
		if !slices.Equal(frozen, test.frozen) {
			t.Errorf("%s: frozen %v, want %v", test.when, frozen, test.frozen)
		}
	}
}

// TestReferencesSurviveARestart restarts in the middle of nights, of a fault, and of a
// silence, and tells the same.
func TestReferencesSurviveARestart(t *testing.T) {
	made := func() *rules.Engine {
		e, problems := rules.Compile(shippedBy(t, "water-night-minimum", "power-main-short"), wholeRange(t))
		if problems != nil {
			t.Fatal(problems)
		}
		return e
	}
	leak := block("flat-water", func(at time.Duration) float64 {
		if at >= 20*day && at < 40*day {
			return byDay(at) + 1
		}
		return byDay(at)
	})
	sub := grows("shop-power/energy_import", 10*minute, 1, 1, 0, 0)
	lines := eachStep(10*minute, 0, 45*day, together(leak, grows("main-power/energy_import", 10*minute, 20, 4, 30*day, 33*day), func(at time.Duration) string {
		if s := sub(at); at < 25*day || at > 35*day {
			return s
		}
		return ""
	}, grows("flat-power/energy_import", 10*minute, 1, 1, 0, 0), grows("pump-power/energy_import", 10*minute, 6, 6, 0, 0)))
	want := script(t, made(), lines...)
	wantLines(t, want, []string{
		"497h0m0s raise water-night-minimum/flat-water unacknowledged",
		"739h40m0s raise power-main-short/main-power unacknowledged", // by the ends of what the silent one took
		"796h10m0s unknown power-main-short/main-power unacknowledged unknown",
		"797h40m0s known power-main-short/main-power unacknowledged",
		"797h40m0s clear power-main-short/main-power returned",
		"977h0m0s clear water-night-minimum/flat-water returned",
	})
	e := made()
	var got []string
	for i, line := range lines {
		if i%997 == 996 { // nearly a week later, at another time of day
			data, err := e.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			e = made()
			if err := e.Restore(data); err != nil {
				t.Fatal(err)
			}
			again, err := e.Snapshot()
			if err != nil || string(again) != string(data) {
				t.Fatalf("line %d: what is restored is saved otherwise (%v)", i, err)
			}
		}
		got = append(got, script(t, e, line)...)
	}
	wantLines(t, got, want)
}
