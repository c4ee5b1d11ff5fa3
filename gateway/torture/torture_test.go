package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if code, was := asPart(); was {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestRounds is a short run of the real thing, in each setting; the seed draws the same
// faults each time.
func TestRounds(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes the better part of a minute")
	}
	p, err := findPrograms("")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("CI") == "true" && (p.mosquitto == "" || p.influxd == "") {
		t.Fatalf("Mosquitto or influxd is missing: %q, %q", p.mosquitto, p.influxd)
	}
	pl := plan{rounds: 12, perWorld: 2, parallel: 3, span: time.Second, seed: 1, keep: t.TempDir()}
	if err := torture(t.Context(), p, pl, t.Output()); err != nil {
		t.Error(err)
	}
}

// TestTheJudgeSees holds the judge of rounds against what it must see.
func TestTheJudgeSees(t *testing.T) {
	base := time.UnixMilli(1_800_000_000_000).UTC()
	for _, c := range []struct {
		name   string
		lines  string
		change func(f numbering, a *arrived)
		want   string // in the one fault; empty for none
	}{
		{"all is well", "", func(numbering, *arrived) {}, ""},
		{"a sample is lost", "", func(_ numbering, a *arrived) { delete(a.here[samples], 2) }, "sample 2"},
		{"a sample went from full memory, and was counted", "progress 0 [{\"Forgotten\":1}]", func(_ numbering, a *arrived) { delete(a.here[samples], 2) }, ""},
		{"a tap is lost though samples went from memory", "progress 0 [{\"Forgotten\":1}]", func(_ numbering, a *arrived) { delete(a.here[taps], 0) }, "tap 0"},
		{"a tap is lost", "", func(_ numbering, a *arrived) { delete(a.here[taps], 0) }, "tap 0"},
		{"a sample comes twice", "", func(f numbering, a *arrived) { a.reading(f, f.sample(3)) }, "sample 3"},
		{"a tap comes twice", "", func(f numbering, a *arrived) { a.tap(f, f.tap(0)) }, "tap 0"},
		{"the fault is counted twice", "", func(_ numbering, a *arrived) { a.alarms++ }, "counted 2 times"},
		{"a value is another", "", func(f numbering, a *arrived) {
			delete(a.here[samples], 1)
			r := f.sample(1)
			r.Value += 1e-9
			a.reading(f, r)
		}, "sample 1 is"},
		{"a reading is at another time", "", func(f numbering, a *arrived) {
			delete(a.here[samples], 1)
			r := f.sample(1)
			r.Time = r.Time.Add(time.Microsecond)
			a.reading(f, r)
		}, "sample 1 is"},
		{"nobody made it", "", func(f numbering, a *arrived) { a.reading(f, f.sample(7_000)) }, "sample 7000"},
		{"refused, and there", "made sample 4 5\nrefused sample 4 5 \"full\"", func(f numbering, a *arrived) { a.reading(f, f.sample(4)) }, "sample 4"},
		{"refused, and not there", "made sample 4 5\nrefused sample 4 5 \"full\"", func(numbering, *arrived) {}, ""},
		{"under way at a kill", "made sample 4 5", func(numbering, *arrived) {}, ""},
		{"a hole in what was kept", "made sample 4 6\nkept sample 5 6", func(f numbering, a *arrived) { a.reading(f, f.sample(5)) }, "sample 5 is kept, 4 before it is not"},
		{"in memory, and lost", "made sample 4 5\nheld sample 4 5", func(numbering, *arrived) {}, "sample 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := numbering{base}
			truth := newTruth(f)
			truth.begin()
			for line := range strings.Lines("made sample 0 4\nkept sample 0 4\nmade bit 0 2\nkept bit 0 2\nmade tap 0 1\nkept tap 0 1\n" + c.lines) {
				truth.hear(strings.TrimSpace(line))
			}
			a := &arrived{here: map[kind]map[int]bool{samples: {}, bits: {}, taps: {}}, alarms: 1, alarmKeys: 1, alarmOrders: 1}
			for n := range 4 {
				a.reading(f, f.sample(n))
			}
			a.reading(f, f.bit(0))
			a.reading(f, f.bit(1))
			a.tap(f, f.tap(0))
			c.change(f, a)
			v := truth.judge(a)
			found := v.faults()
			switch {
			case c.want == "" && len(found) > 0, c.want != "" && len(found) != 1:
				t.Fatalf("found %q", found)
			case c.want != "" && !strings.Contains(found[0], c.want):
				t.Errorf("found %q, want %q", found[0], c.want)
			}
		})
	}
}

// TestAKilledEdgeLosesNothingThatItKept is the whole way in one world without the
// hub's mercy: the edge is killed with a backlog, and all of it arrives.
func TestAKilledEdgeLosesNothingThatItKept(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	p, err := findPrograms("")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	w, err := newWorld(ctx, p, setting{}, t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
	w.brokerWays(func(p *proxy) { p.be(harm{refuse: true}) })
	if err := w.tellEdge("burst 3000"); err != nil {
		t.Fatal(err)
	}
	for w.truth.count(func(f fate) bool { return f.kept }) < 3000 {
		pause(ctx, 10*time.Millisecond)
	}
	w.edge.kill()
	if err := w.calm(ctx); err != nil {
		t.Fatal(err)
	}
	v, err := w.settle(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if v.Arrived != 3000 || len(v.faults()) > 0 {
		t.Errorf("%d arrived, %q", v.Arrived, v.faults())
	}
}
