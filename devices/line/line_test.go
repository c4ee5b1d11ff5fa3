package line_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gengfu/devices/line"
	"gengfu/devices/simulator"
)

// soon is far longer than anything here takes on an idle machine.
const soon = 10 * time.Second

func openPTY(t *testing.T, path string) *simulator.PTY {
	t.Helper()
	p, err := simulator.OpenPTY(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() }) // a test may have closed it
	return p
}

func openSerial(t *testing.T, path string) *line.Conn {
	t.Helper()
	c, err := line.OpenSerial(t.Context(), line.Serial{Port: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// socket returns a connected line and the other end.
func socket(t *testing.T) (*line.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // one connection was enough
	c, err := line.DialTCP(t.Context(), line.TCP{Address: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), peer.Close() })
	return c, peer
}

func readFull(t *testing.T, c *line.Conn, n int) []byte {
	t.Helper()
	var got []byte
	for buf := make([]byte, 64); len(got) < n; {
		k, err := c.Read(t.Context(), buf, time.Now().Add(soon))
		if err != nil {
			t.Fatalf("after % X: %v", got, err)
		}
		got = append(got, buf[:k]...)
	}
	return got
}

// Both kinds of line do the same.
func TestLines(t *testing.T) {
	kinds := map[string]func(t *testing.T) (*line.Conn, io.ReadWriteCloser){
		"serial": func(t *testing.T) (*line.Conn, io.ReadWriteCloser) {
			p := openPTY(t, "")
			return openSerial(t, p.Path()), p
		},
		"tcp": func(t *testing.T) (*line.Conn, io.ReadWriteCloser) {
			c, peer := socket(t)
			return c, peer
		},
	}
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Run("carries all bytes both ways", func(t *testing.T) {
				c, peer := open(t)
				var all []byte
				for b := range 256 {
					all = append(all, byte(b))
				}
				if err := c.Write(t.Context(), all); err != nil {
					t.Fatal(err)
				}
				got := make([]byte, 256)
				if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, all) {
					t.Fatalf("the other end got % X, %v", got, err)
				}
				if _, err := peer.Write(all); err != nil {
					t.Fatal(err)
				}
				if got := readFull(t, c, 256); !bytes.Equal(got, all) {
					t.Fatalf("got % X", got)
				}
			})
			t.Run("a deadline passes", func(t *testing.T) {
				c, _ := open(t)
				start := time.Now()
				_, err := c.Read(t.Context(), make([]byte, 8), start.Add(150*time.Millisecond))
				if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) < 140*time.Millisecond {
					t.Errorf("got %v after %s", err, time.Since(start))
				}
			})
			t.Run("what has come is read after the deadline", func(t *testing.T) {
				c, peer := open(t)
				if _, err := peer.Write([]byte{1, 2, 3}); err != nil {
					t.Fatal(err)
				}
				readFull(t, c, 1) // it has come
				if _, err := peer.Write([]byte{4}); err != nil {
					t.Fatal(err)
				}
				for end := time.Now().Add(soon); ; {
					n, err := c.Read(t.Context(), make([]byte, 8), time.Now().Add(-time.Second))
					if n > 0 {
						break
					}
					if !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(end) {
						t.Fatal(err)
					}
				}
			})
			t.Run("discard forgets what has come", func(t *testing.T) {
				c, peer := open(t)
				if _, err := peer.Write([]byte{1, 2, 3}); err != nil {
					t.Fatal(err)
				}
				readFull(t, c, 3)
				if err := c.Discard(); err != nil {
					t.Fatal(err)
				}
				if _, err := peer.Write([]byte{9}); err != nil {
					t.Fatal(err)
				}
				if got := readFull(t, c, 1); got[0] != 9 {
					t.Errorf("got % X", got)
				}
			})
			t.Run("the context ends a read", func(t *testing.T) {
				c, _ := open(t)
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				if _, err := c.Read(ctx, make([]byte, 8), time.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if err := c.Write(ctx, []byte{1}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("write: %v", err)
				}
			})
			t.Run("the other end goes", func(t *testing.T) {
				c, peer := open(t)
				if err := peer.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Read(t.Context(), make([]byte, 8), time.Now().Add(soon)); !errors.Is(err, line.ErrBroken) {
					t.Errorf("read: %v", err)
				}
				if err := c.Discard(); name == "tcp" && !errors.Is(err, line.ErrBroken) {
					t.Errorf("discard: %v", err)
				}
			})
		})
	}
}

