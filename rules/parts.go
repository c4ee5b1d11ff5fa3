package rules

import (
	"fmt"
	"hash/crc32"
)

// A decision is kept together with the state that followed from it. The state of ten
// thousand instances is megabytes, what changed of it between two decisions mostly a
// few kilobytes. So it is kept whole once, when an engine begins, and then in parts: what
// changed since it was kept, in the order in which it changed. Windows and growth, which
// are large, say what of them did; all else is in a part as it is.
//
// Each part also renews some of what did not change, in turn. When all is renewed the
// parts from before that turn are needed no more: so parts do not grow for ever, and no
// decision has to wait until all is written.

// partMark begins each part. Its last character is raised when another program could
// not read it.
const partMark = "gengfu rules part 1\n"

// A part renews a quarter as much as changed, so that a turn ends when parts come to five
// times the whole, and at least so much that it ends after so many parts.
const (
	partsPerTurn = 512
	leastRenewed = 1 << 10 // bytes
)

// Saved is what is to be made durable of the state.
type Saved struct {
	Data   []byte
	Whole  bool   // it stands for all that was kept, which can go; else it is a part, to be added
	Seq    uint64 // of a part, from 1; one of the same sequence that is there was never Kept, and is replaced
	Before uint64 // parts of lower sequences can go
}

// keeping is what of the state is durable.
type keeping struct {
	based     bool   // there is a whole one that parts can be added to
	sum       uint32 // of it
	size      int    // of it, in bytes
	seq       uint64 // of the last part
	turn      turn
	points    []*point
	instances []*instance // that changed since

	next struct { // what Save returned last
		whole bool
		size  int // in bytes
		sum   uint32
		turn  turn
	}
}

// turn is how far renewing has come.
type turn struct {
	at     int    // how many of the points, and behind them of the instances, are renewed
	since  uint64 // sequence of the first part of this turn
	before uint64 // ... of the turn before, whose parts are needed with those since; 0 is all
}

// What of an instance is not as it was kept.
const (
	dirtyState byte = 1 << iota
	dirtyAlarm      // and the alarm, or how it stands
)

// mark notes that the point, or what is kept of it, is not as it was kept.
func (k *keeping) mark(p *point) {
	if !p.dirty {
		p.dirty = true
		k.points = append(k.points, p)
	}
}

// mark notes that the instance is not as it was kept.
func (i *instance) mark(what byte) {
	if i.dirty == 0 {
		k := &i.engine.keeping
		k.instances = append(k.instances, i)
	}
	i.dirty |= what
}

// Save returns what is to be made durable now, so that Restore finds the state as it is.
// A part that was made durable although Kept was not called does no harm, if the next one
// replaces it.
func (e *Engine) Save() (Saved, error) {
	k := &e.keeping
	if !k.based {
		data, err := e.Snapshot()
		k.next.whole, k.next.size, k.next.sum = true, len(data), crc32.ChecksumIEEE(data)
		return Saved{Data: data, Whole: true}, err
	}
	k.next.whole = false
	data, err := e.part()
	k.next.size = len(data)
	return Saved{Data: data, Seq: k.seq + 1, Before: k.turn.before}, err
}

// Kept says that what Save returned last is durable. Nothing must have happened to the
// engine between.
func (e *Engine) Kept() {
	k := &e.keeping
	if k.next.whole {
		k.based, k.sum, k.size, k.seq, k.turn = true, k.next.sum, k.next.size, 0, turn{since: 1}
		for n, p := range e.order {
			p.index = int32(n)
		}
		for _, f := range e.feeds {
			settle(f.feed)
		}
		for _, i := range e.instances {
			i.settle()
		}
	} else {
		k.seq++
		k.turn = k.next.turn
	}
	for _, p := range k.points {
		p.dirty = false
		for _, f := range p.feeds {
			settle(f)
		}
	}
	for _, i := range k.instances {
		i.settle()
	}
	k.points, k.instances = k.points[:0], k.instances[:0]
}

// Unsaved is how many points and instances are not as they were kept: what Save would
// return grows with it, some tens of bytes for each.
func (e *Engine) Unsaved() int { return len(e.keeping.points) + len(e.keeping.instances) }

func (i *instance) settle() {
	i.dirty = 0
	if t, ok := i.test.(*conditionTest); ok {
		for n := range t.cells {
			if w := t.cells[n].times; w != nil {
				w.settle()
			}
		}
	}
}

