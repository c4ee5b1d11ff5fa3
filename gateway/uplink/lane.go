package uplink

import (
	"gengfu/facility"
	"gengfu/gateway/journal"
)

const (
	// A batch of the journal is sent together with those behind it up to this size,
	// so that many small ones of a quiet site cost no more than large ones.
	joinBytes = 32 << 10
	joinMost  = 256
)

// lane sends one run of the journal's sequences, in order.
type lane struct {
	run    journal.Run
	w      *window
	ahead  []journal.Record // read, not yet sent
	missed int              // acknowledgements in a row
	budget bucket
}

// lanes returns what is sent at the same time, that which is older first. A stream
// of samples whose backlog was set apart has two: one for what is oldest, one for
// what is live. Where a life of the journal ended the order goes first: its end is
// sent before the next begins. Lanes that are there already go on.
func (f *flow) lanes() []*lane {
	runs := f.journal.Runs()
	last := len(runs) - 1
	oldest := f.oldest(runs)
	if oldest == last {
		return []*lane{f.lane(runs[last], 1)}
	}
	first := f.lane(runs[oldest], f.o.BacklogShare)
	if f.stream != facility.Telemetry || f.o.BacklogShare >= 1 || journal.Life(runs[oldest].Epoch) != journal.Life(runs[last].Epoch) {
		first.w.share, first.w.brisk = 1, 0
		return []*lane{first}
	}
	return []*lane{first, f.lane(runs[last], 1)}
}

// oldest is the first run that has something to send.
func (f *flow) oldest(runs []journal.Run) int {
	acked := f.journal.Cursor(Cursor)
	for i, run := range runs {
		if acked < run.Last {
			return i
		}
	}
	return len(runs) - 1
}

func (f *flow) lane(run journal.Run, share float64) *lane {
	for _, l := range f.under {
		if l.run.Epoch != run.Epoch {
			continue
		}
		l.run = run
		l.limit(f, share)
		return l
	}
	l := &lane{run: run, w: newWindow(max(f.journal.Cursor(Cursor), run.First-1), f.o.ResendAfter)}
	l.w.twice = f.highest() // over another connection
	l.limit(f, share)
	return l
}

// limit makes a lane that shares the way with live facts leave room for them.
func (l *lane) limit(f *flow, share float64) {
	l.w.share, l.w.brisk, l.budget.rate = share, 0, 0
	if share < 1 {
		l.w.brisk = brisk
		l.budget.rate = share * f.budget.rate
	}
}

// read gets what is next of the lane's run, and reports whether the run goes on:
// it does not when all that is left of the journal is of a later one.
func (l *lane) read(j *journal.Journal) (more bool, err error) {
	if len(l.ahead) > 0 {
		return true, nil
	}
	if l.w.after() >= l.run.Last {
		return false, nil
	}
	through := j.Through() // before reading: nothing is missed in between
	recs, err := j.Read(l.w.after(), readAhead)
	if err != nil || len(recs) == 0 {
		return through < l.run.Last, err
	}
	for _, r := range recs {
		if r.Epoch != l.run.Epoch {
			break
		}
		l.ahead = append(l.ahead, r)
	}
	return len(l.ahead) > 0, nil
}

// join returns how many of the records that were read go together, and their size.
// Urgent ones go each for itself, as they were taken: people may hear of them
// before they are durable, and must not hear of them twice.
func (l *lane) join(several bool) (n, size int) {
	for _, r := range l.ahead {
		if n > 0 && (!several || size+len(r.Body) > joinBytes || n == joinMost) {
			break
		}
		n, size = n+1, size+len(r.Body)
	}
	return n, size
}

// rewound forgets what was read when the window no longer continues there.
func (l *lane) rewound() {
	if len(l.w.flight) == 0 {
		l.ahead = nil
	}
}
