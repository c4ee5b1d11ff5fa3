package journal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// run is a stretch of sequences under one epoch. A sequence and its epoch name a
// record for ever, wherever a copy of it is. So a new run begins when numbers
// could be given a second time, because what had them may be lost, and also where
// the sender wants a stretch to be a queue of its own.
type run struct {
	first uint64
	epoch string
}

// newLife names a life of sequence numbers. Runs within one life are told apart
// by what follows a dot.
func newLife() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("name an epoch: %w", err)
	}
	return id.String(), nil
}

// Life is the part of an epoch that changes only when records may have been lost.
func Life(epoch string) string {
	life, _, _ := strings.Cut(epoch, ".")
	return life
}

// First is the sequence with which an epoch begins, by its name: 0 for the first of its
// life.
func First(epoch string) uint64 {
	_, run, _ := strings.Cut(epoch, ".")
	digits, _, _ := strings.Cut(run, "-")
	first, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0
	}
	return first
}

// runs are in the order of their first sequences, and never empty in use.
type runs []run

func (r runs) epoch() string {
	if len(r) == 0 {
		return ""
	}
	return r[len(r)-1].epoch
}

// at returns the run that a sequence belongs to.
func (r runs) at(seq uint64) run {
	i := sort.Search(len(r), func(i int) bool { return r[i].first > seq })
	return r[max(0, i-1)]
}

// begin returns the runs with a new one that begins at first, in place of what
// began there or later.
func (r runs) begin(first uint64, epoch string) runs {
	kept := slices.Clone(r)
	for len(kept) > 0 && kept[len(kept)-1].first >= first {
		kept = kept[:len(kept)-1]
	}
	return append(kept, run{first, epoch})
}

// from drops the runs that have ended before the sequence.
func (r runs) from(seq uint64) runs {
	for len(r) > 1 && r[1].first <= seq {
		r = r[1:]
	}
	return r
}

// beginLater returns the runs with the one that begins at first beginning at then,
// unless another does.
func (r runs) beginLater(first, then uint64) runs {
	i := slices.IndexFunc(r, func(run run) bool { return run.first == first })
	if i < 0 || i+1 < len(r) && r[i+1].first <= then {
		return r
	}
	later := slices.Clone(r)
	later[i].first = then
	return later
}

// starts reports whether a run begins at the sequence.
func (r runs) starts(seq uint64) bool {
	return slices.ContainsFunc(r, func(run run) bool { return run.first == seq })
}

// Epoch names the newest run of sequence numbers. Its Life changes when numbers
// could be given for a second time: when a damaged file was replaced, after Renew,
// and when records were handed out that the disk had refused.
func (j *Journal) Epoch() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.runs.epoch()
}

// Split begins a new run of the same life with the next record, so that a sender
// may send it at the same time as what came before. It reaches the disk with that
// record. No copy of the file gives a run the same name, whatever comes of it.
func (j *Journal) Split() (first uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first = j.assigned + 1
	j.setRuns(j.runs.begin(first, fmt.Sprintf("%s.%014x-%08x", Life(j.runs.epoch()), first, rand.Uint32())))
	return first
}

// Renew begins a new life of the sequences that were given since Open: for when
// another has seen sequences of this epoch that this journal does not know,
// because its file is an old copy.
func (j *Journal) Renew() error {
	life, err := newLife()
	if err != nil {
		return err
	}
	j.file.Lock()
	defer j.file.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log.Warn("A NEW EPOCH BEGINS: the file is an old copy", "old", j.runs.epoch(), "new", life)
	renewed := j.runs.begin(j.opened+1, life)
	if j.f != nil {
		if err := j.f.transact(func() error { return j.f.putRuns(renewed) }); err != nil {
			return fmt.Errorf("renew journal %s: %w", j.path, err)
		}
	}
	j.setRuns(renewed)
	return nil
}

// setRuns is called with j.mu held.
func (j *Journal) setRuns(r runs) {
	j.runs = r
	j.runsChanged++
}

// Run is a stretch of sequences under one epoch. Until Last is known it is the
// greatest number.
type Run struct {
	First, Last uint64
	Epoch       string
}

// Runs returns the runs of what the journal may still hold, the newest last.
func (j *Journal) Runs() []Run {
	j.mu.Lock()
	defer j.mu.Unlock()
	held := j.runs.from(j.passed() + 1)
	out := make([]Run, len(held))
	for i, r := range held {
		out[i] = Run{First: r.first, Last: math.MaxUint64, Epoch: r.epoch}
		if i > 0 {
			out[i-1].Last = r.first - 1
		}
	}
	return out
}
