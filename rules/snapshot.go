package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// snapshotMark begins each snapshot. Its last character is raised when another
// program could not read it.
const snapshotMark = "gengfu rules 4\n"

// Marks of older ones: those of 2 tell of an alarm nothing but the alarm; both leave out
// what says nothing, so that no parts can be added to them.
const (
	snapshotMark2 = "gengfu rules 2\n"
	snapshotMark3 = "gengfu rules 3\n"
)

// Snapshot returns the state of the engine. What it does from here it would do
// exactly so after Restore.
func (e *Engine) Snapshot() ([]byte, error) {
	size := e.keeping.size
	w := &writer{data: make([]byte, 0, size+size/8+4096)}
	piece := &writer{}
	w.data = append(w.data, snapshotMark...)
	w.instant(e.frame.listening)
	w.uvarint(uint64(len(e.order)))
	for _, p := range e.order {
		w.string(p.id.Device)
		w.string(p.id.Quantity)
		p.save(w, 0)
	}
	w.uvarint(uint64(len(e.feeds)))
	for _, k := range e.feeds {
		w.string(k.kind)
		w.string(k.point.Device)
		w.string(k.point.Quantity)
		w.varint(k.span)
		piece.data = piece.data[:0]
		k.save(piece)
		w.bytes(piece.data)
	}
	w.uvarint(uint64(len(e.instances)))
	for _, i := range e.instances {
		w.string(i.key)
		w.string(i.rule.print)
		i.saveState(w, 0)
		if err := i.saveAlarm(w); err != nil {
			return nil, fmt.Errorf("save the state of the rules: %w", err)
		}
		piece.data = piece.data[:0]
		i.test.save(piece)
		w.bytes(piece.data)
	}
	return w.data, nil
}

func (p *point) save(w *writer, around instant) {
	w.near(p.At, around)
	w.near(p.LastGood, p.At)
	w.byte(byte(p.Quality))
	w.float(p.Value)
}

// saveState writes how an instance stands, but for its alarm.
func (i *instance) saveState(w *writer, around instant) {
	w.near(i.At, around)
	w.byte(byte(truthOf(i.Wake != never)))
	if i.Wake != never {
		w.near(i.Wake, i.At)
	}
	w.byte(byte(truthOf(i.Blind)))
	w.byte(byte(i.Pending))
	if i.Pending != nothing {
		w.near(i.Deadline, i.At)
		w.varint(int64(i.Left))
	}
}

func (i *instance) saveAlarm(w *writer) error {
	var alarm, order []byte
	if i.Alarm != nil {
		var err, errOrder error
		alarm, err = json.Marshal(i.Alarm)
		order, errOrder = json.Marshal(i.rule.Order)
		if err = errors.Join(err, errOrder); err != nil {
			return err
		}
	}
	w.bytes(alarm)
	w.bytes(order)
	saveLife(w, i.Life)
	return nil
}

// saved is the state of one instance in a snapshot.
type saved struct {
	rule string // fingerprint
	test pieces
	state
	order OrderPolicy
}

// snapshot is what a snapshot holds, and the parts that are added to it.
type snapshot struct {
	listening instant
	points    map[facility.PointID]reading
	feeds     map[feedSpec]pieces
	instances map[string]saved // by key

	// Parts go by the order in which things stand in it.
	order []facility.PointID
	kept  map[facility.PointID][]feedSpec
	keys  []string
}

