package history

import (
	"fmt"
	"time"
)

// TemporaryError is a failure that goes away by itself: a server that is down or
// busy, a full disk. Try again later with the same rows, or those after Done.
type TemporaryError struct {
	Err        error
	RetryAfter time.Duration // what the server asked for, 0 if nothing
	Done       int           // so many rows at the front need not be written again: they are durable, or in Refused
	Refused    []Rejected    // of those
}

func (e *TemporaryError) Error() string { return e.Err.Error() }
func (e *TemporaryError) Unwrap() error { return e.Err }

// ConfigurationError is a failure that a person has to mend: a wrong token, a
// bucket that does not exist, a file that is not ours.
type ConfigurationError struct{ Err error }

func (e *ConfigurationError) Error() string { return e.Err.Error() }
func (e *ConfigurationError) Unwrap() error { return e.Err }

// RejectedError lists the rows that can never be stored. All others were.
type RejectedError struct{ Rows []Rejected }

// Rejected is a row with the reason why it is not stored.
type Rejected struct {
	Row Row
	Why string
}

func (e *RejectedError) Error() string {
	if len(e.Rows) == 0 {
		return "history: no row was refused"
	}
	first := e.Rows[0]
	return fmt.Sprintf("history: %d rows refused, the first of %s at %s: %s",
		len(e.Rows), first.Row.Point, first.Row.Time.Format(time.RFC3339Nano), first.Why)
}
