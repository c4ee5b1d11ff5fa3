package rules

import (
	"math"
	mathbits "math/bits"
	"time"
)

// slotsPerWindow is in how many parts a window is cut: it forgets part by part, so
// that it reaches up to a sixtieth further back than it says.
const slotsPerWindow = 60

// ring is how many slots are kept: the last one is not full yet.
const ring = slotsPerWindow + 1

// window keeps the readings of one point over a stretch of time, in slots. Slots lie
// at fixed times, so that a reading finds its place whenever it comes. Taking a
// reading in, and asking, cost the same however long the window is and however many
// readings it has seen: slots up to mid hold what they and all behind them up to mid
// come to, so that the oldest says all of them at once, and those behind mid are
// joined one by one as they are closed. Once in a window's length mid moves on.
type window struct {
	span   instant
	slot   instant
	first  instant // of all readings ever taken in, or 0
	newest instant
	head   int64 // number of the newest slot that has a reading
	mid    int64 // below head
	slots  []slot
	back   fold   // of the slots behind mid up to backTo
	backTo int64  // below head
	dirty  uint64 // a bit for each slot that is not as it was kept, and dirtyFirst
}

// dirtyFirst says that first is not as it was kept.
const dirtyFirst = 1 << ring

// fold is what some readings come to.
type fold struct {
	sum, min, max float64
	n             uint32
}

// slot is what the readings of one slot come to.
type slot struct {
	fold
	last uint32 // when the latest of them was made, in steps from the slot's start; 0 is none
}

// stepsPerSlot is how finely the latest reading of a slot is remembered.
const stepsPerSlot = 1 << 20

func newWindow(span time.Duration) *window {
	return &window{span: instant(span), slot: max(instant(span)/slotsPerWindow, 1)}
}

func (f *fold) add(v float64) {
	if f.n == 0 {
		f.min, f.max = v, v
	}
	f.sum += v
	f.min, f.max = min(f.min, v), max(f.max, v)
	f.n++
}

func (f *fold) join(o fold) {
	switch {
	case o.n == 0:
	case f.n == 0:
		*f = o
	default:
		f.sum += o.sum
		f.min, f.max = min(f.min, o.min), max(f.max, o.max)
		f.n += o.n
	}
}

// step is when in its slot the instant is.
func (w *window) step(at instant) uint32 {
	return uint32((at%w.slot)/(w.slot/stepsPerSlot+1)) + 1
}

func (w *window) take(p *point, at instant, v float64) {
	k := int64(at / w.slot)
	switch {
	case w.slots == nil:
		w.slots = make([]slot, ring)
		w.first, w.head = at, k
		w.dirty = dirtyFirst
		w.mid = max(k-1-p.stagger(), -1)
		w.backTo = w.mid
	case k > w.head:
		for n := max(w.head+1, k-ring+1); n <= k; n++ {
			w.slots[n%ring] = slot{}
			w.dirty |= 1 << (n % ring)
		}
		w.head = k
		if w.oldest() > w.mid {
			w.turn()
		}
	}
	w.newest = at
	w.dirty |= 1 << (k % ring)
	s := &w.slots[k%ring]
	s.add(v)
	s.last = w.step(at)
}

// oldest is the number of the oldest slot that is kept.
func (w *window) oldest() int64 { return max(w.head-slotsPerWindow, 0) }

// turn moves mid to the slot before the newest. All slots before are behind the old
// one.
func (w *window) turn() {
	w.mid = w.head - 1
	w.back, w.backTo = fold{}, w.mid
	w.dirty |= 1<<ring - 1
	var all fold
	for k := w.mid; k >= w.oldest(); k-- {
		s := &w.slots[k%ring]
		all.join(s.fold)
		s.fold = all
	}
}

// look says that there was nothing to take in until the instant.
func (w *window) look(at instant) {
	if int64(at/w.slot) > w.head {
		w.take(nil, at, 0)
	}
	w.newest = at
}

