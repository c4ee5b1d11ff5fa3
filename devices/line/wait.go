package line

import (
	"context"
	"time"
)

// coarse is how late a timer of the runtime may fire when the program is idle,
// with a margin.
const coarse = 2 * time.Millisecond

// Wait returns at the given time, or with the context's error before. Long waits
// are left to a timer; the last two milliseconds are waited precisely, because a
// timer would round the 3.65 ms between two frames up to whole milliseconds.
func Wait(ctx context.Context, until time.Time) error {
	if left := time.Until(until) - coarse; left > 0 {
		t := time.NewTimer(left)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fine(ctx, until)
}
