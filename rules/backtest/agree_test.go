package backtest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/backtest"
	"gengfu/rules/scenario"
)

// drawn is one world of random rules and facts. Its times are in units, of a second as
// well as of hours, so that a run of some hundred of them is minutes or a month.
type drawn struct {
	unit   time.Duration
	begin  time.Time
	estate facility.Estate
	rules  []rules.Rule
	facts  []fact
	late   bool // some facts came late
}

// units is how long a run is.
const units = 200

// fact is what arrived together, and was taken at one time: values of points, where a
// nil is a bad one. Times are in units from the beginning.
type fact struct {
	arrived, taken int
	values         map[string]any
}

func (d drawn) after(n int) time.Time { return d.begin.Add(time.Duration(n) * d.unit) }

func (d drawn) readings(f fact) []facility.Reading {
	var out []facility.Reading
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		r := reading(name, 0, 0)
		r.Time = d.after(f.taken)
		if v, ok := f.values[name].(int); ok {
			r.Value = float64(v)
		} else {
			r.Quality, r.Reason = facility.Bad, facility.NoAnswer
		}
		out = append(out, r)
	}
	return out
}

// conditions are of each function of the language; 17u is so many units of time.
var conditions = []string{
	"fault", "fault and not running", "pressure > 1", "quality(fault) == bad", "never(running)", `fault or value("pump-2/fault")`,
	"avg(pressure, 17u) > 1.5", "sum(pressure, 17u) > 4", "count(pressure, 17u) >= 3", "max(pressure, 9u) - min(pressure, 9u) >= 2", "delta(pressure, 9u) < -1",
	"increase(starts, 20u) >= 2", "rate(starts, 9u) * 9 * u >= 3", "rate(pressure, 5u) * 5 * u > 1", "stale(pressure, 8u)", "stale(pressure)",
	"held(pressure > 0, 6u)", "held(fault) > 4 * u h", "edges(running, 30u) >= 2", "held(pressure > 1 and not stale(running, 8u), 6u) or edges(fault, 9u) > 1",
	"any(others.fault) and sum(others.pressure) > 2", "count(others.running) == 1", "avg(max(others.pressure, 9u)) > 2", "all(others.running) or running",
	"balance(starts, others.starts, 20u) > 2", "balance(pressure, others.pressure) > 1", "night_minimum(pressure) > 0", "night_minimum(starts) > 0.1", "pressure > night_minimum(pressure, 3)",
	"pressure > 1.2 * baseline(pressure)", "anomaly(pressure)", "anomaly_score(pressure) > 0.3",
	`pressure > 0 and between("23:59", "02:00")`, `running and during("night")`, "fault and holiday", "running and workday", "running and weekday == 1 and hour < 12",
	"(running ? pressure : 2) > most", "pressure >= most or fault", "pressure / (1 + starts) > 0.5", "bitand(int(pressure), 2) != 0 and abs(pressure - starts) > 1", "min(pressure, starts, 2) > 1",
}

var inUnits = regexp.MustCompile(`\b(\d+)u\b`)

// condition draws one, in the world's unit.
func (d drawn) condition(rt *rapid.T, label string) string {
	text := rapid.SampledFrom(conditions).Draw(rt, label)
	if rapid.IntRange(0, 3).Draw(rt, "joined") == 0 {
		text = fmt.Sprintf(rapid.SampledFrom([]string{"%s and (%s)", "(%s) or %s", "not (%s) and not (%s)"}).Draw(rt, "join"), text, rapid.SampledFrom(conditions).Draw(rt, "with"))
	}
	text = inUnits.ReplaceAllStringFunc(text, func(s string) string {
		n, err := strconv.Atoi(s[:len(s)-1])
		if err != nil {
			panic(err)
		}
		return (time.Duration(n) * d.unit).String()
	})
	return regexp.MustCompile(`\bu\b`).ReplaceAllString(text, strconv.FormatFloat(d.unit.Hours(), 'f', -1, 64))
}

func (d drawn) rule(rt *rapid.T, id string) rules.Rule {
	r := rules.Rule{
		When:     d.condition(rt, "when"),
		Groups:   map[string]rules.Group{"others": {Selector: rules.Selector{Kinds: []string{"pump"}}}},
		OnDelay:  time.Duration(rapid.IntRange(0, 5).Draw(rt, "on")) * d.unit,
		OffDelay: time.Duration(rapid.IntRange(0, 5).Draw(rt, "off")) * d.unit,
		Latch:    rapid.IntRange(0, 5).Draw(rt, "latch") == 0,
		Realarm:  time.Duration(rapid.IntRange(0, 2).Draw(rt, "realarm")) * time.Hour,
		Quiet:    time.Duration(rapid.IntRange(0, 2).Draw(rt, "quiet")) * time.Hour,
	}
	switch rapid.IntRange(0, 3).Draw(rt, "clears") {
	case 0:
		r.Clear = "not (" + d.condition(rt, "clear") + ")"
	case 1:
		r.When, r.Deadband = rapid.SampledFrom([]string{"pressure > most", "pressure >= most"}).Draw(rt, "compared"), "0.5"
	}
	override := rules.Override{OnDelay: new(3 * d.unit)}
	if regexp.MustCompile(`\bmost\b`).MatchString(r.When + " " + r.Clear) {
		r.Limits, override.Limits = map[string]string{"most": "1"}, map[string]string{"most": "2"}
	}
	if rapid.Bool().Draw(rt, "overridden") {
		r.Overrides = map[string]rules.Override{"pump-2": override}
	}
	return rule(id, r)
}

