package discipline

import (
	"encoding/json"
	"fmt"
	"time"

	"gengfu/facility"
)

// saved is a snapshot; the rest of a Control follows from it.
type saved struct {
	Version int
	Alarms  map[string]*alarm
	Chatter map[string]*chatter
	Flood   flood
	Told    time.Time
	Latest  time.Time
}

const snapshotVersion = 1

// Snapshot returns all that the Control remembers. Equal Controls give equal bytes.
func (c *Control) Snapshot() ([]byte, error) {
	data, err := json.Marshal(saved{snapshotVersion, c.alarms, c.chatter, c.flood, c.told, c.latest})
	if err != nil {
		return nil, fmt.Errorf("write snapshot of the alarm discipline: %w", err)
	}
	return data, nil
}

// Restore returns the Control of a snapshot. The topology and the times may be others
// than before; what that changes is in the Outcome, which is to be carried out like any.
// It fails with facility.ErrInvalid when the snapshot cannot be read.
func Restore(data []byte, t *Topology, s Settings, now time.Time) (*Control, Outcome, error) {
	var from saved
	if err := json.Unmarshal(data, &from); err != nil {
		return nil, Outcome{}, fmt.Errorf("read snapshot of the alarm discipline: %w: %w", err, facility.ErrInvalid)
	}
	if from.Version != snapshotVersion {
		return nil, Outcome{}, fmt.Errorf("snapshot of the alarm discipline: version %d is unknown: %w", from.Version, facility.ErrInvalid)
	}
	c := New(t, s)
	c.flood, c.told, c.latest = from.Flood, from.Told, from.Latest
	for key, ch := range from.Chatter {
		if ch != nil && len(ch.Recent) > 0 {
			c.chatter[key] = ch
		}
	}
	for key, a := range from.Alarms {
		if a != nil {
			a.key = key
			c.alarms[key] = a
			c.seatIn(a)
			c.count(a, 1)
		}
	}
	return c, c.settle(now), nil
}

// settle finds what follows from what, and tells what is due.
func (c *Control) settle(now time.Time) (out Outcome) {
	keys := sortedKeys(c.alarms)
	for _, key := range keys {
		if a := c.alarms[key]; c.causes(a) {
			c.setDown(key, a.Downs, true)
		}
	}
	for line := range c.topology.lines {
		if speaks := c.elect(line); speaks != "" {
			c.speaks[line] = speaks
		}
	}
	c.requeue()
	for _, key := range keys {
		a := c.alarms[key]
		if h, changed := c.judge(a); changed {
			out.Holds = append(out.Holds, h)
			c.forget(a)
		}
	}
	out.Tell = c.Advance(now).Tell
	return out
}
