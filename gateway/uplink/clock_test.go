package uplink_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/clock"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
)

// liar is a machine that was switched on just now, with a wall clock that is off.
type liar struct {
	clock.Machine
	began  time.Duration
	mu     sync.Mutex
	boot   string
	off    time.Duration
	synced bool
}

func newLiar(boot string, shows time.Time) *liar {
	m := clock.NewMachine()
	return &liar{Machine: *m, began: m.Read().Up, boot: boot, off: time.Until(shows)}
}

func (l *liar) Read() clock.Reading {
	r := l.Machine.Read()
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Up -= l.began
	r.Boot, r.Wall, r.Synced = l.boot, r.Wall.Add(l.off), l.synced
	return r
}

func (l *liar) set(off time.Duration, synced bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.off, l.synced = off, synced
}

// station is an edge whose clock lies, and the way to a hub.
type station struct {
	t         *testing.T
	machine   *liar
	clock     *clock.Clock
	data, url string
	streams   map[facility.Stream]*journal.Journal
	collector *uplink.Collector
	numbers   int
	truth     []time.Time // by number
	end       []func()
}

func newStation(t *testing.T, machine *liar, data, url string) *station {
	s := &station{t: t, machine: machine, data: data, url: url}
	s.clock = clock.Open(clock.Options{Source: machine, File: filepath.Join(data, "clock.json")})
	s.run(s.clock.Run)
	streams := map[facility.Stream]*journal.Journal{}
	for _, stream := range []facility.Stream{facility.Urgent, facility.Telemetry} {
		o := journal.Options{Cursors: []string{uplink.Cursor}}
		if stream == facility.Telemetry {
			o.Evict, o.Sync = true, 20*time.Millisecond
		}
		j, err := journal.Open(filepath.Join(data, string(stream)), o)
		if err != nil {
			t.Fatal(err)
		}
		streams[stream] = j
		s.end = append(s.end, func() {
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	s.streams = streams
	s.collector = uplink.NewCollector(uplink.CollectorOptions{
		Urgent: streams[facility.Urgent], Telemetry: streams[facility.Telemetry], Clock: s.clock,
		StreamOf: func(p facility.PointID) facility.Stream {
			if p.Quantity == "fault" {
				return facility.Urgent
			}
			return facility.Telemetry
		},
	})
	up, err := uplink.New(uplink.Options{
		Site: "s", Gateway: "g", Root: "r", URL: url, Streams: streams, Clock: s.clock,
		MinPause: 10 * time.Millisecond, ResendAfter: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.run(s.collector.Run)
	s.run(up.Run)
	return s
}

// run runs something until the station ends, before what was run earlier.
func (s *station) run(f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	s.end = append(s.end, func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, journal.ErrClosed) {
			s.t.Error(err)
		}
	})
}

func (s *station) stop() {
	for i := len(s.end) - 1; i >= 0; i-- {
		s.end[i]()
	}
	s.end = nil
}

// make takes a sample, a bit and a tap of one number.
func (s *station) make() {
	s.t.Helper()
	now := s.clock.Now()
	n := float64(s.numbers)
	s.truth = append(s.truth, time.Now())
	s.numbers++
	for _, q := range []string{"level", "fault"} {
		r := facility.Reading{Point: facility.PointID{Device: "pump", Quantity: q}, Time: now, Value: n, Quality: facility.Good}
		if err := s.collector.Readings(s.t.Context(), []facility.Reading{r}); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := s.collector.Tap(s.t.Context(), facility.Tap{ID: fmt.Sprint(n), Source: facility.TapReader, Reader: "gate", TappedAt: now, SentAt: now}); err != nil {
		s.t.Fatal(err)
	}
}

// hubAt runs a hub that says the time, or does not know it.
func hubAt(t *testing.T, url string, knows bool) *journal.Journal {
	t.Helper()
	j, _ := hubAndIntake(t, url, knows)
	return j
}

func hubAndIntake(t *testing.T, url string, knows bool) (*journal.Journal, *intake.Intake) {
	t.Helper()
	j := openJournal(t, filepath.Join(t.TempDir(), "hub"), journal.Options{})
	in, err := intake.New(intake.Options{
		Root: "r", URL: url, Journal: j, MinPause: 10 * time.Millisecond,
		Time: func() (time.Time, bool) { return time.Now(), knows },
	})
	if err != nil {
		t.Fatal(err)
	}
	start(t, in.Run)
	return j, in
}

// arrived is what came of one number.
type cameAs struct {
	readings map[string]facility.Reading
	tap      facility.Tap
}

// await waits until so many facts have come to the hub.
func (s *station) await(hub *journal.Journal, facts int) map[float64]*cameAs {
	s.t.Helper()
	deadline := time.After(limit)
	for {
		grown := hub.Grown()
		out, n := s.came(hub)
		if n >= facts {
			return out
		}
		select {
		case <-grown:
		case <-deadline:
			s.t.Fatalf("%d of %d facts came", n, facts)
		}
	}
}

func (s *station) came(hub *journal.Journal) (out map[float64]*cameAs, n int) {
	s.t.Helper()
	out = map[float64]*cameAs{}
	records, err := hub.Read(0, 1<<20)
	if err != nil {
		s.t.Fatal(err)
	}
	of := func(number float64) *cameAs {
		if out[number] == nil {
			out[number] = &cameAs{readings: map[string]facility.Reading{}}
		}
		n++
		return out[number]
	}
	for _, rec := range records {
		_, readings, taps, err := payload.Decode(rec.Body)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range readings {
			of(r.Value).readings[r.Point.Quantity] = r
		}
		for _, tap := range taps {
			var number float64
			if _, err := fmt.Sscan(tap.ID, &number); err != nil {
				s.t.Fatal(err)
			}
			of(number).tap = tap
		}
	}
	return out, n
}

// right checks that all facts of a number have their true times and no doubt.
func (s *station) right(came map[float64]*cameAs, number int, within time.Duration) {
	s.t.Helper()
	c := came[float64(number)]
	if c == nil || len(c.readings) != 2 {
		s.t.Fatalf("of fact %d there is %+v", number, c)
	}
	for _, r := range c.readings {
		if off := r.Time.Sub(s.truth[number]); off.Abs() > within || r.Quality != facility.Good {
			s.t.Errorf("%d: %s came %v off, %s %s", number, r.Point, off, r.Quality, r.Reason)
		}
	}
	if off := c.tap.TappedAt.Sub(s.truth[number]); off.Abs() > within || c.tap.ClockUnknown || !c.tap.SentAt.Equal(c.tap.TappedAt) {
		s.t.Errorf("%d: the tap came %v off: %+v", number, off, c.tap)
	}
}

// taken waits until there are facts in both journals.
func (s *station) taken() {
	s.t.Helper()
	for deadline := time.Now().Add(limit); s.streams[facility.Urgent].Stats().Records == 0 || s.streams[facility.Telemetry].Stats().Records == 0; {
		if time.Now().After(deadline) {
			s.t.Fatal("nothing is written down")
		}
		<-time.After(5 * time.Millisecond)
	}
}

func embed(t *testing.T) string {
	t.Helper()
	b, err := broker.Embed(broker.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b.URL()
}

const soon = 500 * time.Millisecond // of a busy machine

func TestWhatIsTakenIn1970ComesWithItsTime(t *testing.T) {
	url := embed(t)
	s := newStation(t, newLiar("boot1", time.Unix(100, 0)), t.TempDir(), url)
	defer s.stop()
	s.make()
	s.taken() // before anybody has told the time
	hub := hubAt(t, url, true)
	<-time.After(200 * time.Millisecond)
	s.make()
	came := s.await(hub, 6)
	s.right(came, 0, soon)
	s.right(came, 1, soon)
	if st := s.clock.State(); st.State != clock.ByHub || st.Restamped == 0 {
		t.Errorf("clock %+v", st)
	}
}

func TestWhatIsTakenIn1970WaitsForAHub(t *testing.T) {
	url := embed(t)
	data := t.TempDir()
	machine := newLiar("boot1", time.Unix(100, 0))
	s := newStation(t, machine, data, url)
	s.make()
	<-time.After(3 * time.Second) // so that urgent facts are sent to nobody
	s.stop()
	truth := s.truth
	s = newStation(t, machine, data, url) // the program starts again, the machine does not
	defer s.stop()
	s.truth, s.numbers = truth, 1
	s.make()
	hub := hubAt(t, url, true)
	came := s.await(hub, 6)
	s.right(came, 0, soon)
	s.right(came, 1, soon)
}

func TestNobodyKnowsTheTime(t *testing.T) {
	url := embed(t)
	hub := hubAt(t, url, false)
	machine := newLiar("boot1", time.Unix(100, 0))
	s := newStation(t, machine, t.TempDir(), url)
	defer s.stop()
	s.make()
	came := s.await(hub, 2)[0] // the sample waits
	bit, has := came.readings["fault"]
	if _, sample := came.readings["level"]; sample || !has {
		t.Fatalf("came: %+v", came)
	}
	if off := bit.Time.Sub(s.truth[0]); off.Abs() > soon || bit.Quality != facility.Uncertain || bit.Reason != facility.ClockUnknown {
		t.Errorf("the bit came %v off: %+v", off, bit)
	}
	if off := came.tap.TappedAt.Sub(s.truth[0]); off.Abs() > soon || !came.tap.ClockUnknown || came.tap.Within <= 0 {
		t.Errorf("the tap came %v off: %+v", off, came.tap)
	}
	machine.set(0, true) // a time service comes
	came = s.await(hub, 3)[0]
	if r := came.readings["level"]; r.Time.Sub(s.truth[0]).Abs() > soon || r.Quality != facility.Good {
		t.Errorf("the sample came as %+v", r)
	}
}

func TestTheClockStepsWhileFactsAreTaken(t *testing.T) {
	url := embed(t)
	hub, in := hubAndIntake(t, url, true)
	machine := newLiar("boot1", time.Now())
	s := newStation(t, machine, t.TempDir(), url)
	defer s.stop()
	for i, off := range []time.Duration{0, 3 * time.Hour, -5 * time.Hour, -40 * 365 * 24 * time.Hour, 0} {
		machine.set(off, false)
		s.make()
		s.right(s.await(hub, 3*(i+1)), i, soon)
	}
	machine.set(-time.Hour, false)
	said := func() intake.GatewayStats {
		if all := in.Stats().Gateways; len(all) == 1 {
			return all[0]
		}
		return intake.GatewayStats{}
	}
	for deadline := time.Now().Add(limit); said().Clock != string(clock.Stepped) || said().Differs < 3590 || said().Differs > 3610; {
		if time.Now().After(deadline) {
			t.Fatalf("the hub hears of the gateway %+v", said())
		}
		<-time.After(20 * time.Millisecond)
	}
	machine.set(0, false)
	s.make()
	s.await(hub, 18)
	if st := s.clock.State(); len(st.Steps) != 6 || st.State != clock.Synchronised {
		t.Errorf("clock %+v", st)
	}
}

// A clock that shows a time that can be, and is wrong: nothing is sent under it to a hub
// that says the time, neither to one that is there nor to one that comes.
func TestAPlausibleClockThatIsWrong(t *testing.T) {
	for name, away := range map[string]time.Duration{"the hub is there": 0, "the hub comes": 4 * time.Second} {
		t.Run(name, func(t *testing.T) {
			url := embed(t)
			var hub *journal.Journal
			if away == 0 {
				hub = hubAt(t, url, true)
			}
			s := newStation(t, newLiar("boot1", time.Now().Add(-3*time.Hour)), t.TempDir(), url)
			defer s.stop()
			s.make()
			if hub == nil {
				<-time.After(away) // and urgent facts are sent to nobody
				s.make()
				hub = hubAt(t, url, true)
			} else {
				s.make()
			}
			came := s.await(hub, 6)
			s.right(came, 0, soon)
			s.right(came, 1, soon)
			if st := s.clock.State(); st.State != clock.Drifting {
				t.Errorf("clock %+v", st)
			}
		})
	}
}

// A reboot before the time was known: the facts come marked, and their bounds are true.
func TestARebootBeforeTheTimeIsKnown(t *testing.T) {
	url := embed(t)
	data := t.TempDir()
	machine := newLiar("boot1", time.Now())
	machine.set(0, true)
	s := newStation(t, machine, data, url)
	s.stop()
	known := time.Now()
	s = newStation(t, newLiar("boot2", time.Unix(100, 0)), data, url)
	s.make()
	s.stop()
	truth := s.truth
	s = newStation(t, newLiar("boot3", time.Now()), data, url)
	defer s.stop()
	s.truth, s.numbers = truth, 1
	hub := hubAt(t, url, true)
	c := s.await(hub, 3)[0]
	for _, r := range c.readings {
		if r.Quality != facility.Uncertain || r.Reason != facility.ClockUnknown || r.Time.After(time.Now()) {
			t.Errorf("%+v", r)
		}
	}
	from := c.tap.TappedAt.Add(-c.tap.Within)
	if tap := c.tap; !tap.ClockUnknown || from.After(s.truth[0]) || tap.TappedAt.Before(s.truth[0]) || from.Before(known.Add(-time.Second-soon)) || tap.TappedAt.After(time.Now()) {
		t.Errorf("%+v, made at %v", tap, s.truth[0])
	}
}
