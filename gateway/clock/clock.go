// Package clock knows what time it is on a machine whose clock may start in 1970, step
// or drift. It times facts by how long after the boot they were, which no step changes,
// and says what that is in hours and minutes when it knows; it never sets a clock.
package clock

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gengfu/gateway/payload"
)

// DefaultLimit is how far off a clock may be before it counts as wrong.
const DefaultLimit = 2 * time.Second

const (
	// observeEvery is how soon a step is seen.
	observeEvery = time.Second
	// saveEvery is how old what is remembered of the boots may be after a power cut.
	saveEvery = time.Minute
)

// Built is before any of these programs was built: no clock is believed that shows an
// earlier time.
var Built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Condition is the state of the machine's clock.
type Condition string

// The states.
const (
	Synchronised   Condition = "synchronised"   // a time service or the hub confirms it
	Unsynchronised Condition = "unsynchronised" // nobody confirms it, and nothing speaks against it
	ByHub          Condition = "by_hub"         // it shows a time that cannot be; the hub has told the right one
	Stepped        Condition = "stepped"        // it has stepped and is not confirmed since
	Drifting       Condition = "drifting"       // it is off from the hub's by more than the limit
	Unknown        Condition = "unknown"        // it shows a time that cannot be, and nobody knows better
)

// State is what the health page shows.
type State struct {
	State Condition `json:"state"`
	Time  time.Time `json:"time"` // the best that is known
	Wall  time.Time `json:"wall"` // what the machine's clock shows
	// Synced is whether a time service of this machine keeps its clock, by the kernel's
	// word.
	Synced bool `json:"synced"`
	// Differs is how many seconds the machine's clock is behind the hub's, plus or minus
	// Within; nil when the hub has not told.
	Differs *float64      `json:"differs,omitempty"`
	Within  float64       `json:"within,omitempty"` // seconds
	Limit   float64       `json:"limit"`            // seconds that a clock may be off
	Boot    string        `json:"boot"`
	Up      time.Duration `json:"up"` // nanoseconds
	Steps   []Step        `json:"steps"`
	// Restamped and Doubtful count batches that were sent with other times than they were
	// taken with, and with times that are not to be relied on.
	Restamped uint64 `json:"restamped"`
	Doubtful  uint64 `json:"doubtful"`
	Trouble   string `json:"trouble,omitempty"` // why what is known of the boots cannot be kept
}

// Options are what Open needs.
type Options struct {
	Source Source        // nil is this machine
	File   string        // where what is known of the boots is kept; empty: nowhere
	Limit  time.Duration // how far off a clock may be before it counts as wrong; 0 is 2 s
	// Alone is whether the hub runs on this machine, so that its time says nothing about
	// this clock.
	Alone  bool
	Logger *slog.Logger
}

// Clock is safe for concurrent use.
type Clock struct {
	o    Options
	log  *slog.Logger
	zero time.Time // origin of the time that Now returns

	mu        sync.Mutex
	core      core
	said      Condition
	changed   chan struct{} // closed and replaced when the state is another one
	restamped uint64
	doubtful  uint64
	trouble   string
}

// Open looks at the clock and takes up what is remembered of earlier boots. It does not
// fail: without that it knows less.
func Open(o Options) *Clock {
	if o.Source == nil {
		o.Source = NewMachine()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Limit = cmp.Or(o.Limit, DefaultLimit)
	c := &Clock{o: o, log: o.Logger, changed: make(chan struct{})}
	c.core = core{limit: o.Limit, floor: Built, boots: c.recall()}
	r := o.Source.Read()
	c.zero = r.Wall.Add(-r.Up)
	c.look(r)
	return c
}

// Run watches the clock until ctx ends.
func (c *Clock) Run(ctx context.Context) error {
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	defer c.keep()
	c.keep()
	kept := c.o.Source.Read().Up
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		r := c.o.Source.Read()
		if changed := c.look(r); changed || r.Up-kept >= saveEvery {
			kept = r.Up
			c.keep()
		}
	}
}

// Now is a time that runs evenly from the start of the program on: it began with what
// the machine's clock showed then, and no step of that changes it. It is for schedules
// and for the times of facts until Stamp puts them right.
func (c *Clock) Now() time.Time { return c.zero.Add(c.o.Source.Read().Up) }

