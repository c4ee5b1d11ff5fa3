package hub

import (
	"sync"

	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

const (
	shelved = 128 // records on a shelf
	// shelvedBytes is how large a record on it may be: a batch of 500 readings is 35 kB.
	shelvedBytes = 64 << 10
)

// shelf keeps the facts of the newest records. Consumers that are at about the same
// place in the journal, as they mostly are, decode each record once between them;
// one that is far behind decodes for itself. What is on it is shared: nobody may
// change it.
type shelf struct {
	mu    sync.Mutex
	slots [shelved]*shelvedFact
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
	f.once.Do(func() { f.fact, f.err = decode(r) })
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
	h, readings, taps, err := payload.Decode(r.Body)
	if err != nil {
		return fact{}, err
	}
	for i := range taps {
		if taps[i].ReceivedAt.IsZero() {
			taps[i].ReceivedAt = r.At
		}
	}
	return newFact(h, readings, taps, r.At), nil
}
