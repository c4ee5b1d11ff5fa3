package line

import (
	"context"
	"errors"
	"time"
)

// Wait is Timer.Wait for once. Who waits again and again has a Timer.
func Wait(ctx context.Context, until time.Time) (err error) {
	var t Timer
	defer func() { err = errors.Join(err, t.Close()) }()
	return t.Wait(ctx, until)
}

// Wait returns at the given time, or with the context's error before; a wait of
// less than a tenth of a second is not cut short by the context.
func (t *Timer) Wait(ctx context.Context, until time.Time) error {
	if err := rough(ctx, until.Add(-coarse)); err != nil {
		return err
	}
	return t.fine(ctx, until)
}

// rough waits by a timer of the runtime.
func rough(ctx context.Context, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	left := time.Until(until)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
