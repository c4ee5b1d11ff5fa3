package devices

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// meters32 is a line of 9600 baud with 32 meters of ten registers that are read
// every 5 s, which takes it half of its time. The first so many are dead.
func meters32(t *testing.T, dead int) *world {
	t.Helper()
	p := profile.Profile{ID: "meter", Kind: "electricity_meter"}
	for i := range 5 {
		p.Points = append(p.Points, profile.Point{
			ID: fmt.Sprintf("v%d", i), Kind: facility.Measure, Table: profile.Input, Address: 2 * i, Type: profile.F32, Period: 5 * time.Second,
		})
	}
	p.Defaults()
	var slaves []*simulator.Slave
	for i := range 32 {
		s := simulated(t, p, i+1)
		if i < dead {
			s.SetFault(silent)
		}
		slaves = append(slaves, s)
	}
	return newWorld(t, p, slaves...)
}

// periods returns the times between readings of the devices from the given one on,
// sorted.
func (w *world) periods(from int) []time.Duration {
	var all []time.Duration
	for i := from; i < len(w.slaves); i++ {
		rs := w.sink.of(fmt.Sprintf("dev%d/v0", i+1))
		for j := 1; j < len(rs); j++ {
			all = append(all, rs[j].Time.Sub(rs[j-1].Time))
		}
	}
	slices.Sort(all)
	return all
}

func p99(sorted []time.Duration) time.Duration { return sorted[len(sorted)*99/100] }

// The figure, on the wire: a quarter of a line is dead, and the others keep
// their period; probes take next to nothing, and who comes back is found soon.
func TestEightDeadOf32CostTheOthersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const span = 20 * time.Minute
		alive := meters32(t, 0)
		alive.run(span)
		before := p99(alive.periods(8))

		w := meters32(t, 8)
		revived := map[int]time.Time{}
		var events []event
		for i := range 4 {
			events = append(events, event{12*time.Minute + time.Duration(i)*97*time.Second, func() {
				w.slaves[i].SetFault(simulator.Fault{})
				revived[i] = time.Now()
			}})
		}
		begin, probes, cost := time.Now(), 0, time.Duration(0)
		_, err := w.field.Trace("bus", func(x bus.Exchange) {
			if after := x.At.Sub(begin); x.Reply == nil && after > 5*time.Minute && after < 12*time.Minute {
				probes++
				cost += x.Took
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		w.run(span, events...)

		after := p99(w.periods(8))
		t.Logf("p99 of the period: %v alive, %v with 8 dead", before, after)
		if float64(after) > 1.15*float64(before) {
			t.Errorf("p99 of the period is %v with 8 of 32 dead, %v with all alive", after, before)
		}
		t.Logf("%d probes in seven minutes took %.2f %% of the line's time", probes, 100*float64(cost)/float64(7*time.Minute))
		if probes < 8*7 || cost > 7*time.Minute*2/100 {
			t.Errorf("%d probes in seven minutes took %s", probes, cost)
		}
		for i, at := range revived {
			back := time.Duration(-1)
			for _, r := range w.sink.of(fmt.Sprintf("dev%d/v0", i+1)) {
				if r.Quality == facility.Good {
					back = r.Time.Sub(at)
					break
				}
			}
			t.Logf("dev%d is back after %v", i+1, back)
			if back < 0 || back > time.Minute {
				t.Errorf("dev%d is back after %v", i+1, back)
			}
		}
	})
}
