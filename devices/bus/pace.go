package bus

import (
	"slices"
	"time"
)

// Pace learns how soon one slave answers, so that a lost reply costs no more time
// than it must. It is pure: it reads no clock.
type Pace struct {
	least, most     time.Duration
	mean, deviation time.Duration
	recent          [16]time.Duration
	seen            int           // replies observed
	missed          int           // timeouts since the last reply
	late            time.Duration // the latest reply that came after its timeout, from the end of the request
}

// NewPace returns a pace whose timeout stays between least and most, and is most
// until a few replies were seen.
func NewPace(least, most time.Duration) *Pace { return &Pace{least: min(least, most), most: most} }

// enough is how many replies are seen before the timeout is shortened.
const enough = 4

// Observe notes the time from the end of a request to the beginning of its reply.
func (p *Pace) Observe(turnaround time.Duration) {
	p.recent[p.seen%len(p.recent)] = turnaround
	if p.seen == 0 {
		p.mean, p.deviation = turnaround, turnaround/2
	} else { // as TCP smooths its round trips, RFC 6298
		p.deviation += ((p.mean - turnaround).Abs() - p.deviation) / 4
		p.mean += (turnaround - p.mean) / 8
	}
	p.seen++
	p.missed = 0
	p.late -= p.late / 256 // a slave that has become quicker is believed in time
}

// Missed notes a timeout: the slave may have become slower.
func (p *Pace) Missed() { p.missed++ }

// Late notes a reply that came so long after its request, when nobody waited.
func (p *Pace) Late(after time.Duration) { p.late = max(p.late, after) }

// Timeout returns how long to wait until a reply begins: never less than three
// times the slowest of the last sixteen, and all that is allowed after two misses.
func (p *Pace) Timeout() time.Duration {
	if p.seen < enough || p.missed > 1 {
		return p.most
	}
	t := max(p.mean+4*p.deviation, 3*p.Slowest(), p.least)
	return min(t<<(2*p.missed), p.most)
}

// Slowest returns the longest that the slave took for one of its last sixteen
// replies, 0 while none is known.
func (p *Pace) Slowest() time.Duration { return slices.Max(p.recent[:]) }

// Turnaround returns the typical time until the slave answers, 0 while none is
// known.
func (p *Pace) Turnaround() time.Duration { return p.mean }

// How long a slave is left alone after a lost reply, at most.
const (
	longestGuess  = 2 * time.Second // as long as none was later
	longestWindow = 5 * time.Second
)

// Window returns how long after a timeout a late reply is to be expected: twice the
// longest timeout, and until a quarter beyond the latest that was seen.
func (p *Pace) Window() time.Duration {
	return max(min(2*p.most, longestGuess), min(p.late+p.late/4-p.Timeout(), longestWindow))
}

// Settled returns how long after a request nothing of its reply is to be expected any
// more, when something came that could not be used: until the slave's timeout as it
// was learned, and a quarter beyond the latest reply that was seen.
func (p *Pace) Settled() time.Duration {
	return max(p.Timeout(), min(p.late+p.late/4, longestWindow))
}
