package detect

import (
	"math"
	"time"
)

// waterSettings were chosen on 22 household meters that are read each hour (DAIAD,
// Alicante) with leaks, bursts and stuck registers added.
type waterSettings struct {
	warm      float64 // hours before anything is flagged
	forget    float64 // hours after which what was learned counts half
	prior     float64 // hours of the whole day that an hour of it begins with
	most      float64 // evidence of one hour for a leak, in nats
	least     float64 // and against it
	spell     float64 // share of the hours in which a leak in spells flows
	sharp     float64 // share of the leaks that flow as they flowed before
	narrow    float64 // ... within this part of it, and half a litre
	busy      float64 // how much less it tells that nobody rests from using water
	floor     float64 // evidence of a leak that raises an alarm, in nats
	spells    float64 // times as much of one in spells
	dry       float64 // evidence that a register is stuck
	own       float64 // and times the worst that this meter has shown before:
	ownSpells float64 // ...
	ownDry    float64 // ...
	ownMost   float64 // as far as the past is believed, in nats
	ownForget float64 // hours after which it counts half
	above     float64 // what is kept of the evidence, in parts of what raises the alarm
	close     float64 // part of the evidence at which the alarm closes
	fault     float64 // hours after which an alarm was a fault, and tells nothing of what is usual
	longest   float64 // hours after which an alarm closes whatever is
	longDry   float64 // hours without any flow after which nobody is at home
}

var shippedWater = waterSettings{
	warm: 14 * 24, forget: 90 * 24, prior: 120 * 24, most: 8, least: -2, spell: 0.5, sharp: 0.6, narrow: 0.01, busy: 0.75,
	floor: 19, spells: 0.9, dry: 25, own: 1.6, ownSpells: 1.3, ownDry: 1.3, ownMost: 40, ownForget: 250 * 24,
	above: 1.5, close: 0.5, fault: 60, longest: 20 * 24, longDry: 72,
}

// Flows are counted in bins that widen with the flow: of a dripping tap a litre
// matters, of a bath ten. These are the lower bounds of all but the first, in litres
// per hour.
var flowBounds = [...]float64{1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 19, 24, 30, 38, 48, 61, 77, 98, 126, 161, 211, 281, 381, 521}

const (
	flowBins  = len(flowBounds) + 1
	openWidth = 600  // litres per hour that the last bin counts as wide
	mostFlow  = 1000 // litres per hour; more counts as this
)

// leaks are the flows that are feared beside what is used, in litres per hour; each
// stands for those around it, so that none is left out.
var leaks = [...]float64{2, 2.7, 3.6, 5, 6.6, 9, 12, 16, 22, 29, 39, 53, 72, 97, 130, 176, 240, 320, 430, 580}

// leakSpread is how many times more or less than each may flow.
const leakSpread = 1.2

// The fears: each leak steady, each in spells (a toilet that does not close), and
// that the register stands still.
const (
	steady = len(leaks)
	stuck  = 2 * steady
	fears  = stuck + 1
)

// water adds up, hour by hour, how much better each fear explains the flow than what
// is usual of the meter at this hour (Page's test of the likelihoods).
type water struct {
	set      waterSettings
	begun    bool
	time     int64 // Unix seconds of the reading that was last counted
	register float64
	hours    float64                  // seen
	before   float64                  // flow of the hour before
	count    [2][24][flowBins]float64 // of hours, by whether the hour before was wet
	all      [2][flowBins]float64
	same     [steady]float64 // the last flow that was this leak's and nothing else
	evidence [fears]float64
	peak     [fears]float64 // of what goes on
	worst    [fears]float64 // of what has passed
	dry      float64        // hours without flow
	open     float64        // hours that the flag is up
	flag     bool
	ratio    float64
}

func newWater() *water { return &water{set: shippedWater} }

func flowBin(flow float64) int {
	b := 0
	for b < len(flowBounds) && flow >= flowBounds[b] {
		b++
	}
	return b
}

func binWidth(b int) float64 {
	switch b {
	case 0:
		return 1
	case flowBins - 1:
		return openWidth
	}
	return flowBounds[b] - flowBounds[b-1]
}

