package devices

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// shipped returns a profile that comes with the program.
func shipped(t *testing.T, id string) profile.Profile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "configs", "profiles", id+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var p profile.Profile
	if err := yaml.UnmarshalWithOptions(data, &p, yaml.DisallowUnknownField()); err != nil {
		t.Fatal(err)
	}
	p.Defaults()
	return p
}

// member is one device of a mixed line.
type member struct {
	model   profile.Profile
	address Address
}

func mixed(t *testing.T) []member {
	t.Helper()
	return []member{
		{pump(), "1"},
		{shipped(t, "dlt645-2007"), "000000000161"},
		{shipped(t, "cjt188-water"), "78330000123456"},
		{shipped(t, "mbus-water"), "5"},
		{shipped(t, "mbus-heat"), "12345678"},
		{shipped(t, "eastron-sdm120"), "2"},
	}
}

// newMixedWorld is a line of 9600 baud with devices of all protocols, in memory.
func newMixedWorld(t *testing.T, members ...member) *world {
	t.Helper()
	w := &world{t: t, sink: newMemory(), baud: 9600}
	models := map[string]profile.Profile{}
	var devs []DeviceConfig
	for i, m := range members {
		s, err := simulator.New(m.model, string(m.address))
		if err != nil {
			t.Fatal(err)
		}
		w.slaves = append(w.slaves, s)
		models[m.model.ID] = m.model
		devs = append(devs, DeviceConfig{ID: fmt.Sprintf("dev%d", i+1), Profile: m.model.ID, Line: "bus", Address: m.address})
	}
	w.start([]LineConfig{{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: "memory"}}}, devs, models, Options{Sink: w.sink})
	return w
}

// Every point of every device is what its simulated device shows, whatever the
// neighbours speak.
func TestALineOfAllProtocols(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMixedWorld(t, mixed(t)...)
		w.run(5 * time.Minute)
		for i, s := range w.slaves {
			w.checkShown(t, fmt.Sprintf("dev%d", i+1), s)
		}
		st := w.line.status(time.Now())
		if st.Timeouts > 0 || st.Errors > 0 {
			t.Errorf("a clean line counts %+v", st)
		}
		for _, d := range st.Devices {
			if d.Online == nil || !*d.Online || d.Requests == 0 || d.LastError != "" || d.Turnaround < 15 || d.Timeout == 0 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// A line of all protocols on which everything goes wrong that does: no value is ever
// one that its device did not show, and every device keeps being read.
func TestFaultsOnALineOfAllProtocolsBookNothingWrong(t *testing.T) {
	for _, faults := range []string{
		"late 700ms 5%", "late 1500ms 3%", "cut 5%", "corrupt 5%", "flip 5%", "duplicate 5%", "foreign 5%", "noise 5%", "busy 5%", "exception 2 5%",
		"late 400ms 1%, late 700ms 2%, late 1300ms 1%, late 2500ms 1%, late 6s 1%, cut 1%, corrupt 1%, flip 1%, duplicate 2%, foreign 2%, noise 1%, busy 1%, silent 1%",
	} {
		t.Run(faults, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newMixedWorld(t, mixed(t)...)
				set, err := simulator.ParseFaults(faults)
				if err != nil {
					t.Fatal(err)
				}
				for i, s := range w.slaves {
					s.Seed(uint64(i + 1))
					s.SetFaults(set...)
				}
				w.run(time.Hour)
				for i, s := range w.slaves {
					w.checkNothingWrong(t, fmt.Sprintf("dev%d", i+1), s)
				}
			})
		})
	}
}

// checkNothingWrong holds the good readings of the device against what it shows.
func (w *world) checkNothingWrong(t *testing.T, device string, s *simulator.Slave) {
	t.Helper()
	for _, pt := range s.Profile().Points {
		want, err := s.Get(pt.ID)
		if err != nil {
			t.Errorf("%s: %v", device, err)
			continue
		}
		good := 0
		for _, r := range w.sink.of(device + "/" + pt.ID) {
			if r.Quality != facility.Good {
				continue
			}
			if good++; !near(r.Value, want) {
				t.Errorf("%s/%s (%s %s) at %s: %v, it shows %v", device, pt.ID, pt.Item, pt.Value, r.Time.Format("04:05.000"), r.Value, want)
				break
			}
		}
		if good == 0 {
			t.Errorf("%s/%s: never good", device, pt.ID)
		}
	}
}

// checkShown holds all readings of the device against what it shows.
func (w *world) checkShown(t *testing.T, device string, s *simulator.Slave) {
	t.Helper()
	for _, pt := range s.Profile().Points {
		want, err := s.Get(pt.ID)
		if err != nil {
			t.Errorf("%s: %v", device, err)
			continue
		}
		readings := w.sink.of(device + "/" + pt.ID)
		if len(readings) == 0 {
			t.Errorf("%s/%s (%s): never read", device, pt.ID, pt.Item)
		}
		for _, r := range readings {
			if r.Quality != facility.Good || !near(r.Value, want) || r.Unit != pt.Unit {
				t.Errorf("%s/%s (%s %s): %+v, it shows %v", device, pt.ID, pt.Item, pt.Value, r, want)
				break
			}
		}
	}
}

func near(a, b float64) bool {
	d := a - b
	if d < 0 {
		d = -d
	}
	return d <= 1e-6*max(1, b, -b)
}
