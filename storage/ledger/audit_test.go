package ledger_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

func TestAudit(t *testing.T) {
	l := fresh(t)
	want := []facility.AuditEntry{
		{ID: "3", At: noon.Add(2), Actor: "system", Action: "order.withdraw", Target: "o1"},
		{ID: "2", At: noon.Add(1), Actor: "admin", Action: "person.create", Target: "li", Detail: "李姐"},
		{ID: "1", At: noon, Actor: "", Action: "sign_in_failed", Target: "root"},
	}
	for _, e := range want {
		if err := l.Audit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	got, err := l.AuditLog(t.Context(), facility.Page{})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	got, err = l.AuditLog(t.Context(), facility.Page{Before: "3", Limit: 1})
	if diff := cmp.Diff(want[1:2], got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if err := l.Audit(t.Context(), facility.AuditEntry{Actor: "li", Action: "sign_in"}); err != nil {
		t.Fatal(err)
	}
	got, err = l.AuditLog(t.Context(), facility.Page{})
	if err != nil || len(got) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	if e := got[3]; e.ID == "" || !e.At.Equal(noon) || e.Action != "sign_in" {
		t.Errorf("filled in: %+v", e)
	}
}

// Whoever gets at the file with a tool of their own cannot change history by an
// ordinary statement either.
func TestHistoryIsOnlyAddedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	staff(t, l)
	o := insert(t, l, newOrder())
	if err := save(t, l, newAlarm("a1", "k")); err != nil {
		t.Fatal(err)
	}
	update(t, l, func(tx *ledger.Tx) error {
		if err := tx.AddAlarmEvent(facility.AlarmRecord{ID: "e1", Alarm: "a1", At: noon, Event: facility.AlarmRaise}); err != nil {
			return err
		}
		if err := tx.Audit(facility.AuditEntry{ID: "1", At: noon, Actor: "li", Action: "sign_in"}); err != nil {
			return err
		}
		if err := tx.BeginHold(shelf("k"), begins(shelf("k"), "h1")); err != nil {
			return err
		}
		if err := tx.AddNotice(newNotice("n1", noon)); err != nil {
			return err
		}
		if err := tx.AddRuleVersion(newVersion("a", 1, "id: a")); err != nil {
			return err
		}
		_, err := tx.InsertTap(facility.JudgedTap{Tap: facility.Tap{ID: "t1", Source: facility.TapQR, TappedAt: noon}})
		return err
	})
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=recursive_triggers(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, statement := range []string{
		`UPDATE audit SET actor = 'nobody'`,
		`DELETE FROM audit`,
		`REPLACE INTO audit SELECT site, id, at, 'nobody', action, target, detail FROM audit`,
		`UPDATE order_event SET note = 'x'`,
		`DELETE FROM order_event`,
		`DELETE FROM order_event WHERE site = 'jinxiu'`,
		`UPDATE alarm_event SET value = 0`,
		`DELETE FROM alarm_event`,
		`UPDATE hold_event SET note = 'x'`,
		`DELETE FROM hold_event`,
		`UPDATE notice SET at = 0`,
		`DELETE FROM notice`,
		`UPDATE notice_alarm SET follow = 0`,
		`DELETE FROM notice_alarm`,
		`UPDATE rule_version SET reason = 'x'`,
		`DELETE FROM rule_version`,
		`REPLACE INTO rule_version SELECT site, rule, version, at, author, 'x', source FROM rule_version`,
		`UPDATE tap SET tapped_at = tapped_at - 1`,
		`UPDATE tap SET person = 'guard'`,
		`DELETE FROM tap`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "(1811)") {
			t.Errorf("%s: %v, want a trigger to refuse it", statement, err)
		}
	}
	// What the judge made of a tap is no fact, and may be corrected.
	if _, err := db.ExecContext(t.Context(), `UPDATE tap SET verdict = 'late'`); err != nil {
		t.Error(err)
	}
	if events, err := l.OrderEvents(t.Context(), o.ID); err != nil || len(events) != 1 || !events[0].At.Equal(noon) {
		t.Errorf("%+v, %v", events, err)
	}
	if _, err := l.AuditLog(t.Context(), facility.Page{}); err != nil {
		t.Error(err)
	}
}
