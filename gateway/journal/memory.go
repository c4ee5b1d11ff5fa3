package journal

import (
	"errors"
	"fmt"
	"slices"
)

// While the disk refuses, records are kept in memory, behind what is on the disk,
// and readers get them. As a crash takes them back and their numbers with them,
// they are of a life of their own. When the disk takes them they are written with
// the numbers that they have.

// show makes a request that the disk refused readable from memory, or refuses it
// as well. The caller holds j.mu.
func (j *Journal) show(r *request, cause error) {
	if err := j.room(r); err != nil {
		j.held -= r.size
		if r.done == nil {
			j.st.Forgotten += int64(len(r.recs))
			j.books.taken += r.facts()
			j.books.forgotten += r.facts()
			return
		}
		r.done <- errors.Join(err, cause)
		return
	}
	j.number(r)
	j.books.taken += r.facts()
	j.shown = append(j.shown, r)
	j.shownBytes += r.size
	j.st.Last = max(j.st.Last, r.last())
	j.newest = max(j.newest, r.last())
	for j.opts.Evict && j.shownBytes > j.opts.Memory && len(j.shown) > 1 {
		j.st.Forgotten += int64(len(j.shown[0].recs))
		j.books.forgotten += j.shown[0].facts()
		j.dropOldest()
	}
	if r.done != nil {
		r.done <- fmt.Errorf("%w: %w", ErrVolatile, cause)
	}
}

// room says why a request cannot be kept in memory, and begins a life for it.
func (j *Journal) room(r *request) error {
	switch {
	case j.opts.Memory == 0:
		return errNoMemory
	case !j.opts.Evict && j.shownBytes+r.size > j.opts.Memory:
		return ErrFull
	case j.volatile:
		return nil
	}
	life, err := newLife()
	if err != nil {
		return err
	}
	j.volatile = true
	j.setRuns(j.runs.begin(j.assigned+1, life))
	j.log.Error("A NEW EPOCH BEGINS: what the disk refuses is handed out from memory", "epoch", life, "from", j.assigned+1)
	return nil
}

// errNoMemory is joined with why the disk refused.
var errNoMemory = errors.New("nothing is kept in memory")

// dropPassed forgets what all cursors have passed. What has marks stays until
// they are durable. The caller holds j.mu.
func (j *Journal) dropPassed() {
	passed := j.passed()
	for len(j.shown) > 0 && len(j.shown[0].marks) == 0 && j.shown[0].last() <= passed {
		j.dropOldest()
	}
}

func (j *Journal) dropOldest() {
	r := j.shown[0]
	r.dropped = true
	if len(r.recs) > 0 { // what goes from the begin of a run leaves no hole in it
		j.setRuns(j.runs.beginLater(r.recs[0].Seq, r.last()+1))
	}
	j.shown = j.shown[1:]
	j.shownBytes -= r.size
	j.held -= r.size
}

// newestShown returns the newest sequence that is in memory only; 0 without any.
func (j *Journal) newestShown() (seq uint64) {
	for _, r := range j.shown {
		seq = max(seq, r.last())
	}
	return seq
}

// addShown appends records that are in memory only, while they fit. The caller
// holds j.mu; what is in the file after the sequence was read before.
func (j *Journal) addShown(recs []Record, after uint64, maxBytes int) []Record {
	size := 0
	for _, r := range recs {
		size += len(r.Body)
		after = max(after, r.Seq)
	}
	if len(recs) > 0 && after < j.durable { // there may be more in the file
		return recs
	}
	begin, _ := slices.BinarySearchFunc(j.shown, after, func(r *request, seq uint64) int {
		if r.last() <= seq {
			return -1
		}
		return 1
	})
	for _, r := range j.shown[begin:] {
		for _, rec := range r.recs {
			if rec.Seq <= after {
				continue
			}
			if size += len(rec.Body); size > maxBytes && len(recs) > 0 {
				return recs
			}
			recs = append(recs, rec)
		}
	}
	return recs
}
