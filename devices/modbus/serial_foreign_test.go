package modbus

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

// cable joins two pseudo terminals and returns the paths of its ends.
func cable(t *testing.T) (one, other string) {
	t.Helper()
	var ends [2]*simulator.PTY
	for i := range ends {
		p, err := simulator.OpenPTY("")
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = p
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(ends[0], ends[1]) }) // until the terminal is closed
	both.Go(func() { _, _ = io.Copy(ends[1], ends[0]) })
	t.Cleanup(func() {
		_, _ = ends[0].Close(), ends[1].Close()
		both.Wait()
	})
	return ends[0].Path(), ends[1].Path()
}

// A slave of another maker on a serial line, from its first frame to its last.
func TestSpeaksWithASerialSlaveOfAnotherMaker(t *testing.T) {
	for name, framing := range framers {
		if framing == TCP {
			continue
		}
		t.Run(name, func(t *testing.T) {
			needPymodbus(t)
			ours, theirs := cable(t)
			server := exec.Command(debianPython, "testdata/pymodbus_server.py", name, theirs)
			server.Stderr = t.Output()
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = server.Process.Kill()
				_ = server.Wait() // it was killed
			})
			port := line.Serial{Port: ours, Baud: 19200}
			conn, err := line.OpenSerial(t.Context(), port)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // nothing more is read
			shared := bus.New(bus.Options{Wire: bus.Wire{Character: port.Character(), Gap: 20 * time.Millisecond}})
			shared.Attach(conn)
			m := NewMaster(Options{Framing: framing, Timeout: 2 * time.Second, Bus: shared})
			awaitSlave(t, m)
			write := WriteRequest{7, profile.Holding, 30, []uint16{1, 2, 3, 0xFFFF}, false}
			if err := m.Write(t.Context(), write, Timing{}); err != nil {
				t.Fatal(err)
			}
			words, err := m.Read(t.Context(), Request{7, profile.Holding, 30, 4}, Timing{})
			if err != nil || !slices.Equal(words, write.Words) {
				t.Errorf("it holds %v, %v", words, err)
			}
			for i := range 20 {
				r := Request{7, profile.Input, uint16(i), uint16(1 + i*5)}
				words, err := m.Read(t.Context(), r, Timing{})
				if err != nil {
					t.Fatal(err)
				}
				for j, w := range words {
					if want := pymodbusWord(r.Table, i+j); w != want {
						t.Errorf("%v: %d holds %d, want %d", r, i+j, w, want)
					}
				}
			}
			if _, err := m.Read(t.Context(), Request{7, profile.Holding, 299, 5}, Timing{}); !errors.Is(err, Exception{Code: IllegalAddress}) {
				t.Errorf("beyond the end: %v", err)
			}
		})
	}
}

// awaitSlave asks until the slave has started.
func awaitSlave(t *testing.T, m *Master) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		_, err := m.Read(t.Context(), Request{7, profile.Coil, 0, 8}, Timing{})
		if err == nil {
			return
		}
		if !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrGarbled) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func needPymodbus(t *testing.T) {
	t.Helper()
	if err := exec.Command(debianPython, "-c", "import pymodbus, serial_asyncio").Run(); err != nil {
		const install = "apt-get install python3-pymodbus python3-serial-asyncio"
		if os.Getenv("CI") == "true" {
			t.Fatalf("pymodbus is missing (%s): %v", install, err)
		}
		t.Skip("pymodbus is missing: " + install)
	}
}
