package simulator_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/devices/profile"
	"gengfu/devices/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func frame(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ptr[T any](v T) *T { return &v }

func pump() profile.Profile {
	return profile.Profile{
		ID: "pump", Kind: "pump",
		Points: []profile.Point{
			{ID: "running", Kind: "state", Table: "holding", Address: 0, Bit: ptr(0)},
			{ID: "fault", Kind: "alarm", Table: "holding", Address: 0, Bit: ptr(4)},
			{ID: "pressure", Kind: "measure", Table: "holding", Address: 1, Type: "i16", Scale: 0.01},
			{ID: "energy", Kind: "counter", Table: "input", Address: 72, Type: "f32"},
			{ID: "door", Kind: "state", Table: "discrete", Address: 5},
			{ID: "valve", Kind: "state", Table: "coil", Address: 9},
		},
		Persona: profile.Persona{Values: map[string]float64{"pressure": 4, "running": 1}},
	}
}

func newSlave(t testing.TB, p profile.Profile, address int) *simulator.Slave {
	t.Helper()
	s, err := simulator.NewSlave(p, address)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSlaveShowsWhatIsSet(t *testing.T) {
	s := newSlave(t, pump(), 11)
	for _, c := range []struct {
		quantity string
		value    float64
	}{{"fault", 1}, {"pressure", -0.25}, {"energy", 12345.5}, {"door", 1}, {"running", 1}} {
		if err := s.Set(c.quantity, c.value); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(c.quantity); err != nil || got != c.value {
			t.Errorf("%s is %v (%v), want %v", c.quantity, got, err, c.value)
		}
	}
	if w := s.Words(profile.Holding, 0, 1)[0]; w != 0x0011 {
		t.Errorf("the status register is %04x, want bits 0 and 4", w)
	}
	if err := s.Set("speed", 1); err == nil {
		t.Error("a quantity that the profile does not have was set")
	}
	if err := s.Set("pressure", 1e6); err == nil {
		t.Error("a value that the register cannot hold was set")
	}
}

func TestNewSlaveRefuses(t *testing.T) {
	for _, address := range []int{0, 248, -1} {
		if _, err := simulator.NewSlave(pump(), address); err == nil {
			t.Errorf("address %d was taken", address)
		}
	}
	p := pump()
	p.Points[0].Table = "nowhere"
	if _, err := simulator.NewSlave(p, 1); err == nil {
		t.Error("a point without a table was taken")
	}
}

// line is a bus on a pty with a client at its other end.
func line(t *testing.T, wire simulator.Wire, slaves ...*simulator.Slave) *os.File {
	t.Helper()
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	bus, err := simulator.NewBus(tty, wire, slaves...)
	if err != nil {
		t.Fatal(err)
	}
	client := open(t, tty)
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), bus.Close()); err != nil {
			t.Error(err)
		}
	})
	return client
}

