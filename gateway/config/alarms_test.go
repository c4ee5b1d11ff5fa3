package config

import (
	"maps"
	"testing"
	"time"

	"gengfu/facility"
)

// TestWhatTheSiteAsksOfPeople: what is left out has its default.
func TestWhatTheSiteAsksOfPeople(t *testing.T) {
	l := Alarms{
		MaxShelf:        map[facility.Priority]time.Duration{facility.P2: 30 * time.Minute},
		AcknowledgeNote: []facility.Priority{facility.P1},
	}.Life()
	if want := map[facility.Priority]time.Duration{
		facility.P1: time.Hour, facility.P2: 30 * time.Minute, facility.P3: 8 * time.Hour, facility.P4: 24 * time.Hour,
	}; !maps.Equal(l.MaxShelf, want) {
		t.Errorf("the longest shelves are %v, want %v", l.MaxShelf, want)
	}
	if want := map[facility.Priority]bool{facility.P1: true}; !maps.Equal(l.AckNote, want) {
		t.Errorf("a note is needed of %v, want %v", l.AckNote, want)
	}
}
