package ledger_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

func newAlarm(id, key string) facility.Alarm {
	return facility.Alarm{
		ID: id, Key: key, Rule: "pressure-low", Device: "pump-1", Place: "pump-room",
		Title:  facility.Text{ZH: "出口压力低", EN: "Outlet pressure low"},
		Advice: facility.Text{ZH: "检查阀门", EN: "Check the valve"},
		State:  facility.AlarmUnacknowledged, Priority: facility.P2, Value: 1.25, Unit: "bar",
		Count: 1, RaisedAt: noon, LastAt: noon,
	}
}

func save(t testing.TB, l *ledger.Ledger, alarms ...facility.Alarm) error {
	t.Helper()
	return l.Update(t.Context(), func(tx *ledger.Tx) error {
		for _, a := range alarms {
			if err := tx.SaveAlarm(a); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestAlarmComesBackAsItWas(t *testing.T) {
	l := staffed(t)
	o := insert(t, l, newOrder())
	at := noon.Add(5 * time.Minute)
	want := newAlarm("a1", "pressure-low/pump-1")
	want.Checkpoint, want.Round = "gate", "night@2026-11-22T22:00+08:00"
	if err := save(t, l, want); err != nil {
		t.Fatal(err)
	}
	want.State, want.Unknown, want.Count, want.LastAt, want.Value = facility.AlarmReturned, true, 3, at, -7.5
	want.ClearedAt, want.AckedAt, want.AckedBy, want.AckNote, want.OrderID = &at, &at, "desk", "老问题", o.ID
	if err := save(t, l, want); err != nil {
		t.Fatal(err)
	}
	got, err := l.Alarm(t.Context(), "a1")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	of, err := l.OrderAlarms(t.Context(), o.ID)
	if diff := cmp.Diff([]facility.Alarm{want}, of); err != nil || diff != "" {
		t.Error(err, diff)
	}
	update(t, l, func(tx *ledger.Tx) error {
		got, err := tx.Alarm("a1")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		return err
	})
}

func TestOneStandingAlarmPerKey(t *testing.T) {
	l := staffed(t)
	first, second := newAlarm("a1", "k"), newAlarm("a2", "k")
	if err := save(t, l, first); err != nil {
		t.Fatal(err)
	}
	if err := save(t, l, second); !errors.Is(err, facility.ErrConflict) {
		t.Errorf("a second standing alarm: %v, want ErrConflict", err)
	}
	first.State = facility.AlarmNormal
	if err := save(t, l, first, second); err != nil {
		t.Errorf("an alarm after the one before is normal: %v", err)
	}
	first.State = facility.AlarmReturned
	if err := save(t, l, first); !errors.Is(err, facility.ErrConflict) {
		t.Errorf("the old alarm stands again beside the new one: %v, want ErrConflict", err)
	}
	update(t, l, func(tx *ledger.Tx) error {
		standing, err := tx.StandingAlarms()
		if len(standing) != 1 || standing[0].ID != "a2" {
			t.Errorf("standing %+v", standing)
		}
		return err
	})
}

func TestAlarmIsRefused(t *testing.T) {
	l := staffed(t)
	for name, change := range map[string]func(*facility.Alarm){
		"no id":             func(a *facility.Alarm) { a.ID = "" },
		"no key":            func(a *facility.Alarm) { a.Key = "" },
		"no such state":     func(a *facility.Alarm) { a.State = "shelved?" },
		"no such priority":  func(a *facility.Alarm) { a.Priority = "P9" },
		"never raised":      func(a *facility.Alarm) { a.RaisedAt = time.Time{} },
		"no occurrence":     func(a *facility.Alarm) { a.Count = 0 },
		"value not known":   func(a *facility.Alarm) { a.Value = math.NaN() },
		"order is not kept": func(a *facility.Alarm) { a.OrderID = "ghost" },
	} {
		a := newAlarm("a1", "k")
		change(&a)
		if err := save(t, l, a); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if _, err := l.Alarm(t.Context(), "a1"); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("a refused alarm was kept: %v", err)
	}
}

func TestAlarmAndItsOrderMayBeKeptInEitherOrder(t *testing.T) {
	l := staffed(t)
	a, o := newAlarm("a1", "k"), newOrder()
	a.OrderID, o.ID = "o1", "o1"
	update(t, l, func(tx *ledger.Tx) error {
		return errors.Join(tx.SaveAlarm(a), tx.InsertOrder(&o, facility.OrderEvent{}))
	})
}

func TestAlarmLists(t *testing.T) {
	l := staffed(t)
	for i, state := range []facility.AlarmState{"normal", "unacknowledged", "acknowledged", "returned", "normal"} {
		a := newAlarm(string(rune('a'+i)), "k"+string(rune('a'+i)))
		a.State, a.RaisedAt = state, noon.Add(time.Duration(i/2)*time.Second) // a b, c d, e
		if i == 3 {
			a.Device = "pump-2"
		}
		if err := save(t, l, a); err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		filter facility.AlarmFilter
		want   []string
	}{
		"all":          {facility.AlarmFilter{}, []string{"e", "d", "c", "b", "a"}},
		"standing":     {facility.AlarmFilter{Standing: true}, []string{"d", "c", "b"}},
		"of a device":  {facility.AlarmFilter{Device: "pump-1", Standing: true}, []string{"c", "b"}},
		"first page":   {facility.AlarmFilter{Page: facility.Page{Limit: 2}}, []string{"e", "d"}},
		"second page":  {facility.AlarmFilter{Page: facility.Page{Limit: 2, Before: "d"}}, []string{"c", "b"}},
		"last page":    {facility.AlarmFilter{Page: facility.Page{Limit: 2, Before: "b"}}, []string{"a"}},
		"after it":     {facility.AlarmFilter{Page: facility.Page{Before: "a"}}, nil},
		"other device": {facility.AlarmFilter{Device: "pump-9"}, nil},
	} {
		alarms, err := l.Alarms(t.Context(), tt.filter)
		var got []string
		for _, a := range alarms {
			got = append(got, a.ID)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, tt.want)
		}
	}
}

func TestAlarmHistory(t *testing.T) {
	l := staffed(t)
	if err := save(t, l, newAlarm("a1", "k")); err != nil {
		t.Fatal(err)
	}
	want := []facility.AlarmRecord{
		{ID: "e1", Alarm: "a1", At: noon, Actor: "system", Event: facility.AlarmRaise, From: "normal", To: "unacknowledged", Value: 1.25},
		{ID: "e2", Alarm: "a1", At: noon.Add(1), Actor: "desk", Event: facility.AlarmAcknowledge, From: "unacknowledged", To: "acknowledged", Note: "看到了"},
		{ID: "e3", Alarm: "a1", At: noon.Add(2), Actor: "system", Event: facility.AlarmRetire, From: "acknowledged", To: "normal"},
	}
	for range 2 { // a replay tells the same again
		update(t, l, func(tx *ledger.Tx) error {
			return errors.Join(tx.AddAlarmEvent(want[2]), tx.AddAlarmEvent(want[0]), tx.AddAlarmEvent(want[1]))
		})
	}
	got, err := l.AlarmEvents(t.Context(), "a1")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	update(t, l, func(tx *ledger.Tx) error {
		e := facility.AlarmRecord{Alarm: "a1", At: noon}
		if err := tx.AddAlarmEvent(e); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("a line that tells nothing: %v", err)
		}
		e.Event = facility.AlarmRecur
		return tx.AddAlarmEvent(e)
	})
	if err := l.Update(t.Context(), func(tx *ledger.Tx) error {
		return tx.AddAlarmEvent(facility.AlarmRecord{Alarm: "ghost", At: noon, Event: facility.AlarmRaise})
	}); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("history of an alarm that is not there: %v", err)
	}
}

// TestAlarmsThatLatch: they stand until they are reset, and no word is a state that is
// none.
func TestAlarmsThatLatch(t *testing.T) {
	l := staffed(t)
	for _, state := range []facility.AlarmState{"latched_unacknowledged", "latched_acknowledged"} {
		a := newAlarm("of "+string(state), string(state))
		a.State = state
		if err := save(t, l, a); err != nil {
			t.Fatal(err)
		}
	}
	standing, err := l.Alarms(t.Context(), facility.AlarmFilter{Standing: true})
	if err != nil || len(standing) != 2 {
		t.Fatalf("standing: %v, %v", standing, err)
	}
	a := newAlarm("shelved", "shelved")
	a.State = facility.AlarmShelved
	if err := save(t, l, a); err == nil {
		t.Error("a hold was kept as a state of its own")
	}
}
