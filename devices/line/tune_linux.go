package line

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Bits of serial_rs485.flags in linux/serial.h.
const (
	rs485Enabled      = 1 << 0
	rs485RTSOnSend    = 1 << 1
	rs485RTSAfterSend = 1 << 2
	rs485RxDuringTx   = 1 << 4
)

// rs485Request is struct serial_rs485 of linux/serial.h.
type rs485Request struct {
	flags       uint32
	delayBefore uint32 // ms
	delayAfter  uint32 // ms
	_           [5]uint32
}

func (r RS485) request() rs485Request {
	q := rs485Request{
		flags:       rs485Enabled | rs485RTSAfterSend,
		delayBefore: uint32(r.DelayBefore / time.Millisecond),
		delayAfter:  uint32(r.DelayAfter / time.Millisecond),
	}
	if r.RTSOnSend == nil || *r.RTSOnSend {
		q.flags = rs485Enabled | rs485RTSOnSend
	}
	if r.RxDuringTx {
		q.flags |= rs485RxDuringTx
	}
	return q
}

// setRS485 lets the driver switch the direction of the bus. The driver writes back
// what it really does.
func setRS485(d *device, r RS485) error {
	q := r.request()
	err := ioctl(d.fd, unix.TIOCSRS485, unsafe.Pointer(&q))
	return checkRS485(d.path, q, err)
}

func checkRS485(path string, q rs485Request, err error) error {
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP),
		err == nil && q.flags&rs485Enabled == 0:
		return fmt.Errorf("the driver of %s has no RS-485 mode: leave rs485 out when the adapter switches by itself", path)
	case err != nil:
		return fmt.Errorf("set the RS-485 mode: %w", err)
	}
	return nil
}

// asyncLowLatency is ASYNC_LOW_LATENCY in linux/tty_flags.h.
const asyncLowLatency = 1 << 13

// serialInfo is struct serial_struct of linux/serial.h.
type serialInfo struct {
	kind, line     int32
	port           uint32
	irq, flags     int32
	fifo           int32
	customDivisor  int32
	baudBase       int32
	closeDelay     uint16
	ioType, _      byte
	hub6           int32
	closingWait    uint16
	closingWait2   uint16
	memory         uintptr
	registerShift  uint16
	portHigh       uint32
	memoryPhysical uintptr // unsigned long
}

// setLowLatency asks the driver to hand over bytes as they come and not in lots:
// on an FTDI adapter that is 1 ms instead of 16 ms for each reply. Drivers that
// have no such thing, and files that may not be written, are left as they are.
func setLowLatency(d *device) {
	var info serialInfo
	if err := ioctl(d.fd, unix.TIOCGSERIAL, unsafe.Pointer(&info)); err == nil && info.flags&asyncLowLatency == 0 {
		info.flags |= asyncLowLatency
		_ = ioctl(d.fd, unix.TIOCSSERIAL, unsafe.Pointer(&info)) //nolint:errcheck // it only would have been better
	}
	setLatencyTimer("/sys/bus/usb-serial/devices", d.path)
}

// setLatencyTimer sets the timer of an FTDI adapter, in ms, to the shortest.
func setLatencyTimer(sysfs, port string) {
	real, err := filepath.EvalSymlinks(port)
	if err != nil {
		return
	}
	name := filepath.Join(sysfs, filepath.Base(real), "latency_timer")
	text, err := os.ReadFile(name)
	if err != nil {
		return
	}
	if ms, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || ms <= 1 {
		return
	}
	_ = os.WriteFile(name, []byte("1"), 0) //nolint:errcheck // it only would have been better
}

func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}