// draw makes a world: at midnight, on the day before one that most years lack, or on
// New Year's Eve at the site.
func draw(rt *rapid.T) drawn {
	d := drawn{
		unit: rapid.SampledFrom([]time.Duration{time.Second, 40 * time.Minute, 3 * time.Hour}).Draw(rt, "unit"),
		begin: rapid.SampledFrom([]time.Time{
			start, time.Date(2028, 2, 28, 15, 59, 30, 0, time.UTC), time.Date(2026, 12, 31, 15, 58, 0, 0, time.UTC),
		}).Draw(rt, "begin"),
		estate: estate(), late: rapid.Bool().Draw(rt, "some come late"),
	}
	d.estate.Site.Zone = time.FixedZone("CST", 8*3600)
	d.estate.Calendars = []facility.Calendar{
		{ID: "night", From: 22 * time.Hour, Until: 6 * time.Hour},
		{ID: "holidays", Days: []facility.Day{{Year: 2028, Month: 2, Date: 29}, {Year: 2027, Month: 1, Date: 1}, {Year: 2026, Month: 1, Date: 7}}},
	}
	wrap, period := rapid.SampledFrom([]float64{0, 4}).Draw(rt, "wrap"), time.Duration(rapid.SampledFrom([]int{0, 4}).Draw(rt, "period"))*d.unit
	for _, device := range d.estate.Devices {
		for i := range device.Points {
			device.Points[i].Period = period
			if device.Points[i].Kind == facility.Counter {
				device.Points[i].Wrap = wrap
			}
		}
	}
	for i := range rapid.IntRange(1, 4).Draw(rt, "rules") {
		d.rules = append(d.rules, d.rule(rt, fmt.Sprintf("r%d", i)))
	}
	limit, over := 0.3/d.unit.Hours(), 7*d.unit
	d.rules = append(d.rules, rule("silent", rules.Rule{NoData: &rules.NoData{After: 12 * d.unit}}),
		rule("silent-each", rules.Rule{NoData: &rules.NoData{After: 30 * d.unit, Quantities: []string{"pressure", "fault"}}}),
		rule("fast", rules.Rule{Rate: &rules.Rate{Quantity: "starts", Over: over, Above: &limit}}))
	d.facts = drawFacts(rt, d.late)
	return d
}

// drawFacts makes facts in the order of their arrival; with late, some of them were
// taken long before, or at the time of one that came.
func drawFacts(rt *rapid.T, late bool) []fact {
	var out []fact
	point := rapid.SampledFrom([]string{"pump-1/fault", "pump-1/running", "pump-1/pressure", "pump-1/starts", "pump-2/fault", "pump-2/running", "pump-2/pressure", "pump-2/starts"})
	for s := 1; s < rapid.IntRange(20, 150).Draw(rt, "units"); s += rapid.IntRange(1, 5).Draw(rt, "pause") {
		f := fact{arrived: s, taken: s, values: map[string]any{}}
		for range rapid.IntRange(1, 5).Draw(rt, "together") {
			var v any = rapid.IntRange(0, 3).Draw(rt, "value")
			if rapid.IntRange(0, 9).Draw(rt, "bad") == 0 {
				v = nil
			}
			f.values[point.Draw(rt, "point")] = v
		}
		if late && rapid.IntRange(0, 4).Draw(rt, "late") == 0 {
			f.taken = max(1, s-rapid.IntRange(1, 40).Draw(rt, "by"))
		}
		out = append(out, f)
	}
	return out
}

// odd is a detector that wonders at what is more than twice the mean of all before.
type odd struct{ Sum, N float64 }

func (o *odd) Observe(_ time.Time, v float64) rules.Verdict {
	out := rules.Verdict{Sure: o.N >= 3}
	if o.N > 0 {
		out.Baseline = o.Sum / o.N
		out.Flag = v > 2*out.Baseline
		out.Score = v / (v + out.Baseline + 1)
	}
	o.Sum, o.N = o.Sum+v, o.N+1
	return out
}

func (o *odd) Snapshot() ([]byte, error) { return json.Marshal(o) }
func (o *odd) Restore(data []byte) error { return json.Unmarshal(data, o) }

