package detect

import (
	"math"
	"time"
)

// electricitySettings were chosen on the hourly energy of 14 buildings (Cambridge
// Estates) with faults added.
type electricitySettings struct {
	warm    float64 // hours before anything is flagged
	weekly  float64 // part of a new week in the profile
	level   float64 // hours after which the level has followed half
	spread  float64 // part of a new week in its spread
	narrow  float64 // least spread, as a logarithm
	limit   float64 // of a deviation, in spreads
	most    float64 // evidence of one hour, in nats
	floor   float64 // evidence that raises an alarm, in nats
	alarm   float64 // and spreads above the usual evidence of a day
	daily   float64 // part of a new day in what is usual of it
	leap    float64 // spreads of one hour that raise an alarm, or
	ownLeap float64 // ... times the worst of the past
	repeats float64 // hours of the same value that raise one, or
	ownSame float64 // ... times the worst of the past
	forget  float64 // hours after which the worst of the past counts half
	above   float64 // what is kept of the evidence, in parts of what raises the alarm
	close   float64 // part of the evidence at which the alarm closes
	fault   float64 // hours after which an alarm was a fault, and tells nothing of what is usual
	longest float64 // hours after which an alarm closes whatever is
	mean    float64 // part of an hour in the long mean
}

var shippedElectricity = electricitySettings{
	warm: 21 * 24, weekly: 0.15, level: 48, spread: 0.05, narrow: 0.1, limit: 4, most: 6, floor: 30, alarm: 2.5, daily: 0.05,
	leap: 5, ownLeap: 1.2, repeats: 6, ownSame: 1.5, forget: 30 * 24, above: 1.5, close: 0.8, fault: 72, longest: 96, mean: 0.002,
}

// A fault may show in some hours only: these are watched together.
const (
	everyHour = iota
	quietHours
	weekends
	busyHours
	watches
)

// changes are the shifts of the logarithm that are looked for, in spreads.
var changes = [...]float64{0.5, 1, 2}

// The worries: each change up and down in each watch, one hour far down or up, and
// a value that stands still.
const (
	leapDown = watches * len(changes) * 2
	leapUp   = leapDown + 1
	frozen   = leapDown + 2
	worries  = leapDown + 3
)

const weekHours = 7 * 24

// electricity compares each hour with the same of the weeks before, as logarithms,
// and adds up the evidence of a change (Page's test). What is usual of that evidence
// is learned from its daily extremes.
type electricity struct {
	set           electricitySettings
	hours         float64
	value         float64
	same          float64 // hours that it stands still
	expect        [weekHours]float64
	spread        [weekHours]float64
	seen          [weekHours]float64
	level         float64 // of late, against the profile
	mean          float64
	evidence      [worries]float64
	top           [worries]float64 // of this day
	usual, varied [worries]float64 // logarithms of the daily extremes
	day           int64
	days          float64
	peak, worst   [worries]float64
	open          float64
	flag          bool
	ratio         float64
}

func newElectricity() *electricity { return &electricity{set: shippedElectricity} }

func (e *electricity) observe(t time.Time, v []float64, learn bool) Verdict {
	x := v[0]
	if e.hours == 0 {
		e.mean = max(x, 0.01)
	}
	e.hours++
	if x == e.value {
		e.same++
	} else {
		e.same = 0
	}
	e.value = x
	offset := 0.02 * e.mean // so that nothing has a logarithm too
	e.mean += max(e.set.mean, 1/e.hours) * (x - e.mean)
	y := math.Log(max(x, 0) + max(offset, 1e-9))
	hour := int(t.Weekday())*24 + t.Hour()
	e.begin(hour, y)
	baseline := math.Exp(e.expect[hour]+e.level) - offset
	r, s := y-e.expect[hour]-e.level, e.width(hour)
	quiet := e.expect[hour] < math.Log(max(e.mean+offset, 1e-9))-0.1
	weekend := t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
	e.weigh(r/s, [watches]bool{everyHour: true, quietHours: quiet, weekends: weekend, busyHours: !quiet})
	e.decide(t.Unix() / 86400)
	if learn {
		e.learn(hour, r, s)
	}
	return Verdict{Baseline: baseline, Score: scoreOf(e.ratio), Flag: e.flag, Sure: e.sure()}
}

// begin gives an hour of the week that was never seen the expectation of the day
// before.
func (e *electricity) begin(hour int, y float64) {
	if e.seen[hour] > 0 {
		return
	}
	if before := (hour + weekHours - 24) % weekHours; e.seen[before] > 0 {
		e.expect[hour], e.spread[hour] = e.expect[before], e.spread[before]
		return
	}
	e.expect[hour], e.spread[hour] = y, 0.3
}

