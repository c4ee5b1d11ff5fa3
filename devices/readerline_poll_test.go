package devices

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"gengfu/devices/line"
	"gengfu/devices/line/linetest"
	"gengfu/devices/simulator"
)

// chipWorld is a PN532 on a line in memory.
type chipWorld struct {
	*readerWorld
	chip *simulator.PN532 // of the present connection
}

func newChipWorld(t *testing.T) *chipWorld {
	w := &chipWorld{readerWorld: newWorldOf(t, PN532, nil)}
	w.line.open = func(context.Context) (connection, error) {
		if w.gone.Load() {
			return nil, errNoPort
		}
		m, s := linetest.Pair()
		w.chip = simulator.NewPN532(s)
		go func() { _ = w.chip.Serve() }() // ends with the line
		return m, nil
	}
	return w
}

func (w *chipWorld) hold(t *testing.T, uid string) {
	t.Helper()
	if err := w.chip.Hold(uid); err != nil {
		t.Error(err)
	}
}

func TestAPN532IsWokenAndAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChipWorld(t)
		w.during(t, func(pause func(time.Duration)) {
			for _, uid := range []string{"04A035B2BC2B80", "FB0EE20B", "0102030405060708090A"} {
				w.hold(t, uid)
				pause(10 * time.Second) // one visit, however long
				w.chip.Remove()
				pause(time.Second)
			}
			w.hold(t, "FB0EE20B") // and twice is two, when it was away between
			pause(300 * time.Millisecond)
			w.chip.Remove()
			pause(2 * time.Second)
			w.hold(t, "FB0EE20B")
			pause(300 * time.Millisecond)
			w.chip.Remove()
			pause(6 * time.Second)
			w.hold(t, "FB0EE20B")
			pause(300 * time.Millisecond)
			if s := w.line.status(time.Now()); s.State != LineUp || s.Timeouts != 0 || s.Requests < 100 {
				t.Errorf("status %+v", s)
			}
		})
		want := []string{"04A035B2BC2B80", "FB0EE20B", "0102030405060708090A", "FB0EE20B", "FB0EE20B"}
		if got := w.credentials(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestAPN532WithoutPower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChipWorld(t)
		w.during(t, func(pause func(time.Duration)) {
			pause(time.Second)
			w.chip.Power(false)
			pause(10 * time.Second)
			if s := w.line.status(time.Now()); s.State != LineDown || !strings.Contains(s.Reason, "does not answer") || s.Timeouts < 4 {
				t.Errorf("without power: %+v", s)
			}
			w.chip.Power(true)
			w.hold(t, "FB0EE20B")
			pause(2 * time.Second)
			if s := w.line.status(time.Now()); s.State != LineUp || s.Opened != 1 {
				t.Errorf("with power again: %+v", s)
			}
		})
		if got := w.credentials(); !slices.Equal(got, []string{"FB0EE20B"}) {
			t.Errorf("got %q", got)
		}
	})
}