// open is the gateway's end of a pty.
func open(t *testing.T, tty *simulator.PTY) *os.File {
	t.Helper()
	client, err := os.OpenFile(tty.Path(), os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func exchange(t *testing.T, rw io.ReadWriter, request string, replyBytes int) string {
	t.Helper()
	if _, err := rw.Write(frame(t, request)); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, replyBytes)
	if _, err := io.ReadFull(rw, reply); err != nil {
		t.Fatal(err)
	}
	return strings.ToUpper(hex.EncodeToString(reply))
}

// Published exchanges, byte for byte.
func TestPublishedFrames(t *testing.T) {
	s := newSlave(t, profile.Profile{}, 1)
	s.SetWords(profile.Input, 0, 0x4366, 0x3334)
	s.SetWords(profile.Input, 1, 0x3334)
	s.SetWords(profile.Holding, 0x000C, 0x42C8, 0)
	s.SetWords(profile.Holding, 0xD000, 0x01F4, 0x000B)
	s.SetWords(profile.Holding, 0x1001, 0, 0)
	s.SetWords(profile.Discrete, 0, make([]uint16, 6)...)
	coils := make([]uint16, 31)
	coils[4], coils[28] = 1, 1
	s.SetWords(profile.Coil, 0, coils...)
	seventeen := newSlave(t, profile.Profile{}, 0x11)
	seventeen.SetWords(profile.Holding, 0x6B, 0xAE41, 0x5652, 0x4340)
	five := newSlave(t, profile.Profile{}, 5)
	five.SetWords(profile.Holding, 0x0D, 0)
	client := line(t, simulator.Wire{}, s, seventeen, five)

	for _, c := range []struct{ name, request, reply string }{
		{"Eastron volts", "01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38"},
		{"Eastron pulse width", "01 03 00 0C 00 02 04 08", "01 03 04 42 C8 00 00 6F B5"},
		{"Simphoenix drive", "01 03 D0 00 00 02 FC CB", "01 03 04 01 F4 00 0B FB FA"},
		{"Simphoenix run at 40 Hz", "01 10 10 01 00 02 04 00 01 01 90 AF 9F", "01 10 10 01 00 02 14 C8"},
		{"epics coils", "01 01 00 00 00 1F 7D C2", "01 01 04 10 00 00 10 FE DD"},
		{"epics inputs", "01 02 00 00 00 06 F8 08", "01 02 01 00 A1 88"},
		{"the textbook's registers", "11 03 00 6B 00 03 76 87", "11 03 06 AE 41 56 52 43 40 49 AD"},
		{"a register written", "05 06 00 0D 17 70 17 99", "05 06 00 0D 17 70 17 99"},
	} {
		want := strings.ReplaceAll(c.reply, " ", "")
		if got := exchange(t, client, c.request, len(want)/2); got != want {
			t.Errorf("%s: reply %s, want %s", c.name, got, want)
		}
	}
	if got := five.Words(profile.Holding, 0x0D, 1)[0]; got != 0x1770 {
		t.Errorf("the written register is %04x", got)
	}
}

// with appends the CRC.
func with(t testing.TB, s string) string {
	b := frame(t, s)
	crc := profile.CRC16(b)
	return hex.EncodeToString(append(b, byte(crc), byte(crc>>8)))
}

func TestExceptionsAndWrites(t *testing.T) {
	s := newSlave(t, pump(), 11)
	s.SetWords(profile.Coil, 20, make([]uint16, 10)...)
	client := line(t, simulator.Wire{}, s)
	for _, c := range []struct{ name, request, reply string }{
		{"unknown function", "0B 2B 0E 01 00", "0B AB 01"},
		{"unmapped register", "0B 03 00 01 00 02", "0B 83 02"},
		{"past the last register", "0B 03 FF FF 00 02", "0B 83 02"},
		{"no registers", "0B 03 00 00 00 00", "0B 83 03"},
		{"too many registers", "0B 03 00 00 00 7E", "0B 83 03"},
		{"too many bits", "0B 02 00 00 07 D1", "0B 82 03"},
		{"coil neither on nor off", "0B 05 00 09 12 34", "0B 85 03"},
		{"unmapped coil", "0B 05 00 08 FF 00", "0B 85 02"},
		{"coil on", "0B 05 00 09 FF 00", "0B 05 00 09 FF 00"},
		{"byte count of registers", "0B 10 00 00 00 02 02 00 01", "0B 90 03"},
		{"ten coils", "0B 0F 00 14 00 0A 02 05 02", "0B 0F 00 14 00 0A"},
	} {
		want := strings.ToUpper(with(t, c.reply))
		if got := exchange(t, client, with(t, c.request), len(want)/2); got != want {
			t.Errorf("%s: reply %s, want %s", c.name, got, want)
		}
	}
	if v, err := s.Get("valve"); err != nil || v != 1 {
		t.Errorf("the valve is %v (%v), want 1", v, err)
	}
	want := []uint16{1, 0, 1, 0, 0, 0, 0, 0, 0, 1}
	for i, w := range s.Words(profile.Coil, 20, 10) {
		if w != want[i] {
			t.Errorf("coil %d is %d, want %d", 20+i, w, want[i])
		}
	}
}

// Where the profile says that registers in between may be read, they can be.
func TestGapsOfTheProfileExist(t *testing.T) {
	p := profile.Profile{
		ID: "meter", Limits: profile.Limits{Gap: 2},
		Points: []profile.Point{
			{ID: "flow", Table: "holding", Address: 0, Type: "f32"},
			{ID: "speed", Table: "holding", Address: 4, Type: "f32"},
			{ID: "error", Table: "holding", Address: 9, Type: "u16"},
		},
	}
	client := line(t, simulator.Wire{}, newSlave(t, p, 1))
	want := strings.ToUpper(with(t, "01 03 0C"+strings.Repeat("00", 12)))
	if got := exchange(t, client, with(t, "01 03 00 00 00 06"), len(want)/2); got != want {
		t.Errorf("over the gap: %s", got)
	}
	want = strings.ToUpper(with(t, "01 83 02"))
	if got := exchange(t, client, with(t, "01 03 00 04 00 06"), len(want)/2); got != want {
		t.Errorf("over a wider one: %s", got)
	}
}

// What is not for this bus gets no answer, and the next good request does.
func TestOnlyGoodFramesForItAreAnswered(t *testing.T) {
	s := newSlave(t, pump(), 11)
	client := line(t, simulator.Wire{}, s)
	good := with(t, "0B 03 00 01 00 01")
	want := strings.ToUpper(with(t, "0B 03 02 01 90"))
	for _, c := range []struct{ name, before string }{
		{"foreign request", with(t, "0C 03 00 01 00 01")},
		{"wrong CRC", "0B 03 00 01 00 01 12 34"},
		{"stray byte", "FF"},
		{"broadcast", with(t, "00 06 00 01 01 90")},
	} {
		if got := exchange(t, client, c.before+good, len(want)/2); got != want {
			t.Errorf("after a %s: %s, want %s", c.name, got, want)
		}
	}
	if n := s.Served(); n != 4 {
		t.Errorf("it served %d requests, want the 4 good ones", n)
	}
}

func TestFaults(t *testing.T) {
	s := newSlave(t, pump(), 11)
	client := line(t, simulator.Wire{}, s)
	request := with(t, "0B 03 00 01 00 01")
	healthy := strings.ToUpper(with(t, "0B 03 02 01 90"))
	set := func(name string) {
		f, err := simulator.ParseFault(name)
		if err != nil {
			t.Fatal(err)
		}
		s.SetFault(f)
	}

	set("exception 2")
	if got := exchange(t, client, request, 5); got != strings.ToUpper(with(t, "0B 83 02")) {
		t.Errorf("exception: %s", got)
	}
	set("busy")
	if got := exchange(t, client, request, 5); got != strings.ToUpper(with(t, "0B 83 06")) {
		t.Errorf("busy: %s", got)
	}
	set("corrupt")
	if got := exchange(t, client, request, 7); got == healthy || got[:10] != healthy[:10] {
		t.Errorf("corrupt: %s, want another CRC than %s", got, healthy)
	}
	set("truncated")
	if got := exchange(t, client, request, 3); got != healthy[:6] {
		t.Errorf("truncated: %s", got)
	}
	set("split 5ms")
	if got := exchange(t, client, request, 7); got != healthy {
		t.Errorf("split: %s", got)
	}
	set("late 30ms")
	before := time.Now()
	if got := exchange(t, client, request, 7); got != healthy || time.Since(before) < 30*time.Millisecond {
		t.Errorf("late: %s after %v", got, time.Since(before))
	}
	if f := s.Fault(); f != (simulator.Fault{}) {
		t.Errorf("late is still set: %+v", f)
	}
	s.SetFault(simulator.Fault{Kind: simulator.Silent, Times: 1})
	if got := exchange(t, client, request+request, 7); got != healthy {
		t.Errorf("silent once: %s", got)
	}
	if n := s.Served(); n != 8 {
		t.Errorf("it served %d requests, want 8", n)
	}
}

func TestParseFaultRefuses(t *testing.T) {
	for _, s := range []string{"", "asleep", "slow", "slow fast", "exception", "exception 256", "silent 3s"} {
		if f, err := simulator.ParseFault(s); err == nil {
			t.Errorf("%q is %+v", s, f)
		}
	}
}

// A reply of 9 characters on a paced line takes at least as long as the request
// and the reply take on the wire.
func TestPacing(t *testing.T) {
	wire := simulator.Wire{Baud: 9600, Bits: 10, Turnaround: 5 * time.Millisecond}
	s := newSlave(t, pump(), 11)
	client := line(t, wire, s)
	start := time.Now()
	exchange(t, client, with(t, "0B 04 00 48 00 02"), 9)
	if took, least := time.Since(start), wire.Characters(8+9)+wire.Turnaround; took < least {
		t.Errorf("the exchange took %v, on the wire it takes %v", took, least)
	}
	if got := (simulator.Wire{Baud: 2400, Bits: 11}).Characters(1); got != 4583333*time.Nanosecond {
		t.Errorf("a character at 2400 8E1 takes %v", got)
	}
}

func TestTwoSlavesOfOneAddress(t *testing.T) {
	a, b := newSlave(t, pump(), 3), newSlave(t, pump(), 3)
	local, remote := net.Pipe()
	defer local.Close()
	defer remote.Close()
	if _, err := simulator.NewBus(local, simulator.Wire{}, a, b); err == nil {
		t.Error("two slaves of one address were taken")
	}
}

func TestPTYComesAndGoes(t *testing.T) {
	link := filepath.Join(t.TempDir(), "lines", "pump-house")
	for range 2 {
		tty, err := simulator.OpenPTY(link)
		if err != nil {
			t.Fatal(err)
		}
		bus, err := simulator.NewBus(tty, simulator.Wire{}, newSlave(t, pump(), 11))
		if err != nil {
			t.Fatal(err)
		}
		// A gateway that closes and opens the port again finds the line alive.
		for range 2 {
			client, err := os.OpenFile(link, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Fatal(err)
			}
			exchange(t, client, with(t, "0B 03 00 01 00 01"), 7)
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := bus.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the link stayed: %v", err)
		}
	}
	if err := os.WriteFile(link, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := simulator.OpenPTY(link); err == nil {
		t.Error("a file was replaced by a link")
	}
}

func TestNFCReader(t *testing.T) {
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	client, err := os.OpenFile(tty.Path(), os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	reader := simulator.NewNFCReader(tty)
	if err := reader.Tap("04:a0:35:b2"); err != nil {
		t.Fatal(err)
	}
	if err := reader.Tap("not a badge"); err == nil {
		t.Error("nonsense was sent")
	}
	got := make([]byte, 10)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "04A035B2\r\n" {
		t.Errorf("the reader sent %q (%v)", got, err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadersOfFrames(t *testing.T) {
	for _, c := range []struct {
		name   string
		reader func(io.WriteCloser) *simulator.NFCReader
		uid    string
		want   string // "" is refused
	}{
		{"RDM6300 (arduino forum 251993)", simulator.NewRDM6300, "01:00:63:e9:ae", "\x02010063E9AE25\x03"},
		{"RDM6300, a card of another kind", simulator.NewRDM6300, "04A035B2", ""},
		{"7941E (its sheet)", simulator.NewGwiot7941E, "2E00B6D7B5", "\x02\x0A\x02\x2E\x00\xB6\xD7\xB5\xF2\x03"},
		{"7941E, MIFARE", simulator.NewGwiot7941E, "6B3D12D6", "\x02\x09\x01\x6B\x3D\x12\xD6\x9A\x03"},
		{"7941E, a card of another kind", simulator.NewGwiot7941E, "04A035B2C1D2E3", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			reader := c.reader(w)
			if err := reader.Tap(c.uid); (err == nil) != (c.want != "") {
				t.Errorf("tapped: %v", err)
			}
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
				t.Errorf("it sent % X (%v), want % X", got, err, c.want)
			}
		})
	}
}

func TestALineThatNobodyReadsDoesNotBlockForEver(t *testing.T) {
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	for range 100 {
		if _, failed = tty.Write(make([]byte, 1024)); failed != nil {
			break
		}
	}
	if !errors.Is(failed, os.ErrDeadlineExceeded) {
		t.Errorf("100 KiB were written to nobody: %v", failed)
	}
	if err := tty.Close(); err != nil {
		t.Error(err)
	}
}

func gateway(t *testing.T, slaves ...*simulator.Slave) (*simulator.Server, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := simulator.ServeTCP(l, slaves...)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close() // some tests close it themselves
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, conn
}

func TestTCP(t *testing.T) {
	s := newSlave(t, pump(), 11)
	if err := s.Set("energy", 100); err != nil {
		t.Fatal(err)
	}
	server, conn := gateway(t, s)
	for _, c := range []struct{ name, request, reply string }{
		{"read", "1234 0000 0006 0B 04 0048 0002", "1234 0000 0007 0B 04 04 42C80000"},
		{"exception", "BDF6 0000 0006 0B 04 0573 0001", "BDF6 0000 0003 0B 84 02"},
		{"unknown unit", "0001 0000 0006 07 03 0000 0001", "0001 0000 0003 07 83 0B"},
	} {
		want := strings.ReplaceAll(c.reply, " ", "")
		if got := exchange(t, conn, c.request, len(want)/2); got != want {
			t.Errorf("%s: reply %s, want %s", c.name, got, want)
		}
	}

	// A slow unit does not hold up the next request, whose reply overtakes.
	s.SetFault(simulator.Fault{Kind: simulator.Slow, Delay: 50 * time.Millisecond, Times: 1})
	both := "0001 0000 0006 0B 04 0048 0002" + "0002 0000 0006 0B 04 0048 0002"
	if got := exchange(t, conn, both, 26); got[:4] != "0002" || got[26:30] != "0001" {
		t.Errorf("replies %s, want the second first", got)
	}
	s.SetFault(simulator.Fault{Kind: simulator.Corrupt, Times: 1})
	if got := exchange(t, conn, "1234 0000 0006 0B 04 0048 0002", 13); got[:4] == "1234" {
		t.Errorf("corrupt kept the transaction id: %s", got)
	}

	server.HangUp()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes after the gateway hung up", n)
	}
}

func TestTCPDropsWhatIsNotModbus(t *testing.T) {
	_, conn := gateway(t, newSlave(t, pump(), 11))
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("it answered %d bytes to HTTP", n)
	}
}

func TestRTUOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := simulator.ServeRTUOverTCP(l, simulator.Wire{Baud: 19200, Bits: 11}, newSlave(t, pump(), 11))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ToUpper(with(t, "0B 03 02 01 90"))
	if got := exchange(t, conn, with(t, "0B 03 00 01 00 01"), 7); got != want {
		t.Errorf("reply %s, want %s", got, want)
	}
	if err := errors.Join(conn.Close(), server.Close()); err != nil {
		t.Error(err)
	}
}

// Close does not wait for a reply that is still to come.
func TestCloseEndsSlowReplies(t *testing.T) {
	s := newSlave(t, pump(), 11)
	s.SetFault(simulator.Fault{Kind: simulator.Slow, Delay: time.Hour})
	tty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	bus, err := simulator.NewBus(tty, simulator.Wire{}, s)
	if err != nil {
		t.Fatal(err)
	}
	client, err := os.OpenFile(tty.Path(), os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write(frame(t, with(t, "0B 03 00 01 00 01"))); err != nil {
		t.Fatal(err)
	}
	for s.Served() == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the request never arrived")
		}
		pause(t)
	}
	if err := errors.Join(bus.Close(), client.Close()); err != nil {
		t.Error(err)
	}
}

