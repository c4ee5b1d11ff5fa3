package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/devices"
	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/sniff"
)

// aField is one line whose exchanges the test makes.
type aField struct {
	mu   sync.Mutex
	sees map[int]func(bus.Exchange)
	n    int
}

func (f *aField) Trace(name string, see func(bus.Exchange)) (func(), error) {
	if name != "pump-house" {
		return nil, fmt.Errorf("there is no line %q", name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.n
	f.n++
	f.sees[n] = see
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.sees, n)
	}, nil
}

func (f *aField) listeners() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sees)
}

func (f *aField) say(x bus.Exchange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, see := range f.sees {
		see(x)
	}
}

func controlOf(t *testing.T, folder string) *aField {
	t.Helper()
	f := &aField{sees: map[int]func(bus.Exchange){}}
	model := profile.Profile{ID: "meter", Points: []profile.Point{{ID: "voltage", Unit: "V", Table: "input", Type: "f32", Order: "ABCD", Scale: 1}}}
	c := &control{
		field: f, version: "1", path: filepath.Join(folder, ControlFile), logger: slog.New(slog.DiscardHandler),
		lines:  []devices.LineConfig{{ID: "pump-house", Protocol: "modbus-rtu", Serial: &line.Serial{Port: "/dev/ttyUSB0", Parity: "even"}}},
		models: map[string]profile.Profile{"main": model}, profiles: map[string]string{"main": "meter"},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if _, err := os.Lstat(c.path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
	})
	until(t, "the socket", func() bool {
		info, err := os.Lstat(c.path)
		return err == nil && info.Mode().Perm() == 0o600
	})
	return f
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited long for %s", what)
		}
	}
}

func anExchange() bus.Exchange {
	return bus.Exchange{
		At: time.Unix(1000, 5), Device: "main", Took: 30 * time.Millisecond,
		Request: []byte{1, 4, 0, 0, 0, 2, 0x71, 0xCB}, Reply: []byte{1, 4, 4, 0x43, 0x66, 0x33, 0x34, 0x1B, 0x38},
	}
}

func TestTheFramesOfALineAreSeen(t *testing.T) {
	// The path of the socket is longer than the address of a Unix socket may be.
	folder := filepath.Join(t.TempDir(), strings.Repeat("long-", 20))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	f := controlOf(t, folder)
	look, err := Trace(t.Context(), folder, "pump-house")
	if err != nil {
		t.Fatal(err)
	}
	if look.Head.Line != "pump-house" || look.Head.Baud != 9600 || look.Head.Parity != "even" || look.Head.Protocol != sniff.ModbusRTU {
		t.Errorf("head %+v", look.Head)
	}
	f.say(anExchange())
	e, err := look.Next()
	if err != nil || e.Device != "main" || e.Profile != "meter" || e.Took != 30*time.Millisecond || !e.At.Equal(time.Unix(1000, 5)) {
		t.Errorf("seen %+v (%v)", e, err)
	}
	if len(e.Booked) != 1 || e.Booked[0].Quantity != "voltage" || e.Booked[0].Value == nil || *e.Booked[0].Value < 230 {
		t.Errorf("booked %+v", e.Booked)
	}
	if err := look.Close(); err != nil {
		t.Error(err)
	}
	until(t, "the line to be left alone", func() bool { return f.listeners() == 0 })
}

func TestASlowReaderLosesFramesAndIsTold(t *testing.T) {
	folder := t.TempDir()
	f := controlOf(t, folder)
	look, err := Trace(t.Context(), folder, "pump-house")
	if err != nil {
		t.Fatal(err)
	}
	big := anExchange()
	big.Reply = make([]byte, 60000) // so that the socket's own buffers are soon full
	const said = waitingMost + 500
	for range said {
		f.say(big)
	}
	seen, lost := 0, 0
	for lost == 0 && seen < said {
		e, err := look.Next()
		if err != nil {
			t.Fatal(err)
		}
		seen++
		lost += e.Lost
	}
	if lost == 0 {
		t.Errorf("%d of %d exchanges were seen and none lost", seen, said)
	}
	if err := look.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeTraced(t *testing.T) {
	folder := t.TempDir()
	if _, err := Trace(t.Context(), folder, "pump-house"); err == nil || !strings.Contains(err.Error(), "no gateway runs in") {
		t.Errorf("without a gateway: %v", err)
	}
	controlOf(t, folder)
	if _, err := Trace(t.Context(), folder, "garden"); err == nil || !strings.Contains(err.Error(), `no line "garden"`) {
		t.Errorf("another line: %v", err)
	}
	conn, err := dialUnix(t.Context(), filepath.Join(folder, ControlFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 200)
	n, err := conn.Read(answer)
	if err != nil || !strings.Contains(string(answer[:n]), "no order") {
		t.Errorf("to nonsense it says %q (%v)", answer[:n], err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestALookEndsWithItsContext(t *testing.T) {
	folder := t.TempDir()
	f := controlOf(t, folder)
	ctx, cancel := context.WithCancel(t.Context())
	look, err := Trace(ctx, folder, "pump-house")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := look.Next(); err == nil {
		t.Error("something was seen after the end")
	}
	if err := look.Close(); err != nil {
		t.Error(err)
	}
	until(t, "the line to be left alone", func() bool { return f.listeners() == 0 })
}