// Best is the best that is known of the time.
func (c *Clock) Best() time.Time {
	r := c.o.Source.Read()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observe(r)
	return c.core.belief().origin.Add(r.Up)
}

// Known reports whether Best is the time, as far as anybody knows.
func (c *Clock) Known() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.belief().basis != payload.Unknown
}

// Doubtful reports whether Best may be wrong by more than anybody can say: the machine's
// clock cannot be right, or has stepped and is not confirmed since.
func (c *Clock) Doubtful() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.core.belief().basis
	return b == payload.Unknown || b == payload.Stepped
}

// Asks reports whether the hub could say more than is known: nobody has confirmed the
// machine's clock of late.
func (c *Clock) Asks() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.o.Alone && !c.core.fresh() && !(c.core.now.Synced && c.core.plausible())
}

// Of is what time it was, by the best that is known, at a time of Now.
func (c *Clock) Of(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return now.Add(c.core.belief().origin.Sub(c.zero)).UTC()
}

// Stamp returns by what a time of Now is to be moved to be the best that is known, and
// what to write beside it, for a batch that begins with it.
func (c *Clock) Stamp(first time.Time) (shift time.Duration, s payload.Stamp) {
	r := c.o.Source.Read()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observe(r)
	b := c.core.belief()
	return b.origin.Sub(c.zero), payload.Stamp{Boot: r.Boot, Up: first.Sub(c.zero), Basis: b.basis}
}

// Correct says how the times of a batch are to be put right that was taken with the
// stamp, when its first fact is said to be of the time at.
func (c *Clock) Correct(s payload.Stamp, at time.Time) payload.Correction {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.resolve(s, at)
}

// Sent counts a batch that is sent with a correction.
func (c *Clock) Sent(to payload.Correction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to.Shift != 0 {
		c.restamped++
	}
	if to.Doubtful {
		c.doubtful++
	}
}

// Up says which instant of which boot it is.
func (c *Clock) Up() (boot string, up time.Duration) {
	r := c.o.Source.Read()
	return r.Boot, r.Up
}

// Hear takes the time that the hub told in answer to what was sent at an instant of a
// boot.
func (c *Clock) Hear(boot string, sent time.Duration, hub time.Time) {
	r := c.o.Source.Read()
	if boot != r.Boot || hub.IsZero() || c.o.Alone {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observe(r)
	c.core.hear(sent, r.Up, hub)
	c.tell()
}

// Changed returns a channel that is closed when the state is another one.
func (c *Clock) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// State returns the present state.
func (c *Clock) State() State {
	r := c.o.Source.Read()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observe(r)
	b := c.core.belief()
	s := State{
		State: b.state, Time: b.origin.Add(r.Up).UTC(), Wall: r.Wall.UTC(), Synced: r.Synced, Boot: r.Boot, Up: r.Up,
		Limit: c.o.Limit.Seconds(), Steps: append([]Step{}, c.core.steps...), Restamped: c.restamped, Doubtful: c.doubtful, Trouble: c.trouble,
	}
	if h := c.core.hub; h.known {
		differs := h.origin.Sub(c.core.wall).Seconds()
		s.Differs, s.Within = &differs, h.aged(r.Up).Seconds()
	}
	return s
}

// look observes and reports whether the state is another one.
func (c *Clock) look(r Reading) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.observe(r)
	return c.tell()
}

// observe takes a reading; the caller holds c.mu. Two that were made at the same time
// may come in the other order.
func (c *Clock) observe(r Reading) {
	if r.Up < c.core.now.Up {
		return
	}
	if step := c.core.observe(r); step != 0 {
		c.log.Warn("THE MACHINE'S CLOCK HAS STEPPED", "by", step, "now", r.Wall)
	}
}

// tell says a change of the state. The caller holds c.mu.
func (c *Clock) tell() bool {
	b := c.core.belief()
	if b.state == c.said {
		return false
	}
	attrs := []any{"state", b.state, "time", b.origin.Add(c.core.now.Up).UTC(), "machine", c.core.now.Wall}
	if slices.Contains([]Condition{Unknown, Stepped, Drifting}, b.state) {
		c.log.Warn("the clock is not right", attrs...)
	} else {
		c.log.Info("the clock", attrs...)
	}
	c.said = b.state
	close(c.changed)
	c.changed = make(chan struct{})
	return true
}
