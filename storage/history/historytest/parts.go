package historytest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

func sameRow(t *testing.T, s history.Store) {
	rows := []history.Row{good(0, 1), good(10, 2), good(20, 3)}
	write(t, s, rows...)
	write(t, s, rows...)
	write(t, s, good(10, 8), good(10, 9)) // the last one of a batch stands too
	p := point("pump-1", "pressure")
	same(t, "buckets", query(t, s, p, start, at(60), time.Minute), []facility.Bucket{
		{Start: start, Count: 3, Mean: 13.0 / 3, Min: 1, Max: 9, First: 1, Last: 3},
	})
	same(t, "readings", readings(t, s, p, start, at(60)), []facility.Reading{
		good(0, 1).Reading, good(10, 9).Reading, good(20, 3).Reading,
	})
}

func marks(t *testing.T, s history.Store) {
	p := point("pump-1", "pressure")
	bad := func(seconds float64, why facility.Reason) history.Row {
		return rowOf("pump-1", "pressure", seconds, 0, facility.Bad, why)
	}
	uncertain := func(seconds, value float64) history.Row {
		return rowOf("pump-1", "pressure", seconds, value, facility.Uncertain, facility.ClockUnknown)
	}
	odd := facility.Reason(`wire "7" = cut\, 断线`)
	write(t, s,
		good(0, 2), uncertain(10, 4), bad(20, facility.NoAnswer), good(30, 6), bad(40, odd), bad(50, ""),
		bad(70, facility.NoAnswer), bad(80, facility.LineDown))
	same(t, "buckets", query(t, s, p, start, at(180), time.Minute), []facility.Bucket{
		{Start: start, Count: 3, Mean: 4, Min: 2, Max: 6, First: 2, Last: 6},
	})
	same(t, "readings", readings(t, s, p, start, at(180)), []facility.Reading{
		good(0, 2).Reading, uncertain(10, 4).Reading, bad(20, facility.NoAnswer).Reading,
		good(30, 6).Reading, bad(40, odd).Reading, bad(50, "").Reading,
		bad(70, facility.NoAnswer).Reading, bad(80, facility.LineDown).Reading,
	})

	// A second word on the same time: a value stands against a mark, and an
	// uncertain one stays uncertain.
	write(t, s, bad(0, facility.NoAnswer), good(10, 5), good(20, 7), bad(40, facility.BadReply), uncertain(30, 8))
	same(t, "readings after the second word", readings(t, s, p, start, at(50)), []facility.Reading{
		good(0, 2).Reading, uncertain(10, 5).Reading, good(20, 7).Reading,
		uncertain(30, 8).Reading, bad(40, facility.BadReply).Reading,
	})
	same(t, "buckets after the second word", query(t, s, p, start, at(60), time.Minute), []facility.Bucket{
		{Start: start, Count: 4, Mean: 5.5, Min: 2, Max: 8, First: 2, Last: 8},
	})
}

func outOfOrder(t *testing.T, s history.Store) {
	p := point("pump-1", "pressure")
	const day = 24 * 3600
	write(t, s, good(0, 100), good(10, 101))
	var rows []history.Row // thirty days before, newest first, one an hour
	for h := range 30 * 24 {
		rows = append(rows, good(-float64(h+1)*3600, float64(h%24)))
	}
	write(t, s, rows...)
	write(t, s, good(5, 50), good(-1800, 60), good(-2*day-1800, 70))
	same(t, "across the seam", query(t, s, p, at(-3600), at(60), 30*time.Minute), []facility.Bucket{
		{Start: at(-3600), Count: 1, Mean: 0, Min: 0, Max: 0, First: 0, Last: 0},
		{Start: at(-1800), Count: 1, Mean: 60, Min: 60, Max: 60, First: 60, Last: 60},
		{Start: start, Count: 3, Mean: 251.0 / 3, Min: 50, Max: 101, First: 100, Last: 101},
	})
	days := query(t, s, p, at(-30*day), start, 24*time.Hour)
	if len(days) != 30 {
		t.Fatalf("%d days, want 30", len(days))
	}
	for i, d := range days {
		want := facility.Bucket{Start: at(float64(i-30) * day), Count: 24, Mean: 11.5, Min: 0, Max: 23, First: 23, Last: 0}
		switch i {
		case 27: // has the late reading in it
			want.Count, want.Mean, want.Max, want.Last = 25, (276.0+70)/25, 70, 70
		case 29:
			want.Count, want.Mean, want.Max, want.Last = 25, (276.0+60)/25, 60, 60
		}
		same(t, fmt.Sprintf("day %d", i), d, want)
	}
}

