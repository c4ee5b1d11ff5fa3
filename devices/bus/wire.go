package bus

import "time"

// Wire is how bytes are timed on a line.
type Wire struct {
	Character time.Duration // one character; 0 when it is not known or does not matter, as over TCP
	Gap       time.Duration // silence that is wanted before each request
}

// fastCharacter is the character time (10 bits) above 19200 baud, from where
// the Modbus serial line specification fixes the silence instead of counting
// characters.
const (
	fastCharacter = 520 * time.Microsecond
	fastSilence   = 1750 * time.Microsecond
)

// Silence returns the time without a byte before a request: the gap, but at least
// 3.5 characters, and 1.75 ms above 19200 baud.
func (w Wire) Silence() time.Duration {
	t35 := w.Character * 7 / 2
	if w.Character > 0 && w.Character < fastCharacter {
		t35 = fastSilence
	}
	return max(t35, w.Gap)
}

// Of returns how long so many bytes take.
func (w Wire) Of(bytes int) time.Duration { return time.Duration(bytes) * w.Character }

// Turnaround is what a typical slave takes before it answers.
const Turnaround = 30 * time.Millisecond

// Duration returns how long a request occupies a serial line with a typical slave:
// both frames, 30 ms for the slave to answer, and the silence before.
func (w Wire) Duration(request, reply int) time.Duration {
	return w.Of(request+reply) + Turnaround + w.Silence()
}

// giveUp is the silence after which nothing more of a spoilt frame comes. A serial
// server may cut a frame into packets.
func (w Wire) giveUp() time.Duration {
	if w.Character == 0 {
		return 200 * time.Millisecond
	}
	return max(50*time.Millisecond, 18*w.Character)
}
