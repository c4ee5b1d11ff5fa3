package simulator_test

import (
	"context"
	"maps"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/devices"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// fast is a line as quick as serial ones get, so that all profiles take seconds.
var fast = simulator.Wire{Baud: 115200, Turnaround: 2 * time.Millisecond}

// addressOf is an address as a device of the model has it.
func addressOf(p profile.Profile) string {
	switch p.Language() {
	case profile.DLT645:
		return "000000000161"
	case profile.CJT188:
		return "78330011223344"
	}
	return "7"
}

// places are the lines on which every persona is read: a pty and a socket.
func places(t *testing.T, s *simulator.Slave, opts simulator.Options) map[string]devices.LineConfig {
	t.Helper()
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	bus, err := simulator.NewLine(tty, opts, s)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := simulator.ServeLine(l, opts, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	protocol := devices.ModbusRTU
	if p := s.Profile(); p.Language() != profile.Modbus {
		protocol = devices.Protocol(p.Language())
	}
	serial := &devices.SerialConfig{Port: tty.Path(), Baud: opts.Wire.Baud}
	lines := map[string]devices.LineConfig{
		"pty":    {ID: "bus", Protocol: protocol, Serial: serial},
		"socket": {ID: "bus", Protocol: protocol, TCP: &devices.TCPConfig{Address: server.Addr(), Baud: opts.Wire.Baud}},
	}
	if opts.ASCII {
		for place, line := range lines {
			line.Protocol = devices.ModbusASCII
			lines[place] = line
		}
	}
	return lines
}

// behindGateway puts a Modbus TCP gateway before the device.
func behindGateway(t *testing.T, s *simulator.Slave, opts simulator.Options) devices.LineConfig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := simulator.ServeModbusTCP(l, opts, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return devices.LineConfig{ID: "bus", Protocol: devices.ModbusTCP, TCP: &devices.TCPConfig{Address: server.Addr()}}
}

// readOnce reads the device as the gateway's own command does.
func readOnce(t *testing.T, line devices.LineConfig, s *simulator.Slave) ([]facility.Reading, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p := s.Profile()
	d := devices.DeviceConfig{ID: "it", Line: "bus", Profile: p.ID, Address: devices.Address(s.Name())}
	readings, _, err := devices.ReadOnce(ctx, line, d, p)
	return readings, err
}

// check holds what was read against what the device shows; good says that all of it
// must be there.
func check(t *testing.T, s *simulator.Slave, readings []facility.Reading, good bool) {
	t.Helper()
	if len(readings) != len(s.Profile().Points) {
		t.Errorf("%d points were read of %d", len(readings), len(s.Profile().Points))
	}
	for _, r := range readings {
		want, err := s.Get(r.Point.Quantity)
		switch {
		case err != nil:
			t.Errorf("%s: %v", r.Point, err)
		case r.Quality != facility.Good && good:
			t.Errorf("%s is %v: %s", r.Point, r.Quality, r.Reason)
		case r.Quality == facility.Good && math.Abs(r.Value-want) > 1e-6*max(1, math.Abs(want)):
			t.Errorf("%s is %v, the device shows %v", r.Point, r.Value, want)
		}
	}
}

// resolution is the step in which a point can be told: what one count of its
// registers is, or what its item shows.
func resolution(pt profile.Point, value float64) float64 {
	step := math.Pow10(-pt.Decimals)
	if pt.Scale != 0 {
		step = max(step, math.Abs(pt.Scale))
	}
	return step/2 + math.Abs(value)*1e-6
}

// several runs a test for each name, several at a time: they mostly wait.
func several(t *testing.T, names []string, run func(t *testing.T, name string)) {
	t.Helper()
	var all sync.WaitGroup
	places := make(chan struct{}, 12)
	for _, name := range names {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(name, func(t *testing.T) { run(t, name) })
		})
	}
	all.Wait()
}

