package line

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// poll waits for one of the events, as precisely as the kernel can, and returns
// those that came; 0 is none in time, or a signal.
func poll(fd int, events int16, wait time.Duration) (int16, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	timeout := unix.NsecToTimespec(int64(wait))
	if _, err := unix.Ppoll(fds, &timeout, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return 0, err
	}
	return fds[0].Revents, nil
}

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
