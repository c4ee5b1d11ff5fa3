package facility_test

import (
	"testing"
	"time"

	"gengfu/facility"
)

func TestAlarmActive(t *testing.T) {
	for state, want := range map[facility.AlarmState]bool{
		facility.AlarmNormal: false, facility.AlarmReturned: false,
		facility.AlarmUnacknowledged: true, facility.AlarmAcknowledged: true,
	} {
		if state.Active() != want {
			t.Errorf("%s active: %v", state, !want)
		}
	}
}

func TestPriorities(t *testing.T) {
	var before [3]time.Duration
	for _, p := range []facility.Priority{facility.P1, facility.P2, facility.P3, facility.P4} {
		if !p.Valid() {
			t.Errorf("%s is not valid", p)
		}
		accept, arrive, finish := p.Times()
		if accept >= arrive || arrive >= finish {
			t.Errorf("%s: accept %v, arrive %v, finish %v are not in this order", p, accept, arrive, finish)
		}
		if accept <= before[0] || arrive <= before[1] || finish <= before[2] {
			t.Errorf("%s is not slower than the priority above it", p)
		}
		before = [3]time.Duration{accept, arrive, finish}
	}
	for _, p := range []facility.Priority{"", "P0", "P5", "p1"} {
		if p.Valid() {
			t.Errorf("%q is valid", p)
		}
	}
	if accept, arrive, finish := facility.P1.Times(); accept != 5*time.Minute || arrive != 15*time.Minute || finish != 2*time.Hour {
		t.Errorf("P1: %v, %v, %v", accept, arrive, finish)
	}
}
