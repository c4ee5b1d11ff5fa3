package rules

import (
	"fmt"
	"math"
	"time"

	"github.com/expr-lang/expr/vm"

	"gengfu/facility"
)

// point is the last that is known of one point.
type point struct {
	id      facility.PointID
	unit    string
	kind    facility.PointKind
	wrap    float64
	readers []*instance
	reading
}

// reading is the part of a point that is saved.
type reading struct {
	Time     time.Time        `json:"time"` // of the last reading, zero before the first
	Value    float64          `json:"value"`
	Quality  facility.Quality `json:"quality"`
	LastGood time.Time        `json:"last_good"`
}

// take makes r the last reading. A value that is no finite number is bad.
func (p *point) take(r facility.Reading, at time.Time) {
	p.Time, p.Value, p.Quality = at, r.Value, r.Quality
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		p.Value, p.Quality = 0, facility.Bad
	}
	if p.Quality == facility.Good {
		p.LastGood = at
	}
}

// usable reports whether the point has a value that may be judged. Uncertain is
// usable: it is the best that is known.
func (p *point) usable() bool { return !p.Time.IsZero() && p.Quality != facility.Bad }

// test is what a rule asks of one device.
type test interface {
	// watched are the points whose readings the test must see.
	watched() []*point
	// observe takes in a reading that its point has taken.
	observe(p *point)
	// find says how things stand at the instant at.
	find(at time.Time) finding
	// value is what an alarm shows that is raised by the last find.
	value() float64
}

// finding is how a test stands at one instant. Unless raise waits for due, it and
// clear are never both true.
type finding struct {
	known bool
	raise bool
	clear bool
	due   time.Time // with raise: the instant at which it becomes true by silence; zero is now
	unit  string    // of the value
}

// input is a name of a condition and the point that it stands for.
type input struct {
	name  string
	point *point
}

// conditionTest is a "when" with its "clear".
type conditionTest struct {
	engine *Engine
	when   *condition
	clear  *condition // nil: not when
	inputs []input
	timed  bool   // uses hour or weekday
	unit   string // of the value that the alarm shows
	env    map[string]any
}

func (t *conditionTest) watched() []*point {
	out := make([]*point, len(t.inputs))
	for i, in := range t.inputs {
		out[i] = in.point
	}
	return out
}

func (t *conditionTest) observe(*point) {}

func (t *conditionTest) find(at time.Time) finding {
	for _, in := range t.inputs {
		if !in.point.usable() {
			return finding{}
		}
		t.env[in.name] = in.point.Value
	}
	if t.timed {
		local := at.In(t.engine.zone())
		t.env[hourName] = float64(local.Hour()) + float64(local.Minute())/60 + float64(local.Second())/3600
		t.env[weekdayName] = float64(local.Weekday())
	}
	f := finding{unit: t.unit}
	if f.raise, f.known = t.run(t.when.program); !f.known {
		return finding{}
	}
	f.clear = !f.raise
	if f.clear && t.clear != nil {
		if f.clear, f.known = t.run(t.clear.program); !f.known {
			return finding{}
		}
	}
	return f
}

// value is what the alarm shows at the time of the last find.
func (t *conditionTest) value() float64 {
	v, err := t.engine.machine.Run(t.when.value, t.env)
	if err != nil {
		t.engine.stats.Failed++
		return 0
	}
	n, _ := number(v)
	return n
}

