package facility_test

import (
	"errors"
	"testing"
	"time"

	"gengfu/facility"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

// order is one in the state given, of zhang, as if it had come there lawfully.
func order(state facility.OrderState) facility.Order {
	o := facility.Order{
		ID: "o1", No: "20261122-0001", Priority: facility.P2, State: state, Assignee: "zhang",
		Count: 1, CreatedBy: "zhao", CreatedAt: noon, LastAt: noon, UpdatedAt: noon, Version: 4, ActedVersion: 4,
	}
	o.Promise(noon)
	at := noon.Add(time.Minute)
	switch state {
	case facility.OrderNew, facility.OrderReopened:
		o.Assignee = ""
	case facility.OrderAccepted:
		o.AcceptedAt = &at
	case facility.OrderArrived, facility.OrderInProgress, facility.OrderOnHold:
		o.AcceptedAt, o.ArrivedAt = &at, &at
	case facility.OrderCompleted, facility.OrderVerified, facility.OrderClosed:
		o.AcceptedAt, o.ArrivedAt, o.FinishedAt = &at, &at, &at
	}
	return o
}

func TestDoWritesTheHistory(t *testing.T) {
	o := order(facility.OrderInProgress)
	at := noon.Add(time.Hour)
	got, err := o.Do(who["technician"], facility.Act{Action: facility.OrderComplete, Note: "  bearing replaced \n", Photo: "p1"}, at)
	if err != nil {
		t.Fatal(err)
	}
	want := facility.OrderEvent{
		Order: "o1", At: at, Actor: "zhang", Action: "complete", From: "in_progress", To: "completed",
		Note: "bearing replaced", Photo: "p1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if o.State != "completed" || o.Version != 5 || !o.UpdatedAt.Equal(at) || !o.FinishedAt.Equal(at) {
		t.Errorf("order %+v", o)
	}
}

func TestDoNeedsANote(t *testing.T) {
	tests := []struct {
		from   facility.OrderState
		by     string
		action facility.OrderAction
		needs  bool
	}{
		{"assigned", "technician", "accept", false},
		{"accepted", "technician", "arrive", false},
		{"arrived", "technician", "start", false},
		{"on_hold", "technician", "resume", false},
		{"completed", "manager", "verify", false},
		{"verified", "manager", "close", false},
		{"assigned", "technician", "return", true},
		{"arrived", "technician", "hold", true},
		{"arrived", "technician", "complete", true},
		{"new", "desk", "cancel", true},
		{"completed", "desk", "reopen", true},
		{"new", "desk", "comment", true},
	}
	for _, tt := range tests {
		for _, note := range []string{"", " \t\n　", "because"} {
			o := order(tt.from)
			before := o
			_, err := o.Do(who[tt.by], facility.Act{Action: tt.action, Note: note}, noon)
			if refused := tt.needs && note != "because"; refused != errors.Is(err, facility.ErrInvalid) || !refused && err != nil {
				t.Errorf("%s with note %q: %v", tt.action, note, err)
			}
			if err != nil && !cmp.Equal(before, o) {
				t.Errorf("%s changed the order although it failed", tt.action)
			}
		}
		if tt.action.NeedsNote() != tt.needs {
			t.Errorf("%s needs a note: %v", tt.action, !tt.needs)
		}
	}
}

func TestDoNeedsAPersonAndAPicture(t *testing.T) {
	for _, act := range []facility.Act{{Action: facility.OrderAssign}, {Action: facility.OrderPhoto}} {
		o := order(facility.OrderAssigned)
		if _, err := o.Do(who["desk"], act, noon); !errors.Is(err, facility.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", act.Action, err)
		}
	}
}

func TestDoRefusesWhoMayNot(t *testing.T) {
	tests := map[string]struct {
		from facility.OrderState
		by   string
		act  facility.Act
		want error
	}{
		"somebody else's order":     {"assigned", "other", facility.Act{Action: "accept"}, facility.ErrForbidden},
		"a disabled assignee":       {"assigned", "disabled", facility.Act{Action: "accept"}, facility.ErrForbidden},
		"own P2 order":              {"completed", "deskworking", facility.Act{Action: "verify"}, facility.ErrForbidden},
		"too early":                 {"assigned", "technician", facility.Act{Action: "complete", Note: "x"}, facility.ErrUnlawful},
		"twice":                     {"accepted", "technician", facility.Act{Action: "accept"}, facility.ErrUnlawful},
		"a person recurs":           {"new", "admin", facility.Act{Action: "recur"}, facility.ErrForbidden},
		"a person withdraws":        {"new", "admin", facility.Act{Action: "withdraw", Note: "x"}, facility.ErrForbidden},
		"a person creates it again": {"new", "admin", facility.Act{Action: "create"}, facility.ErrUnlawful},
		"stale, and not his now":    {"assigned", "other", facility.Act{Action: "accept", Version: 3}, facility.ErrConflict},
		"from the future":           {"assigned", "technician", facility.Act{Action: "accept", Version: 9}, facility.ErrConflict},
		"cancelled is for ever":     {"cancelled", "admin", facility.Act{Action: "reopen", Note: "x"}, facility.ErrUnlawful},
		"no words on a closed one":  {"closed", "admin", facility.Act{Action: "comment", Note: "x"}, facility.ErrUnlawful},
		"an unknown action":         {"new", "admin", facility.Act{Action: "burn"}, facility.ErrForbidden},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := order(tt.from)
			before := o
			event, err := o.Do(who[tt.by], tt.act, noon.Add(time.Hour))
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if !cmp.Equal(before, o) || event != (facility.OrderEvent{}) {
				t.Errorf("it had an effect: %+v, %+v", o, event)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	o := order(facility.OrderAssigned)
	do := func(by string, act facility.Act) error {
		_, err := o.Do(who[by], act, noon.Add(time.Minute))
		return err
	}
	seen := o.Version
	for range 3 {
		if _, err := o.DoSystem(facility.Act{Action: facility.OrderRecur}, noon.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := do("desk", facility.Act{Action: facility.OrderComment, Note: "called the owner", Version: 1}); err != nil {
		t.Errorf("a comment of somebody with an old page: %v", err)
	}
	if o.Version != seen+4 {
		t.Errorf("version %d after four changes of version %d", o.Version, seen)
	}
	if err := do("technician", facility.Act{Action: facility.OrderAccept, Version: seen}); err != nil {
		t.Errorf("accepting what has only been added to: %v", err)
	}
	if err := do("desk", facility.Act{Action: facility.OrderCancel, Note: "x", Version: seen + 4}); !errors.Is(err, facility.ErrConflict) {
		t.Errorf("cancelling what was accepted unseen: %v, want ErrConflict", err)
	}
	if err := do("desk", facility.Act{Action: facility.OrderCancel, Note: "x", Version: o.Version}); err != nil {
		t.Errorf("cancelling what was seen: %v", err)
	}
}

func TestDoSystem(t *testing.T) {
	may := map[facility.OrderAction]bool{"recur": true, "reopen": true, "withdraw": true, "comment": true}
	for _, state := range orderStates {
		for _, a := range orderActions {
			o := order(state)
			before := o
			event, err := o.DoSystem(facility.Act{Action: a, Note: "why", Target: "a1"}, noon.Add(time.Hour))
			_, unlawful := state.Apply(a)
			switch {
			case !may[a]:
				if !errors.Is(err, facility.ErrForbidden) {
					t.Errorf("%s %s: %v, want ErrForbidden", state, a, err)
				}
			case unlawful != nil:
				if !errors.Is(err, facility.ErrUnlawful) {
					t.Errorf("%s %s: %v, want ErrUnlawful", state, a, err)
				}
			case err != nil || event.Actor != facility.SystemActor || event.From != state || event.To != o.State:
				t.Errorf("%s %s: %+v, %v", state, a, event, err)
			}
			if err != nil && !cmp.Equal(before, o) {
				t.Errorf("%s %s changed the order although it failed", state, a)
			}
		}
	}
}

func TestWithdrawStopsShortOfWorkInHand(t *testing.T) {
	for _, state := range []facility.OrderState{"arrived", "in_progress", "on_hold", "completed", "reopened"} {
		o := order(state)
		if _, err := o.DoSystem(facility.Act{Action: facility.OrderWithdraw, Note: "late sync"}, noon); !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("%s was withdrawn: %v", state, err)
		}
		if _, err := o.DoSystem(facility.Act{Action: facility.OrderComment, Note: "late sync"}, noon); err != nil {
			t.Errorf("%s cannot be commented on instead: %v", state, err)
		}
	}
}

func TestRecurCounts(t *testing.T) {
	o := order(facility.OrderNew)
	for _, after := range []time.Duration{time.Minute, time.Hour, time.Second} {
		if _, err := o.DoSystem(facility.Act{Action: facility.OrderRecur, Target: "a2"}, noon.Add(after)); err != nil {
			t.Fatal(err)
		}
	}
	if o.Count != 4 || !o.LastAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("count %d, last at %v; want 4, and the latest of the times", o.Count, o.LastAt)
	}
}

func TestCountOnIsToldByTheNextLine(t *testing.T) {
	o := order(facility.OrderNew)
	o.Noted = 1
	version := o.Version
	for n := range 5 {
		if err := o.CountOn(noon.Add(time.Duration(n) * time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if o.Count != 6 || o.Version != version || !o.LastAt.Equal(noon.Add(4*time.Minute)) {
		t.Errorf("counted %d at version %d, last at %v", o.Count, o.Version, o.LastAt)
	}
	e, err := o.DoSystem(facility.Act{Action: facility.OrderRecur}, noon.Add(time.Hour))
	if err != nil || e.Times != 6 || o.Noted != 7 || !o.NotedAt.Equal(noon.Add(time.Hour)) || o.Version != version+1 {
		t.Errorf("the line says %d times, %v; order %+v", e.Times, err, o)
	}
	closed := order(facility.OrderClosed)
	if err := closed.CountOn(noon); !errors.Is(err, facility.ErrUnlawful) || closed.Count != 1 {
		t.Errorf("a closed order counted on: %v", err)
	}
}

func TestHoldBeforeArrivalResumesOnTheWay(t *testing.T) {
	for from, want := range map[facility.OrderState]facility.OrderState{
		"accepted": "accepted", "arrived": "in_progress", "in_progress": "in_progress",
	} {
		o := order(from)
		if _, err := o.Do(who["technician"], facility.Act{Action: facility.OrderHold, Note: "no access"}, noon); err != nil {
			t.Fatal(err)
		}
		event, err := o.Do(who["technician"], facility.Act{Action: facility.OrderResume}, noon)
		if err != nil || o.State != want || event.To != want {
			t.Errorf("held from %s, resumed to %s (history says %s), %v; want %s", from, o.State, event.To, err, want)
		}
	}
}

func TestHandsChange(t *testing.T) {
	at := noon.Add(time.Hour)
	t.Run("assign", func(t *testing.T) {
		o := order(facility.OrderInProgress)
		if _, err := o.Do(who["desk"], facility.Act{Action: facility.OrderAssign, Target: "chen"}, at); err != nil {
			t.Fatal(err)
		}
		if o.Assignee != "chen" || o.AcceptedAt != nil || o.ArrivedAt != nil || o.FinishedAt != nil {
			t.Errorf("transferred order %+v", o)
		}
		if !o.FinishBy.Equal(noon.Add(12 * time.Hour)) {
			t.Errorf("a transfer moved the promise to %v", o.FinishBy)
		}
	})
	t.Run("return", func(t *testing.T) {
		o := order(facility.OrderAccepted)
		if _, err := o.Do(who["technician"], facility.Act{Action: facility.OrderReturn, Note: "ill"}, at); err != nil {
			t.Fatal(err)
		}
		if o.Assignee != "" || o.AcceptedAt != nil || o.State != facility.OrderNew {
			t.Errorf("returned order %+v", o)
		}
	})
	t.Run("reopen", func(t *testing.T) {
		o := order(facility.OrderClosed)
		if _, err := o.Do(who["desk"], facility.Act{Action: facility.OrderReopen, Note: "still leaks"}, at); err != nil {
			t.Fatal(err)
		}
		if o.Assignee != "" || o.AcceptedAt != nil || o.ArrivedAt != nil || o.FinishedAt != nil || o.Reopened != 1 {
			t.Errorf("reopened order %+v", o)
		}
		if !o.FinishBy.Equal(at.Add(12*time.Hour)) || o.Overdue(at) {
			t.Errorf("rework is promised for %v, want 12 h from now", o.FinishBy)
		}
	})
}

func TestOverdue(t *testing.T) {
	// P2: accepted in 10 min, on site in 30 min, finished in 12 h.
	tests := []struct {
		state facility.OrderState
		after time.Duration
		want  bool
	}{
		{"new", 10 * time.Minute, false},
		{"new", 10*time.Minute + 1, true},
		{"assigned", 11 * time.Minute, true},
		{"accepted", 11 * time.Minute, false},
		{"accepted", 31 * time.Minute, true},
		{"in_progress", 31 * time.Minute, false},
		{"in_progress", 12*time.Hour + 1, true},
		{"on_hold", 13 * time.Hour, true},
		{"completed", 13 * time.Hour, false},
		{"verified", 13 * time.Hour, false},
		{"closed", 13 * time.Hour, false},
		{"cancelled", 13 * time.Hour, false},
	}
	for _, tt := range tests {
		o := order(tt.state)
		if got := o.Overdue(noon.Add(tt.after)); got != tt.want {
			t.Errorf("%s after %v overdue: %v", tt.state, tt.after, got)
		}
	}
	if o := (facility.Order{State: facility.OrderNew}); o.Overdue(noon) {
		t.Error("an order without promises is overdue")
	}
}
