package devices

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/line/linetest"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// gaps returns the longest time between two readings.
func longestGap(readings []facility.Reading) (longest time.Duration) {
	for i := 1; i < len(readings); i++ {
		longest = max(longest, readings[i].Time.Sub(readings[i-1].Time))
	}
	return longest
}

func qualities(readings []facility.Reading) (good, bad int) {
	for _, r := range readings {
		if r.Quality == facility.Bad {
			bad++
		} else {
			good++
		}
	}
	return good, bad
}

func TestASilentSlaveDoesNotStallTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := simulated(t, pump(), 2)
		dead.SetFault(silent)
		w := newWorld(t, pump(), simulated(t, pump(), 1), dead, simulated(t, pump(), 3))
		w.run(10 * time.Minute)

		for _, device := range []string{"dev1", "dev3"} {
			pressure := w.sink.of(device + "/pressure")
			if n := len(pressure); n < 59 || n > 62 {
				t.Errorf("%s: %d readings of pressure in ten minutes at a period of 10 s", device, n)
			}
			if gap := longestGap(pressure); gap > 11*time.Second {
				t.Errorf("%s: pressure was missing for %s", device, gap)
			}
			for _, r := range pressure {
				if r.Value != 4.25 || r.Quality != facility.Good || r.Unit != "bar" {
					t.Errorf("%s: %+v", device, r)
				}
			}
			if online := w.sink.of(device + "/online"); online[0].Value != 1 || longestGap(online) > 62*time.Second {
				t.Errorf("%s: online %+v", device, online)
			}
		}
		for _, s := range []int{0, 2} {
			// Alarm bits every second, in two tables: 1200 requests besides the others.
			if n := w.slaves[s].Served(); n < 1150 || n > 1350 {
				t.Errorf("slave %d was asked %d times", w.slaves[s].Address(), n)
			}
		}
		checkDead(t, w)
	})
}

func checkDead(t *testing.T, w *world) {
	t.Helper()
	for _, q := range []string{"fault", "state", "pressure", "starts", "door"} {
		rs := w.sink.of("dev2/" + q)
		if good, bad := qualities(rs); good > 0 || bad < 10 || bad > 11 {
			t.Errorf("dev2/%s: %d good and %d bad readings in ten minutes", q, good, bad)
		}
		for _, r := range rs {
			if r.Reason != facility.NoAnswer || r.Value != 0 {
				t.Errorf("dev2/%s: %+v", q, r)
			}
		}
		if gap := longestGap(rs); gap > 62*time.Second {
			t.Errorf("dev2/%s was not said for %s", q, gap)
		}
	}
	for _, r := range w.sink.of("dev2/online") {
		if r.Value != 0 || r.Quality != facility.Good {
			t.Errorf("dev2/online: %+v", r)
		}
	}
	status := w.line.status(time.Now())
	if d := status.Devices[1]; d.Online == nil || *d.Online || d.Reason != facility.NoAnswer || d.Timeouts == 0 || d.LastSeen != nil {
		t.Errorf("status of dev2: %+v", d)
	}
	if n := w.slaves[1].Served(); n > 20 {
		t.Errorf("the dead slave was asked %d times", n)
	}
	if status.Utilisation < 0.1 || status.Utilisation > 0.6 {
		t.Errorf("the line was busy for %.2f of the time", status.Utilisation)
	}
}

func TestStatesAreSaidWhenTheyChangeAndNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulated(t, pump(), 1)
		w := newWorld(t, pump(), s)
		var changed time.Time
		w.run(5*time.Minute, event{100 * time.Second, func() {
			set(t, s, "fault", 1)
			changed = time.Now()
		}})
		fault := w.sink.of("dev1/fault")
		if n := len(fault); n < 10 || n > 13 {
			t.Errorf("%d readings of a bit that changed once in five minutes", n)
		}
		if gap := longestGap(fault); gap > facility.KeepAlive+2*time.Second {
			t.Errorf("the bit was not said for %s", gap)
		}
		for _, r := range fault {
			if r.Value == 1 {
				if after := r.Time.Sub(changed); after < 0 || after > 1100*time.Millisecond {
					t.Errorf("the change was said after %s at a period of a second", after)
				}
				return
			}
		}
		t.Error("the change was never said")
	})
}

func TestADeviceThatGoesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulated(t, pump(), 1)
		w := newWorld(t, pump(), s, simulated(t, pump(), 2))
		var gone, back time.Time
		w.run(3*time.Minute,
			event{time.Minute, func() { gone = time.Now(); s.SetFault(silent) }},
			event{2 * time.Minute, func() { back = time.Now(); s.SetFault(simulator.Fault{}) }},
		)
		var down, up time.Time
		for _, r := range w.sink.of("dev1/online") {
			if r.Value == 0 && down.IsZero() {
				down = r.Time
			}
			if r.Value == 1 && up.IsZero() && r.Time.After(back) {
				up = r.Time
			}
		}
		if d := down.Sub(gone); d < 0 || d > 4*time.Second {
			t.Errorf("it was found to be gone after %s", d)
		}
		if d := up.Sub(back); d < 0 || d > 61*time.Second {
			t.Errorf("it was found to be back after %s", d)
		}
		for _, q := range []string{"fault", "pressure", "starts"} {
			rs := w.sink.of("dev1/" + q)
			for _, r := range rs {
				if bad := r.Quality == facility.Bad; bad != (!r.Time.Before(down) && r.Time.Before(up)) {
					t.Errorf("dev1/%s at %s is %s; it was down from %s to %s", q, r.Time, r.Quality, down, up)
				}
			}
			if last := rs[len(rs)-1]; last.Quality != facility.Good {
				t.Errorf("dev1/%s ends %+v", q, last)
			}
		}
	})
}