// Restore replaces the state by that of a snapshot and the parts that Save added to it
// since, in order. Instances whose rule judges
// differently by now, and new ones, start anew; what is kept of a point stays as long
// as any rule asks for the same. Alarms that nobody stands for any more are handed
// out by Retire. The engine is unchanged when an error is returned.
func (e *Engine) Restore(data []byte, parts ...[]byte) error {
	s, err := read(data, parts)
	if err == nil {
		err = e.proves(s)
	}
	if err != nil {
		return fmt.Errorf("restore the state of the rules: %w", err)
	}
	e.frame.listening = s.listening
	for _, p := range e.order {
		p.reading, p.dirty = s.points[p.id], false
		p.see()
	}
	for _, k := range e.feeds {
		_ = s.feeds[k.feedSpec].load(k.feed) // proves has seen that it can be read, or it is empty
	}
	e.keeping = keeping{} // what is kept may be of other rules: the next is whole
	clear(e.byID)
	e.retired, e.queue = nil, e.queue[:0]
	for _, i := range e.instances {
		i.place, i.queued, i.dirty = 0, never, 0
		e.restore(i, s.instances)
		e.queue.plan(i)
	}
	for _, key := range slices.Sorted(maps.Keys(s.instances)) {
		if v := s.instances[key]; v.Alarm != nil {
			e.retired = append(e.retired, retired{alarm: *v.Alarm, order: v.order})
		}
	}
	return nil
}

// TakeOver goes on where another engine is, with rules and devices of its own: so are
// rules swapped. Of the rules that judge as before all stays as it is; of the others
// what is kept of a point stays as long as they ask for the same. See Restore. Points that
// nobody asked for until now are listened to from now on.
func (e *Engine) TakeOver(from *Engine, now time.Time) error {
	data, err := from.Snapshot()
	if err != nil {
		return err
	}
	for _, p := range e.order {
		p.since = clamp(now)
		if before, ok := from.points[p.id]; ok {
			p.since = before.since
		}
	}
	e.stats = from.stats
	return e.Restore(data)
}

func read(data []byte, parts [][]byte) (snapshot, error) {
	rest, ok := bytes.CutPrefix(data, []byte(snapshotMark))
	older, old := !ok, false
	if older {
		rest, ok = bytes.CutPrefix(data, []byte(snapshotMark3))
	}
	if !ok {
		rest, old = bytes.CutPrefix(data, []byte(snapshotMark2))
	}
	if !ok && !old {
		return snapshot{}, errors.New("it is of another version")
	}
	r := &reader{data: rest}
	s := snapshot{
		listening: r.instant(), points: map[facility.PointID]reading{}, feeds: map[feedSpec]pieces{}, instances: map[string]saved{},
		kept: map[facility.PointID][]feedSpec{},
	}
	for range r.count(13) {
		id := facility.PointID{Device: r.string(), Quantity: r.string()}
		s.points[id] = readPoint(r, 0)
		s.order = append(s.order, id)
	}
	for range r.count(5) {
		spec := feedSpec{kind: r.string(), point: facility.PointID{Device: r.string(), Quantity: r.string()}, span: r.varint()}
		s.feeds[spec] = pieces{{data: r.bytes()}}
		s.kept[spec.point] = append(s.kept[spec.point], spec)
	}
	for range r.count(9) {
		key := r.string()
		s.instances[key] = readInstance(r, old)
		s.keys = append(s.keys, key)
	}
	r.end()
	if r.err != nil || len(parts) == 0 {
		return s, r.err
	}
	if older {
		return s, errors.New("a part of something else")
	}
	return s, s.add(parts, crc32.ChecksumIEEE(data))
}

func readInstance(r *reader, old bool) saved {
	v := saved{rule: r.string()}
	readState(r, &v, 0)
	readAlarm(r, &v)
	if old {
		v.Life = lifeOf(r, v.Alarm, max(v.At, earliest))
	} else {
		v.Life = readLife(r, max(v.At, earliest))
	}
	v.test = pieces{{data: r.bytes()}}
	v.check(r)
	return v
}

// readPoint reads what point.save wrote.
func readPoint(r *reader, around instant) (p reading) {
	p.At = r.near(around)
	p.LastGood = r.near(p.At)
	p.Quality, p.Value = facility.Quality(r.byte()), r.float()
	return p
}

// readState reads what saveState wrote.
func readState(r *reader, v *saved, around instant) {
	v.At, v.Wake = r.near(around), never
	if Truth(r.byte()) == True {
		v.Wake = r.near(v.At)
	}
	v.Blind = Truth(r.byte()) == True
	v.Deadline, v.Left = 0, 0
	if v.Pending = pending(r.byte()); v.Pending != nothing {
		v.Deadline, v.Left = r.near(v.At), time.Duration(r.varint())
	}
}

