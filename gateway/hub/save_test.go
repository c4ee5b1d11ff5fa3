package hub

import (
	"fmt"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// TestMuchThatChangedIsKeptSoon: the next decision is not to wait until all of it is written.
func TestMuchThatChangedIsKeptSoon(t *testing.T) {
	e := facility.Estate{Site: facility.Site{ID: "s", Zone: time.UTC}}
	for n := range SaveMany / 2 {
		id := fmt.Sprintf("pump-%d", n)
		e.Devices = append(e.Devices, facility.Device{ID: id, Kind: "pump", Points: []facility.Point{{ID: facility.PointID{Device: id, Quantity: "flow"}, Kind: facility.Measure}}})
	}
	engine, problems := rules.Compile([]rules.Rule{{ID: "dry", Name: facility.Text{ZH: "断水", EN: "dry"}, Priority: facility.P2, For: rules.Selector{Kinds: []string{"pump"}}, When: "flow < 1"}}, e)
	if problems != nil {
		t.Fatal(problems)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	engine.Listen(now)
	j := &judge{follower: &follower{}, engine: engine, saved: 1, savedAt: now, now: func() time.Time { return now }}
	for n, d := range e.Devices {
		j.at = uint64(n + 2)
		if j.saveDue() {
			t.Fatalf("it is kept with %d changed", engine.Unsaved())
		}
		engine.Observe(facility.Reading{Point: d.Points[0].ID, Time: now, Value: 5, Quality: facility.Good})
	}
	if !j.saveDue() {
		t.Errorf("it waits with %d changed", engine.Unsaved())
	}
	if j.saved = j.at; j.saveDue() {
		t.Error("what is kept is kept again")
	}
}
