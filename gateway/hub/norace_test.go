//go:build !race

package hub_test

import "time"

const (
	raceDetector = false
	patience     = 2 * time.Minute
)
