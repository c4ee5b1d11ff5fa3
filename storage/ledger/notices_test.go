package ledger_test

import (
	"errors"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

// newNotice tells of the alarm a1.
func newNotice(id string, at time.Time) facility.Notice {
	return facility.Notice{ID: id, At: at, Priority: facility.P2, Alarms: []facility.NoticeAlarm{
		{Alarm: "a1", Key: "k", Title: facility.Text{ZH: "市电中断", EN: "Mains lost"}, Priority: facility.P2, Follow: 497},
	}}
}

func TestNoticesComeBackNewestFirst(t *testing.T) {
	l := staffed(t)
	if err := save(t, l, newAlarm("a1", "k"), newAlarm("a2", "k2")); err != nil {
		t.Fatal(err)
	}
	first, second, third := newNotice("n1", noon), newNotice("n2", noon.Add(time.Minute)), newNotice("n3", noon.Add(time.Hour))
	second.Flood = true
	second.Alarms = append(second.Alarms, facility.NoticeAlarm{Alarm: "a2", Key: "k2", Title: facility.Text{ZH: "离线"}, Priority: facility.P3, Gone: true})
	update(t, l, func(tx *ledger.Tx) error {
		for _, n := range []facility.Notice{first, second, third, second} { // one of them again
			if err := tx.AddNotice(n); err != nil {
				return err
			}
		}
		return nil
	})
	all, err := l.Notices(t.Context(), facility.Page{})
	if diff := cmp.Diff([]facility.Notice{third, second, first}, all); err != nil || diff != "" {
		t.Error(err, diff)
	}
	older, err := l.Notices(t.Context(), facility.Page{Limit: 1, Before: "n3"})
	if diff := cmp.Diff([]facility.Notice{second}, older); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for name, n := range map[string]facility.Notice{
		"of nothing":          {ID: "n4", At: noon, Priority: facility.P1},
		"of an unknown alarm": {ID: "n5", At: noon, Priority: facility.P1, Alarms: []facility.NoticeAlarm{{Alarm: "a9", Key: "k9", Priority: facility.P1}}},
	} {
		err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.AddNotice(n) })
		if !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("a notice %s: %v", name, err)
		}
	}
}
