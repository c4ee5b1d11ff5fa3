package rules

import (
	"hash/crc32"
	"math"
	"time"

	"gengfu/facility"
)

// point is the last that is known of one point.
type point struct {
	reading
	seen    float64       // Value while it may be judged, else NaN
	stale   time.Duration // after so long without a reading its value is not known any more; 0 is never
	readers []*instance   // in order of their index
	feeds   []feed        // what its readings are kept in
	next    *point        // of the reading that came behind its last one
	id      facility.PointID
	unit    string
	kind    facility.PointKind
	wrap    float64
	since   instant // it is listened to, where that is later than the engine listens; 0 is as the engine
	index   int32   // in what was kept whole
	dirty   bool    // it is not as it was kept
}

// reading is the part of a point that is saved.
type reading struct {
	At       instant // of the last reading, 0 before the first
	Value    float64
	Quality  facility.Quality
	LastGood instant
}

// feed keeps something of the readings of one point.
type feed interface {
	// take takes in the latest reading of the point, that may be judged.
	take(p *point, at instant, v float64)
	// late takes in a reading that is older than the latest, and reports whether it
	// could still be put in its place.
	late(p *point, at instant, v float64) bool
	save(w *writer)
	load(r *reader) // of nothing: as it was made
	blank() feed    // another of its kind, as it was made
}

// take makes r the last reading. A value that is no finite number is bad.
func (p *point) take(r *facility.Reading, at instant) {
	p.At, p.Value, p.Quality = at, r.Value, r.Quality
	if !finite(p.Value) {
		p.Value, p.Quality = 0, facility.Bad
	}
	if p.Quality == facility.Good {
		p.LastGood = at
	}
	p.see()
	if p.seen == p.seen {
		for _, f := range p.feeds {
			f.take(p, at, p.Value)
		}
	}
}

// stagger is by how many slots the windows of this point turn before those that turn last,
// so that not all do at one time: a turn is kept whole.
func (p *point) stagger() int64 {
	if p == nil {
		return 0
	}
	return int64(crc32.ChecksumIEEE([]byte(p.id.Device+"/"+p.id.Quantity)) % slotsPerWindow)
}

// see finds anew whether the value may be judged. Uncertain may: it is the best that
// is known.
func (p *point) see() {
	p.seen = math.NaN()
	if p.At != 0 && p.Quality != facility.Bad {
		p.seen = p.Value
	}
}

// late takes in a reading that is not the latest: windows are filled by the time at
// which it was made, but nothing that was said is taken back.
func (p *point) late(r *facility.Reading, at instant) (filled bool) {
	if at == p.At || r.Quality == facility.Bad || !finite(r.Value) {
		return false
	}
	for _, f := range p.feeds {
		if f.late(p, at, r.Value) {
			filled = true
		}
	}
	return filled
}

func finite(v float64) bool { return v-v == 0 }

// Staleness: the field side repeats what has not changed, see facility.KeepAlive.
const missedPeriods = 3

// patience is for how long at least a window bears that nothing good comes.
func (p *point) patience() time.Duration {
	if p.stale > 0 {
		return p.stale
	}
	return missedPeriods * facility.BadKeepAlive
}

// staleAfter says how long the value of a point holds when nothing more is heard.
// Where the period is not known it holds until a bad reading comes.
func staleAfter(p facility.Point) time.Duration {
	if p.Period <= 0 {
		return 0
	}
	return missedPeriods * max(p.Period, facility.BadKeepAlive)
}
