package rules

import (
	"math"
	"slices"
	"time"

	"gengfu/facility"
)

// The night in which almost everybody sleeps, so that what flows then leaks: from two
// to five, in quarters of an hour. Its minimum is that of its hours.
const (
	nightFrom     = 2 * time.Hour
	nightQuarters = 12
	quarter       = instant(15 * time.Minute)
	nightsKept    = 30
	farthest      = instant(2 * time.Hour) // between readings: meters are read each hour, or late
	fewestNights  = 3                      // of which it can be said what is usual
	usualShare    = 0.2
)

// nights keeps the lowest hour of each of the last nights of one point.
type nights struct {
	clock    *clock
	from     instant // of the night that the quarters are of
	next     instant // when the night behind it begins
	quarters [nightQuarters]struct {
		sum float64
		n   uint32
	}
	minima []float64 // of the nights before that say what is usual, oldest first; NaN for one that is not known
	before float64   // the minimum of the night before; NaN is not known
	kept   bool      // and it is the last of the minima
	at     instant   // of the last reading; 0 is none
	raw    float64   // its value
	seen   bool      // it was of a counter
	askers
	blocks // of what is kept of it
}

func newNights(c *clock) *nights { return &nights{clock: c, before: math.NaN()} }

// begin makes the night of the local day in which the instant lies the current one.
func (n *nights) begin(at instant) {
	n.clock.set(at)
	y, m, d := n.clock.local.Date()
	night := func(day int) instant {
		return instant(time.Date(y, m, day, 0, 0, 0, 0, n.clock.zone).Add(nightFrom).UnixNano())
	}
	n.from, n.next = night(d), night(d+1)
	if at < n.from {
		n.from, n.next = night(d-1), n.from
	}
}

func (n *nights) take(p *point, at instant, v float64) {
	if n.from == 0 {
		n.begin(at)
	}
	for at >= n.next {
		n.close(at)
	}
	if near := n.at != 0 && at-n.at <= farthest; p.kind == facility.Counter {
		if near && n.seen {
			var amount float64
			amount, v = grown(n.raw, v, p.wrap)
			n.spread(at, amount)
		}
		n.seen = true
	} else {
		for t := (n.at/quarter + 1) * quarter; near && t < at/quarter*quarter; t += quarter {
			n.put(t, n.raw) // it held until now
		}
		n.put(at, v)
	}
	n.at, n.raw = at, v
}

// spread books what was counted since the last reading to the quarters in which it may
// have been, evenly.
func (n *nights) spread(at instant, amount float64) {
	whole := float64(at - n.at)
	for from := n.at; from < at; {
		to := min(at, (from/quarter+1)*quarter)
		n.put(from, amount*(float64(to-from)/whole))
		from = to
	}
}

// close keeps the night's minimum and goes on to the next night, or past those
// without any reading. The nights of a fault are not among those that say what is
// usual, or a leak would become usual.
func (n *nights) close(at instant) {
	n.before, n.kept = n.minimum(), !n.fault()
	if n.kept {
		n.minima = append(n.minima, n.before)
	}
	if len(n.minima) > nightsKept {
		n.minima = slices.Delete(n.minima, 0, len(n.minima)-nightsKept)
	}
	clear(n.quarters[:])
	before := n.next
	n.begin(before)
	if at-n.from > instant(nightsKept*24*time.Hour) {
		n.before = math.NaN()
		if n.kept {
			n.minima, n.kept = n.minima[:0], false
		}
		n.begin(at)
	}
}

func (n *nights) put(at instant, amount float64) bool {
	k := (at - n.from) / quarter
	if at < n.from || k >= nightQuarters {
		return false
	}
	q := &n.quarters[k]
	q.sum += amount
	q.n++
	return true
}

// late fills the current night. What a counter counted before a reading that came
// late is booked already, to the one behind it.
func (n *nights) late(p *point, at instant, v float64) bool {
	if n.from == 0 || p.kind == facility.Counter {
		return false
	}
	return n.put(at, v)
}

