package clock

import (
	"time"

	"gengfu/gateway/payload"
)

const (
	// oscillator is how fast a clock that nobody keeps may run away, at worst: a
	// crystal of 100 ppm in a box that is not at room temperature.
	oscillator = 250e-6
	// surest is how uncertain a word of the hub may be to be of use.
	surest = 5 * time.Second
	// mostSteps is how many steps are kept for the health page.
	mostSteps = 16
	// ahead is how far after the build a clock is out of its mind.
	ahead = 30 * 365 * 24 * time.Hour
	// accepted is how long after a step a clock that nobody can check is thought to be
	// right: somebody has set it.
	accepted = time.Hour
)

// Step is a step of the machine's clock.
type Step struct {
	At time.Time     `json:"at"` // after it, by the best that was known
	By time.Duration `json:"by"` // forward is positive
}

// core decides what time it is. It is plain data: what the clocks show and what the
// hub says comes in as arguments.
//
// All of it is about origins: the time of an event is the origin of its boot and how
// long after the boot it was. A clock that runs, or is slewed, keeps the origin of its
// boot; one that steps moves it.
type core struct {
	limit time.Duration // how far off a clock may be before it counts as wrong
	floor time.Time     // no time before this is believed

	boots   boots
	now     Reading
	wall    time.Time // origin by the machine's clock
	stepped bool      // it has stepped since it was last found right
	from    time.Time // origin by it before that
	upThen  time.Duration
	steps   []Step
	hub     hubTime
}

// hubTime is what the hub said last of the time.
type hubTime struct {
	known  bool
	up     time.Duration // when
	origin time.Time     // by its clock
	within time.Duration // plus or minus
}

// aged is how uncertain it is by now.
func (h hubTime) aged(up time.Duration) time.Duration {
	return h.within + time.Duration(oscillator*float64(up-h.up))
}

// belief is the best that is known of the present boot.
type belief struct {
	origin time.Time
	basis  payload.Basis
	state  Condition
}

// observe takes what the clocks show, and returns by how much the machine's clock has
// stepped since the last time; 0 when not, or by less than the limit.
func (c *core) observe(r Reading) (step time.Duration) {
	origin := r.Wall.Add(-r.Up)
	p := c.boots.present()
	switch {
	case p == nil || p.ID != r.Boot:
		p = c.boots.begin(r.Boot, r.Up)
		c.hub, c.stepped = hubTime{}, false
	case !p.Wall.IsZero() && origin.Sub(p.Wall).Abs() > c.limit:
		step = origin.Sub(p.Wall)
	}
	was, sense := p.Wall, c.sensible(p.Wall.Add(r.Up), false)
	c.now, c.wall, p.Wall = r, origin, origin
	if step != 0 {
		c.note(step, was, sense)
	}
	if c.plausible() && (r.Synced || c.confirmed() || r.Up-c.upThen > accepted) || origin.Sub(c.from).Abs() <= c.limit {
		c.stepped = false
	}
	b := c.belief()
	p.note(r.Up, b)
	if b.basis == payload.Synchronised && r.Synced {
		p.add(fix{r.Up, b.origin}, 0)
	}
	return step
}

// note takes notice of a step of the machine's clock. One from nonsense to sense is
// no doubt.
func (c *core) note(step time.Duration, was time.Time, sense bool) {
	if sense && !c.stepped {
		c.stepped, c.from = true, was
	}
	c.upThen = c.now.Up
	c.steps = append(c.steps, Step{At: c.belief().origin.Add(c.now.Up).UTC(), By: step})
	c.steps = c.steps[max(0, len(c.steps)-mostSteps):]
}

// hear takes the hub's time, which it said between two instants of this boot.
func (c *core) hear(sent, got time.Duration, hub time.Time) {
	if hub.Before(c.floor) || got < sent || hub.After(c.floor.Add(ahead)) {
		return
	}
	middle, within := sent+(got-sent)/2, (got-sent)/2
	if within > surest || c.hub.known && within > max(c.hub.aged(middle), c.limit/8) {
		return // it knows better
	}
	c.hub = hubTime{known: true, up: middle, origin: hub.Add(-middle), within: within}
	if !c.now.Synced || !c.plausible() {
		c.boots.present().add(fix{middle, c.hub.origin}, within)
	}
	c.observe(c.now)
}

// fresh reports whether the hub's word still says the time to within the limit.
func (c *core) fresh() bool {
	return c.hub.known && c.hub.aged(c.now.Up) <= max(c.limit, surest)
}

// confirmed reports whether the hub agrees with the machine's clock.
func (c *core) confirmed() bool {
	return c.fresh() && c.wall.Sub(c.hub.origin).Abs() <= c.limit+c.hub.aged(c.now.Up)
}

// plausible reports whether the machine's clock may be right at all.
func (c *core) plausible() bool { return c.sensible(c.now.Wall, c.now.Synced) }

// sensible reports whether a time may be the present: not before the program was
// built, nor before what was known to be the time before this boot, unless a time
// service says so.
func (c *core) sensible(at time.Time, synced bool) bool {
	floor := c.floor
	if known := c.boots.knownEnd().Add(-c.limit); !synced && known.After(floor) {
		floor = known
	}
	return !at.Before(floor) && at.Before(c.floor.Add(ahead))
}

// belief weighs what there is: a time service of this machine, then the hub, then what
// was known earlier in this boot, then the machine's clock.
func (c *core) belief() belief {
	p, plausible := c.boots.present(), c.plausible()
	last, anchored := p.last()
	wrong := Drifting
	if c.stepped {
		wrong = Stepped
	}
	off := anchored && c.wall.Sub(last.Origin).Abs() > c.limit
	switch {
	case plausible && c.now.Synced:
		return belief{c.wall, payload.Synchronised, Synchronised}
	case plausible && c.confirmed():
		return belief{c.wall, c.sureBy(payload.Synchronised), Synchronised}
	case plausible && c.fresh():
		return belief{c.hub.origin, c.sureBy(payload.ByHub), wrong}
	case c.fresh():
		return belief{c.hub.origin, c.sureBy(payload.ByHub), c.nonsense()}
	case anchored && !plausible:
		return belief{last.Origin, payload.Unsynchronised, c.nonsense()}
	case off:
		return belief{last.Origin, payload.Unsynchronised, wrong}
	case !plausible && !p.Origin.IsZero():
		return belief{p.Origin, payload.Stepped, Stepped}
	case !plausible:
		return belief{c.wall, payload.Unknown, Unknown}
	case c.stepped:
		return belief{c.wall, payload.Stepped, Stepped}
	default:
		return belief{c.wall, payload.Unsynchronised, Unsynchronised}
	}
}

// sureBy is what facts stand on that are timed by the hub's word, as long as that is
// new: later a next one will say more.
func (c *core) sureBy(b payload.Basis) payload.Basis {
	if c.hub.aged(c.now.Up) > c.limit/4 {
		return payload.Unsynchronised
	}
	return b
}

// nonsense is the state of a clock that shows a time that cannot be, while the hub has
// told the right one.
func (c *core) nonsense() Condition {
	if c.stepped {
		return Stepped
	}
	return ByHub
}
