package line_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gengfu/devices/line"
)

func TestATimerWaitsAgainAndAgain(t *testing.T) {
	var timer line.Timer
	for _, d := range []time.Duration{3650 * time.Microsecond, -time.Second, 10 * time.Microsecond, 150 * time.Millisecond, 12 * time.Millisecond} {
		start := time.Now()
		if err := timer.Wait(t.Context(), start.Add(d)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < d {
			t.Errorf("waited %s of %s", took, d)
		}
	}
	if err := timer.Wait(t.Context(), time.Time{}); err != nil { // as long ago as a Duration can say
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := timer.Wait(ctx, time.Now().Add(time.Millisecond)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := timer.Close(); err != nil {
		t.Error(err)
	}
	if err := new(line.Timer).Close(); err != nil {
		t.Errorf("a timer that never waited: %v", err)
	}
}

func TestATimerThatWasClosedStillWaits(t *testing.T) {
	var timer line.Timer
	if err := timer.Wait(t.Context(), time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if err := timer.Close(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := timer.Wait(t.Context(), start.Add(2*time.Millisecond)); err != nil || time.Since(start) < 2*time.Millisecond {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}
