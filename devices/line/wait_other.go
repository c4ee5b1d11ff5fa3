//go:build !linux

package line

import (
	"context"
	"time"
)

// coarse is what is left to the exact part of a wait, which there is none of here.
const coarse = 0

// Timer waits as exactly as the timers of the runtime do. The zero value is ready.
type Timer struct{}

func (t *Timer) fine(ctx context.Context, until time.Time) error { return rough(ctx, until) }

// Close does nothing.
func (t *Timer) Close() error { return nil }
