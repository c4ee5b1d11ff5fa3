package bus

import "bytes"

// Echo says whether the adapter returns the master's own bytes.
type Echo string

// The values of Echo. Auto learns it from each reply anew, because there are
// adapters that do it only at times.
const (
	EchoAuto Echo = "auto"
	EchoOn   Echo = "on"
	EchoOff  Echo = "off"
)

// Echoes reports whether the adapter returns what is sent, and whether that is
// known yet.
func (b *Bus) Echoes() (yes, known bool) { return b.echo == EchoOn, b.echo != EchoAuto }

func (b *Bus) learnEcho(echoed bool) {
	if b.opts.Echo != EchoAuto {
		return
	}
	b.echo = EchoOff
	if echoed {
		b.echo = EchoOn
	}
}

// skipEcho passes over the request where it was returned, also behind noise: no
// reply to it stands before.
func (r *reception) skipEcho() {
	if r.echoed {
		return
	}
	rest, request := r.buf[r.from:r.n], r.ask.Frame
	if i := bytes.Index(rest, request); i >= 0 && !(r.ask.Mirror && r.mirrored()) {
		r.echoed = true
		r.from += i + len(request)
		return
	}
	if (r.echo == EchoOn || r.opts.Echo != EchoOff && !r.ask.Mirror) && resembles(rest, request) {
		r.echoed = true
		r.from += len(request)
	}
}

// mirrored reports whether the request's own bytes are to be taken for the reply.
func (r *reception) mirrored() bool {
	return r.echo != EchoOn && !r.pacing.doubts(r.tooSoon(len(r.ask.Frame)))
}

// resembles reports whether an echo came that lost some bits of one byte on its way.
// With two of them changed it could be another master's request, checks and all.
func resembles(received, request []byte) bool {
	if len(received) < len(request) {
		return false
	}
	wrong := 0
	for i, c := range request {
		if received[i] != c {
			wrong++
		}
	}
	return wrong < 2
}

// echoBegins reports whether the request begins to come back behind a frame, which
// then was on its way before.
func (r *reception) echoBegins(behind []byte) bool {
	const certain = 3
	return !r.echoed && len(behind) >= certain && bytes.HasPrefix(r.ask.Frame, behind)
}

// echoMissing returns how much of an echo is still to come, when all that was
// received is the beginning of one.
func (r *reception) echoMissing() int {
	rest := r.buf[r.from:r.n]
	if r.echoed || r.opts.Echo == EchoOff || r.echo == EchoOff || !bytes.HasPrefix(r.ask.Frame, rest) {
		return 0
	}
	return len(r.ask.Frame) - len(rest)
}
