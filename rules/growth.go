package rules

import (
	"math"
	"slices"
	"time"

	"gengfu/facility"
)

// growth keeps how a point moved over a stretch of time. Of a counter it keeps the
// growth since the first sample, so that neither a roll-over nor a reset shows.
type growth struct {
	span    instant
	samples []sample // oldest first; the first is what the change is taken from
	same    int      // how many of them are as they were kept, from the first
}

// sample is the value at a time.
type sample struct {
	at    instant
	value float64
	raw   float64 // what the next one is counted from
}

func newGrowth(span time.Duration) *growth { return &growth{span: instant(span)} }

// near is how near samples replace each other, so that at most a sixtieth is lost of
// what the change is taken over.
func (g *growth) near() instant { return g.span / slotsPerWindow }

func (g *growth) take(p *point, at instant, v float64) {
	s := sample{at: at, value: v, raw: v}
	n := len(g.samples)
	if n > 0 && p.kind == facility.Counter {
		last := g.samples[n-1]
		s.follow(last, p.wrap)
	}
	if n >= 2 && at-g.samples[n-2].at < g.near() {
		g.samples[n-1] = s
		g.same = min(g.same, n-1)
	} else {
		g.samples = append(g.samples, s)
	}
	g.forget()
}

// grown is what a counter counted, and what its next reading is counted from; a step
// back of unknown size counts as none. A register that trembles in its last digits has
// counted nothing until it is above where it was before.
func grown(before, after, wrap float64) (amount, from float64) {
	amount, step := facility.Increase(before, after, wrap)
	switch {
	case step == facility.Reset:
		return 0, after
	case step == facility.Grew && after < before:
		return 0, before
	}
	return amount, after
}

// follow makes the sample of a counter what came behind another one.
func (s *sample) follow(before sample, wrap float64) {
	amount, from := grown(before.raw, s.raw, wrap)
	s.value, s.raw = before.value+amount, from
}

// forget drops the samples that the change is not taken from any more.
func (g *growth) forget() {
	from := g.samples[len(g.samples)-1].at - g.span
	k := 0
	for k+1 < len(g.samples) && g.samples[k+1].at <= from {
		k++
	}
	if k > 0 {
		g.samples = slices.Delete(g.samples, 0, k)
		g.same = max(0, g.same-k)
	}
}

// late puts an older sample in its place, unless another stands near. What a counter
// did is found anew from there on.
func (g *growth) late(p *point, at instant, v float64) bool {
	n, found := slices.BinarySearchFunc(g.samples, at, func(s sample, at instant) int {
		return int(max(-1, min(1, s.at-at)))
	})
	switch {
	case found:
		return false
	case n == len(g.samples): // only bad ones were newer
		g.take(p, at, v)
		return true
	case n > 0 && at-g.samples[n-1].at < g.near(), g.samples[n].at-at < g.near():
		return false
	case n == 0 && g.full():
		return false
	}
	next := g.samples[n]
	s := sample{at: at, value: v, raw: v}
	if p.kind == facility.Counter {
		if n > 0 {
			s.follow(g.samples[n-1], p.wrap)
		}
		amount, _ := grown(s.raw, next.raw, p.wrap)
		if n == 0 {
			s.value = next.value - amount
		} else {
			shift := s.value + amount - next.value
			for i := n; i < len(g.samples); i++ {
				g.samples[i].value += shift
			}
		}
	}
	g.samples = slices.Insert(g.samples, n, s)
	g.same = min(g.same, n)
	g.forget()
	return true
}

// full reports whether the samples reach over the whole stretch.
func (g *growth) full() bool { return len(g.samples) >= 2 && g.reach() >= g.span }

// reach is the time that the samples cover.
func (g *growth) reach() instant { return g.samples[len(g.samples)-1].at - g.samples[0].at }

// change is by how much the point moved over the time that the samples cover.
func (g *growth) change() float64 { return g.samples[len(g.samples)-1].value - g.samples[0].value }

// at returns the change and the time that it took, as it is known at the instant of
// the frame. What a counter counted is known as long as its reading is: one that is read
// each hour must not be unknown for the seconds by which the next reading is late.
func (g *growth) at(f *frame, patience time.Duration) (change float64, over instant) {
	if !g.full() {
		return math.NaN(), 0
	}
	due := g.samples[len(g.samples)-1].at + max(g.span/4, instant(patience))
	if f.at >= due {
		return math.NaN(), 0
	}
	f.wakeAt(due)
	return g.change(), g.reach()
}

func (g *growth) blank() feed { return newGrowth(time.Duration(g.span)) }

func (g *growth) save(w *writer) {
	w.uvarint(uint64(len(g.samples)))
	var before instant
	for _, s := range g.samples {
		w.varint(int64(s.at - before))
		w.float(s.value)
		w.float(s.raw)
		before = s.at
	}
}

func (g *growth) settle() { g.same = len(g.samples) }

// patch writes when the samples begin, and those that are not as they were kept.
func (g *growth) patch(w *writer, around instant) {
	if g.same == len(g.samples) {
		return
	}
	w.near(g.samples[0].at, around)
	w.uvarint(uint64(len(g.samples) - g.same))
	for _, s := range g.samples[g.same:] {
		w.near(s.at, around)
		w.float(s.value)
		w.byte(byte(truthOf(s.raw == s.value)))
		if s.raw != s.value {
			w.float(s.raw)
		}
	}
}

func (g *growth) mend(r *reader, around instant) {
	first := r.near(around)
	fresh := make([]sample, r.count(10))
	for i := range fresh {
		s := sample{at: r.near(around), value: r.float()}
		if s.raw = s.value; Truth(r.byte()) != True {
			s.raw = r.float()
		}
		fresh[i] = s
	}
	if len(fresh) == 0 {
		r.fail("samples that did not change")
		return
	}
	g.samples = slices.DeleteFunc(g.samples, func(s sample) bool { return s.at < first || s.at >= fresh[0].at })
	g.samples = append(g.samples, fresh...)
	g.check(r)
}

func (g *growth) load(r *reader) {
	n := r.count(17)
	g.samples = make([]sample, n)
	var before instant
	for i := range g.samples {
		before += instant(r.varint())
		g.samples[i] = sample{at: before, value: r.float(), raw: r.float()}
	}
	g.check(r)
}

// check fails when the samples are not in order of their times.
func (g *growth) check(r *reader) {
	for i, s := range g.samples {
		if s.at < earliest || s.at > latest || i > 0 && s.at <= g.samples[i-1].at {
			r.fail("samples out of order")
			return
		}
	}
}

// perHour states a change over a time per hour.
func perHour(change float64, over instant) float64 {
	if over <= 0 {
		return math.NaN()
	}
	return change * (float64(time.Hour) / float64(over))
}