func resolution(t *testing.T, s history.Store) {
	p := point("pump-1", "pressure")
	exact := good(0, 1)
	exact.Time = start.Add(1234567 * time.Microsecond / 1000).Add(891 * time.Nanosecond) // 1.234567891 ms
	late := good(0.002, 2)
	late.Time = start.Add(2*time.Millisecond + 999_999*time.Nanosecond).In(time.FixedZone("+08", 8*3600))
	write(t, s, exact, late)
	want := []facility.Reading{exact.Reading, late.Reading}
	want[0].Time, want[1].Time = start.Add(time.Millisecond), start.Add(2*time.Millisecond)
	same(t, "readings", readings(t, s, p, start, at(1)), want)
	if got := readings(t, s, p, start, at(1)); got[0].Time.Location() != time.UTC {
		t.Errorf("times are in %s, not in UTC", got[0].Time.Location())
	}
	same(t, "from and to", readings(t, s, p, start.Add(time.Millisecond+time.Nanosecond), start.Add(2*time.Millisecond)), []facility.Reading{})
	same(t, "to the millisecond", readings(t, s, p, start.Add(2*time.Millisecond), start.Add(3*time.Millisecond)), want[1:])
	same(t, "buckets of a millisecond", query(t, s, p, start, at(0.004), time.Millisecond), []facility.Bucket{
		{Start: start.Add(time.Millisecond), Count: 1, Mean: 1, Min: 1, Max: 1, First: 1, Last: 1},
		{Start: start.Add(2 * time.Millisecond), Count: 1, Mean: 2, Min: 2, Max: 2, First: 2, Last: 2},
	})
}

func names(t *testing.T, s history.Store) {
	for i, name := range []string{
		"plain", "two words", "a,b", "a=b", `say "x"`, "泵 1号", "a#1", "${device}", "a'b", "a/b", "x_bad_y", "é", "{}", "a:b", "%41", "1", "true", "null",
	} {
		row := rowOf(name, name, 0, float64(i), facility.Good, "")
		row.Kind, row.Place = name, name
		mark := rowOf(name, name, 1, 0, facility.Bad, facility.Reason(name))
		mark.Kind = name
		write(t, s, row, mark)
		p := point(name, name)
		got, err := s.Query(context.Background(), p, name, start, at(60), time.Minute)
		if err != nil {
			t.Fatalf("query %q: %v", name, err)
		}
		v := float64(i)
		same(t, "buckets of "+name, got, []facility.Bucket{{Start: start, Count: 1, Mean: v, Min: v, Max: v, First: v, Last: v}})
		all, err := s.Readings(context.Background(), p, name, start, at(60))
		if err != nil {
			t.Fatalf("readings %q: %v", name, err)
		}
		same(t, "readings of "+name, all, []facility.Reading{row.Reading, mark.Reading})
		last, err := s.Latest(context.Background(), []facility.Device{{ID: name, Kind: name, Points: []facility.Point{p}}}, at(60))
		if err != nil {
			t.Fatalf("latest %q: %v", name, err)
		}
		same(t, "latest of "+name, last, map[facility.PointID]facility.Reading{p.ID: mark.Reading})
	}
}

func values(t *testing.T, s history.Store) {
	p := point("pump-1", "pressure")
	all := []float64{
		0, 1, -1, 0.1, 1.0 / 3, 123456.78, -273.15, math.MaxUint32, 1 << 53, 1e-12, 1e21, -1e299, 5e-324,
		float64(float32(230.1)), math.Pi, 99999999.99, 0.30000000000000004,
	}
	var rows []history.Row
	var want []facility.Reading
	for i, v := range all {
		rows = append(rows, good(float64(i), v))
		want = append(want, good(float64(i), v).Reading)
	}
	write(t, s, rows...)
	same(t, "bit by bit", readings(t, s, p, start, at(60)), want)
}

