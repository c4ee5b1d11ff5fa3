package detect

import (
	"math"
	"time"
)

// deviceSettings were chosen on a pump loop that is read each second (SKAB) and a
// town's tanks and pumps that are read each hour (BATADAL) together: all counts are
// samples, so that they mean the same for both.
type deviceSettings struct {
	warm     float64 // samples before anything is flagged
	young    float64 // samples per term before how the channels hang together is believed
	memory   float64 // samples that count
	every    float64 // samples between two looks at how they hang together
	ridge    float64 // part of each channel that is its own, whatever the past says
	shrink   float64 // more of it while little was seen
	smooth   float64 // samples over which a deviation is averaged
	block    float64 // samples whose extremes are kept as one
	recall   float64 // blocks that count as what is usual
	blocks   float64 // before they do
	alarm    float64 // spreads beyond the usual extreme that raise an alarm
	soft     float64 // least spread of the extremes, as a logarithm
	least    float64 // deviations below this are never unusual
	alone    float64 // weight of a channel judged by itself
	limit    float64 // of a deviation from what the others say
	outlier  float64 // the most that one sample teaches, in deviations
	close    float64 // part of the alarm at which it begins to close
	hold     float64 // samples below that until it is closed
	above    float64 // what is kept of a deviation, in parts of what raises the alarm
	flagged  float64 // how much less is learned while flagged
	longest  float64 // samples after which an alarm closes whatever is, and the machine may be another
	gap      float64 // steps of silence after which the machine may be another
	fresh    float64 // samples after either before anything is flagged
	believed float64 // samples that the past then counts at most
}

var shippedDevice = deviceSettings{
	warm: 240, young: 2, memory: 4000, every: 50, ridge: 0.03, shrink: 0.5, smooth: 5, block: 12, recall: 30, blocks: 4,
	alarm: 2, soft: 0.17, least: 0.8, alone: 0.5, limit: 12, outlier: 4, close: 0.6, hold: 6, above: 1.3, flagged: 0.1,
	longest: 450, gap: 500, fresh: 150, believed: 400,
}

// device holds two views of each channel: against what all others say of it (the
// partial residual of the correlations of values and steps), which tells a sensor,
// a valve or a pump that does not do what it did; and by itself, which tells what
// moves several channels together.
type device struct {
	set           deviceSettings
	channels      int
	terms         int // the values and their steps
	samples       float64
	time          int64
	step          float64 // usual seconds between samples
	fresh         float64 // samples until the machine is believed after a silence
	last          []float64
	still         []float64 // share of the samples in which a channel did not move
	mean          []float64 // of the terms
	cov           []float64 // its lower half
	inverse       []float64 // of the correlations, rows of the values
	believed      bool      // the inverse is one
	since         float64   // samples since it was made
	average       []float64 // deviations of both views
	top           []float64 // logarithms of the extremes of this block, what is usual of them
	usual, spread []float64
	in, blocks    float64
	held, open    float64
	flag          bool
	term, dev     []float64 // of this sample
	near          []float64 // its deviations within the limit
	work, lower   []float64
}

func newDevice(channels int) *device {
	d := &device{set: shippedDevice, channels: channels, terms: 2 * channels}
	for _, l := range []*[]float64{&d.last, &d.still} {
		*l = make([]float64, channels)
	}
	for _, l := range []*[]float64{&d.mean, &d.average, &d.top, &d.usual, &d.spread, &d.term, &d.dev, &d.near} {
		*l = make([]float64, d.terms)
	}
	for _, l := range []*[]float64{&d.cov, &d.work, &d.lower} {
		*l = make([]float64, d.terms*d.terms)
	}
	d.inverse = make([]float64, channels*d.terms)
	return d
}

func (d *device) observe(t time.Time, v []float64, _ bool) Verdict {
	d.samples++
	d.clock(t.Unix())
	for i, x := range v {
		if !known(x) {
			x = d.last[i]
		}
		if d.samples == 1 {
			d.last[i] = x
		}
		same := 0.0
		if x == d.last[i] {
			same = 1
		}
		d.still[i] += max(0.01, 1/d.samples) * (same - d.still[i])
		d.term[i], d.term[d.channels+i] = x, x-d.last[i]
		d.last[i] = x
	}
	var unusual float64
	if d.believed && d.samples > d.set.young*float64(d.terms) {
		unusual = d.judge()
	}
	ratio := unusual / d.set.alarm
	d.decide(ratio)
	d.learn()
	return Verdict{Baseline: math.NaN(), Score: scoreOf(ratio), Flag: d.flag, Sure: d.sure()}
}

func (d *device) sure() bool { return d.samples > d.set.warm && d.fresh == 0 }

// clock notices a silence: who comes back after it may have been mended or changed.
func (d *device) clock(now int64) {
	step := float64(now - d.time)
	switch {
	case d.samples == 1:
	case d.samples < 10:
		d.step = max(1, step)
	case step > d.set.gap*d.step:
		d.anew()
	default:
		d.step += 0.05 * (step - d.step)
	}
	d.time = now
	d.fresh = max(0, d.fresh-1)
}

// anew learns as of another machine, but for what is known of this one.
func (d *device) anew() {
	d.fresh = d.set.fresh
	d.samples = min(d.samples, d.set.believed)
}

