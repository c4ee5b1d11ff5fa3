package rules

import (
	"bytes"
	"errors"
	"fmt"
)

// add takes parts into what was read of the whole.
func (s *snapshot) add(parts [][]byte, sum uint32) error {
	var first, last, before uint64
	for n, part := range parts {
		r := &reader{tight: true}
		rest, ok := bytes.CutPrefix(part, []byte(partMark))
		if r.data = rest; !ok {
			r.fail("it is of another version")
		}
		if r.uvarint() != uint64(sum) && r.err == nil {
			r.fail("it is of something else")
		}
		seq := r.uvarint()
		if n == 0 {
			first = seq
		} else if seq != last+1 && r.err == nil {
			r.fail("one before it is missing")
		}
		last, before = seq, r.uvarint()
		s.addPart(r)
		if r.err != nil {
			return fmt.Errorf("part %d of %d: %w", n+1, len(parts), r.err)
		}
	}
	if first > max(before, 1) {
		return errors.New("parts at the beginning are missing")
	}
	for _, key := range s.keys {
		v, r := s.instances[key], &reader{}
		if v.check(r); r.err != nil {
			return fmt.Errorf("%s: %w", key, r.err)
		}
	}
	return nil
}

func (s *snapshot) addPart(r *reader) {
	s.listening = r.instant()
	around := r.instant()
	for range 2 { // what changed, and what was renewed
		for range r.count(12) {
			s.addPoint(r, around)
		}
		for range r.count(8) {
			s.addInstance(r, around)
		}
	}
	r.end()
}

func (s *snapshot) addPoint(r *reader, around instant) {
	n := r.uvarint()
	if n >= uint64(len(s.order)) {
		r.fail("a point that is none")
		return
	}
	id := s.order[n]
	p := readPoint(r, around)
	s.points[id] = p
	for _, spec := range s.kept[id] {
		f := s.feeds[spec]
		switch r.byte() {
		case feedSame:
			continue
		case feedWhole:
			f = pieces{{r.bytes(), p.At}}
		case feedPatch:
			f = append(f, piece{r.bytes(), p.At})
		default:
			r.fail("something of a point that is nothing")
		}
		s.feeds[spec] = f
	}
}

func (s *snapshot) addInstance(r *reader, around instant) {
	n := r.uvarint()
	if n >= uint64(len(s.keys)) {
		r.fail("a rule that is none")
		return
	}
	v := s.instances[s.keys[n]]
	how := r.byte()
	readState(r, &v, around)
	if how != tellState {
		readAlarm(r, &v)
		v.Life = readLife(r, max(v.At, earliest))
	}
	switch data := r.bytes(); {
	case how > tellAll:
		r.fail("something of a rule that is nothing")
	case how == tellAll:
		v.test = pieces{{data, v.At}}
	case len(data) > 0:
		v.test = append(v.test, piece{data, v.At})
	}
	s.instances[s.keys[n]] = v
}

// pieces are something whole and the patches since.
type pieces []piece

// piece is what stands in a snapshot or a part, and the time that times in a patch are
// told from.
type piece struct {
	data   []byte
	around instant
}

// whole is the first piece.
func (p pieces) whole() *reader {
	if len(p) == 0 {
		return &reader{}
	}
	return &reader{data: p[0].data}
}

// mended is a feed that takes patches in one by one. Others are loaded from what the
// patches make of the whole.
type mended interface {
	mend(r *reader, around instant)
}

// load brings a feed to what the pieces say.
func (p pieces) load(f feed) error {
	r, patches := p.whole(), p[min(1, len(p)):]
	m, ok := f.(mended)
	if !ok {
		for _, piece := range patches {
			patch := &reader{data: piece.data}
			if r.data = mendBlocks(r.data, patch); patch.err != nil {
				return patch.err
			}
		}
		patches = nil
	}
	f.load(r)
	r.end()
	for _, piece := range patches {
		if r.err != nil {
			break
		}
		r = &reader{data: piece.data, tight: true}
		m.mend(r, piece.around)
		r.end()
	}
	return r.err
}

// loadTest brings what a test remembers to what the pieces say.
func (p pieces) loadTest(t test) error {
	r := p.whole()
	t.load(r)
	c, ok := t.(*conditionTest)
	for n := 1; ok && n < len(p) && r.err == nil; n++ {
		r = &reader{data: p[n].data, tight: true}
		c.mend(r, p[n].around)
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

func (t *conditionTest) mend(r *reader, around instant) {
	for i := range t.cells {
		c := &t.cells[i]
		c.loadLook(r, around)
		if c.times != nil {
			c.times.mend(r, around)
		}
	}
}
