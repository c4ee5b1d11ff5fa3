// Package historytest is the conformance suite of history.Store: what every
// engine must do, in the same words for all of them.
package historytest

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gengfu/facility"
	"gengfu/storage/history"
)

// Run runs the suite. Open returns a store that is empty and is closed by whoever
// opened it; it may be called once for each part.
func Run(t *testing.T, open func(t *testing.T) history.Store) {
	for _, part := range []struct {
		name string
		test func(*testing.T, history.Store)
	}{
		{"nothing written", nothing},
		{"buckets", buckets},
		{"the same row twice", sameRow},
		{"marks", marks},
		{"out of order", outOfOrder},
		{"resolution", resolution},
		{"names", names},
		{"values", values},
		{"refused rows", refused},
		{"latest", latest},
		{"all rows", allRows},
		{"a scan", scan},
		{"a grid that cannot be", badGrid},
		{"a context that ended", endedContext},
		{"reading while writing", concurrent},
		{"like the model", likeModel},
	} {
		t.Run(part.name, func(t *testing.T) {
			part.test(t, open(t))
		})
	}
}

// start is a round time for all tests, so that no bucket is aligned by chance
// where a test does not want it.
var start = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// at is a time after start.
func at(seconds float64) time.Time {
	return start.Add(time.Duration(math.Round(seconds*1e6)) * time.Microsecond)
}

const kind = "pump"

func point(device, quantity string) facility.Point {
	return facility.Point{ID: facility.PointID{Device: device, Quantity: quantity}, Kind: facility.Measure, Unit: "bar"}
}

// good is a row of pump-1/pressure, after the given seconds.
func good(seconds, value float64) history.Row {
	return rowOf("pump-1", "pressure", seconds, value, facility.Good, "")
}

func rowOf(device, quantity string, seconds, value float64, q facility.Quality, why facility.Reason) history.Row {
	return history.Row{
		Reading: facility.Reading{
			Point: facility.PointID{Device: device, Quantity: quantity},
			Time:  at(seconds),
			Value: value, Unit: "bar", Quality: q, Reason: why,
		},
		Kind: kind, Place: "pump-room",
	}
}

func write(t *testing.T, s history.Store, rows ...history.Row) {
	t.Helper()
	if err := s.Write(context.Background(), rows); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func query(t *testing.T, s history.Store, p facility.Point, from, to time.Time, step time.Duration) []facility.Bucket {
	t.Helper()
	got, err := s.Query(context.Background(), p, kind, from, to, step)
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	return got
}

func readings(t *testing.T, s history.Store, p facility.Point, from, to time.Time) []facility.Reading {
	t.Helper()
	got, err := s.Readings(context.Background(), p, kind, from, to)
	if err != nil {
		t.Fatalf("readings: %v", err)
	}
	return got
}

// same fails the test when an answer is not the expected one.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := differ(got, want); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// differ compares answers. Engines add floating point numbers up in different
// orders, so means may differ in the last digits; an empty list is no list.
func differ(got, want any) string {
	near := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Mean" }, cmp.Comparer(func(a, b float64) bool {
		return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b))
	}))
	return cmp.Diff(want, got, near, cmpopts.EquateEmpty())
}

func nothing(t *testing.T, s history.Store) {
	p := point("pump-1", "pressure")
	if got := query(t, s, p, start, start.Add(time.Hour), time.Minute); len(got) != 0 {
		t.Errorf("buckets of nothing: %v", got)
	}
	if got := readings(t, s, p, start, start.Add(time.Hour)); len(got) != 0 {
		t.Errorf("readings of nothing: %v", got)
	}
	last, err := s.Latest(context.Background(), []facility.Device{{ID: "pump-1", Kind: kind, Points: []facility.Point{p}}}, start)
	if err != nil || len(last) != 0 {
		t.Errorf("latest of nothing: %v, %v", last, err)
	}
	write(t, s)
	if st := s.Stats(); st.Stored != 0 || st.Engine == "" || st.Error != "" {
		t.Errorf("stats of nothing: %+v", st)
	}
}

func buckets(t *testing.T, s history.Store) {
	write(t, s, good(0, 1), good(10, 5), good(20, 3), good(59.999, 2), good(60, 7), good(185, 4), good(240, 9))
	p := point("pump-1", "pressure")

	same(t, "minutes", query(t, s, p, start, at(240), time.Minute), []facility.Bucket{
		{Start: at(0), Count: 4, Mean: 2.75, Min: 1, Max: 5, First: 1, Last: 2},
		{Start: at(60), Count: 1, Mean: 7, Min: 7, Max: 7, First: 7, Last: 7},
		{Start: at(180), Count: 1, Mean: 4, Min: 4, Max: 4, First: 4, Last: 4},
	})
	same(t, "aligned to from", query(t, s, p, at(5), at(125), time.Minute), []facility.Bucket{
		{Start: at(5), Count: 4, Mean: 17.0 / 4, Min: 2, Max: 7, First: 5, Last: 7},
	})
	same(t, "the last bucket is whole", query(t, s, p, start, at(181), 3*time.Minute), []facility.Bucket{
		{Start: at(0), Count: 5, Mean: 3.6, Min: 1, Max: 7, First: 1, Last: 7},
		{Start: at(180), Count: 2, Mean: 6.5, Min: 4, Max: 9, First: 4, Last: 9},
	})
	same(t, "one long bucket", query(t, s, p, start.Add(-365*24*time.Hour), at(1), 400*24*time.Hour), []facility.Bucket{
		{Start: start.Add(-365 * 24 * time.Hour), Count: 7, Mean: 31.0 / 7, Min: 1, Max: 9, First: 1, Last: 9},
	})
	third := 20 * time.Second / 3 // no whole number of milliseconds
	same(t, "thirds of a minute's third", query(t, s, p, start, at(21), third), []facility.Bucket{
		{Start: start, Count: 1, Mean: 1, Min: 1, Max: 1, First: 1, Last: 1},
		{Start: start.Add(third), Count: 1, Mean: 5, Min: 5, Max: 5, First: 5, Last: 5},
		{Start: start.Add(3 * third), Count: 1, Mean: 3, Min: 3, Max: 3, First: 3, Last: 3},
	})
	if got := query(t, s, p, at(60), at(60), time.Minute); len(got) != 0 {
		t.Errorf("an empty stretch has buckets: %v", got)
	}
	if got := query(t, s, point("pump-1", "flow"), start, at(240), time.Minute); len(got) != 0 {
		t.Errorf("a point that was never read has buckets: %v", got)
	}
	other, err := s.Query(context.Background(), p, "water_meter", start, at(240), time.Minute)
	if err != nil || len(other) != 0 {
		t.Errorf("another kind of device has buckets: %v, %v", other, err)
	}
}
