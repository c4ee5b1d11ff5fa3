//go:build race

package hub_test

import "time"

// raceDetector takes several times the memory and the time of what it watches.
const (
	raceDetector = true
	patience     = 5 * time.Minute
)
