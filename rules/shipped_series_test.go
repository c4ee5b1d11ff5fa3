package rules_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// The shipped rules on labelled series of real meters. They are data of others and no
// part of this project: GENGFU_SERIES names their folder.

func seriesFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("GENGFU_SERIES")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(folder, "water", "truth.csv")); err != nil {
		t.Skip("no labelled series: GENGFU_SERIES names no folder of them")
	}
	return folder
}

// table reads a file of values separated by commas, without its head.
func table(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out [][]string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		out = append(out, strings.Split(lines.Text(), ","))
	}
	return out[1:]
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// stretch is an event, what is not scored, or how long an alarm stood.
type stretch struct {
	kind        string
	from, until time.Time
}

// stretches reads those of each series, with or without a kind.
func stretches(t *testing.T, path string, kind int) map[string][]stretch {
	t.Helper()
	out := map[string][]stretch{}
	for _, row := range table(t, path) {
		s := stretch{from: moment(t, row[len(row)-2]), until: moment(t, row[len(row)-1])}
		if kind > 0 {
			s.kind = row[kind]
		}
		out[row[0]] = append(out[row[0]], s)
	}
	return out
}

// shippedBy returns shipped rules by their ids.
func shippedBy(t *testing.T, ids ...string) []rules.Rule {
	t.Helper()
	var out []rules.Rule
	for _, r := range shippedInOrder(t) {
		if slices.Contains(ids, r.ID) {
			out = append(out, r)
		}
	}
	if len(out) != len(ids) {
		t.Fatalf("not all of %v are shipped", ids)
	}
	return out
}

// counterSeries is the register of one meter.
type counterSeries struct {
	at    []time.Time
	value []float64
}

// raised plays a register to the rules and returns when alarms were raised.
func raised(t *testing.T, rs []rules.Rule, kind, quantityName, unit string, s counterSeries) []time.Time {
	t.Helper()
	p := quantity(quantityName, facility.Counter, unit)
	p.Period = time.Hour
	e, problems := rules.Compile(rs, facility.Estate{Site: facility.Site{ID: "series"}, Devices: []facility.Device{device("meter", kind, "", text("表", "Meter"), p)}},
		rules.WithDetectors(rules.Learners(time.UTC)))
	if problems != nil {
		t.Fatal(problems)
	}
	var out []time.Time
	take := func(changes []rules.Change) {
		for _, c := range changes {
			if c.Event == facility.AlarmRaise || c.Event == facility.AlarmRecur {
				out = append(out, c.At)
			}
		}
	}
	for i, at := range s.at {
		take(e.Advance(at.Add(-1)))
		take(e.Observe(facility.Reading{Point: facility.PointID{Device: "meter", Quantity: quantityName}, Time: at, Value: s.value[i], Quality: facility.Good}))
	}
	return out
}

// mark is how rules did over all series.
type mark struct {
	events, found map[string]int
	wrong         int
	years         float64
}

func (m mark) share(kinds ...string) float64 {
	n, of := 0, 0
	for _, k := range kinds {
		n, of = n+m.found[k], of+m.events[k]
	}
	return float64(n) / float64(of)
}

// settled is how long after an event an alarm may still be of it.
const settled = 3 * 24 * time.Hour

// scored counts the events that were found within a time, and the alarms of none.
func scored(m *mark, at []time.Time, events, masks []stretch, within time.Duration, over time.Duration) {
	for _, e := range events {
		m.events[e.kind]++
		if slices.ContainsFunc(at, func(t time.Time) bool {
			return !t.Before(e.from) && t.Before(e.from.Add(within)) && !t.After(e.until.Add(settled))
		}) {
			m.found[e.kind]++
		}
	}
	in := func(list []stretch, t time.Time, after time.Duration) bool {
		return slices.ContainsFunc(list, func(s stretch) bool { return !t.Before(s.from) && t.Before(s.until.Add(after)) })
	}
	for _, t := range at {
		if !in(events, t, settled) && !in(masks, t, 0) {
			m.wrong++
		}
	}
	for _, s := range masks {
		over -= s.until.Sub(s.from)
	}
	m.years += over.Hours() / 24 / 365
}