func (w *water) observe(t time.Time, v []float64, learn bool) Verdict {
	now, register := t.Unix(), v[0]
	if !w.begun {
		w.begun, w.time, w.register = true, now, register
		return w.verdict(register)
	}
	span := float64(now-w.time) / 3600
	expected := w.register + span*w.expected(t.Hour())
	if span < 0.5 { // the hour is not full yet
		return w.verdict(expected)
	}
	litres := register - w.register
	w.time, w.register = now, register
	if litres < 0 { // a glitch, or another meter
		return w.verdict(expected)
	}
	hours := max(1, math.Round(span))
	if hours > 1 && litres > 0 {
		// When within the gap it flowed is not known: it only was not stuck.
		w.evidence[stuck], w.dry = 0, 0
		w.hours += hours
	} else {
		w.span(t, min(hours, 48), min(mostFlow, math.Round(litres/span)), learn)
	}
	w.decide(hours)
	return w.verdict(expected)
}

// span judges hours of the same flow up to t.
func (w *water) span(t time.Time, hours, flow float64, learn bool) {
	for h := hours - 1; h >= 0; h-- {
		w.hour(t.Add(-30*time.Minute-time.Duration(h)*time.Hour).Hour(), flow, learn)
	}
}

// hour weighs one hour's flow against each fear, then learns from it.
func (w *water) hour(h int, flow float64, learn bool) {
	p := [2]flows{w.usual(0, h), w.usual(1, h)}
	now := &p[wet(w.before)]
	usual := now.density(flow-0.5, flow+0.5)
	null := usual
	if flow > 0 {
		// Who is at home uses water hour after hour.
		null /= math.Pow(1-now.p[0], w.set.busy)
	}
	for i, l := range leaks {
		least, most := l/leakSpread, l*leakSpread
		leak := w.likely(i, flow, &p[wet(w.before-most)])
		spell := leak
		if w.before < least-0.5 { // it has just begun
			spell = w.likely(i, flow, now)
		}
		if flow >= least && flow <= most {
			w.same[i] = flow
		}
		w.weigh(i, 0.98*leak+0.02*usual, null)
		w.weigh(steady+i, w.set.spell*spell+(1-w.set.spell)*usual, null)
	}
	if flow == 0 {
		w.evidence[stuck] -= math.Log(now.p[0])
		w.dry++
	} else {
		w.evidence[stuck], w.dry = 0, 0
	}
	w.hours++
	w.learn(h, flow, learn && !w.flag)
}

// likely is how probable a flow is if the leak is a part of it: any flow around it,
// or just that which flowed when nothing else did. A leak repeats itself; people do
// not.
func (w *water) likely(leak int, flow float64, f *flows) float64 {
	l := leaks[leak]
	p := f.density(flow-l*leakSpread, flow-l/leakSpread)
	if v := w.same[leak]; v > 0 {
		some := 0.5 + w.set.narrow*v
		p += w.set.sharp * (f.density(flow-v-some, flow-v+some) - p)
	}
	return p
}

// flows is how probable each bin is, and all below it.
type flows struct {
	p     [flowBins]float64
	below [flowBins + 1]float64
}

// density is the mean probability, per litre, of the flows between two.
func (f *flows) density(from, to float64) float64 {
	return (f.less(to) - f.less(from)) / (to - from)
}

// less is the probability of a flow less than y. Whole litres are counted: none is
// what lies around 0.
func (f *flows) less(y float64) float64 {
	if y <= -0.5 {
		return 0
	}
	b, from := flowBin(y+0.5), -0.5
	if b > 0 {
		from = flowBounds[b-1] - 0.5
	}
	return f.below[b] + f.p[b]*min(1, (y-from)/binWidth(b))
}

func wet(flow float64) int {
	if flow > 0.5 {
		return 1
	}
	return 0
}

func (w *water) weigh(fear int, p, null float64) {
	w.evidence[fear] = max(0, w.evidence[fear]+min(w.set.most, max(w.set.least, math.Log(p/null))))
}

