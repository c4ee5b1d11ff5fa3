package lifecycle

import (
	"fmt"
	"time"

	"gengfu/facility"
)

// Policy is what the rule and the configuration say of an alarm.
type Policy struct {
	Latch    bool          // it stays after its condition has gone, until it is reset
	Realarm  time.Duration // people are told again of what still stands, so long after they were told; 0 is never
	Quiet    time.Duration // the least time between two tellings of no greater severity; 0 is as Realarm
	MaxShelf time.Duration // 0 is DefaultMaxShelf
	AckNote  bool          // an acknowledgement needs a note
}

// quiet is the least time between two tellings.
func (p Policy) quiet() time.Duration {
	if p.Quiet > 0 {
		return p.Quiet
	}
	return p.Realarm
}

// State is how the alarm of a key stands. The zero value is not a state, see Fresh.
type State struct {
	Base        facility.AlarmState
	Unknown     bool              // the points that it depends on are bad; the rest is as it was last known
	Priority    facility.Priority // the most severe of this occurrence, empty before the first
	Told        time.Time         // when people were last told, of this occurrence or one before; zero is never
	ToldAs      facility.Priority // how severe it was then
	Untold      bool              // people have neither seen this occurrence nor been told of it
	Shelf       Hold
	Suppression Hold
	Outage      Hold
}

// Fresh is the state of a key that was never raised.
func Fresh() State { return State{Base: normal} }

// Input is one event of an alarm's life.
type Input struct {
	Event    facility.AlarmEvent
	At       time.Time
	By       string            // login, or facility.SystemActor
	Note     string            // of a person; the reason of a hold
	Priority facility.Priority // of a raise always; of a re-alarm if it became more severe
	Until    time.Time         // of a hold
	OneShot  bool              // of a shelf
	Cause    string            // of a suppression
	Untold   bool              // of a suppression: people were to be told of the alarm, and will not be
	Order    string            // of out of service
}

// Why says why people are told, or why not.
type Why string

// The reasons to tell, and not to.
const (
	WhyRaised   Why = "raised"   // told: it was raised, or came again
	WhyRealarm  Why = "realarm"  // told: it still stands
	WhySevere   Why = "severe"   // told: it became more severe
	WhyReleased Why = "released" // told: the last hold ended and it is there
	WhySilent   Why = "silent"   // not told: nothing that people need to be told
	WhyUnseen   Why = "unseen"   // not told: they were told and have not looked yet
	WhyHeld     Why = "held"     // not told: something holds it
	WhyQuiet    Why = "quiet"    // not told yet: they were told a short while ago, see State.Due
)

// Transition is what an event did. It alone says whether people are told.
type Transition struct {
	Event      facility.AlarmEvent
	From, To   facility.AlarmState // base
	Was, Shown facility.AlarmState // what pages showed, and show
	Annunciate bool
	Why        Why
	Recurred   bool // the condition came again in an occurrence that stands: count it
	Unshelved  bool // a one-shot shelf ended with it
}

// Step applies the event. It fails with facility.ErrUnlawful when the event is not
// lawful in this state and with facility.ErrInvalid when it lacks something; the state
// is then as it was.
func (s State) Step(p Policy, in Input) (State, Transition, error) {
	next := s
	t, err := next.apply(p, in)
	if err != nil {
		return s, Transition{}, fmt.Errorf("%s an alarm that is %s: %w", in.Event, s.Shown(), err)
	}
	t.Event, t.From, t.To, t.Was, t.Shown = in.Event, s.Base, next.Base, s.Shown(), next.Shown()
	return next, t, nil
}

func (s *State) apply(p Policy, in Input) (Transition, error) {
	if h, begins := s.hold(in.Event); h != nil {
		return s.changeHold(p, in, h, begins)
	}
	switch in.Event {
	case facility.AlarmTurnUnknown, facility.AlarmTurnKnown:
		unknown := in.Event == facility.AlarmTurnUnknown
		if s.Unknown == unknown {
			return Transition{}, facility.ErrUnlawful
		}
		s.Unknown = unknown
		return Transition{Why: WhySilent}, nil
	case release: // only ever by the end of a hold
		return Transition{}, facility.ErrUnlawful
	}
	if err := s.check(p, in); err != nil {
		return Transition{}, err
	}
	if in.Event != facility.AlarmRaise && in.Event != facility.AlarmRealarm {
		in.Priority = ""
	}
	return s.move(p, in)
}

// changeHold begins or ends a hold.
func (s *State) changeHold(p Policy, in Input, h *Hold, begins bool) (Transition, error) {
	if begins {
		made, err := newHold(p, in)
		if err != nil {
			return Transition{}, err
		}
		*h = made
		if in.Event == facility.AlarmSuppress && in.Untold && s.Base == unacked {
			s.Told, s.ToldAs, s.Untold = time.Time{}, "", true
		}
		return Transition{Why: WhySilent}, nil
	}
	if !h.On() {
		return Transition{}, facility.ErrUnlawful
	}
	*h = Hold{}
	if s.Held() || !s.Base.Active() {
		return Transition{Why: WhySilent}, nil
	}
	return s.move(p, Input{Event: release, At: in.At})
}

