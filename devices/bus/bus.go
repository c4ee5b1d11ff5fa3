// Package bus is the half-duplex use of a line: one request, then its reply, with
// the silence that slaves want before each request. It knows no protocol: a caller
// says which of the received bytes are the reply, and the bus says which of them
// cannot be, because they came too soon. After anything went wrong the line is
// left to fall quiet before the next request.
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
// one byte and then returns os.ErrDeadlineExceeded; what is there already is read
// also when the deadline is past.
type Conn interface {
	Read(ctx context.Context, p []byte, deadline time.Time) (int, error)
	Write(ctx context.Context, p []byte) error
	Discard() error
}

var _ Conn = (*line.Conn)(nil)

// What may go wrong with a request besides the line itself.
var (
	// ErrTimeout: nothing that could be the reply came in time.
	ErrTimeout = errors.New("no answer in time")
	// ErrGarbled: a reply came and cannot be used: cut short, wrong check, wrong length.
	ErrGarbled = errors.New("garbled reply")
	// ErrUnsent comes with another error: the request was never handed to the line.
	ErrUnsent = errors.New("not sent")
)

// unsent is an error that came before the request was sent.
type unsent struct{ error }

func (u unsent) Unwrap() []error { return []error{ErrUnsent, u.error} }

// Options of a bus.
type Options struct {
	Wire  Wire
	Echo  Echo           // "" is auto
	Trace func(Exchange) // sees every frame, may be nil

	// Wait returns at a time or with the context's error; nil is that of a line.Timer.
	Wait func(ctx context.Context, until time.Time) error
}

// Exchange is one request with what came back, for people to look at.
type Exchange struct {
	At      time.Time
	Request []byte
	Reply   []byte // everything that was received, nil for nothing
	Took    time.Duration
	Err     error
	Device  string // that was asked, where its owner says so
}

// Ask is one request and how to know its reply.
type Ask struct {
	Frame   []byte        // as it goes over the line
	Expect  int           // bytes of the reply, as far as they are known beforehand; the deadline allows for them
	Timeout time.Duration // beyond the wire time of both frames
	Pause   time.Duration // silence that the slave wants before the request; 0 is the line's

	// Pace learns how soon the slave answers, and shortens Timeout by what it has
	// learned; nil does neither.
	Pace *Pace

	// Between is how long a reply that has begun may pause between two of its bytes.
	// Its length then need not be known beforehand, and Timeout is until it has
	// begun. 0 is for slaves that send without a pause.
	Between time.Duration

	// Mirror says that the reply may equal the request byte for byte. It is then told
	// from an echo by its time, and by what the adapter is known to do.
	Mirror bool

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
	opts      Options
	conn      Conn
	buf       [1024]byte
	sent      time.Time // when the last request had left, at the soonest
	lastByte  time.Time // when the line was last busy
	dirty     bool      // something may still be on its way
	carry     []byte    // what has come that is overheard with what follows
	echo      Echo
	pacing    pacing
	listeners []func(stray []byte, at time.Time)
	attached  time.Time
	lines     uint64 // how many it was given
}

// New returns a bus that has no line yet.
func New(opts Options) *Bus {
	if opts.Echo == "" {
		opts.Echo = EchoAuto
	}
	if opts.Wait == nil {
		opts.Wait = new(line.Timer).Wait
	}
	return &Bus{opts: opts, echo: opts.Echo}
}

// Attach gives the bus a newly opened line. A serial server first delivers what it
// had buffered, so that the line is left to fall quiet before the first request.
func (b *Bus) Attach(conn Conn) {
	b.conn = conn
	b.attached = time.Now()
	b.lines++
	b.lastByte = b.attached
	b.dirty = true
	b.carry = nil
	b.pacing = pacing{}
}

// Attached returns when the bus was given its present line, and how many it was
// given until now. What was asked on an earlier one, or by another program, may
// still be answered.
func (b *Bus) Attached() (at time.Time, count uint64) { return b.attached, b.lines }

// Wire returns how the bytes of the line are timed.
func (b *Bus) Wire() Wire { return b.opts.Wire }

