package hub

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/dashboard"
	"gengfu/facility"
)

func TestTheBoardTellsWhatIsNew(t *testing.T) {
	point := func(quantity string) facility.PointID { return facility.PointID{Device: "pump-1", Quantity: quantity} }
	b := newBoard(facility.Estate{Devices: []facility.Device{{ID: "pump-1", Points: []facility.Point{{ID: point("a")}, {ID: point("b")}}}}})
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	reading := func(quantity string, second int, value float64) facility.Reading {
		return facility.Reading{Point: point(quantity), Time: noon.Add(time.Duration(second) * time.Second), Value: value, Quality: facility.Good}
	}
	events, cancel := b.Subscribe()
	defer cancel()
	for _, test := range []struct {
		name  string
		shown []facility.Reading
		want  []facility.Reading // nil: nothing is told
		a     float64
	}{
		{name: "all is new", shown: []facility.Reading{reading("a", 1, 1), reading("b", 1, 2)}, want: []facility.Reading{reading("a", 1, 1), reading("b", 1, 2)}, a: 1},
		{name: "older than what stands", shown: []facility.Reading{reading("a", 0, 9)}, a: 1},
		{name: "not of the estate", shown: []facility.Reading{reading("c", 5, 9)}, a: 1},
		{name: "of the same time", shown: []facility.Reading{reading("a", 1, 3)}, want: []facility.Reading{reading("a", 1, 3)}, a: 3},
		{
			name:  "some of it",
			shown: []facility.Reading{reading("b", 2, 4), reading("a", 0, 9), reading("c", 3, 9), reading("a", 2, 5)},
			want:  []facility.Reading{reading("b", 2, 4), reading("a", 2, 5)}, a: 5,
		},
		{name: "nothing", shown: []facility.Reading{}, a: 5},
	} {
		b.show(test.shown)
		var got dashboard.Event
		select {
		case got = <-events:
		default:
		}
		if diff := cmp.Diff(test.want, got.Readings); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
		if now := b.Latest()[point("a")].Value; now != test.a {
			t.Errorf("%s: a is %v, want %v", test.name, now, test.a)
		}
	}
	if got := len(b.Latest()); got != 2 {
		t.Errorf("%d points have a reading, want 2", got)
	}
}
