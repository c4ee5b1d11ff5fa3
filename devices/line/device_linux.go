package line

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// flush throws away what was received and not read, and written and not sent.
func flush(d *device) error {
	err := unix.IoctlSetInt(d.fd, unix.TCFLSH, unix.TCIOFLUSH)
	for errors.Is(err, unix.EINTR) {
		err = unix.IoctlSetInt(d.fd, unix.TCFLSH, unix.TCIOFLUSH)
	}
	return err
}

// limitUnanswered breaks a connection on which the peer leaves what was sent
// unacknowledged for so long. Without it the kernel tries for a quarter of an hour,
// and keepalive is silent meanwhile.
func limitUnanswered(fd int, limit time.Duration) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds()))
}

// grab takes an input device for this descriptor alone.
func grab(d *device) error {
	const eviocgrab = 0x40044590 // EVIOCGRAB in linux/input.h
	return unix.IoctlSetInt(d.fd, eviocgrab, 1)
}