// number makes a finite float64 of a number of the language.
func number(v any) (float64, bool) {
	var f float64
	switch n := v.(type) {
	case float64:
		f = n
	case int:
		f = float64(n)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// run evaluates a program. A condition that fails on its values, such as a
// modulo by zero, is not known.
func (t *conditionTest) run(p *vm.Program) (result, ok bool) {
	v, err := t.engine.machine.Run(p, t.env)
	if err == nil {
		result, ok = v.(bool)
	}
	if !ok {
		t.engine.stats.Failed++
	}
	return result, ok
}

// silenceTest is a "no_data".
type silenceTest struct {
	engine *Engine
	points []*point
	each   bool // every point must have data; otherwise any one is enough
	after  time.Duration
}

func (t *silenceTest) watched() []*point { return t.points }
func (t *silenceTest) observe(*point)    {}

func (t *silenceTest) find(at time.Time) finding {
	due := t.due(t.engine.listening)
	return finding{
		known: true,
		raise: !due.IsZero(),
		// Only data clears, not that somebody began to listen.
		clear: t.due(time.Time{}).After(at),
		due:   due,
		unit:  "s",
	}
}

func (t *silenceTest) value() float64 { return t.after.Seconds() }

// due is the instant at which silence has lasted too long, if nothing more
// comes and silence counts from listening on. It is zero when a point that it
// hangs on was never heard and nobody listens.
func (t *silenceTest) due(listening time.Time) time.Time {
	var due time.Time
	for n, p := range t.points {
		var d time.Time
		if since := latest(p.LastGood, listening); !since.IsZero() {
			d = since.Add(t.after)
		}
		if n == 0 || t.each == d.Before(due) {
			due = d
		}
	}
	return due
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// slopeTest is a "rate".
type slopeTest struct {
	rate    Rate
	per     time.Duration
	unit    string
	point   *point
	samples []sample // oldest first; the first is what the change is taken from
}

// sample is the value at a time; of a counter the growth since the first sample
// ever seen, so that neither a roll-over nor a reset shows.
type sample struct {
	Time  time.Time `json:"t"`
	Value float64   `json:"v"`
	Raw   float64   `json:"r"`
}

// samplesPerWindow bounds what a slope keeps: nearer samples replace each other,
// so that the change may be taken over up to a sixtieth more than Over.
const samplesPerWindow = 60

func newSlope(rate Rate, p *point) *slopeTest {
	per := rate.Per
	if per == 0 {
		per = DefaultPer
	}
	return &slopeTest{rate: rate, per: per, unit: p.unit + "/" + perUnit(per), point: p}
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

func (t *slopeTest) observe(p *point) {
	if !p.usable() {
		return
	}
	s := sample{Time: p.Time, Value: p.Value, Raw: p.Value}
	n := len(t.samples)
	if n > 0 && p.kind == facility.Counter {
		last := t.samples[n-1]
		s.Value = last.Value
		if amount, step := facility.Increase(last.Raw, p.Value, p.wrap); step != facility.Reset {
			s.Value += amount
		}
	}
	if n >= 2 && s.Time.Sub(t.samples[n-2].Time) < t.rate.Over/samplesPerWindow {
		t.samples[n-1] = s
	} else {
		t.samples = append(t.samples, s)
	}
	from := s.Time.Add(-t.rate.Over)
	for len(t.samples) >= 2 && !t.samples[1].Time.After(from) {
		t.samples = t.samples[1:]
	}
}

func (t *slopeTest) find(time.Time) finding {
	if !t.point.usable() || len(t.samples) < 2 || t.span() < t.rate.Over {
		return finding{}
	}
	v := t.value()
	f := finding{known: true, unit: t.unit}
	if limit := t.rate.Above; limit != nil {
		f.raise = v > *limit
		f.clear = !f.raise && (t.rate.Clear == nil || v <= *t.rate.Clear)
	} else if limit := t.rate.Below; limit != nil {
		f.raise = v < *limit
		f.clear = !f.raise && (t.rate.Clear == nil || v >= *t.rate.Clear)
	}
	return f
}

// span is the time that the samples cover.
func (t *slopeTest) span() time.Duration {
	return t.samples[len(t.samples)-1].Time.Sub(t.samples[0].Time)
}

// value is the change per the rate's time over the whole span.
func (t *slopeTest) value() float64 {
	first, last := t.samples[0], t.samples[len(t.samples)-1]
	return (last.Value - first.Value) * (float64(t.per) / float64(t.span()))
}
