package hub

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/discipline"
	"gengfu/rules/dispatch"
	"gengfu/rules/lifecycle"
	"gengfu/rules/patrol"
	"gengfu/storage/ledger"
)

// stateDiscipline is the name of the control's state in the ledger.
const stateDiscipline = "discipline"

// maxParts is how many parts of the control's state are kept before it is kept whole.
const maxParts = 200

// crowd is what keeps alarms from drowning people: the control that says what follows
// from what and when people are told, and how much of it the ledger has.
type crowd struct {
	*discipline.Control
	topology *discipline.Topology
	settings discipline.Settings
	parts    int // kept since it was kept whole; maxParts when it never was
}

// newCrowd makes the control of an estate. Where its links make no sense, which whoever
// read the configuration would have said, nothing is suppressed.
func newCrowd(e facility.Estate, s discipline.Settings, log *slog.Logger) *crowd {
	top, err := discipline.NewTopology(e)
	if err != nil {
		log.Error("it is not known what hangs on what; no alarm is suppressed", "error", err)
		top = &discipline.Topology{}
	}
	return &crowd{Control: discipline.New(top, s), topology: top, settings: s, parts: maxParts}
}

// readCrowd reads what save kept.
func readCrowd(tx *ledger.Tx) ([][]byte, error) {
	whole, err := tx.State(stateDiscipline)
	if err != nil || whole == nil {
		return nil, err
	}
	parts, err := tx.StateParts(stateDiscipline)
	return append([][]byte{whole}, parts...), err
}

// save keeps what changed, with whole all of it. It returns what is to be called when
// that is durable.
func (c *crowd) save(tx *ledger.Tx, whole bool) (kept func(), err error) {
	if whole || c.parts >= maxParts {
		data, err := c.Snapshot()
		if err != nil {
			return nil, err
		}
		return func() { c.Kept(); c.parts = 0 }, tx.SaveState(stateDiscipline, data)
	}
	if !c.Changed() {
		return func() {}, nil
	}
	data, err := c.Part()
	if err != nil {
		return nil, err
	}
	return func() { c.Kept(); c.parts++ }, tx.AddToState(stateDiscipline, data)
}

// notice is what people are told at once, and what makes orders of its alarms.
type notice struct {
	facility.Notice
	orders []rules.OrderPolicy // of each alarm
	after  int                 // how many of the outcome's changes of rules come before it
}

// disciplined has everything that was decided go by the control, and adds what follows
// from it: what is suppressed and released, and what people are told.
func (j *judge) disciplined(o outcome) outcome {
	ruled := len(o.rules)
	for i, c := range changes(o) {
		after := i + 1
		if i >= ruled {
			after = len(o.rules) // patrols are written before rules
		}
		j.pass(&o, c, after)
		if i < ruled && c.Why == lifecycle.WhyUnseen && j.crowd.Silent(c.Alarm.Key) {
			o.rules[i].Why = lifecycle.WhyQuiet // they were to be told, and were not yet
		}
	}
	return o
}

// changes are those of an outcome, of rules and of patrols.
func changes(o outcome) []rules.Change {
	all := slices.Clone(o.rules)
	for _, c := range o.patrol {
		if c.Alarm != nil {
			all = append(all, rules.Change{Alarm: *c.Alarm, Event: c.Event, At: c.At, Order: dispatch.PatrolPolicy(), Annunciate: c.Annunciate})
		}
	}
	return all
}

// tellDue adds what people are told because time has passed.
func (j *judge) tellDue(o *outcome, now time.Time) {
	j.ensue(o, j.crowd.Advance(now), rules.Change{}, len(o.rules))
}

// pass tells the control of one change, that so many of the outcome's come before with
// itself.
func (j *judge) pass(o *outcome, c rules.Change, after int) {
	if c.Alarm.Key != "" {
		j.ensue(o, j.crowd.Step(j.event(c)), c, after)
	}
}

// ensue carries out what follows from a change, and from that, until nothing more does.
func (j *judge) ensue(o *outcome, out discipline.Outcome, of rules.Change, after int) {
	for _, n := range out.Tell {
		told, err := j.notice(n, of)
		if err != nil {
			j.log.Error("people cannot be told of alarms", "error", err)
			continue
		}
		if told.after = after; len(told.Alarms) > 0 {
			o.notices = append(o.notices, told)
		}
	}
	for _, h := range out.Holds {
		c, err := j.suppress(h)
		if err != nil {
			j.log.Warn("what follows from another alarm cannot be held or let go", "key", h.Key, "cause", h.Cause, "error", err)
			continue
		}
		o.rules = append(o.rules, c)
		j.pass(o, c, len(o.rules))
	}
}

