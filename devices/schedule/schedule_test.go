package schedule

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
)

var start = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

func TestClassOf(t *testing.T) {
	for kind, want := range map[facility.PointKind]Class{
		facility.Signal: Alarm, facility.State: Alarm, facility.Measure: Measure, facility.Counter: Counter,
	} {
		if got := ClassOf(kind); got != want {
			t.Errorf("%s: got %d, want %d", kind, got, want)
		}
	}
}

func TestPause(t *testing.T) {
	var got []time.Duration
	for tries := range 8 {
		got = append(got, Pause(tries)/time.Second)
	}
	if want := []time.Duration{1, 2, 5, 15, 30, 60, 60, 60}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestUtilisation(t *testing.T) {
	// Two registers every second and sixty every ten: 59 and 192 ms at 9600 baud.
	got := Utilisation([]Poll{{59 * time.Millisecond, time.Second}, {192 * time.Millisecond, 10 * time.Second}})
	if want := 0.0782; got < want-1e-9 || got > want+1e-9 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheUrgentComesFirst(t *testing.T) {
	s := New([]Point{
		{Device: 0, Class: Counter, Period: time.Minute},
		{Device: 1, Class: Measure, Period: 10 * time.Second},
		{Device: 2, Class: Alarm, Period: time.Second},
	}, start)
	for _, want := range []int{2, 1, 0} {
		job, _ := s.Next(start)
		if job.Device != want || len(job.Points) != 1 {
			t.Fatalf("got %+v, want device %d", job, want)
		}
		s.Answered(job.Device, job.Points, start)
	}
	job, wake := s.Next(start)
	if len(job.Points) != 0 || !wake.After(start) {
		t.Fatalf("got %+v until %s, want nothing", job, wake)
	}
}

func TestAJobHasAllThatIsDueTheUrgentFirst(t *testing.T) {
	s := New([]Point{
		{Device: 0, Class: Counter, Period: time.Minute},
		{Device: 0, Class: Alarm, Period: time.Second},
		{Device: 0, Class: Measure, Period: 10 * time.Second},
	}, start)
	if job, _ := s.Next(start); !slices.Equal(job.Points, []int{1, 2, 0}) {
		t.Fatalf("got %+v", job)
	}
	s.Answered(0, []int{1, 2, 0}, start)
	if job, _ := s.Next(start.Add(time.Second)); !slices.Equal(job.Points, []int{1}) {
		t.Fatalf("a second later: %+v", job)
	}
}

func TestDevicesOfOnePeriodAreSpread(t *testing.T) {
	var points []Point
	for d := range 10 {
		points = append(points, Point{Device: d, Class: Measure, Period: 10 * time.Second})
	}
	s := New(points, start)
	for d := range 10 {
		s.Answered(d, []int{d}, start)
	}
	var due []time.Duration
	for i := range s.points {
		due = append(due, s.points[i].due.Sub(start))
	}
	slices.Sort(due)
	for i, d := range due {
		if want := time.Duration(i+1) * time.Second; d != want {
			t.Errorf("the %dth is due after %s, want %s", i, d, want)
		}
	}
}

// What is due at the same time can be read by one request.
func TestLongerPeriodsFallTogetherWithShorterOnes(t *testing.T) {
	periods := []time.Duration{time.Minute, time.Second, 10 * time.Second, 5 * time.Minute, 100 * time.Millisecond}
	var points []Point
	for d := range 7 {
		for _, p := range periods {
			points = append(points, Point{Device: d, Class: Alarm, Period: p})
		}
	}
	s := New(points, start)
	for d := range 7 {
		of := s.points[5*d : 5*d+5]
		for _, pair := range [][2]int{{1, 2}, {2, 0}, {0, 3}} {
			short, long := of[pair[0]], of[pair[1]]
			if off := (long.phase - short.phase) % short.Period; off != 0 || long.phase < 0 || long.phase >= long.Period {
				t.Errorf("device %d: %s begins at %s, %s at %s", d, short.Period, short.phase, long.Period, long.phase)
			}
		}
	}
	if s.points[5*3+3].phase < time.Minute {
		t.Error("the long periods of devices are not spread")
	}
}

func TestTwoFailuresInARowMakeADeviceDown(t *testing.T) {
	s := New([]Point{{0, Alarm, time.Second}, {0, Measure, time.Second}}, start)
	if bad, down := s.Silent(0, []int{0}, start, 0, 0); down || len(bad) > 0 {
		t.Fatalf("one failure: bad %v, down %v", bad, down)
	}
	bad, down := s.Silent(0, []int{0}, start, 0, 0)
	if !down || !slices.Equal(bad, []int{0, 1}) || !s.Down(0) {
		t.Fatalf("two failures: bad %v, down %v", bad, down)
	}
	if job, wake := s.Next(start); len(job.Points) != 0 || !wake.Equal(start.Add(time.Second)) {
		t.Fatalf("got %+v until %s, want a pause of a second", job, wake)
	}
	now := start.Add(time.Second)
	job, _ := s.Next(now)
	if !job.Probe || job.Points[0] != 1 {
		t.Fatalf("got %+v, want a probe with the point that did not fail", job)
	}
	if !s.Answered(0, []int{1}, now) || s.Down(0) {
		t.Fatal("an answer does not bring it back")
	}
	if job, _ := s.Next(now); job.Probe || !slices.Equal(job.Points, []int{0}) {
		t.Fatalf("got %+v, want the other point at once", job)
	}
}

func TestAFailureBetweenAnswersIsNoise(t *testing.T) {
	s := New([]Point{{0, Measure, time.Second}}, start)
	now := start
	for range 10 {
		if bad, down := s.Silent(0, []int{0}, now, 0, 0); down || len(bad) > 0 {
			t.Fatalf("bad %v, down %v", bad, down)
		}
		if job, _ := s.Next(now); len(job.Points) != 1 {
			t.Fatal("it is not asked again at once")
		}
		s.Answered(0, []int{0}, now)
		now = now.Add(time.Second)
	}
}

func TestARetryWaitsForTheHoldAndOthersDoNot(t *testing.T) {
	s := New([]Point{{0, Alarm, time.Second}, {1, Counter, time.Minute}}, start)
	s.Silent(0, []int{0}, start, 0, time.Second)
	job, _ := s.Next(start)
	if job.Device != 1 {
		t.Fatalf("got %+v, want device 1", job)
	}
	s.Answered(1, job.Points, start)
	if job, wake := s.Next(start); len(job.Points) != 0 || !wake.Equal(start.Add(time.Second)) {
		t.Fatalf("got %+v until %s", job, wake)
	}
	if job, _ := s.Next(start.Add(time.Second)); job.Device != 0 || len(job.Points) != 1 {
		t.Fatalf("got %+v, want the retry", job)
	}
}

// Some slaves do not refuse registers that they do not have but say nothing.
func TestADeviceThatIsSilentAboutSomePointsStaysUp(t *testing.T) {
	s := New([]Point{{0, Alarm, time.Second}, {0, Measure, time.Second}}, start)
	var bad []int
	downs := 0
	for now := start; now.Before(start.Add(10 * time.Minute)); {
		job, wake := s.Next(now)
		if len(job.Points) == 0 {
			now = wake
			continue
		}
		if job.Points[0] == 1 {
			now = now.Add(50 * time.Millisecond)
			s.Answered(0, []int{1}, now)
			continue
		}
		now = now.Add(500 * time.Millisecond)
		b, down := s.Silent(0, []int{0}, now, 500*time.Millisecond, time.Second)
		bad = append(bad, b...)
		if down {
			downs++
		}
	}
	if downs > 1 {
		t.Errorf("it went down %d times", downs)
	}
	if !slices.Contains(bad, 0) || s.Down(0) {
		t.Errorf("bad %v, down %v", bad, s.Down(0))
	}
}

func TestARefusedPointIsBackedOffAlone(t *testing.T) {
	s := New([]Point{{0, Measure, time.Second}, {0, Measure, time.Second}}, start)
	if bad := s.Refused(0, []int{0}, start); len(bad) > 0 {
		t.Fatalf("bad %v after one refusal", bad)
	}
	if job, _ := s.Next(start); !slices.Equal(job.Points, []int{1}) {
		t.Fatalf("got %+v", job)
	}
	now := start.Add(time.Second)
	if bad := s.Refused(0, []int{0}, now); !slices.Equal(bad, []int{0}) || s.Down(0) {
		t.Fatalf("bad %v, down %v", bad, s.Down(0))
	}
	s.Answered(0, []int{1}, now)
	if job, _ := s.Next(now.Add(1500 * time.Millisecond)); !slices.Equal(job.Points, []int{1}) {
		t.Fatalf("after 1.5 s: %+v", job)
	}
}

func TestRestartMakesEverythingDue(t *testing.T) {
	s := New([]Point{{0, Alarm, time.Second}, {1, Counter, time.Minute}}, start)
	s.Answered(1, []int{1}, start)
	s.Silent(0, []int{0}, start, time.Second, 0)
	s.Silent(0, []int{0}, start, time.Second, 0)
	s.Restart(start)
	if s.Down(0) {
		t.Error("the device is still down")
	}
	if job, _ := s.Next(start); job.Device != 0 {
		t.Errorf("got %+v", job)
	}
}

// bus is a line that takes real time and has devices that answer or not.
type bus struct {
	s       *Scheduler
	points  []Point
	dead    []bool
	now     time.Time
	cost    time.Duration // of an answer
	timeout time.Duration
	read    [][]time.Time // by point
	wasted  time.Duration
	spells  []time.Duration // wasted, by request
}

func (b *bus) run(until time.Time) {
	for b.now.Before(until) {
		job, wake := b.s.Next(b.now)
		if len(job.Points) == 0 {
			if wake.IsZero() || wake.After(until) {
				b.now = until
				return
			}
			b.now = wake
			continue
		}
		if b.dead[job.Device] {
			b.now = b.now.Add(b.timeout)
			b.wasted += b.timeout
			b.spells = append(b.spells, b.timeout)
			b.s.Silent(job.Device, job.Points, b.now, b.timeout, 2*b.timeout)
			continue
		}
		b.now = b.now.Add(b.cost)
		b.s.Answered(job.Device, job.Points, b.now)
		for _, p := range job.Points {
			b.read[p] = append(b.read[p], b.now)
		}
	}
}

func newBus(points []Point, dead []bool, cost, timeout time.Duration) *bus {
	return &bus{
		s: New(points, start), points: points, dead: dead, now: start,
		cost: cost, timeout: timeout, read: make([][]time.Time, len(points)),
	}
}

// Whatever is dead, the others keep their period: late by no more than one timeout
// and a round of the others, and never fewer.
func TestTheDeadDoNotTakeThePeriodOfTheLiving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		devices := rapid.IntRange(2, 12).Draw(t, "devices")
		dead := make([]bool, devices)
		for d := range dead[1:] {
			dead[d+1] = rapid.Bool().Draw(t, "dead")
		}
		var points []Point
		load := 0.0
		const cost, timeout = 60 * time.Millisecond, 500 * time.Millisecond
		for d := range devices {
			p := Point{
				Device: d, Class: Class(rapid.IntRange(0, 2).Draw(t, "class")),
				Period: time.Duration(rapid.IntRange(1, 20).Draw(t, "period")) * time.Second,
			}
			points = append(points, p)
			load += cost.Seconds() / p.Period.Seconds()
		}
		if load > 0.6 {
			t.Skip("a configuration that is refused")
		}
		b := newBus(points, dead, cost, timeout)
		const minutes = 10
		b.run(start.Add(minutes * time.Minute))
		for i, p := range points {
			if dead[p.Device] {
				continue
			}
			reads := b.read[i]
			if want := int(minutes*time.Minute/p.Period) * 95 / 100; len(reads) < want-2 {
				t.Fatalf("point %d was read %d times in %d minutes at a period of %s; dead %v", i, len(reads), minutes, p.Period, dead)
			}
			for k := 1; k < len(reads); k++ {
				// Two timeouts may meet at the start, when nobody is known yet.
				most := p.Period + 2*timeout + time.Duration(devices)*cost
				if gap := reads[k].Sub(reads[k-1]); gap > most && reads[k].After(start.Add(time.Minute)) {
					t.Fatalf("point %d waited %s at a period of %s; dead %v", i, gap, p.Period, dead)
				}
			}
		}
	})
}

