package history

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Delivery waits between two tries at least and at most so long; when the server
// asks for a longer pause, that long, within reason.
const (
	firstRetry   = 200 * time.Millisecond
	longestRetry = 30 * time.Second
	longestAsked = 10 * time.Minute
)

// Delivery writes rows until they are stored, however long that takes.
type Delivery struct {
	Store Store
	// SetAside makes durable what the store refuses for good; it may fail for a while.
	SetAside func(ctx context.Context, refused []Rejected) error
	// Failed is called when a try fails for another reason than the one before it,
	// with nil when it then succeeds.
	Failed func(err error)
}

// Write returns when all rows are stored or set aside, or with the error of ctx.
func (d Delivery) Write(ctx context.Context, rows []Row) error {
	var t trouble
	for len(rows) > 0 {
		err := d.Store.Write(ctx, rows)
		var rejected *RejectedError
		var temporary *TemporaryError
		switch {
		case err == nil:
			t.over(d.Failed)
			return nil
		case errors.As(err, &rejected):
			t.over(d.Failed)
			return d.Aside(ctx, rejected.Rows)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &temporary) && temporary.Done > 0:
			if err := d.Aside(ctx, temporary.Refused); err != nil {
				return err
			}
			rows, t.wait = rows[temporary.Done:], 0
		}
		if err := t.pause(ctx, err, d.Failed); err != nil {
			return err
		}
	}
	return nil
}

// Aside returns when the refused rows are set aside: what nobody holds any more
// must not be passed over.
func (d Delivery) Aside(ctx context.Context, refused []Rejected) error {
	if len(refused) == 0 {
		return nil
	}
	var t trouble
	for {
		err := d.SetAside(ctx, refused)
		if err == nil {
			t.over(d.Failed)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := t.pause(ctx, fmt.Errorf("set aside what the history refuses: %w", err), d.Failed); err != nil {
			return err
		}
	}
}

// Persist calls do again and again while it fails with a *TemporaryError, and returns
// another error or that of ctx. Failed is called as that of a Delivery.
func Persist(ctx context.Context, failed func(error), do func() error) error {
	var t trouble
	for {
		err := do()
		var temporary *TemporaryError
		switch {
		case err == nil:
			t.over(failed)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &temporary):
			return err
		}
		if err := t.pause(ctx, err, failed); err != nil {
			return err
		}
	}
}

// trouble is a row of failures.
type trouble struct {
	wait time.Duration
	said string
}

func (t *trouble) over(tell func(error)) {
	if t.said != "" {
		tell(nil)
	}
}

// pause tells of a failure and waits before the next try.
func (t *trouble) pause(ctx context.Context, err error, tell func(error)) error {
	if err.Error() != t.said {
		t.said = err.Error()
		tell(err)
	}
	t.wait = min(max(2*t.wait, firstRetry), longestRetry)
	timer := time.NewTimer(max(t.wait/2+rand.N(t.wait), asked(err)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// asked is the pause that the server wants.
func asked(err error) time.Duration {
	var temporary *TemporaryError
	if !errors.As(err, &temporary) {
		return 0
	}
	return min(temporary.RetryAfter, longestAsked)
}