// Wait returns at the given time, or with the context's error before.
func (b *Bus) Wait(ctx context.Context, until time.Time) error { return b.opts.Wait(ctx, until) }

// Trace has see called with every frame from now on; nil ends it.
func (b *Bus) Trace(see func(Exchange)) { b.opts.Trace = see }

// Sent returns when the last request had left the line, at the soonest.
func (b *Bus) Sent() time.Time { return b.sent }

// Disturbed says that something may still be on its way, because a reply was not
// what was asked for. A failed Exchange says it by itself.
func (b *Bus) Disturbed() { b.dirty = true }

// Overhear has f called with bytes that were received and answered nothing: late
// and repeated replies, what other masters say, noise. The bytes are f's only while
// it runs.
func (b *Bus) Overhear(f func(stray []byte, at time.Time)) { b.listeners = append(b.listeners, f) }

func (b *Bus) overheard(stray []byte, at time.Time) {
	if len(stray) == 0 {
		return
	}
	for _, f := range b.listeners {
		f(stray, at)
	}
}

// Exchange sends one frame and returns the frame that answers it. The errors are
// ErrTimeout, ErrGarbled, the context's, and line.ErrBroken when the line must be
// opened anew; together with ErrUnsent when the frame was not sent.
func (b *Bus) Exchange(ctx context.Context, a Ask) ([]byte, error) {
	if err := b.silence(ctx, a.Pause); err != nil {
		b.dirty = true
		return nil, unsent{err}
	}
	start := time.Now()
	if err := b.conn.Write(ctx, a.Frame); err != nil {
		b.dirty = true
		return nil, err
	}
	r := b.reception(a, start)
	frame, err := r.receive(ctx)
	r.close(frame, err)
	if err == nil {
		line.Settle(b.conn)
	}
	return frame, err
}

// Listen reads on until the given time, for what comes besides the reply. It is
// overheard.
func (b *Bus) Listen(ctx context.Context, until time.Time) error {
	return b.hear(ctx, until, func() time.Time { return until })
}

// hear reads until the end, or until nothing has come by a time that may move with
// each byte.
func (b *Bus) hear(ctx context.Context, end time.Time, until func() time.Time) error {
	n := copy(b.buf[:], b.carry)
	b.carry = nil
	defer func() { b.overheard(b.buf[:n], b.lastByte) }()
	for time.Now().Before(end) {
		k, err := b.conn.Read(ctx, b.buf[n:], until())
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		b.lastByte, b.dirty = time.Now(), true
		if n += k; n == len(b.buf) {
			b.overheard(b.buf[:n], b.lastByte)
			n = 0
		}
	}
	return nil
}

// longestNoise is how long a line may go on talking before a request fails.
const longestNoise = 2 * time.Second

// silence waits until the line has been quiet for long enough. When somebody still
// talks, or after a failure, it lets pass what may be on its way.
func (b *Bus) silence(ctx context.Context, pause time.Duration) error {
	pause = max(b.opts.Wire.Silence(), pause)
	for end := time.Now().Add(longestNoise + pause); ; {
		if b.dirty {
			if err := b.drain(ctx, end); err != nil {
				return err
			}
		}
		if err := b.opts.Wait(ctx, b.lastByte.Add(pause)); err != nil {
			return err
		}
		n, err := b.conn.Read(ctx, b.buf[:], time.Time{})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		b.lastByte, b.dirty = time.Now(), true
		b.carry = bytes.Clone(b.buf[:n])
	}
}

// drain reads until nothing more comes.
func (b *Bus) drain(ctx context.Context, end time.Time) error {
	quiet := func() time.Time { return b.lastByte.Add(b.opts.Wire.giveUp()) }
	if err := b.hear(ctx, end, quiet); err != nil {
		return err
	}
	if time.Now().Before(quiet()) {
		return fmt.Errorf("the line is never quiet: %w", ErrGarbled)
	}
	b.dirty = false
	return b.conn.Discard()
}

func (b *Bus) trace(start time.Time, request, reply []byte, err error) {
	if b.opts.Trace == nil {
		return
	}
	if len(reply) == 0 {
		reply = nil // cloned, it would be empty and not nil
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
