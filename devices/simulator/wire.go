package simulator

import "time"

// Wire is the timing of a serial line. The zero value answers as fast as it can.
type Wire struct {
	Baud       int           // bits per second; 0 does not pace
	Bits       int           // per character with start, parity and stop: 10 for 8N1, 11 for 8E1; 0 is 10
	Turnaround time.Duration // from the end of the request to the first character of the reply
}

// Characters returns how long n characters take.
func (w Wire) Characters(n int) time.Duration {
	if w.Baud <= 0 {
		return 0
	}
	bits := w.Bits
	if bits == 0 {
		bits = 10
	}
	return time.Duration(n*bits) * time.Second / time.Duration(w.Baud)
}

// silence ends a frame whose length cannot be known. It is far above 3.5
// characters, because a pty hands over what it likes when it likes.
func (w Wire) silence() time.Duration { return max(20*time.Millisecond, w.Characters(20)) }
