package line

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoBox says that the box of a line has not dialled in yet. The owner asks
// again at once: Open has waited already.
var ErrNoBox = errors.New("no box has dialled in yet")

// errReplaced says why a connection ended.
var errReplaced = errors.New("a newer connection of the same box took its place")

// patience is how long Open waits before it says that nobody has come.
const patience = 5 * time.Second

// Callers are the boxes that dial in to this program: serial servers in client
// mode and cellular modems. Any number of lines share an address; the boxes are
// told apart by how they register, or by where they dial in from.
//
// The newest connection of a box is the one that counts, because a box that was
// cut off dials in again long before its old connection is seen to be dead. Only
// where a line says neither registration nor peer, so that any stranger could be
// its box, a connection from elsewhere does not replace one that stands.
type Callers struct {
	doors []*door
	boxes map[TCP]*box
}

// NewCallers returns what serves those of the lines that have an address to listen
// on. Nothing is opened before Run. A nil logger says nothing.
func NewCallers(lines []TCP, log *slog.Logger) (*Callers, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Callers{boxes: map[TCP]*box{}}
	doors := map[string]*door{}
	for _, t := range lines {
		if t.Listen == "" {
			continue
		}
		b, err := newBox(t)
		if err != nil {
			return nil, fmt.Errorf("listen on %s: %w", t.Listen, err)
		}
		d := doors[t.Listen]
		if d == nil {
			d = newDoor(t.Listen, log.With("listen", t.Listen))
			doors[t.Listen] = d
			c.doors = append(c.doors, d)
		}
		b.door = d
		d.boxes = append(d.boxes, b)
		c.boxes[t] = b
	}
	return c, nil
}

// Run listens until the context ends and then closes every connection that nobody
// has taken.
func (c *Callers) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, d := range c.doors {
		all.Go(func() { d.run(ctx) })
	}
	all.Wait()
	for _, b := range c.boxes {
		b.turnAway()
	}
}

// Open waits for the box of a line and returns its connection. After a few seconds
// without one it returns ErrNoBox, or why nobody can dial in.
func (c *Callers) Open(ctx context.Context, t TCP) (*Conn, error) {
	b := c.boxes[t]
	if b == nil {
		return nil, fmt.Errorf("listen on %s: this line is not among those that were announced", t.Listen)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		caller, changed := b.take()
		if caller != nil {
			return &Conn{name: caller.name, port: caller}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			return nil, fmt.Errorf("wait at %s: %w", t.Listen, b.door.whyNobody())
		case <-changed:
		}
	}
}

// Listen waits for the box of one line alone, within the context, and stops
// listening when the connection is closed.
func Listen(ctx context.Context, t TCP, log *slog.Logger) (*Conn, error) {
	c, err := NewCallers([]TCP{t}, log)
	if err != nil {
		return nil, err
	}
	// The listener lives as long as the connection, which may outlive ctx.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Run(running)
	}()
	stop := func() { cancel(); <-done }
	conn, err := c.Open(ctx, t)
	for errors.Is(err, ErrNoBox) {
		conn, err = c.Open(ctx, t)
	}
	if err != nil {
		stop()
		return nil, err
	}
	conn.port = &lastCaller{port: conn.port, stop: stop}
	return conn, nil
}

// lastCaller is the only connection of a listener.
type lastCaller struct {
	port
	stop func()
}

func (l *lastCaller) close() error {
	err := l.port.close()
	l.stop()
	return err
}

// box is what dials in for one line.
type box struct {
	door         *door
	config       TCP
	registration []byte
	heartbeat    []byte
	peer         netip.Addr // invalid for any

	mu      sync.Mutex
	waiting *caller       // nobody has taken it
	current *caller       // the line has it
	changed chan struct{} // closed and replaced when one waits
}

func newBox(t TCP) (*box, error) {
	b := &box{config: t, changed: make(chan struct{})}
	var err error
	if b.registration, err = t.Registration.Bytes(); err != nil {
		return nil, err
	}
	if b.heartbeat, err = t.Heartbeat.Bytes(); err != nil {
		return nil, err
	}
	if t.Peer != "" {
		if b.peer, err = netip.ParseAddr(t.Peer); err != nil {
			return nil, fmt.Errorf("peer %q: want an IP address", t.Peer)
		}
	}
	return b, nil
}

// from reports whether the box may dial in from the address.
func (b *box) from(a netip.Addr) bool { return !b.peer.IsValid() || b.peer.Unmap() == a }

// anonymous reports whether anybody could be the box.
func (b *box) anonymous() bool { return len(b.registration) == 0 && !b.peer.IsValid() }

// take returns the connection that waits, nil for none, and what is closed when
// one comes.
func (b *box) take() (*caller, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.waiting
	if c != nil {
		b.waiting, b.current = nil, c
	}
	return c, b.changed
}

// arrive takes in a connection of the box, with what came after its registration.
// It is false when the place is taken.
func (b *box) arrive(conn *net.TCPConn, from netip.Addr, rest []byte) (bool, error) {
	p, err := newTCPPort(conn)
	if err != nil {
		return false, err
	}
	c := &caller{
		port: withSieve(p, newSieve(b.registration, b.heartbeat), rest), conn: conn, box: b, from: from,
		name: fmt.Sprintf("%s at %s", conn.RemoteAddr(), b.config.Listen),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, old := range []*caller{b.waiting, b.current} {
		if old != nil && b.anonymous() && old.from != from {
			return false, nil
		}
	}
	for _, old := range []*caller{b.waiting, b.current} {
		if old != nil {
			old.replaced.Store(true)
			_ = old.conn.Close() //nolint:errcheck // nobody listens at its other end
		}
	}
	b.waiting, b.current = c, nil
	close(b.changed)
	b.changed = make(chan struct{})
	return true, nil
}

// turnAway closes what waits.
func (b *box) turnAway() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting != nil {
		_ = b.waiting.conn.Close() //nolint:errcheck // it was never used
		b.waiting = nil
	}
}

// caller is one connection of a box. Its owner has it like any other port, but a
// newer one of the same box closes it.
type caller struct {
	port
	name     string
	conn     *net.TCPConn
	box      *box
	from     netip.Addr
	replaced atomic.Bool
}

func (c *caller) read(p []byte, wait time.Duration) (int, error) {
	n, err := c.port.read(p, wait)
	return n, c.why(err)
}

func (c *caller) write(p []byte) error { return c.why(c.port.write(p)) }

func (c *caller) discard() error { return c.why(c.port.discard()) }

func (c *caller) why(err error) error {
	if err != nil && c.replaced.Load() {
		return errReplaced
	}
	return err
}

func (c *caller) close() error {
	c.box.mu.Lock()
	if c.box.current == c {
		c.box.current = nil
	}
	c.box.mu.Unlock()
	if err := c.port.close(); err != nil && !c.replaced.Load() {
		return err
	}
	return nil
}

// pause waits before a listener that failed is tried again.
func pause(ctx context.Context, b *Backoff) {
	_ = Wait(ctx, time.Now().Add(b.Next(rand.Float64()))) //nolint:errcheck // the caller looks at ctx
}