// late puts an older reading in its slot. Within a slot only what is newer than what
// it holds is taken, because of two readings of one time one was sent twice: so a
// backlog may come again and again.
func (w *window) late(p *point, at instant, v float64) bool {
	k := int64(at / w.slot)
	switch {
	case at > w.newest: // only bad ones were newer
		w.take(p, at, v)
		return true
	case at == w.newest || k < w.oldest() || w.step(at) <= w.slots[k%ring].last:
		return false
	}
	w.slots[k%ring].last = w.step(at)
	if at < w.first {
		w.first = at
		w.dirty |= dirtyFirst
	}
	w.dirty |= 1 << (k % ring)
	if k > w.mid {
		w.slots[k%ring].add(v)
		w.back, w.backTo = fold{}, w.mid
		return true
	}
	for n := w.oldest(); n <= k; n++ {
		w.slots[n%ring].add(v)
		w.dirty |= 1 << (n % ring)
	}
	return true
}

// at returns what the window holds at the instant of the frame, and whether it is
// known: readings must reach back over the whole of it, and the newest must not be
// older than a quarter of it or than patience, whichever is longer, nor than all of it.
func (w *window) at(f *frame, patience time.Duration) (fold, bool) {
	if w.slots == nil {
		return fold{}, false
	}
	full := w.first + w.span - w.slot
	if f.at < full {
		f.wakeAt(full)
		return fold{}, false
	}
	due := w.newest + max(w.span/4, min(instant(patience), w.span))
	if f.at >= due {
		return fold{}, false
	}
	f.wakeAt(due)
	out := w.fold(f.at)
	if out.n == 0 {
		return out, false
	}
	// What it forgets is looked at with each slot, but not more often than each
	// minute.
	f.wakeAt(max((f.at/w.slot+1)*w.slot, f.at.nextMinute()))
	return out, true
}

// fold joins the slots that lie in the window at the instant.
func (w *window) fold(at instant) fold {
	var out fold
	oldest := max(int64(at/w.slot)-slotsPerWindow, w.oldest())
	if oldest > w.mid { // time went on without a reading
		for k := oldest; k <= w.head; k++ {
			out.join(w.slots[k%ring].fold)
		}
		return out
	}
	for w.backTo < w.head-1 {
		w.backTo++
		w.back.join(w.slots[w.backTo%ring].fold)
	}
	out = w.slots[oldest%ring].fold
	out.join(w.back)
	out.join(w.slots[w.head%ring].fold)
	return out
}

func (w *window) blank() feed { return newWindow(time.Duration(w.span)) }

func (w *window) save(e *writer) {
	e.instant(w.first)
	if w.slots == nil {
		return
	}
	e.instant(w.newest)
	e.varint(w.head)
	e.varint(w.head - w.mid)
	var used uint64
	for i, s := range w.slots {
		if s.n > 0 {
			used |= 1 << i
		}
	}
	e.uvarint(used)
	var before fold
	for i := range w.slots {
		s := &w.slots[i]
		if s.n == 0 {
			continue
		}
		// Slots that hold what they and all behind them come to mostly have the same
		// least and greatest as their neighbour.
		sameMin, sameMax := s.min == before.min, s.max == before.max
		e.uvarint(uint64(s.n)<<2 | uint64(truthOf(sameMin))>>1 | uint64(truthOf(sameMax)))
		e.uvarint(uint64(s.last))
		e.float(s.sum)
		if !sameMin {
			e.float(s.min)
		}
		if !sameMax {
			e.float(s.max)
		}
		before = s.fold
	}
}

func (w *window) load(r *reader) {
	*w = window{span: w.span, slot: w.slot}
	w.first = r.instant()
	if w.first == 0 {
		return
	}
	if !w.loadTimes(r) {
		return
	}
	w.slots = make([]slot, ring)
	used := r.uvarint()
	var before fold
	for i := range w.slots {
		if used&(1<<i) == 0 {
			continue
		}
		s := &w.slots[i]
		n := r.uvarint()
		s.n, s.last, s.sum = uint32(n>>2), uint32(r.uvarint()), r.float()
		s.min, s.max = before.min, before.max
		if n&1 == 0 {
			s.min = r.float()
		}
		if n&2 == 0 {
			s.max = r.float()
		}
		before = s.fold
	}
}

