package line

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const dialTimeout = 5 * time.Second

// keepAlive finds a peer that is gone and owes nothing within about 25 s, and
// unanswered is how long what was sent may go without the peer's acknowledgement.
// The owner finds it sooner by its timeouts.
var keepAlive = net.KeepAliveConfig{
	Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
}

const unanswered = 20 * time.Second

// DialTCP connects to a gateway or serial server.
func DialTCP(ctx context.Context, t TCP) (*Conn, error) {
	s, err := t.sieve()
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.Address, err)
	}
	d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive}
	conn, err := d.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.Address, err)
	}
	p, err := newTCPPort(conn.(*net.TCPConn))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", t.Address, err), conn.Close())
	}
	return &Conn{name: t.Address, port: withSieve(p, s, nil)}, nil
}

// sieve returns what keeps the box's own packets from the line; nil where it sends
// none.
func (t TCP) sieve() (*sieve, error) {
	registration, err := t.Registration.Bytes()
	if err != nil {
		return nil, err
	}
	heartbeat, err := t.Heartbeat.Bytes()
	if err != nil {
		return nil, err
	}
	return newSieve(registration, heartbeat), nil
}

func newTCPPort(conn *net.TCPConn) (*tcpPort, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = limitUnanswered(int(fd), unanswered) })
	t := &tcpPort{conn: conn, raw: raw}
	t.empty, t.take = t.emptyNow, t.takeNow
	return t, errors.Join(err, failed)
}

type tcpPort struct {
	conn    *net.TCPConn
	raw     syscall.RawConn
	drained error // what emptyNow found
	taken   struct {
		p   []byte
		n   int
		err error
	} // what takeNow found

	empty, take func(fd uintptr) // those two, made once and not for every request
}

func (t *tcpPort) read(p []byte, wait time.Duration) (int, error) {
	if wait <= 0 {
		t.taken.p = p
		if err := t.raw.Control(t.take); err != nil {
			return 0, err
		}
		return t.taken.n, t.taken.err
	}
	if err := t.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return 0, err
	}
	n, err := t.conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

// takeNow reads what has arrived, without waiting: a deadline in the past would
// not even look at it.
func (t *tcpPort) takeNow(fd uintptr) {
	n, err := unix.Read(int(fd), t.taken.p)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(int(fd), t.taken.p)
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		n, err = 0, nil
	case err == nil && n == 0 && len(t.taken.p) > 0:
		err = io.EOF
	}
	t.taken.n, t.taken.err, t.taken.p = max(n, 0), err, nil
}

func (t *tcpPort) write(p []byte) error {
	if err := t.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := t.conn.Write(p)
	return err
}

// discard empties the socket's buffer without waiting, and so also notices that
// the peer has closed before a request is wasted on it.
func (t *tcpPort) discard() error {
	if err := t.raw.Control(t.empty); err != nil {
		return err
	}
	return t.drained
}

func (t *tcpPort) emptyNow(fd uintptr) { t.drained = drain(int(fd)) }

func drain(fd int) error {
	var buf [512]byte
	for {
		n, err := unix.Read(fd, buf[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		}
	}
}

func (t *tcpPort) settled() {}

func (t *tcpPort) close() error { return t.conn.Close() }
