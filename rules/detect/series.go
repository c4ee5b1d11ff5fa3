package detect

import (
	"math"
	"time"
)

// seriesSettings were chosen on labelled series of servers, traffic, prices and
// messages (the Numenta Anomaly Benchmark), begun elsewhere, with gaps and noise too, on
// plateaus: each may be changed by a fifth without much effect.
type seriesSettings struct {
	warm     float64           // samples before anything is said
	blocks   [measures]float64 // samples whose extremes are kept as one
	remember float64           // samples that count as what is usual
	enough   float64           // blocks before a view is believed
	soft     float64           // least spread of a view's extremes, as a logarithm
	offset   float64           // of a view before its logarithm is taken
	fast     float64           // samples after which a mean has gone half of the way:
	middle   float64           // ... three of them
	slow     float64           //
	record   float64           // weight of a value that was never seen
	days     float64           // days before the time of day is believed
	rest     float64           // samples until the last news is half forgotten
	rise     float64           // news must be so many times the last
	alarm    float64           // spreads beyond the usual extreme that raise an alarm
	close    float64           // part of that at which it closes
	follow   float64           // part of each new day in the profile
}

var shippedSeries = seriesSettings{
	warm: 200, blocks: [measures]float64{48, 96, 192}, remember: 1200, enough: 5, soft: 0.05, offset: 0.3,
	fast: 8, middle: 48, slow: 512, record: 20, days: 1, rest: 250, rise: 1.5, alarm: 1.7, close: 0.5, follow: 0.1,
}

// The views of a series, each up and down: how far the value is from several
// expectations, how far faster means are from slower ones, how lively it is, and how
// far beyond all that was seen. Each is measured by its own usual extremes.
const (
	jumpUp = iota
	jumpDown
	nearUp
	nearDown
	farUp
	farDown
	hourUp // against the time of day
	hourDown
	shiftUp // of the mean
	shiftDown
	driftUp
	driftDown
	livelier
	calmer
	recordUp
	recordDown
	dayUp // against the time of day for long
	dayDown
	views
)

const (
	measures = 3  // blocks of several lengths, so that none decides alone
	slots    = 96 // of the day
)

// extremes are what is usual of the largest of each view in a block.
type extremes struct {
	in     float64 // samples in the block
	top    [views]float64
	usual  [views]float64 // logarithms
	spread [views]float64 // their variance
	blocks [views]float64
}

type series struct {
	set             seriesSettings
	samples         float64
	began           int64
	value           float64
	fast, mid, slow float64 // means
	size            float64 // mean distance from the slow mean
	step, steps     float64 // mean step, fast and slow
	high, low       float64
	profile, seen   [slots]float64 // of the day
	off             float64        // mean distance from the profile
	profiled        bool
	measure         [measures]extremes
	bar             float64 // what was said last, being forgotten
	open            bool
}

func newSeries() *series { return &series{set: shippedSeries} }

func slotOf(t time.Time) int { return (t.Hour()*60 + t.Minute()) * slots / (24 * 60) }

func (s *series) observe(t time.Time, v []float64, learn bool) Verdict {
	x, slot := v[0], slotOf(t)
	if s.samples == 0 {
		s.value, s.fast, s.mid, s.slow, s.high, s.low, s.began = x, x, x, x, x, x, t.Unix()
	}
	s.samples++
	expected := s.slow
	if s.profiled = s.profiled || float64(t.Unix()-s.began) > s.set.days*86400; s.profiled && s.seen[slot] > 0 {
		expected = s.profile[slot]
	}
	unusual := s.unusual(s.look(x, slot))
	s.learn(x)
	if learn {
		s.expect(x, slot)
	}
	return s.tell(unusual, expected)
}

// look takes the views of the value.
func (s *series) look(x float64, slot int) (f [views]float64) {
	scale := s.size + 1e-9
	pair := func(i int, d float64) { f[i], f[i+1] = max(0, d)/scale, max(0, -d)/scale }
	pair(jumpUp, x-s.value)
	pair(nearUp, x-s.fast)
	pair(farUp, x-s.slow)
	if s.profiled && s.seen[slot] > 0 {
		e := x - s.profile[slot]
		s.off += half(2*s.set.fast) * (e - s.off)
		pair(hourUp, e)
		pair(dayUp, s.off)
	}
	if s.samples <= 20 { // the means are all the same still
		return f
	}
	pair(shiftUp, s.fast-s.slow)
	pair(driftUp, s.mid-s.slow)
	f[livelier] = s.step / (s.steps + 1e-9)
	f[calmer] = s.steps / (s.step + 0.02*s.steps + 1e-9)
	width := s.high - s.low + 1e-9
	f[recordUp], f[recordDown] = max(0, x-s.high)/width, max(0, s.low-x)/width
	return f
}

