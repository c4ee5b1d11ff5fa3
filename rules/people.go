package rules

import (
	"fmt"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// Acknowledge says that the person by has seen the alarm. It fails with
// facility.ErrNotFound when no such alarm stands, with facility.ErrUnlawful
// when it is acknowledged already and with facility.ErrInvalid when something of the
// person is missing.
func (e *Engine) Acknowledge(alarmID, by, note string, at time.Time) (Change, error) {
	return e.actOn(alarmID, lifecycle.Input{Event: facility.AlarmAcknowledge, By: by, Note: note}, at)
}

// Reset lets go of the latch of an alarm whose condition has gone. It fails as
// Acknowledge does.
func (e *Engine) Reset(alarmID, by, note string, at time.Time) (Change, error) {
	return e.actOn(alarmID, lifecycle.Input{Event: facility.AlarmReset, By: by, Note: note}, at)
}

func (e *Engine) actOn(alarmID string, in lifecycle.Input, at time.Time) (Change, error) {
	i, ok := e.byID[alarmID]
	if !ok {
		return Change{}, fmt.Errorf("%s alarm %s: %w", in.Event, alarmID, facility.ErrNotFound)
	}
	return e.act(i, in, at)
}

// What people do counts for the alarm as it is known: who wants what became true by
// time alone to come first calls Advance before.

// Hold begins what keeps the alarm of a key ("rule/device") quiet, whether it stands or
// is normal: in.Event is facility.AlarmShelve, AlarmSuppress or AlarmTakeOut. A hold of
// the kind that is on already is replaced. It fails with facility.ErrNotFound when no
// rule is for the device, and with facility.ErrInvalid when something is missing or the
// shelf is too long, see package lifecycle.
func (e *Engine) Hold(key string, in lifecycle.Input) (Change, error) {
	switch in.Event {
	case facility.AlarmShelve, facility.AlarmSuppress, facility.AlarmTakeOut:
		return e.actOnKey(key, in)
	}
	return Change{}, fmt.Errorf("%s is no hold: %w", in.Event, facility.ErrInvalid)
}

// Release ends a hold: in.Event is facility.AlarmUnshelve, AlarmUnsuppress or
// AlarmPutBack. When it was the last one and the condition is there, people are told.
// It fails with facility.ErrUnlawful when there is no such hold.
func (e *Engine) Release(key string, in lifecycle.Input) (Change, error) {
	switch in.Event {
	case facility.AlarmUnshelve, facility.AlarmUnsuppress, facility.AlarmPutBack:
		return e.actOnKey(key, in)
	}
	return Change{}, fmt.Errorf("%s ends no hold: %w", in.Event, facility.ErrInvalid)
}

func (e *Engine) actOnKey(key string, in lifecycle.Input) (Change, error) {
	i := e.find(key)
	if i == nil {
		return Change{}, fmt.Errorf("%s alarm %s: %w", in.Event, key, facility.ErrNotFound)
	}
	if !in.Until.IsZero() {
		in.Until = clamp(in.Until).time()
	}
	return e.act(i, in, in.At)
}

func (e *Engine) act(i *instance, in lifecycle.Input, at time.Time) (Change, error) {
	c, err := i.step(in, clamp(at))
	if err != nil {
		return Change{}, fmt.Errorf("alarm %s: %w", i.key, err)
	}
	e.queue.plan(i)
	return c, nil
}

// find returns the instance of a key, or nil.
func (e *Engine) find(key string) *instance {
	if e.byKey == nil {
		e.byKey = make(map[string]*instance, len(e.instances))
		for _, i := range e.instances {
			e.byKey[i.key] = i
		}
	}
	return e.byKey[key]
}

// Holds returns what keeps the alarm of a key quiet.
func (e *Engine) Holds(key string) []facility.AlarmHold {
	if i := e.find(key); i != nil {
		return i.life().Holds(key)
	}
	return nil
}

// Held is an alarm, or a key without one, that something keeps quiet.
type Held struct {
	Alarm facility.Alarm // without an ID when it is normal
	Life  lifecycle.State
}

// Held returns what is kept quiet, in the order of rules and devices.
func (e *Engine) Held() []Held {
	var out []Held
	for _, i := range e.instances {
		if i.Life != nil && i.Life.Held() {
			out = append(out, Held{Alarm: i.shown(), Life: i.life()})
		}
	}
	return out
}
