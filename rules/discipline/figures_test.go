package discipline_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules/discipline"
)

func TestMeasure(t *testing.T) {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	raise := func(d time.Duration, key string, p facility.Priority) discipline.Record {
		return discipline.Record{At: at(d), Key: key, Event: facility.AlarmRaise, To: facility.AlarmUnacknowledged, Priority: p, Told: true}
	}
	var records []discipline.Record
	records = append(records, raise(-24*time.Hour, "old", facility.P3)) // passes 24 h as the period begins
	hidden := raise(-24*time.Hour, "hidden", facility.P3)
	hidden.Held, hidden.Told = true, false
	records = append(records, hidden)
	for n := range 11 { // a flood of 596 s: from the eleventh until ten minutes after the seventh
		records = append(records, raise(time.Duration(n)*time.Second, fmt.Sprint("k", n), facility.P3))
	}
	for n := range 3 {
		r := raise(2*time.Hour+time.Duration(n)*10*time.Second, "flap", facility.P1)
		r.Told = n == 0
		records = append(records, r, discipline.Record{At: r.At.Add(time.Second), Key: "flap", Event: facility.AlarmClear, To: facility.AlarmReturned})
	}
	for n := range 11 {
		records = append(records, discipline.Record{At: at(3*time.Hour + time.Duration(2*n)*time.Second), Key: fmt.Sprint("k", n), Event: facility.AlarmAcknowledge, To: facility.AlarmAcknowledged})
	}
	f, err := discipline.Measure(records, start, at(24*time.Hour), 1)
	if err != nil {
		t.Fatal(err)
	}
	near := func(name string, got discipline.Figure, want float64, met bool) {
		if d := got.Value - want; d > 1e-9 || d < -1e-9 || got.Met != met || got.Source == "" {
			t.Errorf("%s: %+v, want %v, met %v", name, got, want, met)
		}
	}
	near("rate", f.Rate, 12.0/144, true)
	near("peak", f.Peak, 11, false)
	near("flood", f.Flood, (10*time.Minute+6*time.Second-10*time.Second).Hours()/24, true)
	near("chattering", f.Chattering, 7, false)
	near("standing", f.Standing, 1, true)
	near("high", f.High, 1.0/12, false)
	near("urgent", f.Urgent, 1.0/12, true)
	near("top", f.Top, 10.0/12, false)
	if f.Told != 12 || f.Acknowledged != 11 || f.AckMedian != 3*time.Hour+5*time.Second || f.AckP90 != 3*time.Hour+9*time.Second || f.Representative || len(f.Sources) != 10 {
		t.Errorf("%+v", f)
	}
	two, err := discipline.Measure(records, start, at(24*time.Hour), 2)
	if err != nil || two.Flood.Value != 0 || !two.Peak.Met {
		t.Errorf("two persons: %+v, %v", two, err)
	}
	if _, err := discipline.Measure(nil, start, start, 1); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("an empty period: %v", err)
	}
}

func TestLook(t *testing.T) {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	event := func(d time.Duration, key string, e facility.AlarmEvent, to facility.AlarmState) discipline.Record {
		return discipline.Record{At: at(d), Key: key, Event: e, To: to, Priority: facility.P3, Told: e == facility.AlarmRaise}
	}
	held := event(0, "held", facility.AlarmRaise, facility.AlarmUnacknowledged)
	held.Held = true
	records := []discipline.Record{
		event(0, "old", facility.AlarmRaise, facility.AlarmUnacknowledged),
		held,
		event(time.Minute, "older", facility.AlarmRaise, facility.AlarmUnacknowledged),
		event(time.Minute, "gone", facility.AlarmRaise, facility.AlarmUnacknowledged),
		event(2*time.Minute, "gone", facility.AlarmClear, facility.AlarmReturned),
	}
	day := 25 * time.Hour
	for n := range 12 {
		records = append(records, event(day+time.Duration(n)*10*time.Second, fmt.Sprint("flap", n/8), facility.AlarmRaise, facility.AlarmReturned))
	}
	p := discipline.Look(records, at(day+2*time.Minute), 1)
	if len(p.Chattering) != 2 || p.Chattering[0].Key != "flap0" || p.Chattering[0].Count != 8 || !p.Chattering[0].Since.Equal(at(day)) {
		t.Errorf("chattering: %+v", p.Chattering)
	}
	if fmt.Sprint(p.Stale) != "[old older]" {
		t.Errorf("stale: %v", p.Stale)
	}
	if !p.Flood.Equal(at(day + 100*time.Second)) {
		t.Errorf("flood since %v", p.Flood)
	}
	later := discipline.Look(records, at(day+time.Hour), 1)
	if len(later.Chattering) != 0 || len(later.Stale) != 2 || !later.Flood.IsZero() {
		t.Errorf("an hour later: %+v", later)
	}
	if early := discipline.Look(records, at(time.Hour), 1); len(early.Stale) != 0 {
		t.Errorf("what comes after now counts: %+v", early)
	}
}