var detectors = rules.WithDetectors(func(_ facility.Device, p facility.Point) rules.Detector {
	if p.Kind != facility.Measure {
		return nil
	}
	return &odd{}
})

func (d drawn) engine(t *testing.T) *rules.Engine {
	t.Helper()
	e, problems := rules.Compile(d.rules, d.estate, detectors)
	if problems != nil {
		t.Fatal(problems)
	}
	return e
}

// live judges as the gateway does: facts as they come, time passing now and then between,
// the program killed and started again behind one fact, and a rule saved behind another.
func (d drawn) live(t *testing.T, restart, swap int) []rules.Change {
	e := d.engine(t)
	e.Listen(d.begin)
	var out []rules.Change
	for i, f := range d.facts {
		out = append(out, e.Hear(d.after(f.arrived), d.readings(f)...)...)
		next := units
		if i+1 < len(d.facts) {
			next = d.facts[i+1].arrived
		}
		for s := f.arrived; s < next; s++ {
			out = append(out, e.Advance(d.after(s).Add(d.unit*3/10))...)
		}
		again := d.engine(t)
		switch i {
		case restart:
			data, err := e.Snapshot()
			if err == nil {
				err = again.Restore(data)
			}
			if err != nil {
				t.Fatal(err)
			}
			e = again
		case swap:
			if err := again.TakeOver(e, d.begin); err != nil {
				t.Fatal(err)
			}
			e = again
		}
	}
	return append(out, e.Advance(d.after(units))...)
}

// test plays the facts as a scenario.
func (d drawn) test(t *testing.T) []rules.Change {
	in := func(n int) string { return (time.Duration(n) * d.unit).String() }
	s := scenario.Scenario{Name: "drawn", Start: d.begin.In(d.estate.Site.Zone).Format(time.RFC3339), End: in(units)}
	for _, f := range d.facts {
		step := scenario.Step{At: in(f.arrived), Given: map[string]any{}}
		for name, v := range f.values {
			if step.Given[name] = v; v == nil {
				step.Given[name] = "bad"
			}
		}
		if f.taken != f.arrived {
			step.Taken = in(f.taken)
		}
		s.Timeline = append(s.Timeline, step)
	}
	o := scenario.File{Scenarios: []scenario.Scenario{s}}.Run(scenario.World{Rules: d.rules, Estate: d.estate, Options: []rules.Option{detectors}})[0]
	for _, p := range o.Failures { // nothing is expected: whatever comes is left at the end
		if p.Path != "scenarios[0].timeline" {
			t.Fatal(p)
		}
	}
	return o.Changes
}

// replay plays the facts in the order of their arrival.
func (d drawn) replay(t *testing.T) []rules.Change {
	p := backtest.NewPlayer(d.engine(t), d.begin)
	var out []rules.Change
	for _, f := range d.facts {
		out = append(out, p.Take(d.after(f.arrived), d.readings(f)...)...)
	}
	return append(out, p.Pass(d.after(units))...)
}

// past runs a backtest over the facts as a history gives them: one point after the other.
func (d drawn) past(t *testing.T) []rules.Change {
	var out []rules.Change
	r, problems := backtest.New(backtest.Settings{
		Rules: d.rules, Estate: d.estate, Options: []rules.Option{detectors}, Begin: d.begin, From: d.begin, Changes: func(c rules.Change) { out = append(out, c) },
	})
	if problems != nil {
		t.Fatal(problems)
	}
	var readings []facility.Reading
	for _, f := range d.facts {
		readings = append(readings, d.readings(f)...)
	}
	slices.SortStableFunc(readings, func(a, b facility.Reading) int {
		return slices.Compare([]byte(a.Point.String()), []byte(b.Point.String()))
	})
	r.Take(readings)
	r.End(d.after(units).Add(1))
	return out
}

// TestLiveTestReplayAndBacktestAgree: the same facts in the same order of arrival give
// the same changes in the same order, byte for byte, whoever judges them and however
// often time passes between. A history knows no arrival, so a backtest is held to it
// where nothing came late.
func TestLiveTestReplayAndBacktestAgree(t *testing.T) {
	changed := 0
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt)
		want := text(t, d.replay(t))
		lived := d.live(t, rapid.IntRange(-1, len(d.facts)-1).Draw(rt, "restart"), rapid.IntRange(-1, len(d.facts)-1).Draw(rt, "swap"))
		others := map[string][]rules.Change{"live": lived, "test": d.test(t)}
		if !d.late {
			others["backtest"] = d.past(t)
		}
		for _, name := range slices.Sorted(maps.Keys(others)) {
			if got := text(t, others[name]); got != want {
				rt.Fatalf("%s of %+v\n%s\nreplay\n%s", name, d.rules, got, want)
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
