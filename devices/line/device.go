package line

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// writeTimeout is how long a line may refuse bytes before it counts as broken.
const writeTimeout = 5 * time.Second

// device is a device file that is read and written without ever blocking on it
// for longer than is said. It waits by poll: the serial library waits by select,
// which cannot take descriptors of 1024 and above, and costs two more system
// calls for each read.
type device struct {
	path string
	fd   int // non-blocking, and unknown to the runtime's poller, which would be woken for every byte
}

// openDevice opens a device file. ErrBusy says that another program has it for
// itself.
func openDevice(path string, flags int) (*device, error) {
	fd, err := unix.Open(path, flags|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Open(path, flags|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	}
	if errors.Is(err, unix.EBUSY) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, err
	}
	return &device{path: path, fd: fd}, nil
}

// lock takes the advisory lock of the file, because TIOCEXCL does not stop a
// second opener that is root.
func (d *device) lock() error {
	err := unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrBusy
	}
	return err
}

// read takes what is there, and waits for it at most so long. Nothing in time is
// (0, nil), and so is a signal that ended the wait early. A file whose other end
// is gone is io.EOF at once.
func (d *device) read(p []byte, wait time.Duration) (int, error) {
	n, err := d.take(p)
	if n > 0 || err != nil || wait <= 0 {
		return n, err
	}
	events, err := poll(d.fd, unix.POLLIN, wait)
	if err != nil || events == 0 {
		return 0, err
	}
	n, err = d.take(p)
	if n == 0 && err == nil && events&unix.POLLIN == 0 {
		return 0, fmt.Errorf("hung up: %w", io.EOF) // else it would be found again and again
	}
	return n, err
}

// take reads what is there; nothing is (0, nil).
func (d *device) take(p []byte) (int, error) {
	n, err := unix.Read(d.fd, p)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// write hands over all bytes, within writeTimeout.
func (d *device) write(p []byte) error {
	deadline := time.Now().Add(writeTimeout)
	for len(p) > 0 {
		n, err := unix.Write(d.fd, p)
		if n > 0 {
			p = p[n:]
		}
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN):
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("%d bytes not taken within %s: %w", len(p), writeTimeout, os.ErrDeadlineExceeded)
		}
		if _, err := poll(d.fd, unix.POLLOUT, left); err != nil {
			return err
		}
	}
	return nil
}

func (d *device) close() error { return unix.Close(d.fd) }
