package clock

import (
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Machine is the clocks of this machine: CLOCK_REALTIME, CLOCK_BOOTTIME, and the
// kernel's word on whether somebody keeps the time.
//
// In a container all of them are the host's. Where a sandbox forbids adjtimex, or
// answers it with an error, the time is taken for unsynchronised; a hub may still
// confirm it.
type Machine struct{ boot string }

// NewMachine returns the clocks of this machine.
func NewMachine() *Machine { return &Machine{bootID()} }

// Read implements Source.
func (m *Machine) Read() Reading {
	var up unix.Timespec
	// Neither clock can fail: Linux has both since 2.6.39.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &up)
	wall := time.Now()
	return Reading{Boot: m.boot, Up: time.Duration(up.Nano()), Wall: wall.Round(0).UTC(), Synced: synced()}
}

// synced asks the kernel. A time service that is there keeps the flag away and the
// error estimate small; without one the estimate grows by 500 µs each second, and at
// 16 s the kernel sets the flag itself (kernel/time/ntp.c).
func synced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}

// initialTime is the time namespace of the host (PROC_TIME_INIT_INO): others have a
// CLOCK_BOOTTIME of their own under the same boot id.
const initialTime = "time:[4026531834]"

// bootID names this boot: the beginning of the kernel's random id, which two boots
// of one machine share never.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id := strings.ReplaceAll(strings.TrimSpace(string(text)), "-", "")
	if err != nil || len(id) < idLen {
		id = strings.ReplaceAll(uuid.NewString(), "-", "") // then each process counts as a boot
	}
	id = id[:idLen]
	if ns, err := os.Readlink("/proc/self/ns/time"); err == nil && ns != initialTime {
		id += "n" + strings.Trim(strings.TrimPrefix(ns, "time:"), "[]")
	}
	return id
}

// idLen is how much of a boot's id is kept, in hexadecimal digits.
const idLen = 12
