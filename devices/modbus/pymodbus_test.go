package modbus

import (
	"errors"
	"net"
	"os/exec"
	"slices"
	"testing"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/facility/porttest"
)

// debianPython is where Debian's python3-pymodbus is found, whatever other Python
// stands before it in the path.
const debianPython = "/usr/bin/python3"

// pymodbus starts a slave of another maker and returns a line to it.
func pymodbus(t *testing.T, framer string) *line.Conn {
	t.Helper()
	needPymodbus(t)
	port := porttest.Port(t)
	server := exec.Command(debianPython, "testdata/pymodbus_server.py", framer, port)
	server.Stderr = t.Output()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	})
	return dial(t, net.JoinHostPort("127.0.0.1", port))
}

// dial tries until the server listens.
func dial(t *testing.T, address string) *line.Conn {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		c, err := line.DialTCP(t.Context(), line.TCP{Address: address})
		if err == nil {
			t.Cleanup(func() { _ = c.Close() })
			return c
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		if err := line.Wait(t.Context(), time.Now().Add(50*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadsASlaveOfAnotherMaker(t *testing.T) {
	for name, framing := range framers {
		t.Run(name, func(t *testing.T) {
			m := masterOf(pymodbus(t, name), framing)
			for _, r := range []Request{
				{7, profile.Holding, 0, 1},
				{7, profile.Holding, 100, 125},
				{7, profile.Input, 17, 2},
				{7, profile.Coil, 5, 9},
				{7, profile.Discrete, 0, 300},
			} {
				words, err := m.Read(t.Context(), r, Timing{})
				if err != nil {
					t.Fatal(err)
				}
				for i, w := range words {
					if want := pymodbusWord(r.Table, int(r.Address)+i); w != want {
						t.Errorf("%v: %d holds %d, want %d", r, int(r.Address)+i, w, want)
					}
				}
			}
			_, err := m.Read(t.Context(), Request{7, profile.Holding, 299, 5}, Timing{})
			if !errors.Is(err, Exception{Code: IllegalAddress}) {
				t.Errorf("beyond the end: %v", err)
			}
		})
	}
}

// framers are the framings by pymodbus' names.
var framers = map[string]Framing{"socket": TCP, "rtu": RTU, "ascii": ASCII}

func masterOf(conn bus.Conn, framing Framing) *Master {
	shared := bus.New(bus.Options{})
	shared.Attach(conn)
	m := NewMaster(Options{Framing: framing, Timeout: 10 * time.Second, Bus: shared})
	m.Attach(conn)
	return m
}

func TestWritesToASlaveOfAnotherMaker(t *testing.T) {
	for name, framing := range framers {
		t.Run(name, func(t *testing.T) {
			m := masterOf(pymodbus(t, name), framing)
			for _, w := range []WriteRequest{
				{7, profile.Holding, 10, []uint16{0xBEEF}, false},
				{7, profile.Holding, 20, []uint16{0xCAFE}, true},
				{7, profile.Holding, 30, []uint16{1, 2, 3, 0xFFFF}, false},
				{7, profile.Coil, 10, []uint16{1}, false},
				{7, profile.Coil, 12, []uint16{0}, false},
				{7, profile.Coil, 20, []uint16{1, 0, 1, 1, 0, 0, 0, 1, 1, 1}, false},
			} {
				if err := m.Write(t.Context(), w, Timing{}); err != nil {
					t.Fatal(err)
				}
				words, err := m.Read(t.Context(), Request{7, w.Table, w.Address, uint16(len(w.Words))}, Timing{})
				if err != nil || !slices.Equal(words, w.Words) {
					t.Errorf("%v: it holds %v, %v; want %v", w, words, err, w.Words)
				}
			}
			err := m.Write(t.Context(), WriteRequest{7, profile.Holding, 299, []uint16{1, 2, 3}, false}, Timing{})
			if !errors.Is(err, Exception{Code: IllegalAddress}) || errors.Is(err, ErrUnconfirmed) {
				t.Errorf("beyond the end: %v", err)
			}
		})
	}
}

func pymodbusWord(table profile.Table, i int) uint16 {
	switch {
	case table == profile.Holding:
		return uint16(i)
	case table == profile.Input:
		return uint16(1000 + i)
	case i%3 == 0:
		return 1
	}
	return 0
}
