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
