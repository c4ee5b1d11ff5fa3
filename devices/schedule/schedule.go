// Package schedule decides which device of a line is asked next, and for which
// points. It is pure: time is an argument, and it never looks at a clock or a
// line.
package schedule

import (
	"cmp"
	"slices"
	"time"

	"gengfu/facility"
)

// Class is how urgent a point is, 0 the most.
type Class int

// The classes: alarm bits and states, measured values, counters.
const (
	Alarm Class = iota
	Measure
	Counter
)

// ClassOf returns the class of a kind of point.
func ClassOf(k facility.PointKind) Class {
	switch k {
	case facility.Signal, facility.State:
		return Alarm
	case facility.Counter:
		return Counter
	}
	return Measure
}

// Point is something that is read again and again.
type Point struct {
	Device int // index of its device on the line, from 0
	Class  Class
	Period time.Duration
}

// Job is what to do next: read these points of this device, at least those that
// one request can read together with the first. What is left stays due.
type Job struct {
	Device int
	Points []int // indices of points, the most urgent first
	Probe  bool  // the device is down and is only asked whether it is back
}

// confirmations is how many failures in a row make a device down, or a point bad
// while its device answers. One is noise.
const confirmations = 2

// patience is how long a device that may be silent waits for its turn while
// others that do answer are due.
const patience = 2 * time.Second

// aging lifts a point by one class for every so many periods that it is overdue,
// so that an overloaded line still reads everything.
const aging = 4

// Scheduler is the state of one line. It belongs to one goroutine.
type Scheduler struct {
	start    time.Time
	points   []point
	devices  []device
	probes   budget
	doubtful bool // the last job was for a device that may be silent
}

type point struct {
	Point
	phase    time.Duration // of its place in the period, from start
	due      time.Time
	failures int // in a row
}

type device struct {
	points   []int
	answered bool // since the start or restart
	failures int  // in a row
	down     bool
	until    time.Time // not asked before
	tries    int       // when down: probes without an answer
}

// New returns a schedule that begins at start. Every point is read as soon as
// possible once, the urgent first, and then at its own place in its period, so
// that devices with the same period do not come all at once.
func New(points []Point, start time.Time) *Scheduler {
	s := &Scheduler{start: start, points: make([]point, len(points))}
	for i, p := range points {
		p.Period = max(p.Period, time.Millisecond)
		if p.Device >= len(s.devices) {
			s.devices = append(s.devices, make([]device, p.Device+1-len(s.devices))...)
		}
		s.points[i] = point{Point: p, due: start}
		s.devices[p.Device].points = append(s.devices[p.Device].points, i)
	}
	for d := range s.devices {
		s.spread(d)
	}
	return s
}

// spread gives the points of a device their places: all of one period together,
// the longer periods at moments when the shortest is read anyway.
func (s *Scheduler) spread(d int) {
	var shortest time.Duration
	for _, i := range s.devices[d].points {
		if p := s.points[i].Period; shortest == 0 || p < shortest {
			shortest = p
		}
	}
	for _, i := range s.devices[d].points {
		share := s.points[i].Period * time.Duration(d) / time.Duration(len(s.devices))
		s.points[i].phase = shortest*time.Duration(d)/time.Duration(len(s.devices)) + share.Truncate(shortest)
	}
}

// Next returns what to do now. When that is nothing, the job has no points and
// wake says when to ask again; wake is zero when there are no points at all.
func (s *Scheduler) Next(now time.Time) (job Job, wake time.Time) {
	sure, sureDue, sureWake := s.pick(now, func(d *device) bool { return d.answered && !d.down && d.failures == 0 })
	maybe, maybeDue, maybeWake := s.pick(now, func(d *device) bool { return !d.down && (!d.answered || d.failures > 0) })
	probe, probeDue, probeWake := s.pickProbe(now)
	if maybe < 0 {
		maybe, maybeDue = probe, probeDue
	}
	if sure >= 0 && (maybe < 0 || s.doubtful || now.Sub(maybeDue) < patience || !s.probes.allow(now)) {
		s.doubtful = false
		return s.job(sure, now), sureDue
	}
	if maybe >= 0 {
		s.doubtful = true
		return s.job(maybe, now), maybeDue
	}
	s.doubtful = false
	return Job{}, earliest(sureWake, maybeWake, probeWake)
}

// pick returns the device with the most urgent point that is due among those that
// fit, or -1 and when the next one will be.
func (s *Scheduler) pick(now time.Time, fits func(*device) bool) (best int, due, wake time.Time) {
	best = -1
	var rank Class
	for d := range s.devices {
		if !fits(&s.devices[d]) {
			continue
		}
		if until := s.devices[d].until; until.After(now) {
			wake = earliest(wake, until)
			continue
		}
		for _, i := range s.devices[d].points {
			p := &s.points[i]
			if p.due.After(now) {
				wake = earliest(wake, p.due)
				continue
			}
			if r := p.rank(now); best < 0 || r < rank || r == rank && p.due.Before(due) {
				best, rank, due = d, r, p.due
			}
		}
	}
	return best, due, wake
}

