package rules

import (
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// instance is one rule on one device. Its test says how things stand, see finding;
// what becomes of that says meet.
type instance struct {
	// What each reading needs comes first, in one cache line.
	test   test
	queued instant // when it is looked at for want of a reading; never is never
	index  int32
	// touched marks it while the readings of one instant are taken in.
	touched bool
	dirty   byte // what of it is not as it was kept
	state
	turns  instant // when time alone does something to the alarm, by Life; never is never
	place  int32   // in the engine's queue, from 1; 0 is none
	engine *Engine
	rule   *ruleInUse
	device *facility.Device
	key    string // "rule/device"
}

// ruleInUse is a rule as it is with its override.
type ruleInUse struct {
	Rule
	print string // fingerprint
	life  lifecycle.Policy
}

// state is what an instance remembers.
type state struct {
	At       instant          // the latest instant that is judged
	Wake     instant          // the next instant at which time alone may change what the test finds
	Deadline instant          // of Pending, while it is not blind
	Life     *lifecycle.State // all but Unknown, which is Blind; nil is fresh, as almost all are
	Alarm    *facility.Alarm  // of Life.Base; nil is normal
	Blind    bool             // what it depends on is not known
	Pending  pending          //
	Left     time.Duration    // of Pending, while blind
}

// pending is what waits for a delay to run out.
type pending byte

const (
	nothing pending = iota
	raising
	clearing
)

// fresh is the state before the first reading. Silence needs none to be judged.
func fresh(t test) state {
	_, silence := t.(*silenceTest)
	return state{Blind: !silence, Wake: never}
}

// listen lets silence count from now on.
func (i *instance) listen(now instant) {
	if t, ok := i.test.(*silenceTest); ok && !i.active() {
		i.mark(dirtyState)
		i.await(t.find(now), now)
	}
}

func (i *instance) active() bool { return i.Life != nil && i.Life.Base.Active() }

// due is when time alone does something, whatever the test finds.
func (i *instance) due() instant { return min(i.delay(), i.turns) }

// delay is when the delay runs out.
func (i *instance) delay() instant {
	if i.Pending == nothing || i.Blind {
		return never
	}
	return i.Deadline
}

// elapse lets time pass until the instant until, inclusive, with no reading in it.
func (i *instance) elapse(out []Change, until instant) []Change {
	// Nobody looks back at each minute of months.
	if i.Wake < until-longestLook {
		i.Wake = until - longestLook
	}
	for {
		due := i.due()
		switch {
		case min(due, i.Wake) > until:
			return out
		case i.Wake <= due:
			out = i.judge(out, i.Wake)
		default:
			out = append(out, i.fire())
		}
	}
}

// longestLook bounds how far back an instance looks at what time alone did.
const longestLook = instant(LongestDelay)

// judge looks at what the test finds at the instant at, or at the latest instant
// that is judged already when that is later.
func (i *instance) judge(out []Change, at instant) []Change {
	at = max(at, i.At)
	i.At = at
	i.mark(dirtyState)
	i.engine.stats.Judged++
	f := i.test.find(at)
	i.Wake = f.wake
	return i.meet(out, f, at)
}
