package schedule

import (
	"slices"
	"time"
)

// Pause returns how long a device that is down, or a point that is refused, is
// left alone after so many tries in a row, from 0: 1, 2, 5, 15, 30 and then 60 s.
func Pause(tries int) time.Duration {
	pauses := [...]time.Duration{1, 2, 5, 15, 30, 60}
	return pauses[min(max(tries, 0), len(pauses)-1)] * time.Second
}

// longestProbePause leaves a device that came back 15 s of the minute in which it is
// to be read again, for its turn to come.
const longestProbePause = 45 * time.Second

func probePause(tries int) time.Duration { return min(Pause(tries), longestProbePause) }

// The share of a line's time that devices which are down may cost while others
// answer, and how much they may have saved up. The saving lets a single device
// be probed at the pace of Pause; with many the share holds.
const (
	probeShare  = 0.0195 // with something to spare for what a probe takes longer than planned
	probeSaving = 3 * time.Second
)

// How long a probe may be. The rest of the share is for one now and then that waits
// as long as the device's timeout, because a device may have been replaced by a
// slower one.
const (
	shortProbes  = 0.75
	shortProbe   = 100 * time.Millisecond // while others are due, whom it keeps waiting
	rarePatience = 10 * time.Minute       // when the share affords it
	lastPatience = time.Hour              // when it does not
)

// within returns what a probe may cost so that all that are down have one within
// longestProbePause and the share holds. Both together are possible as long as
//
//	devices down × cost of a probe <= 0.75 × 2 % × 45 s = 675 ms
//
// which is for 8 devices 84 ms each: a request, the silence before it and 65 ms to
// answer at 9600 baud. Beyond that it is the share that holds, and a device that
// comes back is found after devices down × cost / 2 %. But one that comes back
// makes all the others due, so that those of a feeder or a cable that was cut are
// found together, when the first one is: after cost / 2 % on average.
//
// Others are due at the given time.
func (s *Scheduler) within(d int, now, due time.Time) time.Duration {
	down := 0
	first, last := d, time.Time{}
	for i := range s.devices {
		dev := &s.devices[i]
		if !dev.down {
			continue
		}
		down++
		if dev.patient.Before(s.devices[first].patient) {
			first = i
		}
		if dev.patient.After(last) {
			last = dev.patient
		}
	}
	rare := lastPatience
	if s.probes.affords(now, s.timeout) {
		rare = rarePatience
	}
	if !s.answers() || first == d && now.Sub(last) >= rare {
		s.devices[d].patient = now
		return 0
	}
	share := time.Duration(shortProbes * probeShare * float64(longestProbePause) / float64(down))
	return min(share, max(shortProbe, due.Sub(now)))
}

// answers reports whether any device does.
func (s *Scheduler) answers() bool {
	return slices.ContainsFunc(s.devices, func(d device) bool { return d.answered && !d.down })
}

// pickProbe returns the device that is down and waits longest for a probe. While
// others answer, probes have a small share of the line; when nobody does, they
// have all of it.
func (s *Scheduler) pickProbe(now time.Time) claim {
	best := claim{device: -1}
	for i := range s.devices {
		d := &s.devices[i]
		switch {
		case !d.down:
		case d.until.After(now):
			best.wake = earliest(best.wake, d.until)
		case best.device < 0 || d.until.Before(best.due):
			best = claim{device: i, point: d.points[0], due: d.until, others: true, wake: best.wake}
		}
	}
	if best.device >= 0 && s.answers() && !s.probes.allow(now) {
		return claim{device: -1, wake: s.probes.next(now)}
	}
	return best
}

// budget is a leaky bucket of time.
type budget struct {
	spent    time.Duration
	at       time.Time
	forgiven time.Time
}

func (b *budget) spend(now time.Time, cost time.Duration) {
	b.leak(now)
	b.spent = min(b.spent, probeSaving) + cost
}

func (b *budget) allow(now time.Time) bool {
	b.leak(now)
	return b.spent < probeSaving
}

// affords reports whether a cost can be paid out of what was saved.
func (b *budget) affords(now time.Time, cost time.Duration) bool {
	b.leak(now)
	return b.spent+cost <= probeSaving
}

// next returns when there is something to spend again.
func (b *budget) next(now time.Time) time.Time {
	b.leak(now)
	over := max(b.spent-probeSaving, 0) + time.Millisecond
	return now.Add(time.Duration(float64(over) / probeShare))
}

// forgive forgets what was spent, but not every time for a device that comes and
// goes.
func (b *budget) forgive(now time.Time) {
	if b.forgiven.IsZero() || now.Sub(b.forgiven) >= 5*time.Minute {
		b.spent, b.forgiven = 0, now
	}
}

func (b *budget) leak(now time.Time) {
	if gone := now.Sub(b.at); gone > 0 {
		b.spent = max(0, b.spent-time.Duration(float64(min(gone, time.Hour))*probeShare))
		b.at = now
	}
}

// Poll is one request that is repeated.
type Poll struct {
	Took   time.Duration // of the line's time
	Period time.Duration
}

// Utilisation returns the planned share of the line's time, 1 for all of it.
func Utilisation(polls []Poll) float64 {
	var share float64
	for _, p := range polls {
		if p.Period > 0 {
			share += float64(p.Took) / float64(p.Period)
		}
	}
	return share
}
