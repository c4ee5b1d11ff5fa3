// Package bus is the half-duplex use of a line: one request, then its reply, with
// the silence that slaves want before each request. It knows no protocol: a caller
// says which of the received bytes are the reply. After anything went wrong the
// line is left to fall quiet before the next request.
package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gengfu/devices/line"
)

// Conn is the line that is spoken on. Read waits until the deadline for at least
// one byte and then returns os.ErrDeadlineExceeded.
type Conn interface {
	Read(ctx context.Context, p []byte, deadline time.Time) (int, error)
	Write(ctx context.Context, p []byte) error
	Discard() error
}

var _ Conn = (*line.Conn)(nil)

// Echo says whether the adapter returns the master's own bytes.
type Echo string

// The values of Echo. Auto learns it from the first replies.
const (
	EchoAuto Echo = "auto"
	EchoOn   Echo = "on"
	EchoOff  Echo = "off"
)

// What may go wrong with a request besides the line itself.
var (
	// ErrTimeout: nothing that could be the reply came in time.
	ErrTimeout = errors.New("no answer in time")
	// ErrGarbled: a reply came and cannot be used: cut short, wrong check, wrong length.
	ErrGarbled = errors.New("garbled reply")
)

// Options of a bus.
type Options struct {
	Wire  Wire
	Echo  Echo           // "" is auto
	Trace func(Exchange) // sees every frame, may be nil

	// Wait returns at a time or with the context's error; nil is line.Wait.
	Wait func(ctx context.Context, until time.Time) error
}

// Exchange is one request with what came back, for people to look at.
type Exchange struct {
	At      time.Time
	Request []byte
	Reply   []byte // everything that was received, nil for nothing
	Took    time.Duration
	Err     error
}

// Ask is one request and how to know its reply.
type Ask struct {
	Frame   []byte        // as it goes over the line
	Expect  int           // bytes of the reply, as far as they are known beforehand; the deadline allows for them
	Timeout time.Duration // beyond the wire time of both frames
	Pause   time.Duration // silence that the slave wants before the request; 0 is the line's

	// Between is how long a reply that has begun may pause between two of its bytes.
	// Its length then need not be known beforehand, and Timeout is until it has
	// begun. 0 is for slaves that send without a pause.
	Between time.Duration

	// Find looks for the reply in everything that was received so far, without an
	// echo. It is called again whenever more has come.
	Find func(received []byte) Found
}

// Found is what a stretch of received bytes holds.
type Found struct {
	Frame   []byte // the reply, nil when it is not there yet
	Missing int    // bytes that the first frame begun still lacks; 0 when none has begun
	Corrupt bool   // a frame that looked like the reply had a wrong check
}

// Bus is one line, one request at a time. It belongs to one goroutine and outlives
// the connections of its line.
type Bus struct {
	opts     Options
	conn     Conn
	buf      [1024]byte
	lastByte time.Time // when the line was last busy
	dirty    bool      // something may still be on its way
	echo     Echo
}

// New returns a bus that has no line yet.
func New(opts Options) *Bus {
	if opts.Echo == "" {
		opts.Echo = EchoAuto
	}
	if opts.Wait == nil {
		opts.Wait = line.Wait
	}
	return &Bus{opts: opts, echo: opts.Echo}
}

// Attach gives the bus a newly opened line. A serial server first delivers what it
// had buffered, so that the line is left to fall quiet before the first request.
func (b *Bus) Attach(conn Conn) {
	b.conn = conn
	b.lastByte = time.Now()
	b.dirty = true
}

// Wire returns how the bytes of the line are timed.
func (b *Bus) Wire() Wire { return b.opts.Wire }

// Wait returns at the given time, or with the context's error before.
func (b *Bus) Wait(ctx context.Context, until time.Time) error { return b.opts.Wait(ctx, until) }

// Disturbed says that something may still be on its way, because a reply was not
// what was asked for. A failed Exchange says it by itself.
func (b *Bus) Disturbed() { b.dirty = true }

// Exchange sends one frame and returns the frame that answers it. The errors are
// ErrTimeout, ErrGarbled, the context's, and line.ErrBroken when the line must be
// opened anew.
func (b *Bus) Exchange(ctx context.Context, a Ask) ([]byte, error) {
	frame, err := b.exchange(ctx, a)
	if err != nil {
		b.dirty = true
	}
	return frame, err
}

func (b *Bus) exchange(ctx context.Context, a Ask) ([]byte, error) {
	if err := b.silence(ctx, a.Pause); err != nil {
		return nil, err
	}
	if err := b.conn.Discard(); err != nil {
		return nil, err
	}
	start := time.Now()
	if err := b.conn.Write(ctx, a.Frame); err != nil {
		return nil, err
	}
	sent := start.Add(b.opts.Wire.Of(len(a.Frame)))
	b.lastByte = sent
	received, frame, err := b.receive(ctx, a, sent.Add(a.Timeout+b.opts.Wire.Of(a.Expect)))
	b.trace(start, a.Frame, received, err)
	return frame, err
}

