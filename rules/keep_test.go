package rules

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
)

// fact is one reading for a model.
type fact struct {
	at instant
	v  float64
}

// drawFacts makes readings of whole and half numbers, in order of time, with gaps.
func drawFacts(rt *rapid.T, from instant) []fact {
	var out []fact
	at := from
	for range rapid.IntRange(1, 60).Draw(rt, "readings") {
		at += instant(rapid.IntRange(1, 40).Draw(rt, "pause")) * instant(time.Second)
		if rapid.IntRange(0, 9).Draw(rt, "gap") == 0 {
			at += instant(rapid.IntRange(1, 20).Draw(rt, "long")) * minute
		}
		out = append(out, fact{at, float64(rapid.IntRange(-20, 20).Draw(rt, "value")) / 2})
	}
	return out
}

// TestWindowAgainstAllReadings holds a window against the readings themselves, put in
// in any order that leaves each slot in order.
func TestWindowAgainstAllReadings(t *testing.T) {
	known := 0
	rapid.Check(t, func(rt *rapid.T) {
		span := time.Duration(rapid.IntRange(60, 1200).Draw(rt, "span")) * time.Second
		w := newWindow(span)
		p := &point{}
		all := drawFacts(rt, 1e18)
		late := rapid.IntRange(0, len(all)-1).Draw(rt, "late from")
		to := rapid.IntRange(late, len(all)-1).Draw(rt, "late to") // a stretch that comes behind the rest
		var taken []fact
		for i, f := range all {
			if i >= late && i < to {
				continue
			}
			w.take(p, f.at, f.v)
			taken = append(taken, f)
		}
		for _, f := range all[late:to] {
			if filled := w.late(p, f.at, f.v); filled {
				taken = append(taken, f)
			} else if f.at/w.slot > all[len(all)-1].at/w.slot-ring && !slices.ContainsFunc(taken, func(o fact) bool { return o.at/w.slot == f.at/w.slot && o.at > f.at-w.slot/1000 }) {
				rt.Fatalf("a late reading of an empty slot was refused")
			}
			if w.late(p, f.at, f.v) {
				rt.Fatalf("a late reading was taken twice")
			}
		}
		if rapid.Bool().Draw(rt, "restored") {
			w = restored(rt, w)
		}
		at := all[len(all)-1].at + instant(rapid.IntRange(0, 900).Draw(rt, "then"))*instant(time.Second)
		f := &frame{at: at, wake: never}
		got, ok := w.at(f, 0)
		var want fold
		first, newest := never, instant(0)
		for _, r := range taken {
			first, newest = min(first, r.at), max(newest, r.at)
			if r.at/w.slot >= at/w.slot-slotsPerWindow {
				want.add(r.v)
			}
		}
		full := at >= first+w.span-w.slot && at < newest+w.span/4 && want.n > 0
		if ok != full {
			rt.Fatalf("known: %v, want %v", ok, full)
		}
		if !ok {
			return
		}
		known++
		if got != want {
			rt.Fatalf("%+v, want %+v", got, want)
		}
		if f.wake <= at || f.wake > newest+w.span/4 {
			rt.Fatalf("wakes %s later", time.Duration(f.wake-at))
		}
	})
	if known < 10 {
		t.Errorf("known %d times: the test says little", known)
	}
}

func restored[F feed](t interface{ Fatal(...any) }, f F) F {
	w := &writer{}
	f.save(w)
	out := f.blank()
	r := &reader{data: w.data}
	out.load(r)
	again := &writer{}
	out.save(again)
	if r.err != nil || len(r.data) > 0 || !slices.Equal(w.data, again.data) {
		t.Fatal("not the same after it was saved:", r.err)
	}
	return out.(F)
}

