package hub

import (
	"sync"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

const (
	shelved = 96 // records on a shelf
	// shelvedBytes is how large a record on it may be: a batch of 500 readings is 35 kB.
	shelvedBytes = 64 << 10
)

// shelf keeps the facts of the newest records. Consumers that are at about the same
// place in the journal, as they mostly are, share them, and need not decode what was
// decoded when it came; one that is far behind decodes for itself. What is on the
// shelf is shared: nobody may change it.
type shelf struct {
	mu    sync.Mutex
	slots [shelved]*shelvedFact

	coming map[*byte]content // by the first byte of the record, which is the same memory when it comes
	order  [shelved]*byte    // of their coming
	next   int               // in that
}

// content is what is in a record.
type content struct {
	header   payload.Header
	readings []facility.Reading
	taps     []facility.Tap
}

// expect takes what is in a record that is to come through the journal. Whoever calls
// it must not change anything of it afterwards.
func (s *shelf) expect(body []byte, c content) {
	if len(body) == 0 || len(body) > shelvedBytes {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.coming == nil {
		s.coming = map[*byte]content{}
	}
	delete(s.coming, s.order[s.next]) // it did not come, or they are behind
	s.order[s.next] = &body[0]
	s.next = (s.next + 1) % shelved
	s.coming[&body[0]] = c
}

// expected returns what is known to be in a record, once.
func (s *shelf) expected(body []byte) (content, bool) {
	if len(body) == 0 {
		return content{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.coming[&body[0]]
	delete(s.coming, &body[0])
	return c, ok
}

type shelvedFact struct {
	seq   uint64
	epoch string

	once sync.Once
	fact fact
	err  error
}

// decode returns the content of a record.
func (s *shelf) decode(r journal.Record) (fact, error) {
	if len(r.Body) > shelvedBytes {
		return decode(r)
	}
	f := s.slot(r)
	if f == nil {
		return decode(r)
	}
	f.once.Do(func() {
		if c, ok := s.expected(r.Body); ok {
			f.fact = c.fact(r)
			return
		}
		f.fact, f.err = decode(r)
	})
	return f.fact, f.err
}

// slot returns the place of a record, or nil where a newer one has it.
func (s *shelf) slot(r journal.Record) *shelvedFact {
	s.mu.Lock()
	defer s.mu.Unlock()
	place := &s.slots[r.Seq%shelved]
	switch f := *place; {
	case f != nil && f.seq == r.Seq && f.epoch == r.Epoch:
	case f != nil && f.seq > r.Seq && f.epoch == r.Epoch:
		return nil
	default:
		*place = &shelvedFact{seq: r.Seq, epoch: r.Epoch}
	}
	return *place
}

func decode(r journal.Record) (fact, error) {
	var c content
	var err error
	if c.header, c.readings, c.taps, err = payload.Decode(r.Body); err != nil {
		return fact{}, err
	}
	return c.fact(r), nil
}

func (c content) fact(r journal.Record) fact {
	for i := range c.taps {
		if c.taps[i].ReceivedAt.IsZero() {
			c.taps[i].ReceivedAt = r.At
		}
	}
	return newFact(c.header, c.readings, c.taps, r.At)
}