func (w *water) learn(h int, flow float64, sound bool) {
	c := wet(w.before)
	w.before = flow
	fade(w.count[c][h][:], math.Exp2(-24/w.set.forget))
	fade(w.all[c][:], math.Exp2(-1/w.set.forget))
	if !sound {
		return
	}
	b := flowBin(flow)
	w.count[c][h][b]++
	w.all[c][b]++
}

func fade(xs []float64, keep float64) {
	for i := range xs {
		xs[i] *= keep
	}
}

// usual is how probable each bin is at an hour of the day: what was seen then, half
// of what was seen in the hours beside it, and a little of the whole day.
func (w *water) usual(c, h int) (f flows) {
	p := &f.p
	var total float64
	for b := range p {
		from := 0.0
		if b > 0 {
			from = flowBounds[b-1]
		}
		p[b] = w.all[c][b] + 0.3*binWidth(b)/(1+from)
		total += p[b]
	}
	part := w.set.prior / 24 / total
	before, after := &w.count[c][(h+23)%24], &w.count[c][(h+1)%24]
	total = 0
	for b := range p {
		p[b] = p[b]*part + w.count[c][h][b] + 0.5*(before[b]+after[b])
		total += p[b]
	}
	for b := range p {
		p[b] /= total
		f.below[b+1] = f.below[b] + p[b]
	}
	return f
}

// expected is the mean flow of an hour of the day in litres per hour.
func (w *water) expected(h int) float64 {
	var sum, n float64
	for c := range w.count {
		for b, k := range w.count[c][h] {
			n += k
			if b > 0 {
				sum += k * (flowBounds[b-1] + binWidth(b)/2)
			}
		}
	}
	if n == 0 {
		return 0
	}
	return sum / n
}

// threshold is the evidence that raises an alarm.
func (w *water) threshold(fear int) float64 {
	past := min(w.worst[fear], w.set.ownMost)
	switch {
	case fear == stuck:
		return max(w.set.dry, w.set.ownDry*w.worst[fear])
	case fear >= steady:
		return max(w.set.floor*w.set.spells, w.set.ownSpells*past)
	}
	return max(w.set.floor, w.set.own*past)
}

func (w *water) decide(hours float64) {
	w.ratio = 0
	for i := range w.evidence {
		th := w.threshold(i)
		if i != stuck {
			w.evidence[i] = min(w.evidence[i], w.set.above*th)
		} else if w.dry > w.set.longDry {
			continue
		}
		w.ratio = max(w.ratio, w.evidence[i]/th)
	}
	fade(w.worst[:], math.Exp2(-hours/w.set.ownForget))
	if w.flag {
		w.open += hours
	}
	switch {
	case !w.sure():
	case w.open > w.set.longest:
		w.close()
	case w.ratio >= 1:
		w.flag = true
	case w.flag && w.ratio < w.set.close:
		w.close()
	}
	w.remember()
}

func (w *water) close() {
	if w.open > w.set.fault {
		clear(w.peak[:stuck])
	}
	clear(w.evidence[:stuck])
	w.flag, w.open = false, 0
}

// remember keeps the worst of what has ended without a fault.
func (w *water) remember() {
	for i, e := range w.evidence {
		w.peak[i] = max(w.peak[i], e)
		if e < 0.3*w.peak[i] && !w.flag {
			w.worst[i], w.peak[i] = max(w.worst[i], w.peak[i]), e
		}
	}
}

func (w *water) sure() bool { return w.hours >= w.set.warm }

func (w *water) verdict(expected float64) Verdict {
	return Verdict{Baseline: expected, Score: scoreOf(w.ratio), Flag: w.flag, Sure: w.sure()}
}

func (w *water) state(c *codec) {
	c.truth(&w.begun)
	c.integer(&w.time)
	c.numbers(&w.register, &w.hours, &w.before, &w.dry, &w.open, &w.ratio)
	for k := range w.count {
		for h := range w.count[k] {
			c.list(w.count[k][h][:])
		}
		c.list(w.all[k][:])
	}
	c.list(w.same[:])
	c.list(w.evidence[:])
	c.list(w.peak[:])
	c.list(w.worst[:])
	c.truth(&w.flag)
}
