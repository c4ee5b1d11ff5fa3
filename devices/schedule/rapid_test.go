package schedule_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/devices/schedule"
)

// drawLine draws a line with any load, also far more than it can carry.
func drawLine(t *rapid.T) *line {
	l := &line{wire: wireOf(rapid.SampledFrom([]int{2400, 9600, 19200}).Draw(t, "baud")), timeout: time.Second, dead: map[int]bool{}}
	devices := rapid.IntRange(1, 8).Draw(t, "devices")
	for d := range devices {
		for k := range rapid.IntRange(1, 3).Draw(t, "stretches") {
			class := schedule.Class(rapid.IntRange(0, 3).Draw(t, "class"))
			period := rapid.SampledFrom([]time.Duration{
				100 * time.Millisecond, 150 * time.Millisecond, time.Second, 3 * time.Second,
			}).Draw(t, "period")
			l.add(d, class, period, 200*k, rapid.SampledFrom([]int{1, 2, 10, 60}).Draw(t, "registers"))
		}
		l.dead[d] = d > 0 && rapid.IntRange(0, 3).Draw(t, "dead") == 0
	}
	return l.start()
}

// However overloaded the line is and whatever is dead, every point of a device that
// answers is read again and again.
func TestNoPointWaitsForEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		l.run(2 * time.Minute)
		// A point that is urgent by its age waits for those that are older, each
		// of which lets something urgent and the fast ones go first.
		turn := 3*l.longest + l.timeout
		for p := range l.points {
			if l.dead[l.points[p].Device] {
				continue
			}
			most := time.Duration(4*l.points[p].Class+1)*l.points[p].Period + time.Duration(4*len(l.points))*turn
			last := start
			for _, at := range append(l.known[p], l.now) {
				if waited := at.Sub(last); waited > most {
					t.Fatalf("point %d %+v waited %s until %s, not more than %s", p, l.points[p], waited, at.Sub(start), most)
				}
				last = at
			}
		}
	})
}

// Fast points of devices that answer are looked at in time, whatever is due.
func TestFastPointsAreInTimeWhateverIsDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLine(t)
		for d := range l.dead {
			l.dead[d] = false
		}
		l.run(20 * time.Second) // to learn what everything costs
		learned := l.now
		l.run(30 * time.Second)
		for p := range l.points {
			if l.points[p].Class != schedule.Alarm || l.points[p].Period > 500*time.Millisecond {
				continue
			}
			// The other fast ones may need several requests each.
			most := max(l.points[p].Period*9/8, time.Duration(1+l.fast())*l.longest) + l.longest
			for i, at := range l.sampled[p] {
				if i > 0 && at.After(learned) && at.Sub(l.sampled[p][i-1]) > most {
					t.Fatalf("point %d %+v was not looked at for %s, not more than %s", p, l.points[p], at.Sub(l.sampled[p][i-1]), most)
				}
			}
		}
	})
}

func (l *line) fast() (points int) {
	for _, p := range l.points {
		if p.Class == schedule.Alarm && p.Period <= 500*time.Millisecond {
			points++
		}
	}
	return points
}
