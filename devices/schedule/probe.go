package schedule

import "time"

// Pause returns how long a device that is down, or a point that is refused, is
// left alone after so many tries in a row, from 0: 1, 2, 5, 15, 30 and then 60 s.
func Pause(tries int) time.Duration {
	pauses := [...]time.Duration{1, 2, 5, 15, 30, 60}
	return pauses[min(max(tries, 0), len(pauses)-1)] * time.Second
}

// The share of a line's time that devices which are down may cost while others
// answer, and how much they may have saved up. The saving lets a single device
// be probed at the pace of Pause; with many the share holds.
const (
	probeShare  = 0.02
	probeSaving = 3 * time.Second
)

// budget is a leaky bucket of time.
type budget struct {
	spent time.Duration
	at    time.Time
}

func (b *budget) spend(now time.Time, cost time.Duration) {
	b.leak(now)
	b.spent = min(b.spent, probeSaving) + cost
}

func (b *budget) allow(now time.Time) bool {
	b.leak(now)
	return b.spent < probeSaving
}

// next returns when there is something to spend again.
func (b *budget) next(now time.Time) time.Time {
	b.leak(now)
	over := max(b.spent-probeSaving, 0) + time.Millisecond
	return now.Add(time.Duration(float64(over) / probeShare))
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
