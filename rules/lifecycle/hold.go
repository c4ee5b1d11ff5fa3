package lifecycle

import (
	"cmp"
	"fmt"
	"time"

	"gengfu/facility"
)

// DefaultMaxShelf is the longest that an alarm may be shelved where nothing else is
// configured: one shift, so that it is seen by the next one.
const DefaultMaxShelf = 8 * time.Hour

// Hold keeps an alarm quiet. The zero value is none.
type Hold struct {
	By      string    // login, or facility.SystemActor
	Reason  string    // of a shelf always; of out of service without an order
	Cause   string    // of a suppression: the alarm or the condition that it follows from
	Order   string    // of out of service: the work order that it ends with
	Since   time.Time //
	Until   time.Time // of a shelf always; zero is until somebody ends it
	OneShot bool      // of a shelf: it also ends when the condition goes
}

// On reports whether it holds.
func (h Hold) On() bool { return !h.Since.IsZero() }

// Held reports whether anything holds the alarm.
func (s State) Held() bool { return s.Shelf.On() || s.Suppression.On() || s.Outage.On() }

// Shown returns the state that pages show: what holds the alarm, or else its own.
func (s State) Shown() facility.AlarmState {
	switch {
	case s.Outage.On():
		return facility.AlarmOutOfService
	case s.Suppression.On():
		return facility.AlarmSuppressed
	case s.Shelf.On():
		return facility.AlarmShelved
	}
	return s.Base
}

// Holds returns what holds the alarm of the key, at most one of each kind.
func (s State) Holds(key string) []facility.AlarmHold {
	var out []facility.AlarmHold
	for _, h := range []struct {
		kind facility.AlarmState
		Hold
	}{
		{facility.AlarmOutOfService, s.Outage}, {facility.AlarmShelved, s.Shelf}, {facility.AlarmSuppressed, s.Suppression},
	} {
		if !h.On() {
			continue
		}
		held := facility.AlarmHold{
			Key: key, Kind: h.kind, By: h.By, Reason: h.Reason, Cause: h.Cause, Order: h.Order, Since: h.Since, OneShot: h.OneShot,
		}
		if !h.Until.IsZero() {
			held.Until = &h.Until
		}
		out = append(out, held)
	}
	return out
}

// Begins returns the event by which a hold of the kind begins, and the one by which it
// ends; none for what is no hold.
func Begins(kind facility.AlarmState) (begins, ends facility.AlarmEvent) {
	switch kind {
	case facility.AlarmShelved:
		return facility.AlarmShelve, facility.AlarmUnshelve
	case facility.AlarmSuppressed:
		return facility.AlarmSuppress, facility.AlarmUnsuppress
	case facility.AlarmOutOfService:
		return facility.AlarmTakeOut, facility.AlarmPutBack
	}
	return "", ""
}

// hold returns where the event begins or ends a hold, and whether it begins it; nil
// for all other events.
func (s *State) hold(e facility.AlarmEvent) (h *Hold, begins bool) {
	switch e {
	case facility.AlarmShelve, facility.AlarmUnshelve:
		return &s.Shelf, e == facility.AlarmShelve
	case facility.AlarmSuppress, facility.AlarmUnsuppress:
		return &s.Suppression, e == facility.AlarmSuppress
	case facility.AlarmTakeOut, facility.AlarmPutBack:
		return &s.Outage, e == facility.AlarmTakeOut
	}
	return nil, false
}

// newHold makes the hold that the input asks for. A hold that is on is replaced.
func newHold(p Policy, in Input) (Hold, error) {
	h := Hold{By: in.By, Reason: in.Note, Since: in.At, Until: in.Until}
	if in.By == "" {
		return h, fmt.Errorf("who does it is missing: %w", facility.ErrInvalid)
	}
	if !in.Until.IsZero() && !in.Until.After(in.At) {
		return h, fmt.Errorf("its end is not after its beginning: %w", facility.ErrInvalid)
	}
	switch in.Event {
	case facility.AlarmSuppress:
		h.Cause = in.Cause
		if h.Cause == "" {
			return h, fmt.Errorf("what it follows from is missing: %w", facility.ErrInvalid)
		}
	case facility.AlarmTakeOut:
		h.Order = in.Order
		if h.Order == "" && h.Reason == "" {
			return h, fmt.Errorf("it needs a work order or a reason: %w", facility.ErrInvalid)
		}
	default:
		h.OneShot = in.OneShot
		longest := cmp.Or(p.MaxShelf, DefaultMaxShelf)
		switch {
		case h.Reason == "":
			return h, fmt.Errorf("the reason is missing: %w", facility.ErrInvalid)
		case h.Until.IsZero():
			return h, fmt.Errorf("its end is missing: %w", facility.ErrInvalid)
		case h.Until.Sub(in.At) > longest:
			return h, &facility.ShelfTooLongError{Longest: longest}
		}
	}
	return h, nil
}

// Restore makes what was stored fit to go on with. A hold of which is not known who
// set it, why or until when is not trusted: it is due to end at now, by the same way as
// any other, so that it is recorded and people are told of what it hid. A base state
// that does not exist is refused.
func Restore(s State, now time.Time) (State, error) {
	if s.Base == "" {
		s.Base = normal
	}
	if _, ok := table[s.Base]; !ok {
		return s, fmt.Errorf("restore alarm in state %q: %w", s.Base, facility.ErrInvalid)
	}
	if h := s.Shelf; h.On() && (h.By == "" || h.Reason == "" || h.Until.IsZero()) {
		s.Shelf.Until = now
	}
	if h := s.Suppression; h.On() && h.Cause == "" {
		s.Suppression.Until = now
	}
	if h := s.Outage; h.On() && (h.By == "" || h.Order == "" && h.Reason == "") {
		s.Outage.Until = now
	}
	return s, nil
}
