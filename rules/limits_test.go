package rules_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// TestWhatTheSiteAsksOfPeople: by the priority of the rule, not by the rule.
func TestWhatTheSiteAsksOfPeople(t *testing.T) {
	grave := rule("grave", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault"})
	slight := rule("slight", rules.Rule{For: grave.For, When: "fault"})
	grave.Priority, slight.Priority = facility.P1, facility.P4
	e, problems := rules.Compile([]rules.Rule{grave, slight}, estate(), rules.WithLife(rules.LifeLimits{
		MaxShelf: map[facility.Priority]time.Duration{facility.P1: time.Hour},
		AckNote:  map[facility.Priority]bool{facility.P1: true},
	}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	script(t, e, "0s pump-1/fault=1")
	_, err := person(e, strings.Fields("shelve grave/pump-1 2h"), start.Add(time.Second))
	var long *facility.ShelfTooLongError
	if !errors.As(err, &long) || long.Longest != time.Hour || !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("a shelf of 2 h of a P1: %v", err)
	}
	for _, words := range []string{"shelve grave/pump-1 1h", "shelve slight/pump-1 8h"} {
		if _, err := person(e, strings.Fields(words), start.Add(time.Second)); err != nil {
			t.Errorf("%s: %v", words, err)
		}
	}
	for _, a := range e.Standing() {
		_, err := e.Acknowledge(a.ID, "wang", "", start.Add(2*time.Second))
		if errors.Is(err, facility.ErrNoteMissing) != (a.Priority == facility.P1) || errors.Is(err, facility.ErrInvalid) != (err != nil) {
			t.Errorf("a %s without a note: %v", a.Priority, err)
		}
	}
}

// TestAChangeSaysWhichHold: who keeps them needs nothing else.
func TestAChangeSaysWhichHold(t *testing.T) {
	e := compile(t, rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault"}))
	var got []string
	kept := map[facility.AlarmState]facility.AlarmHold{}
	for _, line := range []string{
		"0s pump-1/fault=1", "1s shelve r/pump-1 1h", "2s take_out r/pump-1", "3s shelve r/pump-1 2h once", "4s put_back r/pump-1",
		"5s pump-1/fault=0", "6s shelve r/pump-1 1h", "2h tick",
	} {
		for _, c := range play(t, e, line) {
			if c.Hold.Key == "" {
				continue
			}
			got = append(got, string(c.Event)+" "+string(c.Hold.Kind))
			if c.Event == facility.AlarmShelve || c.Event == facility.AlarmTakeOut {
				kept[c.Hold.Kind] = c.Hold
			} else {
				if was := kept[c.Hold.Kind]; !was.Same(c.Hold) {
					t.Errorf("%+v ends, %+v began", c.Hold, was)
				}
				delete(kept, c.Hold.Kind)
			}
			if len(c.Alarm.Holds) != len(kept) {
				t.Errorf("after %s of %s the alarm has %+v", c.Event, c.Hold.Kind, c.Alarm.Holds)
			}
		}
	}
	wantLines(t, got, []string{
		"shelve shelved", "take_out out_of_service", "shelve shelved", "put_back out_of_service", "clear shelved", "shelve shelved", "unshelve shelved",
	})
}