func (p *point) rank(now time.Time) Class {
	return max(Alarm, p.Class-Class(now.Sub(p.due)/(aging*p.Period)))
}

// pickProbe returns the device that is down and waits longest for a probe. While
// others answer, probes have a small share of the line; when nobody does, they
// have all of it.
func (s *Scheduler) pickProbe(now time.Time) (best int, due, wake time.Time) {
	best = -1
	alive := slices.ContainsFunc(s.devices, func(d device) bool { return d.answered && !d.down })
	for i := range s.devices {
		d := &s.devices[i]
		switch {
		case !d.down:
		case d.until.After(now):
			wake = earliest(wake, d.until)
		case best < 0 || d.until.Before(due):
			best, due = i, d.until
		}
	}
	if best >= 0 && alive && !s.probes.allow(now) {
		return -1, time.Time{}, s.probes.next(now)
	}
	return best, due, wake
}

// job collects what is due of the device. A probe is one request for the points
// that failed least, because a slave may be silent about some registers only.
func (s *Scheduler) job(d int, now time.Time) Job {
	dev := &s.devices[d]
	j := Job{Device: d, Probe: dev.down}
	for _, i := range dev.points {
		if dev.down || !s.points[i].due.After(now) {
			j.Points = append(j.Points, i)
		}
	}
	slices.SortStableFunc(j.Points, func(a, b int) int {
		x, y := &s.points[a], &s.points[b]
		if dev.down {
			return cmp.Or(cmp.Compare(x.failures, y.failures), cmp.Compare(x.Class, y.Class))
		}
		return cmp.Or(cmp.Compare(x.rank(now), y.rank(now)), x.due.Compare(y.due))
	})
	return j
}

// Answered says that the points were read. It reports whether the device was down
// until now; then all its other points are due at once.
func (s *Scheduler) Answered(d int, points []int, now time.Time) (recovered bool) {
	recovered = s.Alive(d, now)
	for _, i := range points {
		p := &s.points[i]
		p.failures = 0
		p.due = s.after(p, now)
	}
	return recovered
}

// Alive says that the device answered, if only to refuse. It reports whether the
// device was down until now.
func (s *Scheduler) Alive(d int, now time.Time) (recovered bool) {
	dev := &s.devices[d]
	recovered = dev.down
	*dev = device{points: dev.points, answered: true}
	if !recovered {
		return false
	}
	s.probes = budget{} // what brought this one back may have brought others
	for _, i := range dev.points {
		p := &s.points[i]
		p.due, p.failures = now, min(p.failures, confirmations-1)
	}
	return true
}

// Refused says that the device answered and did not give the points. They are
// asked again alone and ever less often. It returns those that are bad now.
func (s *Scheduler) Refused(d int, points []int, now time.Time) (bad []int) {
	s.Alive(d, now)
	for _, i := range points {
		p := &s.points[i]
		p.failures++
		p.due = now.Add(Pause(p.failures - 1))
		if p.failures >= confirmations {
			bad = append(bad, i)
		}
	}
	return bad
}

// Silent says that the device gave no usable answer when asked for the points,
// and how much of the line's time that cost. The device is then left alone for at
// least the hold. It returns the points that are bad now: all of the device when it
// went down, and those asked for when it answers otherwise.
func (s *Scheduler) Silent(d int, points []int, now time.Time, cost, hold time.Duration) (bad []int, down bool) {
	dev := &s.devices[d]
	mute := !dev.down // known to be silent about these points only
	for _, i := range points {
		mute = mute && s.points[i].failures >= confirmations
		s.points[i].failures++
	}
	s.probes.spend(now, cost)
	dev.until = now.Add(hold)
	switch {
	case dev.down:
		dev.tries++
		dev.until = now.Add(Pause(dev.tries))
		return nil, false
	case !mute:
		dev.failures++
	}
	if dev.failures >= confirmations {
		dev.down, dev.tries = true, 0
		dev.until = now.Add(Pause(0))
		return slices.Clone(dev.points), true
	}
	for _, i := range points {
		if p := &s.points[i]; p.failures >= confirmations {
			p.due = now.Add(Pause(p.failures - confirmations))
			bad = append(bad, i)
		}
	}
	return bad, false
}

// Restart forgets what is known of the devices and makes everything due: the line
// was down and is back.
func (s *Scheduler) Restart(now time.Time) {
	for d := range s.devices {
		s.devices[d] = device{points: s.devices[d].points}
	}
	for i := range s.points {
		s.points[i].due, s.points[i].failures = now, 0
	}
	s.probes, s.doubtful = budget{}, false
}

// Down reports whether the device is taken to be silent.
func (s *Scheduler) Down(d int) bool { return s.devices[d].down }

// after returns the point's next place in its period after now; what was missed
// is not made up for.
func (s *Scheduler) after(p *point, now time.Time) time.Time {
	first := s.start.Add(p.phase)
	if now.Before(first) {
		return first
	}
	return first.Add((now.Sub(first)/p.Period + 1) * p.Period)
}

func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}
