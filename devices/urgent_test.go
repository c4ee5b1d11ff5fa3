package devices

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// The alarm of a pump on a line of 9600 baud with twenty meters of twenty registers,
// electricity meters of DL/T 645 among them: from the bit in the device to the sink.
func TestAnAlarmAmongTwentyMeters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter := profile.Profile{ID: "meter", Kind: "electricity_meter"}
		for i := range 10 {
			meter.Points = append(meter.Points, profile.Point{
				ID: fmt.Sprintf("v%d", i), Kind: facility.Measure, Table: profile.Input, Address: 2 * i, Type: profile.F32, Period: 10 * time.Second,
			})
		}
		meter.Defaults()
		alarm := pump()
		for i := range alarm.Points {
			if alarm.Points[i].ID == "fault" {
				alarm.Points[i].Period = 120 * time.Millisecond
			}
		}
		members := []member{{alarm, "1"}}
		for i := range 15 {
			members = append(members, member{meter, Unit(i + 2)})
		}
		for i := range 5 {
			members = append(members, member{shipped(t, "dlt645-2007"), Address(fmt.Sprintf("%012d", i+161))})
		}
		w := newMixedWorld(t, members...)
		var events []event
		changes := map[time.Time]float64{}
		for i := range 1000 {
			after := time.Minute + time.Duration(i)*1037*time.Millisecond
			events = append(events, event{after, func() {
				set(t, w.slaves[0], "fault", float64((i+1)%2))
				changes[time.Now()] = float64((i + 1) % 2)
			}})
		}
		w.run(20*time.Minute, events...)

		said := w.sink.of("dev1/fault")
		var latencies []time.Duration
		for at, value := range changes {
			i := slices.IndexFunc(said, func(r facility.Reading) bool { return r.Time.After(at) && r.Value == value })
			if i < 0 {
				t.Fatalf("the change at %s was never said", at)
			}
			latencies = append(latencies, said[i].Time.Sub(at))
		}
		slices.Sort(latencies)
		t.Logf("median %v, p99 %v, most %v, line busy for %.0f %%", latencies[len(latencies)/2], p99(latencies), latencies[len(latencies)-1],
			100*w.line.status(time.Now()).Utilisation)
		if p99(latencies) > 300*time.Millisecond {
			t.Errorf("p99 is %v", p99(latencies))
		}
		for i := 1; i < len(members); i++ {
			q := "v0"
			if i > 15 {
				q = "voltage"
			}
			rs := w.sink.of(fmt.Sprintf("dev%d/%s", i+1, q))
			if len(rs) < 20 { // a meter of DL/T 645 every minute
				t.Errorf("dev%d was read %d times in 20 minutes", i+1, len(rs))
			}
		}
	})
}

// A slave that holds the time: no value is older than the request that brought it,
// save the reply to the same that was late, by one poll.
func TestAMetersValueIsNeverOlderThanOnePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := shipped(t, "dlt645-2007")
		w := newMixedWorld(t, member{model, "000000000161"})
		faults, err := simulator.ParseFaults("late 700ms 5%, late 1600ms 5%, duplicate 5%, cut 3%")
		if err != nil {
			t.Fatal(err)
		}
		w.slaves[0].Seed(3)
		w.slaves[0].SetFaults(faults...)
		begin := time.Now()
		var events []event
		for i := range 1200 {
			events = append(events, event{time.Duration(i) * time.Second, func() { set(t, w.slaves[0], "energy_import", float64(i)) }})
		}
		w.run(20*time.Minute, events...)
		period, good := time.Duration(0), 0
		for _, pt := range model.Points {
			if pt.ID == "energy_import" {
				period = pt.Period
			}
		}
		for _, r := range w.sink.of("dev1/energy_import") {
			if r.Quality != facility.Good {
				continue
			}
			good++
			if age := r.Time.Sub(begin) - time.Duration(r.Value)*time.Second; age > period+5*time.Second {
				t.Errorf("at %s it is %s old", r.Time.Sub(begin), age)
			}
		}
		if good == 0 {
			t.Errorf("nothing was read")
		}
	})
}
