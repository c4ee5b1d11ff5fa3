package history

import (
	"fmt"
	"time"

	"gengfu/facility"
)

// MaxBuckets is how many buckets a query may ask for.
const MaxBuckets = 100_000

// Grid cuts a stretch of time into buckets of one length, aligned to its start.
type Grid struct {
	from, step int64 // nanoseconds
	n          int64
}

// NewGrid returns the grid of the buckets of length step that start in [from,
// to). It fails with facility.ErrInvalid.
func NewGrid(from, to time.Time, step time.Duration) (Grid, error) {
	switch {
	case step <= 0:
		return Grid{}, fmt.Errorf("history: a step of %s: %w", step, facility.ErrInvalid)
	case from.Before(earliest) || to.After(latest):
		return Grid{}, fmt.Errorf("history: %s to %s is not between %d and %d: %w", from, to, earliest.Year(), latest.Year(), facility.ErrInvalid)
	case !from.Before(to):
		return Grid{from: from.UnixNano(), step: int64(step)}, nil
	}
	length := to.Sub(from)
	n := (int64(length)-1)/int64(step) + 1
	if n > MaxBuckets {
		return Grid{}, fmt.Errorf("history: %d buckets of %s, at most %d: %w", n, step, MaxBuckets, facility.ErrInvalid)
	}
	if end := from.Add(time.Duration(n) * step); end.Before(from) || end.After(latest) {
		return Grid{}, fmt.Errorf("history: buckets of %s reach beyond %d: %w", step, latest.Year(), facility.ErrInvalid)
	}
	return Grid{from: from.UnixNano(), step: int64(step), n: n}, nil
}

// Halves returns the grid in two parts where it is longer than that and has more than
// one bucket, else the grid.
func (g Grid) Halves(longer time.Duration) []Grid {
	if g.n < 2 || g.n*g.step <= int64(longer) {
		return []Grid{g}
	}
	half := g.n / 2
	return []Grid{{g.from, g.step, half}, {g.from + half*g.step, g.step, g.n - half}}
}

// Len returns how many buckets there are.
func (g Grid) Len() int { return int(g.n) }

// Step returns the length of a bucket.
func (g Grid) Step() time.Duration { return time.Duration(g.step) }

// Start returns when bucket i starts; Start(Len()) is the end of the last one.
func (g Grid) Start(i int) time.Time { return time.Unix(0, g.from+int64(i)*g.step).UTC() }

// Index returns the bucket of a time given in milliseconds since 1970, or -1.
func (g Grid) Index(ms int64) int {
	since := ms*int64(time.Millisecond) - g.from
	if since < 0 || since >= g.n*g.step {
		return -1
	}
	return int(since / g.step)
}

// Until returns the first millisecond since 1970 after the bucket of a time in
// milliseconds; of one outside of the grid the time itself.
func (g Grid) Until(ms int64) int64 {
	i := g.Index(ms)
	if i < 0 {
		return ms
	}
	return Milli(g.Start(i + 1))
}

// Milliseconds returns the stretch of the grid as the first millisecond in it and
// the first one after it.
func (g Grid) Milliseconds() (first, end int64) {
	return Milli(g.Start(0)), Milli(g.Start(g.Len()))
}

// Milli returns the first whole millisecond since 1970 that is not before t.
func Milli(t time.Time) int64 {
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}
