package history

import (
	"sync"
	"time"
)

// Tally keeps the Stats of an engine. It may be used concurrently.
type Tally struct {
	mu     sync.Mutex
	stats  Stats
	upkeep string // what is wrong with it
}

// NewTally returns the tally of the engine with the given name.
func NewTally(engine string) *Tally { return &Tally{stats: Stats{Engine: engine}} }

// Written counts a Write of which stored readings are durable, refused ones never
// will be and err is why others are not, and returns what Write returns. Of a Write
// that failed only those count that are not written again.
func (t *Tally) Written(at time.Time, stored int, refused []Rejected, err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Stored += uint64(stored)
	t.stats.Rejected += uint64(len(refused))
	if err != nil {
		t.stats.Failures++
		t.stats.Error = err.Error()
		return err
	}
	t.stats.LastWrite = at.UTC()
	t.stats.Error = ""
	if len(refused) > 0 {
		err := &RejectedError{Rows: refused}
		t.stats.Error = err.Error()
		return err
	}
	return nil
}

// Upkeep notes how the work behind the writes goes; nil is well.
func (t *Tally) Upkeep(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.upkeep = ""
	if err != nil {
		t.upkeep = err.Error()
	}
}

// Stats returns the sums.
func (t *Tally) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	stats := t.stats
	if stats.Error == "" {
		stats.Error = t.upkeep
	}
	return stats
}
