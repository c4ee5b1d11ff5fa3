package quarantine_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/quarantine"
)

var begin = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

func open(t *testing.T, o quarantine.Options) *quarantine.Store {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "refused 50%.db")
	}
	if o.Now == nil {
		o.Now = func() time.Time { return begin }
	}
	s, err := quarantine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func refused(second int, value float64, why string) history.Rejected {
	return history.Rejected{Why: why, Row: history.Row{Kind: "pump", Place: "attic", Reading: facility.Reading{
		Point: facility.PointID{Device: "pump-1", Quantity: "flow"}, Time: begin.Add(time.Duration(second) * time.Second),
		Value: value, Unit: "m3/h", Quality: facility.Uncertain, Reason: facility.ClockUnknown,
	}}}
}

func add(t *testing.T, s *quarantine.Store, rows ...history.Rejected) {
	t.Helper()
	if err := s.Add(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

func held(t *testing.T, s *quarantine.Store) (out []history.Rejected) {
	t.Helper()
	err := s.Each(t.Context(), func(e quarantine.Entry) error {
		if !e.At.Equal(begin) {
			t.Errorf("held at %s", e.At)
		}
		out = append(out, e.Rejected)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHoldsAcrossRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refused.db")
	s := open(t, quarantine.Options{Path: path})
	add(t, s, refused(0, 1, "conflict"), refused(1, 2, "too old"))
	add(t, s, refused(0, 3, "conflict")) // the same reading again
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, quarantine.Options{Path: path})
	if got, want := held(t, s), []history.Rejected{refused(1, 2, "too old"), refused(0, 3, "conflict")}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	st, err := s.Stats(t.Context())
	if err != nil || st.Held != 2 || st.Evicted != 0 || len(st.Causes) != 2 || st.Causes[0].Why != "conflict" ||
		!st.Causes[1].Newest.Equal(begin.Add(time.Second)) || st.Causes[1].Point.String() != "pump-1/flow" {
		t.Errorf("%+v, %v", st, err)
	}
}

// What history refuses may be anything.
func TestHoldsWhatNobodyElseTakes(t *testing.T) {
	s := open(t, quarantine.Options{})
	odd := refused(0, math.NaN(), "not a number")
	endless, ancient := refused(1, math.Inf(-1), "too large"), refused(2, 1, "too old")
	ancient.Row.Time = time.Time{}
	long := refused(3, 1, "too long")
	long.Row.Point.Device = strings.Repeat("泵", 1<<20)
	add(t, s, odd, endless, ancient, long)
	got := held(t, s)
	if len(got) != 4 || got[1].Row.Value != math.Inf(-1) || !got[2].Row.Time.IsZero() || len(got[3].Row.Point.Device) > 2000 {
		t.Errorf("%.2000v", got)
	}
}

func TestBounded(t *testing.T) {
	s := open(t, quarantine.Options{Limit: 3})
	for i := range 10 {
		add(t, s, refused(i, 1, "conflict"), refused(i, 2, "conflict"))
	}
	got := held(t, s)
	if len(got) != 3 || got[0] != refused(7, 2, "conflict") || got[2] != refused(9, 2, "conflict") {
		t.Errorf("held %+v", got)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Held != 3 || st.Evicted != 7 {
		t.Errorf("%+v, %v", st, err)
	}
	if n, err := s.Empty(t.Context(), begin.Add(-time.Second)); n != 0 || err != nil {
		t.Errorf("%d of an earlier time, %v", n, err)
	}
	if n, err := s.Empty(t.Context(), begin); n != 3 || err != nil {
		t.Errorf("emptied %d, %v", n, err)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Held != 0 || st.Evicted != 7 {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestDamagedFileIsLaidAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refused.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database, however long ", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, quarantine.Options{Path: path})
	add(t, s, refused(0, 1, "conflict"))
	if aside, err := filepath.Glob(path + ".damaged-*"); err != nil || len(aside) != 1 {
		t.Errorf("laid aside: %v, %v", aside, err)
	}
	_, err := quarantine.Open(t.Context(), quarantine.Options{Path: filepath.Join(path, "within a file")})
	if err == nil {
		t.Error("a file that cannot be is opened")
	}
}
