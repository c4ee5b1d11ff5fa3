package ledger_test

import (
	"errors"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
)

func TestChecklistComesBackAsItWasTicked(t *testing.T) {
	l := staffed(t)
	o := newOrder()
	o.State, o.Assignee = facility.OrderInProgress, "technician"
	o.Checklist = facility.Checklist([]facility.Text{{ZH: "停泵", EN: "Stop the pump"}, {ZH: "挂牌", EN: "Tag it"}})
	o.Bring = []facility.Text{{ZH: "机械密封", EN: "a shaft seal"}}
	o = insert(t, l, o)
	want, err := act(t, l, o.ID, facility.RoleTechnician, facility.Act{Action: facility.OrderTick, Step: 2})
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Order(t.Context(), o.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if s := got.Checklist[1]; s.By != "technician" || s.At.IsZero() || got.Checklist[0].Done() {
		t.Errorf("ticked: %+v", got.Checklist)
	}
	events, err := l.OrderEvents(t.Context(), o.ID)
	if err != nil || len(events) != 2 || events[1].Action != facility.OrderTick || events[1].Step != 2 {
		t.Errorf("history %+v, %v", events, err)
	}
}

func TestCountingWithoutALine(t *testing.T) {
	l := staffed(t)
	o := insert(t, l, newOrder())
	if o.Noted != 1 || !o.NotedAt.Equal(o.LastAt) {
		t.Errorf("a new order's history tells of %d, last at %v", o.Noted, o.NotedAt)
	}
	stale := o
	for n := range 3 {
		for range n { // more than one at once
			if err := o.CountOn(noon.Add(time.Duration(n) * time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if n == 0 {
			continue
		}
		update(t, l, func(tx *ledger.Tx) error { return tx.CountOrder(o) })
	}
	if err := stale.CountOn(noon); err != nil {
		t.Fatal(err)
	}
	err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.CountOrder(stale) })
	if !errors.Is(err, facility.ErrConflict) {
		t.Errorf("what was counted already: %v, want ErrConflict", err)
	}
	e, err := o.DoSystem(facility.Act{Action: facility.OrderRecur}, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	update(t, l, func(tx *ledger.Tx) error { return tx.SaveOrder(o, e, nil) })
	got, err := l.Order(t.Context(), o.ID)
	if diff := cmp.Diff(o, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	events, err := l.OrderEvents(t.Context(), o.ID)
	if err != nil || len(events) != 2 || events[1].Times != 4 || got.Count != 5 || got.Noted != 5 {
		t.Errorf("order %+v, history %+v, %v", got, events, err)
	}
}
