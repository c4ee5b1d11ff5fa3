package line

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// coarse is how long a wait is left to the kernel's timer without a look at the
// context. It is more than one frame takes, because being woken twice costs twice.
const coarse = slice

// early is how much sooner the kernel is asked to wake us: what the way from its
// timer to the goroutine takes. It is spun away.
const early = 25 * time.Microsecond

// Timer waits more exactly than the timers of the runtime, which come up to a
// millisecond late when the program is idle. It is a timer of the kernel that the
// runtime polls. A goroutine that slept in a system call of its own would cost more
// than all else: the runtime's monitor looks after it every 20 µs.
//
// The zero value is ready; a Timer belongs to one goroutine.
type Timer struct {
	file *os.File // opened by the first wait, closed by Close or by the collector
}

// fine waits at most some milliseconds.
func (t *Timer) fine(ctx context.Context, until time.Time) error {
	if left := time.Until(until); left > early {
		if err := t.sleep(left - early); err != nil {
			return rough(ctx, until) // out of descriptors: late is better than never
		}
	}
	for time.Now().Before(until) {
	}
	return nil
}

func (t *Timer) sleep(d time.Duration) error {
	if t.file == nil {
		fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
		if err != nil {
			return err
		}
		t.file = os.NewFile(uintptr(fd), "timer")
	}
	raw, err := t.file.SyscallConn()
	if err != nil {
		return err
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.TimerfdSettime(int(fd), 0, &spec, nil) }); err != nil || set != nil {
		return errors.Join(err, set)
	}
	var expirations [8]byte
	if _, err := t.file.Read(expirations[:]); err != nil {
		return fmt.Errorf("wait for a timer: %w", err)
	}
	if binary.NativeEndian.Uint64(expirations[:]) == 0 {
		return errors.New("wait for a timer: it never went off")
	}
	return nil
}

// Close gives the timer of the kernel back.
func (t *Timer) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}
