package line

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const dialTimeout = 5 * time.Second

// DialTCP connects to a gateway or serial server. Keepalive finds a peer that is
// gone within about 25 s; the owner finds it sooner by its timeouts.
func DialTCP(ctx context.Context, t TCP) (*Conn, error) {
	d := net.Dialer{
		Timeout: dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
		},
	}
	conn, err := d.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", t.Address, err)
	}
	return &Conn{name: t.Address, port: &tcpPort{conn: conn.(*net.TCPConn)}}, nil
}

type tcpPort struct {
	conn *net.TCPConn
}

func (t *tcpPort) read(p []byte, wait time.Duration) (int, error) {
	// A deadline in the past would not even look at what has arrived.
	if err := t.conn.SetReadDeadline(time.Now().Add(max(wait, time.Millisecond))); err != nil {
		return 0, err
	}
	n, err := t.conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
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
	if err := t.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	raw, err := t.conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		failed = drain(int(fd))
		return true
	})
	return errors.Join(err, failed)
}

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

func (t *tcpPort) close() error { return t.conn.Close() }
