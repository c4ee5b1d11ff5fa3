package devices

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/line/linetest"
	"gengfu/devices/simulator"
)

// readerWorld is a reader on a line in memory, in a bubble of synctest.
type readerWorld struct {
	line   *readerLine
	sink   *memory
	reader *simulator.NFCReader // of the present connection
	gone   atomic.Bool
}

func newReaderWorld(t *testing.T) *readerWorld {
	return newWorldOf(t, NFCASCII, simulator.NewNFCReader)
}

func newWorldOf(t *testing.T, p Protocol, reader func(io.WriteCloser) *simulator.NFCReader) *readerWorld {
	t.Helper()
	w := &readerWorld{sink: newMemory()}
	f, err := New([]LineConfig{{ID: "gate", Protocol: p, Serial: &SerialConfig{Port: "memory"}}}, nil,
		[]ReaderConfig{{ID: "reader-gate", Line: "gate", Checkpoint: "gate"}}, nil, Options{Sink: w.sink})
	if err != nil {
		t.Fatal(err)
	}
	w.line = f.lines[0].(*readerLine)
	w.line.wait = linetest.Wait
	w.line.open = func(context.Context) (connection, error) {
		if w.gone.Load() {
			return nil, errNoPort
		}
		m, s := linetest.Pair()
		w.reader = reader(s)
		return m, nil
	}
	return w
}

// during runs the line while f happens, and waits until it has stopped.
func (w *readerWorld) during(t *testing.T, f func(pause func(time.Duration))) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.line.run(ctx)
	}()
	synctest.Wait()
	f(func(d time.Duration) { _ = linetest.Wait(ctx, time.Now().Add(d)); synctest.Wait() })
	cancel()
	<-done
}

func (w *readerWorld) credentials() (out []string) {
	for _, tap := range w.sink.tapped() {
		out = append(out, tap.Credential)
	}
	return out
}

func TestACardThatIsHeldIsOneTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newReaderWorld(t)
		w.during(t, func(pause func(time.Duration)) {
			for range 200 {
				if err := w.reader.Tap("04A035B2"); err != nil {
					t.Error(err)
				}
				pause(50 * time.Millisecond)
			}
			pause(6 * time.Second)
			if err := w.reader.Tap("04A035B2"); err != nil {
				t.Error(err)
			}
			pause(time.Second)
		})
		if got := w.credentials(); len(got) != 2 {
			t.Errorf("got %q", got)
		}
	})
}

// The reader reports a card that is held every 50 ms, and stops in the middle of a
// frame when it is taken away.
func TestAnEM4100CardThatIsHeldIsOneTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, RDM6300, simulator.NewRDM6300)
		w.during(t, func(pause func(time.Duration)) {
			for range 2 {
				for range 200 {
					if err := w.reader.Tap("010063E9AE"); err != nil {
						t.Error(err)
					}
					pause(50 * time.Millisecond)
				}
				if err := w.reader.Send([]byte("\x02010063E9")); err != nil {
					t.Error(err)
				}
				pause(6 * time.Second)
			}
			if s := w.line.status(time.Now()); s.Errors != 2 || s.Taps != 2 || s.State != LineUp {
				t.Errorf("status %+v", s)
			}
		})
		if got := w.credentials(); !slices.Equal(got, []string{"010063E9AE", "010063E9AE"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestTapsWaitForTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newReaderWorld(t)
		var tapped, taking time.Time
		w.during(t, func(pause func(time.Duration)) {
			w.sink.refusing(errors.New("disk full"))
			tapped = time.Now()
			for _, uid := range []string{"04A035B2", "FB0EE20B"} {
				if err := w.reader.Tap(uid); err != nil {
					t.Error(err)
				}
			}
			pause(time.Minute)
			if s := w.line.status(time.Now()); s.Waiting != 2 || s.Taps != 0 {
				t.Errorf("while it waits: %+v", s)
			}
			taking = time.Now()
			w.sink.refusing(nil)
			pause(2 * time.Second)
		})
		if got := w.credentials(); !slices.Equal(got, []string{"04A035B2", "FB0EE20B"}) {
			t.Fatalf("got %q", got)
		}
		for _, tap := range w.sink.tapped() {
			if tap.TappedAt.Sub(tapped) > 0 || tap.SentAt.Before(taking) {
				t.Errorf("tapped at %s, sent at %s", tap.TappedAt, tap.SentAt)
			}
		}
		if s := w.line.status(time.Now()); s.Waiting != 0 || s.Taps != 2 || s.Dropped != 0 {
			t.Errorf("in the end: %+v", s)
		}
	})
}

// A tap that was made is handed over although the program is told to stop.
func TestTapsThatWaitAreHandedOverAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newReaderWorld(t)
		w.during(t, func(pause func(time.Duration)) {
			w.sink.refusing(errors.New("busy"))
			if err := w.reader.Tap("04A035B2"); err != nil {
				t.Error(err)
			}
			pause(300 * time.Millisecond)
			w.sink.refusing(nil)
		})
		if got := w.credentials(); len(got) != 1 {
			t.Errorf("got %q", got)
		}
	})
}

func TestAReaderThatIsUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newReaderWorld(t)
		w.during(t, func(pause func(time.Duration)) {
			w.gone.Store(true)
			if err := w.reader.Close(); err != nil {
				t.Error(err)
			}
			pause(time.Minute)
			if s := w.line.status(time.Now()); s.State != LineDown || s.Reason != errNoPort.Error() {
				t.Errorf("while it is gone: %+v", s)
			}
			w.gone.Store(false)
			pause(40 * time.Second)
			if err := w.reader.Tap("04A035B2"); err != nil {
				t.Error(err)
			}
			pause(time.Second)
		})
		if got := w.credentials(); len(got) != 1 {
			t.Errorf("got %q", got)
		}
	})
}
