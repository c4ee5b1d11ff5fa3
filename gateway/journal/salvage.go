package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// keepDamaged is how many damaged files stay beside a journal for somebody to
	// look at; older ones go, so that a dying disk is not filled as well.
	keepDamaged = 2
	// salvageTime is how long the opening of a journal may wait for what is saved of
	// a damaged file. The rest is saved while the journal is in use.
	salvageTime  = 150 * time.Millisecond
	salvageBytes = 2 << 20 // in one transaction
	// maxSkip ends the search for the next page that can be read: no journal has had
	// so many records.
	maxSkip = 1 << 40
	// maxLength is more than any journal's file had, in bytes.
	maxLength = 1 << 40
)

// salvageState is what the new file remembers of the damaged one, so that a crash
// interrupts the work but does not end it.
type salvageState struct {
	name string // of the damaged file, in the same folder
	upTo uint64 // sequences up to here were saved or cannot be
}

// salvage moves what is intact of a damaged file into the new one, oldest first.
// Until it has ended readers see no newer records, because no cursor may pass
// what is still to come.
type salvage struct {
	salvageState
	from   *file
	before uint64 // the sequences of the new file begin here
	held   tally  // what the damaged file held, if it could say so
	known  bool
	saved  int64
	bad    int64
}

// setAside renames the damaged file and begins a new one in its place, with a new
// run of sequences for what comes. The caller holds j.file or is Open.
func (j *Journal) setAside(cause error) (*file, state, *salvage, error) {
	name := filepath.Base(j.path) + ".damaged-" + j.opts.Now().UTC().Format("20060102T150405.000000000Z")
	aside := filepath.Join(filepath.Dir(j.path), name)
	if err := renameBoth(j.path, aside); err != nil {
		return nil, state{}, nil, fmt.Errorf("set the damaged file aside: %w", err)
	}
	f, s, v, err := j.inherit(aside, name)
	if err != nil {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(j.path + suffix)
		}
		return nil, state{}, nil, errors.Join(err, renameBoth(aside, j.path))
	}
	j.log.Error("THE JOURNAL WAS DAMAGED: a new epoch begins, and what can be saved is",
		"cause", cause, "set_aside", aside, "epoch", s.runs.epoch(), "from", v.before)
	return f, s, v, nil
}

// connectDamaged opens a file to save what is intact. SQLite reads nothing of one
// that is shorter than it says, so it is made as long; and nothing of a write-ahead
// log behind a damaged page, so that is mended.
func connectDamaged(path string) (*file, error) {
	if err := lengthen(path); err != nil {
		return nil, err
	}
	log, err := inspectLog(path)
	if err == nil && log.damage() != nil {
		err = log.mend(path)
	}
	if err != nil {
		return nil, err
	}
	return connect(path)
}

// lengthen fills a file that was cut with zeros, which no checksum takes for
// records. Size of pages and their number: https://www.sqlite.org/fileformat.html#the_database_header
func lengthen(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // what matters is told by Truncate
	var head [32]byte
	fi, err := f.Stat()
	if err != nil || fi.Size() < int64(len(head)) {
		return err
	}
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint16(head[16:])) * int64(binary.BigEndian.Uint32(head[28:]))
	if fi.Size() < size && size < maxLength {
		return f.Truncate(size)
	}
	return nil
}

