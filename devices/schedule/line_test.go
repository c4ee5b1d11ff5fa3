package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/devices/schedule"
)

var start = time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)

// line is a serial line in virtual time with slaves that answer after 30 ms or not
// at all. The requests are those of the planner, and cost what they do on the wire.
type line struct {
	wire    bus.Wire
	timeout time.Duration
	points  []schedule.Point
	wants   []modbus.Want
	dead    map[int]bool

	sched   *schedule.Scheduler
	now     time.Time
	sampled [][]time.Time // by point: when the slave took the value
	known   [][]time.Time // by point: when it was read
	wasted  time.Duration
	longest time.Duration // of one request that was answered
}

func wireOf(baud int) bus.Wire {
	return bus.Wire{Character: time.Second * 10 / time.Duration(baud), Gap: 10 * time.Millisecond}
}

// add puts points of one period on the line, as a stretch of registers.
func (l *line) add(device int, class schedule.Class, period time.Duration, address, registers int) {
	const words = 4
	for a := address; a < address+registers; a += words {
		l.points = append(l.points, schedule.Point{Device: device, Class: class, Period: period})
		l.wants = append(l.wants, modbus.Want{Table: profile.Holding, Address: a, Words: min(words, address+registers-a)})
	}
}

func (l *line) start() *line {
	l.sched, l.now = schedule.New(l.points, start), start
	l.sampled, l.known = make([][]time.Time, len(l.points)), make([][]time.Time, len(l.points))
	return l
}

func (l *line) terms() modbus.Terms { return modbus.Terms{Wire: l.wire, Longest: l.sched.Longest()} }

// run polls the line for so long.
func (l *line) run(d time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); {
		job, wake := l.sched.Next(l.now)
		switch {
		case len(job.Points) > 0:
			l.poll(job)
		case wake.IsZero() || wake.After(end):
			l.now = end
		default:
			l.now = wake
		}
	}
}

func (l *line) poll(job schedule.Job) {
	wants := make([]modbus.Want, len(job.Points))
	for i, p := range job.Points {
		wants[i] = l.wants[p]
	}
	batch := modbus.PlanFirst(wants, l.terms())
	points := make([]int, len(batch.Wants))
	for i, w := range batch.Wants {
		points[i] = job.Points[w]
	}
	cost := l.terms().Cost(batch.Table, batch.Quantity)
	if !l.dead[job.Device] {
		sampled := l.now.Add(l.wire.Silence() + l.wire.Of(8) + bus.Turnaround)
		l.now = l.now.Add(cost)
		l.longest = max(l.longest, cost)
		l.sched.Answered(job.Device, points, l.now)
		for _, p := range points {
			l.sampled[p], l.known[p] = append(l.sampled[p], sampled), append(l.known[p], l.now)
		}
		return
	}
	cost = l.wire.Silence() + l.wire.Of(8) + l.timeout
	if job.Within > 0 { // but long enough for these slaves
		cost = min(cost, max(job.Within, l.wire.Silence()+l.wire.Of(8)+2*bus.Turnaround))
	}
	l.now = l.now.Add(cost)
	l.wasted += cost
	l.sched.Silent(job.Device, points, l.now, cost, 2*l.timeout)
}

// periods returns how long passed from one reading to the next, of all points of
// devices from the first on, sorted.
func (l *line) periods(devices int, after time.Time) (all []time.Duration) {
	for p, at := range l.known {
		for i := 1; i < len(at); i++ {
			if l.points[p].Device < devices && at[i-1].After(after) {
				all = append(all, at[i].Sub(at[i-1]))
			}
		}
	}
	slices.Sort(all)
	return all
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// The devices that answer keep their period when eight of 32 do not, which cost no
// more than 2 % of the line, and each of which is found within a minute of coming
// back.
func TestEightOf32Dead(t *testing.T) {
	cases := []struct {
		baud    int
		period  time.Duration
		timeout time.Duration
	}{
		{9600, 10 * time.Second, time.Second},
		{9600, 4 * time.Second, 500 * time.Millisecond},
		{9600, time.Second, 500 * time.Millisecond}, // overloaded
		{19200, 2 * time.Second, 500 * time.Millisecond},
		{2400, 20 * time.Second, 1500 * time.Millisecond},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%d baud every %s", c.baud, c.period), func(t *testing.T) {
			t.Parallel()
			var p99 [3]time.Duration
			for k, dead := range []int{0, 8, 1} {
				l := &line{wire: wireOf(c.baud), timeout: c.timeout, dead: map[int]bool{}}
				for d := range 32 {
					l.add(d, schedule.Measure, c.period, 0, 10)
					l.dead[d] = d >= 32-dead
				}
				l.start().run(5 * time.Minute)
				l.wasted = 0
				l.run(10 * time.Minute)
				p99[k] = quantile(l.periods(24, start.Add(5*time.Minute)), 0.99)
				if share := l.wasted.Seconds() / (30 * time.Minute).Seconds(); share > 0.02 {
					t.Errorf("%d dead devices cost %.2f %% of the line", dead, 100*share)
				}
				ratio := float64(p99[k]) / float64(p99[0])
				t.Logf("%d dead: the period of the others is %s at the 99th percentile: %.3f times", dead, p99[k], ratio)
				if ratio > 1.15 {
					t.Error("that is too long")
				}
				if dead > 0 {
					l.revive(t)
				}
			}
		})
	}
}

