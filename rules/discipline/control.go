package discipline

import (
	"cmp"
	"slices"
	"time"

	"gengfu/facility"
)

// Settings are the times of telling. A zero is the default.
type Settings struct {
	Group    time.Duration // what comes within it is told together; 15 s
	Recovery time.Duration // what is released has so long to come back by itself; 1 min
	Withhold time.Duration // the longest that a flood keeps P3 and P4; 1 h
	Duty     int           // persons who answer alarms; 1
}

func (s Settings) filled() Settings {
	return Settings{
		Group:    cmp.Or(s.Group, 15*time.Second),
		Recovery: cmp.Or(s.Recovery, time.Minute),
		Withhold: cmp.Or(s.Withhold, time.Hour),
		Duty:     max(s.Duty, 1),
	}
}

// Event is one transition of an alarm's life. Events come in the order of At.
type Event struct {
	Key      string
	Device   string // empty for alarms of no device: nothing suppresses them
	Event    facility.AlarmEvent
	To       facility.AlarmState // base state after it
	At       time.Time
	Priority facility.Priority
	// Downs is the node that is down while the alarm is active, zero for most alarms.
	Downs Node
	// Safety says that lives hang on it.
	Safety bool
	// Held says that a person put it off or took it out of service. What nobody is
	// told of excuses nothing, so it suppresses nothing.
	Held bool
	// Annunciate is what the life cycle says: people are to be told of it.
	Annunciate bool
}

// Hold is to be done to the life of an alarm: facility.AlarmSuppress with this cause,
// in place of the one before, or facility.AlarmUnsuppress when Cause is empty.
type Hold struct {
	Key   string
	Cause string // key of the root that it follows from
}

// Told is one alarm in a notification.
type Told struct {
	Key      string
	Priority facility.Priority
	Gone     bool // its condition has gone in the meantime
	Follow   int  // how many active alarms are suppressed because of it
}

// Notification is what people are to be told at once, the most severe first.
type Notification struct {
	At     time.Time
	Alarms []Told
	Flood  bool // there is a flood: P3 and P4 wait
}

// Outcome is what is to be done.
type Outcome struct {
	Holds []Hold // by key
	Tell  []Notification
}

// alarm is what is known of an alarm that is active, suppressed or waits to be told.
type alarm struct {
	Device   string
	Downs    Node
	Safety   bool
	Held     bool
	Active   bool
	Priority facility.Priority
	Since    time.Time // when it became active
	Cause    string    // what suppresses it
	Waits    waits
	From     time.Time // since when it waits
}

// waits says what an alarm waits for before people are told of it.
type waits string

const (
	forNothing  waits = ""
	forOthers   waits = "others"   // that come with it
	forRecovery waits = "recovery" // it was released a moment ago
)

// Control is the discipline of one site. It is for one goroutine.
type Control struct {
	topology *Topology
	settings Settings
	alarms   map[string]*alarm
	down     map[Node][]string // keys of the active alarms that take the node down, sorted
	chatter  map[string]*chatter
	flood    flood
	told     time.Time // the last notification but those of safety
}

// New returns a Control that knows of no alarm.
func New(t *Topology, s Settings) *Control {
	return &Control{topology: t, settings: s.filled(), alarms: map[string]*alarm{}, down: map[Node][]string{}, chatter: map[string]*chatter{}}
}

// Step takes the next transition. What was due before it is done first.
func (c *Control) Step(e Event) Outcome {
	out := c.Advance(e.At)
	a := c.alarms[e.Key]
	if a == nil {
		a = &alarm{}
		c.alarms[e.Key] = a
	}
	before, was := a.Downs, c.causes(a)
	c.note(a, e)
	if is := c.causes(a); was != is || is && before != a.Downs {
		c.setDown(e.Key, before, false)
		c.setDown(e.Key, a.Downs, is)
		out.Holds = append(out.Holds, c.judgeBelow(before, a.Downs)...)
	}
	if h, changed := c.judge(e.Key, a); changed {
		out.Holds = append(out.Holds, h)
	}
	out.Holds = tidy(out.Holds)
	switch {
	case e.Annunciate && a.Cause == "":
		out.Tell = append(out.Tell, c.announce(e.Key, a, e)...)
	case a.Waits == forRecovery && !a.Active:
		a.Waits = forNothing // it came back by itself
	case e.To != facility.AlarmUnacknowledged && e.To != facility.AlarmReturned && e.To != facility.AlarmLatchedUnacknowledged:
		a.Waits = forNothing // somebody has seen it, or nobody needs to
	}
	if !a.Active && a.Cause == "" && a.Waits == forNothing {
		delete(c.alarms, e.Key)
	}
	return out
}

