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

// TestLateFacts is the definition of what a late fact does, see the comment of the
// package.
func TestLateFacts(t *testing.T) {
	pump := rules.Selector{Devices: []string{"pump-1"}}
	tests := []struct {
		name  string
		rule  rules.Rule
		lines []string
		want  []string
		late  uint64
		fills uint64
	}{
		{
			"a late reading raises nothing and clears nothing", rule("r", rules.Rule{For: pump, When: "fault"}),
			[]string{"10s pump-1/fault=0", "5s pump-1/fault=1", "20s pump-1/fault=1", "15s pump-1/fault=0"},
			[]string{"20s raise r/pump-1 unacknowledged"},
			2, 0,
		},
		{
			"a backlog fills a window by its own time, and the next reading is judged with it", rule("r", rules.Rule{For: pump, When: "avg(outlet_pressure, 60s) > 2 bar"}),
			[]string{"60s pump-1/outlet_pressure=1", "0s pump-1/outlet_pressure=4", "20s pump-1/outlet_pressure=4", "40s pump-1/outlet_pressure=4", "61s pump-1/outlet_pressure=1"},
			[]string{"1m1s raise r/pump-1 unacknowledged"},
			3, 3,
		},
		{
			"a backlog that comes twice fills once", rule("r", rules.Rule{For: pump, When: "count(outlet_pressure, 60s) > 4"}),
			[]string{
				"60s pump-1/outlet_pressure=1", "10s pump-1/outlet_pressure=3", "20s pump-1/outlet_pressure=3", "10s pump-1/outlet_pressure=3", "20s pump-1/outlet_pressure=3",
				"61s pump-1/outlet_pressure=1", "71s pump-1/outlet_pressure=1",
			},
			nil, 4, 2,
		},
		{
			"an alarm stands that a backlog shows to be wrong, until it is judged anew", rule("r", rules.Rule{For: pump, When: "max(outlet_pressure, 60s) < 2 bar"}),
			[]string{"0s pump-1/outlet_pressure=1", "60s pump-1/outlet_pressure=1", "30s pump-1/outlet_pressure=5", "61s tick", "62s pump-1/outlet_pressure=1"},
			[]string{"59s raise r/pump-1 unacknowledged", "1m2s clear r/pump-1 returned"},
			1, 1,
		},
		{
			"a counter's backlog moves nothing twice", rule("r", rules.Rule{For: pump, When: "increase(starts, 60s) == 6"}),
			[]string{"0s pump-1/starts=0", "60s pump-1/starts=6", "30s pump-1/starts=2", "30s pump-1/starts=2"},
			[]string{"1m0s raise r/pump-1 unacknowledged"},
			2, 1,
		},
		{
			"what is too old for the window fills nothing", rule("r", rules.Rule{For: pump, When: "sum(outlet_pressure, 60s) > 5 bar"}),
			[]string{"100s pump-1/outlet_pressure=1", "10s pump-1/outlet_pressure=9", "160s pump-1/outlet_pressure=1"},
			nil, 1, 0,
		},
		{
			"bad ones fill nothing", rule("r", rules.Rule{For: pump, When: "count(outlet_pressure, 60s) > 1"}),
			[]string{"60s pump-1/outlet_pressure=1", "0s pump-1/outlet_pressure=bad", "1s pump-1/outlet_pressure=NaN", "61s pump-1/outlet_pressure=1"},
			nil, 2, 0,
		},
		{
			"what needs the order goes by the order in which it became known", rule("r", rules.Rule{For: pump, When: "edges(running, 30s) >= 1 or held(running, 30s)"}),
			[]string{"0s pump-1/running=0", "40s pump-1/running=0", "10s pump-1/running=1", "20s pump-1/running=0", "41s pump-1/running=0"},
			nil, 2, 0,
		},
		{
			"an urgent bit that overtook the telemetry beside it", rule("r", rules.Rule{For: pump, When: "fault and outlet_pressure < 1 bar"}),
			[]string{"0s pump-1/outlet_pressure=3", "10s pump-1/fault=1", "8s pump-1/outlet_pressure=0.5"},
			[]string{"10s raise r/pump-1 unacknowledged"},
			0, 0,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := compile(t, test.rule)
			wantLines(t, script(t, e, test.lines...), test.want)
			if s := e.Stats(); s.Late != test.late || s.Filled != test.fills {
				t.Errorf("%d late and %d filled, want %d and %d", s.Late, s.Filled, test.late, test.fills)
			}
		})
	}
}

// TestNothingSaidIsTakenBack: whatever comes late, no change bears a time before that
// of one which was handed out for the same alarm.
func TestNothingSaidIsTakenBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := compile(t, everything()...)
		last := map[string]time.Time{}
		for _, line := range drawScript(rt) {
			for _, c := range play(t, e, line) {
				if c.At.Before(last[c.Alarm.Key]) {
					rt.Fatalf("%s after %s", describe(c), last[c.Alarm.Key].Sub(start))
				}
				last[c.Alarm.Key] = c.At
			}
		}
	})
}

