package devices

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/simulator"
	"gengfu/facility"
)

// On a noisy line a spoilt reply does not blind an alarm that is read often, and a
// short disturbance takes no device away.
func TestANoisyLineDoesNotBlindAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := pump()
		for i := range model.Points {
			if model.Points[i].ID == "fault" {
				model.Points[i].Period = 100 * time.Millisecond
			}
		}
		s := simulated(t, model, 1)
		w := newWorld(t, model, s)
		began := time.Now()
		events := []event{{30 * time.Second, func() { s.SetFault(simulator.Fault{Kind: simulator.Corrupt, Rate: 0.05}) }}}
		changes := map[time.Time]float64{}
		for i := range 200 {
			events = append(events, event{time.Minute + time.Duration(i)*3037*time.Millisecond, func() {
				set(t, s, "fault", float64((i+1)%2))
				changes[time.Now()] = float64((i + 1) % 2)
			}})
		}
		calm := 12 * time.Minute
		events = append(events,
			event{calm, func() { s.SetFault(simulator.Fault{Kind: simulator.Corrupt}) }},
			event{calm + 1200*time.Millisecond, func() { s.SetFault(simulator.Fault{}) }},
			event{calm + time.Minute, func() { s.SetFault(simulator.Fault{Kind: simulator.Corrupt}) }},
		)
		w.run(calm+2*time.Minute, events...)

		said := w.sink.of("dev1/fault")
		var latencies []time.Duration
		for at, value := range changes {
			i := slices.IndexFunc(said, func(r facility.Reading) bool {
				return r.Time.After(at) && r.Value == value && r.Quality == facility.Good
			})
			if i < 0 {
				t.Fatalf("the change at %v was never said", at.Sub(began))
			}
			latencies = append(latencies, said[i].Time.Sub(at))
		}
		slices.Sort(latencies)
		if most := latencies[len(latencies)-1]; p99(latencies) > 700*time.Millisecond || most > 2*time.Second {
			t.Errorf("p99 %v, most %v", p99(latencies), most)
		}
		first := slices.IndexFunc(said, func(r facility.Reading) bool { return r.Quality == facility.Bad })
		if first < 0 {
			t.Fatal("a device of which every reply is spoilt is not bad")
		}
		if at := said[first].Time.Sub(began); at < calm+time.Minute || at > calm+65*time.Second {
			t.Errorf("it is bad at %v", at)
		}
	})
}
