package discipline_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules/discipline"
)

// TestFiguresModel compares the figures of random histories with those that follow from
// the words of their definition, second by second and list by list. Each kind of figure
// must have been something else than nothing in some of them.
func TestFiguresModel(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(300) {
		chance := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same at each run
		h := randomHistory(chance)
		m := model{t: t, seed: seed, records: h, to: chance.IntN(900), duty: 1 + chance.IntN(2)}
		if len(h) > 0 {
			m.to += at(h[chance.IntN(len(h))])
		}
		m.from = m.to - 1 - chance.IntN(40*3600)>>(4*chance.IntN(3))
		f, err := discipline.Measure(h, second(m.from), second(m.to), m.duty)
		if err != nil {
			t.Fatal(err)
		}
		m.compareTold(f)
		flooded, _ := m.flood()
		m.near("flood", f.Flood.Value, float64(flooded)/float64(m.to-m.from))
		spells, _ := m.chattering(m.to)
		m.near("chattering", f.Chattering.Value, float64(spells)*7*86400/float64(m.to-m.from))
		m.near("standing", f.Standing.Value, float64(m.standing())*86400/float64(m.to-m.from))
		m.compareAcks(f)
		p := m.compareNow()
		for name, there := range map[string]bool{
			"flood": flooded > 0, "spells": spells > 0, "standing": m.standing() > 0, "acks": f.Acknowledged > 1,
			"flood now": !p.Flood.IsZero(), "chattering now": len(p.Chattering) > 0, "stale now": len(p.Stale) > 0,
		} {
			if there {
				seen[name]++
			}
		}
	}
	t.Log(seen)
	for _, name := range []string{"flood", "spells", "standing", "acks", "flood now", "chattering now", "stale now"} {
		if seen[name] < 5 {
			t.Errorf("%s was seen in %d histories", name, seen[name])
		}
	}
}