// Every profile has a persona, whose every point the gateway reads over real bytes
// as what it is.
func TestEveryPersonaIsReadAsItIs(t *testing.T) {
	all := profiles(t)
	if len(all) < 40 {
		t.Errorf("there are %d profiles, at least 40 were asked for", len(all))
	}
	several(t, slices.Sorted(maps.Keys(all)), func(t *testing.T, id string) {
		p := all[id]
		if p.Persona.Values == nil {
			t.Error("it has no persona")
		}
		s := meter(t, p, addressOf(p))
		for quantity, value := range p.Persona.Values {
			pt, _ := p.Point(quantity)
			if got, err := s.Get(quantity); err != nil || math.Abs(got-value) > resolution(pt, value) {
				t.Errorf("%s shows %v (%v), the persona says %v", quantity, got, err, value)
			}
		}
		lines := places(t, s, simulator.Options{Wire: fast})
		if p.Language() == profile.Modbus {
			lines["gateway"] = behindGateway(t, s, simulator.Options{})
		}
		for place, line := range lines {
			readings, err := readOnce(t, line, s)
			if err != nil {
				t.Errorf("%s: %v", place, err)
			}
			check(t, s, readings, true)
		}
	})
}

func TestModbusASCIIIsReadAsItIs(t *testing.T) {
	for _, id := range []string{"eastron-sdm630", "digital-input-16"} {
		s := meter(t, profiles(t)[id], "7")
		for place, line := range places(t, s, simulator.Options{Wire: fast, ASCII: true}) {
			readings, err := readOnce(t, line, s)
			if err != nil {
				t.Errorf("%s on a %s: %v", id, place, err)
			}
			check(t, s, readings, true)
		}
	}
}

// impatient is a line that has given up before a late reply comes.
func impatient(l devices.LineConfig) devices.LineConfig {
	l.Timeout = 60 * time.Millisecond
	return l
}

// Whatever goes wrong, no persona is read as what it does not show.
func TestNoPersonaIsReadWrongUnderFaults(t *testing.T) {
	faults, err := simulator.ParseFaults(
		"late 90ms 8%, cut 8%, corrupt 8%, flip 8%, duplicate 8%, foreign 8%, noise 8%, split 15ms 8%, busy 4%, exception 3 4%, silent 4%, drop 2%, truncated 4%")
	if err != nil {
		t.Fatal(err)
	}
	all := profiles(t)
	names := slices.Sorted(maps.Keys(all))
	several(t, names, func(t *testing.T, id string) {
		p := all[id]
		s := meter(t, p, addressOf(p))
		opts := simulator.Options{Wire: fast, Faults: faults, Seed: uint64(1 + slices.Index(names, id))}
		for _, line := range places(t, s, opts) {
			readings, _ := readOnce(t, impatient(line), s) // it may well have failed
			check(t, s, readings, false)
		}
		if p.Language() == profile.Modbus {
			readings, _ := readOnce(t, impatient(behindGateway(t, s, opts)), s)
			check(t, s, readings, false)
		}
	})
}

// Each fault by itself, often, on one device of every protocol: nothing wrong is
// read, and what the fault leaves room for is.
func TestNoFaultMakesAValueWrong(t *testing.T) {
	all := profiles(t)
	var cases []string
	for _, id := range []string{"eastron-sdm120", "dlt645-1997", "cjt188-water", "mbus-heat"} {
		for _, fault := range []string{
			"late 90ms 30%", "slow 20ms", "cut 30%", "corrupt 30%", "flip 30%", "duplicate 30%", "foreign 50%", "noise 30%",
			"drop 30%", "exception 2 30%", "dead", "echo",
		} {
			cases = append(cases, id+": "+fault)
		}
	}
	several(t, cases, func(t *testing.T, name string) {
		id, fault, _ := strings.Cut(name, ": ")
		faults, err := simulator.ParseFaults(fault)
		if err != nil {
			t.Fatal(err)
		}
		good := map[string]int{}
		for try := range uint64(10) {
			s := meter(t, all[id], addressOf(all[id])) // on lines of its own, where nothing is late from before
			for place, line := range places(t, s, simulator.Options{Wire: fast, Faults: faults, Seed: 1 + try}) {
				if good[place] > 0 || fault == "dead" && try > 0 {
					continue
				}
				line.Timeout = 250 * time.Millisecond
				if strings.HasPrefix(fault, "late") {
					line = impatient(line)
				}
				readings, err := readOnce(t, line, s)
				if err != nil && fault == "echo" {
					t.Errorf("%s: %v", place, err)
				}
				check(t, s, readings, false)
				good[place] = countGood(readings)
			}
		}
		for place, n := range good {
			if (n == 0) != (fault == "dead") {
				t.Errorf("%s: %d good readings", place, n)
			}
		}
	})
}

func countGood(readings []facility.Reading) (n int) {
	for _, r := range readings {
		if r.Quality == facility.Good {
			n++
		}
	}
	return n
}
