package journal

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"time"
)

// retryAfter is the pause between two tries to write what nobody waits for.
const retryAfter = time.Second

// commits is the one goroutine that writes records. It ends after the last
// commit of a closed journal.
func (j *Journal) commits() {
	defer close(j.done)
	var timer <-chan time.Time
	for {
		due := false
		select {
		case <-j.wake:
		case <-timer:
			timer, due = nil, true
		}
		now, closed := j.urgent()
		switch {
		case now || due || closed:
			err := j.commit()
			if closed {
				return
			}
			if timer = nil; err != nil {
				timer = time.After(retryAfter)
			}
		case timer == nil:
			timer = time.After(cmp.Or(j.opts.Sync, cursorDelay))
		}
	}
}

// urgent reports whether somebody waits for a commit, and whether it is the last.
func (j *Journal) urgent() (now, closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.pending {
		now = now || r.done != nil
	}
	return now, j.closed
}

// commit writes everything that is pending in one transaction.
func (j *Journal) commit() error {
	j.file.Lock()
	defer j.file.Unlock()

	w := j.take()
	if w.empty() {
		return nil
	}
	out, err := j.f.write(w)
	if damaged(err) {
		if err = j.replace(err); err == nil {
			out, err = j.f.write(w)
		}
	}
	if err != nil {
		j.giveBack(w, err)
		return err
	}
	j.settle(w, out)
	return nil
}

// work is the content of one transaction.
type work struct {
	requests []*request
	cursors  map[string]uint64
	trim     uint64 // records up to here go
	evict    bool
	maxBytes int64
	bytes    int64 // held in the file before
}

func (w work) empty() bool { return len(w.requests) == 0 && len(w.cursors) == 0 }

func (j *Journal) take() work {
	j.mu.Lock()
	defer j.mu.Unlock()
	w := work{
		requests: j.pending, cursors: j.moved, trim: j.passed(),
		evict: j.opts.Evict, maxBytes: j.opts.MaxBytes, bytes: j.st.Bytes,
	}
	for _, r := range w.requests {
		r.taken = true
	}
	j.pending, j.moved = nil, map[string]uint64{}
	return w
}

// passed returns what all cursors have passed. Cursors that the options no
// longer name hold nothing back.
func (j *Journal) passed() uint64 {
	if len(j.opts.Cursors) == 0 {
		return 0
	}
	lowest := j.st.Cursors[j.opts.Cursors[0]]
	for _, name := range j.opts.Cursors[1:] {
		lowest = min(lowest, j.st.Cursors[name])
	}
	return lowest
}

// giveBack handles a transaction that failed: those who wait are told, what
// nobody waits for is tried again.
func (j *Journal) giveBack(w work, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken == nil || j.broken.Error() != err.Error() {
		j.log.Error("cannot write", "error", err)
	}
	j.broken = err
	var again []*request
	for _, r := range w.requests {
		if r.done == nil {
			again = append(again, r)
			continue
		}
		j.held -= r.size
		r.done <- err
	}
	j.pending = append(again, j.pending...)
	maps.Copy(w.cursors, j.moved)
	j.moved = w.cursors
}

func (j *Journal) settle(w work, out written) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		j.log.Info("can write again")
		j.broken = nil
	}
	last := j.st.Last
	for _, r := range w.requests {
		j.held -= r.size
		j.st.Bytes += r.size
		j.st.Records += int64(len(r.recs))
		for _, m := range r.marks {
			if j.marks[m.Key] = max(j.marks[m.Key], m.Seq); m.Seq == 0 {
				delete(j.marks, m.Key)
			}
		}
		for _, rec := range r.recs {
			j.st.Last = max(j.st.Last, rec.Seq)
			j.newest = max(j.newest, rec.Seq)
		}
		if r.done != nil {
			r.done <- nil
		}
	}
	j.st.Bytes -= out.trimmed.bytes + out.evicted.bytes
	j.st.Records -= out.trimmed.records + out.evicted.records
	if j.st.Records == 0 {
		j.newest = 0
	}
	if out.evicted.records > 0 {
		if j.st.Evicted == 0 {
			j.log.Warn("the journal is full: the oldest records go", "max_bytes", j.opts.MaxBytes)
		}
		j.st.Evicted += out.evicted.records
	}
	if j.st.Last > last && !j.closed {
		close(j.grown)
		j.grown = make(chan struct{})
	}
}

// Read returns records after the sequence, at least one if there is one, and
// more while their bodies fit into maxBytes. A record whose checksum is wrong is
// left out, counted and removed.
func (j *Journal) Read(after uint64, maxBytes int) ([]Record, error) {
	j.file.Lock()
	defer j.file.Unlock()
	if j.f.closed() {
		return nil, ErrClosed
	}
	recs, bad, err := j.f.read(after, maxBytes)
	if damaged(err) {
		if err = j.replace(err); err == nil {
			recs, bad, err = j.f.read(after, maxBytes)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", j.path, err)
	}
	if len(bad) == 0 {
		return recs, nil
	}
	j.log.Error("records have a wrong checksum and are lost", "seqs", bad)
	gone, err := j.f.remove(bad)
	newest, newestErr := j.f.newest()
	err = errors.Join(err, newestErr)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.st.Damaged += int64(len(bad))
	j.st.Records -= gone.records
	j.st.Bytes -= gone.bytes
	j.newest = newest
	if err != nil {
		j.log.Error("cannot remove damaged records", "error", err)
	}
	return recs, nil
}

// Renew begins a new epoch: for when another has seen sequences of this epoch
// that this journal does not know, because its file is an old copy.
func (j *Journal) Renew() error {
	j.file.Lock()
	defer j.file.Unlock()
	epoch, err := j.f.renew()
	if err != nil {
		return fmt.Errorf("renew journal %s: %w", j.path, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log.Warn("a new epoch begins", "old", j.st.Epoch, "new", epoch)
	j.st.Epoch = epoch
	return nil
}