func second(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

// randomHistory is bursts, flaps, slow times and days that alarms stand, all on whole
// seconds.
func randomHistory(chance *rand.Rand) (out []discipline.Record) {
	one := func(of ...int) int { return of[chance.IntN(len(of))] }
	last := map[string]discipline.Record{}
	now, keys, pace := 0, 1, 0
	for n := range chance.IntN(150) {
		if n%15 == 0 {
			keys, pace = one(1, 3, 20), one(0, 0, 1, 1, 2)
		}
		switch pace {
		case 0:
			now += one(0, 1, 5, 20, 30)
		case 1:
			now += one(30, 59, 60, 61, 80, 120, 150)
		default:
			now += one(599, 600, 601, 7200, 80000, 86400)
		}
		key := fmt.Sprint("k", chance.IntN(keys))
		r := last[key]
		r.At, r.Key, r.Priority, r.Told = second(now), key, facility.Priority(fmt.Sprint("P", 1+chance.IntN(4))), false
		switch what := chance.IntN(12); {
		case what < 8:
			r.Event, r.To, r.Told = facility.AlarmRaise, facility.AlarmUnacknowledged, chance.IntN(4) > 0
		case what == 8:
			r.Event, r.To = facility.AlarmClear, facility.AlarmReturned
		case what == 9:
			r.Event, r.To = facility.AlarmAcknowledge, facility.AlarmAcknowledged
		case what == 10:
			r.Event, r.To = facility.AlarmRetire, facility.AlarmNormal
		default:
			r.Event, r.Held, r.To = "", !r.Held, cmp.Or(r.To, facility.AlarmNormal)
		}
		last[key] = r
		out = append(out, r)
	}
	return out
}

type model struct {
	t        *testing.T
	seed     uint64
	records  []discipline.Record
	from, to int
	duty     int
}

func at(r discipline.Record) int { return int(r.At.Sub(start) / time.Second) }

func (m model) within(r discipline.Record) bool { return at(r) >= m.from && at(r) < m.to }

// inWindow counts what was told in (end-10 min, end], of the first n records.
func (m model) inWindow(end, n int) (count int) {
	for _, r := range m.records[:n] {
		if r.Told && at(r) <= end && at(r) > end-600 {
			count++
		}
	}
	return count
}

func (m model) compareTold(f discipline.Figures) {
	byKey, byPriority := map[string]int{}, map[facility.Priority]int{}
	told, peak := 0, 0
	for n, r := range m.records {
		if r.Told && m.within(r) {
			told++
			byKey[r.Key]++
			byPriority[r.Priority]++
			peak = max(peak, m.inWindow(at(r), n+1))
		}
	}
	var counts []int
	for _, n := range byKey {
		counts = append(counts, n)
	}
	slices.SortFunc(counts, func(a, b int) int { return cmp.Compare(b, a) })
	top := 0
	for n, c := range counts[:min(10, len(counts))] {
		top += c
		if s := f.Sources[n]; s.Count != c || byKey[s.Key] != c {
			m.fatal("source %d: %+v, want %d", n, s, c)
		}
	}
	if f.Told != told || len(f.Sources) != min(10, len(counts)) {
		m.fatal("told %d of %d sources, want %d of %d", f.Told, len(f.Sources), told, len(counts))
	}
	all := float64(max(told, 1))
	m.near("rate", f.Rate.Value, float64(told)*600/float64(m.to-m.from)/float64(m.duty))
	m.near("peak", f.Peak.Value, float64(peak)/float64(m.duty))
	m.near("high", f.High.Value, float64(byPriority["P1"])/all)
	m.near("urgent", f.Urgent.Value, float64(byPriority["P1"]+byPriority["P2"])/all)
	m.near("top", f.Top.Value, float64(top)/all)
}

// flood counts the seconds of floods within the period, and says whether and since when
// there is one in its last second.
func (m model) flood() (seconds int, since time.Time) {
	on := false
	begin := 0
	n := 0
	for s := min(0, m.from); s < m.to; s++ {
		if on && m.inWindow(s, n) < 5*m.duty {
			on = false
		}
		for ; n < len(m.records) && at(m.records[n]) == s; n++ {
			if m.records[n].Told && !on && m.inWindow(s, n+1) > 10*m.duty {
				on, begin = true, s
			}
		}
		if on && s >= m.from {
			seconds++
		}
		if n < len(m.records) && !on { // nothing happens in between
			s = max(s, min(at(m.records[n]), m.to)-1)
		} else if !on {
			break
		}
	}
	if on {
		since = second(begin)
	}
	return seconds, since
}

// chattering counts the spells that show within the period, and which there are in
// the last second: a spell begins with the first of three raises within a minute and goes on
// until ten minutes pass without one.
func (m model) chattering(until int) (spells int, now map[string]int) {
	raises := map[string][]int{}
	for _, r := range m.records {
		if r.Event == facility.AlarmRaise && at(r) < until {
			raises[r.Key] = append(raises[r.Key], at(r))
		}
	}
	now = map[string]int{}
	for key, times := range raises {
		for first := 0; first+2 < len(times); {
			if times[first+2]-times[first] > 60 {
				first++
				continue
			}
			if times[first+2] >= m.from {
				spells++
			}
			last := first + 2
			for last+1 < len(times) && times[last+1]-times[last] <= 600 {
				last++
			}
			if until-1-times[last] <= 600 {
				now[key] = last - first + 1
			}
			first = last + 1
		}
	}
	return spells, now
}

// stands lists for each key since when and until when it stood without a hold.
func (m model) stands(until int) (spans map[string][][2]int) {
	spans = map[string][][2]int{}
	byKey := map[string][]discipline.Record{}
	for _, r := range m.records {
		if at(r) < until {
			byKey[r.Key] = append(byKey[r.Key], r)
		}
	}
	for key, records := range byKey {
		since := math.MinInt
		for _, r := range append(records, discipline.Record{At: second(until)}) {
			stand := r.To.Active() && !r.Held
			if stand && since == math.MinInt {
				since = at(r)
			}
			if !stand && since != math.MinInt {
				spans[key] = append(spans[key], [2]int{since, at(r)})
				since = math.MinInt
			}
		}
	}
	return spans
}

func (m model) standing() (count int) {
	for _, spans := range m.stands(m.to) {
		for _, s := range spans {
			if passed := s[0] + 86400; passed >= m.from && passed < s[1] {
				count++
			}
		}
	}
	return count
}

func (m model) compareAcks(f discipline.Figures) {
	var waits []time.Duration
	for n, r := range m.records {
		if r.Event != facility.AlarmAcknowledge || !m.within(r) {
			continue
		}
		asked := -1
		for _, before := range m.records[:n] {
			switch {
			case before.Key != r.Key:
			case before.Event == facility.AlarmAcknowledge || before.To == facility.AlarmNormal:
				asked = -1
			case before.Told && asked < 0:
				asked = at(before)
			}
		}
		if asked >= 0 {
			waits = append(waits, time.Duration(at(r)-asked)*time.Second)
		}
	}
	slices.Sort(waits)
	if f.Acknowledged != len(waits) {
		m.fatal("%d acknowledged, want %d", f.Acknowledged, len(waits))
	}
	if n := float64(len(waits)); n > 0 {
		if p50, p90 := waits[int(math.Ceil(n*.5))-1], waits[int(math.Ceil(n*.9-1e-9))-1]; f.AckMedian != p50 || f.AckP90 != p90 {
			m.fatal("acknowledged after %v and %v, want %v and %v", f.AckMedian, f.AckP90, p50, p90)
		}
	}
}

// compareNow holds what is said of the instant at the end of the period against the
// model.
func (m model) compareNow() discipline.Present {
	now := m.to
	m.to++ // what happens at the instant is known
	m.from = m.to - 1
	p := discipline.Look(m.records, second(now), m.duty)
	_, chatters := m.chattering(now + 1)
	if len(p.Chattering) != len(chatters) {
		m.fatal("chattering %v, want %v", p.Chattering, chatters)
	}
	for _, c := range p.Chattering {
		if chatters[c.Key] != c.Count {
			m.fatal("%s chatters %d times, want %d", c.Key, c.Count, chatters[c.Key])
		}
	}
	var stale []string
	for key, spans := range m.stands(now + 1) {
		if last := spans[len(spans)-1]; last[1] == now+1 && now-last[0] > 86400 {
			stale = append(stale, key)
		}
	}
	slices.Sort(stale)
	got := slices.Clone(p.Stale)
	slices.Sort(got)
	if !slices.Equal(got, stale) {
		m.fatal("stale %v, want %v", got, stale)
	}
	if _, since := m.flood(); !since.Equal(p.Flood) {
		m.fatal("a flood since %v, want %v", p.Flood, since)
	}
	return p
}

func (m model) near(name string, got, want float64) {
	m.t.Helper()
	if math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
		m.fatal("%s: %v, want %v", name, got, want)
	}
}

func (m model) fatal(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("history %d: "+format, append([]any{m.seed}, args...)...)
}
