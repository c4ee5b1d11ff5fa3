package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// settleWithin is how long after the last fault everything may take to arrive. A
// connection that is half open is noticed after a minute.
const settleWithin = 3 * time.Minute

// round is one round of the report.
type round struct {
	World   uint64
	Number  int
	Setting string
	Faults  []string
	Seconds float64
	Recover float64 // seconds from the end of the faults until everything was there
	verdict
	Kept    string `json:",omitempty"` // where the files of a world are that failed
	Trouble string `json:",omitempty"` // why the round could not be judged
}

func (r *round) well() bool { return r.Trouble == "" && len(r.faults()) == 0 }

// event is the begin or the end of an affliction.
type event struct {
	after time.Duration // from the begin of the round
	do    func(context.Context, *world) error
}

// choose draws what happens in a round that lasts for so long.
func (w *world) choose(span time.Duration, slow bool) (names []string, events []event) {
	var all []affliction
	for _, a := range afflictions() {
		if a.fits(w) && (slow || !a.slow) && strings.Contains(a.name, w.only) {
			for range a.weight {
				all = append(all, a)
			}
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	for range 1 + w.random.IntN(3) {
		a := all[w.random.IntN(len(all))]
		if slices.Contains(names, a.name) || a.alone && len(names) > 0 {
			continue
		}
		begin := time.Duration(w.random.Int64N(int64(span / 2)))
		end := begin + time.Duration(w.random.Int64N(int64(span-begin)))
		names = append(names, a.name)
		events = append(events, event{begin, a.begin}, event{end, a.end})
		if a.alone {
			break
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.after - b.after) })
	return names, events
}

// play makes facts and faults for a time, then waits until all is calm and compares.
func (w *world) play(ctx context.Context, span time.Duration, slow bool) (r round) {
	r.Setting = w.setting.String()
	begun := time.Now()
	defer func() { r.Seconds = time.Since(begun).Seconds() }()
	names, events := w.choose(span, slow)
	r.Faults = names
	w.rate = 100 + w.random.IntN(900)
	err := w.tellEdge(fmt.Sprint("rate ", w.rate))
	for _, e := range events {
		pause(ctx, e.after-time.Since(begun))
		if doErr := e.do(ctx, w); doErr != nil {
			err = errors.Join(err, doErr)
		}
	}
	pause(ctx, span-time.Since(begun))
	calm := time.Now()
	err = errors.Join(err, w.calm(ctx))
	if err != nil {
		r.Trouble = err.Error()
		return r
	}
	r.verdict, err = w.settle(ctx)
	if err == nil {
		err = w.checkEvicted(ctx, &r)
	}
	r.Recover = time.Since(calm).Seconds()
	if err != nil {
		r.Trouble = err.Error()
	}
	return r
}

// inFlight is how many batches the hub may have without the edge knowing it: those it
// counts as evicted though they arrived.
const inFlight = 64

// lastTransaction is how many batches of samples the end of a write-ahead log holds.
const lastTransaction = 16

// checkEvicted holds what is missing of an overflowing or damaged journal against what the
// journal counted, and gives the next round a journal that is large.
func (w *world) checkEvicted(ctx context.Context, r *round) error {
	w.truth.excuseNew("", samples)
	lost := int64(r.LostBatches) - w.lostBatches
	w.lostBatches += lost
	counted, _ := w.truth.dropped()
	if slices.Contains(r.Faults, damagedEdge) && counted < lost-w.unknowable {
		r.Miscounted = append(r.Miscounted, fmt.Sprintf("%d batches are missing, the damaged journal counted %d", lost, counted))
	}
	if !slices.Contains(r.Faults, journalFull) {
		return nil
	}
	if counted < lost || counted > lost+inFlight {
		r.Miscounted = append(r.Miscounted, fmt.Sprintf("%d batches are missing, the journal counted %d", lost, counted))
	}
	return errors.Join(stop(w.edge), w.restart(ctx))
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// calm ends everything that is bad, and the making of facts.
func (w *world) calm(ctx context.Context) error {
	for _, p := range []*process{w.edge, w.hub, w.broker, w.influx} {
		if !down(p) {
			_ = thaw(p) // it may have ended meanwhile
		}
	}
	if err := w.heal(ctx); err != nil {
		return err
	}
	w.rate = 0
	return w.tellEdge("rate 0")
}

// settle waits until nothing is under way, and compares. What is missing then may
// still be on its way for a moment, into the history; what is wrong is wrong.
func (w *world) settle(ctx context.Context) (v verdict, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	since := w.truth.reported()
	why := "the edge has not sent everything"
	for {
		if w.truth.settled(since) {
			v, done, err := w.compare(ctx)
			if done || err != nil {
				return v, err
			}
			why = "the hub has not read everything"
		}
		for _, p := range []*process{w.edge, w.hub} {
			if p.gone() {
				return v, fmt.Errorf("%s has ended: %s", p.name, lastLines(w.log(p.name)))
			}
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return v, fmt.Errorf("not settled within %s: %s; %s", settleWithin, why, w.truth.state())
		}
	}
}

func lastLines(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// compare reports whether what it finds is for good: the judge says only every few
// seconds that it has read what changes nothing, so that it is asked only when
// something seems wrong.
func (w *world) compare(ctx context.Context) (v verdict, done bool, err error) {
	behind, err := w.metric(ctx, "gengfu_consumer_behind_records")
	if errors.Is(err, errNoFigure) {
		return v, false, err
	}
	if err != nil {
		return v, false, nil //nolint:nilerr // the hub may be starting
	}
	if stored, err := w.metric(ctx, `gengfu_consumer_behind_records{consumer="history"}`); err != nil || stored > 0 {
		return v, false, nil //nolint:nilerr // likewise
	}
	a, err := w.arrived(ctx)
	if err != nil {
		return v, false, err
	}
	v = w.truth.judge(a)
	return v, behind == 0 || len(v.faults()) == 0, nil
}
