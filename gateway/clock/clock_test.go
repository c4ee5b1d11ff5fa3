package clock_test

import (
	"context"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/gateway/clock"
	"gengfu/gateway/payload"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// box is a machine in a bubble of its own time: its clock may be wrong, may step and
// may run away from the true time.
type box struct {
	mu     sync.Mutex
	time   func() time.Time // of whoever plays with it
	boot   string
	begun  time.Time // in the bubble's time
	drift  float64   // how much faster than the truth its oscillator is
	wall   time.Time // origin of its clock
	synced bool
	truth  time.Time // at begun
}

// switchOn starts a machine at the true time, with a clock that shows another.
func switchOn(boot string, truth, wall time.Time) *box {
	return &box{time: time.Now, boot: boot, begun: time.Now(), wall: wall, truth: truth}
}

func (b *box) up() time.Duration {
	since := b.time().Sub(b.begun)
	return since + time.Duration(b.drift*float64(since))
}

func (b *box) Read() clock.Reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	up := b.up()
	return clock.Reading{Boot: b.boot, Up: up, Wall: b.wall.Add(up), Synced: b.synced}
}

// now is the true time.
func (b *box) now() time.Time { return b.truth.Add(b.time().Sub(b.begun)) }

func (b *box) step(by time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wall, b.synced = b.wall.Add(by), false
}

// ntp sets the clock right and says so.
func (b *box) ntp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wall, b.synced = b.now().Add(-b.up()), true
}

// taken is a batch as it stands in a journal.
type taken struct {
	truth time.Time
	at    time.Time
	stamp payload.Stamp
}

func take(b *box, c *clock.Clock) taken {
	now := c.Now()
	shift, s := c.Stamp(now)
	return taken{b.now(), now.Add(shift), s}
}

// sent is when the fact is said to be, and how it is marked.
func (f taken) sent(c *clock.Clock) (time.Time, payload.Correction) {
	to := c.Correct(f.stamp, f.at)
	return f.at.Add(to.Shift), to
}

// wantTime checks that a fact is sent with its true time and no doubt.
func (f taken) wantTime(t *testing.T, c *clock.Clock, within time.Duration) {
	t.Helper()
	at, to := f.sent(c)
	if off := at.Sub(f.truth); off.Abs() > within || to.Doubtful {
		t.Errorf("a fact of %v, taken as %v (%s), is sent %v off: %+v", f.truth, f.at, f.stamp.Basis, off, to)
	}
}

// ask lets the hub, which knows the truth, tell the time over a network.
func ask(b *box, c *clock.Clock, network time.Duration) {
	boot, up := c.Up()
	<-time.After(network / 2)
	hub := b.now()
	<-time.After(network / 2)
	c.Hear(boot, up, hub)
}

func wantState(t *testing.T, c *clock.Clock, want clock.Condition) {
	t.Helper()
	if s := c.State(); s.State != want {
		t.Errorf("%s, want %s: %+v", s.State, want, s)
	}
}

// watch runs the clock until it is stopped.
func watch(t *testing.T, b *box, file string) (c *clock.Clock, stop func()) {
	c = clock.Open(clock.Options{Source: b, File: file})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestStartsIn1970ThenATimeServiceComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := switchOn("a", noon, time.Unix(0, 0))
		c, stop := watch(t, b, "")
		defer stop()
		<-time.After(time.Minute)
		early := take(b, c)
		wantState(t, c, clock.Unknown)
		if _, to := early.sent(c); !to.Pending || !to.Doubtful || early.stamp.Basis != payload.Unknown {
			t.Errorf("before the time is known: %+v, %+v", early, to)
		}
		changed := c.Changed()
		b.ntp()
		<-time.After(2 * time.Second)
		select {
		case <-changed:
		default:
			t.Error("nobody is told that the time is known")
		}
		wantState(t, c, clock.Synchronised)
		early.wantTime(t, c, 0)
		take(b, c).wantTime(t, c, 0)
		if at := c.Now(); at.Year() != 1970 {
			t.Errorf("the schedules' time has jumped to %v", at)
		}
		if !c.Best().Equal(b.now()) {
			t.Errorf("it is %v, not %v", b.now(), c.Best())
		}
	})
}

func TestOnlyTheHubKnowsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := switchOn("a", noon, time.Unix(0, 0))
		c, stop := watch(t, b, "")
		defer stop()
		early := take(b, c)
		<-time.After(time.Hour)
		ask(b, c, 80*time.Millisecond)
		wantState(t, c, clock.ByHub)
		early.wantTime(t, c, 40*time.Millisecond)
		late := take(b, c)
		if late.stamp.Basis != payload.ByHub {
			t.Errorf("taken by %s", late.stamp.Basis)
		}
		late.wantTime(t, c, 40*time.Millisecond)
		if s := c.State(); s.Differs == nil || math.Abs(*s.Differs-noon.Sub(time.Unix(0, 0)).Seconds()) > 0.04 {
			t.Errorf("the machine's clock is behind by %v", s.Differs)
		}
		<-time.After(3 * 24 * time.Hour) // the hub is away
		take(b, c).wantTime(t, c, 40*time.Millisecond)
		wantState(t, c, clock.ByHub)
	})
}

func TestAHubThatDoesNotKnowTheTimeIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := switchOn("a", noon, time.Unix(0, 0))
		c, stop := watch(t, b, "")
		defer stop()
		boot, up := c.Up()
		for _, hub := range []time.Time{{}, time.Unix(3600, 0), noon.AddDate(90, 0, 0)} {
			c.Hear(boot, up, hub)
		}
		c.Hear("of another boot", up, noon)
		<-time.After(time.Minute)
		c.Hear(boot, up, noon) // nobody knows where in this minute
		wantState(t, c, clock.Unknown)
	})
}

func TestSteps(t *testing.T) {
	for _, by := range []time.Duration{3 * time.Hour, -3 * time.Hour, 40 * 24 * time.Hour, -10 * 365 * 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := switchOn("a", noon, noon)
				b.synced = true
				c, stop := watch(t, b, "")
				defer stop()
				<-time.After(time.Minute)
				before, schedule := take(b, c), c.Now()
				b.step(by)
				at := take(b, c) // before anybody has looked
				<-time.After(time.Hour)
				between := take(b, c)
				wantState(t, c, clock.Stepped)
				if s := c.State(); len(s.Steps) != 1 || s.Steps[0].By != by || s.Synced {
					t.Errorf("steps: %+v", s)
				}
				if ran := c.Now().Sub(schedule); ran != time.Hour {
					t.Errorf("an hour of the schedules took %v", ran)
				}
				b.ntp()
				<-time.After(2 * time.Second)
				wantState(t, c, clock.Synchronised)
				for _, f := range []taken{before, at, between, take(b, c)} {
					f.wantTime(t, c, 0)
				}
			})
		})
	}
}

func TestAStepThatNobodyCanCheckIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := switchOn("a", noon, noon)
		c, stop := watch(t, b, "")
		defer stop()
		wantState(t, c, clock.Unsynchronised)
		<-time.After(time.Minute)
		b.step(5 * time.Hour)
		<-time.After(time.Minute)
		wantState(t, c, clock.Stepped)
		wrong := take(b, c)
		if _, to := wrong.sent(c); !to.Doubtful {
			t.Errorf("sent without a mark: %+v", to)
		}
		b.step(-5 * time.Hour)
		<-time.After(2 * time.Second)
		wantState(t, c, clock.Unsynchronised)
		take(b, c).wantTime(t, c, 0)
		ask(b, c, 20*time.Millisecond) // and the hub can check
		wantState(t, c, clock.Synchronised)
		wrong.wantTime(t, c, 10*time.Millisecond)

		b.step(-2 * time.Hour)
		ask(b, c, 20*time.Millisecond)
		wantState(t, c, clock.Stepped)
		take(b, c).wantTime(t, c, 10*time.Millisecond)
	})
}

func TestAClockThatSomebodyHasSetIsAcceptedAfterAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := switchOn("a", noon, noon.Add(-30*time.Hour))
		c, stop := watch(t, b, "")
		defer stop()
		<-time.After(time.Minute)
		b.step(30 * time.Hour)
		<-time.After(59 * time.Minute)
		wantState(t, c, clock.Stepped)
		<-time.After(2 * time.Minute)
		wantState(t, c, clock.Unsynchronised)
		take(b, c).wantTime(t, c, 0)
	})
}

func TestDriftOverDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := switchOn("a", noon, noon)
		b.drift = 200e-6
		c, stop := watch(t, b, "")
		defer stop()
		var away []taken
		began := time.Time{}
		for hour := range 5 * 24 {
			<-time.After(time.Hour)
			if day := hour / 24; day == 2 || day == 3 { // without the hub
				away = append(away, take(b, c))
				continue
			}
			ask(b, c, 50*time.Millisecond)
			take(b, c).wantTime(t, c, clock.DefaultLimit+50*time.Millisecond)
			s := c.State()
			if s.Differs == nil {
				t.Fatalf("the drift is not measured: %+v", s)
			}
			off := 200e-6 * float64(hour+1) * 3600
			if math.Abs(*s.Differs+off) > 0.1 {
				t.Errorf("after %d h it is %v s ahead, not %v", hour+1, -*s.Differs, off)
			}
			if want := off > 2.2; want != (s.State == clock.Drifting) && math.Abs(off-2) > 0.8 {
				t.Errorf("after %d h, %v s ahead, it is %s", hour+1, off, s.State)
			}
			if s.State == clock.Drifting && began.IsZero() {
				began = b.now()
			}
		}
		if after := began.Sub(noon); after < 2*time.Hour || after > 4*time.Hour {
			t.Errorf("it drifts after %v; 200 ppm are 2 s after 2.8 h", after)
		}
		for _, f := range away { // the offset between two words of the hub is on a line
			f.wantTime(t, c, clock.DefaultLimit+100*time.Millisecond)
		}
		if s := c.State(); len(s.Steps) > 0 {
			t.Errorf("drift is taken for steps: %+v", s.Steps)
		}
	})
}

func TestRebootsWithoutABattery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "clock.json")
		b := switchOn("a", noon, noon)
		b.synced = true
		c, stop := watch(t, b, file)
		<-time.After(24 * time.Hour)
		lastKnown := b.now()
		known := take(b, c)
		stop()

		<-time.After(6 * time.Hour) // without power
		b = switchOn("b", b.now(), time.Unix(0, 0))
		c, stop = watch(t, b, file)
		<-time.After(time.Hour)
		lost := take(b, c)
		<-time.After(30 * time.Minute)
		stop()
		c, stop = watch(t, b, file) // the process begins again, the machine does not
		<-time.After(10 * time.Minute)
		again := take(b, c)
		wantState(t, c, clock.Unknown)
		stop()
		ended := b.now()

		b = switchOn("c", b.now(), time.Unix(0, 0))
		c, stop = watch(t, b, file)
		defer stop()
		if _, to := lost.sent(c); !to.Pending {
			t.Errorf("before anything is known: %+v", to)
		}
		<-time.After(time.Minute)
		b.ntp()
		<-time.After(2 * time.Second)
		known.wantTime(t, c, 0)
		for _, f := range []taken{lost, again} {
			at, to := f.sent(c)
			if !to.Doubtful || to.Basis != payload.Unknown || to.Pending {
				t.Errorf("a fact whose time nobody knows is sent as %+v", to)
			}
			if f.truth.After(at) || f.truth.Before(at.Add(-to.Within)) {
				t.Errorf("a fact of %v is said to be from %v to %v", f.truth, at.Add(-to.Within), at)
			}
			if at.After(ended) || at.Add(-to.Within).Before(lastKnown) {
				t.Errorf("from %v to %v, though the boot was between %v and %v", at.Add(-to.Within), at, lastKnown, ended)
			}
		}
	})
}

func TestARestartBeforeTheTimeIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "clock.json")
		b := switchOn("a", noon, time.Unix(0, 0))
		c, stop := watch(t, b, file)
		<-time.After(time.Hour)
		early := take(b, c)
		stop()
		<-time.After(time.Minute)
		c, stop = watch(t, b, file)
		defer stop()
		b.ntp()
		<-time.After(2 * time.Second)
		early.wantTime(t, c, 0)
	})
}

func TestAClockBehindWhatWasKnownIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "clock.json")
		b := switchOn("a", noon, noon)
		b.synced = true
		c, stop := watch(t, b, file)
		<-time.After(48 * time.Hour)
		_ = c.State()
		stop()
		b = switchOn("b", b.now(), noon.Add(time.Hour)) // the time that was saved long ago
		c, stop = watch(t, b, file)
		defer stop()
		wantState(t, c, clock.Unknown)
	})
}

func TestAnotherProgramsBatchIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := switchOn("a", noon, noon)
		c, stop := watch(t, b, "")
		defer stop()
		for basis, doubtful := range map[payload.Basis]bool{
			payload.Synchronised: false, payload.Restamped: false, payload.ByHub: false, payload.Unknown: true, payload.Stepped: true,
		} {
			to := c.Correct(payload.Stamp{Boot: "never seen", Up: time.Hour, Basis: basis}, noon.Add(-time.Hour))
			if to.Doubtful != doubtful || !doubtful && to.Shift != 0 {
				t.Errorf("%s of a boot that nobody remembers: %+v", basis, to)
			}
		}
	})
}