// TestGrowthAgainstAllReadings holds a counter's growth against the sum of its steps,
// with resets, whatever of it came late.
func TestGrowthAgainstAllReadings(t *testing.T) {
	full := 0
	rapid.Check(t, func(rt *rapid.T) {
		g := newGrowth(10 * time.Minute)
		p := &point{kind: facility.Counter, wrap: 1000}
		at, v := instant(1e18), 900.0
		var all []fact
		for range rapid.IntRange(2, 60).Draw(rt, "readings") {
			at += instant(rapid.IntRange(10, 90).Draw(rt, "pause")) * instant(time.Second)
			v += float64(rapid.IntRange(0, 4).Draw(rt, "growth"))
			switch rapid.IntRange(0, 15).Draw(rt, "reset") {
			case 0:
				v = 300 // exchanged
			case 1:
				v = math.Mod(v, 1000)
			}
			if v >= 1000 {
				v -= 1000 // rolls over
			}
			all = append(all, fact{at, v})
		}
		late := rapid.IntRange(0, len(all)-1).Draw(rt, "late")
		for i, f := range all {
			if i != late || i == len(all)-1 {
				g.take(p, f.at, f.v)
			}
		}
		if late < len(all)-1 {
			g.late(p, all[late].at, all[late].v)
			if g.late(p, all[late].at, all[late].v) {
				rt.Fatal("a late reading was taken twice")
			}
		}
		g = restored(rt, g)
		base := -1
		last := all[len(all)-1]
		for i, f := range all {
			if last.at-f.at >= g.span {
				base = i
			}
		}
		f := &frame{at: last.at, wake: never}
		got, over := g.at(f, 0)
		if base < 0 {
			if got == got {
				rt.Fatalf("%v before its time has passed", got)
			}
			return
		}
		full++
		want := 0.0
		for i := base + 1; i < len(all); i++ {
			amount, _ := grown(all[i-1].v, all[i].v, p.wrap)
			want += amount
		}
		if got != want || over != last.at-all[base].at {
			rt.Fatalf("%v in %s, want %v in %s", got, time.Duration(over), want, time.Duration(last.at-all[base].at))
		}
	})
	if full < 10 {
		t.Errorf("full %d times: the test says little", full)
	}
}

// TestWhatIsKeptIsBounded gives each kind of memory a month of readings, each second
// and each day.
func TestWhatIsKeptIsBounded(t *testing.T) {
	for _, period := range []instant{instant(time.Second), minute, instant(24 * time.Hour)} {
		p := &point{kind: facility.Counter}
		w, g, n := newWindow(31*24*time.Hour), newGrowth(31*24*time.Hour), &nights{clock: &clock{zone: time.UTC}}
		for i := range min(200_000, int((latest-instant(1e18))/period)) {
			at := instant(1e18) + instant(i)*period
			for _, f := range []feed{w, g, n} {
				f.take(p, at, float64(i))
			}
		}
		if len(w.slots) != ring || cap(g.samples) > 4*ring || len(n.minima) > nightsKept {
			t.Errorf("each %s: %d slots, %d samples, %d nights", time.Duration(period), len(w.slots), cap(g.samples), len(n.minima))
		}
		for _, f := range []feed{w, g, n} {
			out := &writer{}
			f.save(out)
			if len(out.data) > 4096 {
				t.Errorf("%T takes %d bytes", f, len(out.data))
			}
		}
	}
}

// TestNights is three weeks of a flow that sinks to 1 each night, and to 2 in the
// last one, when a pipe leaks.
func TestNights(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	for _, kind := range []facility.PointKind{facility.Measure, facility.Counter} {
		n := &nights{clock: &clock{zone: zone}}
		p := &point{kind: kind}
		start := time.Date(2026, 3, 1, 0, 0, 0, 0, zone)
		total := 0.0
		ask := func(at time.Time) (last, usual float64) {
			f := &frame{at: instantOf(at), wake: never}
			return n.last(f), n.usual(f, 14)
		}
		for i := range 20 * 24 * 12 {
			at := start.Add(time.Duration(i) * 5 * time.Minute)
			flow := 10.0
			if h := at.Hour(); h >= 3 && h < 5 {
				flow = 1
				if at.Day() == 20 {
					flow = 2
				}
			}
			total += flow / 12
			v := flow
			if kind == facility.Counter {
				v = total
			}
			n.take(p, instantOf(at), v)
			if at.Day() == 19 && at.Hour() == 4 && at.Minute() == 0 {
				n = restored(t, n)
				if last, _ := ask(at); math.Abs(last-1) > 0.3 {
					t.Errorf("%s: before the night is over the last was %v", kind, last)
				}
			}
		}
		last, usual := ask(start.Add(20*24*time.Hour - time.Minute))
		if math.Abs(last-2) > 0.01 || math.Abs(usual-1) > 0.01 {
			t.Errorf("%s: the last night was %v, usual %v; want 2 and 1", kind, last, usual)
		}
		if last, _ := ask(start.Add(21*24*time.Hour + 6*time.Hour)); last == last {
			t.Errorf("%s: a night of which nothing was heard was %v", kind, last)
		}
	}
}
