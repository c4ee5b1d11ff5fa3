package rules

import (
	"bytes"
	"fmt"
	"hash/crc32"

	"gengfu/facility"
)

// A decision is kept together with the state that followed from it. The state of ten
// thousand instances is megabytes, what changed of it between two decisions mostly a
// few kilobytes. So it is kept in parts: whole now and then, and otherwise what
// changed since it was kept, in the order in which it changed. What says nothing of
// itself but that it changed is in a part as it is; windows and growth, which are
// large, say what of them did.

// partMark begins each part. Its last character is raised when another program could
// not read it.
const partMark = "gengfu rules part 1\n"

// Parts may come to so many times what they are added to, before it is kept whole anew:
// what is read at the start is bounded, and what is written for it is a fraction.
const (
	mostParts  = 4
	leastWhole = 64 << 10 // of nothing parts may come to much
)

// keeping is what of the state is durable.
type keeping struct {
	based     bool   // there is a whole one that parts can be added to
	sum       uint32 // of it
	size      int    // of it, in bytes
	added     int    // bytes of the parts since
	points    []*point
	instances []*instance // that changed since
	next      struct {    // what Save returned last
		whole bool
		size  int
		sum   uint32
	}
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

// Save returns what is to be made durable now, so that Restore finds the state as it is:
// the whole of it, in place of all that was kept, or a part, to be added to what was.
// Parts are added in order; a part that was made durable although Kept was not called
// does no harm.
func (e *Engine) Save() (data []byte, whole bool, err error) {
	k := &e.keeping
	if k.based && k.added <= mostParts*max(k.size, leastWhole) {
		data, err = e.part()
	} else {
		data, err = e.Snapshot()
		whole, k.next.sum = true, crc32.ChecksumIEEE(data)
	}
	k.next.whole, k.next.size = whole, len(data)
	return data, whole, err
}

// Kept says that what Save returned last is durable. Nothing must have happened to the
// engine between.
func (e *Engine) Kept() {
	k := &e.keeping
	if k.next.whole {
		k.based, k.sum, k.size, k.added = true, k.next.sum, k.next.size, 0
		for n, p := range e.order {
			p.index = int32(n)
		}
		for _, f := range e.feeds {
			settle(f.feed)
		}
		for _, i := range e.instances {
			i.settle()
		}
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
	if !k.next.whole {
		k.added += k.next.size
	}
	k.points, k.instances = k.points[:0], k.instances[:0]
}

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
// things are, not what became of them.
type patched interface {
	feed
	patch(w *writer) // writes nothing when nothing changed
	mend(r *reader)
	settle() // it is kept as it is now
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

// part is what changed since it was kept.
func (e *Engine) part() ([]byte, error) {
	w, piece := &writer{}, &writer{}
	w.data = append(w.data, partMark...)
	w.uvarint(uint64(e.keeping.sum))
	w.instant(e.frame.listening)
	w.uvarint(uint64(len(e.keeping.points)))
	for _, p := range e.keeping.points {
		w.uvarint(uint64(p.index))
		p.save(w)
		for _, f := range p.feeds {
			saveFeed(w, piece, f)
		}
	}
	w.uvarint(uint64(len(e.keeping.instances)))
	for _, i := range e.keeping.instances {
		w.uvarint(uint64(i.index))
		w.byte(byte(truthOf(i.dirty&dirtyAlarm != 0)))
		i.saveState(w)
		if i.dirty&dirtyAlarm != 0 {
			if err := i.saveAlarm(w); err != nil {
				return nil, fmt.Errorf("save what changed of the rules: %w", err)
			}
		}
		piece.data = piece.data[:0]
		if t, ok := i.test.(*conditionTest); ok {
			t.patch(piece)
		}
		w.bytes(piece.data)
	}
	return w.data, nil
}

func saveFeed(w, piece *writer, f feed) {
	piece.data = piece.data[:0]
	how := feedWhole
	if p, ok := f.(patched); ok {
		how = feedPatch
		p.patch(piece)
	} else {
		f.save(piece)
	}
	if how == feedPatch && len(piece.data) == 0 {
		w.byte(feedSame)
		return
	}
	w.byte(how)
	w.bytes(piece.data)
}

// add takes parts into what was read of the whole.
func (s *snapshot) add(parts [][]byte, sum uint32) error {
	for n, part := range parts {
		if err := s.addPart(part, sum); err != nil {
			return fmt.Errorf("part %d of %d: %w", n+1, len(parts), err)
		}
	}
	for key, v := range s.instances {
		r := &reader{}
		if v.check(r); r.err != nil {
			return fmt.Errorf("%s: %w", key, r.err)
		}
	}
	return nil
}

func (s *snapshot) addPart(part []byte, sum uint32) error {
	rest, ok := bytes.CutPrefix(part, []byte(partMark))
	r := &reader{data: rest}
	switch {
	case !ok:
		r.fail("a part of another version")
	case r.uvarint() != uint64(sum) && r.err == nil:
		r.fail("a part of something else")
	}
	s.listening = r.instant()
	for range r.count(13) {
		s.addPoint(r)
	}
	for range r.count(8) {
		s.addInstance(r)
	}
	r.end()
	return r.err
}

func (s *snapshot) addPoint(r *reader) {
	n := r.uvarint()
	if n >= uint64(len(s.order)) {
		r.fail("a point that is none")
		return
	}
	id := s.order[n]
	s.points[id] = readPoint(r)
	for _, spec := range s.kept[id] {
		f := s.feeds[spec]
		switch r.byte() {
		case feedSame:
			continue
		case feedWhole:
			f = pieces{r.bytes()}
		case feedPatch:
			f = append(f, r.bytes())
		default:
			r.fail("something of a point that is nothing")
		}
		s.feeds[spec] = f
	}
}

func (s *snapshot) addInstance(r *reader) {
	n := r.uvarint()
	if n >= uint64(len(s.keys)) {
		r.fail("a rule that is none")
		return
	}
	v := s.instances[s.keys[n]]
	changed := Truth(r.byte()) == True
	readState(r, &v)
	if changed {
		readAlarm(r, &v)
		v.Life = readLife(r, max(v.At, earliest))
	}
	if patch := r.bytes(); len(patch) > 0 {
		v.test = append(v.test, patch)
	}
	s.instances[s.keys[n]] = v
}

// pieces are something whole and the patches since.
type pieces [][]byte

// whole is the first piece.
func (p pieces) whole() *reader {
	if len(p) == 0 {
		return &reader{}
	}
	return &reader{data: p[0]}
}

// load brings a feed to what the pieces say.
func (p pieces) load(f feed) error {
	r := p.whole()
	f.load(r)
	r.end()
	if len(p) < 2 || r.err != nil {
		return r.err
	}
	m, ok := f.(patched)
	if !ok {
		r.fail("patches of what has none")
		return r.err
	}
	for _, piece := range p[1:] {
		r = &reader{data: piece}
		m.mend(r)
		if r.end(); r.err != nil {
			return r.err
		}
	}
	return nil
}

// loadTest brings what a test remembers to what the pieces say.
func (p pieces) loadTest(t test) error {
	r := p.whole()
	t.load(r)
	c, ok := t.(*conditionTest)
	for n := 1; ok && n < len(p) && r.err == nil; n++ {
		r = &reader{data: p[n]}
		c.mend(r)
		r.end()
	}
	return r.err
}

// end fails when something is left.
func (r *reader) end() {
	if r.err == nil && len(r.data) > 0 {
		r.fail("something stands behind its end")
	}
}

func (t *conditionTest) patch(w *writer) {
	for i := range t.cells {
		c := &t.cells[i]
		c.saveLook(w)
		if c.times != nil {
			c.times.patchSlots(w)
		}
	}
}

func (t *conditionTest) mend(r *reader) {
	for i := range t.cells {
		c := &t.cells[i]
		c.loadLook(r)
		if c.times != nil {
			c.times.mend(r)
		}
	}
}

// readPoint reads what point.save wrote.
func readPoint(r *reader) reading {
	return reading{At: r.instant(), LastGood: r.instant(), Quality: facility.Quality(r.byte()), Value: r.float()}
}
