package demo

import (
	"math"
	"testing"
	"time"

	"gengfu/facility"
)

var shanghai = time.FixedZone("CST", 8*3600)

func at(hour, minute int) time.Time { return time.Date(2026, 11, 20, hour, minute, 0, 0, shanghai) }

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// checkSound is what holds of every state that follows another.
func checkSound(t *testing.T, before, s State) {
	t.Helper()
	near(t, "filled less supplied, against the tank", s.Filled-s.Supplied, s.Tank, 1e-6)
	near(t, "supplied, against meters and leak", s.Supplied, s.TotalA+s.TotalB+s.Lost, 1e-6)
	if s.Tank < 0 || s.Level() > tankHeight+1e-9 {
		t.Fatalf("the level is %v m at %v", s.Level(), s.At)
	}
	grows := []struct {
		name          string
		before, after float64
	}{
		{"filled", before.Filled, s.Filled},
		{"supplied", before.Supplied, s.Supplied},
		{"water A", before.TotalA, s.TotalA},
		{"water B", before.TotalB, s.TotalB},
		{"energy", before.Estate.Energy, s.Estate.Energy},
		{"pump energy", before.PumpRoom.Energy, s.PumpRoom.Energy},
	}
	for i := range s.Pumps {
		grows = append(grows,
			struct {
				name          string
				before, after float64
			}{"hours", before.Pumps[i].Hours, s.Pumps[i].Hours},
			struct {
				name          string
				before, after float64
			}{"starts", float64(before.Pumps[i].Starts), float64(s.Pumps[i].Starts)})
	}
	for _, g := range grows {
		if g.after < g.before {
			t.Fatalf("%s fell from %v to %v at %v", g.name, g.before, g.after, s.At)
		}
	}
}

func TestAMonthIsSound(t *testing.T) {
	m := Model{Seed: 1, Zone: shanghai}
	before := m.Begin(at(0, 0))
	near(t, "the tank at the start", before.Filled-before.Supplied, before.Tank, 1e-6)
	ran := [3]time.Duration{}
	lead := map[int]bool{}
	var low, high float64 = 99, 0
	for range 30 * 24 * 12 {
		s := m.Step(before, 5*time.Minute, Controls{})
		checkSound(t, before, s)
		for i, p := range s.Pumps {
			if p.Running {
				ran[i] += 5 * time.Minute
			}
		}
		lead[s.Lead] = true
		low, high = min(low, s.Level()), max(high, s.Level())
		near(t, "the pressure", s.Pressure, setpoint, 0.6)
		before = s
	}
	if len(lead) != 3 {
		t.Errorf("only pumps %v were lead", lead)
	}
	for i, d := range ran {
		if d < 7*24*time.Hour {
			t.Errorf("pump %d ran %v of a month: they do not take turns", i+1, d)
		}
	}
	if low < 1.5 || high > 2.9 {
		t.Errorf("the level went from %v to %v m", low, high)
	}
	begin := m.Begin(at(0, 0))
	perDay := (before.Supplied - begin.Supplied) / 30
	if perDay < 120 || perDay > 220 {
		t.Errorf("%v m3 a day are not those of 400 households", perDay)
	}
}

func TestTheDayHasItsHours(t *testing.T) {
	m := Model{Seed: 1, Zone: shanghai}
	flow := func(hour int) float64 {
		var sum float64
		for minute := range 60 {
			s := m.Begin(at(hour, minute))
			s = m.Step(s, time.Minute, Controls{})
			sum += s.Flow
		}
		return sum / 60
	}
	night, morning, noon, evening := flow(3), flow(7), flow(14), flow(19)
	if !(night < noon/3 && noon < morning && noon < evening) {
		t.Errorf("flow at night %v, in the morning %v, at noon %v, in the evening %v", night, morning, noon, evening)
	}
	lit := m.Begin(at(23, 0)).Estate.Power - m.Begin(at(23, 0)).PumpRoom.Power
	day := m.Begin(at(13, 0)).Estate.Power - m.Begin(at(13, 0)).PumpRoom.Power
	if lit < day+5 {
		t.Errorf("lamps: %v kW at night, %v kW by day", lit, day)
	}
}

