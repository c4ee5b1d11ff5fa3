package line

import "time"

// Backoff is the pause before the next attempt to open a line. The zero value
// starts at half a second and doubles up to 30 s.
type Backoff struct {
	attempt int
}

const (
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

// Next returns the pause after one more failure. It is spread by ±20 % with a
// random number in [0, 1), so that lines that failed together do not return
// together.
func (b *Backoff) Next(random float64) time.Duration {
	pause := longestPause
	if b.attempt < 6 {
		pause = firstPause << b.attempt
	}
	b.attempt++
	return time.Duration(float64(pause) * (0.8 + 0.4*random))
}

// Reset begins again after a success.
func (b *Backoff) Reset() { b.attempt = 0 }
