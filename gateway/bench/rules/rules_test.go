package main

import (
	"strings"
	"testing"
	"time"
)

// TestRate runs a part of the bench on few readings, so that it does not rot.
func TestRate(t *testing.T) {
	var out strings.Builder
	figures, err := measureRate(plan{windows: 1, readings: 50_000}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) != 1 || figures[0].Value <= 0 || !strings.Contains(out.String(), "changes of alarms") {
		t.Errorf("%v\n%s", figures, out.String())
	}
}

func TestAFaultThatComesAgainIsOneOrder(t *testing.T) {
	f, err := playFault(t.Context(), 200, 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if most := int(f.within/faultRealarm) + 1; f.alarms != 1 || f.orders != 1 || f.miscounted() != 0 || f.lines == 0 || f.lines > most || f.mostTold() != 1 {
		t.Errorf("%+v", f)
	}
}

func TestMostToldIsWithinARealarmTime(t *testing.T) {
	at := func(minutes ...int) (out []time.Time) {
		for _, m := range minutes {
			out = append(out, began.Add(time.Duration(m)*time.Minute))
		}
		return out
	}
	for _, test := range []struct {
		told []time.Time
		want int
	}{{nil, 0}, {at(0, 10, 20), 1}, {at(0, 9, 10), 2}, {at(0, 11, 12, 13, 21), 3}} {
		if got := (faultPlayed{told: test.told}).mostTold(); got != test.want {
			t.Errorf("%v: %d at most, want %d", test.told, got, test.want)
		}
	}
}

// TestStorm plays one storm.
func TestStorm(t *testing.T) {
	var out strings.Builder
	figures, err := measureStorm(plan{windows: 1}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) != 3 || figures[0].Value != 1 || figures[1].Value < 1 || figures[1].Value > 3 || figures[2].Value != 2*stormDevices {
		t.Errorf("%v\n%s", figures, out.String())
	}
}
