package historytest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// rows asks for rows and puts them in order. Places and units are not what every
// engine keeps.
func rows(t *testing.T, s history.Store, devices []string, from, to time.Time) []history.Row {
	t.Helper()
	got, err := s.Rows(context.Background(), devices, from, to, 1000)
	if err != nil {
		t.Fatalf("rows: %v", err)
	}
	return bare(got)
}

func bare(rows []history.Row) []history.Row {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Place, out[i].Unit = "", ""
	}
	slices.SortFunc(out, func(a, b history.Row) int {
		return cmp.Or(strings.Compare(a.Point.String(), b.Point.String()), a.Time.Compare(b.Time))
	})
	return out
}

func allRows(t *testing.T, s history.Store) {
	ctx := context.Background()
	if first, last, err := s.Span(ctx, nil); err != nil || !first.IsZero() || !last.IsZero() {
		t.Errorf("the span of nothing: %s to %s, %v", first, last, err)
	}
	all := []history.Row{
		good(0, 1), good(10, 2),
		rowOf("pump-1", "flow", 5, 3, facility.Uncertain, facility.ClockUnknown),
		rowOf("pump-1", "flow", 6, 0, facility.Bad, facility.NoAnswer),
		rowOf("pump-2", "pressure", 20, 4, facility.Good, ""),
	}
	all[4].Kind = "fan"
	write(t, s, all...)
	same(t, "of all devices", rows(t, s, nil, start, at(60)), bare(all))
	same(t, "of one", rows(t, s, []string{"pump-2"}, start, at(60)), bare(all[4:]))
	same(t, "of a stretch", rows(t, s, nil, at(5), at(10)), bare(all[2:4]))
	same(t, "of nobody", rows(t, s, []string{"pump-9"}, start, at(60)), []history.Row(nil))
	if _, err := s.Rows(ctx, nil, start, at(60), len(all)-1); !errors.Is(err, history.ErrTooMany) {
		t.Errorf("more than the limit: %v, want ErrTooMany", err)
	}
	if got, err := s.Rows(ctx, nil, start, at(60), len(all)); err != nil || len(got) != len(all) {
		t.Errorf("as many as the limit: %d, %v", len(got), err)
	}
	for _, span := range []struct {
		devices     []string
		first, last time.Time
	}{
		{nil, start, at(20)},
		{[]string{"pump-1"}, start, at(10)},
		{[]string{"pump-2", "pump-9"}, at(20), at(20)},
	} {
		if first, last, err := s.Span(ctx, span.devices); err != nil || !first.Equal(span.first) || !last.Equal(span.last) {
			t.Errorf("the span of %v is %s to %s, want %s to %s (%v)", span.devices, first, last, span.first, span.last, err)
		}
	}
}

// scan goes through years of which most are empty, and days that hold too much for
// one stretch.
func scan(t *testing.T, s history.Store) {
	var all []history.Row
	for i := range 4000 {
		all = append(all, rowOf("pump-1", "pressure", float64(i), float64(i), facility.Good, ""))
	}
	all = append(all, rowOf("pump-1", "pressure", -3*365*24*3600, 7, facility.Good, ""))
	write(t, s, all...)
	var got []history.Row
	upTo := at(-4 * 365 * 24 * 3600)
	begin, steps := upTo, 0
	err := history.Scan(context.Background(), s, nil, begin, at(4000), func(part []history.Row, end time.Time) error {
		for _, r := range part {
			if r.Time.Before(upTo) || !r.Time.Before(end) {
				t.Fatalf("a row of %s between %s and %s", r.Time, upTo, end)
			}
		}
		got, upTo = append(got, part...), end
		steps++
		return nil
	})
	if err != nil || !upTo.Equal(at(4000)) {
		t.Fatalf("the scan ended at %s: %v", upTo, err)
	}
	same(t, "what was scanned", bare(got), bare(all))
	if steps > 100 {
		t.Errorf("%d steps", steps)
	}
	stop := errors.New("enough")
	err = history.Scan(context.Background(), s, nil, begin, at(4000), func([]history.Row, time.Time) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("a scan that was stopped: %v", err)
	}
}
