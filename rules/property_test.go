package rules_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules"
)

// naive judges one bit with delays by looking at every second, as a person with a
// stop watch would. It shares nothing with the engine.
type naive struct {
	onDelay, offDelay int
	known             bool
	value             bool
	watch             int    // seconds that run has held while it could be seen
	run               string // "raise" or "clear": what the stop watch runs for
	state             facility.AlarmState
	count             int
	out               []string
}

func (n *naive) say(second int, event string) {
	s := fmt.Sprintf("%s %s r/pump-1 %s", time.Duration(second)*time.Second, event, n.state)
	if !n.known {
		s += " unknown"
	}
	if n.count > 1 {
		s += fmt.Sprintf(" x%d", n.count)
	}
	n.out = append(n.out, s)
}

func (n *naive) active() bool {
	return n.state == facility.AlarmUnacknowledged || n.state == facility.AlarmAcknowledged
}

// second lives through one second; input is "", "bad", "0" or "1".
func (n *naive) second(s int, input string, ack bool) {
	if n.known && n.run != "" {
		n.watch++
	}
	// A reading at the end of a delay still counts, except that bad data only
	// stops the watch from here on.
	switch input {
	case "bad":
		if n.known {
			n.known = false
			if n.state != facility.AlarmNormal {
				n.say(s, "unknown")
			}
		}
	case "0", "1":
		if !n.known {
			n.known = true
			if n.state != facility.AlarmNormal {
				n.say(s, "known")
			}
		}
		n.value = input == "1"
	}
	if n.known {
		n.judge(s)
	}
	if ack && (n.state == facility.AlarmUnacknowledged || n.state == facility.AlarmReturned) {
		if n.state == facility.AlarmReturned {
			n.state = facility.AlarmNormal
		} else {
			n.state = facility.AlarmAcknowledged
		}
		n.say(s, "acknowledge")
	}
}

func (n *naive) judge(s int) {
	want := ""
	if n.value && !n.active() {
		want = "raise"
	}
	if !n.value && n.active() {
		want = "clear"
	}
	if want != n.run {
		n.run, n.watch = want, 0
	}
	switch {
	case n.run == "raise" && n.watch >= n.onDelay:
		event := "raise"
		if n.state == facility.AlarmReturned {
			event = "recur"
			n.count++
		} else {
			n.count = 1
		}
		n.state, n.run = facility.AlarmUnacknowledged, ""
		n.say(s, event)
	case n.run == "clear" && n.watch >= n.offDelay:
		if n.state == facility.AlarmUnacknowledged {
			n.state = facility.AlarmReturned
		} else {
			n.state = facility.AlarmNormal
		}
		n.run = ""
		n.say(s, "clear")
	}
}

func TestEngineAgainstStopWatch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := &naive{
			onDelay:  rapid.IntRange(0, 6).Draw(rt, "on"),
			offDelay: rapid.IntRange(0, 6).Draw(rt, "off"),
			state:    facility.AlarmNormal,
		}
		e := compile(t, rule("r", rules.Rule{
			For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault",
			OnDelay: time.Duration(n.onDelay) * time.Second, OffDelay: time.Duration(n.offDelay) * time.Second,
		}))
		inputs := rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "", "bad", "0", "1", "1", "0"}), 1, 60).Draw(rt, "inputs")
		var got []string
		for s, input := range inputs {
			at := time.Duration(s) * time.Second
			if input != "" {
				got = append(got, script(t, e, fmt.Sprintf("%s pump-1/fault=%s", at, input))...)
			}
			ack := rapid.IntRange(0, 5).Draw(rt, "ack") == 0
			n.second(s, input, ack)
			if ack {
				got = append(got, script(t, e, fmt.Sprintf("%s tick", at))...)
				if a := e.Standing(); len(a) > 0 && a[0].State != facility.AlarmAcknowledged {
					got = append(got, script(t, e, fmt.Sprintf("%s ack r/pump-1", at))...)
				}
			} else if rapid.Bool().Draw(rt, "tick") {
				got = append(got, script(t, e, fmt.Sprintf("%s tick", at))...)
			}
		}
		got = append(got, script(t, e, fmt.Sprintf("%ds tick", len(inputs)-1))...)
		if !slices.Equal(got, n.out) {
			rt.Fatalf("engine:\n%s\nstop watch:\n%s", cmp.Diff(n.out, got), n.out)
		}
	})
}