// A batch that touches a register which the device does not have is split; the
// other points are read, and the split is remembered.
func TestAnExceptionSplitsTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulated(t, pump(), 1)
		p := pump()
		p.Points = append(p.Points, profile.Point{
			ID: "torque", Kind: facility.Measure, Table: profile.Holding, Address: 5, Type: profile.U16,
		})
		p.Defaults()
		w := newWorld(t, p, s)
		w.run(5 * time.Minute)
		for _, q := range []string{"fault", "state", "pressure", "starts"} {
			if good, bad := qualities(w.sink.of("dev1/" + q)); good == 0 || bad > 0 {
				t.Errorf("dev1/%s: %d good and %d bad readings", q, good, bad)
			}
		}
		torque := w.sink.of("dev1/torque")
		if good, bad := qualities(torque); good > 0 || bad < 5 || torque[0].Reason != facility.DeviceError {
			t.Errorf("dev1/torque: %+v", torque)
		}
		status := w.line.status(time.Now())
		if d := status.Devices[0]; !*d.Online || d.Exceptions > 15 {
			t.Errorf("status %+v", d)
		}
	})
}

func TestABadReplyOnceIsNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulated(t, pump(), 1)
		w := newWorld(t, pump(), s)
		w.run(2*time.Minute,
			event{30 * time.Second, func() { s.SetFault(simulator.Fault{Kind: simulator.Corrupt, Times: 1}) }},
			event{60 * time.Second, func() { s.SetFault(simulator.Fault{Kind: simulator.Silent, Times: 1}) }},
			event{90 * time.Second, func() { s.SetFault(simulator.Fault{Kind: simulator.Busy, Times: 1}) }},
		)
		for _, q := range []string{"fault", "state", "pressure", "starts", "door"} {
			if _, bad := qualities(w.sink.of("dev1/" + q)); bad > 0 {
				t.Errorf("dev1/%s: %d bad readings", q, bad)
			}
		}
		c := w.line.status(time.Now()).Wire
		if c.Garbled != 1 || c.Timeouts != 1 || c.Exceptions != 1 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestGarbledForGoodIsABadReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulated(t, pump(), 1)
		s.SetFault(simulator.Fault{Kind: simulator.Corrupt})
		w := newWorld(t, pump(), s)
		w.run(10 * time.Second)
		if rs := w.sink.of("dev1/pressure"); len(rs) != 1 || rs[0].Reason != facility.BadReply {
			t.Errorf("got %+v", rs)
		}
	})
}

func TestALineThatGoesAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pump(), simulated(t, pump(), 1), simulated(t, pump(), 2))
		var gone, back time.Time
		var during LineStatus
		w.run(6*time.Minute,
			event{time.Minute, func() { gone = time.Now(); w.breaks(errNoPort) }},
			event{4*time.Minute - time.Second, func() { during = w.line.status(time.Now()) }},
			event{4 * time.Minute, func() { back = time.Now(); w.breaks(nil) }},
		)
		if during.State != LineDown || during.Reason != errNoPort.Error() {
			t.Errorf("while it is gone: %+v", during)
		}
		for _, point := range []string{"dev1/fault", "dev2/pressure", "dev2/starts"} {
			var bad, after []facility.Reading
			for _, r := range w.sink.of(point) {
				if r.Time.After(gone) && r.Quality == facility.Bad {
					bad = append(bad, r)
				}
				if r.Time.After(back) && r.Quality == facility.Good {
					after = append(after, r)
				}
			}
			if len(bad) < 3 || bad[0].Reason != facility.LineDown || bad[0].Time.Sub(gone) > 3*time.Second {
				t.Errorf("%s while the line is gone: %+v", point, bad)
			}
			if gap := longestGap(bad); gap > 62*time.Second {
				t.Errorf("%s was not said for %s", point, gap)
			}
			if len(after) == 0 || after[0].Time.Sub(back) > 40*time.Second {
				t.Errorf("%s after the line is back: %+v", point, after)
			}
		}
		if s := w.line.status(time.Now()); s.State != LineUp || s.Opened != 2 || s.Reason != "" {
			t.Errorf("in the end: %+v", s)
		}
		if w.opened > 20 {
			t.Errorf("the port was tried %d times in three minutes", w.opened)
		}
	})
}

