package journal

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"
)

// retryAfter is the pause between two tries of a disk that refuses.
const retryAfter = time.Second

// commitBytes is how much ends the time that records may be ahead of the disk: more
// would be written no faster, and the readers wait for it.
const commitBytes = 1 << 20

// commits is the one goroutine that writes records. It ends after the last
// commit of a closed journal.
func (j *Journal) commits() {
	defer close(j.done)
	var timer <-chan time.Time
	if _, _, broken := j.urgent(); broken {
		timer = time.After(retryAfter)
	}
	for {
		due := false
		select {
		case <-j.wake:
		case <-timer:
			timer, due = nil, true
		}
		now, closed, broken := j.urgent()
		switch {
		case now || due || closed:
			err := j.commit(due || closed || !broken || j.opts.Memory == 0)
			if closed {
				return
			}
			if err != nil && timer == nil {
				timer = time.After(retryAfter)
			} else if err == nil {
				timer = nil
			}
		case timer == nil:
			timer = time.After(cmp.Or(j.opts.Sync, cursorDelay))
		}
	}
}

// urgent reports whether somebody waits for a commit or enough has gathered for one,
// whether it is the last, and whether the disk refused the one before.
func (j *Journal) urgent() (now, closed, broken bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now = j.held-j.shownBytes >= commitBytes
	for _, r := range j.pending {
		now = now || r.done != nil
	}
	return now, j.closed, j.broken != nil
}

// commit writes everything that is pending in one transaction. Without try it
// spares the disk, which has just refused.
func (j *Journal) commit(try bool) error {
	j.file.Lock()
	defer j.file.Unlock()

	if try {
		if err := j.regain(); err != nil {
			j.giveBack(j.take(), err)
			return err
		}
	}
	w := j.take()
	if !try {
		j.mu.Lock()
		err := j.broken
		j.mu.Unlock()
		j.giveBack(w, err)
		return err
	}
	if w.empty() {
		j.mu.Lock()
		j.relieved()
		j.mu.Unlock()
		return nil
	}
	out, err := j.f.write(w.work)
	if damaged(err) {
		j.putBack(w)
		if err = j.replace(err); err == nil {
			w = j.take()
			out, err = j.f.write(w.work)
		} else {
			w = j.take()
		}
	}
	if err != nil {
		j.giveBack(w, err)
		return err
	}
	j.settle(w, out)
	return nil
}

// regain tries a file again that could not be opened, or not be written.
func (j *Journal) regain() error {
	switch {
	case j.f == nil:
		return j.reopen()
	case !j.f.readOnly:
		return nil
	}
	f, _, err := openFile(j.path)
	if damaged(err) {
		return j.replace(err)
	}
	if err != nil {
		return err
	}
	if err := j.f.close(); err != nil {
		j.log.Warn("cannot close the file that could only be read", "error", err)
	}
	j.f = f
	return nil
}

// reopen takes up a file that could not be opened. Readers are past the records that
// it holds: they go back to them, and what memory holds comes behind.
func (j *Journal) reopen() error {
	f, s, v, err := j.openOrReplace()
	if err != nil {
		return err
	}
	holds := s.held.records > 0 || v != nil
	if err := j.stepBehind(s); err != nil {
		if v != nil {
			err = errors.Join(err, v.close())
		}
		return errors.Join(err, f.close())
	}
	j.mu.Lock()
	mine, assigned := j.runs, j.assigned
	if holds {
		j.verified = 0
	} else {
		maps.Copy(s.cursors, j.st.Cursors)
	}
	maps.Copy(s.marks, j.marks)
	for name, n := range j.counts {
		s.counts[name] += n
		j.tell(name)
	}
	b := s.books
	b.since = cmp.Or(b.since, j.books.since) // a new file goes on with the books of memory, which others know by their beginning
	b = b.opened(j.opts.Now()).plus(j.books)
	j.mu.Unlock()
	for _, r := range mine {
		s.runs = s.runs.begin(r.first, r.epoch)
	}
	j.use(f, s, v)
	j.mu.Lock()
	j.assigned, j.books = max(j.assigned, assigned), b
	j.runsWritten--
	if holds {
		j.moved = map[string]uint64{}
		for name := range j.st.Cursors {
			j.returned[name] = true
		}
		j.log.Warn("the file can be used again, and what it held is read now, behind what came meanwhile", "records", s.held.records)
	}
	j.wakeReaders()
	j.mu.Unlock()
	j.background()
	return nil
}

// stepBehind gives what is in memory other numbers, and so another name, where those
// that it has are not beyond all that the file has used: the clock went back.
func (j *Journal) stepBehind(s state) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.last < j.runs[0].first {
		return nil
	}
	life, err := newLife()
	if err != nil {
		return err
	}
	j.assigned = s.last
	j.setRuns(runs{{s.last + 1, life}})
	for _, r := range j.shown {
		j.number(r)
	}
	j.st.Last = j.assigned
	return nil
}

// batch is what one commit takes out of memory.
type batch struct {
	work
	fresh  []*request // of the requests, those that were not tried before
	before uint64     // the last number that was given before them
	gen    int
}

