package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const megabyte = 1e6 // bytes

// weight is what a process holds and has used.
type weight struct {
	resident, peak float64       // bytes
	cpu            time.Duration // user and system, since its start
}

// weigh reads /proc, whose form is in proc(5).
func weigh(pid int) (w weight, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return w, fmt.Errorf("weigh a process: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "VmRSS:" && f[0] != "VmHWM:" {
			continue
		}
		kb, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return w, fmt.Errorf("weigh a process: %w", err)
		}
		if f[0] == "VmRSS:" {
			w.resident = 1024 * kb
		} else {
			w.peak = 1024 * kb
		}
	}
	w.cpu, err = cpuTime(pid)
	return w, err
}

// clockTick is the unit of times in /proc/PID/stat on Linux, whatever the kernel's own.
const clockTick = time.Second / 100

func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read a process's time: %w", err)
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
			return 0, fmt.Errorf("read a process's time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}
