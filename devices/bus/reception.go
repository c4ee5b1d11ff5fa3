package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// reception is what comes after a request until its reply is complete.
type reception struct {
	*Bus
	ask      Ask
	start    time.Time // when the request was handed to the line
	deadline time.Time
	n        int  // bytes received
	from     int  // where the reply may begin: behind an echo and what came too soon
	echoed   bool // the adapter returned the request
	early    bool // what would be the reply came before it could
	found    Found
}

func (b *Bus) reception(a Ask, start time.Time) *reception {
	r := &reception{Bus: b, ask: a, start: start}
	b.sent = start.Add(b.opts.Wire.Of(len(a.Frame)))
	b.lastByte = b.sent
	timeout := a.Timeout
	if a.Pace != nil {
		timeout = min(timeout, a.Pace.Timeout())
	}
	r.deadline = r.sent.Add(timeout + b.opts.Wire.Of(a.Expect))
	return r
}

// receive reads until the reply is complete. The frame is the caller's.
func (r *reception) receive(ctx context.Context) ([]byte, error) {
	for until := r.deadline; r.n < len(r.buf); {
		k, err := r.conn.Read(ctx, r.buf[r.n:], until)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, r.verdict()
		}
		if err != nil {
			return nil, err
		}
		r.n += k
		r.lastByte = time.Now()
		if r.look() {
			return bytes.Clone(r.found.Frame), nil
		}
		until = r.patience()
		if !r.lastByte.Before(until) {
			return nil, r.verdict() // it dribbles in
		}
		if err := r.nap(ctx, until); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%d bytes and no reply among them: %w", r.n, ErrGarbled)
}

// look reports whether the reply is among what was received.
func (r *reception) look() bool {
	for {
		r.skipEcho()
		if missing := r.echoMissing(); missing > 0 {
			r.found = Found{Missing: missing + r.ask.Expect}
			return false
		}
		rest := r.buf[r.from:r.n]
		r.found = r.ask.Find(rest)
		if r.found.Frame == nil {
			return false
		}
		behind := 0
		if i := bytes.Index(rest, r.found.Frame); i >= 0 {
			behind = len(rest) - i - len(r.found.Frame)
		}
		if !r.echoBegins(rest[len(rest)-behind:]) && !r.pacing.refuses(r.tooSoon(len(r.found.Frame))) {
			return true
		}
		r.early = true
		r.from = r.n - behind
	}
}

// tooSoon reports whether a frame that is complete now cannot be the reply: both
// frames had to go over the wire since the request was written. What comes sooner
// was on its way before. A sixteenth is left to clocks that differ.
func (r *reception) tooSoon(frame int) bool {
	least := r.opts.Wire.Of(len(r.ask.Frame) + frame)
	return r.lastByte.Sub(r.start) < least-least/16
}

// patience returns until when more is waited for.
func (r *reception) patience() time.Time {
	switch f := r.found; {
	case f.Corrupt && f.Missing == 0:
		return earlier(r.deadline, r.lastByte.Add(r.opts.Wire.giveUp()))
	case f.Missing > 0 && r.ask.Between > 0:
		return r.begun(f.Missing)
	}
	return r.deadline
}

// longestFrame bounds a reply in bytes: M-Bus has the longest, 261 and a preamble.
const longestFrame = 270

// begun returns until when the rest of a reply is waited for that may pause between
// its bytes. It does not go on for ever, whatever dribbles in.
func (r *reception) begun(missing int) time.Time {
	rest := r.lastByte.Add(r.opts.Wire.Of(missing) + r.ask.Between)
	if rest.Before(r.deadline) {
		return r.deadline
	}
	return earlier(rest, r.deadline.Add(max(r.opts.Wire.Of(longestFrame), longestNoise)+r.ask.Between))
}

func (r *reception) verdict() error {
	switch f := r.found; {
	case f.Corrupt:
		return fmt.Errorf("wrong check: %w", ErrGarbled)
	case f.Missing > 0:
		return fmt.Errorf("cut short by %d bytes: %w", f.Missing, ErrGarbled)
	case r.early:
		return fmt.Errorf("only a reply that came before it could: %w", ErrTimeout)
	case r.n > 0:
		return fmt.Errorf("%d bytes that are not its reply: %w", r.n, ErrTimeout)
	}
	return ErrTimeout
}

// nap leaves the rest of a frame to arrive instead of waking for each byte, until
// both frames can have gone over the wire. When the bytes that are here came tells
// only that it is no later: a UART keeps back what it has, by a dozen bytes or a
// latency timer.
func (r *reception) nap(ctx context.Context, until time.Time) error {
	const worthIt = time.Millisecond
	wire := r.opts.Wire
	end := earlier(r.sent.Add(wire.Of(r.n-r.from+r.found.Missing)), r.lastByte.Add(wire.Of(r.found.Missing-1)))
	if r.found.Missing == 0 || time.Until(end) < worthIt {
		return nil
	}
	return r.opts.Wait(ctx, earlier(until, end))
}

// close books what the exchange taught.
func (r *reception) close(frame []byte, err error) {
	r.trace(r.start, r.ask.Frame, r.buf[:r.n], err)
	if err != nil {
		r.dirty = true
		r.pacing.failed(r.early)
		if errors.Is(err, ErrTimeout) && r.ask.Pace != nil {
			r.ask.Pace.Missed()
		}
		r.overheard(r.buf[r.from:r.n], r.lastByte)
		return
	}
	r.learnEcho(r.echoed)
	if r.ask.Pace != nil {
		r.ask.Pace.Observe(max(0, r.lastByte.Sub(r.sent)-r.opts.Wire.Of(len(frame))))
	}
	r.strays(frame)
}

// strays hands over what was received besides the reply. Something behind it says
// that more is coming.
func (r *reception) strays(frame []byte) {
	all := r.buf[:r.n]
	i := bytes.LastIndex(all, frame)
	if i < 0 {
		return
	}
	before, behind := all[:i], all[i+len(frame):]
	if r.echoed && !r.early && r.from <= i {
		before = all[r.from:i]
	}
	r.overheard(before, r.lastByte)
	switch {
	case len(behind) == 0:
		return
	case len(behind) < len(frame) && bytes.HasPrefix(frame, behind):
		r.carry = bytes.Clone(behind) // it comes again
	default:
		r.overheard(behind, r.lastByte)
	}
	r.dirty = true
}
