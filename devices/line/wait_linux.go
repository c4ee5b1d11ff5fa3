package line

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// spin is the slack that Linux gives a sleeping thread before it is woken, with
// what the wake-up itself costs.
const spin = 120 * time.Microsecond

// fine waits at most a few milliseconds, in the kernel and not in the runtime's
// timers, and spins the last bit.
func fine(_ context.Context, until time.Time) error {
	for left := time.Until(until) - spin; left > 0; left = time.Until(until) - spin {
		ts := unix.NsecToTimespec(int64(left))
		if err := unix.Nanosleep(&ts, nil); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	for time.Now().Before(until) {
	}
	return nil
}
