package clock_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/gateway/clock"
	"gengfu/gateway/payload"
)

// estate is a machine whose clock suffers anything, and a hub that knows the time.
type estate struct {
	t     *rapid.T
	file  string
	boots int
	box   *box
	clock *clock.Clock
	facts []fact
	sure  map[string]bool // boots in which a time service or the hub was heard
	drift float64
	now   time.Time // the truth
}

type fact struct {
	taken
	boot string
}

func (e *estate) switchOn(shows time.Time) {
	e.boots++
	e.box = switchOn(fmt.Sprint("boot", e.boots), e.now, shows)
	e.box.begun, e.box.time, e.box.drift = e.now, func() time.Time { return e.now }, e.drift
	e.begin()
}

func (e *estate) begin() {
	e.clock = clock.Open(clock.Options{Source: e.box, File: e.file})
}

// stop ends the program, which keeps what it knows.
func (e *estate) stop() {
	ended, end := context.WithCancel(context.Background())
	end()
	if err := e.clock.Run(ended); err != nil {
		e.t.Fatal(err)
	}
}

// pass lets time pass, while the clock is watched.
func (e *estate) pass(d time.Duration) {
	for ; d > 0; d -= 10 * time.Second {
		e.now = e.now.Add(min(d, 10*time.Second))
		_ = e.clock.State()
	}
}

func (e *estate) ask(network time.Duration) {
	boot, up := e.clock.Up()
	e.now = e.now.Add(network / 2)
	hub := e.now
	e.now = e.now.Add(network / 2)
	e.clock.Hear(boot, up, hub)
	e.sure[e.box.boot] = true
}

func (e *estate) actions() map[string]func(*rapid.T) {
	wait := func(t *rapid.T) {
		e.pass(time.Duration(rapid.IntRange(1, 3600).Draw(t, "seconds")) * time.Second)
	}
	return map[string]func(*rapid.T){
		"wait": wait,
		"take": func(*rapid.T) { e.facts = append(e.facts, fact{take(e.box, e.clock), e.box.boot}) },
		"step": func(t *rapid.T) {
			e.box.step(time.Duration(rapid.SampledFrom([]int{-400_000, -9000, -60, 60, 9000, 400_000}).Draw(t, "by")) * time.Second)
			e.pass(2 * time.Second)
		},
		"a time service": func(*rapid.T) {
			e.box.ntp()
			e.sure[e.box.boot] = true
			e.pass(2 * time.Second)
		},
		"the hub": func(t *rapid.T) {
			e.ask(time.Duration(rapid.IntRange(1, 400).Draw(t, "network")) * time.Millisecond)
		},
		"restart": func(t *rapid.T) {
			e.stop()
			e.now = e.now.Add(time.Duration(rapid.IntRange(1, 36_000).Draw(t, "seconds off")) * time.Second)
			e.begin()
		},
		"reboot": func(t *rapid.T) {
			e.stop()
			e.now = e.now.Add(time.Duration(rapid.IntRange(1, 36_000).Draw(t, "seconds off")) * time.Second)
			e.switchOn(time.Unix(0, 0))
		},
	}
}

// Whatever happens to the clock: in a boot in which the time was ever known each fact
// is sent with its time, and in one in which it never was, with bounds that are true.
func TestEachFactHasItsTime(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		e := &estate{t: t, file: filepath.Join(dir, fmt.Sprint(runs)), sure: map[string]bool{}, now: noon}
		e.drift = float64(rapid.IntRange(-80, 80).Draw(t, "ppm")) * 1e-6
		e.switchOn(time.Unix(0, 0))
		actions := e.actions()
		names := []string{"wait", "take", "take", "take", "step", "a time service", "the hub", "restart", "reboot"}
		for range rapid.IntRange(1, 40).Draw(t, "actions") {
			actions[rapid.SampledFrom(names).Draw(t, "action")](t)
		}
		e.ask(20 * time.Millisecond)
		// Between two words of the hub, and before the first, the oscillator decides.
		tolerance := clock.DefaultLimit + 500*time.Millisecond + time.Duration(100e-6*float64(e.now.Sub(noon)))
		for i, f := range e.facts {
			at, to := f.sent(e.clock)
			off := at.Sub(f.truth)
			switch {
			case to.Pending:
				t.Fatalf("fact %d (%s, %s) still waits for the time", i, f.boot, f.stamp.Basis)
			case e.sure[f.boot] && (to.Doubtful || off.Abs() > tolerance):
				t.Fatalf("fact %d (%s, %s) is sent %v off, %+v", i, f.boot, f.stamp.Basis, off, to)
			case e.sure[f.boot]:
			case f.stamp.Basis == payload.Unknown && to.Doubtful && (off < -tolerance || off > to.Within+tolerance):
				t.Fatalf("fact %d (%s) is said to be up to %v before a time that is %v off", i, f.boot, to.Within, off)
			}
		}
	})
}