func TestManyDeadCostTwoPercent(t *testing.T) {
	var points []Point
	dead := make([]bool, 32)
	for d := range dead {
		dead[d] = d >= 2
		points = append(points, Point{Device: d, Class: Alarm, Period: 2 * time.Second})
	}
	b := newBus(points, dead, 60*time.Millisecond, 500*time.Millisecond)
	b.run(start.Add(10 * time.Minute))
	b.wasted = 0
	b.run(start.Add(70 * time.Minute))
	if share := b.wasted.Seconds() / 3600; share > 0.025 {
		t.Errorf("30 dead devices cost %.1f %% of the line", 100*share)
	}
	for d := range 2 {
		if n := len(b.read[d]); n < 2050 {
			t.Errorf("device %d was read %d times in 70 minutes at a period of 2 s", d, n)
		}
	}
}

func TestWhenNobodyAnswersProbesFollowThePauses(t *testing.T) {
	b := newBus([]Point{{0, Alarm, time.Second}}, []bool{true}, time.Millisecond, 500*time.Millisecond)
	b.run(start.Add(5 * time.Minute))
	// Two tries, then after 1, 2, 5, 15, 30 and 60 s each.
	if n := len(b.spells); n < 9 || n > 12 {
		t.Errorf("asked %d times in five minutes", n)
	}
}

