package discipline

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gengfu/facility"
)

// Record is one line of an alarm's history.
type Record struct {
	At       time.Time
	Key      string
	Event    facility.AlarmEvent
	To       facility.AlarmState // base state after it
	Priority facility.Priority
	Held     bool // shelved, suppressed or out of service after it
	Told     bool // people were told of it
}

// Figure is one figure with its limit, if there is one.
type Figure struct {
	Value  float64
	Limit  float64 // the value may be as high; meaningless without Source
	Source string  // of the limit, empty when there is none
	Met    bool    // with a limit
}

func limited(value, limit float64, source string) Figure {
	return Figure{Value: value, Limit: limit, Source: source, Met: value <= limit}
}

// Source is how much one key contributes.
type Source struct {
	Key   string
	Count int
	Share float64 // of all, 0 to 1
}

// Figures say how good the alarms of a period are. Rate, flood, priorities and sources
// count what people were told of; chattering counts raises whether told or not; what
// is shelved, suppressed or out of service does not stand.
type Figures struct {
	From, To       time.Time
	Told           int
	Rate           Figure // per 10 minutes and duty person
	Peak           Figure // the most in 10 minutes, per duty person
	Flood          Figure // share of the time, 0 to 1
	Chattering     Figure // spells of it, per week
	Standing       Figure // alarms that passed 24 h, per day
	Priorities     map[facility.Priority]int
	High           Figure // share of P1, 0 to 1
	Urgent         Figure // share of P1 and P2 together, 0 to 1
	Sources        []Source
	Top            Figure // share of the first ten sources
	Acknowledged   int
	AckMedian      time.Duration // from telling to acknowledging, of Acknowledged
	AckP90         time.Duration
	Representative bool // the period is long enough to judge by: 30 days
}

const (
	eemua = "EEMUA 191"
	isa   = "ISA-18.2"
)

// Measure makes the figures of [from, to) with so many persons on duty. The records are
// in the order of At and reach back to the raise of whatever stands at from. It fails
// with facility.ErrInvalid when the period is empty or nobody is on duty.
func Measure(records []Record, from, to time.Time, duty int) (Figures, error) {
	if !to.After(from) || duty < 1 {
		return Figures{}, fmt.Errorf("figures from %v to %v for %d persons: %w", from, to, duty, facility.ErrInvalid)
	}
	m := measure{from: from, to: to, duty: duty, keys: map[string]*history{}, priorities: map[facility.Priority]int{}}
	for _, r := range records {
		if !r.At.Before(to) {
			break
		}
		m.add(r)
	}
	return m.figures(), nil
}

type history struct {
	active, asked time.Time // since when it is active, and since when people were asked; zero is not
	chatter       chatter
	count         int
}

type measure struct {
	from, to   time.Time
	duty       int
	keys       map[string]*history
	priorities map[facility.Priority]int
	flood      flood
	flooded    time.Duration
	told, peak int
	spells     int
	standing   int
	acks       []time.Duration
}

func (m *measure) add(r Record) {
	m.pass(r.At)
	h := m.keys[r.Key]
	if h == nil {
		h = &history{}
		m.keys[r.Key] = h
	}
	within := !r.At.Before(m.from)
	if r.Event == facility.AlarmRaise {
		if len(h.chatter.Recent) > 0 && h.chatter.over(r.At) {
			h.chatter = chatter{}
		}
		calm := h.chatter.Since.IsZero()
		h.chatter.raise(r.At)
		if within && calm && !h.chatter.Since.IsZero() {
			m.spells++
		}
	}
	m.stand(h, r.To.Active() && !r.Held, r.At)
	if r.Told {
		if h.asked.IsZero() {
			h.asked = r.At
		}
		m.flood.count(r.At, 1, m.duty)
		if within {
			m.told++
			h.count++
			m.priorities[r.Priority]++
			m.peak = max(m.peak, len(m.flood.Times))
		}
	}
	switch {
	case r.Event == facility.AlarmAcknowledge:
		if within && !h.asked.IsZero() {
			m.acks = append(m.acks, r.At.Sub(h.asked))
		}
		h.asked = time.Time{}
	case r.To == facility.AlarmNormal:
		h.asked = time.Time{}
	}
}

