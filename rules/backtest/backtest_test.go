package backtest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/backtest"
	"gengfu/rules/scenario"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// estate has two pumps whose quantities have no unit, so that whatever is drawn may
// stand beside whatever else.
func estate() facility.Estate {
	e := facility.Estate{Site: facility.Site{ID: "test", Zone: time.UTC}}
	for _, id := range []string{"pump-1", "pump-2"} {
		d := facility.Device{ID: id, Kind: "pump", Name: facility.Text{ZH: id, EN: id}}
		for quantity, kind := range map[string]facility.PointKind{"fault": facility.Signal, "running": facility.Signal, "pressure": facility.Measure, "starts": facility.Counter} {
			d.Points = append(d.Points, facility.Point{ID: facility.PointID{Device: id, Quantity: quantity}, Kind: kind})
		}
		slices.SortFunc(d.Points, func(a, b facility.Point) int { return len(a.ID.Quantity) - len(b.ID.Quantity) })
		e.Devices = append(e.Devices, d)
	}
	return e
}

func rule(id string, r rules.Rule) rules.Rule {
	r.ID, r.Name, r.Priority = id, facility.Text{ZH: "异常", EN: "trouble"}, facility.P2
	r.For = rules.Selector{Kinds: []string{"pump"}}
	return r
}

func reading(point string, at time.Duration, value float64) facility.Reading {
	id, err := facility.ParsePointID(point)
	if err != nil {
		panic(err)
	}
	return facility.Reading{Point: id, Time: start.Add(at), Value: value, Quality: facility.Good}
}

func backtested(t testing.TB, from time.Duration, rs []rules.Rule, readings ...facility.Reading) backtest.Result {
	t.Helper()
	r, problems := backtest.New(backtest.Settings{Rules: rs, Estate: estate(), Begin: start, From: start.Add(from)})
	if problems != nil {
		t.Fatal(problems)
	}
	r.Take(readings)
	return r.End(start.Add(240 * time.Hour))
}