// A port that can be opened and is of no use, as when another program answers at a
// gateway's address, is told of once and not at every try.
func TestALineThatOpensInVainIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pump(), simulated(t, pump(), 1))
		var log bytes.Buffer
		w.line.log = slog.New(slog.NewTextHandler(&log, nil))
		var useful atomic.Bool
		open := w.line.open
		w.line.open = func(ctx context.Context) (connection, error) {
			if useful.Load() {
				return open(ctx)
			}
			w.opened++
			m, s := linetest.Pair()
			return m, s.Close()
		}
		w.run(5*time.Minute, event{4 * time.Minute, func() { useful.Store(true) }})
		if w.opened < 5 {
			t.Fatalf("the port was tried %d times", w.opened)
		}
		for what, n := range map[string]int{"the line is open": 1, "holding 0+5: line broken": 1, "the line answers again": 1} {
			if got := strings.Count(log.String(), what); got != n {
				t.Errorf("%q is said %d times, want %d", what, got, n)
			}
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
}

func TestWhatTheSinkRefusedIsOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulated(t, pump(), 1)
		w := newWorld(t, pump(), s)
		var taking time.Time
		w.run(time.Minute,
			event{10 * time.Second, func() { w.sink.refusing(errors.New("disk full")) }},
			event{12 * time.Second, func() { set(t, s, "fault", 1) }},
			event{15 * time.Second, func() { taking = time.Now(); w.sink.refusing(nil) }},
		)
		status := w.line.status(time.Now())
		if status.Dropped == 0 || status.Readings != uint64(len(w.sink.readings)) {
			t.Errorf("%d readings handed over, %d dropped; the sink has %d", status.Readings, status.Dropped, len(w.sink.readings))
		}
		for _, r := range w.sink.of("dev1/fault") {
			if r.Value == 1 {
				if d := r.Time.Sub(taking); d < 0 || d > 2*time.Second {
					t.Errorf("the change was said %s after the sink took again", d)
				}
				return
			}
		}
		t.Error("the change was lost")
	})
}

// picky takes samples while it refuses all else, as a gateway with a full disk.
type picky struct{ *memory }

func (p picky) Readings(ctx context.Context, readings []facility.Reading) error {
	for _, r := range readings {
		if q := r.Point.Quantity; q == "pressure" || q == "starts" {
			continue
		}
		return p.memory.Readings(ctx, readings)
	}
	return nil
}

func TestASinkThatRefusesIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pump(), simulated(t, pump(), 1))
		var log bytes.Buffer
		w.line.log, w.line.sink = slog.New(slog.NewTextHandler(&log, nil)), picky{w.sink}
		w.run(5*time.Minute,
			event{10 * time.Second, func() { w.sink.refusing(errors.New("disk full")) }},
			event{4 * time.Minute, func() { w.sink.refusing(nil) }},
		)
		for what, n := range map[string]int{"handing over readings": 1, "disk full": 1, "readings are taken again": 1} {
			if got := strings.Count(log.String(), what); got != n {
				t.Errorf("%q is said %d times, want %d", what, got, n)
			}
		}
		if t.Failed() {
			t.Log(log.String())
		}
	})
}

// A slave on RTU whose replies come after the timeout again and again: what is
// handed over is always what that register holds.
func TestLateRepliesOnALineAreNeverBookedElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := profile.Profile{ID: "numbered", Kind: "numbered"}
		want := map[string]float64{}
		for i := range 12 {
			id := "r" + string(rune('a'+i))
			p.Points = append(p.Points, profile.Point{
				ID: id, Kind: facility.Measure, Table: profile.Holding, Address: 10 * i, Type: profile.U16, Period: time.Second,
			})
			want[id] = float64(10 * i)
		}
		p.Defaults()
		s := simulated(t, p, 1)
		for id, v := range want {
			set(t, s, id, v)
		}
		w := newWorld(t, p, s)
		var events []event
		for i := range 20 {
			delay := time.Duration(520+40*i) * time.Millisecond
			events = append(events, event{time.Duration(10*i+5) * time.Second, func() {
				s.SetFault(simulator.Fault{Kind: simulator.Slow, Delay: delay, Times: 1 + i%3})
			}})
		}
		w.run(5*time.Minute, events...)
		good := 0
		for _, r := range w.sink.readings {
			if r.Point.Quantity == facility.OnlineQuantity || r.Quality == facility.Bad {
				continue
			}
			good++
			if r.Value != want[r.Point.Quantity] {
				t.Fatalf("%s was given %v", r.Point, r.Value)
			}
		}
		if good < 1000 {
			t.Errorf("only %d good readings", good)
		}
		if c := w.line.status(time.Now()).Wire; c.Timeouts < 20 || c.Resyncs == 0 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestAGatewayThatFindsNoSlaveMeansNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulated(t, pump(), 1)
		s.SetFault(simulator.Fault{Kind: simulator.Exception, Code: modbus.TargetSilent})
		w := newWorld(t, pump(), s)
		w.run(5 * time.Second)
		if rs := w.sink.of("dev1/pressure"); len(rs) != 1 || rs[0].Reason != facility.NoAnswer {
			t.Errorf("got %+v", rs)
		}
		if d := w.line.status(time.Now()).Devices[0]; *d.Online {
			t.Errorf("status %+v", d)
		}
	})
}
