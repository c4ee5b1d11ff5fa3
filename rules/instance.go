package rules

import (
	"strings"
	"time"

	"gengfu/facility"
)

// instance is one rule on one device. Its test says how things stand, see finding;
// the delays and the alarm are made of that here and nowhere else.
type instance struct {
	// What each reading needs comes first, in one cache line.
	test   test
	queued instant // when it is looked at for want of a reading; never is never
	index  int32
	// touched marks it while the readings of one instant are taken in.
	touched bool
	state
	place  int32 // in the engine's queue, from 1; 0 is none
	engine *Engine
	rule   *ruleInUse
	device *facility.Device
	key    string // "rule/device"
}

// ruleInUse is a rule as it is with its override.
type ruleInUse struct {
	Rule
	print string // fingerprint
}

// state is what an instance remembers.
type state struct {
	At       instant         // the latest instant that is judged
	Wake     instant         // the next instant at which time alone may change what the test finds
	Deadline instant         // of Pending, while it is not blind
	Alarm    *facility.Alarm // nil is normal
	Blind    bool            // what it depends on is not known
	Pending  pending         //
	Left     time.Duration   // of Pending, while blind
}

// pending is what waits for a delay to run out.
type pending byte

const (
	nothing pending = iota
	raising
	clearing
)

// fresh is the state before the first reading. Silence needs none to be judged.
func fresh(t test) state {
	_, silence := t.(*silenceTest)
	return state{Blind: !silence, Wake: never}
}

// listen lets silence count from now on.
func (i *instance) listen(now instant) {
	if t, ok := i.test.(*silenceTest); ok && !i.active() {
		i.await(t.find(now), now)
	}
}

func (i *instance) active() bool { return i.Alarm != nil && i.Alarm.State.Active() }

// due is when a delay runs out.
func (i *instance) due() instant {
	if i.Pending == nothing || i.Blind {
		return never
	}
	return i.Deadline
}

// elapse lets time pass until the instant until, inclusive, with no reading in it.
func (i *instance) elapse(out []Change, until instant) []Change {
	// Nobody looks back at each minute of years.
	if i.Wake < until-longestLook {
		i.Wake = until - longestLook
	}
	for {
		due := i.due()
		switch {
		case min(due, i.Wake) > until:
			return out
		case i.Wake <= due:
			out = i.judge(out, i.Wake)
		default:
			out = append(out, i.fire())
		}
	}
}

// longestLook bounds how far back an instance looks at what time alone did.
const longestLook = instant(400 * 24 * time.Hour)

// judge looks at what the test finds at the instant at, or at the latest instant
// that is judged already when that is later.
func (i *instance) judge(out []Change, at instant) []Change {
	at = max(at, i.At)
	i.At = at
	i.engine.stats.Judged++
	f := i.test.find(at)
	i.Wake = f.wake
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
