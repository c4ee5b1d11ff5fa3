package rules

import (
	"fmt"
	"time"
)

// test is what a rule asks of one device. It knows nothing of alarms: it says how
// things stand, and what becomes of that the instance decides.
type test interface {
	// watched are the points whose readings the test must see.
	watched() []*point
	// find says how things stand at the instant at.
	find(at instant) finding
	// value is what an alarm shows that is raised at the instant of the last find,
	// and its unit.
	value(at instant) (float64, string)
	// stands says how the condition stands, and changes nothing.
	stands(at instant) Truth
	// save and load are for what the test itself remembers.
	save(w *writer)
	load(r *reader)
	// reset forgets it.
	reset()
}

// finding is how a test stands at one instant. Unless raise waits for due, it and
// clear are never both true.
type finding struct {
	raise Truth
	clear Truth
	due   instant // with raise: the instant at which it becomes true by silence; 0 is now
	wake  instant // when time alone may change it; never is never
}

// conditionTest is a "when" with its "clear".
type conditionTest struct {
	engine  *Engine
	program *program
	points  []*point
	feeds   []feed
	cells   []cell
	// Most conditions have no more than these, and find them close by.
	fewPoints [3]*point
	fewFeeds  [2]feed
}

func (t *conditionTest) watched() []*point { return t.points }

// frame sets the engine's frame for this test.
func (t *conditionTest) frame(at instant) *frame {
	f := &t.engine.frame
	f.at, f.wake, f.failed = at, never, false
	f.test = t
	return f
}

func (t *conditionTest) find(at instant) finding {
	f := t.frame(at)
	for i := range t.cells {
		t.cells[i].look(t.program.cells[i].of(f), at)
	}
	raise := t.program.raise(f)
	clear := raise.not()
	if t.program.clear != nil && clear != False {
		clear = min(clear, t.program.clear(f))
	}
	if f.failed {
		t.engine.stats.Failed++
	}
	return finding{raise: raise, clear: clear, wake: f.wake}
}

func (t *conditionTest) stands(at instant) Truth { return t.program.raise(t.frame(at)) }

func (t *conditionTest) value(at instant) (float64, string) {
	return t.program.value(t.frame(at)), t.program.unit
}

func (t *conditionTest) save(w *writer) {
	for i := range t.cells {
		t.cells[i].save(w)
	}
}

func (t *conditionTest) load(r *reader) {
	for i := range t.cells {
		t.cells[i].load(r)
	}
}

func (t *conditionTest) reset() { t.cells = t.program.fresh() }

// blank is the test before it remembered anything.
func (t *conditionTest) blank() *conditionTest { return &conditionTest{cells: t.program.fresh()} }

func (p *program) fresh() []cell {
	if len(p.cells) == 0 {
		return nil
	}
	out := make([]cell, len(p.cells))
	for i, s := range p.cells {
		out[i] = s.fresh()
	}
	return out
}

// silenceTest is a "no_data".
type silenceTest struct {
	engine *Engine
	points []*point
	each   bool // every point must have data; otherwise any one is enough
	after  time.Duration
}

func (t *silenceTest) watched() []*point { return t.points }
func (t *silenceTest) save(*writer)      {}
func (t *silenceTest) load(*reader)      {}
func (t *silenceTest) reset()            {}

func (t *silenceTest) find(at instant) finding {
	due := t.due(t.engine.frame.listening)
	return finding{
		raise: truthOf(due != 0),
		// Only data clears, not that somebody began to listen.
		clear: truthOf(t.due(0) > at),
		due:   due,
		wake:  never,
	}
}

func (t *silenceTest) stands(at instant) Truth {
	due := t.due(t.engine.frame.listening)
	return truthOf(due != 0 && due <= at)
}

func (t *silenceTest) value(instant) (float64, string) { return t.after.Seconds(), "s" }

// due is the instant at which silence has lasted too long, if nothing more
// comes and silence counts from listening on. It is 0 when a point that it
// hangs on was never heard and nobody listens.
func (t *silenceTest) due(listening instant) instant {
	var due instant
	for n, p := range t.points {
		var d instant
		since := max(p.LastGood, listening)
		if listening != 0 {
			since = max(since, p.since)
		}
		if since != 0 {
			d = since.add(t.after)
		}
		if n == 0 || t.each == (d < due) {
			due = d
		}
	}
	return due
}

// slopeTest is a "rate".
type slopeTest struct {
	engine *Engine
	rate   Rate
	per    time.Duration
	unit   string
	point  *point
	growth *growth
}

func newSlope(e *Engine, rate Rate, p *point, kept *growth) *slopeTest {
	per := rate.Per
	if per == 0 {
		per = DefaultPer
	}
	return &slopeTest{engine: e, rate: rate, per: per, unit: p.unit + "/" + perUnit(per), point: p, growth: kept}
}

// perUnit writes a duration as the lower half of a unit: "h", "30min".
func perUnit(d time.Duration) string {
	units := []struct {
		d    time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for _, u := range units {
		switch {
		case d == u.d:
			return u.name
		case d%u.d == 0:
			return fmt.Sprintf("%d%s", d/u.d, u.name)
		}
	}
	return d.String()
}

func (t *slopeTest) watched() []*point { return []*point{t.point} }
func (t *slopeTest) save(*writer)      {}
func (t *slopeTest) load(*reader)      {}
func (t *slopeTest) reset()            {}

func (t *slopeTest) stands(at instant) Truth { return t.find(at).raise }

func (t *slopeTest) find(at instant) finding {
	frame := &t.engine.frame
	frame.at, frame.wake = at, never
	f := finding{raise: Unknown, clear: Unknown}
	if v := frame.value(t.point); v == v && t.growth.full() {
		v, _ := t.value(at)
		if limit := t.rate.Above; limit != nil {
			f.raise = truthOf(v > *limit)
			f.clear = truthOf(v <= *limit && (t.rate.Clear == nil || v <= *t.rate.Clear))
		} else if limit := t.rate.Below; limit != nil {
			f.raise = truthOf(v < *limit)
			f.clear = truthOf(v >= *limit && (t.rate.Clear == nil || v >= *t.rate.Clear))
		}
	}
	f.wake = frame.wake
	return f
}

// value is the change per the rate's time over the whole span.
func (t *slopeTest) value(instant) (float64, string) {
	if !t.growth.full() {
		return 0, t.unit
	}
	return t.growth.change() * (float64(t.per) / float64(t.growth.reach())), t.unit
}
