package facility_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

func listed(state facility.OrderState) facility.Order {
	o := order(state)
	o.Checklist = facility.Checklist([]facility.Text{{ZH: "停泵", EN: "Stop the pump"}, {ZH: "挂牌"}, {ZH: "试运行", EN: "Try it"}})
	return o
}

func TestTicks(t *testing.T) {
	o := listed(facility.OrderInProgress)
	page := o // what somebody else holds of it
	do := func(a facility.OrderAction, step int) (facility.OrderEvent, error) {
		return o.Do(who["technician"], facility.Act{Action: a, Step: step, Version: 1}, noon)
	}
	e, err := do(facility.OrderTick, 2)
	if err != nil || e.Step != 2 || e.From != e.To || e.Actor != "zhang" {
		t.Fatalf("%+v, %v", e, err)
	}
	if s := o.Checklist[1]; s.By != "zhang" || !s.At.Equal(noon) || !slices.Equal(o.Undone(), []int{1, 3}) {
		t.Errorf("%+v, undone %v", s, o.Undone())
	}
	if page.Checklist[1].Done() {
		t.Error("a copy of the order was ticked too")
	}
	if o.ActedVersion != page.ActedVersion || o.Version != page.Version+1 {
		t.Error("a tick gets in the way of others")
	}
	for act, already := range map[facility.Act]bool{
		{Action: facility.OrderTick, Step: 2}: true, {Action: facility.OrderTick, Step: 1}: false,
		{Action: facility.OrderUntick, Step: 1}: true, {Action: facility.OrderUntick, Step: 2}: false,
		{Action: facility.OrderTick, Step: 4}: false, {Action: facility.OrderComment, Note: "x"}: false,
	} {
		if o.Already(act) != already {
			t.Errorf("%+v already: %v", act, !already)
		}
	}
	if _, err := do(facility.OrderUntick, 2); err != nil || o.Checklist[1].Done() || !o.Checklist[1].At.IsZero() {
		t.Errorf("%+v, %v", o.Checklist[1], err)
	}
	for _, step := range []int{-1, 0, 4} {
		if _, err := do(facility.OrderTick, step); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("step %d: %v, want ErrInvalid", step, err)
		}
	}
	if _, err := o.Do(who["desk"], facility.Act{Action: facility.OrderTick, Step: 1}, noon); !errors.Is(err, facility.ErrForbidden) {
		t.Errorf("the desk ticks: %v", err)
	}
}

func TestATickOfAPhoneWithoutANetworkHasItsOwnTime(t *testing.T) {
	now := noon.Add(2 * time.Hour)
	for made, want := range map[time.Time]time.Time{
		{}: now, noon.Add(time.Hour): noon.Add(time.Hour), noon.Add(-time.Hour): now, now.Add(time.Hour): now,
	} {
		o := listed(facility.OrderCompleted)
		e, err := o.Do(who["technician"], facility.Act{Action: facility.OrderTick, Step: 1, At: made}, now)
		if err != nil || !e.At.Equal(want) || !o.Checklist[0].At.Equal(want) || !o.UpdatedAt.Equal(now) {
			t.Errorf("made %v: ticked %v, changed %v, %v", made, e.At, o.UpdatedAt, err)
		}
	}
}

func TestNoTicksAreOfferedWithoutAList(t *testing.T) {
	o := order(facility.OrderInProgress)
	if slices.Contains(o.Actions(who["technician"]), facility.OrderTick) {
		t.Error("there is nothing to tick")
	}
}

func TestCompletingSaysWhatIsNotDone(t *testing.T) {
	o := listed(facility.OrderInProgress)
	if _, err := o.Do(who["technician"], facility.Act{Action: facility.OrderTick, Step: 1}, noon); err != nil {
		t.Fatal(err)
	}
	e, err := o.Do(who["technician"], facility.Act{Action: facility.OrderComplete, Note: "换了轴承"}, noon.Add(time.Hour))
	want := "换了轴承\n未做的步骤 · steps not done:\n2. 挂牌\n3. 试运行 · Try it"
	if err != nil || e.Note != want || o.State != facility.OrderCompleted {
		t.Errorf("%q, %v", e.Note, err)
	}
	if _, err := o.Do(who["desk"], facility.Act{Action: facility.OrderReopen, Note: "坏了"}, noon.Add(2*time.Hour)); err != nil || len(o.Undone()) != 3 {
		t.Errorf("opened again with %d of 3 to do, %v", len(o.Undone()), err)
	}
	all := listed(facility.OrderInProgress)
	for n := range all.Checklist {
		if _, err := all.Do(who["technician"], facility.Act{Action: facility.OrderTick, Step: n + 1}, noon); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := all.Do(who["technician"], facility.Act{Action: facility.OrderComplete, Note: "好了"}, noon); err != nil || strings.Contains(e.Note, "未做") {
		t.Errorf("%q, %v", e.Note, err)
	}
}
