package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// snapshotMark begins each snapshot. Its last character is raised when another
// program could not read it.
const snapshotMark = "gengfu rules 3\n"

// snapshotMark2 begins those that tell of an alarm nothing but the alarm.
const snapshotMark2 = "gengfu rules 2\n"

// Snapshot returns the state of the engine. What it does from here it would do
// exactly so after Restore.
func (e *Engine) Snapshot() ([]byte, error) {
	w := &writer{data: make([]byte, 0, e.size+e.size/8+4096)}
	piece := &writer{}
	w.data = append(w.data, snapshotMark...)
	w.instant(e.frame.listening)
	e.savePoints(w)
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
	kept := 0
	for _, i := range e.instances {
		if !i.untouched() {
			kept++
		}
	}
	w.uvarint(uint64(kept))
	for _, i := range e.instances {
		if i.untouched() {
			continue
		}
		w.string(i.key)
		w.string(i.rule.print)
		if err := i.save(w); err != nil {
			return nil, fmt.Errorf("save the state of the rules: %w", err)
		}
		piece.data = piece.data[:0]
		i.test.save(piece)
		w.bytes(piece.data)
	}
	e.size = len(w.data)
	return w.data, nil
}

// untouched reports whether the state says nothing.
func (i *instance) untouched() bool {
	return i.At == 0 && i.Pending == nothing && i.Life == nil
}

func (e *Engine) savePoints(w *writer) {
	heard := 0
	for _, p := range e.order {
		if p.At != 0 {
			heard++
		}
	}
	w.uvarint(uint64(heard))
	for _, p := range e.order {
		if p.At == 0 {
			continue
		}
		w.string(p.id.Device)
		w.string(p.id.Quantity)
		w.instant(p.At)
		w.instant(p.LastGood)
		w.byte(byte(p.Quality))
		w.float(p.Value)
	}
}

func (i *instance) save(w *writer) error {
	w.instant(i.At)
	w.byte(byte(truthOf(i.Wake != never)))
	if i.Wake != never {
		w.instant(i.Wake)
	}
	w.byte(byte(truthOf(i.Blind)))
	w.byte(byte(i.Pending))
	if i.Pending != nothing {
		w.instant(i.Deadline)
		w.varint(int64(i.Left))
	}
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
	test []byte
	state
	order OrderPolicy
}

// snapshot is what a snapshot holds.
type snapshot struct {
	listening instant
	points    map[facility.PointID]reading
	feeds     map[feedSpec][]byte
	instances map[string]saved // by key
}

// Restore replaces the state by that of a snapshot. Instances whose rule judges
// differently by now, and new ones, start anew; what is kept of a point stays as long
// as any rule asks for the same. Alarms that nobody stands for any more are handed
// out by Retire. The engine is unchanged when an error is returned.
func (e *Engine) Restore(data []byte) error {
	s, err := read(data)
	if err == nil {
		err = e.proves(s)
	}
	if err != nil {
		return fmt.Errorf("restore the state of the rules: %w", err)
	}
	e.frame.listening = s.listening
	for _, p := range e.order {
		p.reading = s.points[p.id]
		p.see()
	}
	for _, k := range e.feeds {
		k.load(&reader{data: s.feeds[k.feedSpec]}) // proves has seen that it can be read, or it is empty
	}
	clear(e.byID)
	e.retired, e.queue = nil, e.queue[:0]
	for _, i := range e.instances {
		i.place, i.queued = 0, never
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
// what is kept of a point stays as long as they ask for the same. See Restore.
func (e *Engine) TakeOver(from *Engine) error {
	data, err := from.Snapshot()
	if err != nil {
		return err
	}
	return e.Restore(data)
}

func read(data []byte) (snapshot, error) {
	rest, ok := bytes.CutPrefix(data, []byte(snapshotMark))
	old := false
	if !ok {
		rest, old = bytes.CutPrefix(data, []byte(snapshotMark2))
	}
	if !ok && !old {
		return snapshot{}, errors.New("it is of another version")
	}
	r := &reader{data: rest}
	s := snapshot{listening: r.instant(), points: map[facility.PointID]reading{}, feeds: map[feedSpec][]byte{}, instances: map[string]saved{}}
	for range r.count(13) {
		id := facility.PointID{Device: r.string(), Quantity: r.string()}
		s.points[id] = reading{At: r.instant(), LastGood: r.instant(), Quality: facility.Quality(r.byte()), Value: r.float()}
	}
	for range r.count(5) {
		spec := feedSpec{kind: r.string(), point: facility.PointID{Device: r.string(), Quantity: r.string()}, span: r.varint()}
		s.feeds[spec] = r.bytes()
	}
	for range r.count(9) {
		key := r.string()
		s.instances[key] = readInstance(r, old)
	}
	if r.err == nil && len(r.data) > 0 {
		r.fail("something stands behind its end")
	}
	return s, r.err
}

func readInstance(r *reader, old bool) saved {
	v := saved{rule: r.string()}
	v.At, v.Wake = r.instant(), never
	if Truth(r.byte()) == True {
		v.Wake = r.instant()
	}
	v.Blind = Truth(r.byte()) == True
	if v.Pending = pending(r.byte()); v.Pending != nothing {
		v.Deadline, v.Left = r.instant(), time.Duration(r.varint())
	}
	alarm, order := r.bytes(), r.bytes()
	if len(alarm) > 0 {
		v.Alarm = &facility.Alarm{}
		if err := errors.Join(json.Unmarshal(alarm, v.Alarm), json.Unmarshal(order, &v.order)); err != nil {
			r.fail(err.Error())
		}
	}
	if old {
		v.Life = lifeOf(r, v.Alarm, max(v.At, earliest))
	} else {
		v.Life = readLife(r, max(v.At, earliest))
	}
	v.test = r.bytes()
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
	return v
}

// proves tries all that is kept and that somebody asks for, on copies.
func (e *Engine) proves(s snapshot) error {
	for _, k := range e.feeds {
		data := s.feeds[k.feedSpec]
		if len(data) == 0 {
			continue
		}
		r := &reader{data: data}
		k.blank().load(r)
		if r.err == nil && len(r.data) > 0 {
			r.fail("something stands behind its end")
		}
		if r.err != nil {
			return fmt.Errorf("%s of %s: %w", k.kind, k.point, r.err)
		}
	}
	for _, i := range e.instances {
		v, ok := s.instances[i.key]
		if !ok || v.rule != i.rule.print {
			continue
		}
		if t, ok := i.test.(*conditionTest); ok {
			r := &reader{data: v.test}
			t.blank().load(r)
			if r.err != nil {
				return fmt.Errorf("%s: %w", i.key, r.err)
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
		i.test.load(&reader{data: v.test})
		delete(all, i.key)
	case ok:
		i.inherit(v)
	}
	if i.Life != nil {
		i.live(i.life(), i.At)
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
