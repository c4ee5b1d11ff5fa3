package line

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Evdev is a USB card reader that types like a keyboard.
type Evdev struct {
	Device string `yaml:"device"` // "/dev/input/by-id/usb-…-event-kbd"
}

// OpenEvdev opens an input device and takes it for this program alone, so that
// what the reader types reaches no console. ErrBusy says that another program has
// it already.
func OpenEvdev(ctx context.Context, e Evdev) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := openDevice(e.Device, unix.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", e.Device, err)
	}
	if err := checkGrab(e.Device, grab(d)); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", e.Device, err), d.close())
	}
	return inputConn(d), nil
}

func checkGrab(path string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return ErrBusy
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%s is no input device: write the reader's name under /dev/input/by-id that ends in -event-kbd", path)
	case err != nil:
		return fmt.Errorf("take it for this program alone: %w", err)
	}
	return nil
}

func inputConn(d *device) *Conn { return &Conn{name: d.path, port: &input{d}} }

// input is a device that is only listened to. The kernel gives it back to the
// console when it is closed.
type input struct{ *device }

func (i *input) write([]byte) error { return errors.New("nothing can be sent to a keyboard") }

// longestBacklog is more than a reader types while nobody reads.
const longestBacklog = 64

// discard reads what has come, because an input device cannot be flushed.
func (i *input) discard() error {
	var events [1024]byte
	for range longestBacklog {
		n, err := i.read(events[:], 0)
		if n == 0 || err != nil {
			return err
		}
	}
	return nil
}

func (i *input) read(p []byte, wait time.Duration) (int, error) {
	n, err := i.device.read(p, wait)
	if errors.Is(err, unix.ENODEV) {
		err = fmt.Errorf("the reader was unplugged: %w", err)
	}
	return n, err
}
