package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
)

// Read returns records after the sequence, at least one if there is one, and
// more while their bodies fit into maxBytes. A record whose checksum is wrong is
// left out, counted and removed.
func (j *Journal) Read(after uint64, maxBytes int) ([]Record, error) {
	if recs := j.recall(after, maxBytes); len(recs) > 0 {
		return recs, nil
	}
	j.file.Lock()
	defer j.file.Unlock()
	recs, bad, err := j.readFile(after, maxBytes)
	if damaged(err) {
		if err = j.replace(err); err == nil {
			recs, bad, err = j.readFile(after, maxBytes)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", j.path, err)
	}
	if len(bad) > 0 {
		j.removeBad(bad)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.countHoles(after, recs, bad)
	if !j.saves {
		recs = j.addShown(recs, after, maxBytes)
	}
	j.name(recs)
	return recs, nil
}

// recall reads what was written last, without the file.
func (j *Journal) recall(after uint64, maxBytes int) []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended || j.saves {
		return nil
	}
	recs := j.recent.after(after, maxBytes)
	if len(recs) > 0 {
		recs = j.addShown(recs, after, maxBytes)
		j.name(recs)
	}
	return recs
}

// name says of which epoch records are. The caller holds j.mu.
func (j *Journal) name(recs []Record) {
	for i := range recs {
		recs[i].Epoch = j.runs.at(recs[i].Seq).epoch
	}
}

// readFile reads what is in the file, and while a damaged one is saved no further
// than that has come.
func (j *Journal) readFile(after uint64, maxBytes int) (recs []Record, bad []uint64, err error) {
	j.mu.Lock()
	upTo, ended := uint64(math.MaxInt64), j.ended
	if j.saves {
		upTo = j.frontier
	}
	j.mu.Unlock()
	switch {
	case ended:
		return nil, nil, ErrClosed
	case j.f == nil || after >= upTo:
		return nil, nil, nil
	}
	recs, bad, err = j.f.read(after, upTo, maxBytes)
	return recs, bad, err
}

// removeBad removes records with a wrong checksum. The caller holds j.file.
func (j *Journal) removeBad(bad []uint64) {
	j.log.Error("records have a wrong checksum and are lost", "seqs", bad)
	gone, err := j.f.remove(bad)
	newest, newestErr := j.f.newest()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.st.Damaged += int64(len(bad))
	j.st.Records -= gone.records
	j.st.Bytes -= gone.bytes
	j.facts -= gone.facts
	j.books.damaged += gone.facts
	j.newest = max(newest, j.newestShown())
	if err := errors.Join(err, newestErr); err != nil {
		j.log.Error("cannot remove damaged records", "error", err)
	}
}

// countHoles counts records that should be between others and are not: part of
// the file's structure was damaged. The caller holds j.mu.
func (j *Journal) countHoles(after uint64, recs []Record, bad []uint64) {
	expected := max(after, j.gone, j.verified) + 1
	missing := uint64(0)
	for _, r := range recs {
		for len(bad) > 0 && bad[0] < r.Seq {
			if bad[0] == expected {
				expected++ // counted already
			}
			bad = bad[1:]
		}
		if r.Seq > expected && expected > 1 && !j.runs.starts(r.Seq) {
			missing += r.Seq - expected
		}
		expected = max(expected, r.Seq+1)
	}
	if len(recs) > 0 {
		j.verified = max(j.verified, recs[len(recs)-1].Seq)
	}
	if missing > 0 {
		j.st.Damaged += int64(missing)
		j.log.Error("records are missing in the file and are lost", "records", missing)
	}
}

// Cursor returns how far the cursor's owner has come; 0 is nowhere.
func (j *Journal) Cursor(cursor string) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.Cursors[cursor]
}

// Returned reports whether the cursor was moved back, because the file came back with
// records that its owner has yet to read.
func (j *Journal) Returned(cursor string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.returned[cursor]
}

// Resume is Cursor for an owner that goes on from there, whatever it has read.
func (j *Journal) Resume(cursor string) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.returned, cursor)
	return j.st.Cursors[cursor]
}

// Marks returns all marks that are durable.
func (j *Journal) Marks() map[string]uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.marks)
}

// Durable returns the newest sequence that a crash does not take back.
func (j *Journal) Durable() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

// Wait returns when there is a record after the sequence to read, or ctx ends.
// Records that are gone again, trimmed or damaged, are not waited for.
func (j *Journal) Wait(ctx context.Context, after uint64) error {
	for {
		j.mu.Lock()
		newest, grown, closed := j.readable(), j.grown, j.closed
		j.mu.Unlock()
		switch {
		case newest > after:
			return nil
		case closed:
			return ErrClosed
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// readable is the newest sequence that can be read now. The caller holds j.mu.
func (j *Journal) readable() uint64 {
	if j.saves {
		return j.frontier
	}
	return j.newest
}

// Holds reports whether there is a record after the sequence, which is when Wait
// returns at once.
func (j *Journal) Holds(after uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.readable() > after
}

// Grown returns a channel that is closed when there are new records, when more of
// them are durable, or when the journal is closed, for those who wait for other
// things at the same time.
func (j *Journal) Grown() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.grown
}

// wakeReaders is called with j.mu held.
func (j *Journal) wakeReaders() {
	if !j.ended {
		close(j.grown)
		j.grown = make(chan struct{})
	}
}

// Last returns the newest sequence that can be read; 0 before the first.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.Last
}

// Through returns the sequence up to which everything that is held can be read;
// nothing will appear before it.
func (j *Journal) Through() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.saves {
		return j.frontier
	}
	return j.st.Last
}

// Opened returns the last sequence that there was when the journal was opened.
func (j *Journal) Opened() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.opened
}

// Fill returns how full the journal is, from 0 to 1.
func (j *Journal) Fill() float64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return float64(j.st.Bytes+j.held) / float64(j.opts.MaxBytes)
}

// Closed reports whether Close was called.
func (j *Journal) Closed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}

// Stats returns the present figures.
func (j *Journal) Stats() Stats {
	j.file.Lock()
	defer j.file.Unlock()
	var first Record
	if j.f != nil {
		var err error
		if first.Seq, first.At, err = j.f.oldest(); err != nil {
			j.log.Warn("cannot read the oldest record", "error", err)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.st
	for _, r := range j.shown {
		if first.Seq == 0 && len(r.recs) > 0 {
			first = r.recs[0]
		}
		s.Volatile += int64(len(r.recs))
	}
	s.Epoch, s.First, s.Oldest = j.runs.epoch(), first.Seq, first.At
	s.Cursors = maps.Clone(s.Cursors)
	s.Books = j.account()
	return s
}
