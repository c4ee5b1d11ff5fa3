package schedule

import (
	"slices"
	"time"
)

// Answered says that the points were read. It reports whether the device was down
// until now; then all its other points are due at once.
func (s *Scheduler) Answered(d int, points []int, now time.Time) (recovered bool) {
	asked := s.over(d, points, now)
	recovered = s.Alive(d, now)
	for _, i := range points {
		p := &s.points[i]
		p.failures, p.busy = 0, 0
		p.due = s.after(p, now)
		if p.Fast() {
			p.due = asked.Add(p.Period)
		}
	}
	return recovered
}

// Alive says that the device answered, if only to refuse. It reports whether the
// device was down until now.
func (s *Scheduler) Alive(d int, now time.Time) (recovered bool) {
	s.over(d, nil, now)
	dev := &s.devices[d]
	recovered = dev.down
	long := dev.tries >= longDown
	dev.answered, dev.failures, dev.down, dev.until, dev.tries = true, 0, false, time.Time{}, 0
	if !recovered {
		return false
	}
	if long { // what brought this one back may have brought others
		s.probes.forgive(now)
		for i := range s.devices {
			if other := &s.devices[i]; other.down {
				other.tries, other.until = 0, now
			}
		}
	}
	for _, i := range dev.points {
		p := &s.points[i]
		p.due, p.failures = now, min(p.failures, confirmations-1)
	}
	return true
}

// longDown is after how many probes without an answer a device was down for more
// than a disturbance.
const longDown = 3

// over notes that the request for the points is over, and learns from it what the
// next one costs: about as much. It returns when it began.
func (s *Scheduler) over(d int, points []int, now time.Time) (began time.Time) {
	if s.asked.device != d {
		return now
	}
	s.asked.device = -1
	first := &s.points[s.asked.point]
	first.took = max(now.Sub(s.asked.at), first.took*3/4)
	for _, i := range points {
		s.points[i].yields = s.points[i].Fast() && s.asked.waited
	}
	return s.asked.at
}

// Refused says that the device answered and did not give the points. They are
// asked again alone and ever less often. It returns those that are bad now.
func (s *Scheduler) Refused(d int, points []int, now time.Time) (bad []int) {
	s.over(d, points, now)
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

// How long a device that says that it is busy is left alone, doubled each time, and
// after how many times in a row its points are bad: 7 s.
const (
	busyPause  = 100 * time.Millisecond
	longBusy   = 2 * time.Second
	busyStands = 8
)

// Postponed says that the device asked to be asked again, because it is busy. It
// has not failed, but when it says nothing else for long, the points are bad; they
// are returned each time from then on.
func (s *Scheduler) Postponed(d int, points []int, now time.Time) (bad []int) {
	s.over(d, points, now)
	s.Alive(d, now)
	for _, i := range points {
		p := &s.points[i]
		p.due = now.Add(min(busyPause<<min(p.busy, busyStands), longBusy))
		if p.busy++; p.busy >= busyStands {
			bad = append(bad, i)
		}
	}
	return bad
}

// Spoilt says that a reply came that could not be used, and that this is no failure
// to be counted: the device is there. It is asked again after the hold.
func (s *Scheduler) Spoilt(d int, points []int, now time.Time, hold time.Duration) {
	s.over(d, points, now)
	s.devices[d].until = now.Add(hold)
}

// Silent says that the device gave no usable answer when asked for the points,
// and how much of the line's time that cost. The device is then left alone for at
// least the hold. It returns the points that are bad now: all of the device when it
// went down, and those asked for when it answers otherwise.
func (s *Scheduler) Silent(d int, points []int, now time.Time, cost, hold time.Duration) (bad []int, down bool) {
	s.over(d, points, now)
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
		dev.until = now.Add(probePause(dev.tries))
		return nil, false
	case !mute:
		dev.failures++
	}
	if dev.failures >= confirmations {
		dev.down, dev.tries, dev.patient = true, 0, now
		s.timeout = max(s.timeout, cost)
		dev.until = now.Add(probePause(0))
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
		s.devices[d] = device{points: s.devices[d].points, fast: s.devices[d].fast}
	}
	for i := range s.points {
		p := &s.points[i]
		p.due, p.failures, p.busy, p.yields = now, 0, 0, false
	}
	s.probes, s.doubtful, s.lifted, s.asked.device = budget{}, false, false, -1
}

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