func TestADeadDeviceThatComesBackIsReadWithinAMinute(t *testing.T) {
	points := []Point{{0, Alarm, time.Second}, {1, Alarm, time.Second}}
	b := newBus(points, []bool{false, true}, 60*time.Millisecond, 500*time.Millisecond)
	b.run(start.Add(30 * time.Minute))
	b.dead[1] = false
	back := b.now
	b.run(back.Add(2 * time.Minute))
	if len(b.read[1]) == 0 || b.read[1][0].Sub(back) > time.Minute+time.Second {
		t.Fatalf("read again %v, back at %s", b.read[1][:min(1, len(b.read[1]))], back)
	}
}

// Above its capacity a line is late, but nothing is left out.
func TestAnOverloadedLineStillReadsEverything(t *testing.T) {
	var points []Point
	for d := range 20 {
		points = append(points, Point{d, Alarm, time.Second})
	}
	points = append(points, Point{20, Counter, time.Minute}, Point{20, Measure, 10 * time.Second})
	b := newBus(points, make([]bool, 21), 100*time.Millisecond, time.Second)
	b.run(start.Add(30 * time.Minute))
	if n := len(b.read[20]); n < 6 {
		t.Errorf("the counter was read %d times in 30 minutes", n)
	}
	if n := len(b.read[21]); n < 30 {
		t.Errorf("the measure was read %d times in 30 minutes", n)
	}
}

