package line

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pipe is an input device that is none: what is written to it is read as events.
func pipe(t *testing.T) (*Conn, *os.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event0")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openDevice(path, unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := inputConn(d)
	t.Cleanup(func() { _, _ = c.Close(), w.Close() }) // a test may have closed it
	return c, w
}

func TestInput(t *testing.T) {
	c, w := pipe(t)
	deadline := func() time.Time { return time.Now().Add(time.Minute) }
	buf := make([]byte, 256)
	if _, err := c.Read(t.Context(), buf, time.Now().Add(20*time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing was typed: %v", err)
	}
	if _, err := w.WriteString("forgotten"); err != nil {
		t.Fatal(err)
	}
	if err := c.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("typed"); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(t.Context(), buf, deadline()); err != nil || string(buf[:n]) != "typed" {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	if err := c.Write(t.Context(), []byte{1}); !errors.Is(err, ErrBroken) {
		t.Errorf("a keyboard was written to: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context(), buf, deadline()); !errors.Is(err, ErrBroken) {
		t.Errorf("unplugged: %v", err)
	}
}

func TestOpenEvdevRefusesWhatIsNoInputDevice(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, os.DevNull} {
		if _, err := OpenEvdev(t.Context(), Evdev{Device: path}); err == nil || !strings.Contains(err.Error(), "is no input device") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := OpenEvdev(t.Context(), Evdev{Device: file + "-gone"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := checkGrab("/dev/input/event0", unix.EBUSY); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v", err)
	}
}

// A keyboard that the kernel makes up: what it types is read, by one reader only.
func TestEvdevOfTheKernel(t *testing.T) {
	keyboard, path := newKeyboard(t)
	c, err := OpenEvdev(t.Context(), Evdev{Device: path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only read
	if _, err := OpenEvdev(t.Context(), Evdev{Device: path}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second reader got %v", err)
	}
	const evKey, evSyn, keyA = 1, 0, 30
	for _, e := range [][3]int{{evKey, keyA, 1}, {evSyn, 0, 0}} {
		b := make([]byte, unsafe.Sizeof(unix.Timeval{}))
		b = binary.NativeEndian.AppendUint16(b, uint16(e[0]))
		b = binary.NativeEndian.AppendUint16(b, uint16(e[1]))
		b = binary.NativeEndian.AppendUint32(b, uint32(e[2]))
		if _, err := keyboard.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 256)
	n, err := c.Read(t.Context(), buf, time.Now().Add(time.Minute))
	at := unsafe.Sizeof(unix.Timeval{})
	if err != nil || n < int(at)+8 || binary.NativeEndian.Uint16(buf[at+2:]) != keyA {
		t.Errorf("got % X, %v", buf[:n], err)
	}
}

// newKeyboard makes a virtual keyboard by /dev/uinput (linux/uinput.h).
func newKeyboard(t *testing.T) (keyboard *os.File, path string) {
	t.Helper()
	const (
		setEventBit, setKeyBit = 0x40045564, 0x40045565 // UI_SET_EVBIT, UI_SET_KEYBIT
		setup, create          = 0x405C5503, 0x5501     // UI_DEV_SETUP, UI_DEV_CREATE
		getName                = 0x8040552C             // UI_GET_SYSNAME(64)
	)
	keyboard, err := os.OpenFile("/dev/uinput", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("the kernel makes up no keyboard here: %v", err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	fd := int(keyboard.Fd())
	device := struct {
		bus, vendor, product, version uint16
		name                          [80]byte
		_                             uint32
	}{bus: 3, vendor: 0xFFFF, product: 0x0035}
	copy(device.name[:], "gengfu test reader")
	var name [64]byte
	for _, err := range []error{
		unix.IoctlSetInt(fd, setEventBit, 1),
		unix.IoctlSetInt(fd, setKeyBit, 30),
		ioctl(fd, setup, unsafe.Pointer(&device)),
		unix.IoctlSetInt(fd, create, 0),
		ioctl(fd, getName, unsafe.Pointer(&name)),
	} {
		if err != nil {
			t.Skipf("the kernel makes up no keyboard here: %v", err)
		}
	}
	folders, err := filepath.Glob("/sys/devices/virtual/input/" + unix.ByteSliceToString(name[:]) + "/event*")
	if err != nil || len(folders) != 1 {
		t.Skipf("the keyboard has no event file: %v", err)
	}
	path = "/dev/input/" + filepath.Base(folders[0])
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the keyboard has no event file: %v", err)
	}
	return keyboard, path
}