// The power blinks between two looks for a card: nothing tells of it but that the
// chip sleeps.
func TestAPN532WhosePowerBlinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChipWorld(t)
		w.during(t, func(pause func(time.Duration)) {
			pause(time.Second)
			w.chip.Power(false)
			w.chip.Power(true)
			pause(time.Second)
			w.hold(t, "FB0EE20B")
			pause(time.Second)
			if s := w.line.status(time.Now()); s.State != LineUp || s.Timeouts != 1 {
				t.Errorf("status %+v", s)
			}
		})
		if got := w.credentials(); !slices.Equal(got, []string{"FB0EE20B"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAPN532ThatIsUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChipWorld(t)
		w.during(t, func(pause func(time.Duration)) {
			pause(time.Second)
			w.gone.Store(true)
			if err := w.chip.Close(); err != nil {
				t.Error(err)
			}
			pause(time.Minute)
			if s := w.line.status(time.Now()); s.State != LineDown || s.Reason != errNoPort.Error() {
				t.Errorf("while it is gone: %+v", s)
			}
			w.gone.Store(false)
			pause(40 * time.Second)
			w.hold(t, "FB0EE20B")
			pause(time.Second)
		})
		if got := w.credentials(); !slices.Equal(got, []string{"FB0EE20B"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAPN532WithSpoiltAndCutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChipWorld(t)
		w.during(t, func(pause func(time.Duration)) {
			pause(time.Second)
			w.chip.Spoil(1)
			w.hold(t, "FB0EE20B")
			pause(2 * time.Second)
			w.chip.Remove()
			pause(6 * time.Second)
			w.chip.Mute(2)
			w.hold(t, "04A035B2BC2B80")
			pause(3 * time.Second)
			if s := w.line.status(time.Now()); s.State != LineUp || s.Errors != 1 || s.Timeouts != 3 {
				t.Errorf("status %+v", s)
			}
		})
		if got := w.credentials(); !slices.Equal(got, []string{"FB0EE20B", "04A035B2BC2B80"}) {
			t.Errorf("got %q", got)
		}
	})
}

// A reader on a real port, so that the speed and the times are those of the kernel.
func TestAPN532OnAPort(t *testing.T) {
	pty, err := simulator.OpenPTY("")
	if err != nil {
		t.Fatal(err)
	}
	chip := simulator.NewPN532(pty)
	served := make(chan error, 1)
	go func() { served <- chip.Serve() }()
	sink := newMemory()
	f, err := New([]LineConfig{{ID: "gate", Protocol: PN532, Serial: &SerialConfig{Port: pty.Path()}}}, nil,
		[]ReaderConfig{{ID: "reader-gate", Line: "gate", Checkpoint: "gate"}}, nil, Options{Sink: sink})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	if err := chip.Hold("04A035B2BC2B80"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); len(sink.tapped()) == 0; {
		if time.Now().After(end) {
			t.Fatalf("no tap: %+v", f.Status())
		}
		_ = line.Wait(ctx, time.Now().Add(10*time.Millisecond))
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := chip.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err == nil {
		t.Error("the chip went on without a line")
	}
	if tap := sink.tapped()[0]; tap.Credential != "04A035B2BC2B80" || tap.Reader != "reader-gate" {
		t.Errorf("got %+v", tap)
	}
}

// strokes is what the kernel tells of the keys with these codes.
func strokes(codes ...uint16) []byte {
	var b []byte
	for _, code := range codes {
		for _, value := range []uint32{1, 0} {
			b = append(b, make([]byte, 2*unsafe.Sizeof(uintptr(0)))...)
			b = binary.NativeEndian.AppendUint16(b, 1)
			b = binary.NativeEndian.AppendUint16(b, code)
			b = binary.NativeEndian.AppendUint32(b, value)
		}
	}
	return b
}

func TestAReaderThatTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := newMemory()
		f, err := New([]LineConfig{{
			ID: "gate", Protocol: Keyboard, Evdev: &EvdevConfig{Device: "/dev/input/by-id/reader-event-kbd"},
			Reader: &ReaderOptions{Encoding: "decimal"},
		}}, nil, []ReaderConfig{{ID: "reader-gate", Line: "gate", Checkpoint: "gate"}}, nil, Options{Sink: sink})
		if err != nil {
			t.Fatal(err)
		}
		w := &readerWorld{sink: sink, line: f.lines[0].(*readerLine)}
		var device *linetest.Slave
		w.line.wait = linetest.Wait
		w.line.open = func(context.Context) (connection, error) {
			var m *linetest.Master
			m, device = linetest.Pair()
			return m, nil
		}
		number := []uint16{11, 11, 11, 7, 6, 5, 8, 9, 9, 7, 28} // 0006547886 and Enter
		w.during(t, func(pause func(time.Duration)) {
			kept := strokes(11, 11, 11, 7, 6)
			if _, err := device.Write(kept[:len(kept)-5]); err != nil { // unplugged in the middle of a number
				t.Error(err)
			}
			if err := device.Close(); err != nil {
				t.Error(err)
			}
			pause(2 * time.Second)
			for range 2 {
				if _, err := device.Write(strokes(number...)); err != nil {
					t.Error(err)
				}
				pause(6 * time.Second)
			}
		})
		if got := w.credentials(); !slices.Equal(got, []string{"0063E9AE", "0063E9AE"}) {
			t.Errorf("got %q", got)
		}
	})
}
