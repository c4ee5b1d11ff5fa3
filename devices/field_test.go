package devices

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var models = map[string]profile.Profile{"pump": pump()}

// start runs a field until the test ends.
func start(t *testing.T, lines []LineConfig, devs []DeviceConfig, readers []ReaderConfig) (*Field, *memory) {
	t.Helper()
	return startWith(t, lines, devs, readers, models)
}

// startWith is start with models of the test's own.
func startWith(t *testing.T, lines []LineConfig, devs []DeviceConfig, readers []ReaderConfig, models map[string]profile.Profile) (*Field, *memory) {
	t.Helper()
	sink := newMemory()
	f, err := New(lines, devs, readers, models, Options{Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the field ended with %v", err)
		}
	})
	return f, sink
}

func closing(t *testing.T, c io.Closer) {
	t.Cleanup(func() { _ = c.Close() }) // a test may have closed it
}

// onPTY serves the slaves at 9600 baud under a name of a port.
func onPTY(t *testing.T, path string, slaves ...*simulator.Slave) (*simulator.PTY, *simulator.Bus) {
	t.Helper()
	p, err := simulator.OpenPTY(path)
	if err != nil {
		t.Fatal(err)
	}
	bus, err := simulator.NewBus(p, simulator.Wire{Baud: 9600, Turnaround: 2 * time.Millisecond}, slaves...)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, bus)
	return p, bus
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const patient = 5 * time.Second // a timeout that a loaded machine does not reach

func device(id, line string, address int) DeviceConfig {
	return DeviceConfig{ID: id, Profile: "pump", Line: line, Address: Unit(address)}
}

// Three lines of three kinds at once, over the kernel: every value is what the
// slave holds.
func TestReadsTheThreeKindsOfLine(t *testing.T) {
	slaves := []*simulator.Slave{simulated(t, pump(), 1), simulated(t, pump(), 2), simulated(t, pump(), 3)}
	for i, s := range slaves {
		set(t, s, "pressure", float64(i+1))
		set(t, s, "starts", float64(100000*(i+1)))
	}
	serial, _ := onPTY(t, "", slaves[0])
	gateway, err := simulator.ServeTCP(listen(t), slaves[1])
	if err != nil {
		t.Fatal(err)
	}
	closing(t, gateway)
	server, err := simulator.ServeRTUOverTCP(listen(t), simulator.Wire{}, slaves[2])
	if err != nil {
		t.Fatal(err)
	}
	closing(t, server)

	begin := time.Now()
	f, sink := start(t, []LineConfig{
		{ID: "serial", Protocol: ModbusRTU, Serial: &SerialConfig{Port: serial.Path()}, Timeout: patient},
		{ID: "tcp", Protocol: ModbusTCP, TCP: &TCPConfig{Address: gateway.Addr()}, Timeout: patient},
		{ID: "transparent", Protocol: ModbusRTU, TCP: &TCPConfig{Address: server.Addr()}, Timeout: patient},
	}, []DeviceConfig{device("a", "serial", 1), device("b", "tcp", 2), device("c", "transparent", 3)}, nil)

	for i, d := range []string{"a", "b", "c"} {
		sink.awaitValue(t, d+"/pressure", float64(i+1), begin)
		sink.awaitValue(t, d+"/starts", float64(100000*(i+1)), begin)
		sink.awaitValue(t, d+"/state", 2, begin)
		sink.awaitValue(t, d+"/online", 1, begin)
	}
	changed := time.Now()
	for _, s := range slaves {
		s.SetWords(profile.Discrete, 4, 1)
	}
	for _, d := range []string{"a", "b", "c"} {
		sink.awaitValue(t, d+"/door", 1, changed)
	}
	for _, s := range f.Status() {
		if s.State != LineUp || s.Requests == 0 || s.Errors+s.Timeouts > 0 || s.Devices[0].LastSeen == nil {
			t.Errorf("status %+v", s)
		}
	}
	if got := f.Status(); got[0].Port != serial.Path() || got[1].Port != gateway.Addr() || got[1].DialsIn {
		t.Errorf("the lines are at %q and %q", got[0].Port, got[1].Port)
	}
	if _, err := json.Marshal(f.Status()); err != nil {
		t.Error(err)
	}
}

func TestASerialPortThatVanishesAndComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "port")
	s := simulated(t, pump(), 1)
	_, bus := onPTY(t, path, s)
	begin := time.Now()
	_, sink := start(t, []LineConfig{{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: path}, Timeout: patient}},
		[]DeviceConfig{device("a", "bus", 1)}, nil)
	sink.awaitValue(t, "a/pressure", 4.25, begin)

	gone := time.Now()
	if err := bus.Close(); err != nil {
		t.Fatal(err)
	}
	sink.awaitReason(t, "a/pressure", facility.LineDown, gone)
	sink.awaitValue(t, "a/online", 0, gone)

	set(t, s, "pressure", 3)
	back := time.Now()
	onPTY(t, path, s)
	sink.awaitValue(t, "a/pressure", 3, back)
	sink.awaitValue(t, "a/online", 1, back)
}

func TestATCPGatewayThatHangsUpIsDialledAgain(t *testing.T) {
	s := simulated(t, pump(), 1)
	gateway, err := simulator.ServeTCP(listen(t), s)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, gateway)
	begin := time.Now()
	f, sink := start(t, []LineConfig{{ID: "tcp", Protocol: ModbusTCP, TCP: &TCPConfig{Address: gateway.Addr()}, Timeout: patient}},
		[]DeviceConfig{device("a", "tcp", 1)}, nil)
	sink.awaitValue(t, "a/pressure", 4.25, begin)
	set(t, s, "state", 1)
	again := time.Now()
	gateway.HangUp()
	sink.awaitValue(t, "a/state", 1, again)
	if st := f.Status()[0]; st.Opened < 2 {
		t.Errorf("opened %d times", st.Opened)
	}
}

// A peer that accepts and says nothing is what a half-open connection looks like.
func TestAHalfOpenConnectionIsDialledAgain(t *testing.T) {
	l := listen(t)
	accepted := make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	start(t, []LineConfig{{ID: "tcp", Protocol: ModbusTCP, TCP: &TCPConfig{Address: l.Addr().String()}, Timeout: 10 * time.Millisecond}},
		[]DeviceConfig{device("a", "tcp", 1), device("b", "tcp", 2)}, nil)
	for range 2 {
		select {
		case c := <-accepted:
			closing(t, c)
		case <-time.After(2 * time.Minute):
			t.Fatal("it was not dialled again")
		}
	}
}

func TestTwoProgramsDoNotShareAPort(t *testing.T) {
	p, _ := onPTY(t, "", simulated(t, pump(), 1))
	cfg := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: p.Path()}, Timeout: patient}
	begin := time.Now()
	_, sink := start(t, []LineConfig{cfg}, []DeviceConfig{device("a", "bus", 1)}, nil)
	sink.awaitValue(t, "a/pressure", 4.25, begin)
	if _, _, err := ReadOnce(t.Context(), cfg, device("a", "bus", 1), pump()); err == nil {
		t.Error("the port was opened twice")
	}
}

