package rules

import (
	"strings"
	"time"

	"gengfu/facility"
)

// This file is all that makes an alarm of how a condition stands: the delays and the
// states of facility.Alarm. It asks the test for nothing but the value that an alarm
// shows, and the rest of the package asks it for nothing but meet, fire, due and
// active.

// meet takes in how the condition stands at the instant at.
func (i *instance) meet(out []Change, f finding, at instant) []Change {
	blind := f.raise == Unknown || f.clear == Unknown && i.active()
	if i.Blind != blind {
		out = i.turn(out, !blind, at)
	}
	if blind {
		return out
	}
	i.await(f, at)
	if i.Pending == nothing || i.Deadline > at {
		return out
	}
	out = append(out, i.fire())
	i.await(f, at)
	return out
}

// turn makes the instance blind or lets it see again. Delays stand still while it
// is blind, and bad data neither raises nor clears.
func (i *instance) turn(out []Change, known bool, at instant) []Change {
	i.Blind = !known
	if i.Pending != nothing {
		if known {
			i.Deadline = at.add(i.Left)
			i.Left = 0
		} else {
			i.Left = time.Duration(i.Deadline - at)
			i.Deadline = 0
		}
	}
	if i.Alarm == nil || i.Alarm.Unknown == i.Blind {
		return out
	}
	i.Alarm.Unknown = i.Blind
	if known {
		return append(out, i.change(facility.AlarmTurnKnown, i.Alarm.State, at))
	}
	return append(out, i.change(facility.AlarmTurnUnknown, i.Alarm.State, at))
}

// await starts, keeps or drops the delay that the finding calls for.
func (i *instance) await(f finding, at instant) {
	want, delay := nothing, time.Duration(0)
	switch active := i.active(); {
	case active && f.clear == True:
		want, delay = clearing, i.rule.OffDelay
	case !active && f.raise == True:
		want, delay = raising, i.rule.OnDelay
	}
	switch {
	case want == nothing:
		i.Pending, i.Deadline = nothing, 0
	case want == raising && f.due != 0:
		i.Pending, i.Deadline = want, f.due
	case i.Pending != want:
		i.Pending, i.Deadline = want, at.add(delay)
	}
}

// fire does what was pending, at its deadline.
func (i *instance) fire() Change {
	event, at := i.Pending, max(i.Deadline, i.At)
	i.Pending, i.Deadline, i.At = nothing, 0, at
	if event == clearing {
		return i.clear(at)
	}
	return i.raise(at)
}

func (i *instance) raise(at instant) Change {
	value, unit := i.test.value(at)
	if i.Alarm == nil {
		i.Alarm = i.newAlarm(at.time())
		i.Alarm.Value, i.Alarm.Unit = value, unit
		i.engine.byID[i.Alarm.ID] = i
		return i.change(facility.AlarmRaise, facility.AlarmNormal, at)
	}
	_ = i.move(facility.AlarmRaise) // lawful: the alarm is not active, and not normal or it would be gone
	i.Alarm.Value, i.Alarm.Unit = value, unit
	i.Alarm.LastAt = at.time()
	i.Alarm.Count++
	return i.change(facility.AlarmRecur, facility.AlarmReturned, at)
}

func (i *instance) clear(at instant) Change {
	from := i.Alarm.State
	_ = i.move(facility.AlarmClear) // lawful: only an active alarm waits to clear
	cleared := at.time()
	i.Alarm.ClearedAt = &cleared
	return i.change(facility.AlarmClear, from, at)
}

// move applies an event of facility to the standing alarm.
func (i *instance) move(e facility.AlarmEvent) error {
	next, err := i.Alarm.State.Next(e)
	if err == nil {
		i.Alarm.State = next
	}
	return err
}

// change returns what happened and lets go of an alarm that is normal again.
func (i *instance) change(e facility.AlarmEvent, from facility.AlarmState, at instant) Change {
	c := Change{Alarm: copyAlarm(*i.Alarm), Event: e, From: from, At: at.time(), Order: i.rule.Order}
	if i.Alarm.State == facility.AlarmNormal {
		delete(i.engine.byID, i.Alarm.ID)
		i.Alarm = nil
	}
	return c
}

func (i *instance) newAlarm(at time.Time) *facility.Alarm {
	return &facility.Alarm{
		ID:       AlarmID(i.engine.site.ID, i.key, at),
		Key:      i.key,
		Rule:     i.rule.ID,
		Device:   i.device.ID,
		Place:    i.device.Place,
		Title:    join(i.device.Name, i.rule.Name),
		Advice:   whole(i.rule.Advice),
		Priority: i.rule.Priority,
		State:    facility.AlarmUnacknowledged,
		Count:    1,
		RaisedAt: at,
		LastAt:   at,
	}
}

// join puts two texts behind each other in each language.
func join(a, b facility.Text) facility.Text {
	return facility.Text{
		ZH: strings.TrimSpace(a.In("zh") + " " + b.In("zh")),
		EN: strings.TrimSpace(a.In("en") + " " + b.In("en")),
	}
}

// whole fills in a missing language, as saving the text would, so that a restored
// alarm is the same as one that was never saved.
func whole(t facility.Text) facility.Text {
	return facility.Text{ZH: t.In("zh"), EN: t.In("en")}
}