// everything is a rule of each kind.
func everything() []rules.Rule {
	pumps := rules.Selector{Kinds: []string{"pump"}}
	meter := rules.Selector{Devices: []string{"main-water"}}
	return []rules.Rule{
		rule("fault", rules.Rule{For: pumps, When: "fault"}),
		rule("slow", rules.Rule{For: pumps, When: "fault", OnDelay: 3 * time.Second, OffDelay: 4 * time.Second}),
		rule("low", rules.Rule{For: pumps, When: `running and outlet_pressure < 2 and value("tank/level") > 1`, Clear: "outlet_pressure > 3", OnDelay: 2 * time.Second}),
		rule("silent", rules.Rule{For: meter, NoData: &rules.NoData{After: 7 * time.Second}}),
		rule("silent-each", rules.Rule{For: meter, NoData: &rules.NoData{After: 9 * time.Second, Quantities: []string{"flow", "total"}}}),
		rule("burst", rules.Rule{For: meter, Rate: &rules.Rate{Quantity: "total", Over: 5 * time.Second, Per: time.Second, Above: ptr(1.0), Clear: ptr(0.5)}}),
		rule("falling", rules.Rule{For: rules.Selector{Devices: []string{"tank"}}, Rate: &rules.Rate{Quantity: "level", Over: 4 * time.Second, Per: time.Second, Below: ptr(-0.5)}, OffDelay: 2 * time.Second}),
		rule("mean", rules.Rule{For: pumps, When: "avg(outlet_pressure, 4s) > 2 bar", Clear: "max(outlet_pressure, 6s) < 2 bar"}),
		rule("long", rules.Rule{For: pumps, When: "held(running and not fault, 3s) or held(fault) > 5 s", OffDelay: time.Second}),
		rule("restless", rules.Rule{For: pumps, When: "edges(running, 10s) >= 2 and not stale(running, 8s)"}),
		rule("grown", rules.Rule{For: meter, When: "increase(total, 5s) > 2 m3 or rate(flow, 4s) < -3000 or delta(flow, 3s) == 1"}),
		rule("lost", rules.Rule{For: meter, Groups: map[string]rules.Group{"pumps": {Selector: pumps}}, When: "count(pumps.running) == 1 or any(pumps.fault) and sum(pumps.outlet_pressure) > 3 bar"}),
		rule("timed", rules.Rule{For: meter, When: `flow > 1 and quality(flow) == good and between("12:00", "12:01")`}),
		rule("strange", rules.Rule{For: meter, When: "anomaly(flow) or flow > 2 * baseline(flow)"}),
		rule("night", rules.Rule{For: meter, When: "night_minimum(flow) > 0 and count(total, 20s) > 2 and min(flow, 5s) >= 0"}),
	}
}

var drawWord = rapid.Custom(func(rt *rapid.T) string {
	point := rapid.SampledFrom([]string{
		"pump-1/fault", "pump-1/running", "pump-1/outlet_pressure", "pump-2/fault", "pump-2/outlet_pressure", "pump-2/running",
		"tank/level", "main-water/total", "main-water/flow", "main-water/online", "main-water/flow",
	}).Draw(rt, "point")
	if rapid.IntRange(0, 11).Draw(rt, "quality") == 0 {
		return point + "=bad"
	}
	return fmt.Sprintf("%s=%d", point, rapid.IntRange(0, 4).Draw(rt, "value"))
})