func (w *window) settle() { w.dirty = 0 }

func (w *window) patch(e *writer, around instant) {
	if w.dirty != 0 {
		w.patchSlots(e, around)
	}
}

// What a patch says first, below the bits of the slots that it tells of.
const (
	patchHas   = 1 << iota // the window has readings
	patchFirst             // when the first was made follows
	patchBits  = iota
)

// patchSlots writes which times the window is of, and the slots that are not as they
// were kept, which may be none, from the newest back.
func (w *window) patchSlots(e *writer, around instant) {
	if w.slots == nil {
		e.byte(0)
		return
	}
	what := uint64(patchHas)
	if w.dirty&dirtyFirst != 0 {
		what |= patchFirst
	}
	for back := range ring {
		what |= w.dirty >> w.place(back) & 1 << (patchBits + back)
	}
	e.uvarint(what)
	e.near(w.newest, around)
	e.uvarint(uint64(w.head - w.mid))
	if what&patchFirst != 0 {
		e.instant(w.first)
	}
	for left := what >> patchBits; left != 0; left &= left - 1 {
		s := &w.slots[w.place(mathbits.TrailingZeros64(left))]
		one := s.n > 0 && same(s.sum, s.min) && same(s.sum, s.max)
		latest := s.last == w.step(w.newest)
		e.uvarint(uint64(s.n)<<2 | uint64(truthOf(one))>>1<<1 | uint64(truthOf(latest))>>1)
		if !latest {
			e.uvarint(uint64(s.last))
		}
		if s.n > 0 {
			e.float(s.sum)
		}
		if s.n > 0 && !one {
			e.float(s.min)
			e.float(s.max)
		}
	}
}

// place is where the slot stands that is so many before the newest.
func (w *window) place(back int) int { return int((w.head - int64(back) + ring) % ring) }

func same(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

func (w *window) mend(r *reader, around instant) {
	what := r.uvarint()
	if what&patchHas == 0 {
		return
	}
	w.newest = r.near(around)
	w.head = int64(w.newest / w.slot)
	w.mid = w.head - int64(min(r.uvarint(), 2*ring))
	if what&patchFirst != 0 {
		w.first = r.instant()
	}
	if !w.timely(r) {
		return
	}
	if w.slots == nil {
		w.slots = make([]slot, ring)
	}
	for left := what >> patchBits; left != 0; left &= left - 1 {
		n := r.uvarint()
		s := slot{fold: fold{n: uint32(n >> 2)}, last: w.step(w.newest)}
		if n&1 == 0 {
			s.last = uint32(r.uvarint())
		}
		if s.n > 0 {
			s.sum = r.float()
			s.min, s.max = s.sum, s.sum
		}
		if s.n > 0 && n&2 == 0 {
			s.min, s.max = r.float(), r.float()
		}
		w.slots[w.place(mathbits.TrailingZeros64(left))] = s
	}
}

// loadTimes reads which times the window is of, and reports whether it can be.
func (w *window) loadTimes(r *reader) bool {
	w.newest, w.head = r.instant(), r.varint()
	w.mid = w.head - r.varint()
	return w.timely(r)
}

// timely reports whether the window can be of the times that were read.
func (w *window) timely(r *reader) bool {
	w.back, w.backTo = fold{}, w.mid
	if w.head != int64(w.newest/w.slot) || w.mid >= w.head || w.mid < w.head-ring || w.mid < -1 {
		r.fail("a window of another time")
		return false
	}
	return true
}

// mean is NaN when there is nothing.
func (f fold) mean() float64 {
	if f.n == 0 {
		return math.NaN()
	}
	return f.sum / float64(f.n)
}
