package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"gengfu/facility"
)

// snapshotVersion is raised when older snapshots cannot be read any more.
const snapshotVersion = 1

type snapshot struct {
	Version   int                          `json:"version"`
	Listening time.Time                    `json:"listening,omitzero"`
	Points    map[facility.PointID]reading `json:"points"`
	Instances map[string]saved             `json:"instances"` // by key
}

// saved is one instance.
type saved struct {
	Rule    string      `json:"rule"` // fingerprint
	Order   OrderPolicy `json:"order"`
	Samples []sample    `json:"samples,omitempty"`
	state
}

// Snapshot returns the state of the engine as JSON. What it does from here it
// would do exactly so after Restore.
func (e *Engine) Snapshot() ([]byte, error) {
	s := snapshot{
		Version:   snapshotVersion,
		Listening: e.listening,
		Points:    make(map[facility.PointID]reading, len(e.points)),
		Instances: make(map[string]saved, len(e.instances)),
	}
	for id, p := range e.points {
		if !p.Time.IsZero() {
			s.Points[id] = p.reading
		}
	}
	for _, i := range e.instances {
		v := saved{Rule: i.rule.fingerprint(), Order: i.rule.Order, state: i.state}
		if t, ok := i.test.(*slopeTest); ok {
			v.Samples = t.samples
		}
		s.Instances[i.key] = v
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("save the state of the rules: %w", err)
	}
	return data, nil
}

// Restore replaces the state by that of a snapshot. Instances whose rule judges
// differently by now, and new ones, start anew; alarms that nobody stands for any
// more are handed out by Retire. The engine is unchanged when an error is
// returned.
func (e *Engine) Restore(data []byte) error {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("restore the state of the rules: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("restore the state of the rules: version %d, want %d", s.Version, snapshotVersion)
	}
	e.listening = s.Listening.UTC()
	for id, p := range e.points {
		p.reading = s.Points[id]
		p.Time, p.LastGood = p.Time.UTC(), p.LastGood.UTC()
	}
	clear(e.byID)
	e.retired = nil
	for _, i := range e.instances {
		e.restore(i, s.Instances)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Instances)) {
		if v := s.Instances[key]; v.Alarm != nil {
			e.retired = append(e.retired, retired{alarm: *v.Alarm, order: v.Order})
		}
	}
	return nil
}

// restore takes the state of one instance out of the saved ones, unless its rule
// judges differently now.
func (e *Engine) restore(i *instance, all map[string]saved) {
	v, ok := all[i.key]
	same := ok && v.Rule == i.rule.fingerprint()
	i.state = fresh(i.test)
	if same {
		i.state = v.state
		delete(all, i.key)
	} else if !e.listening.IsZero() {
		i.listen(e.listening)
	}
	if i.Alarm != nil {
		e.byID[i.Alarm.ID] = i
	}
	if t, ok := i.test.(*slopeTest); ok {
		t.samples = nil
		if same {
			t.samples = v.Samples
		}
	}
}

// Retire brings to normal the alarms of a restored state whose rule or device is
// gone or judges differently now, and hands each out once. Where the fault is
// still there, the new rule raises it again.
func (e *Engine) Retire(at time.Time) []Change {
	at = instant(at)
	out := make([]Change, 0, len(e.retired))
	for _, r := range e.retired {
		a, from := r.alarm, r.alarm.State
		a.State, a.ClearedAt = facility.AlarmNormal, &at
		out = append(out, Change{Alarm: a, Event: facility.AlarmRetire, From: from, At: at, Order: r.order})
	}
	e.retired = nil
	return out
}
