package rules

import (
	"math"
	"time"
)

// frame is what the parts of a condition are asked with: the device's points and
// what is kept of them, and the instant. There is one for an engine, which is set for
// each instance in turn.
type frame struct {
	at        instant
	wake      instant // the next instant at which time alone may change an answer
	listening instant
	heard     instant // time of the readings that are judged, which may be before at; 0 is for time alone
	test      *conditionTest
	clock     *clock
	failed    bool // something was divided by zero
	end       end  // of a number of which only its ends are known
}

// wakeAt says that an answer may change at the instant by time alone.
func (f *frame) wakeAt(at instant) {
	if at > f.at && at < f.wake {
		f.wake = at
	}
}

// value is what is known of a point now, or NaN: a reading holds until the point is
// stale. For a reading that is heard behind the instant it is what was known at its
// own time: a fact is not unknown because the network was down. Time alone finds the
// point stale next.
func (f *frame) value(p *point) float64 {
	if p.stale > 0 && p.At != 0 {
		due := max(p.At, f.listening).add(p.stale)
		if f.at >= due && (f.heard == 0 || f.heard >= due) {
			return math.NaN()
		}
		f.wake = min(f.wake, max(due, f.at))
	}
	return p.seen
}

// quiet reports whether no good reading of the point came for so long. One that was
// never heard is quiet since somebody listens.
func (f *frame) quiet(p *point, after time.Duration) bool {
	since := max(p.LastGood, p.since, f.listening)
	if since == 0 {
		return true
	}
	due := since.add(after)
	f.wakeAt(due)
	return f.at >= due
}

// clock says what time it is at the site. It remembers the last minute that it was
// asked for.
type clock struct {
	zone    *time.Location
	minute  instant // that the rest is of; 0 is none
	local   time.Time
	shifted int // seconds of the day at the minute's start
}

// set brings the clock to the instant and returns the seconds of the local day.
func (c *clock) set(at instant) float64 {
	if m := at / minute * minute; m != c.minute || c.minute == 0 {
		c.minute = m
		c.local = m.time().In(c.zone)
		c.shifted = c.local.Hour()*3600 + c.local.Minute()*60 + c.local.Second()
	}
	return float64(c.shifted) + float64(at-c.minute)/1e9
}

// hour is the local time of day as 0 ≤ hour < 24, to the second.
func (f *frame) hour() float64 {
	f.wakeAt(f.at.nextMinute())
	return math.Floor(f.clock.set(f.at)) / 3600
}

// weekday is the local day of the week, 0 is Sunday.
func (f *frame) weekday() float64 {
	f.wakeAt(f.at.nextMinute())
	f.clock.set(f.at)
	return float64(f.clock.local.Weekday())
}