// TestABacklogGivesTheSameWindows: with readings that came late filled in, the rules
// over windows judge the next reading as if all had come in time.
func TestABacklogGivesTheSameWindows(t *testing.T) {
	when := []string{"avg(outlet_pressure, 2m) > 2 bar", "max(outlet_pressure, 2m) > 3 bar", "sum(outlet_pressure, 2m) > 30 bar", "count(outlet_pressure, 2m) > 20", "increase(starts, 2m) > 9"}
	var rs []rules.Rule
	for i, w := range when {
		rs = append(rs, rule(fmt.Sprintf("r%d", i), rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: w}))
	}
	standing := func(e *rules.Engine) (out []string) {
		for _, f := range e.Findings() {
			out = append(out, fmt.Sprintf("%s %s %v", f.Rule, f.Truth, f.Value))
		}
		return out
	}
	rapid.Check(t, func(rt *rapid.T) {
		var lines []string
		starts := 0
		for s := 0; s <= 240; s += 5 {
			starts += rapid.IntRange(0, 1).Draw(rt, "starts")
			lines = append(lines, fmt.Sprintf("%ds pump-1/outlet_pressure=%d pump-1/starts=%d", s, rapid.IntRange(0, 4).Draw(rt, "pressure"), starts))
		}
		from := rapid.IntRange(1, len(lines)-3).Draw(rt, "from")
		to := rapid.IntRange(from, len(lines)-3).Draw(rt, "to")
		mixed := slices.Concat(lines[:from], lines[to:len(lines)-1], lines[from:to], lines[len(lines)-1:])
		inTime, late := compile(t, rs...), compile(t, rs...)
		script(t, inTime, lines...)
		script(t, late, mixed...)
		if d := cmp.Diff(standing(inTime), standing(late)); d != "" {
			rt.Fatal(d)
		}
	})
}

// TestSwappedRules: what others remember stays, and so do the windows of a rule whose
// limit is another.
func TestSwappedRules(t *testing.T) {
	pump := rules.Selector{Devices: []string{"pump-1"}}
	mean := rule("mean", rules.Rule{For: pump, When: "avg(outlet_pressure, 2m) > 4 bar"})
	held := rule("held", rules.Rule{For: pump, When: "held(running, 2m)", OnDelay: time.Minute})
	edges := rule("edges", rules.Rule{For: pump, When: "edges(fault, 3m) >= 2"})
	before := compile(t, mean, held, edges)
	script(t, before, "0s pump-1/running=1 pump-1/fault=0 pump-1/outlet_pressure=3", "60s pump-1/outlet_pressure=3", "70s pump-1/fault=1", "80s pump-1/fault=0", "110s pump-1/outlet_pressure=3")
	mean.When = "avg(outlet_pressure, 2m) > 2 bar"
	after := compile(t, edges, rule("new", rules.Rule{For: pump, When: "delta(outlet_pressure, 1m) == 0"}), mean, held)
	if err := after.TakeOver(before, start.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got := after.Retire(start); len(got) > 0 {
		t.Errorf("retired %v", got)
	}
	wantLines(t, script(t, after, "121s pump-1/outlet_pressure=3", "160s pump-1/fault=1", "4m tick"), []string{
		"2m1s raise mean/pump-1 unacknowledged", // its window was full
		"2m57s raise edges/pump-1 unacknowledged",
		"3m0s raise held/pump-1 unacknowledged", // held for two minutes, and one more
	})
}

// TestSwappedSilence: of what nobody asked for until then silence counts from the swap on,
// of all else as before.
func TestSwappedSilence(t *testing.T) {
	pump := rules.Selector{Devices: []string{"pump-1"}}
	silent := func(id, quantity string) rules.Rule {
		return rule(id, rules.Rule{For: pump, NoData: &rules.NoData{Quantities: []string{quantity}, After: 2 * time.Minute}})
	}
	old := silent("old", "fault")
	before := compile(t, old)
	script(t, before, "0s tick", "1m tick")
	after := compile(t, old, silent("heard", "fault"), silent("new", "running"))
	if err := after.TakeOver(before, start.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	again := compile(t, old, silent("new", "running"), silent("newer", "outlet_pressure"))
	wantLines(t, script(t, after, "150s tick"), []string{
		"2m0s raise old/pump-1 unacknowledged", "2m0s raise heard/pump-1 unacknowledged",
	})
	if err := again.TakeOver(after, start.Add(150*time.Second)); err != nil {
		t.Fatal(err)
	}
	wantLines(t, script(t, again, "5m tick"), []string{
		"3m0s raise new/pump-1 unacknowledged", "4m30s raise newer/pump-1 unacknowledged",
	})
}

// TestABacklogBehindAStalePointCounts: each occurrence counts, though all are judged as
// of the instant at which the point was found stale.
func TestABacklogBehindAStalePointCounts(t *testing.T) {
	estate := estate()
	estate.Devices[0].Points[0].Period = time.Second // fault
	e, problems := rules.Compile([]rules.Rule{rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault"})}, estate)
	if e == nil {
		t.Fatal(problems)
	}
	stale := 10*time.Second + 3*facility.BadKeepAlive // somebody listens from 10 s on
	at := func(event string) string { return fmt.Sprintf("%s %s", stale, event) }
	wantLines(t, script(t, e,
		"0s pump-1/fault=1", "10s tick", "1h tick", "1s pump-1/fault=0", "2s pump-1/fault=1", "3s pump-1/fault=0", "4s pump-1/fault=1", "1h tick", "2h pump-1/fault=1",
	), []string{
		"0s raise r/pump-1 unacknowledged",
		at("unknown r/pump-1 unacknowledged unknown"),
		at("known r/pump-1 unacknowledged"),
		at("clear r/pump-1 returned"),
		at("recur r/pump-1 unacknowledged x2"),
		at("clear r/pump-1 returned x2"),
		at("recur r/pump-1 unacknowledged x3"),
		at("unknown r/pump-1 unacknowledged unknown x3"), // by the second tick
		"2h0m0s known r/pump-1 unacknowledged x3",
	})
}
