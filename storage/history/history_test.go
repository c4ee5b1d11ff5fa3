package history_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/storage/history"
)

func TestGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(0, rapid.Int64Range(0, 7e18).Draw(t, "from, ns")).UTC()
		step := time.Duration(rapid.Int64Range(1, int64(48*time.Hour)).Draw(t, "step, ns"))
		length := time.Duration(rapid.Int64Range(0, 1000*int64(step)).Draw(t, "length, ns"))
		g, err := history.NewGrid(from, from.Add(length), step)
		if err != nil {
			t.Fatal(err)
		}
		// A bucket is in the grid when it starts before the end.
		if n := g.Len(); n > 0 && !g.Start(n-1).Before(from.Add(length)) || g.Start(n).Before(from.Add(length)) {
			t.Fatalf("%d buckets of %s in %s", n, step, length)
		}
		first, end := g.Milliseconds()
		if g.Len() > 0 && (g.Index(first-1) != -1 || g.Index(end) != -1) {
			t.Fatalf("the milliseconds %d to %d are not those of the grid", first, end)
		}
		if first < end {
			ms := rapid.Int64Range(first, end-1).Draw(t, "ms")
			i, at := g.Index(ms), time.UnixMilli(ms)
			if i < 0 || at.Before(g.Start(i)) || !at.Before(g.Start(i+1)) {
				t.Fatalf("%s lies in bucket %d, from %s to %s", at, i, g.Start(i), g.Start(i+1))
			}
		}
	})
}

func TestGridThatCannotBe(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := history.NewGrid(at, at.Add(history.MaxBuckets*time.Second), time.Second); err != nil {
		t.Errorf("as many buckets as are lawful: %v", err)
	}
	for _, g := range []struct {
		from, to time.Time
		step     time.Duration
	}{
		{at, at.Add(time.Hour), 0},
		{at, at.Add(history.MaxBuckets*time.Second + 1), time.Second},
		{at.AddDate(-60, 0, 0), at, time.Hour},
		{at, at.AddDate(200, 0, 0), 24 * time.Hour},
		{at, at.AddDate(170, 0, 0), math.MaxInt64},
	} {
		if _, err := history.NewGrid(g.from, g.to, g.step); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("%s to %s by %s: %v, want ErrInvalid", g.from, g.to, g.step, err)
		}
	}
}

// Values in any order and stretches of them give the same buckets as values in order.
func TestFold(t *testing.T) {
	start := time.UnixMilli(1_000_000).UTC()
	rapid.Check(t, func(t *rapid.T) {
		grid, err := history.NewGrid(start, start.Add(10*time.Second), 700*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		values := rapid.MapOfN(rapid.Int64Range(999_000, 1_012_000), rapid.Float64Range(-100, 100), 0, 60).Draw(t, "values")
		times := make([]int64, 0, len(values))
		for ms := range values {
			times = append(times, ms)
		}
		slices.Sort(times)

		inOrder, shuffled, stretches := history.NewFold(grid), history.NewFold(grid), history.NewFold(grid)
		for _, ms := range times {
			inOrder.Value(ms, values[ms])
		}
		for _, ms := range rapid.Permutation(times).Draw(t, "order") {
			shuffled.Value(ms, values[ms])
		}
		for i := 0; i < len(times); {
			var s history.Summary
			j := i
			for j < len(times) && j < i+3 && grid.Index(times[j]) == grid.Index(times[i]) {
				s.Add(values[times[j]])
				j++
			}
			stretches.Stretch(times[i], times[j-1], s)
			i = j
		}
		want := inOrder.Buckets()
		for name, f := range map[string]*history.Fold{"shuffled": shuffled, "stretches": stretches} {
			got := f.Buckets()
			if !slices.EqualFunc(got, want, nearly) {
				t.Fatalf("%s: %+v, want %+v", name, got, want)
			}
		}
		for _, b := range want {
			if b.Mean < b.Min || b.Mean > b.Max {
				t.Fatalf("the mean is outside: %+v", b)
			}
		}
	})
}

func nearly(a, b facility.Bucket) bool {
	near := math.Abs(a.Mean-b.Mean) < 1e-9
	a.Mean, b.Mean = 0, 0
	return near && a == b
}

func TestMerge(t *testing.T) {
	good := facility.Reading{Value: 1, Quality: facility.Good}
	other := facility.Reading{Value: 2, Quality: facility.Good}
	bad := facility.Reading{Quality: facility.Bad, Reason: facility.NoAnswer}
	worse := facility.Reading{Quality: facility.Bad, Reason: facility.LineDown}
	unsure := facility.Reading{Value: 3, Quality: facility.Uncertain, Reason: facility.ClockUnknown}
	unsureOther := facility.Reading{Value: 2, Quality: facility.Uncertain, Reason: facility.ClockUnknown}
	for _, test := range []struct{ old, written, want facility.Reading }{
		{good, other, other},
		{good, bad, good},
		{bad, good, good},
		{bad, worse, worse},
		{bad, unsure, unsure},
		{unsure, bad, unsure},
		{unsure, other, unsureOther},
		{good, unsure, unsure},
	} {
		if got := history.Merge(test.old, test.written); got != test.want {
			t.Errorf("%+v over %+v gives %+v, want %+v", test.written, test.old, got, test.want)
		}
	}
}

func TestSiftTakesNothingAway(t *testing.T) {
	lawful := func(v float64) history.Row {
		return history.Row{Kind: "pump", Reading: facility.Reading{
			Point: facility.PointID{Device: "p", Quantity: "flow"}, Time: time.UnixMilli(1), Value: v, Quality: facility.Good,
		}}
	}
	rows := []history.Row{lawful(1), lawful(math.NaN()), lawful(2), {}, lawful(3)}
	kept, refused := history.Sift(rows)
	if len(kept) != 3 || kept[0].Value != 1 || kept[1].Value != 2 || kept[2].Value != 3 || len(refused) != 2 {
		t.Errorf("kept %v, refused %v", kept, refused)
	}
	if !math.IsNaN(rows[1].Value) || rows[2].Value != 2 {
		t.Error("the rows of the caller were changed")
	}
	if kept, refused := history.Sift(rows[:1]); len(kept) != 1 || refused != nil {
		t.Errorf("kept %v, refused %v", kept, refused)
	}
	nan := lawful(math.NaN())
	nan.Quality = facility.Bad // has no value, whatever stands there
	if err := nan.Check(); err != nil {
		t.Errorf("a bad reading: %v", err)
	}
}