// check refuses what the table alone does not.
func (s *State) check(p Policy, in Input) error {
	switch in.Event {
	case facility.AlarmRaise:
		if !in.Priority.Valid() {
			return fmt.Errorf("its priority is missing: %w", facility.ErrInvalid)
		}
		return s.known()
	case facility.AlarmClear:
		return s.known()
	case facility.AlarmRealarm:
		if err := s.known(); err != nil || s.severer(in.Priority) {
			return err
		}
		if due, ok := s.realarmDue(p); !ok || in.At.Before(due) {
			return fmt.Errorf("it is not due: %w", facility.ErrUnlawful)
		}
	case facility.AlarmAcknowledge, facility.AlarmReset:
		if in.By == "" {
			return fmt.Errorf("who does it is missing: %w", facility.ErrInvalid)
		}
		if in.Event == facility.AlarmReset {
			return s.known()
		}
		if p.AckNote && in.Note == "" {
			return facility.ErrNoteMissing
		}
	}
	return nil
}

// known refuses what bad data cannot tell.
func (s *State) known() error {
	if s.Unknown {
		return fmt.Errorf("its points are not known: %w", facility.ErrUnlawful)
	}
	return nil
}

// severer reports whether p is more severe than what the alarm is.
func (s *State) severer(p facility.Priority) bool { return p.Valid() && p < s.Priority }

// move moves the base state by the table.
func (s *State) move(p Policy, in Input) (Transition, error) {
	row, ok := find(s.Base, in.Event, p.Latch, s.Held())
	if !ok {
		return Transition{}, facility.ErrUnlawful
	}
	t := Transition{Why: WhySilent, Recurred: in.Event == facility.AlarmRaise && s.Base != normal}
	severe := s.Base != normal && s.severer(in.Priority)
	if severe || s.Base == normal {
		s.Priority = in.Priority
	}
	s.Base = row.To
	switch {
	case row.Tell != Silent:
		again := row.Tell == Again && !severe && !s.Untold
		t.Annunciate, t.Why = s.tell(p, in, again, severe)
	case s.Base != returned && s.Base != latchedU:
		s.Untold = false
	}
	if s.Shelf.OneShot && row.From.Active() && !s.Base.Active() {
		s.Shelf = Hold{}
		t.Unshelved = true
	}
	return t, nil
}

// tell decides whether people are told of something that they should know. Again says
// that they were told of this occurrence and have not looked.
func (s *State) tell(p Policy, in Input, again, severe bool) (bool, Why) {
	if again && p.quiet() == 0 {
		return false, WhyUnseen
	}
	s.Untold = true
	if s.Held() {
		return false, WhyHeld
	}
	if !s.Told.IsZero() && s.Priority >= s.ToldAs {
		if since := in.At.Sub(s.Told); since >= 0 && since < p.quiet() {
			return false, WhyQuiet
		}
	}
	s.Told, s.ToldAs, s.Untold = in.At, s.Priority, false
	switch {
	case severe:
		return true, WhySevere
	case in.Event == release:
		return true, WhyReleased
	case in.Event == facility.AlarmRealarm:
		return true, WhyRealarm
	}
	return true, WhyRaised
}

// Forgettable reports whether from now on it does as Fresh would: nothing holds it, and
// of what was told nobody needs to know.
func (s State) Forgettable(p Policy, now time.Time) bool {
	return s.Base == normal && !s.Held() && (s.Told.IsZero() || !now.Before(s.Told.Add(p.quiet())))
}

// Due returns the next event that time alone brings, and when: the end of a hold or a
// re-alarm. The caller does it by Step at that time, as facility.SystemActor, and asks
// again. It is false when there is none.
func (s State) Due(p Policy) (facility.AlarmEvent, time.Time, bool) {
	var event facility.AlarmEvent
	var at time.Time
	for _, d := range []struct {
		event facility.AlarmEvent
		hold  Hold
	}{
		{facility.AlarmUnshelve, s.Shelf},
		{facility.AlarmUnsuppress, s.Suppression},
		{facility.AlarmPutBack, s.Outage},
	} {
		if d.hold.On() && !d.hold.Until.IsZero() && (event == "" || d.hold.Until.Before(at)) {
			event, at = d.event, d.hold.Until
		}
	}
	if event != "" {
		return event, at, true
	}
	if due, ok := s.realarmDue(p); ok && !s.Unknown {
		return facility.AlarmRealarm, due, true
	}
	return "", time.Time{}, false
}

// realarmDue returns when people are to be told again, or of what was kept back.
func (s State) realarmDue(p Policy) (time.Time, bool) {
	switch {
	case s.Held() || !s.Base.Active():
		return time.Time{}, false
	case s.Untold:
		return s.Told.Add(p.quiet()), true
	case p.Realarm > 0 && !s.Told.IsZero():
		return s.Told.Add(max(p.Realarm, p.quiet())), true
	}
	return time.Time{}, false
}
