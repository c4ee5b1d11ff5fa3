package devices

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/devices/bus"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// notebook is a memory that outlives a field.
type notebook struct {
	mu    sync.Mutex
	pages map[string]Learned
	turns int
}

func (n *notebook) Recall(device string) (Learned, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, ok := n.pages[device]
	return l, ok
}

func (n *notebook) Keep(device string, l Learned) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pages[device] = l
	n.turns++
}

// holed is a model whose manual promises registers that the device does not give.
func holed() profile.Profile {
	p := profile.Profile{ID: "holed", Kind: "pump", Limits: profile.Limits{Gap: 20}}
	for i, a := range []int{0, 1, 10, 11} {
		p.Points = append(p.Points, profile.Point{
			ID: string(rune('a' + i)), Kind: facility.Measure, Table: profile.Holding, Address: a, Type: profile.U16, Period: time.Second,
		})
	}
	p.Defaults()
	return p
}

// solid is the device itself: it has what is listed and nothing between.
func solid(t *testing.T, address int) *simulator.Slave {
	p := holed()
	p.Limits.Gap = 0
	return simulated(t, p, address)
}

func runHoled(t *testing.T, memory *notebook, model profile.Profile) (refusals uint64) {
	w := &world{t: t, sink: newMemory(), slaves: []*simulator.Slave{solid(t, 1)}, baud: 9600}
	cfg := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: "memory"}}
	w.start([]LineConfig{cfg}, []DeviceConfig{{ID: "pump", Profile: model.ID, Line: "bus", Address: "1"}},
		map[string]profile.Profile{model.ID: model}, Options{Sink: w.sink, Memory: memory})
	w.run(time.Minute)
	if good, _ := qualities(w.sink.of("pump/d")); good < 50 {
		t.Errorf("%d good readings in a minute", good)
	}
	return w.line.status(time.Now()).Devices[0].Exceptions
}

func TestWhatRefusalsTeachOutlivesARestart(t *testing.T) {
	memory := &notebook{pages: map[string]Learned{}}
	synctest.Test(t, func(t *testing.T) {
		if n := runHoled(t, memory, holed()); n == 0 {
			t.Error("nothing was refused")
		}
	})
	want := []modbus.Cut{{Table: profile.Holding, Address: 10}}
	if got := memory.pages["pump"]; !cmp.Equal(got.Cuts, want) || memory.turns != 1 {
		t.Errorf("kept %+v in %d turns, want %+v", got, memory.turns, want)
	}
	synctest.Test(t, func(t *testing.T) {
		if n := runHoled(t, memory, holed()); n > 0 {
			t.Errorf("%d refusals after a restart", n)
		}
	})
	// Another map: what was learned of the last one is of no use.
	changed := holed()
	changed.Points[0].Scale = 0.1
	synctest.Test(t, func(t *testing.T) {
		if n := runHoled(t, memory, changed); n == 0 {
			t.Error("what was learned with other points is used")
		}
	})
}

func runMeter(t *testing.T, memory *notebook, order string) LineStatus {
	model := shipped(t, "cjt188-water")
	model.CJT188 = &profile.Dialect{Type: "10"}
	own := model
	own.CJT188 = &profile.Dialect{Type: "10", Order: order}
	s, err := simulator.New(own, "78330000123456")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, sink: newMemory(), slaves: []*simulator.Slave{s}, baud: 2400}
	cfg := LineConfig{ID: "bus", Protocol: CJT188, Serial: &SerialConfig{Port: "memory", Baud: 2400, Parity: "even"}}
	w.start([]LineConfig{cfg}, []DeviceConfig{{ID: "water", Profile: model.ID, Line: "bus", Address: "78330000123456"}},
		map[string]profile.Profile{model.ID: model}, Options{Sink: w.sink, Memory: memory})
	w.run(30 * time.Minute)
	if good, bad := qualities(w.sink.of("water/total")); good < 5 || bad > 0 {
		t.Errorf("%s: %d good and %d bad readings", order, good, bad)
	}
	return w.line.status(time.Now())
}

func TestTheOrderOfAnIdentifierIsLearnedOnce(t *testing.T) {
	for _, order := range []string{profile.HighFirst, profile.LowFirst} {
		memory := &notebook{pages: map[string]Learned{}}
		synctest.Test(t, func(t *testing.T) { runMeter(t, memory, order) })
		if got := memory.pages["water"].Order; got != order || memory.turns != 1 {
			t.Errorf("%s: kept %q in %d turns", order, got, memory.turns)
		}
		synctest.Test(t, func(t *testing.T) {
			if s := runMeter(t, memory, order); s.Devices[0].Timeouts > 0 {
				t.Errorf("%s: %+v after a restart", order, s.Devices[0])
			}
		})
	}
}

// Frames of a running line are seen by those who listen, with whom they are for, and
// only while they do.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newMixedWorld(t, mixed(t)...)
		if _, err := w.field.Trace("nowhere", func(bus.Exchange) {}); err == nil {
			t.Error("a line that there is not can be listened to")
		}
		seen := map[string]int{}
		var stop func()
		var stopped bool
		w.run(9*time.Minute,
			event{time.Minute, func() {
				var err error
				stop, err = w.field.Trace("bus", func(x bus.Exchange) {
					if seen[x.Device]++; stopped || len(x.Request) == 0 || len(x.Reply) == 0 || x.Took <= 0 || x.Err != nil {
						t.Errorf("stopped %v: %+v", stopped, x)
					}
				})
				if err != nil {
					t.Error(err)
				}
			}},
			event{8 * time.Minute, func() { stop(); stopped = true }},
		)
		for _, d := range []string{"dev1", "dev2", "dev3", "dev4", "dev5", "dev6"} {
			if seen[d] == 0 {
				t.Errorf("nothing was seen of %s: %v", d, seen)
			}
		}
		if w.line.ears.hears {
			t.Error("frames are kept that nobody listens to")
		}
	})
}
