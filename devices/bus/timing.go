package bus

import "time"

// Timing is what one device wants otherwise than the others of its protocol.
type Timing struct {
	Timeout time.Duration // until its reply has begun; 0 is the master's
	Pause   time.Duration // silence before a request; 0 is the line's
	Pace    *Pace         // learns how soon it answers and shortens Timeout; nil does neither
}
