package facility

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// OrderStep is one thing to do of a work order. Its text never changes; who ticked it last
// is here, and all that was ticked in the order's history.
type OrderStep struct {
	Text Text      `json:"text"`
	By   string    `json:"by,omitempty"` // login of who ticked it; empty is not done
	At   time.Time `json:"at,omitzero"`  // when it was ticked
}

// Done reports whether somebody says that the step is done.
func (s OrderStep) Done() bool { return s.By != "" }

// Checklist returns a checklist of which nothing is done yet.
func Checklist(texts []Text) []OrderStep {
	var out []OrderStep
	for _, t := range texts {
		out = append(out, OrderStep{Text: t.Whole()})
	}
	return out
}

// Undone returns the numbers, from 1, of the steps that nobody has ticked.
func (o *Order) Undone() []int {
	var out []int
	for i, s := range o.Checklist {
		if !s.Done() {
			out = append(out, i+1)
		}
	}
	return out
}

// ticks reports whether the action is about one step of the checklist.
func (a OrderAction) ticks() bool { return a == OrderTick || a == OrderUntick }

// checkStep refuses a step that the order does not have.
func (o *Order) checkStep(act Act) error {
	if act.Action.ticks() && (act.Step < 1 || act.Step > len(o.Checklist)) {
		return fmt.Errorf("the order has no step %d: %w", act.Step, ErrInvalid)
	}
	return nil
}

// Already reports whether the act would change nothing, because the step is ticked, or
// not, as it asks. What a phone sends again, not knowing that it arrived, is no second
// line of the history.
func (o *Order) Already(act Act) bool {
	return act.Action.ticks() && o.checkStep(act) == nil && o.Checklist[act.Step-1].Done() == (act.Action == OrderTick)
}

// tick ticks a step, or takes the tick back. The list is made anew, because copies of
// the order share it.
func (o *Order) tick(actor string, act Act, at time.Time) {
	o.Checklist = slices.Clone(o.Checklist)
	s := &o.Checklist[act.Step-1]
	s.By, s.At = "", time.Time{}
	if act.Action == OrderTick {
		s.By, s.At = actor, at
	}
}

// untickAll begins the checklist anew, for work that has to be done again.
func (o *Order) untickAll() {
	o.Checklist = slices.Clone(o.Checklist)
	for i := range o.Checklist {
		o.Checklist[i].By, o.Checklist[i].At = "", time.Time{}
	}
}

// withUndone puts behind what a person wrote which steps are not done, in both
// languages, as a note has only one.
func (o *Order) withUndone(note string) string {
	undone := o.Undone()
	if len(undone) == 0 {
		return note
	}
	var b strings.Builder
	b.WriteString(note + "\n未做的步骤 · steps not done:")
	for _, n := range undone {
		t := o.Checklist[n-1].Text
		fmt.Fprintf(&b, "\n%d. %s", n, t.In("zh"))
		if t.In("en") != t.In("zh") {
			b.WriteString(" · " + t.In("en"))
		}
	}
	return b.String()
}
