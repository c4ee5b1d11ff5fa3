package line

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel copies as many bytes as its own structures have (linux/serial.h).
func TestStructuresAreTheKernels(t *testing.T) {
	if got := unsafe.Sizeof(rs485Request{}); got != 32 {
		t.Errorf("struct serial_rs485 has %d bytes, want 32", got)
	}
	words := unsafe.Sizeof(uintptr(0))
	var i serialInfo
	for _, c := range []struct {
		field     string
		got, want uintptr
	}{
		{"flags", unsafe.Offsetof(i.flags), 16},
		{"baud_base", unsafe.Offsetof(i.baudBase), 28},
		{"io_type", unsafe.Offsetof(i.ioType), 34},
		{"hub6", unsafe.Offsetof(i.hub6), 36},
		{"closing_wait2", unsafe.Offsetof(i.closingWait2), 42},
		{"iomem_base", unsafe.Offsetof(i.memory), map[uintptr]uintptr{8: 48, 4: 44}[words]},
		{"iomem_reg_shift", unsafe.Offsetof(i.registerShift), map[uintptr]uintptr{8: 56, 4: 48}[words]},
		{"port_high", unsafe.Offsetof(i.portHigh), map[uintptr]uintptr{8: 60, 4: 52}[words]},
		{"its end", unsafe.Sizeof(i), map[uintptr]uintptr{8: 72, 4: 60}[words]},
	} {
		if c.got != c.want {
			t.Errorf("serial_struct.%s is at %d, want %d", c.field, c.got, c.want)
		}
	}
}

func TestRS485Request(t *testing.T) {
	no, yes := false, true
	for name, c := range map[string]struct {
		r    RS485
		want rs485Request
	}{
		"plain":     {RS485{}, rs485Request{flags: 0b00011}},
		"same":      {RS485{RTSOnSend: &yes}, rs485Request{flags: 0b00011}},
		"inverted":  {RS485{RTSOnSend: &no}, rs485Request{flags: 0b00101}},
		"with echo": {RS485{RxDuringTx: true}, rs485Request{flags: 0b10011}},
		"delays": {
			RS485{DelayBefore: 2 * time.Millisecond, DelayAfter: 100 * time.Millisecond},
			rs485Request{flags: 0b00011, delayBefore: 2, delayAfter: 100},
		},
	} {
		if got := c.r.request(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestADriverWithoutRS485SaysSo(t *testing.T) {
	on := RS485{}.request()
	for name, c := range map[string]struct {
		answer rs485Request
		err    error
		want   string
	}{
		"taken":      {on, nil, ""},
		"not a mode": {on, unix.ENOTTY, "the driver of /dev/ttyUSB0 has no RS-485 mode: leave rs485 out"},
		"no pin":     {on, unix.EINVAL, "the driver of /dev/ttyUSB0 has no RS-485 mode: leave rs485 out"},
		"switched off by the driver": {
			rs485Request{},
			nil,
			"the driver of /dev/ttyUSB0 has no RS-485 mode: leave rs485 out",
		},
		"another": {on, unix.EIO, "set the RS-485 mode: input/output error"},
	} {
		err := checkRS485("/dev/ttyUSB0", c.answer, c.err)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s…", name, err, c.want)
		}
	}
}

func TestLatencyTimer(t *testing.T) {
	sysfs := t.TempDir()
	port := filepath.Join(t.TempDir(), "usb-FTDI-if00")
	real := filepath.Join(t.TempDir(), "ttyUSB3")
	timer := filepath.Join(sysfs, "ttyUSB3", "latency_timer")
	setLatencyTimer(sysfs, port) // nothing is there: nothing happens
	for _, err := range []error{os.WriteFile(real, nil, 0o600), os.Symlink(real, port), os.Mkdir(filepath.Dir(timer), 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	setLatencyTimer(sysfs, port) // no FTDI
	if _, err := os.Stat(timer); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a timer was made: %v", err)
	}
	for was, want := range map[string]string{"16\n": "1", "1\n": "1\n", "words": "words"} {
		if err := os.WriteFile(timer, []byte(was), 0o600); err != nil {
			t.Fatal(err)
		}
		setLatencyTimer(sysfs, port)
		if got, err := os.ReadFile(timer); err != nil || string(got) != want {
			t.Errorf("%q became %q, %v", was, got, err)
		}
	}
}
