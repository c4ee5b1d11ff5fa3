package facility_test

import (
	"math"
	"slices"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"gengfu/facility"
)

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// hourly makes a bucket for each hour from start, with the register growing by
// step in each of them, half of it inside and half of it between two buckets.
func hourly(start time.Time, hours int, register, step float64) []facility.Bucket {
	out := make([]facility.Bucket, hours)
	for i := range out {
		first := register + step/2
		register += step
		out[i] = facility.Bucket{
			Start: start.Add(time.Duration(i) * time.Hour), Count: 60,
			Mean: (first + register) / 2, Min: first, Max: register, First: first, Last: register,
		}
	}
	return out
}

func wantDays(t *testing.T, got []facility.DayAmount, amounts []float64, complete []bool) {
	t.Helper()
	if len(got) != len(amounts) {
		t.Fatalf("%d days, want %d", len(got), len(amounts))
	}
	for i, d := range got {
		switch {
		case math.IsNaN(amounts[i]):
			if d.Amount != nil {
				t.Errorf("day %d (%s): amount %v, want none", i, d.Day, *d.Amount)
			}
		case d.Amount == nil:
			t.Errorf("day %d (%s): no amount, want %v", i, d.Day, amounts[i])
		case math.Abs(*d.Amount-amounts[i]) > 1e-9:
			t.Errorf("day %d (%s): amount %v, want %v", i, d.Day, *d.Amount, amounts[i])
		}
		if d.Complete != complete[i] {
			t.Errorf("day %d (%s): complete %v, want %v", i, d.Day, d.Complete, complete[i])
		}
	}
}

func TestConsumptionOfDaysWithClockChanges(t *testing.T) {
	// A register that moves by 1 an hour counts exactly the hours of the day.
	tests := []struct {
		zone  string
		first string // local day
		hours []float64
	}{
		{"Asia/Shanghai", "2026-11-22", []float64{24, 24, 24}},
		{"Europe/Berlin", "2026-03-28", []float64{24, 23, 24}},
		{"Europe/Berlin", "2026-10-24", []float64{24, 25, 24}},
		{"America/Havana", "2026-10-31", []float64{24, 25, 24}},    // midnight comes twice
		{"Asia/Beirut", "2026-03-28", []float64{24, 23, 24}},       // midnight is skipped
		{"Africa/Cairo", "2026-04-23", []float64{24, 23, 24}},      // midnight is skipped
		{"America/Sao_Paulo", "2018-11-03", []float64{24, 23, 24}}, // midnight is skipped
	}
	for _, test := range tests {
		t.Run(test.zone+" "+test.first, func(t *testing.T) {
			zone := mustZone(t, test.zone)
			noon, err := time.ParseInLocation("2006-01-02 15", test.first+" 12", zone)
			if err != nil {
				t.Fatal(err)
			}
			from, _ := facility.LocalDays(noon, zone, 1)
			_, to := facility.LocalDays(noon.AddDate(0, 0, 2), zone, 3)
			buckets := hourly(from.Add(-time.Hour), int(to.Sub(from)/time.Hour)+1, 1000, 1)
			got := facility.Consumption(buckets, 0, zone, from, 3)
			wantDays(t, got, test.hours, []bool{true, true, true})
			for i, d := range got {
				if want := noon.AddDate(0, 0, i).Format(time.DateOnly); d.Day.Format(time.DateOnly) != want {
					t.Errorf("day %d is %s, want %s", i, d.Day, want)
				}
				if before := d.Day.Add(-time.Nanosecond); before.Day() == d.Day.Day() {
					t.Errorf("day %d starts at %s, which is not its first instant", i, d.Day)
				}
			}
		})
	}
}

