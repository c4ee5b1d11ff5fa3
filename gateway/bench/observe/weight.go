package observe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Weight is what a process holds and has used.
type Weight struct {
	Resident, Peak float64       // bytes
	CPU            time.Duration // user and system, since its start
}

// Weigh reads /proc, whose form is in proc(5).
func Weigh(pid int) (w Weight, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return w, fmt.Errorf("weigh the process: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		switch f := strings.Fields(line); {
		case len(f) != 3:
		case f[0] == "VmRSS:":
			w.Resident, err = kilobytes(f[1])
		case f[0] == "VmHWM:":
			w.Peak, err = kilobytes(f[1])
		}
		if err != nil {
			return w, err
		}
	}
	w.CPU, err = CPU(pid)
	return w, err
}

func kilobytes(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	return n * 1024, err
}

// clockTick is the unit of times in /proc/PID/stat on Linux, whatever the kernel's own.
const clockTick = time.Second / 100

// CPU returns the time of all processors that a process has used, the kernel's for it
// included.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the process's time: %w", err)
	}
	// The second field is the name in parentheses, which may hold anything.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const user, system = 14 - 3, 15 - 3 // the first of f is the third field
	if len(f) <= system {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	var ticks int64
	for _, s := range []string{f[user], f[system]} {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the process's time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}