// receive reads until the reply is complete. Its frame is a part of received,
// which is everything that came.
func (b *Bus) receive(ctx context.Context, a Ask, deadline time.Time) (received, frame []byte, err error) {
	n := 0
	var f Found
	until := deadline
	for n < len(b.buf) {
		k, err := b.conn.Read(ctx, b.buf[n:], until)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return b.buf[:n], nil, verdict(f, n)
		}
		if err != nil {
			return b.buf[:n], nil, err
		}
		n += k
		b.lastByte = time.Now()
		rest, echoed := b.withoutEcho(b.buf[:n], a.Frame)
		if f = a.Find(rest); f.Frame != nil {
			b.learnEcho(echoed)
			return b.buf[:n], bytes.Clone(f.Frame), nil
		}
		switch {
		case f.Corrupt && f.Missing == 0:
			until = earlier(deadline, b.lastByte.Add(b.opts.Wire.giveUp()))
		case f.Missing > 0 && a.Between > 0:
			until = b.begun(a, f.Missing, deadline)
		}
		if err := b.nap(ctx, f.Missing, until); err != nil {
			return b.buf[:n], nil, err
		}
	}
	return b.buf[:n], nil, fmt.Errorf("%d bytes and no reply among them: %w", n, ErrGarbled)
}

// longestFrame bounds a reply in bytes: M-Bus has the longest, 261 and a preamble.
const longestFrame = 270

// begun returns until when the rest of a reply is waited for that may pause between
// its bytes. It does not go on for ever, whatever dribbles in.
func (b *Bus) begun(a Ask, missing int, deadline time.Time) time.Time {
	rest := b.lastByte.Add(b.opts.Wire.Of(missing) + a.Between)
	if rest.Before(deadline) {
		return deadline
	}
	return earlier(rest, deadline.Add(max(b.opts.Wire.Of(longestFrame), longestNoise)+a.Between))
}

func verdict(f Found, received int) error {
	switch {
	case f.Corrupt:
		return fmt.Errorf("wrong check: %w", ErrGarbled)
	case f.Missing > 0:
		return fmt.Errorf("cut short by %d bytes: %w", f.Missing, ErrGarbled)
	case received > 0:
		return fmt.Errorf("%d bytes that are not its reply: %w", received, ErrTimeout)
	}
	return ErrTimeout
}

// nap leaves the rest of a frame to arrive instead of waking for each byte.
func (b *Bus) nap(ctx context.Context, missing int, until time.Time) error {
	left := b.opts.Wire.Of(missing - 1)
	if left < 4*time.Millisecond {
		return nil
	}
	return b.opts.Wait(ctx, earlier(until, time.Now().Add(left)))
}

// withoutEcho drops the master's own bytes where the adapter returns them.
func (b *Bus) withoutEcho(received, sent []byte) (rest []byte, echoed bool) {
	if b.echo == EchoOff || !bytes.HasPrefix(received, sent) {
		return received, false
	}
	return received[len(sent):], true
}

// learnEcho settles what auto means: an adapter either always does it or never.
func (b *Bus) learnEcho(echoed bool) {
	if b.echo != EchoAuto {
		return
	}
	b.echo = EchoOff
	if echoed {
		b.echo = EchoOn
	}
}

// longestNoise is how long a line may go on talking before a request fails.
const longestNoise = 2 * time.Second

// silence waits until the line has been quiet for long enough, and after a failure
// until what may still be on its way has passed.
func (b *Bus) silence(ctx context.Context, pause time.Duration) error {
	if b.dirty {
		if err := b.drain(ctx); err != nil {
			return err
		}
	}
	return b.opts.Wait(ctx, b.lastByte.Add(max(b.opts.Wire.Silence(), pause)))
}

func (b *Bus) drain(ctx context.Context) error {
	for end := time.Now().Add(longestNoise); time.Now().Before(end); {
		_, err := b.conn.Read(ctx, b.buf[:], b.lastByte.Add(b.opts.Wire.giveUp()))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			b.dirty = false
			return nil
		}
		if err != nil {
			return err
		}
		b.lastByte = time.Now()
	}
	return fmt.Errorf("the line is never quiet: %w", ErrGarbled)
}

func (b *Bus) trace(start time.Time, request, reply []byte, err error) {
	if b.opts.Trace == nil {
		return
	}
	b.opts.Trace(Exchange{
		At: start, Request: bytes.Clone(request), Reply: bytes.Clone(reply), Took: time.Since(start), Err: err,
	})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