// width is the usual deviation of an hour of the week, taken with those beside it.
func (e *electricity) width(hour int) float64 {
	s, n := 2*e.spread[hour], 2.0
	for _, h := range [...]int{(hour + weekHours - 1) % weekHours, (hour + 1) % weekHours} {
		if e.seen[h] > 0 {
			s += e.spread[h]
			n++
		}
	}
	return max(e.set.narrow, 1.25*s/n) // 1.25 mean deviations are a standard deviation
}

func (e *electricity) weigh(z float64, watch [watches]bool) {
	e.evidence[leapUp] = max(0.5*e.evidence[leapUp], z)
	e.evidence[leapDown] = max(0.5*e.evidence[leapDown], -0.7*z)
	e.evidence[frozen] = e.same
	if e.value <= 0 { // off for long is no fault of the meter
		e.evidence[frozen] = e.same / 2
	}
	z = max(-e.set.limit, min(e.set.limit, z))
	i := 0
	for w, in := range watch {
		for _, k := range changes {
			for _, sign := range [...]float64{1, -1} {
				// What rests, on a holiday or for good, is no fault: one takes from all hours.
				if in && (sign > 0 || w == everyHour) {
					llr := max(-e.set.most, min(e.set.most, k*sign*z-k*k/2))
					e.evidence[i] = max(0, e.evidence[i]+llr)
				}
				i++
			}
		}
	}
}

func (e *electricity) learn(hour int, r, s float64) {
	e.seen[hour]++
	c := max(-3*s, min(3*s, r))
	if e.seen[hour] <= 2 {
		c = r
	}
	e.expect[hour] += max(e.set.weekly, 1/e.seen[hour]) * c
	e.spread[hour] += max(e.set.spread, min(0.3, 1/e.seen[hour])) * (min(math.Abs(r), 5*s) - e.spread[hour])
	e.level += half(e.set.level) * c
}

// threshold is the evidence that raises an alarm.
func (e *electricity) threshold(worry int) float64 {
	switch worry {
	case frozen:
		return max(e.set.repeats, e.set.ownSame*e.worst[worry])
	case leapUp, leapDown:
		return max(e.set.leap, e.set.ownLeap*e.worst[worry])
	}
	return max(e.set.floor, math.Exp(e.usual[worry]+e.set.alarm*math.Sqrt(e.varied[worry]))-1)
}

func (e *electricity) decide(day int64) {
	e.ratio = 0
	for i := range e.evidence {
		th := e.threshold(i)
		e.evidence[i] = min(e.evidence[i], e.set.above*th)
		e.ratio = max(e.ratio, e.evidence[i]/th)
	}
	if day != e.day {
		e.day = day
		e.count()
	}
	for i, v := range e.evidence {
		e.top[i] = max(e.top[i], v)
	}
	fade(e.worst[:], math.Exp2(-1/e.set.forget))
	if e.flag {
		e.open++
	}
	switch {
	case !e.sure():
	case e.open > e.set.longest:
		e.close()
	case e.ratio >= 1:
		e.flag = true
	case e.flag && e.ratio < e.set.close:
		e.close()
	}
	e.remember()
}

// count adds a full day to what is usual.
func (e *electricity) count() {
	e.days++
	rate := max(e.set.daily, 1/e.days)
	for i, v := range e.top {
		d := math.Log1p(v) - e.usual[i]
		if e.days >= 5 {
			d = min(d, 3*math.Sqrt(e.varied[i])+0.1)
		}
		e.usual[i] += rate * d
		e.varied[i] += rate * (d*d - e.varied[i])
	}
	clear(e.top[:])
}

func (e *electricity) close() {
	if e.open > e.set.fault {
		clear(e.peak[:])
	}
	clear(e.evidence[:])
	e.flag, e.open = false, 0
}

// remember keeps the worst of what has ended without a fault.
func (e *electricity) remember() {
	for i, v := range e.evidence {
		e.peak[i] = max(e.peak[i], v)
		if v < 0.3*e.peak[i] && !e.flag {
			e.worst[i], e.peak[i] = max(e.worst[i], e.peak[i]), v
		}
	}
}

func (e *electricity) sure() bool { return e.hours >= e.set.warm }

func (e *electricity) state(c *codec) {
	c.numbers(&e.hours, &e.value, &e.same, &e.level, &e.mean, &e.days, &e.open, &e.ratio)
	c.integer(&e.day)
	for _, l := range []*[weekHours]float64{&e.expect, &e.spread, &e.seen} {
		c.list(l[:])
	}
	for _, l := range []*[worries]float64{&e.evidence, &e.top, &e.usual, &e.varied, &e.peak, &e.worst} {
		c.list(l[:])
	}
	c.truth(&e.flag)
}
