package rules

import (
	"strings"
	"time"

	"gengfu/facility"
)

// instance is one rule on one device.
type instance struct {
	engine *Engine
	rule   Rule
	device facility.Device
	key    string // "rule/device"
	index  int
	test   test
	// touched marks it while the readings of one instant are taken in.
	touched bool
	state
}

// state is what an instance remembers.
type state struct {
	At       time.Time           `json:"at"`    // the latest instant that is judged
	Blind    bool                `json:"blind"` // what it depends on is bad or was never seen
	Pending  facility.AlarmEvent `json:"pending,omitempty"`
	Deadline time.Time           `json:"deadline,omitzero"` // of Pending
	Left     time.Duration       `json:"left,omitempty"`    // of Pending, while blind
	Alarm    *facility.Alarm     `json:"alarm,omitempty"`   // nil is normal
}

// fresh is the state before the first reading. Silence needs none to be judged.
func fresh(t test) state {
	_, silence := t.(*silenceTest)
	return state{Blind: !silence}
}

// listen lets silence count from now on.
func (i *instance) listen(now time.Time) {
	if t, ok := i.test.(*silenceTest); ok && !i.active() {
		i.await(t.find(now), now)
	}
}

func (i *instance) active() bool { return i.Alarm != nil && i.Alarm.State.Active() }

// elapse lets time pass until the instant until, inclusive, with no reading in it.
func (i *instance) elapse(out []Change, until time.Time) []Change {
	if i.Pending == "" || i.Blind || i.Deadline.After(until) {
		return out
	}
	return append(out, i.fire())
}

// judge looks at what the test finds at the instant at, or at the latest instant
// that is judged already when that is later.
func (i *instance) judge(out []Change, at time.Time) []Change {
	if at.Before(i.At) {
		at = i.At
	}
	i.At = at
	f := i.test.find(at)
	if i.Blind == f.known {
		out = i.turn(out, f.known, at)
	}
	if !f.known {
		return out
	}
	i.await(f, at)
	if i.Pending == "" || i.Deadline.After(at) {
		return out
	}
	out = append(out, i.fire())
	i.await(f, at)
	return out
}

// turn makes the instance blind or lets it see again. Delays stand still while it
// is blind, and bad data neither raises nor clears.
func (i *instance) turn(out []Change, known bool, at time.Time) []Change {
	i.Blind = !known
	if i.Pending != "" {
		if known {
			i.Deadline = at.Add(i.Left)
			i.Left = 0
		} else {
			i.Left = i.Deadline.Sub(at)
			i.Deadline = time.Time{}
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
func (i *instance) await(f finding, at time.Time) {
	want, delay := facility.AlarmEvent(""), time.Duration(0)
	switch {
	case i.active() && f.clear:
		want, delay = facility.AlarmClear, i.rule.OffDelay
	case !i.active() && f.raise:
		want, delay = facility.AlarmRaise, i.rule.OnDelay
	}
	switch {
	case want == "":
		i.Pending, i.Deadline = "", time.Time{}
	case want == facility.AlarmRaise && !f.due.IsZero():
		i.Pending, i.Deadline = want, f.due
	case i.Pending != want:
		i.Pending, i.Deadline = want, at.Add(delay)
	}
}

// fire does what was pending, at its deadline.
func (i *instance) fire() Change {
	event, at := i.Pending, i.Deadline
	i.Pending, i.Deadline = "", time.Time{}
	if at.Before(i.At) {
		at = i.At
	}
	i.At = at
	if event == facility.AlarmClear {
		return i.clear(at)
	}
	return i.raise(at)
}

func (i *instance) raise(at time.Time) Change {
	f := i.test.find(at)
	if i.Alarm == nil {
		i.Alarm = i.newAlarm(at)
		i.Alarm.Value, i.Alarm.Unit = i.test.value(), f.unit
		i.engine.byID[i.Alarm.ID] = i
		return i.change(facility.AlarmRaise, facility.AlarmNormal, at)
	}
	_ = i.move(facility.AlarmRaise) // lawful: the alarm is not active, and not normal or it would be gone
	i.Alarm.Value, i.Alarm.Unit = i.test.value(), f.unit
	i.Alarm.LastAt = at
	i.Alarm.Count++
	return i.change(facility.AlarmRecur, facility.AlarmReturned, at)
}

func (i *instance) clear(at time.Time) Change {
	from := i.Alarm.State
	_ = i.move(facility.AlarmClear) // lawful: only an active alarm waits to clear
	i.Alarm.ClearedAt = &at
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
func (i *instance) change(e facility.AlarmEvent, from facility.AlarmState, at time.Time) Change {
	c := Change{Alarm: copyAlarm(*i.Alarm), Event: e, From: from, At: at, Order: i.rule.Order}
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