// minimum is the lowest full hour of the current night: the mean of a measure, the
// growth of a counter. It is NaN when no hour of it is full.
func (n *nights) minimum() float64 {
	lowest := math.NaN()
	for first := 0; first+4 <= nightQuarters; first++ {
		hour, full := 0.0, true
		var count uint32
		for _, q := range n.quarters[first : first+4] {
			full = full && q.n > 0
			hour += q.sum
			count += q.n
		}
		if !n.seen && count > 0 { // of a measure
			hour /= float64(count)
		}
		if full && !(hour >= lowest) {
			lowest = hour
		}
	}
	return lowest
}

// last is the minimum of the last night that is over.
func (n *nights) last(f *frame) float64 {
	over := n.from + nightQuarters*quarter
	switch {
	case n.from == 0:
		return math.NaN()
	case f.at >= n.next: // and nothing was heard of it
		return math.NaN()
	case f.at >= over:
		f.wakeAt(n.next)
		return n.minimum()
	}
	f.wakeAt(over)
	return n.before
}

// usual is the fifth lowest of a hundred of the nights before the last one, at most
// so many.
func (n *nights) usual(f *frame, most int) float64 {
	before := n.minima
	if f.at < n.from+nightQuarters*quarter && n.kept {
		before = before[:len(before)-1]
	}
	known := make([]float64, 0, nightsKept)
	for _, m := range before[max(0, len(before)-most):] {
		if m == m {
			known = append(known, m)
		}
	}
	if len(known) < fewestNights {
		return math.NaN()
	}
	slices.Sort(known)
	return known[int(usualShare*float64(len(known)))]
}

// forget learns anew what is usual, from the night on that is current.
func (n *nights) forget() { n.minima, n.kept = nil, false }

func (n *nights) blank() feed { return newNights(n.clock) }

func (n *nights) save(w *writer) {
	w.instant(n.from)
	if n.from == 0 {
		return
	}
	w.instant(n.next)
	for _, q := range n.quarters {
		w.uvarint(uint64(q.n))
		if q.n > 0 {
			w.float(q.sum)
		}
	}
	w.uvarint(uint64(len(n.minima)))
	for _, m := range n.minima {
		w.byte(byte(truthOf(m == m)))
		if m == m {
			w.float(m)
		}
	}
	w.byte(byte(truthOf(n.seen)))
	w.float(n.raw)
	w.byte(byte(truthOf(n.kept)))
	w.byte(byte(truthOf(n.before == n.before)))
	if n.before == n.before {
		w.float(n.before)
	}
	w.instant(n.at)
}

func (n *nights) patch(w *writer, _ instant) {
	whole := writer{}
	n.save(&whole)
	n.blocks.patch(w, whole.data)
}

func (n *nights) load(r *reader) {
	*n = nights{clock: n.clock, askers: n.askers, before: math.NaN(), from: r.instant()}
	if n.from == 0 {
		return
	}
	if n.next = r.instant(); n.next <= n.from {
		r.fail("a night without an end")
		return
	}
	for i := range n.quarters {
		if n.quarters[i].n = uint32(r.uvarint()); n.quarters[i].n > 0 {
			n.quarters[i].sum = r.float()
		}
	}
	for range min(r.count(1), nightsKept) {
		m := math.NaN()
		if Truth(r.byte()) == True {
			m = r.float()
		}
		n.minima = append(n.minima, m)
	}
	n.seen = Truth(r.byte()) == True
	n.raw = r.float()
	if len(r.data) == 0 && r.err == nil { // of a program that knew of no nights but those
		if n.kept = len(n.minima) > 0; n.kept {
			n.before = n.minima[len(n.minima)-1]
		}
		return
	}
	if n.kept = Truth(r.byte()) == True; n.kept && len(n.minima) == 0 {
		r.fail("a night that is nowhere")
	}
	if Truth(r.byte()) == True {
		n.before = r.float()
	}
	n.at = r.instant()
}