func TestAReaderOnASerialPort(t *testing.T) {
	p, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	reader := simulator.NewNFCReader(p)
	closing(t, reader)
	begin := time.Now()
	f, sink := start(t, []LineConfig{{ID: "gate", Protocol: NFCASCII, Serial: &SerialConfig{Port: p.Path()}}},
		nil, []ReaderConfig{{ID: "reader-gate", Line: "gate", Checkpoint: "gate"}})
	for _, uid := range []string{"04A035B2", "04A035B2", "04A035B2", "FB0EE20B"} {
		if err := reader.Tap(uid); err != nil {
			t.Fatal(err)
		}
	}
	if err := reader.Send([]byte("\x02010063E9AE25\x03no card here\r\n04416D41")); err != nil {
		t.Fatal(err)
	}
	sink.await(t, "four taps", func() bool { return len(sink.tapped()) == 4 })
	var got []string
	for _, tap := range sink.tapped() {
		got = append(got, tap.Credential)
		if len(tap.ID) != 36 || tap.ID[14] != '7' || tap.Source != facility.TapReader || tap.Reader != "reader-gate" ||
			tap.TappedAt.Before(begin) || tap.SentAt.Before(tap.TappedAt) || !tap.ReceivedAt.IsZero() {
			t.Errorf("tap %+v", tap)
		}
	}
	if want := []string{"04A035B2", "FB0EE20B", "010063E9AE", "04416D41"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if s := f.Status()[0]; s.Errors != 1 {
		t.Errorf("status %+v", s)
	}
}

func TestAnRDM6300OnASerialPort(t *testing.T) {
	cases := map[string]struct {
		reader func(io.WriteCloser) *simulator.NFCReader
		noise  string
		taps   []string
	}{
		"digits": {simulator.NewRDM6300, "\x02010063E9AE26\x03", []string{"010063E9AE", "2900DEB30A", "3C00CE754C"}},
		"binary": {simulator.NewGwiot7941E, "\x02\x0A\x02\x06\x00\x8E\x6D\x5D\xB1\x03", []string{"06008E6D5D", "6B3D12D6", "2E00B6D7B5"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := simulator.OpenPTY("")
			if err != nil {
				t.Fatal(err)
			}
			reader := c.reader(p)
			closing(t, reader)
			f, sink := start(t, []LineConfig{{
				ID: "gate", Protocol: RDM6300, Serial: &SerialConfig{Port: p.Path(), Baud: 9600}, Reader: &ReaderOptions{Debounce: 10 * time.Second},
			}}, nil, []ReaderConfig{{ID: "reader-gate", Line: "gate", Checkpoint: "gate"}})
			if err := reader.Send([]byte(c.noise)); err != nil {
				t.Fatal(err)
			}
			for _, uid := range c.taps {
				for range 20 { // held for a second
					if err := reader.Tap(uid); err != nil {
						t.Fatal(err)
					}
				}
			}
			sink.await(t, "a tap of each card", func() bool { return len(sink.tapped()) >= len(c.taps) })
			var got []string
			for _, tap := range sink.tapped() {
				got = append(got, tap.Credential)
				if tap.Source != facility.TapReader || tap.Reader != "reader-gate" {
					t.Errorf("tap %+v", tap)
				}
			}
			if !slices.Equal(got, c.taps) {
				t.Errorf("got %q, want %q", got, c.taps)
			}
			if s := f.Status()[0]; s.Errors != 1 || s.Protocol != RDM6300 || s.State != LineUp {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestNewRefusesAWrongConfiguration(t *testing.T) {
	_, err := New([]LineConfig{{ID: "bus"}}, []DeviceConfig{device("a", "elsewhere", 1)}, nil, models, Options{Sink: newMemory()})
	if err == nil {
		t.Fatal("accepted")
	}
	if _, err := New(nil, nil, nil, models, Options{}); err == nil {
		t.Error("accepted without a sink")
	}
}

func TestReadOnceShowsValuesAndBytes(t *testing.T) {
	s := simulated(t, pump(), 0x11)
	p, _ := onPTY(t, "", s)
	cfg := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: p.Path()}, Timeout: patient}
	readings, frames, err := ReadOnce(t.Context(), cfg, device("a", "bus", 0x11), pump())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"fault": 0, "state": 2, "pressure": 4.25, "starts": 70000, "door": 0}
	for _, r := range readings {
		if v, ok := want[r.Point.Quantity]; !ok || r.Quality != facility.Good || r.Value != v || r.Time.IsZero() {
			t.Errorf("%+v, want %v", r, v)
		}
		delete(want, r.Point.Quantity)
	}
	if len(want) > 0 || len(frames) != 3 { // the first reply is told from a late one to another program
		t.Errorf("not read: %v; %d frames", want, len(frames))
	}
	for _, f := range frames {
		if len(f.Request) != 8 || f.Request[0] != 0x11 || len(f.Reply) < 6 || f.Took <= 0 || f.Err != nil {
			t.Errorf("frame %+v", f)
		}
	}
}

func TestReadOnceOfADeviceThatLacksAPoint(t *testing.T) {
	s := simulated(t, pump(), 1)
	gateway, err := simulator.ServeTCP(listen(t), s)
	if err != nil {
		t.Fatal(err)
	}
	closing(t, gateway)
	p := pump()
	p.Points = append(p.Points, profile.Point{ID: "torque", Kind: facility.Measure, Table: profile.Holding, Address: 5, Type: profile.U16})
	cfg := LineConfig{ID: "tcp", Protocol: ModbusTCP, TCP: &TCPConfig{Address: gateway.Addr()}, Timeout: patient}
	readings, _, err := ReadOnce(t.Context(), cfg, device("a", "tcp", 1), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range readings {
		wantBad := r.Point.Quantity == "torque"
		if (r.Quality == facility.Bad) != wantBad || wantBad && r.Reason != facility.DeviceError {
			t.Errorf("%+v", r)
		}
	}
}

func TestReadOnceOfASilentDevice(t *testing.T) {
	s := simulated(t, pump(), 1)
	s.SetFault(silent)
	p, _ := onPTY(t, "", s)
	cfg := LineConfig{ID: "bus", Protocol: ModbusRTU, Serial: &SerialConfig{Port: p.Path()}, Timeout: 50 * time.Millisecond}
	readings, frames, err := ReadOnce(t.Context(), cfg, device("a", "bus", 1), pump())
	if err == nil || len(readings) != 5 || len(frames) != 2 {
		t.Fatalf("%d readings, %d frames, %v", len(readings), len(frames), err)
	}
	for _, r := range readings {
		if r.Quality != facility.Bad || r.Reason != facility.NoAnswer {
			t.Errorf("%+v", r)
		}
	}
}
