package historytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/storage/history"
)

// model is a history of one point as a plain map by time.
type model map[time.Time]facility.Reading

func (m model) write(rows []history.Row) {
	for _, row := range rows {
		r := row.Reading
		r.Time = r.Time.Truncate(history.Resolution)
		if r.Quality == facility.Bad {
			r.Value = 0
		}
		if old, ok := m[r.Time]; ok {
			r = history.Merge(old, r)
		}
		m[r.Time] = r
	}
}

func (m model) readings(from, to time.Time) []facility.Reading {
	out := []facility.Reading{}
	for _, t := range slices.SortedFunc(maps.Keys(m), time.Time.Compare) {
		if !t.Before(from) && t.Before(to) {
			out = append(out, m[t])
		}
	}
	return out
}

func (m model) query(from, to time.Time, step time.Duration) []facility.Bucket {
	out := []facility.Bucket{}
	for ; from.Before(to); from = from.Add(step) {
		b := facility.Bucket{Start: from}
		sum := 0.0
		for _, r := range m.readings(from, from.Add(step)) {
			if r.Quality == facility.Bad {
				continue
			}
			if b.Count == 0 {
				b.Min, b.Max, b.First = r.Value, r.Value, r.Value
			}
			b.Count++
			sum += r.Value
			b.Min, b.Max, b.Last = min(b.Min, r.Value), max(b.Max, r.Value), r.Value
		}
		if b.Count > 0 {
			b.Mean = sum / float64(b.Count)
			out = append(out, b)
		}
	}
	return out
}

// run is a stretch of readings in even steps, as a poller makes them.
func run(t *rapid.T, device string) []history.Row {
	from := rapid.Int64Range(-20_000_000, 20_000_000).Draw(t, "from, ms")
	period := rapid.SampledFrom([]int64{1, 250, 1000, 1001, 10_000, 60_000}).Draw(t, "period, ms")
	n := rapid.IntRange(1, 600).Draw(t, "count")
	jitter := rapid.Int64Range(0, 40).Draw(t, "jitter, ms")
	base := rapid.Float64Range(-1e6, 1e6).Draw(t, "value")
	growth := rapid.SampledFrom([]float64{0, 0.01, 1, 0.1234567}).Draw(t, "growth")
	faults := rapid.IntRange(2, 50).Draw(t, "faults, one in")
	rows := make([]history.Row, n)
	for i := range rows {
		at := start.Add(time.Duration(from+int64(i)*period+int64(i*7919)%(jitter+1)) * time.Millisecond)
		r := facility.Reading{
			Point: facility.PointID{Device: device, Quantity: "pressure"}, Time: at, Unit: "bar",
			Value: base + float64(i)*growth, Quality: facility.Good,
		}
		switch i % faults {
		case 0:
			r.Value, r.Quality, r.Reason = 0, facility.Bad, facility.NoAnswer
		case 1:
			r.Quality, r.Reason = facility.Uncertain, facility.ClockUnknown
		}
		rows[i] = history.Row{Reading: r, Kind: kind, Place: "pump-room"}
	}
	return rows
}

// likeModel writes what chance brings, in what order it brings it, and compares
// every answer with the plain map.
func likeModel(t *testing.T, s history.Store) {
	ctx := context.Background()
	tries := 0
	rapid.Check(t, func(t *rapid.T) {
		tries++
		device := fmt.Sprint("pump-", tries) // apart from the tries before
		p := point(device, "pressure")
		m := model{}
		for range rapid.IntRange(1, 5).Draw(t, "writes") {
			rows := run(t, device)
			if err := s.Write(ctx, rows); err != nil {
				t.Fatalf("write: %v", err)
			}
			m.write(rows)
			compare(t, s, m, p)
		}
	})
}

func compare(t *rapid.T, s history.Store, m model, p facility.Point) {
	ctx := context.Background()
	from := start.Add(time.Duration(rapid.Int64Range(-21_000_000_000, 21_000_000_000).Draw(t, "from, us")) * time.Microsecond)
	step := time.Duration(rapid.Int64Range(1_000_000, 3_600_000_000).Draw(t, "step, us")) * time.Microsecond
	to := from.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "buckets")) * step)

	buckets, err := s.Query(ctx, p, kind, from, to, step)
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	if diff := differ(buckets, m.query(from, to, step)); diff != "" {
		t.Fatalf("query from %s to %s by %s (-want +got):\n%s", from, to, step, diff)
	}
	readings, err := s.Readings(ctx, p, kind, from, to)
	if err != nil {
		t.Fatalf("readings: %v", err)
	}
	if diff := differ(readings, m.readings(from, to)); diff != "" {
		t.Fatalf("readings from %s to %s (-want +got):\n%s", from, to, diff)
	}
	want := map[facility.PointID]facility.Reading{}
	if before := m.readings(to.Add(-history.Lookback), to); len(before) > 0 {
		want[p.ID] = before[len(before)-1]
	}
	latest, err := s.Latest(ctx, []facility.Device{{ID: p.ID.Device, Kind: kind, Points: []facility.Point{p}}}, to)
	if err != nil {
		t.Fatalf("latest: %v", err)
	}
	if diff := differ(latest, want); diff != "" {
		t.Fatalf("latest before %s (-want +got):\n%s", to, diff)
	}
}