func renameBoth(from, to string) error {
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Rename(from+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// inherit makes the new file and takes over what the damaged one says of itself.
func (j *Journal) inherit(aside, name string) (*file, state, *salvage, error) {
	life, err := newLife()
	if err != nil {
		return nil, state{}, nil, err
	}
	v := &salvage{salvageState: salvageState{name: name}}
	old := state{cursors: map[string]uint64{}, marks: map[string]uint64{}}
	if v.from, err = connectDamaged(aside); err == nil {
		old, _, _ = v.from.loadState() // what it read before an error is good
		v.known, v.held = old.counted, old.held
		old.last = v.from.trusted(old)
	}
	v.before = old.last + 1
	if !old.counted { // numbers far from any that were given
		v.before = max(v.before, uint64(j.opts.Now().UnixMicro()))
	}
	if len(old.runs) == 0 {
		old.runs = runs{{1, life + ".0"}} // nobody knows the epoch of what is saved
	}
	f, s, err := openFile(j.path)
	if err != nil {
		return nil, state{}, nil, errors.Join(err, v.close())
	}
	s.cursors, s.marks, s.runs = old.cursors, old.marks, old.runs.begin(v.before, life)
	s.counts, s.books = old.counts, old.books.inherited(old.held)
	for name, at := range s.cursors {
		s.cursors[name] = min(at, v.before-1)
	}
	s.last = v.before - 1
	err = f.transact(func() error {
		return errors.Join(f.putAll(s), f.putRuns(s.runs), f.put("salvage", name, 0), f.putHeld(tally{}, s.last, s.books))
	})
	if err != nil {
		return nil, state{}, nil, errors.Join(err, f.close(), v.close())
	}
	return f, s, v, nil
}

// trusted is the last sequence by what has a right checksum.
func (f *file) trusted(s state) uint64 {
	last := uint64(0)
	for _, at := range s.cursors {
		last = max(last, at)
	}
	if s.counted {
		return max(last, s.last)
	}
	rows, err := f.conn.QueryContext(context.Background(), "SELECT seq, at, sum, body FROM records ORDER BY seq DESC LIMIT 64")
	if err != nil {
		return last
	}
	defer rows.Close()
	for rows.Next() {
		if r, ok, err := scanRecord(rows); err == nil && ok {
			return max(last, r.Seq)
		}
	}
	return last
}

// resume goes on with a salvage that a stop or crash has interrupted.
func (j *Journal) resume(s state) *salvage {
	if s.salvage.name == "" {
		return nil
	}
	v := &salvage{salvageState: s.salvage, before: s.runs[len(s.runs)-1].first}
	var err error
	if v.from, err = connectDamaged(filepath.Join(filepath.Dir(j.path), filepath.Base(v.name))); err != nil {
		j.log.Error("what was yet to be saved of a damaged file is lost", "file", v.name, "error", err)
	}
	return v
}

func (v *salvage) close() error {
	if v.from == nil {
		return nil
	}
	return v.from.close()
}

// slice saves a part and reports whether that was the last. The new file held so
// much before, and numbers up to last were given. The caller holds j.file. An error
// means that the new file cannot take it now.
func (v *salvage) slice(f *file, held tally, last uint64, b *books) (saved []Record, t tally, end bool, err error) {
	next := v.upTo
	if v.from == nil {
		end = true
	} else if saved, next, end = v.collect(); next < v.upTo {
		next = v.upTo
	}
	var now books
	err = f.transact(func() error {
		for _, r := range saved {
			if err := f.insert("INSERT OR IGNORE", r); err != nil {
				return err
			}
			t = t.plus(tally{1, r.size(), r.Facts})
		}
		now = b.saved(t.facts, end)
		if err := f.putHeld(held.plus(t), last, now); err != nil {
			return err
		}
		if end {
			return f.exec("DELETE FROM state WHERE kind = 'salvage'")
		}
		return f.put("salvage", v.name, next)
	})
	if err != nil {
		return nil, tally{}, false, err
	}
	*b = now
	v.upTo, v.saved = next, v.saved+t.records
	return saved, t, end, nil
}

// collect reads what is next of the damaged file, over what cannot be read.
func (v *salvage) collect() (recs []Record, next uint64, end bool) {
	recs, bad, err := v.from.read(v.upTo, v.before-1, salvageBytes)
	v.bad += int64(len(bad))
	next = v.upTo
	if len(recs) > 0 {
		next = recs[len(recs)-1].Seq
	}
	if len(bad) > 0 && (len(recs) == 0 || err == nil) {
		next = max(next, bad[len(bad)-1])
	}
	if err == nil {
		return recs, next, len(recs)+len(bad) == 0
	}
	if len(recs)+len(bad) > 0 {
		return recs, next, false
	}
	next, ok := v.skip(next)
	return nil, next, !ok
}

// skip finds the sequence before the next record that can be read: by doubling
// steps, and then halving back.
func (v *salvage) skip(after uint64) (uint64, bool) {
	readable := func(from uint64) bool {
		recs, _, err := v.from.read(from, v.before-1, 1)
		return err == nil || len(recs) > 0
	}
	step := uint64(1)
	for !readable(after + step) {
		if step *= 2; step > maxSkip || after+step >= v.before {
			return after, false
		}
	}
	low, high := after+step/2, after+step // low cannot be read, high can
	for low+1 < high {
		if mid := low + (high-low)/2; readable(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high, true
}

// save moves slices until the time is over. The caller holds j.file or is Open.
func (j *Journal) save(until time.Time) error {
	for j.saving != nil {
		j.mu.Lock()
		held, last, b := tally{j.st.Records, j.st.Bytes, j.facts}, j.durable, j.books
		j.mu.Unlock()
		recs, t, end, err := j.saving.slice(j.f, held, last, &b)
		if err != nil {
			return err
		}
		j.mu.Lock()
		j.st.Records += t.records
		j.st.Bytes += t.bytes
		j.facts += t.facts
		j.books = b
		if n := len(recs); n > 0 {
			j.frontier = recs[n-1].Seq
			j.wakeReaders()
		}
		j.mu.Unlock()
		if end {
			return j.saved()
		}
		if !time.Now().Before(until) {
			return nil
		}
	}
	return nil
}

// saved ends the salvage.
func (j *Journal) saved() error {
	v := j.saving
	err := v.close()
	lost := v.bad
	if v.known {
		lost = max(lost, v.held.records-v.saved)
	}
	newest, newestErr := j.f.newest()
	j.prune()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.saving, j.saves = nil, false
	j.st.Damaged += lost
	j.newest = max(newest, j.newestShown())
	j.log.Error("what could be saved of the damaged journal is saved", "records", v.saved, "lost", lost)
	j.wakeReaders()
	return errors.Join(err, newestErr)
}

// salvages saves in the background what the opening had no time for.
func (j *Journal) salvages() {
	for {
		j.file.Lock()
		var err error
		if j.saving != nil && j.f != nil {
			err = j.save(time.Now())
		}
		more := j.saving != nil
		j.file.Unlock()
		if !more {
			return
		}
		pause := time.Duration(0)
		if err != nil {
			j.log.Warn("cannot go on saving what is intact of the damaged file", "error", err)
			pause = retryAfter
		}
		select {
		case <-j.stop:
			return
		case <-time.After(pause):
		}
	}
}

// replace puts a new file in the place of one that turned out to be damaged while
// it was in use. The caller holds j.file.
func (j *Journal) replace(cause error) error {
	if j.saving != nil {
		return cause // one at a time: the next start finds it
	}
	if err := j.f.close(); err != nil {
		j.log.Warn("cannot close the damaged file", "error", err)
	}
	j.f = nil
	j.mu.Lock()
	before, marks, counts := j.st, j.marks, j.counts
	assigned, known := j.assigned, j.runs
	held := tally{before.Records, before.Bytes, j.facts}
	kept := j.books.inherited(held)
	j.mu.Unlock()
	f, s, v, err := j.setAside(cause)
	if err != nil {
		return err
	}
	// Memory knows better than the damaged file.
	life := s.runs.epoch()
	v.before = max(v.before, assigned+1)
	v.known, v.held = true, held
	s.runs, s.last = known.begin(v.before, life), v.before-1
	maps.Copy(s.cursors, before.Cursors)
	maps.Copy(s.marks, marks)
	s.counts, s.books = counts, kept
	err = f.transact(func() error {
		return errors.Join(f.putAll(s), f.putRuns(s.runs), f.putHeld(tally{}, s.last, s.books))
	})
	if err != nil {
		return errors.Join(err, f.close(), v.close())
	}
	j.use(f, s, v)
	j.mu.Lock()
	j.books = kept
	j.mu.Unlock()
	if err := j.save(time.Now().Add(salvageTime)); err != nil {
		return err
	}
	if j.saving != nil {
		j.background()
	}
	return nil
}

// prune removes all damaged files but the newest.
func (j *Journal) prune() {
	old, err := filepath.Glob(j.path + ".damaged-*Z")
	if err != nil || len(old) <= keepDamaged {
		return
	}
	slices.Sort(old)
	for _, name := range old[:len(old)-keepDamaged] {
		_ = os.Remove(name)
		_ = os.Remove(name + "-wal")
	}
}

func (f *file) putAll(s state) error {
	for name, seq := range s.cursors {
		if err := f.put("cursor", name, seq); err != nil {
			return err
		}
	}
	for name, seq := range s.marks {
		if err := f.put("mark", name, seq); err != nil {
			return err
		}
	}
	for name, n := range s.counts {
		if err := f.put("count", name, uint64(n)); err != nil {
			return err
		}
	}
	return nil
}
