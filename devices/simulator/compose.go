package simulator

import (
	"bytes"
	"slices"
	"time"
)

// utterance is what a device sends for one request, with all that its faults make
// of it.
type utterance struct {
	delay time.Duration
	parts []part
	drop  bool // the connection ends after it
}

type part struct {
	pause time.Duration // silence before it
	bytes []byte
}

// wakeUp is the byte that wakes a meter, of which several come before a frame.
const wakeUp = 0xFE

// compose makes the frames of an answer.
func (w Wire) compose(l language, request []byte, a answer) (u utterance) {
	own := l.wrap(a.payload, has(a, Corrupt))
	if has(a, Flip) {
		own[a.dice.IntN(len(own))] ^= byte(1 + a.dice.IntN(255))
	}
	own = append(bytes.Repeat([]byte{wakeUp}, a.preamble), own...)
	u.parts = w.between(a.mangle(own), a)
	u.drop = len(u.parts) > 0 && has(a, Drop)
	if has(a, Foreign) {
		u.parts = w.foreign(l, request, a, u.parts)
	}
	for _, f := range a.faults {
		if f.Kind == Slow {
			u.delay += f.Delay
		}
	}
	return u
}

// mangle shortens a frame, and puts bytes around it.
func (a answer) mangle(own []byte) []byte {
	switch {
	case has(a, Truncated):
		own = own[:len(own)/2]
	case has(a, Cut):
		own = own[:min(len(own)-1, 1+a.dice.IntN(max(1, len(own)-1)))]
	case has(a, Drop):
		own = own[:a.dice.IntN(len(own))]
	}
	if !has(a, Noise) {
		return own
	}
	stray := make([]byte, 1+a.dice.IntN(4))
	for i := range stray {
		stray[i] = byte(a.dice.Uint32())
	}
	if a.dice.IntN(2) == 0 {
		return append(stray, own...)
	}
	return append(own, stray...)
}

// between says in how many pieces a frame comes, and how often.
func (w Wire) between(own []byte, a answer) []part {
	parts := []part{{bytes: own}}
	if f, ok := a.with(Split); ok {
		half := len(own) / 2
		parts = []part{{bytes: own[:half]}, {pause: f.Delay, bytes: own[half:]}}
	}
	if has(a, Duplicate) {
		again := slices.Clone(parts)
		again[0].pause = w.pause()
		parts = append(parts, again...)
	}
	return parts
}

// pause is the silence between two frames of devices.
func (w Wire) pause() time.Duration { return w.Characters(4) }

// foreign puts in the frames of a stranger: its reply, or another master's request
// and its reply, before the true one or instead of it.
func (w Wire) foreign(l language, request []byte, a answer, own []part) []part {
	theirRequest, theirReply := l.stranger(request, a.payload, a.dice)
	parts := []part{{bytes: theirReply}}
	switch a.dice.IntN(3) {
	case 0: // instead
		return parts
	case 1:
		parts = []part{{bytes: theirRequest}, {pause: w.pause(), bytes: theirReply}}
	}
	own[0].pause += w.pause()
	return append(parts, own...)
}

func (a answer) with(kind FaultKind) (Fault, bool) {
	for _, f := range a.faults {
		if f.Kind == kind {
			return f, true
		}
	}
	return Fault{}, false
}

func has(a answer, kind FaultKind) bool {
	_, ok := a.with(kind)
	return ok
}

// collide puts another answer on the wire at the same time. A line on which two
// talk is low when one of them pulls it low.
func (u *utterance) collide(other utterance) {
	long, short := u.bytes(), other.bytes()
	if len(long) < len(short) {
		long, short = short, long
	}
	for i, c := range short {
		long[i] &= c
	}
	u.parts = []part{{bytes: long}}
}

func (u *utterance) bytes() (all []byte) {
	for _, p := range u.parts {
		all = append(all, p.bytes...)
	}
	return all
}
