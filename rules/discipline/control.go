package discipline

import (
	"cmp"
	"slices"
	"time"

	"gengfu/facility"
)

// Settings are the times of telling. A zero is the default, and what is negative is no
// time at all.
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

// Event is one transition of an alarm's life. One that happened before what the Control
// knows of already counts as of then: people are told in the order in which things
// become known.
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
	// Untold says that people were to be told of it and will not be: it was suppressed
	// before it came to that.
	Untold bool
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
	key      string
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

// Control is the discipline of one site. It is for one goroutine. A step costs as much
// as it changes, however many alarms there are.
type Control struct {
	topology *Topology
	settings Settings
	alarms   map[string]*alarm
	seats    map[Node]map[string]*alarm // the same by where they stand
	down     map[Node][]string          // keys of the active alarms that take the node down, the first stands for the others
	speaks   map[string]string          // line of which every device is down by itself -> the alarm that stands for all
	follow   map[string]int             // how many active alarms are suppressed because of a key
	waiting  [classes]queue
	chatter  map[string]*chatter
	flood    flood
	told     time.Time // the last notification but those of safety
	latest   time.Time // what it knows of last
	changed  map[string]bool
	rattled  map[string]bool // of chatter; both since Kept
}

// New returns a Control that knows of no alarm.
func New(t *Topology, s Settings) *Control {
	return &Control{
		topology: t, settings: s.filled(), alarms: map[string]*alarm{}, seats: map[Node]map[string]*alarm{}, down: map[Node][]string{},
		speaks: map[string]string{}, follow: map[string]int{}, chatter: map[string]*chatter{}, changed: map[string]bool{}, rattled: map[string]bool{},
	}
}

// Step takes the next transition. What was due before it is done first.
func (c *Control) Step(e Event) Outcome {
	out := c.Advance(e.At)
	e.At = c.latest
	a := c.alarms[e.Key]
	if a == nil {
		a = &alarm{key: e.Key}
		c.alarms[e.Key] = a
	}
	before, was := a.Downs, c.causes(a)
	c.note(a, e)
	c.await(a, e)
	if is := c.causes(a); was != is || is && before != a.Downs {
		out.Holds = c.change(a, before, is)
	}
	if h, changed := c.judge(a); changed {
		out.Holds = append(out.Holds, h)
	}
	out.Holds = tidy(out.Holds)
	if e.Annunciate && a.Cause == "" {
		out.Tell = append(out.Tell, c.announce(a)...)
	}
	c.forget(a)
	return out
}

// forget lets go of an alarm of which nothing is to be known.
func (c *Control) forget(a *alarm) {
	if !a.Active && a.Cause == "" && a.Waits == forNothing {
		delete(c.alarms, a.key)
		c.unseat(a)
	}
}

func (c *Control) seatIn(a *alarm) {
	at := a.seat()
	if c.seats[at] == nil {
		c.seats[at] = map[string]*alarm{}
	}
	c.seats[at][a.key] = a
}

func (c *Control) unseat(a *alarm) {
	at := a.seat()
	delete(c.seats[at], a.key)
	if len(c.seats[at]) == 0 {
		delete(c.seats, at)
	}
}

// note takes the facts of the event.
func (c *Control) note(a *alarm, e Event) {
	active := e.To.Active()
	if active && !a.Active {
		a.Since = e.At
	}
	c.changed[a.key] = true
	c.unseat(a)
	c.count(a, -1)
	rank := a.class()
	a.Device, a.Downs, a.Safety, a.Held, a.Active, a.Priority = e.Device, e.Downs, e.Safety, e.Held, active, e.Priority
	c.count(a, 1)
	c.seatIn(a)
	if a.class() != rank {
		c.enqueue(a)
	}
	if e.Event != facility.AlarmRaise {
		return
	}
	ch := c.chatter[e.Key]
	if ch == nil || ch.over(e.At) {
		ch = &chatter{}
		c.chatter[e.Key] = ch
	}
	ch.raise(e.At)
	c.rattled[e.Key] = true
}

// count keeps how many active alarms follow from the cause of this one.
func (c *Control) count(a *alarm, by int) {
	if !a.Active || a.Cause == "" {
		return
	}
	if c.follow[a.Cause] += by; c.follow[a.Cause] == 0 {
		delete(c.follow, a.Cause)
	}
}

// Latest is the time of what the Control knows of last.
func (c *Control) Latest() time.Time { return c.latest }

// Silent reports whether people are yet to be told of the alarm, or are not told because
// it is suppressed.
func (c *Control) Silent(key string) bool {
	a := c.alarms[key]
	return a != nil && (a.Cause != "" || a.Waits != forNothing)
}

