package rules

import (
	"math"
	"time"
)

// instant is a time in nanoseconds since 1970; 0 is none. Facts have times between
// earliest and latest.
type instant int64

const (
	never    instant = math.MaxInt64
	earliest instant = 1
	latest   instant = 253 * 365 * 24 * 3600 * 1e9 // in the year 2222

	minute = instant(time.Minute)
)

// instantOf returns the instant of a time, or 0 when no fact can have it.
func instantOf(t time.Time) instant {
	if y := t.Year(); y < 1970 || y > 2222 {
		return 0
	}
	n := instant(t.UnixNano())
	if n < earliest || n > latest {
		return 0
	}
	return n
}

// clamp returns the nearest instant that a fact can have.
func clamp(t time.Time) instant {
	switch {
	case t.Year() < 1970:
		return earliest
	case t.Year() > 2222:
		return latest
	}
	return min(max(instant(t.UnixNano()), earliest), latest)
}

// time is the one form in which times are handed out.
func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

func (i instant) add(d time.Duration) instant { return i + instant(d) }

// nextMinute is the first whole minute behind the instant.
func (i instant) nextMinute() instant { return (i/minute + 1) * minute }
