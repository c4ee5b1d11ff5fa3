package facility

import "errors"

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
