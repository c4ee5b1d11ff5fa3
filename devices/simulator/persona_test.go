package simulator_test

import (
	"context"
	"maps"
	"math"
	"net"
	"slices"
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
	return map[string]devices.LineConfig{
		"pty": {ID: "bus", Protocol: protocol, Serial: &devices.SerialConfig{Port: tty.Path(), Baud: opts.Wire.Baud}},
		"socket": {
			ID: "bus", Protocol: protocol,
			TCP: &devices.TCPConfig{Address: server.Addr(), Baud: opts.Wire.Baud},
		},
	}
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

// Every profile has a persona, whose every point the gateway reads over real bytes
// as what it is.
func TestEveryPersonaIsReadAsItIs(t *testing.T) {
	all := profiles(t)
	if len(all) < 40 {
		t.Errorf("there are %d profiles, at least 40 were asked for", len(all))
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		p := all[id]
		t.Run(id, func(t *testing.T) {
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
			for place, line := range places(t, s, simulator.Options{Wire: fast}) {
				t.Run(place, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
					defer cancel()
					d := devices.DeviceConfig{ID: "it", Line: "bus", Profile: p.ID, Address: devices.Address(s.Name())}
					readings, _, err := devices.ReadOnce(ctx, line, d, p)
					if err != nil {
						t.Fatal(err)
					}
					check(t, s, readings, true)
				})
			}
		})
	}
}