func TestConsumptionOfResetsAndGaps(t *testing.T) {
	zone := mustZone(t, "Asia/Shanghai")
	from := time.Date(2026, 11, 20, 0, 0, 0, 0, zone)
	day := func(n int, hours int, register float64) []facility.Bucket {
		return hourly(from.AddDate(0, 0, n), hours, register, 1)
	}
	join := func(parts ...[]facility.Bucket) (out []facility.Bucket) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	none := math.NaN()
	resetInside := join(day(0, 10, 500), []facility.Bucket{{
		Start: from.Add(10 * time.Hour), Count: 60, Min: 0, Max: 510.75, First: 510.5, Last: 0.25, Mean: 250,
	}}, hourly(from.Add(11*time.Hour), 13, 0.25, 1))
	dip := day(0, 24, 500)
	dip[12].Last, dip[12].Max = 512.9, 512.9 // one digit below what comes before and after is noise
	dip[13].First, dip[13].Min = 512.8, 512.8

	tests := []struct {
		name     string
		buckets  []facility.Bucket
		amounts  []float64
		complete []bool
	}{
		{"no reading", nil, []float64{none}, []bool{false}},
		{"no reading before the day", day(0, 24, 100), []float64{23.5}, []bool{true}},
		{"a day that is not over", day(0, 9, 100), []float64{8.5}, []bool{false}},
		{"readings from noon on", hourly(from.Add(12*time.Hour), 12, 100, 1), []float64{11.5}, []bool{false}},
		{"a gap within the day", join(day(0, 6, 100), hourly(from.Add(10*time.Hour), 14, 110, 1)), []float64{23.5}, []bool{true}},
		{"a gap over midnight", join(day(0, 20, 100), hourly(from.Add(30*time.Hour), 18, 130, 1)), []float64{19.5, 28}, []bool{false, false}},
		{"a day without", join(day(0, 24, 100), day(2, 24, 148)), []float64{23.5, none, 48}, []bool{true, false, false}},
		{"exchanged at midnight", join(day(0, 24, 100), day(1, 24, 0)), []float64{23.5, 24}, []bool{true, true}},
		{"exchanged within an hour", resetInside, []float64{9.5 + 0.5 + 0.25 + 0.25 + 13}, []bool{true}},
		{"a small fall books nothing", dip, []float64{23.6}, []bool{true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantDays(t, facility.Consumption(test.buckets, 0, zone, from, len(test.amounts)), test.amounts, test.complete)
		})
	}
}

func TestLocalDays(t *testing.T) {
	zone := mustZone(t, "Asia/Shanghai")
	now := time.Date(2026, 11, 21, 17, 30, 0, 0, time.UTC) // 01:30 of the 22nd in Shanghai
	from, to := facility.LocalDays(now, zone, 30)
	if want := time.Date(2026, 10, 24, 0, 0, 0, 0, zone); !from.Equal(want) {
		t.Errorf("from %s, want %s", from, want)
	}
	if want := time.Date(2026, 11, 23, 0, 0, 0, 0, zone); !to.Equal(want) {
		t.Errorf("to %s, want %s", to, want)
	}
}

func TestIncrease(t *testing.T) {
	tests := []struct {
		name                string
		before, after, wrap float64
		amount              float64
		step                facility.Step
	}{
		{"grows", 100, 101.5, 0, 1.5, facility.Grew},
		{"stays", 100, 100, 1e6, 0, facility.Grew},
		{"noise in the last digits", 512.9, 512.8, 1e6, 0, facility.Grew},
		{"rolls over", 999_999.5, 0.25, 1e6, 0.75, facility.Wrapped},
		{"rolls over 32 bits of hundredths", 42_949_672.95, 0.04, 42_949_672.96, 0.05, facility.Wrapped},
		{"rolls over after a fortnight without a reading", 990_000, 20_000, 1e6, 30_000, facility.Wrapped},
		{"nobody knows where it rolls over", 999_999.5, 0.25, 0, 0.25, facility.Reset},
		{"too far from its end", 500_000, 0.25, 1e6, 0.25, facility.Reset},
		{"too far beyond its end", 999_999, 200_000, 1e6, 200_000, facility.Reset},
		{"above its end already", 1_200_000, 10, 1e6, 10, facility.Reset},
		{"a small fall near its end is noise", 999_999.5, 999_999.4, 1e6, 0, facility.Grew},
		{"another meter, which was used", 1000, 800, 1e6, 0, facility.Reset},
		{"another meter, which is new", 1000, 3, 1e6, 3, facility.Reset},
		{"set to less than nothing", 5, -3, 1e6, 0, facility.Reset},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			amount, step := facility.Increase(test.before, test.after, test.wrap)
			if math.Abs(amount-test.amount) > 1e-6 || step != test.step {
				t.Errorf("%v, %v; want %v, %v", amount, step, test.amount, test.step)
			}
		})
	}
}

