package facility

import "time"

// How often the field side repeats what has not changed, so that silence means
// something: a point of which nothing is heard for longer than these allow is
// stale.
const (
	KeepAlive    = 30 * time.Second // states and alarm bits with a good value, at most every poll
	BadKeepAlive = time.Minute      // bad readings, and whether a device answers
)

// OnlineQuantity is the state that every device has besides those of its profile:
// 1 while it answers, 0 while it does not.
const OnlineQuantity = "online"
