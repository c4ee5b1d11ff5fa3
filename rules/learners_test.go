package rules_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

func TestLearnersFitTheirPoints(t *testing.T) {
	learn := rules.Learners(nil)
	for _, c := range []struct {
		device string
		kind   facility.PointKind
		unit   string
		fits   bool
	}{
		{"water_meter", facility.Counter, "m3", true},
		{"water_meter", facility.Counter, "L", true},
		{"electricity_meter", facility.Counter, "kWh", true},
		{"pump", facility.Measure, "bar", true},
		{"pump", facility.Counter, "h", false},
		{"pump", facility.State, "", false},
		{"pump", facility.Signal, "", false},
	} {
		d := learn(facility.Device{Kind: c.device}, facility.Point{Kind: c.kind, Unit: c.unit})
		if (d != nil) != c.fits {
			t.Errorf("%s %s in %q: %v", c.device, c.kind, c.unit, d)
		}
	}
}

// TestABlockOfFlatsIsLearnedByItsHours has a meter that is never still and whose use
// grows by half for three days. By its pipe it is known to feed many.
func TestABlockOfFlatsIsLearnedByItsHours(t *testing.T) {
	for pipe, told := range map[string]bool{"DN65": true, "50 mm": true, "DN20": false, "": false} {
		d := device("m", "water_meter", "", text("表", "Meter"), quantity("total", facility.Counter, "m3"))
		if pipe != "" {
			d.Ratings = map[string]string{"pipe": pipe}
		}
		learner := rules.Learners(nil)(d, d.Points[0])
		total, flagged := 0.0, 0
		for h := range 24 * 60 {
			flow := 5.0 + 3*math.Sin(float64(h)*math.Pi/12) + 0.3*math.Sin(float64(h)*7)
			if h >= 24*50 && h < 24*53 {
				flow *= 1.5
			}
			total += flow
			v := learner.Observe(start.Add(time.Duration(h)*time.Hour), total)
			switch {
			case !v.Flag:
			case h < 24*50 || h >= 24*55 && h < 24*56: // it closes within two days
				t.Fatalf("%s: flagged in hour %d", pipe, h)
			case h < 24*55:
				flagged++
			}
		}
		if (flagged > 0) != told {
			t.Errorf("%q: flagged for %d hours", pipe, flagged)
		}
	}
}

// TestLearnersSeeWhatTheirDetectorsWereMadeFor reads registers every ten minutes, as
// a gateway does: the water of a leak and the energy of a night are told all the
// same, and a restart changes nothing.
func TestLearnersSeeWhatTheirDetectorsWereMadeFor(t *testing.T) {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	const fault, end = 60 * 144, 70 * 144
	for name, c := range map[string]struct {
		device facility.Device
		point  facility.Point
		rate   func(hour, minute int, bad bool) float64 // of ten minutes
	}{
		"water": {
			facility.Device{Kind: "water_meter"},
			facility.Point{Kind: facility.Counter, Unit: "m3"},
			func(hour, minute int, bad bool) float64 {
				x := 0.0
				if hour >= 6 && hour < 23 && minute%30 == 0 && hour%3 != 0 {
					x = 0.012
				}
				if bad {
					x += 0.003
				}
				return x
			},
		},
		"electricity": {
			facility.Device{Kind: "electricity_meter"},
			facility.Point{Kind: facility.Counter, Unit: "kWh"},
			func(hour, minute int, bad bool) float64 {
				x := 2 + 0.01*float64((hour*7+minute)%13)
				if hour >= 8 && hour < 18 || bad {
					x *= 3
				}
				return x
			},
		},
	} {
		make := func() rules.Detector { return rules.Learners(time.UTC)(c.device, c.point) }
		a, b := make(), make()
		register, before, raised := 100.0, 0, -1
		for i := range end {
			at := start.Add(time.Duration(i) * 10 * time.Minute)
			register += c.rate(at.Hour(), at.Minute(), i >= fault)
			v := a.Observe(at, register)
			if w := b.Observe(at, register); fmt.Sprint(v) != fmt.Sprint(w) {
				t.Fatalf("%s: reading %d: %+v, and %+v after a restart", name, i, v, w)
			}
			if v.Flag && i < fault {
				before++
			}
			if v.Flag && i >= fault && raised < 0 {
				raised = i - fault
			}
			if v.Sure && i < fault && math.Abs(v.Baseline-register) > 40 {
				t.Fatalf("%s: the baseline of a register that reads %.2f is %.2f", name, register, v.Baseline)
			}
			if i%997 == 0 {
				data, err := b.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				b = make()
				if err := b.Restore(data); err != nil {
					t.Fatal(err)
				}
				if make().Restore(slices.Clone(data[:10])) == nil {
					t.Errorf("%s: a state that is cut off is taken up", name)
				}
			}
		}
		if before > 0 || raised < 0 || raised > 2*144 {
			t.Errorf("%s: flagged %d readings before, raised %d readings after the fault began", name, before, raised)
		}
	}
}