// unusual is by how many spreads the most unusual view is beyond its usual extreme.
func (s *series) unusual(f [views]float64) (most float64) {
	for i, x := range f {
		if i == recordUp || i == recordDown {
			most = max(most, s.set.record*math.Log1p(x))
			continue
		}
		y := math.Log(x + s.set.offset)
		var z, n float64
		for k := range s.measure {
			m := &s.measure[k]
			if m.in == 0 || y > m.top[i] {
				m.top[i] = y
			}
			if m.blocks[i] >= s.set.enough {
				z += (y - m.usual[i]) / (math.Sqrt(m.spread[i]) + s.set.soft)
				n++
			}
		}
		if n > 0 {
			most = max(most, z/n)
		}
	}
	for k := range s.measure {
		m := &s.measure[k]
		if m.in++; m.in >= s.set.blocks[k] {
			s.count(m, s.set.blocks[k])
		}
	}
	return most
}

// count adds a full block to what is usual.
func (s *series) count(m *extremes, length float64) {
	m.in = 0
	for i, y := range m.top {
		if !s.profiled && (i == hourUp || i == hourDown || i == dayUp || i == dayDown) {
			continue
		}
		if m.blocks[i]++; m.blocks[i] == 1 {
			m.usual[i], m.spread[i] = y, 0.25
			continue
		}
		rate := max(1/m.blocks[i], length/s.set.remember)
		d := min(y-m.usual[i], 3*math.Sqrt(m.spread[i])+0.3)
		m.usual[i] += rate * d
		m.spread[i] += rate * (d*d - m.spread[i])
	}
}

func (s *series) rate(samples float64) float64 { return max(half(samples), 1/s.samples) }

func (s *series) learn(x float64) {
	step := math.Abs(x - s.value)
	s.size += s.rate(2*s.set.slow) * (math.Abs(x-s.slow) - s.size)
	s.step += s.rate(2*s.set.fast) * (step - s.step)
	s.steps += s.rate(s.set.slow) * (step - s.steps)
	s.fast += s.rate(s.set.fast) * (x - s.fast)
	s.mid += s.rate(s.set.middle) * (x - s.mid)
	s.high, s.low, s.value = max(x, s.high), min(x, s.low), x
}

// expect learns what Baseline is made of.
func (s *series) expect(x float64, slot int) {
	s.slow += s.rate(s.set.slow) * (x - s.slow)
	s.seen[slot]++
	s.profile[slot] += max(s.set.follow, 1/s.seen[slot]) * (x - s.profile[slot])
}

// tell says what is news.
func (s *series) tell(unusual, expected float64) Verdict {
	out := Verdict{Baseline: expected, Sure: s.samples > s.set.warm}
	s.bar *= math.Exp2(-1 / s.set.rest)
	if !out.Sure {
		return out
	}
	if unusual > s.bar*s.set.rise {
		out.Score = scoreOf(unusual / s.set.alarm)
		s.bar = unusual
	}
	s.open = out.Score >= 0.5 || s.open && unusual > s.set.alarm*s.set.close
	out.Flag = s.open
	return out
}

func (s *series) state(c *codec) {
	c.numbers(&s.samples, &s.value, &s.fast, &s.mid, &s.slow, &s.size, &s.step, &s.steps, &s.high, &s.low, &s.off, &s.bar)
	c.integer(&s.began)
	c.list(s.profile[:])
	c.list(s.seen[:])
	for i := range s.measure {
		m := &s.measure[i]
		c.number(&m.in)
		for _, l := range []*[views]float64{&m.top, &m.usual, &m.spread, &m.blocks} {
			c.list(l[:])
		}
	}
	c.truth(&s.profiled)
	c.truth(&s.open)
}