func BenchmarkNext(b *testing.B) {
	var points []Point
	for d := range 32 {
		for i := range 20 {
			points = append(points, Point{d, Class(i % 3), time.Second})
		}
	}
	s := New(points, start)
	now := start
	for b.Loop() {
		now = now.Add(20 * time.Millisecond)
		job, _ := s.Next(now)
		if len(job.Points) > 0 {
			s.Answered(job.Device, job.Points, now)
		}
	}
}

func TestWhatIsReadOnceADayIsTheLeastUrgent(t *testing.T) {
	s := New([]Point{
		{Device: 0, Class: Measure, Period: 24 * time.Hour},
		{Device: 1, Class: Counter, Period: time.Minute},
		{Device: 2, Class: Alarm, Period: 24 * time.Hour},
	}, start)
	for _, want := range []int{2, 1, 0} {
		job, _ := s.Next(start)
		if job.Device != want {
			t.Fatalf("got %+v, want device %d", job, want)
		}
		s.Answered(job.Device, job.Points, start)
	}
}

func TestABusyDeviceIsAskedAgainSoonAndHasNotFailed(t *testing.T) {
	s := New([]Point{{0, Measure, time.Minute}}, start)
	now := start
	var asked []time.Duration
	for range 12 {
		job, wake := s.Next(now)
		if len(job.Points) == 0 {
			now = wake
			job, _ = s.Next(now)
		}
		asked = append(asked, now.Sub(start))
		bad := s.Postponed(0, job.Points, now)
		if got, want := len(bad) > 0, len(asked) >= 8; got != want || s.Down(0) {
			t.Fatalf("asked %v: bad %v, down %v", asked, bad, s.Down(0))
		}
	}
	if asked[1] != 100*time.Millisecond || asked[11]-asked[10] != 2*time.Second {
		t.Errorf("asked after %v", asked)
	}
	if s.Answered(0, []int{0}, now) || len(s.Postponed(0, []int{0}, now)) > 0 {
		t.Error("an answer does not end it")
	}
}

