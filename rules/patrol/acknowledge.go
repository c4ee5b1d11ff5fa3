package patrol

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
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
	from := a.State
	next, err := from.Next(facility.AlarmAcknowledge)
	if err != nil {
		return nil, fmt.Errorf("acknowledge alarm %s: %w", alarmID, err)
	}
	at = instant(at)
	acked := at
	a.State, a.AckedAt, a.AckedBy, a.AckNote = next, &acked, by, note
	r := j.find(a.Round)
	out := []Change{alarmChange(r, a, facility.AlarmAcknowledge, from, "", at)}
	switch {
	case next == facility.AlarmNormal:
		delete(j.alarms, a.Key)
	case r == nil || !at.Before(over(r)):
		out = append(out, j.dismiss(r, a, facility.AlarmClear, Over, at))
	}
	return out, nil
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
