//go:build unix

package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// longestSocket is what fits into the address of a Unix socket, with a margin.
const longestSocket = 100

// reach returns a name of the socket that is short enough: through an open descriptor
// of its folder when its own path is too long.
func reach(path string) (name string, done func() error, err error) {
	if len(path) <= longestSocket {
		return path, func() error { return nil }, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), dir.Close, nil
}

func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	name, done, err := reach(path)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", name)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // its name may be gone by then
	if err := errors.Join(os.Chmod(path, 0o600), done()); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return unlinking{ln, path}, nil
}

// unlinking removes the socket when it is closed.
type unlinking struct {
	net.Listener
	path string
}

func (u unlinking) Close() error { return errors.Join(u.Listener.Close(), os.Remove(u.path)) }

func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	name, done, err := reach(path)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", name)
	if e := done(); e != nil && err == nil {
		return nil, errors.Join(e, conn.Close())
	}
	return conn, err
}
