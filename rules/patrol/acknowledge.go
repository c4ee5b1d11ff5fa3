package patrol

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// Acknowledge says that the person by has seen the alarm. When its round can
// change no more, the alarm is normal with that, which is a second change. It
// fails with facility.ErrNotFound when no such alarm stands and with
// facility.ErrUnlawful when it is acknowledged already.
func (j *Judge) Acknowledge(alarmID, by, note string, at time.Time) ([]Change, error) {
	a := j.alarm(alarmID)
	if a == nil {
		return nil, fmt.Errorf("acknowledge alarm %s: %w", alarmID, facility.ErrNotFound)
	}
	at = instant(at)
	t, err := step(a, lifecycle.Input{Event: facility.AlarmAcknowledge, At: at, By: by, Note: note})
	if err != nil {
		return nil, fmt.Errorf("acknowledge alarm %s: %w", alarmID, err)
	}
	acked := at
	a.AckedAt, a.AckedBy, a.AckNote = &acked, by, note
	r := j.find(a.Round)
	out := []Change{alarmChange(r, a, t, "", at)}
	if r == nil || !at.Before(over(r)) {
		out = append(out, j.dismiss(r, a, facility.AlarmClear, Over, at))
	}
	return out, nil
}

// step moves an alarm by the one table. Nothing holds it, and it does not latch.
func step(a *facility.Alarm, in lifecycle.Input) (lifecycle.Transition, error) {
	next, t, err := lifecycle.State{Base: a.State, Priority: a.Priority}.Step(lifecycle.Policy{}, in)
	if err == nil {
		a.State = next.Base
	}
	return t, err
}

// SetOrder notes the work order that an alarm raised, so that later changes of
// the alarm bear it. An alarm that does not stand any more is passed over.
func (j *Judge) SetOrder(alarmID, orderID string) {
	if a := j.alarm(alarmID); a != nil {
		a.OrderID = orderID
	}
}

// Standing returns the alarms that are not normal, by key.
func (j *Judge) Standing() []facility.Alarm {
	out := make([]facility.Alarm, 0, len(j.alarms))
	for _, a := range j.alarms {
		out = append(out, copyAlarm(*a))
	}
	slices.SortFunc(out, func(a, b facility.Alarm) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func (j *Judge) alarm(id string) *facility.Alarm {
	for _, a := range j.alarms {
		if a.ID == id {
			return a
		}
	}
	return nil
}
