package schedule

import (
	"cmp"
	"slices"
	"time"
)

// claim is the most urgent point that is due, of the devices that were looked at.
type claim struct {
	device int // -1 for none
	point  int
	rank   Class
	due    time.Time
	lifted bool      // urgent by its age only
	fast   bool      // a fast point
	others bool      // there are points due that are not fast
	wake   time.Time // when the next one is due that is not yet
}

// Next returns what to do now. When that is nothing, the job has no points and
// wake says when to ask again; wake is zero when there are no points at all.
func (s *Scheduler) Next(now time.Time) (job Job, wake time.Time) {
	sure := s.pick(now, func(d *device) bool { return d.answered && !d.down })
	maybe := s.pick(now, func(d *device) bool { return !d.answered && !d.down })
	probe := s.pickProbe(now)
	wake = earliest(sure.wake, maybe.wake, probe.wake)
	if maybe.device < 0 {
		maybe = probe
	}
	best, doubtful := sure, false
	if maybe.device >= 0 && !s.prefers(sure, maybe, now) {
		best, doubtful = maybe, true
	}
	if best.device < 0 {
		s.doubtful, s.asked.device = false, -1
		return Job{}, wake
	}
	if d, point := s.between(best, now); d >= 0 {
		s.asked = asked{device: d, point: point, at: now, waited: true}
		return s.give(d, point, now), now
	}
	waited := sure.others || maybe.others
	s.asked = asked{device: best.device, point: best.point, at: now, waited: waited}
	s.doubtful = doubtful
	if !best.fast {
		s.lifted = best.lifted
	}
	if !best.fast || !waited {
		s.resume()
	}
	job = s.give(best.device, best.point, now)
	if job.Probe {
		job.Within = s.within(best.device, now, sure.wake)
	}
	return job, best.due
}

// resume lets the fast points have their turn again.
func (s *Scheduler) resume() {
	for d := range s.devices {
		if !s.devices[d].fast {
			continue
		}
		for _, i := range s.devices[d].points {
			s.points[i].yields = false
		}
	}
}

// prefers reports whether a device that answers goes before one that may not. They
// take turns once that one has been patient.
func (s *Scheduler) prefers(sure, maybe claim, now time.Time) bool {
	return sure.device >= 0 && (s.doubtful || now.Sub(maybe.due) < patience || !s.probes.allow(now))
}

// pick returns the device with the most urgent point that is due among those that
// fit.
func (s *Scheduler) pick(now time.Time, fits func(*device) bool) claim {
	best := claim{device: -1}
	for d := range s.devices {
		dev := &s.devices[d]
		if !fits(dev) {
			continue
		}
		if dev.until.After(now) {
			best.wake = earliest(best.wake, dev.until)
			continue
		}
		for _, i := range dev.points {
			p := &s.points[i]
			if p.due.After(now) {
				best.wake = earliest(best.wake, p.due)
				continue
			}
			rank := p.rank(now)
			c := claim{
				device: d, point: i, rank: rank, due: p.due, lifted: rank < p.Class, fast: p.Fast(),
				others: best.others || !p.Fast(), wake: best.wake,
			}
			best.others = c.others
			if best.device < 0 || s.before(&c, &best) {
				best = c
			}
		}
	}
	return best
}

// before is the order of what is due: by class, and by deadline within a class.
// What is urgent by its age takes turns with what is by itself; fast points go
// before both, but only once between two others.
func (s *Scheduler) before(a, b *claim) bool {
	ayields, byields := s.points[a.point].yields, s.points[b.point].yields
	switch {
	case ayields != byields:
		return byields
	case a.rank != b.rank:
		return a.rank < b.rank
	case a.fast != b.fast:
		return a.fast
	case a.lifted != b.lifted && a.rank == Alarm:
		return s.lifted == b.lifted
	}
	return a.due.Before(b.due)
}

func (p *point) rank(now time.Time) Class {
	return max(Alarm, p.Class-Class(now.Sub(p.due)/(aging*p.Period)))
}

// between returns the fast point that would be late by more than an eighth of its
// period if the job went first, with its device, or -1.
func (s *Scheduler) between(job claim, now time.Time) (device, point int) {
	device = -1
	if job.fast {
		return device, 0
	}
	end := now.Add(s.points[job.point].took)
	var earliest time.Time
	for d := range s.devices {
		dev := &s.devices[d]
		if !dev.fast || !dev.answered || dev.down || dev.until.After(now) {
			continue
		}
		for _, i := range dev.points {
			p := &s.points[i]
			bound := p.due.Add(p.Period / 8)
			if p.ready() && end.After(bound) && (device < 0 || bound.Before(earliest)) {
				device, point, earliest = d, i, bound
			}
		}
	}
	return device, point
}

// give collects what is due of the device, first the point that the job is for. The
// fast points of a device are read together.
func (s *Scheduler) give(d, first int, now time.Time) Job {
	dev := &s.devices[d]
	s.job = s.job[:0]
	if dev.down {
		s.job = append(s.job, s.likeliest(dev))
		return Job{Device: d, Points: s.job, Probe: true}
	}
	for _, i := range dev.points {
		p := &s.points[i]
		if !p.due.After(now) || i == first || s.points[first].Fast() && p.ready() {
			s.job = append(s.job, i)
		}
	}
	slices.SortStableFunc(s.job, func(a, b int) int {
		switch {
		case a == first:
			return -1
		case b == first:
			return 1
		}
		x, y := &s.points[a], &s.points[b]
		return cmp.Or(cmp.Compare(x.rank(now), y.rank(now)), x.due.Compare(y.due))
	})
	return Job{Device: d, Points: s.job}
}

// likeliest returns the point that failed least, because a slave may be silent
// about some registers only. One is enough to know whether it is back.
func (s *Scheduler) likeliest(dev *device) int {
	return slices.MinFunc(dev.points, func(a, b int) int {
		x, y := &s.points[a], &s.points[b]
		return cmp.Or(cmp.Compare(x.failures, y.failures), cmp.Compare(x.Class, y.Class))
	})
}
