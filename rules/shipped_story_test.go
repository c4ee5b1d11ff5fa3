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

// TestShippedRulesOverDays plays days of meters and pumps as they are read, with all
// shipped rules on every device: sound, then with the fault, then mended.
func TestShippedRulesOverDays(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  []string
	}{
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
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantLines(t, script(t, shippedOn(t), test.lines...), test.want)
		})
	}
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