// drawScript makes lines in order of time, with readings at whole and the rest at
// half seconds, and now and then an old reading.
func drawScript(rt *rapid.T) []string {
	lines := []string{"0s listen"}
	busy := rapid.IntRange(1, 6).Draw(rt, "busy")
	for s := range rapid.IntRange(1, 48).Draw(rt, "seconds") {
		for range rapid.IntRange(0, busy).Draw(rt, "readings") {
			at := s + 1 - max(0, rapid.IntRange(-20, 3).Draw(rt, "age"))
			lines = append(lines, fmt.Sprintf("%ds %s", at, drawWord.Draw(rt, "word")))
		}
		if rapid.IntRange(0, 3).Draw(rt, "tick") == 0 {
			lines = append(lines, fmt.Sprintf("%ds500ms tick", s+1))
		}
	}
	return append(lines, "50s tick")
}

func run(t testing.TB, e *rules.Engine, lines []string) []rules.Change {
	var out []rules.Change
	for i, line := range lines {
		out = append(out, play(t, e, line)...)
		// The oldest alarm that waits is acknowledged now and then, the same one in
		// each run.
		if standing := e.Standing(); i%5 == 4 && len(standing) > 0 {
			a := standing[i%len(standing)]
			if c, err := e.Acknowledge(a.ID, "wang", "seen", a.LastAt.Add(time.Minute)); err == nil {
				out = append(out, c)
			}
			e.SetOrder(a.ID, "order-of-"+a.Key)
		}
	}
	return out
}

func TestRestoreAnywhereGivesTheSameFuture(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lines := drawScript(rt)
		through := compile(t, everything()...)
		e := compile(t, everything()...)
		var want, got []rules.Change
		// Acknowledgements go by the index of the line, hence piece by piece.
		for cut := 0; cut < len(lines); cut += 5 {
			piece := lines[cut:min(cut+5, len(lines))]
			want = append(want, run(t, through, piece)...)
			data, err := e.Snapshot()
			if err != nil {
				rt.Fatal(err)
			}
			e = compile(t, everything()...)
			if rapid.Bool().Draw(rt, "used") {
				run(t, e, []string{"3s pump-1/fault=1 tank/level=3", "5s main-water/total=9", "20s tick"})
			}
			if err := e.Restore(data); err != nil {
				rt.Fatal(err)
			}
			if again, err := e.Snapshot(); err != nil || string(again) != string(data) {
				rt.Fatalf("snapshot after restore, %v:\n%s\nwant:\n%s", err, again, data)
			}
			if r := e.Retire(start); len(r) != 0 {
				rt.Fatalf("retired %v", r)
			}
			got = append(got, run(t, e, piece)...)
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatal(d)
		}
		if d := cmp.Diff(through.Standing(), e.Standing()); d != "" {
			rt.Fatal(d)
		}
	})
}

// ordered brings changes in one order, whatever calls found them.
func ordered(changes []rules.Change) []string {
	out := make([]string, len(changes))
	for i, c := range changes {
		out[i] = fmt.Sprintf("%012d %s %s", c.At.Sub(start), describe(c), c.Alarm.ID)
	}
	slices.Sort(out)
	return out
}

func TestWhenItIsFoundDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var lines, ticking []string
		var readings []facility.Reading
		for s := 1; s <= 60; s++ {
			if rapid.IntRange(0, 5).Draw(rt, "silence") > 0 {
				line := fmt.Sprintf("%ds %s", s, drawWord.Draw(rt, "word"))
				lines, ticking = append(lines, line), append(ticking, line)
				readings = append(readings, reading(t, start.Add(time.Duration(s)*time.Second), line[len(fmt.Sprint(s))+2:]))
			}
			ticking = append(ticking, fmt.Sprintf("%ds500ms tick", s))
		}
		play := func(lines []string) (out []rules.Change) {
			e := compile(t, everything()...)
			e.Listen(start)
			for _, l := range append(slices.Clone(lines), "100s tick") {
				out = append(out, play(t, e, l)...)
			}
			return out
		}
		want := ordered(play(ticking))
		if d := cmp.Diff(want, ordered(play(lines))); d != "" {
			rt.Fatalf("without ticks:\n%s", d)
		}
		e := compile(t, everything()...)
		e.Listen(start)
		all := append(e.Observe(readings...), e.Advance(start.Add(100*time.Second))...)
		if d := cmp.Diff(want, ordered(all)); d != "" {
			rt.Fatalf("all at once:\n%s", d)
		}
	})
}

func TestSameCallsGiveTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lines := drawScript(rt)
		if d := cmp.Diff(run(t, compile(t, everything()...), lines), run(t, compile(t, everything()...), lines)); d != "" {
			rt.Fatal(d)
		}
	})
}

// TestSlopeAgainstDefinition compares the rate with its definition: the change
// from the last reading that is at least Over old, resets left out.
func TestSlopeAgainstDefinition(t *testing.T) {
	const over = time.Minute
	rapid.Check(t, func(rt *rapid.T) {
		e := compile(t, rule("burst", rules.Rule{For: rules.Selector{Devices: []string{"main-water"}}, Rate: &rules.Rate{Quantity: "total", Over: over, Per: time.Second, Above: ptr(0.5)}}))
		type sample struct {
			at  time.Time
			sum float64
		}
		var samples []sample
		at, last, sum := start, 0.0, 0.0
		for range rapid.IntRange(1, 30).Draw(rt, "samples") {
			at = at.Add(time.Duration(rapid.IntRange(1, 40).Draw(rt, "pause")) * time.Second)
			v := float64(rapid.IntRange(0, 100).Draw(rt, "value"))
			if len(samples) > 0 {
				sum += max(0, v-last)
			}
			last = v
			samples = append(samples, sample{at, sum})
			changes := e.Observe(facility.Reading{Point: facility.PointID{Device: "main-water", Quantity: "total"}, Time: at, Value: v, Quality: facility.Good})
			base := -1
			for i, s := range samples {
				if at.Sub(s.at) >= over {
					base = i
				}
			}
			active := len(e.Standing()) > 0 && e.Standing()[0].State.Active()
			if base < 0 {
				if active {
					rt.Fatal("raised before the time has passed")
				}
				continue
			}
			rate := (sum - samples[base].sum) / at.Sub(samples[base].at).Seconds()
			if want := rate > 0.5; active != want {
				rt.Fatalf("active %v at a rate of %v", active, rate)
			}
			for _, c := range changes {
				if active && (c.Alarm.Value < rate-1e-9 || c.Alarm.Value > rate+1e-9) {
					rt.Fatalf("alarm shows %v, want %v", c.Alarm.Value, rate)
				}
			}
		}
	})
}

// A counter that rolls over has not stood still, and one that was exchanged has not
// let all that its register shows flow at once.
func TestSlopeOverTheEndOfARegister(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		raised bool
	}{
		{"rolls over", []float64{999_999, 1}, true},
		{"exchanged for a used one", []float64{500_000, 200_000}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			site := estate()
			for _, d := range site.Devices {
				for i := range d.Points {
					if d.Points[i].Kind == facility.Counter {
						d.Points[i].Wrap = 1e6
					}
				}
			}
			burst := rule("burst", rules.Rule{
				For:  rules.Selector{Devices: []string{"main-water"}},
				Rate: &rules.Rate{Quantity: "total", Over: time.Minute, Per: time.Minute, Above: ptr(1.5)},
			})
			e, problems := rules.Compile([]rules.Rule{burst}, site)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			for i, v := range test.values {
				e.Observe(facility.Reading{
					Point: facility.PointID{Device: "main-water", Quantity: "total"},
					Time:  start.Add(time.Duration(i) * time.Minute), Value: v, Quality: facility.Good,
				})
			}
			raised := len(e.Standing()) > 0 && e.Standing()[0].State.Active()
			if raised != test.raised {
				t.Errorf("raised %v, want %v", raised, test.raised)
			}
		})
	}
}
