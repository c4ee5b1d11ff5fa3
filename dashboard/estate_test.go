package dashboard

import (
	"testing"
	"time"
	_ "time/tzdata"

	"gengfu/facility"
)

// In Cairo the clock skips the hour after midnight in spring and shows the one
// before it twice in autumn.
func TestLocalDayWhereMidnightIsMissing(t *testing.T) {
	cairo, err := time.LoadLocation("Africa/Cairo")
	if err != nil {
		t.Fatal(err)
	}
	x := newEstate(facility.Estate{Site: facility.Site{ID: "s", Zone: cairo}}, "")
	for _, test := range []struct{ noon, start, end string }{
		{"2026-04-23T10:00:00Z", "2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z"},
		{"2026-04-24T09:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
		{"2026-10-29T10:00:00Z", "2026-10-28T21:00:00Z", "2026-10-29T22:00:00Z"},
		{"2026-10-30T10:00:00Z", "2026-10-29T22:00:00Z", "2026-10-30T22:00:00Z"},
	} {
		noon, err := time.Parse(time.RFC3339, test.noon)
		if err != nil {
			t.Fatal(err)
		}
		start, end := x.localDay(noon)
		if s, e := start.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339); s != test.start || e != test.end {
			t.Errorf("the day of %s is %s to %s, want %s to %s", test.noon, s, e, test.start, test.end)
		}
		if day := start.Format(time.DateOnly); day != noon.In(cairo).Format(time.DateOnly) {
			t.Errorf("the day of %s is called %s", test.noon, day)
		}
	}
}
