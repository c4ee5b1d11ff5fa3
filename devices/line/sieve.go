package line

import (
	"bytes"
	"time"
)

const (
	// apart is the silence between what are two packets of a box, and not parts of
	// one: serial servers gather bytes for at most 50 ms.
	apart = 60 * time.Millisecond
	// distinct is the length from which a packet is taken for what it is also where
	// a frame follows directly. A shorter one could be how that frame begins.
	distinct = 4
)

// sieve takes registrations and heartbeats out of what a box sends, and only where
// they cannot be part of a frame. They are looked for where a frame may begin:
//
//   - in the first bytes after the line was opened, written to or cleared, behind a
//     frame that whoever reads it calls complete, and behind another such packet;
//   - on a line that nothing was ever written to, also after a silence.
//
// Once a byte of anything else has come, all is passed on until a frame may begin
// again. A packet of fewer than four bytes is taken out only when it also stands
// alone, with silence behind it; with bytes behind it all is passed on, and what
// reads the frames finds them behind the noise.
type sieve struct {
	packets [][]byte
	held    []byte // bytes that may yet be a packet
	fresh   bool   // a frame has not begun
	asked   bool   // the line has been written to
	last    time.Time
}

// newSieve returns a sieve for the packets that are not empty, nil when all are.
func newSieve(packets ...[]byte) *sieve {
	s := &sieve{fresh: true}
	for _, p := range packets {
		if len(p) > 0 {
			s.packets = append(s.packets, p)
		}
	}
	if len(s.packets) == 0 {
		return nil
	}
	return s
}

// feed takes received bytes and returns those that are not the box's own, with
// such as were held before.
func (s *sieve) feed(b []byte, now time.Time) []byte {
	out := s.quiet(now)
	s.last = now
	if !s.fresh {
		return append(out, b...)
	}
	s.held = append(s.held, b...)
	for len(s.held) > 0 && s.fresh {
		whole, begun := s.look()
		switch {
		case begun, whole > 0 && whole == len(s.held) && whole < distinct:
			return out // what follows will tell
		case whole >= distinct:
			s.held = s.held[whole:]
		default:
			s.fresh = false
		}
	}
	return append(out, s.release()...)
}

// look returns the length of the longest packet at the start of what is held, and
// whether all of it may be the start of a longer one.
func (s *sieve) look() (whole int, begun bool) {
	for _, p := range s.packets {
		switch {
		case len(p) > len(s.held):
			begun = begun || bytes.HasPrefix(p, s.held)
		case bytes.HasPrefix(s.held, p):
			whole = max(whole, len(p))
		}
	}
	return whole, begun
}

// quiet says that nothing has come until now. When the silence is long enough, it
// returns what was held and is no packet.
func (s *sieve) quiet(now time.Time) (out []byte) {
	if now.Sub(s.last) < apart {
		return nil
	}
	if whole, _ := s.look(); whole != len(s.held) {
		out = s.release()
		s.fresh = false
	}
	s.held = nil
	s.fresh = s.fresh || !s.asked
	return out
}

func (s *sieve) release() []byte {
	out := s.held
	s.held = nil
	return out
}

// waiting returns how long from now quiet has something to decide; false when
// nothing is held.
func (s *sieve) waiting(now time.Time) (time.Duration, bool) {
	return max(0, apart-now.Sub(s.last)), len(s.held) > 0
}

// written says that a request goes out, which a frame answers.
func (s *sieve) written() { s.asked, s.fresh = true, true }

// settled says that the frame that came through is complete.
func (s *sieve) settled() { s.fresh = true }

// cleared says that what was received is thrown away.
func (s *sieve) cleared() { s.held, s.fresh = nil, true }

// sieved is a port whose peer also sends packets of its own.
type sieved struct {
	port
	sieve *sieve
	ready []byte
	buf   [512]byte
}

// withSieve puts the sieve before the port, and before it what was received
// already. A nil sieve lets all through.
func withSieve(p port, s *sieve, received []byte) port {
	if s == nil && len(received) == 0 {
		return p
	}
	if s == nil {
		return &sieved{port: p, sieve: &sieve{}, ready: received}
	}
	return &sieved{port: p, sieve: s, ready: s.feed(received, time.Now())}
}

func (s *sieved) read(p []byte, wait time.Duration) (int, error) {
	for end := time.Now().Add(wait); len(s.ready) == 0; {
		now := time.Now()
		left := max(0, end.Sub(now))
		if decide, held := s.sieve.waiting(now); held {
			left = min(left, decide)
		}
		n, err := s.port.read(s.buf[:], left)
		now = time.Now()
		if n > 0 {
			s.ready = s.sieve.feed(s.buf[:n], now)
		} else {
			s.ready = s.sieve.quiet(now)
		}
		if err != nil {
			return s.take(p), err
		}
		if len(s.ready) == 0 && !now.Before(end) {
			return 0, nil
		}
	}
	return s.take(p), nil
}

func (s *sieved) take(p []byte) int {
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n
}

func (s *sieved) write(p []byte) error {
	s.sieve.written()
	return s.port.write(p)
}

func (s *sieved) settled() {
	if len(s.ready) == 0 { // else what was received with the frame may be another
		s.sieve.settled()
	}
}

func (s *sieved) discard() error {
	s.ready = nil
	s.sieve.cleared()
	return s.port.discard()
}