// What a counter counts is what went through it, wherever it rolls over and however
// its readings fall into the hours.
func TestIncreaseAddsUpOverWraps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wrap := rapid.SampledFrom([]float64{1000, 1e6, 42_949_672.96}).Draw(t, "wrap")
		total := rapid.Float64Range(0, wrap).Draw(t, "start")
		start, counted := total, 0.0
		for range rapid.IntRange(1, 60).Draw(t, "readings") {
			before := math.Mod(total, wrap)
			total += rapid.Float64Range(0, wrap/25).Draw(t, "step")
			amount, step := facility.Increase(before, math.Mod(total, wrap), wrap)
			if step == facility.Reset {
				t.Fatalf("%v to %v is taken for a reset", before, math.Mod(total, wrap))
			}
			counted += amount
		}
		if math.Abs(counted-(total-start)) > 1e-6*wrap {
			t.Fatalf("%v went through, %v were counted", total-start, counted)
		}
	})
}

func TestConsumptionOverWrapAndReset(t *testing.T) {
	zone := mustZone(t, "Asia/Shanghai")
	from := time.Date(2026, 11, 20, 0, 0, 0, 0, zone)
	wrapping := hourly(from, 48, 999_990, 1)
	for i := range wrapping {
		b := &wrapping[i]
		b.First, b.Last = math.Mod(b.First, 1e6), math.Mod(b.Last, 1e6)
		b.Min, b.Max = min(b.First, b.Last), max(b.First, b.Last)
	}
	got := facility.Consumption(wrapping, 1e6, zone, from, 2)
	wantDays(t, got, []float64{23.5, 24}, []bool{true, true})
	if got[0].Reset || got[1].Reset {
		t.Errorf("a roll-over is no reset: %+v", got)
	}

	exchanged := append(hourly(from, 24, 1000, 1), hourly(from.AddDate(0, 0, 1), 48, 0, 1)...)
	got = facility.Consumption(exchanged, 1e6, zone, from, 3)
	wantDays(t, got, []float64{23.5, 24, 24}, []bool{true, true, true})
	if got[0].Reset || !got[1].Reset || got[2].Reset {
		t.Errorf("the meter was exchanged on the second day: %+v", got)
	}
}

func TestIncreasesOfBuckets(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	bucket := func(hour int, first, last, highest float64) facility.Bucket {
		return facility.Bucket{Start: at.Add(time.Duration(hour) * time.Hour), Count: 9, First: first, Last: last, Min: min(first, last), Max: highest}
	}
	got := facility.Increases([]facility.Bucket{
		bucket(0, 999_970, 999_980, 999_980),
		bucket(1, 999_985, 5, 999_998), // rolls over
		bucket(4, 45, 50, 50),          // hours without a reading
		bucket(5, 60, 7, 80),           // exchanged
		bucket(6, 8, 8, 8),
	}, 1e6)
	want := []facility.Amount{{Value: 10}, {Value: 5 + 13 + 7}, {Value: 45}, {Value: 10 + 20 + 7, Reset: true}, {Value: 1}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// However a counter's readings are cut into buckets, they add up to what went
// through it.
func TestIncreasesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const wrap = 1000.0
		total, counted := rapid.Float64Range(0, wrap).Draw(t, "start"), 0.0
		start := total
		var buckets []facility.Bucket
		for i := range rapid.IntRange(1, 40).Draw(t, "buckets") {
			b := facility.Bucket{Start: time.Unix(int64(i), 0)}
			for n := range rapid.IntRange(1, 5).Draw(t, "readings") {
				if i+n > 0 {
					total += rapid.Float64Range(0, wrap/100).Draw(t, "step")
				}
				v := math.Mod(total, wrap)
				if b.Count == 0 {
					b.First, b.Min, b.Max = v, v, v
				}
				b.Count, b.Last, b.Min, b.Max = b.Count+1, v, min(b.Min, v), max(b.Max, v)
			}
			buckets = append(buckets, b)
		}
		for _, a := range facility.Increases(buckets, wrap) {
			if a.Reset {
				t.Fatalf("a reset in %+v", buckets)
			}
			counted += a.Value
		}
		if math.Abs(counted-(total-start)) > 1e-6 {
			t.Fatalf("%v went through, %v were counted", total-start, counted)
		}
	})
}
