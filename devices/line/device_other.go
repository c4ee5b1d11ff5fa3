//go:build unix && !linux

package line

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// poll waits for one of the events, rounded up to milliseconds, and returns those
// that came; 0 is none in time, or a signal.
func poll(fd int, events int16, wait time.Duration) (int16, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	ms := int((wait + time.Millisecond - 1) / time.Millisecond)
	if _, err := unix.Poll(fds, ms); err != nil && !errors.Is(err, unix.EINTR) {
		return 0, err
	}
	return fds[0].Revents, nil
}

// flush throws away what was received and not read, and written and not sent.
func flush(d *device) error {
	const bothWays = 0x01 | 0x02 // FREAD and FWRITE
	return unix.IoctlSetPointerInt(d.fd, unix.TIOCFLUSH, bothWays)
}

// limitUnanswered can be done on Linux only.
func limitUnanswered(int, time.Duration) error { return nil }
