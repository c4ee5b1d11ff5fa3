package rules

import (
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// This file is all that makes an alarm of how a condition stands: the delays, and the
// events that package lifecycle is told of. It asks the test for nothing but the value
// that an alarm shows, and the rest of the package asks it for nothing but meet, fire,
// due and active.

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
	out = append(out, i.firePending())
	i.await(f, at)
	return out
}

// turn makes the instance blind or lets it see again. Delays stand still while it
// is blind. It is told to people only if there is an alarm.
func (i *instance) turn(out []Change, known bool, at instant) []Change {
	if i.Pending != nothing {
		if known {
			i.Deadline = at.add(i.Left)
			i.Left = 0
		} else {
			i.Left = time.Duration(i.Deadline - at)
			i.Deadline = 0
		}
	}
	event := facility.AlarmTurnUnknown
	if known {
		event = facility.AlarmTurnKnown
	}
	c, err := i.step(lifecycle.Input{Event: event, By: facility.SystemActor}, at)
	if err != nil || c.Alarm.ID == "" {
		return out
	}
	return append(out, c)
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

// fire does what is due first. A delay that runs out comes before what time alone does
// to the alarm: what clears is not told again at the same instant.
func (i *instance) fire() Change {
	i.mark(dirtyState)
	if i.delay() <= i.turns {
		return i.firePending()
	}
	at := max(i.turns, i.At)
	i.At = at
	event, _, _ := i.life().Due(i.rule.life)
	c, err := i.step(lifecycle.Input{Event: event, By: facility.SystemActor}, at)
	if err != nil {
		i.turns = never // it said itself that it is due; it is not asked for ever
	}
	return c
}

// firePending does what was pending, at its deadline.
func (i *instance) firePending() Change {
	event, at := i.Pending, max(i.Deadline, i.At)
	i.Pending, i.Deadline, i.At = nothing, 0, at
	if event == clearing {
		c, _ := i.step(lifecycle.Input{Event: facility.AlarmClear, By: facility.SystemActor}, at) // lawful: only an active alarm waits to clear
		return c
	}
	c, _ := i.step(lifecycle.Input{Event: facility.AlarmRaise, By: facility.SystemActor, Priority: i.rule.Priority}, at) // lawful: the alarm is not active
	return c
}

// life returns how the alarm stands.
func (i *instance) life() lifecycle.State {
	s := lifecycle.Fresh()
	if i.Life != nil {
		s = *i.Life
	}
	s.Unknown = i.Blind
	return s
}

// live makes the alarm stand so. What is as good as fresh is not kept.
func (i *instance) live(s lifecycle.State, at instant) {
	p := i.rule.life
	i.planTurn(s)
	i.Blind, s.Unknown = s.Unknown, false // Blind is where the engine keeps it
	if s.Forgettable(p, at.time()) {
		i.Life = nil
		return
	}
	i.Life = &s
}

// planTurn finds when time alone does something to the alarm.
func (i *instance) planTurn(s lifecycle.State) {
	i.turns = never
	if _, due, ok := s.Due(i.rule.life); ok {
		i.turns = clamp(due)
	}
}

// step does one event of the alarm's life. Nothing has changed when it fails.
func (i *instance) step(in lifecycle.Input, at instant) (Change, error) {
	in.At = at.time()
	before := i.life()
	after, t, err := before.Step(i.rule.life, in)
	if err != nil {
		return Change{}, err
	}
	i.mark(dirtyState | dirtyAlarm)
	i.live(after, at)
	i.note(in, t, at)
	c := Change{
		Event: t.Event, From: t.From, At: in.At, Order: i.rule.orderPolicy(), By: in.By, Note: in.Note,
		Annunciate: t.Annunciate, Why: t.Why, Was: t.Was, Shown: t.Shown, Unshelved: t.Unshelved, Hold: i.moved(before, after),
		Downs: i.rule.Downs, Safety: i.rule.Safety,
	}
	if t.Recurred {
		c.Event = facility.AlarmRecur
	}
	c.Alarm = i.shown()
	if i.Alarm != nil && t.To == facility.AlarmNormal {
		delete(i.engine.byID, i.Alarm.ID)
		i.Alarm = nil
	}
	return c, nil
}

// moved returns the hold in which two states differ, as it began or as it was before
// it ended. No event changes more than one.
func (i *instance) moved(before, after lifecycle.State) facility.AlarmHold {
	if before.Shelf == after.Shelf && before.Suppression == after.Suppression && before.Outage == after.Outage {
		return facility.AlarmHold{}
	}
	was := before.Holds(i.key)
	for _, h := range after.Holds(i.key) {
		n := slices.IndexFunc(was, func(o facility.AlarmHold) bool { return o.Kind == h.Kind })
		if n < 0 || !was[n].Same(h) {
			return h
		}
		was = slices.Delete(was, n, n+1)
	}
	if len(was) == 0 {
		return facility.AlarmHold{}
	}
	return was[0] // what is not there any more
}

// shown returns a copy of the alarm with what holds it, without an ID when it is normal.
func (i *instance) shown() facility.Alarm {
	var a facility.Alarm
	if i.Alarm != nil {
		a = copyAlarm(*i.Alarm)
	} else {
		a = facility.Alarm{
			Key: i.key, Rule: i.rule.ID, Device: i.device.ID, Place: i.device.Place, Title: i.title(),
			Priority: i.rule.Priority, State: facility.AlarmNormal, Unknown: i.Blind,
		}
	}
	if i.Life != nil {
		a.Holds = i.Life.Holds(i.key)
	}
	return a
}

// note writes on the alarm what happened.
func (i *instance) note(in lifecycle.Input, t lifecycle.Transition, at instant) {
	if t.From == facility.AlarmNormal && t.To != facility.AlarmNormal {
		i.Alarm = i.newAlarm(at.time())
		i.Alarm.Value, i.Alarm.Unit = i.test.value(at)
		i.engine.byID[i.Alarm.ID] = i
	}
	a := i.Alarm
	if a == nil {
		return
	}
	a.State, a.Unknown = t.To, i.Blind
	when := in.At
	switch {
	case t.Recurred:
		a.Value, a.Unit = i.test.value(at)
		a.LastAt = when
		a.Count++
	case t.Event == facility.AlarmClear, t.Event == facility.AlarmRetire:
		a.ClearedAt = &when
	case t.Event == facility.AlarmAcknowledge:
		a.AckedAt, a.AckedBy, a.AckNote = &when, in.By, in.Note
	}
}

func (i *instance) newAlarm(at time.Time) *facility.Alarm {
	return &facility.Alarm{
		ID:       AlarmID(i.engine.site.ID, i.key, at),
		Key:      i.key,
		Rule:     i.rule.ID,
		Device:   i.device.ID,
		Place:    i.device.Place,
		Title:    i.title(),
		Advice:   whole(i.rule.Advice),
		Priority: i.rule.Priority,
		State:    facility.AlarmUnacknowledged,
		Count:    1,
		RaisedAt: at,
		LastAt:   at,
	}
}

func (i *instance) title() facility.Text { return join(i.device.Name, i.rule.Name) }

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