// readAlarm reads what saveAlarm wrote of the alarm itself.
func readAlarm(r *reader, v *saved) {
	alarm, order := r.bytes(), r.bytes()
	v.Alarm, v.order = nil, OrderPolicy{}
	if len(alarm) == 0 {
		return
	}
	v.Alarm = &facility.Alarm{}
	if err := errors.Join(json.Unmarshal(alarm, v.Alarm), json.Unmarshal(order, &v.order)); err != nil {
		r.fail(err.Error())
	}
}

// check fails when the state is none that an instance can be in.
func (v *saved) check(r *reader) {
	base := facility.AlarmNormal
	if v.Life != nil {
		base = v.Life.Base
	}
	switch {
	case v.Pending > clearing, v.Left < 0 || v.Left > LongestDelay:
		r.fail("a delay that cannot be")
	case v.Pending == clearing && !base.Active():
		r.fail("a delay without its alarm")
	case v.Alarm == nil && base != facility.AlarmNormal, v.Alarm != nil && v.Alarm.State != base, v.Alarm != nil && base == facility.AlarmNormal:
		r.fail("an alarm that is not in the state that it is in")
	}
}

// proves tries all that is kept and that somebody asks for, on copies.
func (e *Engine) proves(s snapshot) error {
	for _, k := range e.feeds {
		data := s.feeds[k.feedSpec]
		if len(data) == 0 {
			continue
		}
		if err := data.load(k.blank()); err != nil {
			return fmt.Errorf("%s of %s: %w", k.kind, k.point, err)
		}
	}
	for _, i := range e.instances {
		v, ok := s.instances[i.key]
		if !ok || v.rule != i.rule.print {
			continue
		}
		if t, ok := i.test.(*conditionTest); ok {
			if err := v.test.loadTest(t.blank()); err != nil {
				return fmt.Errorf("%s: %w", i.key, err)
			}
		}
	}
	return nil
}

// restore takes the state of one instance out of the saved ones, unless its rule
// judges differently now.
func (e *Engine) restore(i *instance, all map[string]saved) {
	v, ok := all[i.key]
	i.state = fresh(i.test)
	i.turns = never
	i.test.reset()
	switch {
	case ok && v.rule == i.rule.print:
		i.state = v.state
		_ = v.test.loadTest(i.test) // proves has seen that it can be read
		delete(all, i.key)
	case ok:
		i.inherit(v)
	}
	if i.Life != nil {
		i.planTurn(i.life()) // it is forgotten where it would have been
	}
	if (!ok || v.rule != i.rule.print) && e.frame.listening != 0 {
		i.listen(e.frame.listening)
	}
	if i.Alarm != nil {
		e.byID[i.Alarm.ID] = i
	}
}

// inherit takes over what belongs to the key and not to what the rule judges: the holds,
// and when people were told. The alarm itself is retired.
func (i *instance) inherit(v saved) {
	if v.Life == nil {
		return
	}
	life := *v.Life
	if life.Base != facility.AlarmNormal {
		life, _, _ = life.Step(i.rule.life, lifecycle.Input{Event: facility.AlarmRetire, By: facility.SystemActor}) // lawful from every other state
	}
	i.Life, i.At = &life, v.At
}

// Retire brings to normal the alarms of a restored state whose rule or device is
// gone or judges differently now, and hands each out once. Where the fault is
// still there, the new rule raises it again.
func (e *Engine) Retire(at time.Time) []Change {
	at = clamp(at).time()
	out := make([]Change, 0, len(e.retired))
	for _, r := range e.retired {
		a, from := r.alarm, r.alarm.State
		a.State, a.ClearedAt = facility.AlarmNormal, &at
		out = append(out, Change{
			Alarm: a, Event: facility.AlarmRetire, From: from, At: at, Order: r.order,
			By: facility.SystemActor, Why: lifecycle.WhySilent, Was: from, Shown: a.State,
		})
	}
	e.retired = nil
	return out
}
