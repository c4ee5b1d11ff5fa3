package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"gengfu/devices/line"
	"gengfu/devices/profile"
)

// Options of a bus.
type Options struct {
	Wire   Wire
	ASCII  bool    // Modbus frames are ASCII, not RTU
	Faults []Fault // of the line, on top of those of its devices
	Seed   uint64  // of the dice of the line and of all its devices; 0 leaves the devices' alone
}

// Bus is a half-duplex line with devices of any protocols. Each hears only good
// frames of its own protocol with its own address, and answers by itself, so a slow
// one does not hold up the others; what several say to one request collides.
type Bus struct {
	rw     io.ReadWriteCloser
	opts   Options
	tongue []tongue
	ctx    context.Context // of everything that the bus started
	cancel context.CancelFunc
	stop   sync.Once
	owned  sync.WaitGroup
	lag    time.Duration // that the line adds by itself, and that is taken off
	onWire chan struct{} // one frame at a time; no mutex, so that the wait stands still in a synctest bubble
	free   time.Time     // when the last frame has passed; of whoever has onWire
	timer  line.Timer    // of whoever has onWire

	faults *lineFaults
}

// lineFaults are the faults of a line, which outlive its connections.
type lineFaults struct {
	mu       sync.Mutex
	mischief mischief
}

func newLineFaults(opts Options) *lineFaults {
	f := &lineFaults{mischief: mischief{dice: seeded(opts.Seed, "line")}}
	f.set(opts.Faults)
	return f
}

func (f *lineFaults) set(faults []Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mischief.set(faults)
}

func (f *lineFaults) draw() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mischief.draw()
}

func (f *lineFaults) has(kind FaultKind) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mischief.has(kind)
}

// tongue is one protocol of the line with the devices that speak it.
type tongue struct {
	language
	slaves []*Slave
}

// NewBus serves the devices on rw until Close, or until rw ends.
func NewBus(rw io.ReadWriteCloser, wire Wire, slaves ...*Slave) (*Bus, error) {
	return NewLine(rw, Options{Wire: wire}, slaves...)
}

// NewLine is NewBus with faults of the line.
func NewLine(rw io.ReadWriteCloser, opts Options, slaves ...*Slave) (*Bus, error) {
	if err := distinct(slaves); err != nil {
		return nil, err
	}
	seed(opts, slaves)
	return newBus(rw, opts, newLineFaults(opts), slaves), nil
}

func seed(opts Options, slaves []*Slave) {
	if opts.Seed == 0 {
		return
	}
	for _, s := range slaves {
		s.Seed(opts.Seed)
	}
}

