package devices

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// valve has something to write of each kind.
func valve() profile.Profile {
	p := pump()
	p.ID = "valve"
	two, least, most := 2, 0.0, 10.0
	p.Points = append(p.Points,
		profile.Point{ID: "run", Kind: facility.State, Table: profile.Holding, Address: 0, Bit: &two, Writable: true},
		profile.Point{ID: "setpoint", Kind: facility.Measure, Unit: "bar", Table: profile.Holding, Address: 10, Type: profile.U16, Scale: 0.01, Min: &least, Max: &most, Writable: true},
		profile.Point{ID: "limit", Kind: facility.Measure, Unit: "bar", Table: profile.Holding, Address: 11, Type: profile.F32, Order: profile.CDAB, Writable: true},
		profile.Point{ID: "enable", Kind: facility.State, Table: profile.Coil, Address: 3, Writable: true},
	)
	p.Persona.Values["setpoint"] = 3
	p.Defaults()
	return p
}

func TestWriteOnce(t *testing.T) {
	s := simulated(t, valve(), 7)
	port, _ := onPTY(t, "", s)
	l := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: port.Path()}, Timeout: patient}
	d := DeviceConfig{ID: "v", Profile: "valve", Line: "bus", Address: "7", Write: Writes{All: true}}
	set(t, s, "fault", 1)
	for quantity, value := range map[string]float64{"run": 1, "setpoint": 4.25, "limit": 6.5, "enable": 1} {
		was, err := s.Get(quantity)
		if err != nil {
			t.Fatal(err)
		}
		before, after, frames, err := WriteOnce(t.Context(), l, d, valve(), quantity, value)
		if err != nil || before.Value != was || after.Value != value || after.Quality != facility.Good || len(frames) < 3 {
			t.Errorf("%s: %v, before %+v, after %+v, %d frames", quantity, err, before, after, len(frames))
		}
		if shows, err := s.Get(quantity); err != nil || shows != value {
			t.Errorf("%s shows %v, %v", quantity, shows, err)
		}
	}
	if shows, err := s.Get("fault"); err != nil || shows != 1 {
		t.Errorf("another bit of the register was changed: %v, %v", shows, err)
	}
}

func TestWriteOnceRefuses(t *testing.T) {
	s := simulated(t, valve(), 7)
	port, _ := onPTY(t, "", s)
	l := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: port.Path()}, Timeout: patient}
	all := Writes{All: true}
	for _, c := range []struct {
		name, quantity string
		value          float64
		write          Writes
		want           error
		says           string
	}{
		{"not in the profile", "torque", 1, all, nil, `no quantity "torque"`},
		{"not writable", "pressure", 1, all, ErrNotWritable, "the profile valve"},
		{"not allowed", "setpoint", 1, Writes{}, ErrNotAllowed, "write: [setpoint]"},
		{"another is allowed", "setpoint", 1, Writes{Only: []string{"run"}}, ErrNotAllowed, "write: [setpoint]"},
		{"out of range", "setpoint", 11, all, nil, "outside its range"},
		{"half a bit", "run", 0.5, all, nil, "cannot be that"},
	} {
		d := DeviceConfig{ID: "v", Profile: "valve", Line: "bus", Address: "7", Write: c.write}
		_, _, frames, err := WriteOnce(t.Context(), l, d, valve(), c.quantity, c.value)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || len(frames) > 0 {
			t.Errorf("%s: %v, %d frames", c.name, err, len(frames))
		}
	}
	if s.Served() > 0 {
		t.Errorf("the device was asked %d times", s.Served())
	}
}

// A device that refuses to show what it holds is not written to.
func TestWriteOnceReadsFirst(t *testing.T) {
	s := simulated(t, valve(), 7)
	port, _ := onPTY(t, "", s)
	l := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: port.Path()}, Timeout: patient}
	d := DeviceConfig{ID: "v", Profile: "valve", Line: "bus", Address: "7", Write: Writes{Only: []string{"setpoint"}}}
	s.SetFault(simulator.Fault{Kind: simulator.Exception, Code: modbus.IllegalAddress})
	_, _, frames, err := WriteOnce(t.Context(), l, d, valve(), "setpoint", 5)
	var refused modbus.Exception
	if !errors.As(err, &refused) || writes(frames) > 0 {
		t.Errorf("a slave that gives nothing was written to: %v", err)
	}
}

func writes(frames []RawFrame) (n int) {
	for _, f := range frames {
		if f.Request[1] == 6 || f.Request[1] == 16 {
			n++
		}
	}
	return n
}

// The confirmation is lost: it is not written again, and reading back says what
// became of it.
func TestWriteOnceWritesOnce(t *testing.T) {
	p, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	// A slave that takes a write without a word: a relay in between drops replies to
	// function 06.
	deaf := simulated(t, valve(), 7)
	bus, err := simulator.NewBus(mute{p}, simulator.Wire{Turnaround: time.Millisecond}, deaf)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, bus)
	l := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: p.Path()}, Timeout: 300 * time.Millisecond}
	d := DeviceConfig{ID: "v", Profile: "valve", Line: "bus", Address: "7", Write: Writes{Only: []string{"setpoint"}}}
	_, after, frames, err := WriteOnce(t.Context(), l, d, valve(), "setpoint", 5)
	if err != nil || after.Value != 5 || writes(frames) != 1 {
		t.Errorf("%v, after %+v, written %d times", err, after, writes(frames))
	}
}

// mute drops what a slave says to function 06.
type mute struct{ *simulator.PTY }

func (m mute) Write(b []byte) (int, error) {
	if len(b) > 1 && b[1] == 6 {
		return len(b), nil
	}
	return m.PTY.Write(b)
}
