package discipline

import (
	"cmp"
	"slices"
	"time"

	"gengfu/facility"
)

// class is what decides how long an alarm waits.
type class int

const (
	calm       class = iota // it does not wait
	recovering              // it was released a moment ago
	first                   // P1
	second                  // P2
	minor                   // P3 and P4: a flood holds them back
	classes
)

func (a *alarm) class() class {
	switch {
	case a.Waits == forNothing:
		return calm
	case a.Waits == forRecovery:
		return recovering
	case a.Priority == facility.P1:
		return first
	case a.Priority == facility.P2:
		return second
	}
	return minor
}

// queue is the alarms of a class by since when they wait. Those that wait no more are
// passed over when they come to its head.
type queue []queued

type queued struct {
	alarm *alarm
	from  time.Time
}

func (c *Control) enqueue(a *alarm) {
	k := a.class()
	if k == calm {
		return
	}
	q := c.waiting[k]
	at := len(q) // nearly always behind the last
	for at > 0 && q[at-1].from.After(a.From) {
		at--
	}
	c.waiting[k] = slices.Insert(q, at, queued{a, a.From})
}

// head returns the alarm that has waited longest, nil when none waits.
func (c *Control) head(k class) *alarm {
	q := c.waiting[k]
	for len(q) > 0 && !q[0].waits(k) {
		q = q[1:]
	}
	if c.waiting[k] = q; len(q) == 0 {
		c.waiting[k] = nil
		return nil
	}
	return q[0].alarm
}

// waits reports whether the alarm still waits as it did.
func (q queued) waits(k class) bool { return q.alarm.class() == k && q.alarm.From.Equal(q.from) }

// take returns all of a class that wait and stops their waiting; with late only those
// whose time has come at the instant.
func (c *Control) take(k class, at time.Time, late bool) (out []*alarm) {
	for a := c.head(k); a != nil && (!late || !c.deadline(a).After(at)); a = c.head(k) {
		out = append(out, a)
		a.Waits = forNothing
		c.changed[a.key] = true
	}
	return out
}

// await begins or ends the waiting of an alarm.
func (c *Control) await(a *alarm, e Event) {
	switch {
	case e.Held:
		a.Waits = forNothing
	case e.Annunciate && a.Safety:
		a.Waits = forNothing // it is told at once
	case e.Annunciate && e.Event == facility.AlarmUnsuppress:
		a.Waits, a.From = forRecovery, e.At
		c.enqueue(a)
	case e.Annunciate && a.Waits == forNothing:
		a.Waits, a.From = forOthers, e.At
		c.enqueue(a)
	case e.Annunciate:
	case a.Waits == forRecovery && !a.Active:
		a.Waits = forNothing // it came back by itself
	case e.To != facility.AlarmUnacknowledged && e.To != facility.AlarmReturned && e.To != facility.AlarmLatchedUnacknowledged:
		a.Waits = forNothing // somebody has seen it, or nobody needs to
	}
}

// announce tells of an alarm that people are to be told of, if it need not wait.
func (c *Control) announce(a *alarm) []Notification {
	if a.Safety {
		c.flood.count(c.latest, 1, c.settings.Duty)
		return []Notification{{At: c.latest, Alarms: []Told{c.tell(a)}, Flood: c.flood.On}}
	}
	return c.tellDue(c.latest)
}

// deadline is when an alarm that waits is told.
func (c *Control) deadline(a *alarm) time.Time {
	switch k := a.class(); {
	case k == recovering:
		return a.From.Add(c.settings.Recovery)
	case k == first:
		if next := c.told.Add(c.settings.Group); !c.told.IsZero() && next.After(a.From) {
			return next
		}
		return a.From
	case k == minor && c.flood.On:
		return a.From.Add(c.settings.Withhold)
	}
	return a.From.Add(c.settings.Group)
}

// Due returns when Advance has something to do if no transition comes before.
func (c *Control) Due() (at time.Time, ok bool) {
	at = c.flood.due(c.settings.Duty)
	for k := recovering; k < classes; k++ {
		a := c.head(k)
		if a == nil {
			continue
		}
		if d := c.deadline(a); at.IsZero() || d.Before(at) {
			at = d
		}
	}
	return at, !at.IsZero()
}

// Advance does what is due up to now, each thing as of when it was due. When now is
// before what the Control knows of already, nothing is due.
func (c *Control) Advance(now time.Time) (out Outcome) {
	if now.Before(c.latest) {
		return out
	}
	for at, ok := c.Due(); ok && !at.After(now); at, ok = c.Due() {
		c.flood.forget(at, c.settings.Duty)
		out.Tell = append(out.Tell, c.tellDue(at)...)
	}
	c.flood.forget(now, c.settings.Duty)
	if now.Truncate(time.Minute).After(c.latest) {
		c.sweep(now)
	}
	c.latest = now
	return out
}

// sweep forgets what no longer chatters.
func (c *Control) sweep(now time.Time) {
	for key, ch := range c.chatter {
		if ch.over(now) {
			delete(c.chatter, key)
			c.rattled[key] = true
		}
	}
}

// Rebase says that it is now, when the clock was set back: what is known of later
// counts as of now, or nobody would be told until then.
func (c *Control) Rebase(now time.Time) {
	back := func(t *time.Time) {
		if t.After(now) {
			*t = now
		}
	}
	for key, a := range c.alarms {
		c.changed[key] = true
		back(&a.Since)
		back(&a.From)
	}
	for i := range c.flood.Times {
		back(&c.flood.Times[i])
	}
	for key, ch := range c.chatter {
		if ch.Recent[len(ch.Recent)-1].After(now) {
			delete(c.chatter, key)
			c.rattled[key] = true
		}
	}
	back(&c.flood.Since)
	back(&c.told)
	back(&c.latest)
	c.requeue()
}

// requeue makes the queues anew.
func (c *Control) requeue() {
	c.waiting = [classes]queue{}
	for _, key := range sortedKeys(c.alarms) {
		c.enqueue(c.alarms[key])
	}
}

// tellDue makes one notification of all that waits, if anything of it is due; only what
// the flood holds back waits on, and what has time to recover until the first of that
// has had its time.
func (c *Control) tellDue(at time.Time) []Notification {
	late := func(k class) bool {
		a := c.head(k)
		return a != nil && !c.deadline(a).After(at)
	}
	recovered := late(recovering)
	if !recovered && !late(first) && !late(second) && !late(minor) {
		return nil
	}
	fresh, old := 0, 0
	told := slices.Concat(c.take(first, at, false), c.take(second, at, false), c.take(minor, at, c.flood.On))
	for _, a := range told {
		if at.Sub(a.From) > c.settings.Group {
			old = 1 // what a flood held back is one list to read
		} else {
			fresh++
		}
	}
	if recovered {
		back := c.take(recovering, at, false)
		fresh += len(back)
		told = append(told, back...)
	}
	n := Notification{At: at}
	for _, a := range told {
		n.Alarms = append(n.Alarms, c.tell(a))
		c.forget(a)
	}
	slices.SortFunc(n.Alarms, func(a, b Told) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Follow, a.Follow), cmp.Compare(a.Key, b.Key))
	})
	c.told = at
	c.flood.count(at, fresh+old, c.settings.Duty)
	n.Flood = c.flood.On
	return []Notification{n}
}

func (c *Control) tell(a *alarm) Told {
	return Told{Key: a.key, Priority: a.Priority, Gone: !a.Active, Follow: c.follow[a.key]}
}
