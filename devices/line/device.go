package line

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// writeTimeout is how long a line may refuse bytes before it counts as broken.
const writeTimeout = 5 * time.Second

// device is a device file that is read and written without ever blocking on it
// for longer than is said. The runtime polls it: the serial library waits by
// select, which cannot take descriptors of 1024 and above, and a goroutine that
// waits in a system call of its own, select or poll, costs more than all else,
// because the runtime's monitor looks after it every 20 µs.
type device struct {
	path string
	file *os.File
	fd   int // of the file, non-blocking
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
	return &device{path: path, file: os.NewFile(uintptr(fd), path), fd: fd}, nil
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
// (0, nil). A file whose other end is gone is an error at once.
func (d *device) read(p []byte, wait time.Duration) (int, error) {
	if wait <= 0 {
		return d.take(p)
	}
	if err := d.file.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return 0, err
	}
	n, err := d.file.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
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
	if err := d.file.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := d.file.Write(p)
	return err
}

func (d *device) settled() {}

func (d *device) close() error { return d.file.Close() }
