package history

import (
	"slices"

	"gengfu/facility"
)

// Summary is what a stretch of values comes to.
type Summary struct {
	Count       int // the rest means nothing when it is 0
	Sum         float64
	Min, Max    float64
	First, Last float64
}

// Add adds a value that is later than all others.
func (s *Summary) Add(v float64) {
	if s.Count == 0 {
		s.Min, s.Max, s.First = v, v, v
	}
	s.Count++
	s.Sum += v
	s.Min, s.Max, s.Last = min(s.Min, v), max(s.Max, v), v
}

// Fold adds values up in the buckets of a grid, in whatever order they come.
type Fold struct {
	grid    Grid
	buckets map[int]*bucket
	last    *bucket
}

type bucket struct {
	index      int
	start, end int64 // of the values in it
	Summary
}

// NewFold returns a fold into the grid.
func NewFold(grid Grid) *Fold { return &Fold{grid: grid, buckets: map[int]*bucket{}} }

// Value adds a value of a time in milliseconds since 1970. Outside of the grid
// it is left out.
func (f *Fold) Value(ms int64, v float64) {
	f.Stretch(ms, ms, Summary{Count: 1, Sum: v, Min: v, Max: v, First: v, Last: v})
}

// Stretch adds values whose times from start to end lie in one bucket, and not
// across those of another stretch.
func (f *Fold) Stretch(start, end int64, s Summary) {
	index := f.grid.Index(start)
	if index < 0 || s.Count == 0 {
		return
	}
	b := f.bucket(index)
	if b.Count == 0 {
		b.start, b.end, b.Summary = start, end, s
		return
	}
	b.Count += s.Count
	b.Sum += s.Sum
	b.Min, b.Max = min(b.Min, s.Min), max(b.Max, s.Max)
	if start < b.start {
		b.start, b.First = start, s.First
	}
	if end >= b.end {
		b.end, b.Last = end, s.Last
	}
}

func (f *Fold) bucket(index int) *bucket {
	if f.last != nil && f.last.index == index {
		return f.last
	}
	b, ok := f.buckets[index]
	if !ok {
		b = &bucket{index: index}
		f.buckets[index] = b
	}
	f.last = b
	return b
}

// Buckets returns the buckets that have a value, in order.
func (f *Fold) Buckets() []facility.Bucket {
	out := make([]facility.Bucket, 0, len(f.buckets))
	for _, b := range f.buckets {
		mean := b.Sum / float64(b.Count)
		out = append(out, facility.Bucket{
			Start: f.grid.Start(b.index), Count: b.Count,
			Mean: min(max(mean, b.Min), b.Max), // rounding must not carry it out of the range
			Min:  b.Min, Max: b.Max, First: b.First, Last: b.Last,
		})
	}
	slices.SortFunc(out, func(a, b facility.Bucket) int { return a.Start.Compare(b.Start) })
	return out
}