// suppress does to the life of an alarm what the control asks for.
func (j *judge) suppress(h discipline.Hold) (rules.Change, error) {
	in := lifecycle.Input{At: j.crowd.Latest(), By: facility.SystemActor, Cause: h.Cause, Untold: h.Untold}
	if h.Cause == "" {
		in.Event = facility.AlarmUnsuppress
		return j.engine.Release(h.Key, in)
	}
	in.Event = facility.AlarmSuppress
	return j.engine.Hold(h.Key, in)
}

// event is a change as the control wants to know it. What comes from a clock that is
// ahead counts as now.
func (j *judge) event(c rules.Change) discipline.Event {
	e := discipline.Event{
		Key: c.Alarm.Key, Device: c.Alarm.Device, Event: c.Event, To: c.Alarm.State, At: c.At, Priority: c.Alarm.Priority,
		Downs: j.crowd.node(c), Safety: c.Safety, Annunciate: c.Annunciate,
	}
	if e.Event == facility.AlarmRecur {
		e.Event = facility.AlarmRaise
	}
	if now := j.now(); e.At.After(now) {
		e.At = now
	}
	for _, h := range c.Alarm.Holds {
		e.Held = e.Held || h.Kind != facility.AlarmSuppressed
	}
	return e
}

// node is what an alarm takes down.
func (c *crowd) node(of rules.Change) discipline.Node {
	var n discipline.Node
	switch a := of.Alarm; of.Downs {
	case rules.DownsDevice:
		n = discipline.Node{Kind: discipline.DeviceAt, ID: a.Device}
	case rules.DownsSupply:
		n = discipline.Node{Kind: discipline.Supply, ID: a.Device}
	case rules.DownsLine:
		n = discipline.Node{Kind: discipline.Line, ID: c.topology.Line(a.Device)}
	case rules.DownsPlace:
		n = discipline.Node{Kind: discipline.Place, ID: a.Place}
	}
	if !c.topology.Has(n) {
		return discipline.Node{} // it is nowhere, so nothing is there
	}
	return n
}

// notice puts into words what people are told. The alarms are as they are now, but that
// of the change which leads to it as it was after that.
func (j *judge) notice(n discipline.Notification, of rules.Change) (notice, error) {
	id, err := newID()
	if err != nil {
		return notice{}, err
	}
	out := notice{Notice: facility.Notice{ID: id, At: n.At.UTC(), Flood: n.Flood}}
	for _, t := range n.Alarms {
		c := of
		if c.Alarm.Key != t.Key {
			c = j.present(t.Key)
		}
		if c.Alarm.ID == "" {
			continue // it is over, and nobody needs to know
		}
		if out.Priority == "" {
			out.Priority = t.Priority
		}
		out.Alarms = append(out.Alarms, facility.NoticeAlarm{
			Alarm: c.Alarm.ID, Key: t.Key, Title: c.Alarm.Title, Priority: t.Priority, Gone: t.Gone, Follow: t.Follow,
		})
		out.orders = append(out.orders, c.Order)
	}
	return out, nil
}

// present is the alarm of a key as it is now, as if nothing had changed; without a key
// where nothing is known of it.
func (j *judge) present(key string) rules.Change {
	if strings.HasPrefix(key, patrol.Rule+"/") {
		for _, a := range j.patrol.Standing() {
			if a.Key == key {
				return rules.Change{Alarm: a, Order: dispatch.PatrolPolicy()}
			}
		}
		return rules.Change{}
	}
	c, _ := j.engine.Present(key)
	return c
}

// takeUp goes on from what the ledger kept of the control, with what was decided of
// standing alarms at the start.
func (j *judge) takeUp(o outcome, kept [][]byte, now time.Time) outcome {
	decided := o
	if len(kept) > 0 {
		control, out, err := discipline.Restore(kept, j.crowd.topology, j.crowd.settings, now)
		if err != nil {
			j.log.Error("what is known of how alarms hang together cannot be taken up; it starts anew", "error", err)
		} else {
			control.Rebase(now)
			j.crowd.Control, j.crowd.parts = control, len(kept)-1
			j.ensue(&o, out, rules.Change{}, len(o.rules))
		}
	}
	for _, c := range changes(decided) {
		j.pass(&o, c, len(o.rules))
	}
	o.add(j.concord(now))
	return o
}