func TestAFastPointIsReadBetweenTwoOthers(t *testing.T) {
	s := New([]Point{
		{Device: 0, Class: Alarm, Period: 100 * time.Millisecond},
		{Device: 0, Class: Alarm, Period: 100 * time.Millisecond},
		{Device: 0, Class: Measure, Period: 100 * time.Millisecond},
		{Device: 1, Class: Counter, Period: 100 * time.Millisecond},
	}, start)
	now := start
	var order []int
	for range 40 {
		job, _ := s.Next(now)
		if len(job.Points) == 0 {
			t.Fatalf("nothing is due on an overloaded line at %s", now.Sub(start))
		}
		order = append(order, job.Points[0])
		read := job.Points[:1]
		if job.Points[0] == 0 {
			read = []int{0, 1}
		}
		now = now.Add(90 * time.Millisecond)
		s.Answered(job.Device, slices.Clone(read), now)
	}
	for i, p := range order[2:] {
		if (p == 0) == (order[i+1] == 0) {
			t.Fatalf("read %v", order)
		}
	}
	if !slices.Contains(order, 2) || !slices.Contains(order, 3) {
		t.Fatalf("read %v", order)
	}
	if s.Longest() != 50*time.Millisecond {
		t.Errorf("a request may take %s", s.Longest())
	}
}

func TestALineWithoutFastPointsHasNoBound(t *testing.T) {
	if l := New([]Point{{0, Alarm, time.Second}, {1, Measure, 100 * time.Millisecond}}, start).Longest(); l != 0 {
		t.Errorf("got %s", l)
	}
}

// One failure does not put an alarm behind the measures of others.
func TestARetryKeepsItsPlace(t *testing.T) {
	s := New([]Point{{0, Alarm, time.Second}, {1, Measure, time.Second}}, start)
	s.Answered(0, []int{0}, start)
	s.Answered(1, []int{1}, start)
	now := start.Add(2 * time.Second)
	s.Silent(0, []int{0}, now, 0, 0)
	if job, _ := s.Next(now); job.Device != 0 {
		t.Errorf("got %+v, want the alarm", job)
	}
}

func TestAProbeIsShortWhileOthersAreDue(t *testing.T) {
	s := New([]Point{{0, Measure, time.Minute}, {1, Measure, time.Minute}}, start)
	now := start
	fail := func() { s.Silent(1, []int{1}, now, 200*time.Millisecond, 0) }
	fail()
	fail()
	s.Answered(0, []int{0}, now)
	for range 5 { // until the pauses are long
		now = s.devices[1].until
		s.Answered(0, []int{0}, now)
		if job, _ := s.Next(now); !job.Probe {
			t.Fatalf("got %+v, want a probe", job)
		}
		fail()
	}
	now = s.devices[1].until
	s.points[0].due = now.Add(10 * time.Second)
	if job, _ := s.Next(now); !job.Probe || job.Within < 600*time.Millisecond || job.Within > 700*time.Millisecond {
		t.Errorf("got %+v, want a long probe while nothing else is due", job)
	}
	s.points[0].due = now.Add(50 * time.Millisecond)
	if job, _ := s.Next(now); !job.Probe || job.Within != shortProbe {
		t.Errorf("got %+v, want a short probe before something else is due", job)
	}
	now = now.Add(rarePatience)
	s.points[0].due = now.Add(50 * time.Millisecond)
	if job, _ := s.Next(now); !job.Probe || job.Within != 0 {
		t.Errorf("got %+v, want a patient probe now and then", job)
	}
	s.devices[0].down = true
	if job, _ := s.Next(now); !job.Probe || job.Within != 0 {
		t.Errorf("got %+v, want a probe without bound when nobody answers", job)
	}
}

// A device that comes and goes does not give the dead more than their share.
func TestADeviceThatFlapsDoesNotFreeTheBudget(t *testing.T) {
	var b budget
	now := start
	for range 60 {
		b.spend(now, 10*time.Second)
		b.forgive(now)
		now = now.Add(10 * time.Second)
	}
	if b.allow(now) {
		t.Error("what was spent is forgotten each time")
	}
}