// judge is by how many spreads the most unusual channel is beyond its usual extreme.
func (d *device) judge() (most float64) {
	n := d.terms
	for i, x := range d.term {
		d.dev[i] = (x - d.mean[i]) / (math.Sqrt(d.cov[i*n+i]) + 1e-9)
		d.near[i] = max(-d.set.limit, min(d.set.limit, d.dev[i]))
	}
	for i := range d.channels {
		row := d.inverse[i*n : i*n+n]
		r := dot(row, d.near)
		r = max(-d.set.limit, min(d.set.limit, r/math.Sqrt(row[i])))
		most = max(most, d.weigh(i, r, d.set.smooth, 1))
		var own float64
		if d.still[i] <= 0.5 { // what rests most of the time has no usual spread
			own = max(-100, min(100, d.dev[i]))
		}
		most = max(most, d.weigh(d.channels+i, own, 2*d.set.smooth, d.set.alone))
	}
	if d.in++; d.in >= d.set.block {
		d.count()
	}
	return most
}

// weigh averages a deviation and compares it with its usual extreme.
func (d *device) weigh(at int, x, over, weight float64) float64 {
	d.average[at] += (x - d.average[at]) / over
	size := math.Abs(d.average[at])
	y := math.Log(size + 0.1)
	if d.in == 0 || y > d.top[at] {
		d.top[at] = y
	}
	if d.blocks < d.set.blocks {
		return 0
	}
	spread := math.Sqrt(d.spread[at]) + d.set.soft
	least := d.set.least / math.Sqrt(over/d.set.smooth)
	unusual := weight * (y - d.usual[at]) / spread
	if unusual > d.set.alarm {
		// Kept close above what raises the alarm, the average falls as soon as the
		// deviation is gone.
		bound := d.set.above * max(least, math.Exp(d.usual[at]+d.set.alarm*spread/weight)-0.1)
		d.average[at] = max(-bound, min(bound, d.average[at]))
	}
	if size < least {
		return 0
	}
	return unusual
}

// count adds a full block to what is usual, unless it is flagged.
func (d *device) count() {
	d.in = 0
	if d.flag {
		return
	}
	d.blocks++
	rate := max(1/d.blocks, 1/d.set.recall)
	if d.fresh > 0 {
		rate = max(rate, 2/d.set.recall)
	}
	for i, y := range d.top {
		if d.blocks == 1 {
			d.usual[i], d.spread[i] = y, 0.1
			continue
		}
		e := min(y-d.usual[i], 3*math.Sqrt(d.spread[i])+0.3)
		d.usual[i] += rate * e
		d.spread[i] += rate * (e*e - d.spread[i])
	}
}

func (d *device) decide(ratio float64) {
	if d.flag {
		d.open++
	} else {
		d.open = 0
	}
	switch {
	case !d.sure():
		d.flag = false
	case d.open >= d.set.longest:
		d.flag = false
		d.anew()
	case ratio >= 1, d.flag && ratio >= d.set.close:
		d.flag, d.held = true, d.set.hold
	case d.flag:
		d.held--
		d.flag = d.held > 0
	}
}

// learn takes the sample into the means and covariances.
func (d *device) learn() {
	n := d.terms
	rate := max(1/d.samples, 1/d.set.memory)
	if d.flag {
		rate *= d.set.flagged
	}
	for i, x := range d.term {
		d.dev[i] = x - d.mean[i]
		if d.believed {
			most := d.set.outlier * (math.Sqrt(d.cov[i*n+i]) + 1e-9)
			d.dev[i] = max(-most, min(most, d.dev[i]))
		}
		d.mean[i] += rate * d.dev[i]
	}
	for i, x := range d.dev {
		x *= 1 - rate
		row := d.cov[i*n : i*n+i+1]
		for j, y := range d.dev[:i+1] {
			row[j] += rate * (x*y - row[j])
		}
	}
	if d.since++; d.since >= d.set.every {
		d.since, d.believed = 0, true
		d.invert()
	}
}

// invert makes the inverse of the correlations, its rows of the values only, by
// Cholesky's factors. The ridge keeps them positive definite.
func (d *device) invert() {
	n, a, inv := d.terms, d.work, d.lower
	ridge := d.set.ridge + d.set.shrink*float64(n)/min(d.samples, d.set.memory)
	for i := range n {
		d.near[i] = math.Sqrt(d.cov[i*n+i])
	}
	for i := range n { // a becomes the lower factor
		row := a[i*n : i*n+n]
		for j := range i {
			c := d.cov[i*n+j] / (d.near[i]*d.near[j] + 1e-12)
			row[j] = (c - dot(row[:j], a[j*n:j*n+j])) / a[j*n+j]
		}
		row[i] = math.Sqrt(max(1+ridge-dot(row[:i], row[:i]), 1e-9))
	}
	for c := range n { // row c of inv is column c of the factor's inverse
		col := inv[c*n : c*n+n]
		col[c] = 1 / a[c*n+c]
		for i := c + 1; i < n; i++ {
			col[i] = -dot(a[i*n+c:i*n+i], col[c:i]) / a[i*n+i]
		}
	}
	for i := range d.channels {
		for j := range n {
			k := max(i, j)
			d.inverse[i*n+j] = dot(inv[i*n+k:i*n+n], inv[j*n+k:j*n+n])
		}
	}
}

// dot is the sum of the products of two lists that are as long as each other.
func dot(a, b []float64) float64 {
	var s, t float64
	b = b[:len(a)]
	for len(a) > 1 { // in two sums, so that neither waits for the other
		s += a[0] * b[0]
		t += a[1] * b[1]
		a, b = a[2:], b[2:]
	}
	if len(a) > 0 {
		s += a[0] * b[0]
	}
	return s + t
}

func (d *device) state(c *codec) {
	c.numbers(&d.samples, &d.step, &d.fresh, &d.since, &d.in, &d.blocks, &d.held, &d.open)
	c.integer(&d.time)
	for _, l := range [][]float64{d.last, d.still, d.mean, d.cov, d.inverse, d.average, d.top, d.usual, d.spread} {
		c.list(l)
	}
	c.truth(&d.believed)
	c.truth(&d.flag)
}