// Causes returns what suppresses each alarm that is suppressed, by key.
func (c *Control) Causes() map[string]string {
	out := map[string]string{}
	for key, a := range c.alarms {
		if a.Cause != "" {
			out[key] = a.Cause
		}
	}
	return out
}

// Knows returns the keys of all alarms that the Control knows of, sorted.
func (c *Control) Knows() []string { return sortedKeys(c.alarms) }

// causes reports whether other alarms follow from this one.
func (c *Control) causes(a *alarm) bool {
	return a.Active && !a.Held && c.topology.Has(a.Downs)
}

// change makes an alarm begin or cease to take its node down, in place of the one
// before, and judges all that hangs on either.
func (c *Control) change(a *alarm, before Node, on bool) []Hold {
	c.setDown(a.key, before, false)
	c.setDown(a.key, a.Downs, on)
	changed := []Node{before, a.Downs}
	for _, line := range c.topology.linesOf(before, a.Downs) {
		if now := c.elect(line); now != c.speaks[line] {
			c.speaks[line] = now
			changed = append(changed, Node{Line, line})
			if now == "" {
				delete(c.speaks, line)
			}
		}
	}
	return c.judgeBelow(changed)
}

func (c *Control) setDown(key string, n Node, on bool) {
	keys := slices.DeleteFunc(c.down[n], func(k string) bool { return k == key })
	if on {
		at, _ := slices.BinarySearchFunc(keys, key, c.earlier)
		keys = slices.Insert(keys, at, key)
	}
	c.down[n] = keys
	if len(keys) == 0 {
		delete(c.down, n)
	}
}

// earlier orders alarms by since when they are active.
func (c *Control) earlier(a, b string) int {
	return cmp.Or(c.alarms[a].Since.Compare(c.alarms[b].Since), cmp.Compare(a, b))
}

// elect returns the alarm that stands for all when every device of a line, two at
// least, is down by itself: what they have in common is the line, of which no alarm
// says so. It is the first of those that follow from nothing else, empty when there is
// none.
func (c *Control) elect(line string) string {
	devices := c.topology.lines[line]
	if len(devices) < 2 || len(c.down[Node{Line, line}]) > 0 {
		return ""
	}
	first := ""
	for _, d := range devices {
		keys := c.down[Node{DeviceAt, d}]
		if len(keys) == 0 {
			return ""
		}
		if c.anyDown(c.topology.Above(Node{DeviceAt, d})) {
			continue
		}
		if first == "" || c.earlier(keys[0], first) < 0 {
			first = keys[0]
		}
	}
	return first
}

// judgeBelow judges all alarms at the nodes and at what hangs on them.
func (c *Control) judgeBelow(nodes []Node) (out []Hold) {
	judgeAt := func(n Node) {
		for _, a := range c.seats[n] {
			if h, changed := c.judge(a); changed {
				out = append(out, h)
				c.forget(a)
			}
		}
	}
	for _, n := range nodes {
		judgeAt(n)
		for _, below := range c.topology.below[n] {
			judgeAt(below)
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

// judge brings the cause of the alarm up to date. One that is active takes a cause when
// there is one; one that is suppressed keeps a cause for as long as there is one, though
// its condition comes and goes.
func (c *Control) judge(a *alarm) (Hold, bool) {
	cause := ""
	if a.Active || a.Cause != "" {
		cause = c.root(a)
	}
	if cause == a.Cause {
		return Hold{}, false
	}
	c.changed[a.key] = true
	c.count(a, -1)
	a.Cause = cause
	c.count(a, 1)
	h := Hold{Key: a.key, Cause: cause}
	if cause != "" {
		h.Untold = a.Waits != forNothing
		a.Waits = forNothing
	}
	return h, true
}

// root returns the alarm that this one follows from and that follows from none itself,
// the first by node; empty when there is none. Whatever excuses a cause excuses what
// follows from it too, so among the causes of an alarm one is a root.
func (c *Control) root(a *alarm) string {
	if a.Safety || len(c.down) == 0 {
		return ""
	}
	seat := a.seat()
	for _, n := range c.topology.Above(seat) {
		if keys := c.down[n]; len(keys) > 0 && !c.anyDown(c.topology.Above(n)) {
			return keys[0]
		}
		if key := c.speaks[n.ID]; n.Kind == Line && key != "" && key != a.key {
			return key
		}
	}
	if keys := c.down[seat]; len(keys) > 0 && keys[0] != a.key {
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
