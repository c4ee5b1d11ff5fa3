package line

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// OpenSerial opens a serial port for this program alone. It returns ErrBusy when
// another one has it.
func OpenSerial(ctx context.Context, s Serial) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s = s.WithDefaults()
	mode, err := s.mode()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Port, err)
	}
	lock, err := lockPort(s.Port)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Port, err)
	}
	p, err := serial.Open(s.Port, mode)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", s.Port, serialError(err)), lock.Close())
	}
	return &Conn{name: s.Port, port: &serialPort{port: p, lock: lock}}, nil
}

func (s Serial) mode() (*serial.Mode, error) {
	m := &serial.Mode{BaudRate: s.Baud, DataBits: s.DataBits}
	switch s.Parity {
	case "none":
		m.Parity = serial.NoParity
	case "even":
		m.Parity = serial.EvenParity
	case "odd":
		m.Parity = serial.OddParity
	default:
		return nil, fmt.Errorf("parity %q: want none, even or odd", s.Parity)
	}
	switch s.StopBits {
	case 1:
		m.StopBits = serial.OneStopBit
	case 2:
		m.StopBits = serial.TwoStopBits
	default:
		return nil, fmt.Errorf("%d stop bits: want 1 or 2", s.StopBits)
	}
	return m, nil
}

// lockPort takes the advisory lock of the device file, because TIOCEXCL does not
// stop a second opener that is root.
func lockPort(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), path), nil
}

func serialError(err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) && pe.Code() == serial.PortBusy {
		return ErrBusy
	}
	return err
}

type serialPort struct {
	port serial.Port
	lock *os.File
}

// read turns the library's panic on a file descriptor of 1024 or more (it uses
// select) into an error.
func (s *serialPort) read(p []byte, wait time.Duration) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("serial library: %v", r)
		}
	}()
	if err := s.port.SetReadTimeout(wait); err != nil {
		return 0, err
	}
	return s.port.Read(p)
}

func (s *serialPort) write(p []byte) error {
	for len(p) > 0 {
		n, err := s.port.Write(p)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		p = p[n:]
	}
	return nil
}

func (s *serialPort) discard() error {
	return errors.Join(s.port.ResetOutputBuffer(), s.port.ResetInputBuffer())
}

func (s *serialPort) close() error {
	return errors.Join(s.port.Close(), s.lock.Close())
}