// concord makes the control and the engine agree, when either is not the one that the
// other knew: the state of one was lost, or rules have come, gone or changed. People
// were told of what stands.
func (j *judge) concord(now time.Time) outcome {
	var o outcome
	known := map[string]bool{}
	for _, a := range slices.Concat(j.engine.Standing(), j.patrol.Standing()) {
		known[a.Key] = true
	}
	for _, key := range j.crowd.Knows() {
		known[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		c := j.present(key)
		if c.Alarm.Key == "" {
			c.Alarm.Key, c.Alarm.State = key, facility.AlarmNormal
		}
		c.At = now
		j.pass(&o, c, len(o.rules))
	}
	causes := j.crowd.Causes()
	var differ []discipline.Hold
	for _, held := range j.engine.Held() {
		key := held.Alarm.Key
		if on := held.Life.Suppression; on.On() && on.Cause != causes[key] {
			differ = append(differ, discipline.Hold{Key: key, Cause: causes[key]})
		}
		if held.Life.Suppression.On() {
			delete(causes, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(causes)) {
		differ = append(differ, discipline.Hold{Key: key, Cause: causes[key]})
	}
	j.ensue(&o, discipline.Outcome{Holds: differ}, rules.Change{}, 0)
	return o
}

// told keeps the notices that come behind so many changes of rules.
func (w *writer) told(notices []notice, after int) error {
	for _, n := range notices {
		if n.after == after {
			if err := w.notice(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// notice keeps that people were told, and makes or opens again the orders of what they
// were told of.
func (w *writer) notice(n notice) error {
	if err := w.tx.AddNotice(n.Notice); err != nil {
		return err
	}
	for i, told := range n.Alarms {
		if err := w.toldOf(told, n.orders[i], n.At); err != nil {
			return fmt.Errorf("work order of alarm %s, of which people are told: %w", told.Key, err)
		}
	}
	w.news = append(w.news, dashboard.Event{Notice: &n.Notice})
	return nil
}

// toldOf makes the order of an alarm that people are told of. Where an open order tells
// of it already nothing is to be done.
func (w *writer) toldOf(told facility.NoticeAlarm, p rules.OrderPolicy, at time.Time) error {
	a, err := w.tx.Alarm(told.Alarm)
	if err != nil {
		return err
	}
	if err := w.know(&a); err != nil {
		return err
	}
	open, err := found(w.tx.OpenOrderByKey(dispatch.Key(a)))
	if err != nil || atWork(open) && a.OrderID == open.ID {
		return err
	}
	before := a.OrderID
	d, err := w.dispatch(a, rules.Change{Order: p}, open)
	if err != nil || d.Nothing() {
		return err
	}
	if d.Create != nil && before == "" && a.Rule != patrol.Rule {
		d.Create.Count = a.Count // all of them while people were not told yet
	}
	if err := w.carryOut(&a, d, at); err != nil {
		return err
	}
	if d.Create == nil && before == "" && a.Rule != patrol.Rule {
		if err := w.countMore(a, at); err != nil {
			return err
		}
	}
	if told.Gone {
		o, err := found(w.tx.OpenOrderByKey(dispatch.Key(a)))
		if err != nil {
			return err
		}
		if err := w.carryOut(&a, dispatch.Returned(a, o), at); err != nil {
			return err
		}
	}
	if err := w.tx.SaveAlarm(a); err != nil {
		return err
	}
	same := func(e dashboard.Event) bool { return e.Alarm != nil && e.Alarm.ID == a.ID && e.Alarm.State == a.State }
	w.news = append(slices.DeleteFunc(w.news, same), dashboard.Event{Alarm: &a}) // not once more without its order
	return nil
}

// countMore counts on the order of an alarm what came behind its first occurrence while
// people were not told yet.
func (w *writer) countMore(a facility.Alarm, at time.Time) error {
	if a.Count < 2 {
		return nil
	}
	o, err := w.tx.Order(a.OrderID)
	if err != nil {
		return err
	}
	for range a.Count - 1 {
		if err := o.CountOn(at); err != nil {
			return err
		}
	}
	return w.tx.CountOrder(o)
}
