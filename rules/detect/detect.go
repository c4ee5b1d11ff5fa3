// Package detect learns what is usual of a point or of a machine and says how
// unusual each new sample is. It looks only backwards, costs the same for each
// sample and keeps the same amount however long it runs; it never reads a clock,
// does input or output, or starts a goroutine.
package detect

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Kind is what a detector is for. Its settings belong to the kind: none is chosen
// for a single series.
type Kind string

// The kinds.
const (
	Series           Kind = "series"            // one value, whatever it is
	Device           Kind = "device"            // many channels of one machine
	WaterMeter       Kind = "water_meter"       // the cumulative register, in litres
	ElectricityMeter Kind = "electricity_meter" // the energy of each hour
)

// MostChannels is how many channels a machine may have. What is kept of it grows
// with their square.
const MostChannels = 128

// Verdict is what a detector says of one sample.
type Verdict struct {
	// Baseline is what would have been usual: of a register the reading, of a
	// machine NaN, as there is no single value.
	Baseline float64
	// Score is how unusual the sample is, from 0 to 1; from 0.5 on an alarm is
	// raised. The score of a series tells news: what stays as unusual as it was
	// said to be scores 0 until it is forgotten.
	Score float64
	// Flag is an alarm that is open. It closes by itself when the cause is gone, or
	// when it has lasted so long that it is how things are now.
	Flag bool
	// Sure is whether enough was learned to judge. Before that nothing is flagged.
	Sure bool
}

// Detector judges the samples of one point or machine, one after the other. It is
// not for use by several goroutines.
type Detector struct {
	kind     Kind
	channels int
	last     int64 // Unix nanoseconds of the sample before
	begun    bool
	frozen   bool
	said     Verdict
	core     core
}

// core is the detector of one kind. It is given finite values in order of time, and
// whether what is usual is to be learned of them.
type core interface {
	observe(t time.Time, v []float64, learn bool) Verdict
	state(c *codec)
}

// Settings are what a detector must know beforehand.
type Settings struct {
	Channels int // of a Device, from 1 to MostChannels; the other kinds have one
}

// New returns a detector that has seen nothing.
func New(kind Kind, s Settings) (*Detector, error) {
	if kind != Device && s.Channels > 1 {
		return nil, fmt.Errorf("a detector of the kind %s takes one value, not %d", kind, s.Channels)
	}
	d := &Detector{kind: kind, channels: max(1, s.Channels)}
	switch kind {
	case Series:
		d.core = newSeries()
	case Device:
		if s.Channels < 1 || s.Channels > MostChannels {
			return nil, fmt.Errorf("a machine has 1 to %d channels, not %d", MostChannels, s.Channels)
		}
		d.core = newDevice(s.Channels)
	case WaterMeter:
		d.core = newWater()
	case ElectricityMeter:
		d.core = newElectricity()
	default:
		return nil, fmt.Errorf("%q is not a kind of detector", kind)
	}
	return d, nil
}

// largest is the greatest magnitude that is worked with: its square can still be
// added up.
const largest = 1e100

// Observe judges the values of one time, then learns from them. A sample that is
// not later than the one before, or has another number of values than there are
// channels, changes nothing. A value that is not finite is unknown: one of a
// machine's channels is taken to be as it was, of a single value the sample changes
// nothing. The hour and the weekday are taken in t's zone.
func (d *Detector) Observe(t time.Time, values ...float64) Verdict {
	now := t.UnixNano()
	if len(values) != d.channels || d.begun && now <= d.last {
		return d.said
	}
	if d.kind != Device && !known(values[0]) {
		return d.said
	}
	d.begun, d.last = true, now
	d.said = d.core.observe(t, values, !d.frozen)
	return d.said
}

// Freeze says whether the values from now on are those of a known fault: Baseline is
// then what was usual before it. A machine, which has none, is learned as ever. It is
// no part of what Snapshot returns.
func (d *Detector) Freeze(fault bool) { d.frozen = fault }

func known(x float64) bool { return math.Abs(x) <= largest } // NaN is not

// errState is that bytes are not what Snapshot gave.
var errState = errors.New("the state of a detector is damaged, or of another version or kind")

// Snapshot returns all that the detector has learned. What it does from here it
// would do exactly so after Restore.
func (d *Detector) Snapshot() ([]byte, error) {
	c := &codec{}
	d.state(c)
	return c.seal(string(d.kind), d.channels), nil
}

// Restore takes up what Snapshot of a detector of the same kind and number of
// channels returned. After an error the detector is as it was.
func (d *Detector) Restore(data []byte) error {
	fresh, err := New(d.kind, Settings{Channels: d.channels})
	if err != nil {
		return err
	}
	c, err := open(data, string(d.kind), d.channels)
	if err != nil {
		return err
	}
	fresh.state(c)
	if err := c.end(); err != nil {
		return err
	}
	fresh.frozen = d.frozen
	*d = *fresh
	return nil
}

func (d *Detector) state(c *codec) {
	c.integer(&d.last)
	c.truth(&d.begun)
	c.number(&d.said.Baseline)
	c.number(&d.said.Score)
	c.truth(&d.said.Flag)
	c.truth(&d.said.Sure)
	d.core.state(c)
}

// half is the part of the way that a mean goes with each step to have gone half of
// it after so many steps.
func half(steps float64) float64 { return 1 - math.Exp2(-1/steps) }

// scoreOf is 0 for nothing, a half where an alarm is raised, and never quite 1.
func scoreOf(ratio float64) float64 { return ratio / (1 + ratio) }