func refused(t *testing.T, s history.Store) {
	nan, infinite := good(1, math.NaN()), good(2, math.Inf(1))
	old, none := good(3, 1), good(4, 1)
	old.Time, none.Time = time.Date(1815, 6, 18, 0, 0, 0, 0, time.UTC), time.Time{}
	noKind, newline, backslash := good(5, 1), good(6, 1), good(7, 1)
	noKind.Kind, newline.Point.Device, backslash.Place = "", "a\nb", `a\`
	taken, reserved := good(8, 1), good(9, 1)
	taken.Point.Quantity, reserved.Point.Quantity = "flow_bad", "time"
	badReason := rowOf("pump-1", "pressure", 10, 0, facility.Bad, "a\nb")
	bad := []history.Row{nan, infinite, old, none, noKind, newline, backslash, taken, reserved, badReason}

	rows := append([]history.Row{good(0, 1)}, bad...)
	err := s.Write(context.Background(), append(rows, good(20, 2)))
	var rejected *history.RejectedError
	if !errors.As(err, &rejected) {
		t.Fatalf("write: %v, want a RejectedError", err)
	}
	if len(rejected.Rows) != len(bad) {
		t.Fatalf("%d rows refused, want %d: %v", len(rejected.Rows), len(bad), rejected.Rows)
	}
	for i, r := range rejected.Rows {
		if r.Row.Time != bad[i].Time || r.Row.Point != bad[i].Point || strings.TrimSpace(r.Why) == "" {
			t.Errorf("refused row %d is %+v, want %+v", i, r, bad[i])
		}
	}
	same(t, "the others", readings(t, s, point("pump-1", "pressure"), start, at(60)), []facility.Reading{good(0, 1).Reading, good(20, 2).Reading})
	if st := s.Stats(); st.Stored != 2 || st.Rejected != uint64(len(bad)) || st.Error == "" || st.Failures != 0 {
		t.Errorf("stats: %+v", st)
	}
	write(t, s, good(30, 3))
	if st := s.Stats(); st.Stored != 3 || st.Error != "" || st.LastWrite.IsZero() {
		t.Errorf("stats after a good write: %+v", st)
	}
}

func latest(t *testing.T, s history.Store) {
	const day = 24 * 3600
	bad := rowOf("pump-1", "flow", 30, 0, facility.Bad, facility.NoAnswer)
	uncertain := rowOf("pump-1", "level", -6*day, 3, facility.Uncertain, facility.ClockUnknown)
	write(t, s,
		good(0, 1), good(40, 4), good(50, 5), good(20, 2),
		rowOf("pump-1", "flow", 0, 7, facility.Good, ""), bad,
		uncertain,
		rowOf("pump-1", "gone", -31*day, 1, facility.Good, ""),
		rowOf("pump-1", "unlisted", 0, 1, facility.Good, ""),
		rowOf("pump-2", "pressure", -3600, 8, facility.Good, ""))
	devices := []facility.Device{
		{ID: "pump-1", Kind: kind, Points: []facility.Point{
			point("pump-1", "pressure"), point("pump-1", "flow"), point("pump-1", "level"), point("pump-1", "gone"), point("pump-1", "never"),
		}},
		{ID: "pump-2", Kind: kind, Points: []facility.Point{point("pump-2", "pressure")}},
		{ID: "pump-3", Kind: kind, Points: []facility.Point{point("pump-3", "pressure")}},
	}
	get := func(before time.Time) map[facility.PointID]facility.Reading {
		t.Helper()
		got, err := s.Latest(context.Background(), devices, before)
		if err != nil {
			t.Fatalf("latest: %v", err)
		}
		return got
	}
	want := map[facility.PointID]facility.Reading{}
	for _, r := range []history.Row{good(50, 5), bad, uncertain, rowOf("pump-2", "pressure", -3600, 8, facility.Good, "")} {
		want[r.Point] = r.Reading
	}
	same(t, "of all", get(at(60)), want)
	want[good(0, 0).Point] = good(40, 4).Reading
	same(t, "before the last one", get(at(50)), want)
	want[good(0, 0).Point] = good(0, 1).Reading
	want[bad.Point] = rowOf("pump-1", "flow", 0, 7, facility.Good, "").Reading
	same(t, "before the bad one", get(at(20)), want)
}

func badGrid(t *testing.T, s history.Store) {
	p := point("pump-1", "pressure")
	for _, g := range []struct {
		from, to time.Time
		step     time.Duration
	}{
		{start, at(60), 0},
		{start, at(60), -time.Second},
		{start, start.AddDate(1, 0, 0), time.Second},
		{time.Time{}, start, 24 * time.Hour},
		{start, start.AddDate(190, 0, 0), 24 * time.Hour},
	} {
		if _, err := s.Query(context.Background(), p, kind, g.from, g.to, g.step); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("%s to %s by %s: %v, want ErrInvalid", g.from, g.to, g.step, err)
		}
	}
}

func endedContext(t *testing.T, s history.Store) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Write(ctx, []history.Row{good(0, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v, want context.Canceled", err)
	}
	write(t, s, good(1, 1))
	if _, err := s.Query(ctx, point("pump-1", "pressure"), kind, start, at(60), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("query: %v, want context.Canceled", err)
	}
}

// concurrent reads while two writers write: a reader sees whole buckets that only
// ever grow.
func concurrent(t *testing.T, s history.Store) {
	const batches, size = 20, 50
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for b := range batches {
				rows := make([]history.Row, size)
				for i := range rows {
					rows[i] = rowOf(fmt.Sprint("pump-", w), "pressure", float64(b*size+i), 1, facility.Good, "")
				}
				if err := s.Write(ctx, rows); err != nil {
					t.Errorf("write: %v", err)
					return
				}
			}
		})
	}
	for w := range 2 {
		readers.Go(func() {
			seen := 0
			for ctx.Err() == nil {
				got, err := s.Query(ctx, point(fmt.Sprint("pump-", w), "pressure"), kind, start, at(batches*size), batches*size*time.Second)
				if err != nil {
					if ctx.Err() == nil {
						t.Errorf("query: %v", err)
					}
					return
				}
				count := 0
				if len(got) > 0 {
					count = got[0].Count
				}
				if count < seen || len(got) > 1 || count > 0 && got[0].Mean != 1 {
					t.Errorf("after %d readings came %v", seen, got)
					return
				}
				seen = count
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	for w := range 2 {
		got := query(t, s, point(fmt.Sprint("pump-", w), "pressure"), start, at(batches*size), batches*size*time.Second)
		if len(got) != 1 || got[0].Count != batches*size {
			t.Errorf("at the end of pump-%d: %v, want %d readings", w, got, batches*size)
		}
	}
}
