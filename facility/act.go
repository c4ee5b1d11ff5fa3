package facility

import (
	"fmt"
	"strings"
	"time"
)

// Act is what somebody asks to be done to a work order.
type Act struct {
	Action OrderAction
	Note   string
	Target string // the login to assign to
	Photo  string // id of the attachment
	Step   int    // of a tick or untick: the number of the step, from 1
	// At is when a tick or untick was made, on a phone without a network; zero is now.
	// It counts if it is between the making of the order and now.
	At      time.Time
	Version int // the version of the order that the person saw; 0 does not check
}

// Do applies the act to the order and returns the line for its history, with
// the ID left empty. The order is unchanged when an error is returned, in this
// order of precedence: ErrConflict, ErrForbidden, ErrUnlawful or ErrInvalid. A
// conflict comes first because "somebody else has taken it" is what the person
// must hear when that is why they may not act any more.
func (o *Order) Do(p Person, act Act, at time.Time) (OrderEvent, error) {
	if err := o.checkVersion(act); err != nil {
		return OrderEvent{}, err
	}
	if !o.MayAct(p, act.Action) {
		return OrderEvent{}, fmt.Errorf("%s may not %s order %s: %w", p.Login, act.Action, o.No, ErrForbidden)
	}
	return o.apply(p.Login, act, at)
}

// DoSystem applies an act of the program itself: recur, reopen, withdraw or
// comment. Withdraw is unlawful once somebody is at work on the order; the
// program then leaves a comment instead.
func (o *Order) DoSystem(act Act, at time.Time) (OrderEvent, error) {
	switch act.Action {
	case OrderRecur, OrderReopen, OrderWithdraw, OrderComment:
		if err := o.checkVersion(act); err != nil {
			return OrderEvent{}, err
		}
		return o.apply(SystemActor, act, at)
	}
	return OrderEvent{}, fmt.Errorf("the system may not %s order %s: %w", act.Action, o.No, ErrForbidden)
}

func (o *Order) apply(actor string, act Act, at time.Time) (OrderEvent, error) {
	next, err := o.next(act.Action)
	if err != nil {
		return OrderEvent{}, fmt.Errorf("order %s: %w", o.No, err)
	}
	note := strings.TrimSpace(act.Note)
	if act.Action.NeedsNote() && note == "" {
		return OrderEvent{}, fmt.Errorf("%s needs a note: %w", act.Action, ErrInvalid)
	}
	if err := o.checkStep(act); err != nil {
		return OrderEvent{}, fmt.Errorf("%s: %w", act.Action, err)
	}
	if act.Action == OrderAssign && act.Target == "" {
		return OrderEvent{}, fmt.Errorf("assign needs a person: %w", ErrInvalid)
	}
	if act.Action == OrderPhoto && act.Photo == "" {
		return OrderEvent{}, fmt.Errorf("photo needs a picture: %w", ErrInvalid)
	}
	if act.Action == OrderComplete {
		note = o.withUndone(note)
	}
	event := OrderEvent{
		Order: o.ID, At: at, Actor: actor, Action: act.Action,
		From: o.State, To: next, Note: note, Target: act.Target, Photo: act.Photo,
	}
	o.State, o.UpdatedAt = next, at
	o.Version++
	if !act.Action.adds() {
		o.ActedVersion = o.Version
	}
	switch act.Action {
	case OrderAssign:
		o.Assignee = act.Target
		o.AcceptedAt, o.ArrivedAt, o.FinishedAt = nil, nil, nil
	case OrderReturn:
		o.Assignee = ""
		o.AcceptedAt = nil
	case OrderAccept:
		o.AcceptedAt = &at
	case OrderArrive:
		o.ArrivedAt = &at
	case OrderComplete:
		o.FinishedAt = &at
	case OrderReopen:
		o.Reopened++
		o.Assignee = ""
		o.AcceptedAt, o.ArrivedAt, o.FinishedAt = nil, nil, nil
		o.untickAll()
		o.Promise(at)
	case OrderTick, OrderUntick:
		if act.At.After(o.CreatedAt) && act.At.Before(at) {
			event.At = act.At
		}
		o.tick(actor, act, event.At)
		event.Step = act.Step
	case OrderRecur:
		o.count(at)
		event.Times = o.Count - o.Noted
		o.Noted, o.NotedAt = o.Count, at
	}
	return event, nil
}

// CountOn counts one more occurrence, at the instant at, without a line of the history:
// the next recur says how many there were. It fails with ErrUnlawful when the order
// takes no more.
func (o *Order) CountOn(at time.Time) error {
	if _, err := o.next(OrderRecur); err != nil {
		return fmt.Errorf("order %s: %w", o.No, err)
	}
	o.count(at)
	o.UpdatedAt = at
	return nil
}

func (o *Order) count(at time.Time) {
	o.Count++
	if at.After(o.LastAt) {
		o.LastAt = at
	}
}

// next is State.Apply with what only the whole order knows: an order that was
// put on hold before anybody arrived resumes where it was.
func (o *Order) next(a OrderAction) (OrderState, error) {
	s, err := o.State.Apply(a)
	if err == nil && a == OrderResume && o.ArrivedAt == nil {
		return OrderAccepted, nil
	}
	return s, err
}

// checkVersion refuses an act on an order that was acted on since the person
// looked at it. What only adds cannot overwrite anybody's act, and it does not
// get in anybody's way either: a fault that keeps recurring must not make its
// order impossible to accept.
func (o *Order) checkVersion(act Act) error {
	if act.Version == 0 || act.Action.adds() {
		return nil
	}
	if act.Version < o.ActedVersion || act.Version > o.Version {
		return fmt.Errorf("order %s is at version %d, not %d: %w", o.No, o.Version, act.Version, ErrConflict)
	}
	return nil
}

// Promise sets the times by which the order must be accepted, be attended and
// be finished, counted from the time given, as its priority demands.
func (o *Order) Promise(from time.Time) {
	accept, arrive, finish := o.Priority.Times()
	o.AcceptBy, o.ArriveBy, o.FinishBy = from.Add(accept), from.Add(arrive), from.Add(finish)
}

// Overdue reports whether a promised time has passed without what was promised:
// an order that is open and not yet completed, and is not accepted, attended or
// finished in time. A zero time promises nothing. Hold does not stop the clocks.
func (o *Order) Overdue(now time.Time) bool {
	if !o.State.Open() || o.State == OrderCompleted {
		return false
	}
	late := func(done *time.Time, by time.Time) bool {
		return done == nil && !by.IsZero() && now.After(by)
	}
	return late(o.AcceptedAt, o.AcceptBy) || late(o.ArrivedAt, o.ArriveBy) || late(o.FinishedAt, o.FinishBy)
}