func (b batch) empty() bool {
	return len(b.requests) == 0 && len(b.cursors) == 0 && len(b.counts) == 0 && b.runs == nil
}

func (j *Journal) take() batch {
	j.mu.Lock()
	defer j.mu.Unlock()
	w := batch{
		work: work{
			cursors: j.moved, trim: j.passed(), evict: j.opts.Evict, maxBytes: j.opts.MaxBytes,
			held: tally{j.st.Records, j.st.Bytes, j.facts}, books: j.books, counts: map[string]int64{},
		},
		fresh: j.pending, before: j.assigned, gen: j.runsChanged,
	}
	for _, r := range w.fresh {
		r.taken = true
		j.number(r)
		w.books.taken += r.facts()
	}
	w.requests = append(append(w.requests, j.shown...), w.fresh...)
	w.last = j.assigned
	j.reckon(&w)
	if j.runsChanged != j.runsWritten && (len(w.requests) > 0 || len(w.cursors) > 0) {
		j.runs = j.runs.from(w.trim + 1)
		w.runs = j.runs
	}
	j.pending, j.moved = nil, map[string]uint64{}
	return w
}

// number gives the records of a request their sequences. The caller holds j.mu.
func (j *Journal) number(r *request) {
	for i := range r.recs {
		j.assigned++
		r.recs[i].Seq = j.assigned
	}
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

// makeRoom has what all cursors have passed trimmed now, which is else done a moment
// later, and reports whether it was.
func (j *Journal) makeRoom(ctx context.Context) bool {
	j.mu.Lock()
	due := len(j.moved) > 0 && j.opts.Sync == 0 && j.opts.Memory == 0
	j.mu.Unlock()
	if !due {
		return false
	}
	r, _, err := j.enqueue(nil, nil)
	if err != nil {
		return false
	}
	select {
	case err = <-r.done:
		return err == nil
	case <-ctx.Done():
		j.withdraw(r)
		return false
	}
}

// putBack makes everything pending again, without numbers.
func (j *Journal) putBack(w batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.restore(w)
	j.pending = append(w.fresh, j.pending...)
}

func (j *Journal) restore(w batch) {
	j.assigned = w.before
	for name := range w.counts {
		j.tell(name)
	}
	maps.Copy(w.cursors, j.moved)
	j.moved = w.cursors
}

// giveBack handles a transaction that failed: what the disk refused is kept in
// memory while there is room, or those who wait are told.
func (j *Journal) giveBack(w batch, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trouble(err)
	j.restore(w)
	for _, r := range w.fresh {
		j.show(r, err)
	}
	if len(w.fresh) > 0 {
		j.noteDown()
		j.wakeReaders()
	}
}

// trouble notes why the disk refuses; it is logged when it changes. The caller
// holds j.mu.
func (j *Journal) trouble(err error) {
	if j.broken == nil || j.broken.Error() != err.Error() {
		j.log.Error("THE DISK REFUSES THE JOURNAL; it works from memory as far as that goes", "error", err)
	}
	j.broken, j.st.Trouble = err, err.Error()
}

func (j *Journal) settle(w batch, out written) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.relieved()
	for _, r := range w.requests {
		if !r.dropped {
			j.held -= r.size
		}
		for _, m := range r.marks {
			if m.Add != 0 {
				j.counts[m.Key] += m.Add
				continue
			}
			if j.marks[m.Key] = max(j.marks[m.Key], m.Seq); m.Seq == 0 {
				delete(j.marks, m.Key)
			}
		}
	}
	for _, r := range w.fresh {
		j.st.Last = max(j.st.Last, r.last())
		j.newest = max(j.newest, r.last())
		j.books.taken += r.facts()
		if r.done != nil {
			r.done <- nil
		}
	}
	if w.runs != nil {
		j.runsWritten = w.gen
	}
	j.shown, j.shownBytes, j.volatile = nil, 0, false
	j.note.say(0)
	j.st.Records, j.st.Bytes, j.facts = out.held.records, out.held.bytes, out.held.facts
	j.books.evicted += out.evicted.facts
	j.books.damaged += out.lost
	j.booked = true
	j.gone = max(j.gone, out.gone)
	j.evicted(out.evicted.records)
	if j.st.Records == 0 {
		j.newest = 0
	}
	if len(j.opts.Cursors) > 0 && !j.saves {
		j.recent.add(w.requests)
		j.recent.forget(max(j.passed(), out.gone))
	}
	if w.last > j.durable {
		j.durable = w.last
		j.wakeReaders()
	}
}

// relieved notes that the disk takes the journal. The caller holds j.mu.
func (j *Journal) relieved() {
	if j.broken == nil {
		return
	}
	j.log.Info("the disk takes the journal again", "from_memory", len(j.shown))
	j.broken, j.st.Trouble = nil, ""
}

func (j *Journal) evicted(records int64) {
	if records == 0 {
		return
	}
	if j.st.Evicted == 0 {
		j.log.Warn("the journal is full: the oldest records go", "max_bytes", j.opts.MaxBytes)
	}
	j.st.Evicted += records
}
