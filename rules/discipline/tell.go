package discipline

import (
	"cmp"
	"slices"
	"time"

	"gengfu/facility"
)

// announce tells of the alarm, or lets it wait.
func (c *Control) announce(key string, a *alarm, e Event) []Notification {
	if a.Safety {
		a.Waits = forNothing
		c.flood.count(e.At, 1, c.settings.Duty)
		return []Notification{{At: e.At, Alarms: []Told{c.tell(key, a)}, Flood: c.flood.On}}
	}
	switch {
	case e.Event == facility.AlarmUnsuppress:
		a.Waits, a.From = forRecovery, e.At
	case a.Waits == forNothing:
		a.Waits, a.From = forOthers, e.At
	}
	return c.tellDue(e.At)
}

// deadline is when an alarm that waits is told.
func (c *Control) deadline(a *alarm) time.Time {
	switch {
	case a.Waits == forRecovery:
		return a.From.Add(c.settings.Recovery)
	case a.Priority == facility.P1:
		if next := c.told.Add(c.settings.Group); !c.told.IsZero() && next.After(a.From) {
			return next
		}
		return a.From
	case c.withheld(a):
		return a.From.Add(c.settings.Withhold)
	}
	return a.From.Add(c.settings.Group)
}

func (c *Control) withheld(a *alarm) bool {
	return c.flood.On && (a.Priority == facility.P3 || a.Priority == facility.P4)
}

// Due returns when Advance has something to do if no transition comes before.
func (c *Control) Due() (at time.Time, ok bool) {
	at = c.flood.due(c.settings.Duty)
	for _, a := range c.alarms {
		if a.Waits == forNothing {
			continue
		}
		if d := c.deadline(a); at.IsZero() || d.Before(at) {
			at = d
		}
	}
	return at, !at.IsZero()
}

// Advance does what is due up to now, each thing as of when it was due.
func (c *Control) Advance(now time.Time) (out Outcome) {
	for at, ok := c.Due(); ok && !at.After(now); at, ok = c.Due() {
		c.flood.forget(at, c.settings.Duty)
		out.Tell = append(out.Tell, c.tellDue(at)...)
	}
	c.flood.forget(now, c.settings.Duty)
	for key, ch := range c.chatter {
		if ch.over(now) {
			delete(c.chatter, key)
		}
	}
	return out
}

// OnDuty changes how many persons answer alarms, at least 1.
func (c *Control) OnDuty(persons int, now time.Time) Outcome {
	out := c.Advance(now)
	c.settings.Duty = max(persons, 1)
	c.flood.forget(now, c.settings.Duty)
	out.Tell = append(out.Tell, c.tellDue(now)...)
	return out
}

// tellDue makes one notification of all that waits, if anything of it is due; only what
// the flood holds back waits on, and what has time to recover until the first of that
// has had its time.
func (c *Control) tellDue(at time.Time) []Notification {
	var keys, recovering []string
	late, recovered := false, false
	for key, a := range c.alarms {
		if a.Waits == forNothing {
			continue
		}
		due := !c.deadline(a).After(at)
		late = late || due
		if a.Waits == forRecovery {
			recovered = recovered || due
			recovering = append(recovering, key)
			continue
		}
		if due || a.Waits == forOthers && !c.withheld(a) {
			keys = append(keys, key)
		}
	}
	if !late {
		return nil
	}
	if recovered {
		keys = append(keys, recovering...)
	}
	n := Notification{At: at}
	fresh, old := 0, 0
	for _, key := range keys {
		a := c.alarms[key]
		if a.Waits == forOthers && at.Sub(a.From) > c.settings.Group {
			old = 1 // what a flood held back is one list to read
		} else {
			fresh++
		}
		a.Waits = forNothing
		n.Alarms = append(n.Alarms, c.tell(key, a))
		if !a.Active {
			delete(c.alarms, key)
		}
	}
	slices.SortFunc(n.Alarms, func(a, b Told) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Follow, a.Follow), cmp.Compare(a.Key, b.Key))
	})
	c.told = at
	c.flood.count(at, fresh+old, c.settings.Duty)
	n.Flood = c.flood.On
	return []Notification{n}
}

func (c *Control) tell(key string, a *alarm) Told {
	t := Told{Key: key, Priority: a.Priority, Gone: !a.Active}
	if !c.causes(a) {
		return t
	}
	for _, other := range c.alarms {
		if other.Active && other.Cause == key {
			t.Follow++
		}
	}
	return t
}