// TestOccurrencesAndOrders: a fault makes an order, one that comes again within a day
// opens it again, one that comes later makes another; what was before From is not
// counted.
func TestOccurrencesAndOrders(t *testing.T) {
	rs := []rules.Rule{rule("r", rules.Rule{When: "fault", Order: rules.OrderPolicy{Category: "pump"}}), rule("q", rules.Rule{When: "running"})}
	silent := fact{taken: 30 * 3600, point: "pump-1/running", bad: true}
	bit := func(at time.Duration, v float64) facility.Reading { return reading("pump-1/fault", at, v) }
	h := time.Hour
	r := backtested(t, 10*h, rs,
		bit(9*h, 1), bit(11*h, 0), // stands at From
		silent.reading(),
		bit(40*h, 1), bit(41*h, 0), // a new order: the one of before ended more than a day ago
		bit(50*h, 1), bit(51*h, 0), // within a day
		reading("pump-2/running", 60*h, 0),
		reading("pump-2/pressure", 60*h, 0), // no rule asks for it
		bit(200*h, 1))
	var got []string
	for _, o := range r.Occurrences {
		end := "stands"
		if o.To != nil {
			end = o.To.Sub(start).String()
		}
		got = append(got, fmt.Sprintf("%s %s-%s %s", o.Key, o.From.Sub(start), end, o.Order))
	}
	want := []string{"r/pump-1 40h0m0s-41h0m0s new", "r/pump-1 50h0m0s-51h0m0s reopened", "r/pump-1 200h0m0s-stands new"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if r.Alarms != 3 || r.Orders != 2 || r.Reopened != 1 || r.Notices != 3 || r.Standing != 1 || r.Readings != 9 {
		t.Errorf("%d alarms, %d orders, %d reopened, %d notices, %d standing, %d readings", r.Alarms, r.Orders, r.Reopened, r.Notices, r.Standing, r.Readings)
	}
	if !slices.Equal(r.Unheard, []string{"r/pump-2"}) || !slices.Equal(r.Unknown, []string{"q/pump-1"}) {
		t.Errorf("unheard %q, unknown %q", r.Unheard, r.Unknown)
	}
}

// TestOrderOfRows: the history gives one device after the other, a backtest hears them
// by their times.
func TestOrderOfRows(t *testing.T) {
	rs := []rules.Rule{rule("r", rules.Rule{When: `fault and value("pump-2/running")`})}
	r := backtested(t, 0, rs,
		reading("pump-1/fault", 1*time.Second, 0), reading("pump-1/fault", 10*time.Second, 1),
		reading("pump-2/running", 2*time.Second, 1), reading("pump-2/running", 5*time.Second, 0), reading("pump-2/running", 20*time.Second, 1))
	if len(r.Occurrences) != 1 || !r.Occurrences[0].From.Equal(start.Add(20*time.Second)) {
		t.Errorf("%+v", r.Occurrences)
	}
}

// fact is a reading and when it arrived, in seconds from the start.
type fact struct {
	arrived, taken int
	point          string
	value          int
	bad            bool
}

func (f fact) reading() facility.Reading {
	r := reading(f.point, time.Duration(f.taken)*time.Second, float64(f.value))
	if f.bad {
		r.Value, r.Quality, r.Reason = 0, facility.Bad, facility.NoAnswer
	}
	return r
}

var conditions = []string{
	"fault", "fault and not running", "pressure > 1", "avg(pressure, 17s) > 1.5", "held(pressure > 0, 6s)", "edges(running, 30s) >= 2",
	"stale(pressure, 8s)", "never(running)", "increase(starts, 20s) >= 2", "quality(fault) == bad", "held(fault) > 4 s", "rate(pressure, 5s) > 900",
	`fault or value("pump-2/fault")`, "max(pressure, 9s) - min(pressure, 9s) >= 2", "running and hour < 0.01",
}

func drawRules(rt *rapid.T) []rules.Rule {
	var out []rules.Rule
	for i := range rapid.IntRange(1, 4).Draw(rt, "rules") {
		r := rules.Rule{
			When:     rapid.SampledFrom(conditions).Draw(rt, "when"),
			OnDelay:  time.Duration(rapid.IntRange(0, 5).Draw(rt, "on")) * time.Second,
			OffDelay: time.Duration(rapid.IntRange(0, 5).Draw(rt, "off")) * time.Second,
		}
		if rapid.Bool().Draw(rt, "has clear") {
			r.Clear = rapid.SampledFrom(conditions).Draw(rt, "clear")
		}
		out = append(out, rule(fmt.Sprintf("r%d", i), r))
	}
	return append(out, rule("silent", rules.Rule{NoData: &rules.NoData{After: 12 * time.Second}}))
}

// drawFacts makes facts in the order of their arrival; with late, some of them were
// taken long before. No two of one second.
func drawFacts(rt *rapid.T, late bool) []fact {
	var out []fact
	for s := 1; s < rapid.IntRange(20, 120).Draw(rt, "seconds"); s += rapid.IntRange(1, 5).Draw(rt, "pause") {
		f := fact{
			arrived: s, taken: s, value: rapid.IntRange(0, 3).Draw(rt, "value"), bad: rapid.IntRange(0, 9).Draw(rt, "bad") == 0,
			point: rapid.SampledFrom([]string{"pump-1/fault", "pump-1/running", "pump-1/pressure", "pump-1/starts", "pump-2/fault", "pump-2/running", "pump-2/pressure"}).Draw(rt, "point"),
		}
		if late && rapid.IntRange(0, 4).Draw(rt, "late") == 0 {
			f.taken = max(1, s-rapid.IntRange(1, 40).Draw(rt, "by"))
		}
		out = append(out, f)
	}
	return out
}

const end = 200 * time.Second

// live judges as the gateway does: facts as they come, time passing each second of the
// clock between, and the program killed and started again.
func live(t *testing.T, rs []rules.Rule, facts []fact, restart int) []rules.Change {
	made := func() *rules.Engine {
		e, problems := rules.Compile(rs, estate())
		if problems != nil {
			t.Fatal(problems)
		}
		return e
	}
	e := made()
	e.Listen(start)
	var out []rules.Change
	for i, f := range facts {
		out = append(out, e.Hear(start.Add(time.Duration(f.arrived)*time.Second), f.reading())...)
		next := int(end / time.Second)
		if i+1 < len(facts) {
			next = facts[i+1].arrived
		}
		for s := f.arrived; s < next; s++ {
			out = append(out, e.Advance(start.Add(time.Duration(s)*time.Second+300*time.Millisecond))...)
		}
		if i == restart {
			again := made()
			if err := again.TakeOver(e, start); err != nil {
				t.Fatal(err)
			}
			e = again
		}
	}
	return append(out, e.Advance(start.Add(end))...)
}

// test plays the facts as a scenario.
func test(t *testing.T, rs []rules.Rule, facts []fact) []rules.Change {
	s := scenario.Scenario{Name: "drawn", End: end.String()}
	for _, f := range facts {
		step := scenario.Step{At: fmt.Sprintf("%ds", f.arrived), Given: map[string]any{f.point: f.value}}
		if f.bad {
			step.Given[f.point] = "bad"
		}
		if f.taken != f.arrived {
			step.Taken = fmt.Sprintf("%ds", f.taken)
		}
		s.Timeline = append(s.Timeline, step)
	}
	o := scenario.File{Scenarios: []scenario.Scenario{s}}.Run(scenario.World{Rules: rs, Estate: estate()})[0]
	for _, p := range o.Failures { // nothing is expected: whatever comes is left at the end
		if p.Path != "scenarios[0].timeline" {
			t.Fatal(p)
		}
	}
	return o.Changes
}

// replay plays the facts in the order of their arrival.
func replay(t *testing.T, rs []rules.Rule, facts []fact) []rules.Change {
	e, problems := rules.Compile(rs, estate())
	if problems != nil {
		t.Fatal(problems)
	}
	p := backtest.NewPlayer(e, start)
	var out []rules.Change
	for _, f := range facts {
		out = append(out, p.Take(start.Add(time.Duration(f.arrived)*time.Second), f.reading())...)
	}
	return append(out, p.Pass(start.Add(end))...)
}

// past runs a backtest over the facts as a history gives them: one point after the other.
func past(t *testing.T, rs []rules.Rule, facts []fact) []rules.Change {
	var out []rules.Change
	r, problems := backtest.New(backtest.Settings{Rules: rs, Estate: estate(), Begin: start, From: start, Changes: func(c rules.Change) { out = append(out, c) }})
	if problems != nil {
		t.Fatal(problems)
	}
	var readings []facility.Reading
	for _, f := range facts {
		readings = append(readings, f.reading())
	}
	slices.SortStableFunc(readings, func(a, b facility.Reading) int {
		return slices.Compare([]byte(a.Point.String()), []byte(b.Point.String()))
	})
	r.Take(readings)
	r.End(start.Add(end + 1))
	return out
}

// TestLiveTestReplayAndBacktestAgree: the same facts in the same order of arrival give
// the same changes in the same order, byte for byte, whoever judges them and however
// often time passes between. A history knows no arrival, so a backtest is held to it
// where nothing came late.
func TestLiveTestReplayAndBacktestAgree(t *testing.T) {
	changed := 0
	rapid.Check(t, func(rt *rapid.T) {
		late := rapid.Bool().Draw(rt, "some come late")
		rs, facts := drawRules(rt), drawFacts(rt, late)
		want := text(t, replay(t, rs, facts))
		lived := live(t, rs, facts, rapid.IntRange(-1, len(facts)-1).Draw(rt, "restart"))
		if got := text(t, lived); got != want {
			rt.Fatalf("live of %+v\n%s\nreplay\n%s", facts, got, want)
		}
		others := map[string][]rules.Change{
			"test": test(t, rs, facts),
		}
		if !late {
			others["backtest"] = past(t, rs, facts)
		}
		for name, changes := range others {
			if got := text(t, changes); got != want {
				rt.Fatalf("%s of %+v\n%s\nreplay\n%s", name, facts, got, want)
			}
		}
		changed += len(lived)
	})
	if changed < 50 {
		t.Errorf("%d changes: the test says little", changed)
	}
}

// text is the changes as bytes, a line each.
func text(t *testing.T, changes []rules.Change) string {
	t.Helper()
	var out []byte
	for _, c := range changes {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, line...), '\n')
	}
	return string(out)
}

// BenchmarkReading is what one reading of the past costs three rules with windows.
func BenchmarkReading(b *testing.B) {
	rs := []rules.Rule{
		rule("a", rules.Rule{When: "avg(pressure, 15m) > 2", OnDelay: time.Minute}),
		rule("b", rules.Rule{When: "held(pressure > 2, 10m)"}),
		rule("c", rules.Rule{NoData: &rules.NoData{After: 15 * time.Minute}}),
	}
	r, problems := backtest.New(backtest.Settings{Rules: rs, Estate: estate(), Begin: start, From: start})
	if problems != nil {
		b.Fatal(problems)
	}
	batch := make([]facility.Reading, 0, 1000)
	at := time.Duration(0)
	for b.Loop() {
		at += 10 * time.Second
		batch = append(batch, reading("pump-1/pressure", at, float64(int(at/time.Hour)%4)))
		if len(batch) == cap(batch) {
			r.Take(batch)
			batch = batch[:0]
		}
	}
}
