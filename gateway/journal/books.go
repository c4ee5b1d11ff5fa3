package journal

import (
	"fmt"
	"maps"
	"time"
)

// Books is what became of the facts that were given to a journal, since it began: they
// are written with the records, outlive restarts, kills and damaged files, and are
// counted where each thing happens. So at any time
//
//	Taken = passed by a cursor + Waiting for it + Evicted + Damaged + Forgotten
//
// What a kill takes back was neither taken nor passed.
type Books struct {
	Since   time.Time        // when they began, to the second
	Taken   int64            // that were given and not refused
	Waiting map[string]int64 // for each cursor
	// Lost for the reasons that Stats names in records.
	Evicted, Damaged, Forgotten int64
	Kills                       int64            // times that the process ended without closing
	Counts                      map[string]int64 // of the owner's: Count, and marks with Add
}

// Lost is what was taken and will pass no cursor.
func (b Books) Lost() int64 { return b.Evicted + b.Damaged + b.Forgotten }

// Passed is what the cursor's owner has dealt with.
func (b Books) Passed(cursor string) int64 { return b.Taken - b.Lost() - b.Waiting[cursor] }

// books are the part that is kept.
type books struct {
	since, taken, evicted, damaged, forgotten int64
	saving                                    int64 // held by a damaged file, from which they are saved
	kills, open                               int64 // open is 1 while a process has the file
}

// String is how books are kept.
func (b books) String() string {
	return fmt.Sprint(b.since, b.taken, b.evicted, b.damaged, b.forgotten, b.saving, b.kills, b.open)
}

// readBooks reads them behind so many other fields; without them they begin anew.
func readBooks(text string, skip int) books {
	fields := make([]int64, skip-1+8)
	into := make([]any, len(fields))
	for i := range fields {
		into[i] = &fields[i]
	}
	if _, err := fmt.Sscan(text, into...); err != nil {
		return books{}
	}
	f := fields[skip-1:]
	return books{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7]}
}

// opened are the books of a journal that is opened now.
func (b books) opened(now time.Time) books {
	if b.since == 0 {
		b.since = now.Unix()
	}
	b.kills += b.open
	b.open = 1
	return b
}

// plus adds what happened while the file could not be opened.
func (b books) plus(o books) books {
	b.taken += o.taken
	b.evicted += o.evicted
	b.damaged += o.damaged
	b.forgotten += o.forgotten
	return b
}

// inherited are the books of a file that begins with what is saved of another.
func (b books) inherited(held tally) books {
	b.saving += held.facts
	return b
}

// saved are the books when so many facts were saved. What is not saved in the end is
// lost; what is saved and was not known of was taken all the same.
func (b books) saved(facts int64, end bool) books {
	b.saving -= facts
	if b.saving < 0 {
		b.taken, b.saving = b.taken-b.saving, 0
	}
	if end {
		b.damaged, b.saving = b.damaged+b.saving, 0
	}
	return b
}

func (r *request) facts() (n int64) {
	for _, rec := range r.recs {
		n += rec.Facts
	}
	return n
}

// Count adds to one of the owner's counts, which reaches the disk as a cursor does.
func (j *Journal) Count(name string, n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[name] += n
	j.tell(name)
	j.poke()
}

// tell has a count written. The caller holds j.mu.
func (j *Journal) tell(name string) { j.told[name] = true }

// reckon says how marks and counts are to stand when the batch is written. The caller
// holds j.mu.
func (j *Journal) reckon(w *batch) {
	for name := range j.told {
		w.counts[name] = j.counts[name]
	}
	clear(j.told)
	for _, r := range w.requests {
		for _, m := range r.marks {
			if m.Add == 0 {
				w.marks = append(w.marks, m)
				continue
			}
			if _, ok := w.counts[m.Key]; !ok {
				w.counts[m.Key] = j.counts[m.Key]
			}
			w.counts[m.Key] += m.Add
		}
	}
}

// account states the books. The caller holds j.file and j.mu.
func (j *Journal) account() Books {
	b := j.books
	out := Books{
		Since: time.Unix(b.since, 0).UTC(), Taken: b.taken, Waiting: map[string]int64{},
		Evicted: b.evicted, Damaged: b.damaged, Forgotten: b.forgotten, Kills: b.kills, Counts: maps.Clone(j.counts),
	}
	for name, at := range j.st.Cursors {
		out.Waiting[name] = b.saving + j.inFile(at)
		for _, r := range j.shown {
			for _, rec := range r.recs {
				if rec.Seq > at {
					out.Waiting[name] += rec.Facts
				}
			}
		}
	}
	return out
}

// inFile counts the facts of the file behind a cursor, from its nearer end.
func (j *Journal) inFile(at uint64) (facts int64) {
	if j.f == nil {
		return 0
	}
	query, behind := "SELECT coalesce(sum(sum >> 32), 0) FROM records WHERE seq <= ?", true
	if j.durable < at || j.durable-at < at-min(at, j.gone) {
		query, behind = "SELECT coalesce(sum(sum >> 32), 0) FROM records WHERE seq > ?", false
	}
	if err := j.f.row(query, int64(at)).Scan(&facts); err != nil {
		j.log.Warn("cannot count what waits in the journal", "error", err)
		return j.facts
	}
	if behind {
		return j.facts - facts
	}
	return facts
}

// sign says in the file that it was closed. The caller holds j.file.
func (j *Journal) sign() error {
	j.mu.Lock()
	held, last, b := tally{j.st.Records, j.st.Bytes, j.facts}, j.durable, j.books
	do := j.booked && j.broken == nil && !j.f.readOnly
	j.mu.Unlock()
	if !do {
		return nil
	}
	b.open = 0
	return j.f.transact(func() error { return j.f.putHeld(held, last, b) })
}
