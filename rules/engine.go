package rules

import (
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// Change is one thing that happened to an alarm, or to what holds it.
type Change struct {
	Alarm      facility.Alarm // as it is afterwards; without an ID when it was normal and is: only a hold changed
	Event      facility.AlarmEvent
	From       facility.AlarmState // before
	At         time.Time           // the instant at which it became so, however late it was found
	Order      OrderPolicy         // of the rule
	By         string              // login, or facility.SystemActor
	Note       string              // of a person
	Annunciate bool                // people are to be told; nothing else says so
	Why        lifecycle.Why       // they are told, or not
	Was, Shown facility.AlarmState // what pages showed, and show: a hold before the alarm's own state
	Unshelved  bool                // a one-shot shelf ended with it
	Hold       facility.AlarmHold  // that began or ended with it; without a key for none
	Downs      Downs               // of the rule
	Safety     bool                // of the rule
}

// Stats counts what the engine did and what it left out, since Compile.
type Stats struct {
	Late   uint64 // readings not newer than the last of their point
	Filled uint64 // those of them that a window took in
	Judged uint64 // how often a rule was judged on a device, for a reading or for time alone
	Failed uint64 // evaluations that failed on their values, such as a division by zero
}

// Engine judges readings by rules. It is a plain value for one goroutine at a
// time. The same calls in the same order give the same changes.
type Engine struct {
	site      facility.Site
	points    map[facility.PointID]*point
	order     []*point   // of points, as the rules first name them
	feeds     []keptFeed // each belongs to one point
	instances []*instance
	byID      map[string]*instance // by alarm
	byKey     map[string]*instance // made when first asked for
	queue     queue
	retired   []retired
	frame     frame       // for whoever is judged; its listening is the engine's: silence before it is held against nobody
	last      *point      // that a reading was of
	touched   []*instance // scratch of observe
	due       []*instance // scratch of Advance
	keeping   keeping     // what of it is durable
	stats     Stats
}

// keptFeed is what is kept of one point, and what it is.
type keptFeed struct {
	feedSpec
	feed
}

// retired is an alarm of a restored state that no rule stands for any more.
type retired struct {
	alarm facility.Alarm
	order OrderPolicy
}

func newEngine(site facility.Site) *Engine {
	zone := site.Zone
	if zone == nil {
		zone = time.UTC
	}
	return &Engine{
		site:   site,
		points: map[facility.PointID]*point{},
		byID:   map[string]*instance{},
		frame:  frame{clock: &clock{zone: zone}},
	}
}

// add makes the instance of a rule on a device.
func (e *Engine) add(r *ruleInUse, d *facility.Device, t test) {
	i := &instance{engine: e, rule: r, device: d, key: r.ID + "/" + d.ID, index: int32(len(e.instances)), test: t, queued: never, turns: never, state: fresh(t)}
	e.instances = append(e.instances, i)
	i.refer()
	for _, p := range t.watched() {
		if n := len(p.readers); n == 0 || p.readers[n-1] != i {
			p.readers = append(p.readers, i)
		}
	}
}

// Listen says that readings are heard from now on: silence before it is not held
// against a device. Call it when the program starts, after Restore; without it
// the first Advance does so. Silence that raised an alarm already stays.
func (e *Engine) Listen(now time.Time) {
	e.frame.listening = clamp(now)
	for _, i := range e.instances {
		i.listen(e.frame.listening)
		e.queue.plan(i)
	}
}

// Hear judges readings that arrived together: what time alone had brought about until
// then comes first. A reading at the very instant of a deadline is in time. Whoever gives
// facts and the times of their arrival in the same order gets the same changes, however
// often Advance was called between, with times until the next arrival.
func (e *Engine) Hear(arrived time.Time, readings ...facility.Reading) []Change {
	out := e.Advance(arrived.Add(-1))
	return append(out, e.Observe(readings...)...)
}

// Observe judges readings, each at its own time. Readings of one instant that
// follow each other are judged together, so that a condition over several
// quantities of one poll does not see half of it. Readings of points that no rule
// uses are passed over; readings not newer than the last of their point are counted,
// and fill windows. A reading may be older than one of another point: it is judged as
// if it had come at the latest instant that is judged already, because what was said
// is not taken back. The doc comment of the package says all of late facts.
//
// A reading from the future would make its point deaf until then: whoever takes
// readings in must not let it come so far.
func (e *Engine) Observe(readings ...facility.Reading) []Change {
	var out []Change
	for len(readings) > 0 {
		n := 1
		for n < len(readings) && readings[n].Time.Equal(readings[0].Time) {
			n++
		}
		out = e.observe(out, readings[:n])
		readings = readings[n:]
	}
	return out
}

// observe judges readings of one instant.
func (e *Engine) observe(out []Change, readings []facility.Reading) []Change {
	at := instantOf(readings[0].Time)
	touched, points := e.touched[:0], 0
	before := len(out)
	for n := range readings {
		r := &readings[n]
		p := e.point(r.Point)
		if p == nil {
			continue
		}
		if at <= p.At {
			e.late(p, r, at)
			continue
		}
		for _, i := range p.readers {
			if !i.touched {
				i.touched = true
				touched = append(touched, i)
				// What the values until now led to comes first. A reading at the
				// very instant of a deadline still counts for it.
				if i.queued < at {
					out = i.elapse(out, at-1)
				}
			}
		}
		p.take(r, at)
		e.keeping.mark(p)
		points++
	}
	if points > 1 { // the readers of one point are in order
		slices.SortFunc(touched, func(a, b *instance) int { return int(a.index - b.index) })
	}
	e.frame.heard = at
	for _, i := range touched {
		i.touched = false
		out = i.judge(out, at)
		e.queue.plan(i)
	}
	e.frame.heard = 0
	e.touched = touched
	e.sort(out[before:])
	return out
}

// point finds the point of a reading, or nil. Readings come in the same order again
// and again: the one behind the last one's is likely the same as the last time.
func (e *Engine) point(id facility.PointID) *point {
	if e.last != nil && e.last.next != nil && e.last.next.id == id {
		e.last = e.last.next
		return e.last
	}
	p, ok := e.points[id]
	if !ok {
		return nil
	}
	if e.last != nil {
		e.last.next = p
	}
	e.last = p
	return p
}

// late takes in a reading that is not newer than the last of its point.
func (e *Engine) late(p *point, r *facility.Reading, at instant) {
	e.stats.Late++
	if at != 0 && p.late(r, at) {
		e.stats.Filled++
		e.keeping.mark(p)
	}
}

// Advance finds what became true by time alone until now: delays that ran out
// and silence that lasted too long. The changes bear the instants at which they
// became so. As a reading takes a moment from the field to here, now should
// trail the clock by that moment, or a reading on its way is overtaken.
func (e *Engine) Advance(now time.Time) []Change {
	if e.frame.listening == 0 {
		e.Listen(now)
	}
	until := clamp(now)
	e.due = e.queue.take(until, e.due[:0])
	slices.SortFunc(e.due, func(a, b *instance) int { return int(a.index - b.index) })
	var out []Change
	for _, i := range e.due {
		out = i.elapse(out, until)
		e.queue.plan(i)
	}
	e.sort(out)
	return out
}

// SetOrder notes the work order that an alarm raised, so that later changes of
// the alarm bear it. An alarm that does not stand any more is passed over.
func (e *Engine) SetOrder(alarmID, orderID string) {
	if i, ok := e.byID[alarmID]; ok {
		i.Alarm.OrderID = orderID
		i.mark(dirtyAlarm)
	}
}

// Standing returns the alarms that are not normal, the oldest first.
func (e *Engine) Standing() []facility.Alarm {
	out := make([]facility.Alarm, 0, len(e.byID))
	for _, i := range e.instances {
		if i.Alarm != nil {
			out = append(out, i.shown())
		}
	}
	slices.SortStableFunc(out, func(a, b facility.Alarm) int { return a.RaisedAt.Compare(b.RaisedAt) })
	return out
}

// Stats returns the counts of what was left out.
func (e *Engine) Stats() Stats { return e.stats }

// Instances returns how many rules on devices are judged.
func (e *Engine) Instances() int { return len(e.instances) }

// Finding is how a rule stands on a device, whatever became of it.
type Finding struct {
	Rule   string
	Device string
	Truth  Truth     // of its condition
	Value  float64   // that it is about, in Unit; 0 when it is not known
	Unit   string    //
	At     time.Time // the latest instant that is judged; zero is none yet
}

// Findings says how each rule stands on each device at the latest instant that is
// judged of it, in the order of the rules. It changes nothing.
func (e *Engine) Findings() []Finding {
	out := make([]Finding, 0, len(e.instances))
	for _, i := range e.instances {
		f := Finding{Rule: i.rule.ID, Device: i.device.ID, Truth: Unknown, At: i.At.time()}
		if i.At != 0 {
			f.Truth = i.test.stands(i.At)
			f.Value, f.Unit = i.test.value(i.At)
		}
		if !finite(f.Value) {
			f.Value = 0
		}
		out = append(out, f)
	}
	return out
}

// sort brings changes in the order in which they became so; of one instant in
// the order of the rules and devices.
func (e *Engine) sort(changes []Change) {
	if len(changes) > 1 {
		slices.SortStableFunc(changes, func(a, b Change) int { return a.At.Compare(b.At) })
	}
}

// copyAlarm returns an alarm that shares nothing with a.
func copyAlarm(a facility.Alarm) facility.Alarm {
	a.ClearedAt, a.AckedAt = copyTime(a.ClearedAt), copyTime(a.AckedAt)
	return a
}

func copyTime(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}
