package devices

import (
	"testing"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// A device of which every reply comes twice is read whole, and soon.
func TestReadOnceOfADeviceThatAnswersTwice(t *testing.T) {
	model := profile.Profile{ID: "ten"}
	for i := range 10 {
		model.Points = append(model.Points, profile.Point{
			ID: string(rune('a' + i)), Kind: facility.Measure, Table: profile.Input, Address: 6 * i, Type: profile.F32,
		})
	}
	s := simulated(t, model, 1)
	for i, pt := range model.Points {
		if err := s.Set(pt.ID, float64(100+i)); err != nil {
			t.Fatal(err)
		}
	}
	s.SetFault(simulator.Fault{Kind: simulator.Duplicate})
	p, _ := onPTY(t, "", s)
	cfg := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: p.Path()}, Timeout: patient}
	began := time.Now()
	readings, frames, err := ReadOnce(t.Context(), cfg, device("a", "bus", 1), model)
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for i, r := range readings {
		switch {
		case r.Quality != facility.Good:
		case r.Value != float64(100+i):
			t.Errorf("%v is %v", r.Point, r.Value)
		default:
			good++
		}
	}
	if took := time.Since(began); good < 10 || took > 30*time.Second {
		t.Errorf("%d of 10 were read in %d requests and %v", good, len(frames), took)
	}
}

// Such a device is polled as others are, and its status says what is wrong.
func TestADeviceThatAnswersTwiceIsPolledAndNamed(t *testing.T) {
	s := simulated(t, pump(), 1)
	s.SetFault(simulator.Fault{Kind: simulator.Duplicate})
	p, _ := onPTY(t, "", s)
	begin := time.Now()
	d := device("a", "bus", 1)
	d.Periods = map[string]time.Duration{"pressure": 200 * time.Millisecond}
	f, sink := start(t, []LineConfig{{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: p.Path()}, Timeout: patient}},
		[]DeviceConfig{d}, nil)
	for i := range 5 {
		set(t, s, "pressure", float64(i))
		sink.awaitValue(t, "a/pressure", float64(i), begin)
	}
	if st := f.Status()[0]; !st.Devices[0].Twice || st.Wire.Twice == 0 || st.Timeouts > 0 {
		t.Errorf("status %+v", st)
	}
}
