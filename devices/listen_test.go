package devices

import (
	"context"
	"net"
	"testing"
	"time"

	"gengfu/devices/line"
	"gengfu/devices/simulator"
	"gengfu/facility"
	"gengfu/facility/porttest"
)

// box is a serial server that dials in, with a bus behind it.
type box struct {
	conn net.Conn
	bus  *simulator.Bus
	stop func() // its heartbeat
}

// dialInBeating registers a box and lets it send its heartbeat for ever.
func dialInBeating(t *testing.T, address, registration, heartbeat string, every time.Duration, wire simulator.Wire, slaves ...*simulator.Slave) *box {
	t.Helper()
	var conn net.Conn
	for end := time.Now().Add(time.Minute); conn == nil; {
		var err error
		if conn, err = net.Dial("tcp", address); err != nil && time.Now().After(end) {
			t.Fatal(err)
		}
		_ = line.Wait(t.Context(), time.Now().Add(5*time.Millisecond))
	}
	if _, err := conn.Write([]byte(registration)); err != nil {
		t.Fatal(err)
	}
	bus, err := simulator.NewBus(conn, wire, slaves...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		for line.Wait(ctx, time.Now().Add(every)) == nil {
			if _, err := conn.Write([]byte(heartbeat)); err != nil {
				return
			}
		}
	}()
	b := &box{conn: conn, bus: bus, stop: func() { cancel(); <-beating }}
	t.Cleanup(func() { b.stop(); _, _ = conn.Close(), bus.Close() }) // a test may have closed it
	return b
}

// often polls the device ten times a second.
func often(d DeviceConfig) DeviceConfig {
	d.Periods = map[string]time.Duration{"pressure": 100 * time.Millisecond}
	return d
}

// allRight says that no reading of the point, but what broke with the connection,
// is anything else than the value.
func allRight(t *testing.T, sink *memory, point string, value float64, most int) {
	t.Helper()
	good, bad := 0, 0
	for _, r := range sink.of(point) {
		switch {
		case r.Quality != facility.Good:
			bad++
		case r.Value == value:
			good++
		default:
			t.Errorf("%s was booked as %v", point, r.Value)
		}
	}
	if good == 0 || bad > most {
		t.Errorf("%s: %d good, %d bad readings", point, good, bad)
	}
}

// Two boxes on one address, each with its own slave 1, and heartbeats at every
// moment.
func TestBoxesThatDialIn(t *testing.T) {
	first, second := simulated(t, pump(), 1), simulated(t, pump(), 1)
	set(t, first, "pressure", 1)
	set(t, second, "pressure", 2)
	address := porttest.Address(t)
	a, b := often(device("a", "box-a", 1)), often(device("b", "box-b", 1))
	begin := time.Now()
	f, sink := start(t, []LineConfig{
		{ID: "box-a", Protocol: ModbusRTU, TCP: &TCPConfig{Listen: address, Registration: "BOX-A", Heartbeat: "alive?"}, Timeout: patient},
		{ID: "box-b", Protocol: ModbusRTU, TCP: &TCPConfig{Listen: address, Registration: "hex:D8B04C", Heartbeat: "hex:FE"}, Timeout: patient},
	}, []DeviceConfig{a, b}, nil)
	dialInBeating(t, address, "BOX-A", "alive?", 7*time.Millisecond, simulator.Wire{}, first)
	dialInBeating(t, address, "\xD8\xB0\x4C", "\xFE", 90*time.Millisecond, simulator.Wire{}, second)
	for i, d := range []string{"a", "b"} {
		sink.awaitValue(t, d+"/pressure", float64(i+1), begin)
		sink.awaitValue(t, d+"/online", 1, begin)
	}
	_ = line.Wait(t.Context(), time.Now().Add(2*time.Second))
	allRight(t, sink, "a/pressure", 1, 0)
	allRight(t, sink, "b/pressure", 2, 0)
	for _, s := range f.Status() {
		if s.State != LineUp || s.Requests < 3 || s.Timeouts > 0 || s.Opened != 1 {
			t.Errorf("status %+v", s)
		}
	}
}

// The box is cut off and dials in anew while its old connection still seems to
// stand.
func TestABoxThatDialsInAnew(t *testing.T) {
	old, fresh := simulated(t, pump(), 1), simulated(t, pump(), 1)
	set(t, old, "pressure", 1)
	set(t, fresh, "pressure", 2)
	address := porttest.Address(t)
	begin := time.Now()
	f, sink := start(t, []LineConfig{
		{ID: "box", Protocol: ModbusRTU, TCP: &TCPConfig{Listen: address, Registration: "BOX"}, Timeout: patient},
	}, []DeviceConfig{often(device("a", "box", 1))}, nil)
	dialInBeating(t, address, "BOX", "BOX", time.Hour, simulator.Wire{}, old)
	sink.awaitValue(t, "a/pressure", 1, begin)
	again := time.Now()
	dialInBeating(t, address, "BOX", "BOX", time.Hour, simulator.Wire{}, fresh)
	sink.awaitValue(t, "a/pressure", 2, again)
	if s := f.Status()[0]; s.State != LineUp || s.Opened != 2 || !s.DialsIn || s.Port != address {
		t.Errorf("status %+v", s)
	}
}

// A box that puts its heartbeat into the middle of replies spoils them; nothing of
// them is booked.
func TestHeartbeatsInsideOfReplies(t *testing.T) {
	slave := simulated(t, pump(), 1)
	set(t, slave, "pressure", 3)
	address := porttest.Address(t)
	a := often(device("a", "box", 1))
	begin := time.Now()
	f, sink := start(t, []LineConfig{
		{ID: "box", Protocol: ModbusRTU, TCP: &TCPConfig{Listen: address, Heartbeat: "hex:01030200", Baud: 9600}, Timeout: 300 * time.Millisecond},
	}, []DeviceConfig{a}, nil)
	dialInBeating(t, address, "", "\x01\x03\x02\x00", 173*time.Millisecond, simulator.Wire{Baud: 9600}, slave)
	sink.awaitValue(t, "a/pressure", 3, begin)
	_ = line.Wait(t.Context(), time.Now().Add(3*time.Second))
	allRight(t, sink, "a/pressure", 3, 1000)
	if w := f.Status()[0].Wire; w.Requests < 3 {
		t.Errorf("it was hardly asked: %+v", w)
	}
}
