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

// The classes: alarm bits and states, measured values, counters, and what hardly
// ever changes: settings, numbers of the device.
const (
	Alarm Class = iota
	Measure
	Counter
	Identity
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

// seldom is from which period on a point is Identity, whatever its kind.
const seldom = time.Hour

// Point is something that is read again and again.
type Point struct {
	Device int // index of its device on the line, from 0
	Class  Class
	Period time.Duration
}

// Fast reports whether the point is an alarm that is read between any two requests
// for something else when it would otherwise be late. It has no place in its period:
// it follows its own last reading.
func (p Point) Fast() bool { return p.Class == Alarm && p.Period <= fastest }

// Job is what to do next: read these points of this device, at least those that
// one request can read together with the first. What is left stays due.
type Job struct {
	Device int
	Points []int // indices of points, the most urgent first; they are the scheduler's until the next call of Next
	Probe  bool  // the device is down and is only asked whether it is back, for one point

	// Within is how much of the line's time a probe may take, so that all that are
	// down have their turn in time; 0 is as long as the device's timeout. The
	// caller waits longer where it knows that the device is slower.
	Within time.Duration
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

// fastest is up to which period an alarm is fast.
const fastest = 500 * time.Millisecond

// Scheduler is the state of one line. It belongs to one goroutine.
type Scheduler struct {
	start    time.Time
	points   []point
	devices  []device
	probes   budget
	doubtful bool          // the last job was for a device that may be silent
	lifted   bool          // the last job was urgent by its age only
	asked    asked         // the last job
	timeout  time.Duration // the longest that waiting for a silent device has cost
	job      []int         // its points
}

type asked struct {
	device int
	point  int // that it was for
	at     time.Time
	waited bool // something that is not fast was due
}

type point struct {
	Point
	phase    time.Duration // of its place in the period, from start
	due      time.Time
	failures int           // in a row
	busy     int           // times in a row that it was put off
	yields   bool          // fast, and was asked for while something else waited
	took     time.Duration // what a request for it costs, of late
}

// ready points are fast and may be asked for before they are due.
func (p *point) ready() bool { return p.Fast() && p.failures == 0 && p.busy == 0 && !p.yields }

type device struct {
	points   []int
	fast     bool // has a fast point
	answered bool // since the start or restart
	failures int  // in a row
	down     bool
	until    time.Time // not asked before
	tries    int       // when down: probes without an answer
	patient  time.Time // when down: when a probe last waited as long as the timeout
}

// New returns a schedule that begins at start. Every point is read as soon as
// possible once, the urgent first, and then at its own place in its period, so
// that devices with the same period do not come all at once.
func New(points []Point, start time.Time) *Scheduler {
	s := &Scheduler{start: start, points: make([]point, len(points)), asked: asked{device: -1}}
	for i, p := range points {
		p.Period = max(p.Period, time.Millisecond)
		if p.Period >= seldom && p.Class != Alarm {
			p.Class = Identity
		}
		if p.Device >= len(s.devices) {
			s.devices = append(s.devices, make([]device, p.Device+1-len(s.devices))...)
		}
		s.points[i] = point{Point: p, due: start}
		d := &s.devices[p.Device]
		d.points = append(d.points, i)
		d.fast = d.fast || s.points[i].Fast()
	}
	for d := range s.devices {
		s.spread(d)
	}
	return s
}

// spread gives the points of a device their places: all of one period together, and
// each longer period at moments when the next shorter one is read anyway, so that
// one request may serve both.
func (s *Scheduler) spread(d int) {
	points := slices.Clone(s.devices[d].points)
	slices.SortStableFunc(points, func(a, b int) int { return cmp.Compare(s.points[a].Period, s.points[b].Period) })
	var phase, last time.Duration
	for _, i := range points {
		p := &s.points[i]
		if p.Fast() {
			continue
		}
		if p.Period != last {
			share := p.Period * time.Duration(d) / time.Duration(len(s.devices))
			phase += (share - phase).Truncate(max(last, 1))
			last = p.Period
		}
		p.phase = phase
	}
}

// Down reports whether the device is taken to be silent.
func (s *Scheduler) Down(d int) bool { return s.devices[d].down }

// Longest returns how much of the line's time one request should take at most, so
// that fast points keep their period: half of it. It is 0 when there are none. A
// change of a fast point is then read after at most
//
//	max(9/8 period, longest request + requests of all fast points) + its own request
//
// when the devices answer, whatever else is due.
func (s *Scheduler) Longest() time.Duration {
	var longest time.Duration
	for i := range s.points {
		if p := &s.points[i]; p.Fast() && (longest == 0 || p.Period/2 < longest) {
			longest = p.Period / 2
		}
	}
	return longest
}