// judged plays all series of a folder to the rules.
func judged(t *testing.T, family string, within time.Duration, read func(rows [][]string) counterSeries, rs []rules.Rule, kind, quantityName, unit string) mark {
	t.Helper()
	folder := filepath.Join(seriesFolder(t), family)
	events, masks := stretches(t, filepath.Join(folder, "truth.csv"), 1), stretches(t, filepath.Join(folder, "mask.csv"), 0)
	paths, err := filepath.Glob(filepath.Join(folder, "series", "*.csv"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no series in %s: %v", folder, err)
	}
	m := mark{events: map[string]int{}, found: map[string]int{}}
	for _, path := range paths {
		id := strings.TrimSuffix(filepath.Base(path), ".csv")
		s := read(table(t, path))
		scored(&m, raised(t, rs, kind, quantityName, unit, s), events[id], masks[id], within, s.at[len(s.at)-1].Sub(s.at[0]))
	}
	var said []string
	for _, k := range slices.Sorted(func(yield func(string) bool) {
		for k := range m.events {
			if !yield(k) {
				return
			}
		}
	}) {
		said = append(said, fmt.Sprintf("%s %d of %d", k, m.found[k], m.events[k]))
	}
	t.Logf("%s: found within %s: %s; %.2f false alarms per meter-year", rs[0].ID, within, strings.Join(said, ", "), float64(m.wrong)/m.years)
	return m
}

// litres reads the register of a water meter, in m3.
func litres(t *testing.T) func(rows [][]string) counterSeries {
	return func(rows [][]string) counterSeries {
		var s counterSeries
		for _, row := range rows {
			if row[1] != "" {
				s.at, s.value = append(s.at, moment(t, row[0])), append(s.value, number(t, row[1])/1000)
			}
		}
		return s
	}
}

// hourly adds up the energy of each hour, in kWh.
func hourly(t *testing.T) func(rows [][]string) counterSeries {
	return func(rows [][]string) counterSeries {
		s := counterSeries{at: []time.Time{moment(t, rows[0][0])}, value: []float64{0}}
		total := 0.0
		for _, row := range rows {
			if row[1] == "" {
				continue
			}
			total += number(t, row[1])
			s.at, s.value = append(s.at, moment(t, row[0]).Add(time.Hour)), append(s.value, total)
		}
		return s
	}
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestShippedRulesOnRealMeters holds what single rules find within 72 hours, and how
// often they are wrong, a little below what they reach.
func TestShippedRulesOnRealMeters(t *testing.T) {
	water := func(id string) mark {
		return judged(t, "water", 72*time.Hour, litres(t), shippedBy(t, id), "water_meter", "total", "m3")
	}
	type floor struct {
		share float64
		kinds []string
	}
	for _, test := range []struct {
		rule  string
		mark  mark
		least []floor
		wrong float64 // alarms per meter-year, at most
	}{
		// Leaks of 2 and 5 l/h, a third of all, are below what it calls flow.
		{"water-never-still", water("water-never-still"), []floor{{0.5, []string{"leak", "grow"}}}, 0.3},
		// Of a flat that is not always at home no night says anything: they are for blocks.
		{"water-night-minimum", water("water-night-minimum"), nil, 0},
		{"water-meter-stopped", water("water-meter-stopped"), nil, 0},
		{"water-use-unusual", water("water-use-unusual"), []floor{{0.9, []string{"leak"}}, {0.9, []string{"burst"}}, {0.8, []string{"grow", "toilet"}}, {0.5, []string{"stuck"}}}, 1},
		{
			"electricity-use-unusual",
			judged(t, "elec", 72*time.Hour, hourly(t), shippedBy(t, "electricity-use-unusual"), "electricity_meter", "energy_import", "kWh"),
			[]floor{{0.7, []string{"phaseloss"}}, {0.9, []string{"spike", "stuck"}}, {0.6, []string{"baseup", "weekendon"}}},
			6,
		},
	} {
		for _, f := range test.least {
			if got := test.mark.share(f.kinds...); got < f.share {
				t.Errorf("%s found %.0f %% of %v, want %.0f %%", test.rule, 100*got, f.kinds, 100*f.share)
			}
		}
		if got := float64(test.mark.wrong) / test.mark.years; got > test.wrong {
			t.Errorf("%s was wrong %.2f times in a meter-year, want %g at most", test.rule, got, test.wrong)
		}
	}
}

// blockOfMeters is the meters of all households and a main meter before them, and what leaks
// between.
type blockOfMeters struct {
	estate   facility.Estate
	begin    time.Time
	end      time.Time
	leak     stretch
	silent   stretch // of the meter that is its kind
	readings []facility.Reading
}

// read takes in the households of a folder, and makes the main meter of them.
func (b *blockOfMeters) read(t *testing.T, folder string, leak float64) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.csv"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no series in %s: %v", folder, err)
	}
	add := func(id, parent string) func(at time.Time, v float64) {
		p := quantity("total", facility.Counter, "m3")
		p.Period = time.Hour
		d := device(id, "water_meter", "", text(id, id), p)
		d.Parent = parent
		b.estate.Devices = append(b.estate.Devices, d)
		return func(at time.Time, v float64) {
			b.readings = append(b.readings, facility.Reading{Point: facility.PointID{Device: id, Quantity: "total"}, Time: at, Value: v, Quality: facility.Good})
		}
	}
	main := add("main", "")
	total := make([]float64, b.end.Sub(b.begin)/time.Hour)
	for _, path := range paths {
		id := strings.TrimSuffix(filepath.Base(path), ".csv")
		s, take := litres(t)(table(t, path)), add(id, "main")
		for i, at := range s.at {
			if gone := id == b.silent.kind && at.After(b.silent.from) && at.Before(b.silent.until); at.Before(b.end) && !gone {
				take(at, s.value[i])
			}
		}
		for h := range total {
			total[h] += s.when(b.begin.Add(time.Duration(h) * time.Hour))
		}
	}
	for h, v := range total {
		at := b.begin.Add(time.Duration(h) * time.Hour)
		main(at, v+leak*max(0, min(at.Sub(b.leak.from), b.leak.until.Sub(b.leak.from))).Hours())
	}
	slices.SortStableFunc(b.readings, func(x, y facility.Reading) int { return x.Time.Compare(y.Time) })
}