// stand counts an alarm that passed StaleAfter within the period.
func (m *measure) stand(h *history, active bool, at time.Time) {
	switch {
	case active && h.active.IsZero():
		h.active = at
	case !active && !h.active.IsZero():
		if stale := h.active.Add(StaleAfter); stale.Before(at) && !stale.Before(m.from) {
			m.standing++
		}
		h.active = time.Time{}
	}
}

// pass lets the flood go on until the instant, or to its end before.
func (m *measure) pass(at time.Time) {
	if since := m.flood.Since; m.flood.On {
		end := at
		if due := m.flood.due(m.duty); due.Before(at) {
			end = due
		}
		if m.flood.forget(at, m.duty) || !at.Before(m.to) {
			if since.Before(m.from) {
				since = m.from
			}
			m.flooded += max(end.Sub(since), 0)
		}
		return
	}
	m.flood.forget(at, m.duty)
}

func (m *measure) figures() Figures {
	m.pass(m.to)
	for _, h := range m.keys {
		m.stand(h, false, m.to)
	}
	span := m.to.Sub(m.from)
	f := Figures{
		From: m.from, To: m.to, Told: m.told, Priorities: m.priorities, Sources: m.sources(),
		Acknowledged: len(m.acks), Representative: span >= 30*24*time.Hour,
	}
	slices.Sort(m.acks)
	if n := len(m.acks); n > 0 {
		f.AckMedian, f.AckP90 = m.acks[(n-1)/2], m.acks[(n*9+9)/10-1]
	}
	per := func(count int, unit time.Duration) float64 { return float64(count) * float64(unit) / float64(span) }
	f.Rate = limited(per(m.told, FloodWindow)/float64(m.duty), 1, eemua)
	f.Peak = limited(float64(m.peak)/float64(m.duty), FloodBegins, isa)
	f.Flood = limited(float64(m.flooded)/float64(span), .01, isa)
	f.Chattering = limited(per(m.spells, 7*24*time.Hour), 0, isa)
	f.Standing = limited(per(m.standing, 24*time.Hour), 5, isa)
	p1, p2 := m.priorities[facility.P1], m.priorities[facility.P2]
	f.High = limited(m.share(p1), .05, isa)
	f.Urgent = limited(m.share(p1+p2), .2, isa)
	top := 0
	for _, s := range f.Sources {
		top += s.Count
	}
	f.Top = limited(m.share(top), .05, isa)
	return f
}

func (m *measure) share(n int) float64 { return float64(n) / float64(max(m.told, 1)) }

// sources returns the ten that people were told of most.
func (m *measure) sources() (out []Source) {
	for _, key := range sortedKeys(m.keys) {
		if n := m.keys[key].count; n > 0 {
			out = append(out, Source{key, n, m.share(n)})
		}
	}
	slices.SortStableFunc(out, func(a, b Source) int { return cmp.Compare(b.Count, a.Count) })
	return out[:min(len(out), 10)]
}

// Present is how the alarms are at an instant.
type Present struct {
	Chattering []Chattering // the worst first
	Stale      []string     // keys of what has stood for more than StaleAfter, the oldest first
	Flood      time.Time    // since when there is one, zero for none
}

// Look says how things are at now by the records up to then, which are in the order of
// At and reach back to the raise of whatever stands. Duty is as for Measure, at least 1.
func Look(records []Record, now time.Time, duty int) Present {
	m := measure{from: now, to: now, duty: max(duty, 1), keys: map[string]*history{}, priorities: map[facility.Priority]int{}}
	for _, r := range records {
		if r.At.After(now) {
			break
		}
		m.add(r)
	}
	m.flood.forget(now, m.duty)
	p := Present{Flood: m.flood.Since}
	for _, key := range sortedKeys(m.keys) {
		h := m.keys[key]
		if c := h.chatter; !c.Since.IsZero() && !c.over(now) {
			p.Chattering = append(p.Chattering, Chattering{key, c.Since, c.Count})
		}
		if !h.active.IsZero() && now.Sub(h.active) > StaleAfter {
			p.Stale = append(p.Stale, key)
		}
	}
	slices.SortStableFunc(p.Chattering, func(a, b Chattering) int { return cmp.Compare(b.Count, a.Count) })
	slices.SortStableFunc(p.Stale, func(a, b string) int { return m.keys[a].active.Compare(m.keys[b].active) })
	return p
}
