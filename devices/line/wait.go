package line

import (
	"context"
	"time"
)

// coarse is how long a wait is left to the kernel: more than a timer of the
// runtime may be late when the program is idle, and the silence before a frame at
// 9600 baud in one piece, because being woken twice costs three times as much.
const coarse = 5 * time.Millisecond

// Wait returns at the given time, or with the context's error before. Long waits
// are left to a timer; the last five milliseconds are waited precisely, because a
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
