//go:build unix && !linux

package line

import (
	"time"

	"golang.org/x/sys/unix"
)

// flush throws away what was received and not read, and written and not sent.
func flush(d *device) error {
	const bothWays = 0x01 | 0x02 // FREAD and FWRITE
	return unix.IoctlSetPointerInt(d.fd, unix.TIOCFLUSH, bothWays)
}

// limitUnanswered can be done on Linux only.
func limitUnanswered(int, time.Duration) error { return nil }

// grab can be done on Linux only.
func grab(*device) error { return unix.ENOTTY }