func pause(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(time.Millisecond):
	case <-t.Context().Done():
	}
}

// Whatever a master sends, the slave answers with a whole PDU or not at all, and
// only frames with a good CRC are answered.
func FuzzBus(f *testing.F) {
	for _, s := range []string{"0B 03 00 01 00 01", "0B 10 00 00 00 02 04 00 01 00 02", "0B 0F 00 14 00 0A 02 05 02", "00 06 00 01 00 01", "0B 2B 0E"} {
		f.Add(frame(f, with(f, s)))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		slave, err := simulator.NewSlave(pump(), 11)
		if err != nil {
			t.Fatal(err)
		}
		wire := &recorder{in: bytes.NewReader(in)}
		bus, err := simulator.NewBus(wire, simulator.Wire{}, slave)
		if err != nil {
			t.Fatal(err)
		}
		bus.Wait()
		if reply := wire.out.Bytes(); len(reply) > 0 && (len(reply) < 5 || reply[0] != 11) {
			t.Errorf("%x was answered with %x", in, reply)
		}
	})
}

type recorder struct {
	in  io.Reader
	out bytes.Buffer
}

func (r *recorder) Read(b []byte) (int, error)  { return r.in.Read(b) }
func (r *recorder) Write(b []byte) (int, error) { return r.out.Write(b) }
func (r *recorder) Close() error                { return nil }