// patched is a feed that knows what of it changed since it was kept. Patches are taken
// in where the feed is as it was then, or as it was at any time between: they say how
// things are, not what became of them. around is the time of the point's last reading.
type patched interface {
	feed
	patch(w *writer, around instant) // writes nothing when nothing changed
	settle()                         // it is kept as it is now
}

func settle(f feed) {
	if p, ok := f.(patched); ok {
		p.settle()
	}
}

// How a part tells of a feed.
const (
	feedSame byte = iota
	feedWhole
	feedPatch
)

// How a part tells of an instance.
const (
	tellState byte = iota // and what changed of the test
	tellAlarm             // also the alarm
	tellAll
)

// part is what changed since it was kept, and some that did not.
func (e *Engine) part() ([]byte, error) {
	k := &e.keeping
	w, piece := &writer{data: make([]byte, 0, min(k.next.size+k.next.size/4, 1<<18)), tight: true}, &writer{tight: true}
	w.data = append(w.data, partMark...)
	w.uvarint(uint64(k.sum))
	w.uvarint(k.seq + 1)
	w.uvarint(k.turn.before)
	w.instant(e.frame.listening)
	around := k.newest()
	w.instant(around)
	w.uvarint(uint64(len(k.points)))
	for _, p := range k.points {
		p.tell(w, piece, around, false)
	}
	w.uvarint(uint64(len(k.instances)))
	for _, i := range k.instances {
		how := tellState
		if i.dirty&dirtyAlarm != 0 {
			how = tellAlarm
		}
		if err := i.tell(w, piece, around, how); err != nil {
			return nil, fmt.Errorf("save what changed of the rules: %w", err)
		}
	}
	if err := e.renew(w, piece, around); err != nil {
		return nil, fmt.Errorf("save what did not change of the rules: %w", err)
	}
	return w.data, nil
}

// renew adds to a part some of what did not change since it was kept.
func (e *Engine) renew(w, piece *writer, around instant) error {
	k := &e.keeping
	points, instances := &writer{tight: true}, &writer{tight: true}
	countPoints, countInstances := 0, 0
	enough := max(len(w.data)/4, k.size/partsPerTurn, leastRenewed)
	t := k.turn
	for ; t.at < len(e.order)+len(e.instances) && len(points.data)+len(instances.data) < enough; t.at++ {
		if t.at < len(e.order) {
			e.order[t.at].tell(points, piece, around, true)
			countPoints++
			continue
		}
		if err := e.instances[t.at-len(e.order)].tell(instances, piece, around, tellAll); err != nil {
			return err
		}
		countInstances++
	}
	if t.at == len(e.order)+len(e.instances) {
		t = turn{since: k.seq + 2, before: t.since} // it has come round with this part
	}
	k.next.turn = t
	w.uvarint(uint64(countPoints))
	w.data = append(w.data, points.data...)
	w.uvarint(uint64(countInstances))
	w.data = append(w.data, instances.data...)
	return nil
}

// newest is the time of the newest reading that a part tells of: the other times are told
// as how far from it, or from each other, they are.
func (k *keeping) newest() instant {
	var at instant
	for _, p := range k.points {
		at = max(at, p.At)
	}
	return at
}

func (p *point) tell(w, piece *writer, around instant, all bool) {
	w.uvarint(uint64(p.index))
	p.save(w, around)
	for _, f := range p.feeds {
		piece.data = piece.data[:0]
		how := feedWhole
		if c, ok := f.(patched); ok && !all {
			if c.patch(piece, p.At); len(piece.data) == 0 {
				w.byte(feedSame)
				continue
			}
			how = feedPatch
		} else {
			f.save(piece)
		}
		w.byte(how)
		w.bytes(piece.data)
	}
}

func (i *instance) tell(w, piece *writer, around instant, how byte) error {
	w.uvarint(uint64(i.index))
	w.byte(how)
	i.saveState(w, around)
	if how != tellState {
		if err := i.saveAlarm(w); err != nil {
			return err
		}
	}
	piece.data = piece.data[:0]
	if how == tellAll {
		i.test.save(piece)
	} else if t, ok := i.test.(*conditionTest); ok {
		t.patch(piece, i.At)
	}
	w.bytes(piece.data)
	return nil
}

func (t *conditionTest) patch(w *writer, around instant) {
	for i := range t.cells {
		c := &t.cells[i]
		c.saveLook(w, around)
		if c.times != nil {
			c.times.patchSlots(w, around)
		}
	}
}
