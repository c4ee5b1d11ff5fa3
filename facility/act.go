package facility

import (
	"fmt"
	"strings"
	"time"
)

// Act is what somebody asks to be done to a work order.
type Act struct {
	Action  OrderAction
	Note    string
	Target  string // the login to assign to
	Photo   string // id of the attachment
	Version int    // the version of the order that the person saw; 0 does not check
}

// Do applies the act to the order and returns the line for its history, with
// the ID left empty. The order is unchanged when an error is returned:
// ErrForbidden, ErrUnlawful, ErrConflict or ErrInvalid.
func (o *Order) Do(p Person, act Act, at time.Time) (OrderEvent, error) {
	if !o.MayAct(p, act.Action) {
		return OrderEvent{}, fmt.Errorf("%s may not %s order %s: %w", p.Login, act.Action, o.No, ErrForbidden)
	}
	return o.apply(p.Login, act, at)
}

// DoSystem applies an act of the program itself: recur, withdraw or comment.
func (o *Order) DoSystem(act Act, at time.Time) (OrderEvent, error) {
	switch act.Action {
	case OrderRecur, OrderWithdraw, OrderComment:
		return o.apply(SystemActor, act, at)
	}
	return OrderEvent{}, fmt.Errorf("the system may not %s order %s: %w", act.Action, o.No, ErrForbidden)
}

func (o *Order) apply(actor string, act Act, at time.Time) (OrderEvent, error) {
	next, err := o.State.Apply(act.Action)
	if err != nil {
		return OrderEvent{}, err
	}
	switch act.Action {
	case OrderComment, OrderPhoto, OrderRecur:
		// Adding to an order cannot overwrite what somebody else did to it.
	default:
		if act.Version != 0 && act.Version != o.Version {
			return OrderEvent{}, fmt.Errorf("order %s is at version %d, not %d: %w", o.No, o.Version, act.Version, ErrConflict)
		}
	}
	note := strings.TrimSpace(act.Note)
	if act.Action.NeedsNote() && note == "" {
		return OrderEvent{}, fmt.Errorf("%s needs a note: %w", act.Action, ErrInvalid)
	}
	if act.Action == OrderAssign && act.Target == "" {
		return OrderEvent{}, fmt.Errorf("assign needs a person: %w", ErrInvalid)
	}
	event := OrderEvent{
		Order: o.ID, At: at, Actor: actor, Action: act.Action,
		From: o.State, To: next, Note: note, Target: act.Target, Photo: act.Photo,
	}
	o.State, o.UpdatedAt = next, at
	o.Version++
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
		o.FinishedAt = nil
	case OrderRecur:
		o.Count++
		o.LastAt = at
	}
	return event, nil
}
