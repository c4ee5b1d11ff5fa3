package hub_test

import (
	"errors"
	"testing"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
)

// source is what the figures say of a key; nil for nothing.
func source(f dashboard.AlarmFigures, key string) *dashboard.AlarmSource {
	for _, s := range f.Sources {
		if s.Key == key {
			return &s
		}
	}
	return nil
}

// In the house's day nobody walks the two rounds, which is four alarms beside the pump's.
func TestFiguresOfWhatHappened(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		begun := h.now()
		h.tell(h.bit(1), h.bar(5))
		h.pass(10 * time.Minute)
		a := h.alarm()
		if _, err := h.hub.AcknowledgeAlarm(t.Context(), desk, a.ID, ""); err != nil {
			t.Fatal(err)
		}
		h.pass(25 * time.Hour)
		f, err := h.hub.AlarmFigures(t.Context(), begun, h.now().Add(time.Hour))
		h.must(err)
		if f.Told != 5 || f.Priorities[facility.P2] != 1 || f.Priorities[facility.P3] != 4 || !f.To.Equal(h.now()) || f.Duty != 1 || f.Representative {
			t.Errorf("told: %+v", f)
		}
		month, err := h.hub.AlarmFigures(t.Context(), begun.Add(-30*24*time.Hour), h.now())
		h.must(err)
		if month.Representative || month.Told != 5 || month.From.Before(begun) || month.From.After(begun.Add(time.Minute)) || month.Rate.Value < 5./6/26 {
			t.Errorf("a month, of which a day is known: %+v", month)
		}
		if f.Acknowledged != 1 || f.AckMedian < 9*time.Minute || f.AckMedian > 10*time.Minute {
			t.Errorf("%d acknowledged after %v", f.Acknowledged, f.AckMedian)
		}
		if of := source(f, a.Key); of == nil || of.Title != a.Title || of.Device != "pump-1" || of.Count != 1 || of.Share != .2 {
			t.Errorf("sources: %+v", f.Sources)
		}
		if len(f.Stale) != 3 || f.Stale[0].ID != a.ID || f.Standing.Value == 0 || f.Standing.Limit != 5 || !f.Standing.Within {
			t.Errorf("standing: %+v, %+v", f.Standing, f.Stale)
		}

		// What began before the period passes its 24 hours within it all the same, and is not told of again.
		f, err = h.hub.AlarmFigures(t.Context(), h.now().Add(-2*time.Hour), h.now())
		h.must(err)
		if f.Told != 2 || source(f, a.Key) != nil || f.Standing.Value*2/24 != 3 {
			t.Errorf("the last two hours: %+v", f)
		}
		for range 3 {
			h.tell(h.bit(0))
			h.pass(time.Second)
			h.tell(h.bit(1))
			h.pass(time.Second)
		}
		f, err = h.hub.AlarmFigures(t.Context(), begun, h.now())
		h.must(err)
		if len(f.ChatteringNow) != 1 || f.ChatteringNow[0].Key != a.Key || f.ChatteringNow[0].Title != a.Title || f.ChatteringNow[0].Count != 3 {
			t.Errorf("chattering: %+v", f.ChatteringNow)
		}
		if _, err := h.hub.AlarmFigures(t.Context(), h.now().Add(time.Hour), h.now().Add(2*time.Hour)); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("of what has not been: %v", err)
		}
	})
}
