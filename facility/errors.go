package facility

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers tell apart.
var (
	ErrUnlawful  = errors.New("not lawful in this state")
	ErrForbidden = errors.New("not allowed for this role")
	ErrNotFound  = errors.New("not found")
	ErrConflict  = errors.New("changed by somebody else in the meantime")
	ErrInvalid   = errors.New("invalid")
	// ErrUnavailable says that nothing can be kept now: the disk is full or broken.
	ErrUnavailable = errors.New("cannot be kept at present")
)

// Errors of the kinds above that tell a person more.
var (
	// ErrAlarmActive says that the fault of an order is still there: it may not be verified
	// or closed unless its alarm is out of service.
	ErrAlarmActive = fmt.Errorf("its alarm is active and in service: %w", ErrUnlawful)
	ErrNoteMissing = fmt.Errorf("the note is missing: %w", ErrInvalid)
	// ErrPatrolHold says that a missed patrol is no condition that could be put off.
	ErrPatrolHold = fmt.Errorf("alarms of patrols cannot be held: %w", ErrInvalid)
	// ErrHoldOrder says that the order for which an alarm is to go out of service has ended
	// or is of a patrol.
	ErrHoldOrder = fmt.Errorf("no work is owed on the order: %w", ErrInvalid)
)

// ShelfTooLongError says that an alarm may not be shelved for so long. It is an
// ErrInvalid.
type ShelfTooLongError struct {
	Longest time.Duration
}

func (e *ShelfTooLongError) Error() string { return fmt.Sprintf("longer than %v", e.Longest) }

// Unwrap makes it an ErrInvalid.
func (e *ShelfTooLongError) Unwrap() error { return ErrInvalid }