func TestAPortIsOpenedOnce(t *testing.T) {
	p := openPTY(t, "")
	c := openSerial(t, p.Path())
	if _, err := line.OpenSerial(t.Context(), line.Serial{Port: p.Path()}); !errors.Is(err, line.ErrBusy) {
		t.Errorf("a second opener got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	openSerial(t, p.Path())
}

func TestAPortComesBackUnderItsName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "port")
	if _, err := line.OpenSerial(t.Context(), line.Serial{Port: path}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a port that is not there: %v", err)
	}
	p := openPTY(t, path)
	c := openSerial(t, path)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context(), make([]byte, 8), time.Now().Add(soon)); !errors.Is(err, line.ErrBroken) {
		t.Errorf("got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	p = openPTY(t, path)
	c = openSerial(t, path)
	if _, err := p.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	if got := readFull(t, c, 1); got[0] != 7 {
		t.Errorf("got % X", got)
	}
}

func TestOpenRefusesWhatIsNoPort(t *testing.T) {
	for _, s := range []line.Serial{{Port: "/dev/null"}, {Port: "/dev/null", Parity: "mark"}, {Port: "/dev/null", StopBits: 3}} {
		if _, err := line.OpenSerial(t.Context(), s); err == nil {
			t.Errorf("%+v was opened", s)
		}
	}
}

// The serial library could not read a descriptor of 1024 or more.
func TestAHighDescriptor(t *testing.T) {
	const limit = 1100
	var rl unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &rl); err != nil || rl.Cur < limit+100 {
		t.Skipf("the process may open only %d files", rl.Cur)
	}
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // nothing was written
		if f.Fd() >= limit {
			break
		}
	}
	p := openPTY(t, "")
	c := openSerial(t, p.Path())
	if _, err := p.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if got := readFull(t, c, 1); got[0] != 1 {
		t.Errorf("got % X", got)
	}
}

// A pseudo terminal keeps speed and stop bits, and is of 8 bits without parity
// whatever it is told.
func TestModes(t *testing.T) {
	for _, want := range []line.Serial{
		{Baud: 300, StopBits: 2},
		{Baud: 2400, Parity: "even", StopBits: 1},
		{Baud: 9600, Parity: "odd", DataBits: 7, StopBits: 1},
		{Baud: 1_000_000, StopBits: 1},
		{Baud: 12_345, StopBits: 2}, // none of the kernel's list
	} {
		p := openPTY(t, "")
		want.Port = p.Path()
		c, err := line.OpenSerial(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		got := modes(t, p.Path())
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if got.Ospeed != uint32(want.Baud) || got.Cflag&unix.CSTOPB != 0 != (want.StopBits == 2) {
			t.Errorf("%+v: %d baud, flags %o", want, got.Ospeed, got.Cflag)
		}
	}
}

// modes returns what the kernel holds of a terminal's mode.
func modes(t *testing.T, path string) *unix.Termios {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("the port cannot be opened beside the line: %v", err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	m, err := unix.IoctlGetTermios(fd, unix.TCGETS2)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAPortWithoutRS485(t *testing.T) {
	p := openPTY(t, "")
	_, err := line.OpenSerial(t.Context(), line.Serial{Port: p.Path(), RS485: &line.RS485{}})
	if err == nil || !strings.Contains(err.Error(), "has no RS-485 mode: leave rs485 out") {
		t.Errorf("got %v", err)
	}
	openSerial(t, p.Path()) // the refused one let go of it
}

func TestCharacter(t *testing.T) {
	for _, c := range []struct {
		s    line.Serial
		want time.Duration
	}{
		{line.Serial{}, 1041666 * time.Nanosecond},
		{line.Serial{Baud: 9600, Parity: "even"}, 1145833 * time.Nanosecond},
		{line.Serial{Baud: 2400, Parity: "none", StopBits: 2}, 4583333 * time.Nanosecond},
		{line.Serial{Baud: 115200}, 86805 * time.Nanosecond},
	} {
		if got := c.s.Character(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.s, got, c.want)
		}
	}
}

func TestBackoffGrowsToAnEndAndIsSpread(t *testing.T) {
	var b line.Backoff
	var last time.Duration
	for i := range 12 {
		pause := b.Next(0.5)
		if pause < last || pause > 30*time.Second {
			t.Errorf("pause %d is %s after %s", i, pause, last)
		}
		last = pause
	}
	if last != 30*time.Second {
		t.Errorf("it ends at %s", last)
	}
	b.Reset()
	low := b.Next(0)
	b.Reset()
	high := b.Next(0.999)
	if low != 400*time.Millisecond || high <= 590*time.Millisecond || high > 600*time.Millisecond {
		t.Errorf("the first pause is %s to %s", low, high)
	}
}

func TestWait(t *testing.T) {
	for _, d := range []time.Duration{-time.Second, 0, 50 * time.Microsecond, 3650 * time.Microsecond, 12 * time.Millisecond} {
		start := time.Now()
		if err := line.Wait(t.Context(), start.Add(d)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < d {
			t.Errorf("waited %s of %s", took, d)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := line.Wait(ctx, time.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
