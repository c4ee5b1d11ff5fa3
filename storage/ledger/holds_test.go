package ledger_test

import (
	"errors"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

func shelf(key string) facility.AlarmHold {
	until := noon.Add(2 * time.Hour)
	return facility.AlarmHold{
		Key: key, Kind: facility.AlarmShelved, By: "desk", Reason: "等配件", Since: noon, Until: &until, OneShot: true,
	}
}

func begins(h facility.AlarmHold, id string) facility.HoldRecord {
	event := map[facility.AlarmState]facility.AlarmEvent{
		facility.AlarmShelved: facility.AlarmShelve, facility.AlarmSuppressed: facility.AlarmSuppress, facility.AlarmOutOfService: facility.AlarmTakeOut,
	}[h.Kind]
	return facility.HoldRecord{
		ID: id, Key: h.Key, At: h.Since, Actor: h.By, Event: event, Note: h.Reason, Cause: h.Cause, Order: h.Order, Until: h.Until,
	}
}

func holds(t *testing.T, l *ledger.Ledger, key string) []facility.AlarmHold {
	t.Helper()
	a, err := l.Alarm(t.Context(), "a1")
	if err != nil || a.Key != key {
		t.Fatal(a, err)
	}
	return a.Holds
}

func TestHoldsComeBackAsTheyWere(t *testing.T) {
	l := staffed(t)
	o := insert(t, l, newOrder())
	a := newAlarm("a1", "pressure-low/pump-1")
	if err := save(t, l, a, newAlarm("a2", "pressure-low/pump-2")); err != nil {
		t.Fatal(err)
	}
	shelved := shelf(a.Key)
	out := facility.AlarmHold{Key: a.Key, Kind: facility.AlarmOutOfService, By: "tech", Order: o.ID, Since: noon}
	elsewhere := facility.AlarmHold{Key: "fire/panel", Kind: facility.AlarmSuppressed, By: facility.SystemActor, Cause: "mains/house", Since: noon}
	first := begins(shelved, "h1")
	first.Alarm = a.ID
	for range 2 { // a replay changes nothing
		update(t, l, func(tx *ledger.Tx) error {
			return errors.Join(tx.BeginHold(shelved, first), tx.BeginHold(out, begins(out, "h2")), tx.BeginHold(elsewhere, begins(elsewhere, "h3")))
		})
	}
	all, err := l.AlarmHolds(t.Context())
	if diff := cmp.Diff([]facility.AlarmHold{elsewhere, out, shelved}, all); err != nil || diff != "" {
		t.Error(err, diff)
	}
	want := []facility.AlarmHold{out, shelved}
	if diff := cmp.Diff(want, holds(t, l, a.Key)); diff != "" {
		t.Error(diff)
	}
	alarms, err := l.Alarms(t.Context(), facility.AlarmFilter{})
	if err != nil || len(alarms) != 2 {
		t.Fatal(alarms, err)
	}
	for _, listed := range alarms {
		if listed.ID == a.ID != cmp.Equal(want, listed.Holds) || listed.ID != a.ID && listed.Holds != nil {
			t.Errorf("%s is listed with %+v", listed.Key, listed.Holds)
		}
	}
	update(t, l, func(tx *ledger.Tx) error {
		ofOrder, err := tx.OrderHolds(o.ID)
		if diff := cmp.Diff([]facility.AlarmHold{out}, ofOrder); diff != "" {
			t.Error(diff)
		}
		return err
	})
	events, err := l.HoldEvents(t.Context(), a.Key, 0)
	if diff := cmp.Diff([]facility.HoldRecord{begins(out, "h2"), first}, events); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if events, err := l.HoldEvents(t.Context(), "", 2); err != nil || len(events) != 2 || events[0].ID != "h3" {
		t.Errorf("the newest two of all: %+v, %v", events, err)
	}
}

func TestTheHistoryOfAnAlarmTellsUntilWhenItWasHeld(t *testing.T) {
	l := staffed(t)
	a, twin := newAlarm("a1", "pressure-low/pump-1"), newAlarm("a2", "pressure-low/pump-2")
	if err := save(t, l, a, twin); err != nil {
		t.Fatal(err)
	}
	h := shelf(a.Key)
	ends := begins(h, "h2")
	ends.Event, ends.At = facility.AlarmUnshelve, noon.Add(time.Hour)
	update(t, l, func(tx *ledger.Tx) error {
		return errors.Join(
			tx.BeginHold(h, begins(h, "h1")), tx.EndHold(h.Key, h.Kind, ends),
			tx.AddAlarmEvent(facility.AlarmRecord{ID: "e1", Alarm: a.ID, At: noon, Event: facility.AlarmShelve}),
			tx.AddAlarmEvent(facility.AlarmRecord{ID: "e2", Alarm: a.ID, At: ends.At, Event: facility.AlarmUnshelve}),
			tx.AddAlarmEvent(facility.AlarmRecord{ID: "e3", Alarm: twin.ID, At: noon, Event: facility.AlarmShelve}))
	})
	got := map[string]*time.Time{}
	for _, id := range []string{a.ID, twin.ID} {
		events, err := l.AlarmEvents(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			got[e.ID] = e.Until
		}
	}
	if diff := cmp.Diff(map[string]*time.Time{"e1": h.Until, "e2": nil, "e3": nil}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAHoldIsReplacedAndEnds(t *testing.T) {
	l := staffed(t)
	a := newAlarm("a1", "pressure-low/pump-1")
	if err := save(t, l, a); err != nil {
		t.Fatal(err)
	}
	first, second := shelf(a.Key), shelf(a.Key)
	second.By, second.Reason, second.OneShot, second.Since = "tech", "还没到货", false, noon.Add(time.Hour)
	end := facility.HoldRecord{ID: "h3", Key: a.Key, Alarm: a.ID, At: noon.Add(90 * time.Minute), Actor: "desk", Event: facility.AlarmUnshelve, Note: "到货了"}
	update(t, l, func(tx *ledger.Tx) error {
		return errors.Join(tx.BeginHold(first, begins(first, "h1")), tx.BeginHold(second, begins(second, "h2")))
	})
	if diff := cmp.Diff([]facility.AlarmHold{second}, holds(t, l, a.Key)); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		update(t, l, func(tx *ledger.Tx) error { return tx.EndHold(a.Key, facility.AlarmShelved, end) })
	}
	if left := holds(t, l, a.Key); left != nil {
		t.Errorf("it ended, and there is %+v", left)
	}
	end.ID = "h4"
	update(t, l, func(tx *ledger.Tx) error { return tx.EndHold(a.Key, facility.AlarmShelved, end) })
	events, err := l.HoldEvents(t.Context(), a.Key, 0)
	end.ID = "h3"
	if diff := cmp.Diff([]facility.HoldRecord{end, begins(second, "h2"), begins(first, "h1")}, events); err != nil || diff != "" {
		t.Error("what ends twice is told once:", err, diff)
	}
}

func TestHoldIsRefused(t *testing.T) {
	l := staffed(t)
	for name, change := range map[string]func(*facility.AlarmHold, *facility.HoldRecord){
		"no such kind":            func(h *facility.AlarmHold, _ *facility.HoldRecord) { h.Kind = "asleep" },
		"no key":                  func(h *facility.AlarmHold, e *facility.HoldRecord) { h.Key, e.Key = "", "" },
		"nobody":                  func(h *facility.AlarmHold, _ *facility.HoldRecord) { h.By = "" },
		"a shelf without reason":  func(h *facility.AlarmHold, _ *facility.HoldRecord) { h.Reason = "" },
		"a shelf without end":     func(h *facility.AlarmHold, _ *facility.HoldRecord) { h.Until = nil },
		"suppressed of no cause":  func(h *facility.AlarmHold, _ *facility.HoldRecord) { h.Kind = facility.AlarmSuppressed },
		"out of service, no why":  func(h *facility.AlarmHold, _ *facility.HoldRecord) { h.Kind, h.Reason = facility.AlarmOutOfService, "" },
		"an order that is no one": func(h *facility.AlarmHold, _ *facility.HoldRecord) { h.Order = "ghost" },
		"an alarm that is no one": func(_ *facility.AlarmHold, e *facility.HoldRecord) { e.Alarm = "ghost" },
		"no such event":           func(_ *facility.AlarmHold, e *facility.HoldRecord) { e.Event = facility.AlarmRaise },
		"no time":                 func(_ *facility.AlarmHold, e *facility.HoldRecord) { e.At = time.Time{} },
	} {
		h := shelf("k")
		e := begins(h, "")
		change(&h, &e)
		if err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.BeginHold(h, e) }); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	all, err := l.AlarmHolds(t.Context())
	events, errEvents := l.HoldEvents(t.Context(), "", 0)
	if len(all)+len(events) > 0 || errors.Join(err, errEvents) != nil {
		t.Errorf("what was refused is kept: %v %v %v %v", all, events, err, errEvents)
	}
}
