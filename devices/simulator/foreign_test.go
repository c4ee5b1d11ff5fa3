package simulator_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gengfu/devices/simulator"
)

// missing skips a test that needs a program, which must not be missing in CI.
func missing(t *testing.T, what, cure string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: apt-get install %s", what, cure)
	}
	t.Skipf("%s is missing: apt-get install %s", what, cure)
}

// debianPython is where Debian's python3-pymodbus is found, whatever other Python
// stands before it in the path.
const debianPython = "/usr/bin/python3"

// pumpHouse is the slave that the foreign masters read.
func pumpHouse(t *testing.T) *simulator.Slave {
	t.Helper()
	s := newSlave(t, pump(), 11)
	set(t, s, map[string]float64{"energy": 12345.5, "door": 1})
	return s
}

// at serves the slave in the way that the framer needs and returns where.
func at(t *testing.T, framer string, s *simulator.Slave) string {
	t.Helper()
	if framer == "socket" {
		server, err := simulator.ServeTCP(listen(t), s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		})
		return server.Addr()
	}
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	wire := simulator.Wire{Baud: 19200, Turnaround: 3 * time.Millisecond}
	bus, err := simulator.NewLine(tty, simulator.Options{Wire: wire, ASCII: framer == "ascii"}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return tty.Path()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPymodbusReadsAndWrites(t *testing.T) {
	if err := exec.Command(debianPython, "-c", "import pymodbus.client, serial").Run(); err != nil {
		missing(t, "pymodbus", "python3-pymodbus python3-serial")
	}
	want := "pressure 400\nenergy 12345.5\ndoor 1\nvalve 1\nwritten 17 250\none 321\nrefused 2\n"
	for _, framer := range []string{"rtu", "ascii", "socket"} {
		t.Run(framer, func(t *testing.T) {
			s := pumpHouse(t)
			client := exec.CommandContext(t.Context(), debianPython, "testdata/pymodbus_client.py", framer, at(t, framer, s))
			client.Stderr = t.Output()
			out, err := client.Output()
			if err != nil || string(out) != want {
				t.Errorf("it says %q (%v), want %q", out, err, want)
			}
			if v, err := s.Get("pressure"); err != nil || v != 3.21 {
				t.Errorf("the pressure is %v (%v), 3.21 was written", v, err)
			}
		})
	}
}

// mbpoll is libmodbus.
func TestMbpollReadsAndWrites(t *testing.T) {
	program, err := exec.LookPath("mbpoll")
	if err != nil {
		missing(t, "mbpoll", "mbpoll")
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		if err != nil {
			t.Errorf("mbpoll %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	for _, framer := range []string{"rtu", "socket"} {
		t.Run(framer, func(t *testing.T) {
			s := pumpHouse(t)
			where := at(t, framer, s)
			to := []string{"-m", "rtu", "-b", "19200", "-P", "none", "-a", "11", "-0", "-1", "-o", "3"}
			if host, port, err := net.SplitHostPort(where); err == nil {
				to, where = []string{"-m", "tcp", "-p", port, "-a", "11", "-0", "-1", "-o", "3"}, host
			}
			ask := func(what ...string) []string { return append(append(append([]string{}, to...), what...), where) }
			for _, c := range []struct {
				ask  []string
				want string
			}{
				{ask("-t", "4", "-r", "1", "-c", "1"), "[1]: \t400"},
				{ask("-t", "3:float", "-B", "-r", "72", "-c", "1"), "[72]: \t12345.5"},
				{ask("-t", "1", "-r", "5", "-c", "1"), "[5]: \t1"},
				{ask("-t", "0", "-r", "9", "-c", "1"), "[9]: \t0"},
			} {
				if out := run(c.ask...); !strings.Contains(out, c.want) {
					t.Errorf("mbpoll %v says %q, want %q", c.ask, out, c.want)
				}
			}
			run(append(ask("-t", "4", "-r", "1"), "250")...)
			if v, err := s.Get("pressure"); err != nil || v != 2.5 {
				t.Errorf("the pressure is %v (%v), 2.50 was written", v, err)
			}
			out, err := exec.CommandContext(t.Context(), program, ask("-t", "4", "-r", "500", "-c", "1")...).CombinedOutput()
			if !strings.Contains(string(out), "Illegal data address") {
				t.Errorf("a register that is not there: %q (%v)", out, err)
			}
		})
	}
}

// A master that takes no fault for an answer would book a wrong value here.
func TestMbpollRefusesASpoiltReply(t *testing.T) {
	program, err := exec.LookPath("mbpoll")
	if err != nil {
		missing(t, "mbpoll", "mbpoll")
	}
	s := pumpHouse(t)
	s.SetFault(simulator.Fault{Kind: simulator.Corrupt})
	out, err := exec.CommandContext(t.Context(), program, "-m", "rtu", "-b", "19200", "-P", "none",
		"-a", "11", "-0", "-1", "-o", "0.5", "-r", "1", at(t, "rtu", s)).CombinedOutput()
	if strings.Contains(string(out), "400") || s.Served() == 0 {
		t.Errorf("%s (%v)", out, err)
	}
}
