package embedded

import (
	"cmp"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// sample is a reading within its series.
type sample struct {
	t       int64   // milliseconds since 1970
	value   float64 // 0 when bad
	quality facility.Quality
	reason  facility.Reason
}

func sampleOf(r facility.Reading) sample {
	s := sample{t: r.Time.UnixMilli(), value: r.Value, quality: r.Quality, reason: r.Reason}
	if r.Quality == facility.Bad {
		s.value = 0
	}
	return s
}

func (s sample) reading(p facility.Point) facility.Reading {
	return facility.Reading{
		Point: p.ID, Time: time.UnixMilli(s.t).UTC(), Value: s.value, Unit: p.Unit, Quality: s.quality, Reason: s.reason,
	}
}

// over returns what stands when s is written over old, of the same time.
func (s sample) over(old sample) sample {
	if s.quality == facility.Good && old.quality != facility.Uncertain {
		return s
	}
	none := facility.Point{}
	return sampleOf(history.Merge(old.reading(none), s.reading(none)))
}

// order sorts samples, given in the order of their writing, by time and leaves
// one of each time. It works in place.
func order(samples []sample) []sample {
	byTime := func(a, b sample) int { return cmp.Compare(a.t, b.t) }
	if !slices.IsSortedFunc(samples, byTime) {
		slices.SortStableFunc(samples, byTime)
	}
	out := samples[:0]
	for _, s := range samples {
		if n := len(out); n > 0 && out[n-1].t == s.t {
			out[n-1] = s.over(out[n-1])
			continue
		}
		out = append(out, s)
	}
	return out
}

// merge joins two ordered lists of which the second was written later.
func merge(old, written []sample) []sample {
	if len(old) == 0 || len(written) == 0 || old[len(old)-1].t < written[0].t {
		return append(slices.Clip(old), written...)
	}
	out := make([]sample, 0, len(old)+len(written))
	for len(old) > 0 && len(written) > 0 {
		switch a, b := old[0], written[0]; {
		case a.t < b.t:
			out, old = append(out, a), old[1:]
		case b.t < a.t:
			out, written = append(out, b), written[1:]
		default:
			out, old, written = append(out, b.over(a)), old[1:], written[1:]
		}
	}
	return append(append(out, old...), written...)
}

// between returns the part of an ordered list in [from, to).
func between(samples []sample, from, to int64) []sample {
	at := func(s sample, t int64) int { return cmp.Compare(s.t, t) }
	i, _ := slices.BinarySearchFunc(samples, from, at)
	j, _ := slices.BinarySearchFunc(samples, to, at)
	return samples[i:max(i, j)]
}
