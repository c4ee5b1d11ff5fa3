package devices

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line/linetest"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

// memory is a sink that remembers.
type memory struct {
	mu       sync.Mutex
	readings []facility.Reading
	taps     []facility.Tap
	refuse   error
	changed  chan struct{} // closed and replaced with every change
}

func newMemory() *memory { return &memory{changed: make(chan struct{})} }

func (m *memory) Readings(_ context.Context, r []facility.Reading) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	m.readings = append(m.readings, r...)
	m.signal()
	return nil
}

func (m *memory) Tap(_ context.Context, tap facility.Tap) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	m.taps = append(m.taps, tap)
	m.signal()
	return nil
}

func (m *memory) signal() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) refusing(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = err
}

// of returns the readings of a point, "device/quantity".
func (m *memory) of(point string) []facility.Reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []facility.Reading
	for _, r := range m.readings {
		if r.Point.String() == point {
			out = append(out, r)
		}
	}
	return out
}

func (m *memory) tapped() []facility.Tap {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.taps)
}

// await waits until the sink holds what is asked for.
func (m *memory) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	late := time.NewTimer(2 * time.Minute)
	defer late.Stop()
	for {
		m.mu.Lock()
		changed := m.changed
		m.mu.Unlock()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			t.Fatalf("still waiting for %s; readings %v", what, m.readings)
		}
	}
}

// awaitValue waits for a reading of the point that is good and has the value, made
// after since.
func (m *memory) awaitValue(t *testing.T, point string, value float64, since time.Time) {
	t.Helper()
	m.await(t, fmt.Sprintf("%s = %v", point, value), func() bool {
		return slices.ContainsFunc(m.of(point), func(r facility.Reading) bool {
			return r.Quality == facility.Good && r.Value == value && r.Time.After(since)
		})
	})
}

// awaitReason waits for a bad reading of the point, made after since.
func (m *memory) awaitReason(t *testing.T, point string, reason facility.Reason, since time.Time) {
	t.Helper()
	m.await(t, fmt.Sprintf("%s bad: %s", point, reason), func() bool {
		return slices.ContainsFunc(m.of(point), func(r facility.Reading) bool {
			return r.Quality == facility.Bad && r.Reason == reason && r.Time.After(since)
		})
	})
}

// pump is a small model of device with a point of every kind.
func pump() profile.Profile {
	bit := 0
	p := profile.Profile{
		ID: "pump", Kind: "pump",
		Points: []profile.Point{
			{ID: "fault", Kind: facility.Signal, Table: profile.Holding, Address: 0, Bit: &bit},
			{ID: "state", Kind: facility.State, Table: profile.Holding, Address: 1, Type: profile.U16},
			{ID: "pressure", Kind: facility.Measure, Unit: "bar", Table: profile.Holding, Address: 2, Type: profile.U16, Scale: 0.01, Decimals: 2},
			{ID: "starts", Kind: facility.Counter, Table: profile.Holding, Address: 3, Type: profile.U32},
			{ID: "door", Kind: facility.Signal, Table: profile.Discrete, Address: 4},
		},
		Persona: profile.Persona{Values: map[string]float64{"state": 2, "pressure": 4.25, "starts": 70000}},
	}
	p.Defaults()
	return p
}

func simulated(t *testing.T, p profile.Profile, address int) *simulator.Slave {
	t.Helper()
	s, err := simulator.NewSlave(p, address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t *testing.T, s *simulator.Slave, quantity string, value float64) {
	t.Helper()
	if err := s.Set(quantity, value); err != nil {
		t.Fatal(err)
	}
}

var silent = simulator.Fault{Kind: simulator.Silent}

// world is a line in memory with slaves, at 9600 baud, in a bubble of synctest.
type world struct {
	t      *testing.T
	field  *Field
	line   *busLine
	baud   int
	sink   *memory
	bus    *simulator.Bus
	slaves []*simulator.Slave
	mu     sync.Mutex
	broken error // of an attempt to open
	opened int
}

var errNoPort = errors.New("no such port")

// newWorld makes a line with one device for each slave: "dev1" at address 1 ...
func newWorld(t *testing.T, p profile.Profile, slaves ...*simulator.Slave) *world {
	t.Helper()
	w := &world{t: t, sink: newMemory(), slaves: slaves, baud: 9600}
	cfg := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: "memory"}, Timeout: 500 * time.Millisecond}
	var devs []DeviceConfig
	for _, s := range slaves {
		devs = append(devs, DeviceConfig{ID: fmt.Sprintf("dev%d", s.Address()), Profile: p.ID, Line: "bus", Address: Unit(s.Address())})
	}
	w.start([]LineConfig{cfg}, devs, map[string]profile.Profile{p.ID: p}, Options{Sink: w.sink})
	return w
}

// start makes the field of which the first line is that of the world.
func (w *world) start(lines []LineConfig, devs []DeviceConfig, models map[string]profile.Profile, opts Options) {
	w.t.Helper()
	var err error
	if w.field, err = New(lines, devs, nil, models, opts); err != nil {
		w.t.Fatal(err)
	}
	w.line = w.field.lines[0].(*busLine)
	w.line.wait = linetest.Wait
	w.line.open = w.open
}

func (w *world) open(context.Context) (connection, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opened++
	if w.broken != nil {
		return nil, w.broken
	}
	m, s := linetest.Pair()
	bus, err := simulator.NewBus(s, simulator.Wire{Baud: w.baud, Turnaround: 20 * time.Millisecond}, w.slaves...)
	if err != nil {
		return nil, err
	}
	w.bus = bus
	return m, nil
}

// breaks makes the line fail, and every attempt to open it until err is nil.
func (w *world) breaks(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = err
	if err != nil {
		_ = w.bus.Close() // it may have ended by itself
	}
}

// run lets the line run for so long, with things that happen at their times, and
// waits until it has stopped.
func (w *world) run(d time.Duration, events ...event) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.line.run(ctx)
	}()
	start := time.Now()
	for _, e := range events {
		_ = linetest.Wait(ctx, start.Add(e.after))
		e.happens()
	}
	_ = linetest.Wait(ctx, start.Add(d))
	cancel()
	<-done
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bus != nil {
		_ = w.bus.Close()
	}
}

type event struct {
	after   time.Duration
	happens func()
}

var (
	_ connection = (*linetest.Master)(nil)
	_ bus.Conn   = (*linetest.Master)(nil)
)
