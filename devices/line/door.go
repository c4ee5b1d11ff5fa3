package line

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// introduction is how long a connection may take to register.
	introduction = 5 * time.Second
	// mostIntroducing is how many may be about it at once; of more, the one that
	// has been at it for longest must go.
	mostIntroducing = 32
	// mostStrangers is how many addresses are remembered as told.
	mostStrangers = 1000
)

// door is one address on which boxes dial in.
type door struct {
	address string
	log     *slog.Logger
	boxes   []*box

	mu          sync.Mutex
	trouble     error               // why it does not listen
	introducing []*net.TCPConn      // those that have not registered, oldest first
	strangers   map[netip.Addr]bool // that were told of
}

func newDoor(address string, log *slog.Logger) *door {
	return &door{address: address, log: log, strangers: map[netip.Addr]bool{}}
}

// run listens until the context ends, and again when it fails.
func (d *door) run(ctx context.Context) {
	var backoff Backoff
	for ctx.Err() == nil {
		err := d.listen(ctx, &backoff)
		if ctx.Err() != nil {
			return
		}
		if d.setTrouble(err) {
			d.log.Error("nobody can dial in", "err", err)
		}
		pause(ctx, &backoff)
	}
}

func (d *door) listen(ctx context.Context, backoff *Backoff) error {
	config := net.ListenConfig{KeepAliveConfig: keepAlive}
	l, err := config.Listen(ctx, "tcp", d.address)
	if err != nil {
		return err
	}
	d.setTrouble(nil)
	ctx, cancel := context.WithCancel(ctx)
	var greetings sync.WaitGroup
	closed := make(chan struct{})
	greetings.Go(func() {
		<-ctx.Done()
		_ = l.Close() //nolint:errcheck // Accept says it
		close(closed)
	})
	defer func() {
		cancel()
		<-closed
		d.dismissAll()
		greetings.Wait()
	}()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		backoff.Reset()
		d.begin(conn.(*net.TCPConn))
		greetings.Go(func() { d.greet(conn.(*net.TCPConn)) })
	}
}

// setTrouble notes why the door does not listen, and reports whether that is new.
func (d *door) setTrouble(err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := err != nil && (d.trouble == nil || d.trouble.Error() != err.Error())
	d.trouble = err
	return changed
}

func (d *door) whyNobody() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trouble != nil {
		return d.trouble
	}
	return ErrNoBox
}

// begin notes a connection that has to register, and ends the oldest of too many.
func (d *door) begin(conn *net.TCPConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.introducing) == mostIntroducing {
		_ = d.introducing[0].Close() //nolint:errcheck // its goroutine sees it
		d.introducing = d.introducing[1:]
	}
	d.introducing = append(d.introducing, conn)
}

func (d *door) end(conn *net.TCPConn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, c := range d.introducing {
		if c == conn {
			d.introducing = append(d.introducing[:i:i], d.introducing[i+1:]...)
			return
		}
	}
}

func (d *door) dismissAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.introducing {
		_ = c.Close() //nolint:errcheck // its goroutine sees it
	}
}

// greet finds the box that a connection is of and gives it to it, or refuses it.
func (d *door) greet(conn *net.TCPConn) {
	from := addressOf(conn)
	b, rest, err := d.introduce(conn, from)
	d.end(conn)
	if err == nil {
		if err = conn.SetDeadline(time.Time{}); err == nil {
			var taken bool
			if taken, err = b.arrive(conn, from, rest); taken {
				d.log.Info("a box has dialled in", "from", conn.RemoteAddr())
				return
			}
		}
		if err == nil {
			err = errors.New("the line has a connection from another address; give it a registration or a peer")
		}
	}
	_ = conn.Close() //nolint:errcheck // it is refused
	if d.isNew(from) {
		d.log.Warn("a connection was refused", "from", conn.RemoteAddr(), "err", err)
	}
}

func addressOf(conn *net.TCPConn) netip.Addr {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// isNew reports whether a refusal is the first from that address.
func (d *door) isNew(a netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.strangers[a] || len(d.strangers) >= mostStrangers {
		return false
	}
	d.strangers[a] = true
	return true
}

// introduce reads until it is clear whose connection it is, and returns what came
// after the registration.
func (d *door) introduce(conn *net.TCPConn, from netip.Addr) (*box, []byte, error) {
	var candidates []*box
	for _, b := range d.boxes {
		if b.from(from) {
			candidates = append(candidates, b)
		}
	}
	if len(candidates) == 0 {
		return nil, nil, errors.New("no line expects a box from this address")
	}
	if err := conn.SetReadDeadline(time.Now().Add(introduction)); err != nil {
		return nil, nil, err
	}
	var said []byte
	buf := make([]byte, 2*longestPacket)
	for {
		b, rest, possible := recognise(candidates, said)
		switch {
		case b != nil:
			return b, rest, nil
		case !possible || len(said) > 8*longestPacket:
			return nil, nil, fmt.Errorf("it registers as %q, which no line expects", clipped(said))
		}
		n, err := conn.Read(buf)
		if err != nil {
			return nil, nil, fmt.Errorf("it did not register, and said %q: %w", clipped(said), err)
		}
		said = append(said, buf[:n]...)
	}
}

// recognise finds the box that says this, and what it says beyond its
// registration. possible is false when more cannot make it one of them.
func recognise(boxes []*box, said []byte) (found *box, rest []byte, possible bool) {
	for _, b := range boxes {
		after := said
		for len(b.heartbeat) > 0 && bytes.HasPrefix(after, b.heartbeat) && !bytes.HasPrefix(after, b.registration) {
			after = after[len(b.heartbeat):]
		}
		switch {
		case bytes.HasPrefix(after, b.registration):
			if found == nil || len(b.registration) > len(found.registration) {
				found, rest = b, after[len(b.registration):]
			}
		case bytes.HasPrefix(b.registration, after), bytes.HasPrefix(b.heartbeat, after):
			possible = true
		}
	}
	return found, rest, possible
}

func clipped(b []byte) []byte { return b[:min(len(b), 64)] }
