// Package framing finds the frames of a protocol in a stream of bytes that holds
// preambles, noise, echoes and spoilt frames besides. It knows no protocol and
// does no I/O.
package framing

import "slices"

// Kind is what the bytes at one place of a stream are.
type Kind int

// The kinds. The zero value is the one that is passed over.
const (
	Noise  Kind = iota // no frame begins here
	Begun              // a frame may begin here and is not complete
	Spoilt             // a complete frame with a wrong checksum or end
	Whole              // a frame
)

// Sight is what a probe sees at the start of some bytes.
type Sight struct {
	Kind   Kind
	Length int // of a Whole frame; of a Begun one the least that it can be, more than there are bytes
}

// Probe looks at the start of b, which is never empty. The frame counts only when
// the sight is Whole, and must not share memory with b.
type Probe[F any] func(b []byte) (F, Sight)

// Reader cuts the frames of one protocol out of a stream. It keeps no more than
// one unfinished frame. It belongs to one goroutine.
type Reader[F any] struct {
	probe   Probe[F]
	rest    []byte // begins with a frame that is not complete, or is empty
	missing int
	spoilt  int
	passed  int
}

// NewReader returns a reader of the frames that the probe knows.
func NewReader[F any](probe Probe[F]) *Reader[F] { return &Reader[F]{probe: probe} }

// chunk bounds what is taken in at once, so that a large read does not leave a
// large buffer behind.
const chunk = 256

// Feed takes in the next bytes of the stream and returns the frames that are
// complete now, in their order. A frame that has begun is waited for, because what
// looks like a frame inside of it is its data.
func (r *Reader[F]) Feed(b []byte) (frames []F) {
	for part := range slices.Chunk(b, chunk) {
		r.rest = append(r.rest, part...)
		frames = r.scan(frames)
	}
	return frames
}

// GiveUp says that the line has been quiet for longer than a frame allows between
// two bytes: what has begun is not a frame. It returns those that were found
// behind its beginning; nothing is kept.
func (r *Reader[F]) GiveUp() (frames []F) {
	for len(r.rest) > 0 {
		r.drop(1)
		frames = r.scan(frames)
	}
	return frames
}

// Reset forgets what has begun.
func (r *Reader[F]) Reset() { r.rest, r.missing = r.rest[:0], 0 }

// Missing returns how many bytes the frame that has begun lacks at least, and 0
// when none has begun.
func (r *Reader[F]) Missing() int { return r.missing }

// Spoilt returns how many frames came with a wrong checksum or end.
func (r *Reader[F]) Spoilt() int { return r.spoilt }

// Passed returns how many bytes belonged to no frame: preambles, noise and what
// was left of spoilt frames.
func (r *Reader[F]) Passed() int { return r.passed }

func (r *Reader[F]) scan(frames []F) []F {
	r.missing = 0
	from := 0
	for from < len(r.rest) && r.missing == 0 {
		frame, s := r.probe(r.rest[from:])
		switch s.Kind {
		case Whole:
			frames = append(frames, frame)
			from += s.Length
			continue
		case Begun:
			r.missing = s.Length - (len(r.rest) - from)
			continue
		case Spoilt:
			r.spoilt++
		}
		r.passed++
		from++
	}
	r.rest = append(r.rest[:0], r.rest[from:]...)
	return frames
}

func (r *Reader[F]) drop(n int) {
	r.passed += n
	r.rest = append(r.rest[:0], r.rest[n:]...)
}

// Sum is the check of DL/T 645, CJ/T 188 and M-Bus: the sum of the bytes modulo
// 256.
func Sum(b []byte) (sum byte) {
	for _, c := range b {
		sum += c
	}
	return sum
}