// note takes the facts of the event.
func (c *Control) note(a *alarm, e Event) {
	active := e.To.Active()
	if active && !a.Active {
		a.Since = e.At
	}
	a.Device, a.Downs, a.Safety, a.Held, a.Active, a.Priority = e.Device, e.Downs, e.Safety, e.Held, active, e.Priority
	if e.Event != facility.AlarmRaise {
		return
	}
	ch := c.chatter[e.Key]
	if ch == nil {
		ch = &chatter{}
		c.chatter[e.Key] = ch
	}
	ch.raise(e.At)
}

// causes reports whether other alarms follow from this one.
func (c *Control) causes(a *alarm) bool {
	return a.Active && !a.Held && c.topology.Has(a.Downs)
}

func (c *Control) setDown(key string, n Node, on bool) {
	keys := slices.DeleteFunc(c.down[n], func(k string) bool { return k == key })
	if on {
		at, _ := slices.BinarySearch(keys, key)
		keys = slices.Insert(keys, at, key)
	}
	c.down[n] = keys
	if len(keys) == 0 {
		delete(c.down, n)
	}
}

// judgeBelow judges all alarms that hang on one of the nodes.
func (c *Control) judgeBelow(nodes ...Node) (out []Hold) {
	for key, a := range c.alarms {
		_, excuses := c.excuses(a)
		if !slices.ContainsFunc(excuses, func(n Node) bool { return slices.Contains(nodes, n) }) && !slices.Contains(nodes, a.seat()) {
			continue
		}
		if h, changed := c.judge(key, a); changed {
			out = append(out, h)
		}
	}
	return out
}

// seat is where in the topology the alarm stands.
func (a *alarm) seat() Node {
	if a.Downs != (Node{}) {
		return a.Downs
	}
	return Node{DeviceAt, a.Device}
}

// excuses returns the nodes that suppress the alarm when they are down: the seat itself
// for an alarm that takes nothing down, and all above it.
func (c *Control) excuses(a *alarm) (self Node, above []Node) {
	seat := a.seat()
	if a.Downs == (Node{}) {
		self = seat
	}
	return self, c.topology.Above(seat)
}

// judge brings the cause of the alarm up to date. One that is active takes a cause when
// there is one; one that is suppressed keeps a cause for as long as there is one, though
// its condition comes and goes.
func (c *Control) judge(key string, a *alarm) (Hold, bool) {
	cause := ""
	if a.Active || a.Cause != "" {
		cause = c.root(a)
	}
	if cause == a.Cause {
		return Hold{}, false
	}
	a.Cause = cause
	if cause != "" {
		a.Waits = forNothing
	} else if !a.Active {
		delete(c.alarms, key)
	}
	return Hold{Key: key, Cause: cause}, true
}

// root returns the alarm that this one follows from and that follows from none itself,
// the first by node and key; empty when there is none. Whatever excuses a cause excuses
// what follows from it too, so among the causes of an alarm one is a root.
func (c *Control) root(a *alarm) string {
	if a.Safety || len(c.down) == 0 {
		return ""
	}
	self, above := c.excuses(a)
	for _, n := range above {
		for _, key := range c.down[n] {
			if cause := c.alarms[key]; cause.Safety || !c.anyDown(c.topology.Above(n)) {
				return key
			}
		}
	}
	if keys := c.down[self]; len(keys) > 0 {
		return keys[0]
	}
	return ""
}

func (c *Control) anyDown(nodes []Node) bool {
	return slices.ContainsFunc(nodes, func(n Node) bool { return len(c.down[n]) > 0 })
}

// tidy sorts the holds and keeps the last word about each alarm.
func tidy(holds []Hold) []Hold {
	slices.SortStableFunc(holds, func(a, b Hold) int { return cmp.Compare(a.Key, b.Key) })
	var out []Hold
	for _, h := range holds {
		if n := len(out); n > 0 && out[n-1].Key == h.Key {
			out[n-1] = h
			continue
		}
		out = append(out, h)
	}
	return out
}