func TestABrokenPumpStandsAtOnceAndAnotherTakesOver(t *testing.T) {
	m := Model{Seed: 1, Zone: shanghai}
	s := m.Step(m.Begin(at(10, 0)), time.Minute, Controls{})
	lead := s.Lead
	if !s.Pumps[lead].Running {
		t.Fatal("the lead does not run")
	}
	var c Controls
	c.Fault[lead] = faultBit
	broken := m.Step(s, 0, c)
	if broken.Pumps[lead].Running || broken.Pumps[lead].Current != 0 {
		t.Error("the broken pump runs on")
	}
	if broken.Lead == lead || !broken.Pumps[broken.Lead].Running {
		t.Error("no other pump took over")
	}
	for i := range c.Fault {
		c.Fault[i] = faultBit
	}
	dead := m.Step(broken, time.Minute, c)
	if dead.Pressure > 0.1 || dead.Flow > 1 {
		t.Errorf("without pumps there are %v bar and %v m3/h", dead.Pressure, dead.Flow)
	}
	if back := m.Step(dead, time.Minute, Controls{}); back.Pressure < 3.9 {
		t.Errorf("a minute after the repair there are %v bar", back.Pressure)
	}
}

func TestABurstEmptiesTheTankAndThePumpsStopDry(t *testing.T) {
	m := Model{Seed: 1, Zone: shanghai}
	s := m.Begin(at(18, 0))
	c := Controls{Burst: [pipes]bool{PipeMain: true, PipeA: true, PipeB: true}}
	stopped := false
	for range 12 * 60 {
		next := m.Step(s, time.Minute, c)
		checkSound(t, s, next)
		stopped = stopped || next.DryRun
		s = next
	}
	if !stopped {
		t.Error("the pumps never ran dry")
	}
	if s.Lost == 0 {
		t.Error("nothing was lost")
	}
	mended := m.Step(s, 6*time.Hour, Controls{})
	if mended.Level() < 1.5 || mended.DryRun {
		t.Errorf("six hours after the repair the tank is at %v m", mended.Level())
	}
}

func TestTheSameSeedIsTheSameEstate(t *testing.T) {
	m := Model{Seed: 7, Zone: shanghai}
	if a, b := m.at(at(10, 7)), m.at(at(10, 7)); a != b {
		t.Errorf("two runs differ: %+v, %+v", a, b)
	}
	if a, b := m.at(at(10, 7)), (Model{Seed: 8, Zone: shanghai}).at(at(10, 7)); a.Supplied == b.Supplied {
		t.Error("another seed gives the same estate")
	}
}

func TestNoise(t *testing.T) {
	m := Model{Seed: 1}
	var sum, most float64
	const n = 20000
	for i := range n {
		v := m.random(3, int64(i))
		sum, most = sum+v, max(most, math.Abs(v))
	}
	if most > 1 || math.Abs(sum/n) > 0.02 {
		t.Errorf("mean %v, largest %v", sum/n, most)
	}
}

func TestHistory(t *testing.T) {
	until := time.Date(2026, 11, 20, 2, 34, 56, 789, time.UTC)
	all, err := History(30, until)
	if err != nil {
		t.Fatal(err)
	}
	s, err := loadSite()
	if err != nil {
		t.Fatal(err)
	}
	last := map[facility.PointID]facility.Reading{}
	points := s.charted()
	var n int
	var first, end time.Time
	for batch := range all {
		if first.IsZero() {
			first = batch[0].Time
		}
		for _, r := range batch {
			n++
			pt := points[r.Point]
			if before, ok := last[r.Point]; ok && (!r.Time.After(before.Time) || pt.Kind == facility.Counter && r.Value < before.Value) {
				t.Fatalf("%v after %v", r, before)
			}
			last[r.Point] = r
		}
		end = batch[0].Time
	}
	if want := until.AddDate(0, 0, -30); first.Sub(want) > 2*pastStep || until.Sub(end) > 2*pastStep {
		t.Errorf("it goes from %v to %v", first, end)
	}
	if n < 200_000 || len(last) < 45 {
		t.Errorf("%d readings of %d points", n, len(last))
	}
	// The live estate goes on where the history ends.
	for _, r := range readings(points, s.model().at(until)) {
		before, ok := last[r.Point]
		if !ok {
			t.Fatalf("%v has no past", r.Point)
		}
		if rise := r.Value - before.Value; points[r.Point].Kind == facility.Counter && (rise < 0 || rise > 20) {
			t.Errorf("%v goes from %v to %v", r.Point, before.Value, r.Value)
		}
	}
}

func BenchmarkHistory(b *testing.B) {
	until := time.Date(2026, 11, 20, 2, 34, 56, 789, time.UTC)
	for b.Loop() {
		all, err := History(30, until)
		if err != nil {
			b.Fatal(err)
		}
		for range all {
		}
	}
}