func newBus(rw io.ReadWriteCloser, opts Options, faults *lineFaults, slaves []*Slave) *Bus {
	b := &Bus{rw: rw, opts: opts, faults: faults, onWire: make(chan struct{}, 1)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if _, ok := rw.(*PTY); ok && opts.Wire.Baud > 0 {
		b.lag = terminalLag()
	}
	known := languages(slaves, opts.ASCII)
	for _, p := range []profile.Protocol{profile.Modbus, profile.DLT645, profile.CJT188, profile.MBus} {
		if l, ok := known[p]; ok {
			b.tongue = append(b.tongue, tongue{l, slices.DeleteFunc(slices.Clone(slaves), func(s *Slave) bool {
				return s.face.protocol() != p
			})})
		}
	}
	chunks := make(chan chunk)
	b.owned.Go(func() { b.receive(chunks) })
	b.owned.Go(func() { b.assemble(chunks) })
	b.owned.Go(b.beat)
	return b
}

func distinct(slaves []*Slave) error {
	type who struct {
		protocol profile.Protocol
		address  string
	}
	seen := map[who]bool{}
	for _, s := range slaves {
		w := who{s.face.protocol(), s.address}
		if seen[w] {
			return fmt.Errorf("simulate a line: two devices have the %s address %s", w.protocol, w.address)
		}
		seen[w] = true
	}
	return nil
}

// SetFaults makes the line misbehave from the next request on, in all of these
// ways; without any it is healthy. Heartbeats are those that it began with.
func (b *Bus) SetFaults(faults ...Fault) { b.faults.set(faults) }

// Close ends the line and waits for everything that it started.
func (b *Bus) Close() error {
	err := b.end()
	b.owned.Wait()
	if e := b.timer.Close(); !errors.Is(e, os.ErrClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// Wait returns when the other end has closed the line, or after Close.
func (b *Bus) Wait() { b.owned.Wait() }

func (b *Bus) end() error {
	var err error
	b.stop.Do(func() {
		b.cancel()
		err = b.rw.Close()
	})
	if errors.Is(err, os.ErrClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// chunk is what came in at once.
type chunk struct {
	bytes []byte
	at    time.Time
}

func (b *Bus) receive(chunks chan<- chunk) {
	defer close(chunks)
	for {
		buf := make([]byte, 512)
		n, err := b.rw.Read(buf)
		if n > 0 {
			select {
			case chunks <- chunk{buf[:n], time.Now()}:
			case <-b.ctx.Done():
				return
			}
		}
		if err != nil {
			_ = b.end() // the line is gone; the reader of Close has its error
			return
		}
	}
}

// assemble cuts what comes in into frames and hands them to their devices. A pty
// delivers at once what a wire brings character by character: spoken is when the
// last of them would have come.
func (b *Bus) assemble(chunks <-chan chunk) {
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	var held []byte
	var spoken time.Time
	for {
		select {
		case c, open := <-chunks:
			if !open {
				return
			}
			if spoken.Before(c.at) {
				spoken = c.at
			}
			spoken = spoken.Add(b.opts.Wire.Characters(len(c.bytes)))
			b.echo(c.bytes, spoken)
			held = b.cut(append(held, c.bytes...), false, spoken)
			quiet.Reset(time.Until(spoken) + b.opts.Wire.silence())
		case <-quiet.C:
			held = b.cut(held, true, spoken)
		}
	}
}

// longestFrame is above the longest of any protocol, with what is read at once.
const longestFrame = mostASCII + 512

// cut handles the whole frames in buf and returns what may become one. Bytes that
// cannot begin a frame are passed over; in a line that has fallen silent, so are
// those whose frame did not come.
func (b *Bus) cut(buf []byte, settled bool, spoken time.Time) []byte {
	keep := -1                                // where a frame of unknown length may begin
	buf = buf[max(0, len(buf)-longestFrame):] // what came before cannot belong to a frame that is still to come
	for at := 0; at < len(buf); {
		s, n := b.look(buf, at, settled, spoken)
		switch {
		case s == whole:
			at, keep = at+n, -1
			continue
		case s == begun && !settled:
			if keep < 0 {
				keep = at
			}
			return buf[keep:]
		case s == perhaps && keep < 0:
			keep = at
		}
		at++
	}
	if settled || keep < 0 {
		return nil
	}
	return buf[keep:]
}

// look tells what stands at a place, in any of the protocols, and handles a frame.
func (b *Bus) look(buf []byte, at int, settled bool, spoken time.Time) (best sight, length int) {
	for _, t := range b.tongue {
		s, payload, n := t.look(buf[at:], settled)
		if s == whole {
			after := len(buf) - at - n // characters that came behind it
			b.handle(t, payload, spoken.Add(-b.opts.Wire.Characters(after)))
			return whole, n
		}
		best = max(best, s)
	}
	return best, 0
}

// handle lets every device hear the request, and those answer that it is for.
func (b *Bus) handle(t tongue, request []byte, end time.Time) {
	var answers []answer
	for _, s := range t.slaves {
		if a, ok := s.serve(request, b.faults.draw); ok {
			answers = append(answers, a)
		}
	}
	if len(answers) == 0 {
		return
	}
	u := b.opts.Wire.compose(t, request, answers[0])
	for _, other := range answers[1:] {
		u.collide(b.opts.Wire.compose(t, request, other))
	}
	b.owned.Go(func() { b.say(u, end.Add(b.opts.Wire.Turnaround+u.delay)) })
}
