package devices

import (
	"slices"
	"time"

	"gengfu/facility"
)

// said is what was last handed over of a point.
type said struct {
	reading facility.Reading
	ever    bool
}

// worth reports whether a new reading is to be handed over: measures and counters
// always, states and alarm bits when they changed or have not been said for keep,
// bad readings when the reason changed or every BadKeepAlive.
func (s said) worth(r facility.Reading, kind facility.PointKind, keep time.Duration) bool {
	age := r.Time.Sub(s.reading.Time)
	switch {
	case !s.ever, age < 0: // the clock was set back
		return true
	case r.Quality != s.reading.Quality || r.Reason != s.reading.Reason:
		return true
	case r.Quality == facility.Bad:
		return age >= facility.BadKeepAlive
	case kind == facility.Measure || kind == facility.Counter:
		return true
	}
	return r.Value != s.reading.Value || age >= keep
}

// stale reports whether a bad reading has to be said again, because the point is
// not even asked for.
func (s said) stale(now time.Time) bool {
	age := now.Sub(s.reading.Time)
	return s.ever && s.reading.Quality == facility.Bad && (age >= facility.BadKeepAlive || age < 0)
}

// outlet hands readings over and remembers what was said, so that a change that
// the sink did not take is offered again.
type outlet struct {
	kinds   []facility.PointKind
	keep    []time.Duration
	said    []said
	handed  uint64
	dropped uint64
	failing bool // the sink refused, which is logged once
}

// offer is a reading of the point with that index.
type offer struct {
	index   int
	reading facility.Reading
}

// pick returns the offers that are worth handing over.
func (o *outlet) pick(offers []offer) []offer {
	var out []offer
	for _, f := range offers {
		if o.said[f.index].worth(f.reading, o.kinds[f.index], o.keep[f.index]) {
			out = append(out, f)
		}
	}
	return out
}

func (o *outlet) taken(offers []offer) {
	for _, f := range offers {
		o.said[f.index] = said{reading: f.reading, ever: true}
	}
	o.handed += uint64(len(offers))
}

// urgent reports whether one of the offers is of the urgent stream. A sink that
// cannot write still takes samples, to drop them: only these tell that it can.
func (o *outlet) urgent(offers []offer) bool {
	return slices.ContainsFunc(offers, func(f offer) bool { return o.kinds[f.index].Stream() == facility.Urgent })
}