// revive brings the dead back one by one, far apart.
func (l *line) revive(t *testing.T) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for d, dead := range l.dead {
		if !dead {
			continue
		}
		l.run(2*time.Minute + time.Duration(random.Int64N(int64(time.Minute))))
		back := l.now
		l.dead[d] = false
		l.run(time.Minute)
		if took, ok := l.readSince(d, back); !ok || took > time.Minute {
			t.Errorf("device %d was read %s after it came back", d, took)
		}
		l.dead[d] = true
	}
}

func (l *line) readSince(device int, since time.Time) (time.Duration, bool) {
	for p, at := range l.known {
		if l.points[p].Device != device {
			continue
		}
		if i, _ := slices.BinarySearchFunc(at, since, time.Time.Compare); i < len(at) {
			return at[i].Sub(since), true
		}
	}
	return 0, false
}

// With nearly all of a slow line dead, both rules cannot hold: the share does. When
// the power comes back, all are found within a minute.
func TestThirtyOf32DeadAt2400Baud(t *testing.T) {
	l := &line{wire: wireOf(2400), timeout: 1500 * time.Millisecond, dead: map[int]bool{}}
	for d := range 32 {
		l.add(d, schedule.Measure, 10*time.Second, 0, 10)
		l.dead[d] = d >= 2
	}
	l.start().run(20 * time.Minute)
	l.wasted = 0
	l.run(2 * time.Hour)
	if share := l.wasted.Seconds() / (2 * time.Hour).Seconds(); share > 0.02 {
		t.Errorf("30 dead devices cost %.2f %% of the line", 100*share)
	}
	back := l.now
	clear(l.dead)
	l.run(2 * time.Minute)
	for d := range 32 {
		if took, ok := l.readSince(d, back); !ok || took > time.Minute {
			t.Errorf("device %d was read %s after all came back", d, took)
		}
	}
}

// A change of an alarm bit that is looked at every 100 or 150 ms is known within
// 300 ms, while 20 meters on the same line of 9600 baud are read at their pace or
// as fast as the line can. What a journal takes comes on top.
func TestAnAlarmBitAmongTwentyMeters(t *testing.T) {
	for _, c := range []struct{ alarm, meters time.Duration }{
		{100 * time.Millisecond, 30 * time.Second},
		{150 * time.Millisecond, 30 * time.Second},
		{100 * time.Millisecond, time.Second}, // overloaded
		{150 * time.Millisecond, 10 * time.Second},
		{200 * time.Millisecond, 30 * time.Second},
	} {
		t.Run(fmt.Sprintf("alarm every %s, meters every %s", c.alarm, c.meters), func(t *testing.T) {
			t.Parallel()
			l := &line{wire: wireOf(9600), timeout: time.Second}
			l.add(0, schedule.Alarm, c.alarm, 0, 2)
			l.add(0, schedule.Measure, 10*time.Second, 10, 10)
			for d := range 20 {
				l.add(d+1, schedule.Measure, c.meters, 0, 60)
				l.add(d+1, schedule.Counter, 30*time.Second, 100, 8)
			}
			l.start().run(2 * time.Minute)
			l.longest = 0
			l.run(6 * time.Minute)
			random := rand.New(rand.NewPCG(3, 4))
			var late []time.Duration
			for range 5000 {
				flip := start.Add(2*time.Minute + time.Duration(random.Int64N(int64(4*time.Minute))))
				i, _ := slices.BinarySearchFunc(l.sampled[0], flip, time.Time.Compare)
				late = append(late, l.known[0][i].Sub(flip))
			}
			slices.Sort(late)
			t.Logf("p50 %s, p99 %s, most %s; the meters every %s; the longest request %s",
				quantile(late, 0.5), quantile(late, 0.99), quantile(late, 1), quantile(l.periods(21, start), 0.99), l.longest)
			if p99 := quantile(late, 0.99); p99 > 290*time.Millisecond {
				t.Errorf("known after %s at the 99th percentile", p99)
			}
			own := l.terms().Cost(profile.Holding, 2)
			if most := max(c.alarm*9/8, max(l.sched.Longest(), l.longest)+own) + own; quantile(late, 1) > most {
				t.Errorf("known after %s, the bound is %s", quantile(late, 1), most)
			}
			for p := range l.points {
				if len(l.known[p]) == 0 {
					t.Errorf("point %d was never read", p)
				}
			}
		})
	}
}
