package discipline

import (
	"encoding/json"
	"fmt"
	"time"

	"gengfu/facility"
)

// saved is a snapshot, or a part of one; the rest of a Control follows from it. In a
// part stands what changed, and nothing for what is known no more.
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
func (c *Control) Snapshot() ([]byte, error) { return c.save(c.alarms, c.chatter) }

// Part returns what changed since Kept was called last, to be kept behind the snapshot
// and the parts before.
func (c *Control) Part() ([]byte, error) {
	alarms, chatters := map[string]*alarm{}, map[string]*chatter{}
	for key := range c.changed {
		alarms[key] = c.alarms[key]
	}
	for key := range c.rattled {
		chatters[key] = c.chatter[key]
	}
	return c.save(alarms, chatters)
}

// Changed reports whether Part would say anything new of an alarm.
func (c *Control) Changed() bool { return len(c.changed)+len(c.rattled) > 0 }

// Kept says that the last Snapshot or Part is where it must be.
func (c *Control) Kept() {
	clear(c.changed)
	clear(c.rattled)
}

func (c *Control) save(alarms map[string]*alarm, chatters map[string]*chatter) ([]byte, error) {
	data, err := json.Marshal(saved{snapshotVersion, alarms, chatters, c.flood, c.told, c.latest})
	if err != nil {
		return nil, fmt.Errorf("write snapshot of the alarm discipline: %w", err)
	}
	return data, nil
}

// Restore returns the Control of a snapshot and its parts. The topology and the times may
// be others than before; what that changes is in the Outcome, which is to be carried out
// like any. It fails with facility.ErrInvalid when one of them cannot be read.
func Restore(data [][]byte, t *Topology, s Settings, now time.Time) (*Control, Outcome, error) {
	c := New(t, s)
	for _, part := range data {
		if err := c.load(part); err != nil {
			return nil, Outcome{}, err
		}
	}
	for key, a := range c.alarms {
		a.key = key
		c.seatIn(a)
		c.count(a, 1)
	}
	return c, c.settle(now), nil
}

// load takes what a snapshot or a part says.
func (c *Control) load(data []byte) error {
	var from saved
	if err := json.Unmarshal(data, &from); err != nil {
		return fmt.Errorf("read snapshot of the alarm discipline: %w: %w", err, facility.ErrInvalid)
	}
	if from.Version != snapshotVersion {
		return fmt.Errorf("snapshot of the alarm discipline: version %d is unknown: %w", from.Version, facility.ErrInvalid)
	}
	c.flood, c.told, c.latest = from.Flood, from.Told, from.Latest
	for key, a := range from.Alarms {
		if c.alarms[key] = a; a == nil {
			delete(c.alarms, key)
		}
	}
	for key, ch := range from.Chatter {
		if c.chatter[key] = ch; ch == nil || len(ch.Recent) == 0 {
			delete(c.chatter, key)
		}
	}
	return nil
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