// stood plays the readings to rules and returns when their alarms stood.
func (b *blockOfMeters) stood(t *testing.T, rs []rules.Rule) map[string][]stretch {
	t.Helper()
	engine, problems := rules.Compile(rs, b.estate, rules.WithDetectors(rules.Learners(time.UTC)))
	if problems != nil {
		t.Fatal(problems)
	}
	out := map[string][]stretch{}
	for _, r := range b.readings {
		for _, c := range append(engine.Advance(r.Time.Add(-1)), engine.Observe(r)...) {
			key := c.Alarm.Key
			switch c.Event {
			case facility.AlarmRaise, facility.AlarmRecur:
				out[key] = append(out[key], stretch{from: c.At})
			case facility.AlarmClear:
				out[key][len(out[key])-1].until = c.At
			}
		}
	}
	return out
}

// TestMainMeterOfRealMeters has a pipe between a main meter and all households that
// leaks 0.6 m3/h for two weeks. The households have their own leaks, gaps and glitches,
// and one of them is dead for five weeks around it.
func TestMainMeterOfRealMeters(t *testing.T) {
	begin := time.Date(2016, 3, 5, 0, 0, 0, 0, time.UTC)
	b := &blockOfMeters{
		estate: facility.Estate{Site: facility.Site{ID: "series"}},
		begin:  begin, end: begin.Add(300 * day),
		leak:   stretch{from: begin.Add(200 * day), until: begin.Add(214 * day)},
		silent: stretch{kind: "wp07", from: begin.Add(190 * day), until: begin.Add(225 * day)},
	}
	b.read(t, filepath.Join(seriesFolder(t), "water", "series"), 0.6)
	b.estate.Devices[0].Ratings = map[string]string{"pipe": "DN50"}
	stood := b.stood(t, shippedBy(t, "water-lost", "water-main-short", "water-night-minimum", "water-use-unusual"))
	if unusual := stood["water-use-unusual/main"]; len(unusual) > 8 || !slices.ContainsFunc(unusual, func(s stretch) bool {
		return s.from.After(b.leak.from) && s.from.Before(b.leak.from.Add(3*day))
	}) {
		t.Errorf("use was unusual: %v", unusual)
	}
	for _, key := range []string{"water-lost/main", "water-night-minimum/main"} {
		var first, last time.Time
		var stands time.Duration
		for _, s := range stood[key] {
			if s.from.Before(b.leak.from) || s.from.After(b.leak.until) {
				continue
			}
			if first.IsZero() {
				first = s.from
			}
			last = s.until
			stands += s.until.Sub(s.from)
		}
		t.Logf("%s: first %s after it began, last %s after it ended, %s in all", key, first.Sub(b.leak.from), last.Sub(b.leak.until), stands)
		if first.IsZero() || first.After(b.leak.from.Add(3*day)) || last.Before(b.leak.until.Add(-day)) || last.After(b.leak.until.Add(3*day)) || stands < 11*day {
			t.Errorf("%s did not stand from %s to %s: %v", key, b.leak.from, b.leak.until, stood[key])
		}
	}
	// Households have leaks and bursts of their own, which are no loss between the meters.
	if n := len(stood["water-lost/main"]); n > 2 {
		t.Errorf("water was lost %d times: %v", n, stood["water-lost/main"])
	}
	if len(stood["water-main-short/main"]) > 0 {
		t.Errorf("the main meter was short: %v", stood["water-main-short/main"])
	}
}

// when is the register at a time, between its readings as if it had run evenly.
func (s counterSeries) when(at time.Time) float64 {
	i, _ := slices.BinarySearchFunc(s.at, at, time.Time.Compare)
	switch {
	case i == 0:
		return s.value[0]
	case i == len(s.at):
		return s.value[i-1]
	}
	part := float64(at.Sub(s.at[i-1])) / float64(s.at[i].Sub(s.at[i-1]))
	return s.value[i-1] + part*(s.value[i]-s.value[i-1])
}
