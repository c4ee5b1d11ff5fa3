package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

// begin is an alarm with its raise in the history.
func begin(t testing.TB, tx *ledger.Tx, id, key string, at time.Time, state facility.AlarmState) {
	t.Helper()
	a := newAlarm(id, key)
	a.RaisedAt, a.LastAt, a.State = at, at, state
	if err := tx.SaveAlarm(a); err != nil {
		t.Fatal(err)
	}
	record(t, tx, id, at, facility.AlarmRaise, facility.AlarmUnacknowledged)
	if state == facility.AlarmNormal {
		record(t, tx, id, at.Add(time.Minute), facility.AlarmRetire, facility.AlarmNormal)
	}
}

func record(t testing.TB, tx *ledger.Tx, alarm string, at time.Time, event facility.AlarmEvent, to facility.AlarmState) {
	t.Helper()
	if err := tx.AddAlarmEvent(facility.AlarmRecord{Alarm: alarm, At: at, Event: event, To: to}); err != nil {
		t.Fatal(err)
	}
}

func TestAlarmLinesReachBackToTheRaiseOfWhatStands(t *testing.T) {
	l := staffed(t)
	at := func(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }
	until := at(9)
	update(t, l, func(tx *ledger.Tx) error {
		begin(t, tx, "past", "k0", at(-50), facility.AlarmNormal)
		begin(t, tx, "stands", "k1", at(-40), facility.AlarmUnacknowledged)
		begin(t, tx, "ended", "k2", at(-30), facility.AlarmReturned)
		record(t, tx, "ended", at(1), facility.AlarmClear, facility.AlarmReturned)
		begin(t, tx, "later", "k3", at(30), facility.AlarmUnacknowledged)
		for _, key := range []string{"k0", "k1"} {
			h := facility.AlarmHold{Key: key, Kind: facility.AlarmShelved, By: "desk", Reason: "r", Since: at(-35), Until: &until}
			if err := tx.BeginHold(h, facility.HoldRecord{Key: key, At: at(-35), Event: facility.AlarmShelve}); err != nil {
				return err
			}
		}
		n := newNotice("n1", at(1))
		n.Alarms[0].Alarm, n.Alarms[0].Key = "ended", "k2"
		return tx.AddNotice(n)
	})
	lines, err := l.AlarmLines(t.Context(), noon, at(24))
	want := []ledger.AlarmLine{
		{At: at(-40), Alarm: "stands", Key: "k1", Event: facility.AlarmRaise, To: facility.AlarmUnacknowledged, Priority: facility.P2, Told: true},
		{At: at(-35), Key: "k1", Event: facility.AlarmShelve},
		{At: at(-30), Alarm: "ended", Key: "k2", Event: facility.AlarmRaise, To: facility.AlarmUnacknowledged, Priority: facility.P2}, // the notice tells of it
		{At: at(1), Alarm: "ended", Key: "k2", Event: facility.AlarmClear, To: facility.AlarmReturned, Priority: facility.P2},
		{At: at(1), Alarm: "ended", Key: "k2", Priority: facility.P2, Told: true},
	}
	if diff := cmp.Diff(want, lines); err != nil || diff != "" {
		t.Error(err, diff)
	}
	// Once notices are kept, they say what people were told, and a raise does not.
	lines, err = l.AlarmLines(t.Context(), at(29), at(31))
	if err != nil || len(lines) == 0 {
		t.Fatal(lines, err)
	}
	if last := lines[len(lines)-1]; last.Alarm != "later" || last.Told {
		t.Errorf("a raise after the first notice: %+v", last)
	}
}

func TestBegun(t *testing.T) {
	l := staffed(t)
	begun := func(want time.Time) {
		t.Helper()
		if at, err := l.Begun(t.Context()); err != nil || !at.Equal(want) {
			t.Errorf("it began at %v, %v; want %v", at, err, want)
		}
	}
	begun(time.Time{})
	update(t, l, func(tx *ledger.Tx) error {
		begin(t, tx, "a", "k", noon, facility.AlarmNormal)
		return nil
	})
	begun(noon)
	before := noon.Add(-time.Hour)
	if err := l.Audit(t.Context(), facility.AuditEntry{At: before, Actor: "desk", Action: "sign_in"}); err != nil {
		t.Fatal(err)
	}
	begun(before)
}

func BenchmarkAlarmLinesOfAYear(b *testing.B) {
	l := staffed(b)
	const alarms = 25_000 // of four lines each
	step := 365 * 24 * time.Hour / alarms
	for n := 0; n < alarms; n += 1000 {
		if err := l.Update(b.Context(), func(tx *ledger.Tx) error {
			for i := n; i < n+1000; i++ {
				at := noon.Add(time.Duration(i) * step)
				id := fmt.Sprint("a", i)
				begin(b, tx, id, fmt.Sprint("rule/device-", i%300), at, facility.AlarmNormal)
				record(b, tx, id, at.Add(time.Second), facility.AlarmAcknowledge, facility.AlarmAcknowledged)
				notice := newNotice("n"+id, at)
				notice.Alarms[0].Alarm = id
				if err := tx.AddNotice(notice); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		lines, err := l.AlarmLines(b.Context(), noon, noon.Add(366*24*time.Hour))
		if err != nil || len(lines) != 4*alarms {
			b.Fatal(len(lines), err)
		}
	}
}
