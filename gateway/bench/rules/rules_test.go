package main

import (
	"strings"
	"testing"
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
