package modbus

import (
	"slices"
	"time"

	"gengfu/devices/profile"
)

// lateness is how long a reply may take and still be expected. A serial server
// that buffers, or a slave that hangs and wakes, is late by seconds.
const lateness = 30 * time.Second

// longestHold bounds Hold for slaves with a long timeout.
const longestHold = 2 * time.Second

// Hold returns how long a slave on RTU is better left alone after a request that
// ran into its timeout: a reply that is only late then passes by.
func Hold(timeout time.Duration) time.Duration { return min(2*timeout, longestHold) }

// unanswered remembers the requests over RTU whose reply may still come. RTU has
// no transaction id, so a late reply is told from the one that is waited for only
// by slave, function and byte count.
type unanswered []lost

type lost struct {
	shape expected
	held  time.Time // the reply may pass by until then, even after that to a later request
	ends  time.Time
}

// add remembers a request that was given up.
func (u *unanswered) add(e expected, now time.Time, hold time.Duration) {
	u.expire(now)
	*u = append(*u, lost{shape: e, held: now.Add(hold), ends: now.Add(lateness)})
}

// ambiguous reports whether a late reply could be taken for the reply to this, and
// until when it is better not even asked.
func (u *unanswered) ambiguous(e expected, now time.Time) (held time.Time, yes bool) {
	u.expire(now)
	for _, l := range *u {
		if l.shape == e {
			yes = true
			if l.held.After(held) {
				held = l.held
			}
		}
	}
	return held, yes
}

// answered forgets what was asked of the slave before: slaves answer in order, so
// that after the reply to a later request no earlier one comes. Those that are
// held stay, because converters have been known to reorder.
func (u *unanswered) answered(unit byte, now time.Time) {
	*u = slices.DeleteFunc(*u, func(l lost) bool { return l.shape.unit == unit && !l.held.After(now) })
}

func (u *unanswered) expire(now time.Time) {
	*u = slices.DeleteFunc(*u, func(l lost) bool { return now.After(l.ends) })
}

// sync returns a request to the same slave whose reply no late one can be taken
// for: as r, with another quantity. It is false when there is none.
func (u *unanswered) sync(r Request, now time.Time) (Request, bool) {
	least, most := 1, profile.MaxRegisters
	if r.Table.Bits() {
		least, most = 8, profile.MaxBits
	}
	// Some slaves hold pairs of registers and refuse odd quantities.
	steps := []int{1, 2}
	if r.Quantity%2 == 0 {
		steps = []int{2, 1}
	}
	for _, step := range steps {
		for d := step * least; d < most; d += step * least {
			for _, q := range []int{int(r.Quantity) + d, int(r.Quantity) - d} {
				s := r
				s.Quantity = uint16(max(q, 0))
				if s.validate() != nil {
					continue
				}
				if _, ambiguous := u.ambiguous(s.expected(), now); !ambiguous {
					return s, true
				}
			}
		}
	}
	return r, false
}
