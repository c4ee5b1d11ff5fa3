package uplink

import "time"

// burst is how much a limited stream may send at once, in seconds of its rate.
const burst = 1.0

// bucket limits a rate. It is plain data: time comes in as an argument. The zero
// value limits nothing.
type bucket struct {
	rate  float64 // bytes per second; 0: no limit
	level float64 // bytes that may go now; below zero after one that was larger
	at    time.Time
}

// wait returns how long nothing may go; 0 when something may.
func (b *bucket) wait(now time.Time) time.Duration {
	if b.rate <= 0 {
		return 0
	}
	switch passed := now.Sub(b.at).Seconds(); {
	case b.at.IsZero() || passed < 0:
		b.level = b.rate * burst
	default:
		b.level = min(b.level+passed*b.rate, b.rate*burst)
	}
	b.at = now
	if b.level > 0 {
		return 0
	}
	return time.Duration((1 - b.level) / b.rate * float64(time.Second))
}

// take takes what was sent.
func (b *bucket) take(size int) {
	if b.rate > 0 {
		b.level -= float64(size)
	}
}
