package line

import (
	"context"
	"errors"
	"fmt"

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
	d, err := openDevice(s.Port, unix.O_RDWR)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Port, err)
	}
	p, err := s.prepare(d, mode)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", s.Port, err), d.close())
	}
	return &Conn{name: s.Port, port: &serialPort{device: d, library: p}}, nil
}

// prepare takes the port for this program and sets its mode.
func (s Serial) prepare(d *device, mode *serial.Mode) (serial.Port, error) {
	if err := d.lock(); err != nil {
		return nil, err
	}
	p, err := serial.Open(s.Port, mode)
	if err != nil {
		return nil, serialError(err)
	}
	if s.RS485 != nil {
		if err := setRS485(d, *s.RS485); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	if s.LowLatency == nil || *s.LowLatency {
		setLowLatency(d)
	}
	return p, nil
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

func serialError(err error) error {
	var pe *serial.PortError
	if errors.As(err, &pe) && pe.Code() == serial.PortBusy {
		return ErrBusy
	}
	return err
}

// serialPort is read and written on its device file. The library has it open
// besides, for its modes.
type serialPort struct {
	*device
	library serial.Port
}

func (s *serialPort) discard() error { return flush(s.device) }

func (s *serialPort) close() error { return errors.Join(s.library.Close(), s.device.close()) }
