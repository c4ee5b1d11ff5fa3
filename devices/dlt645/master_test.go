package dlt645_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/dlt645"
	"gengfu/devices/line/linetest"
)

const (
	soon = 30 * time.Millisecond
	late = 1200 * time.Millisecond // after the timeout and what a frame may pause
)

// meter is the other end of a line: it answers the nth request, from 0, as told.
type meter struct {
	t        *testing.T
	requests []dlt645.Frame
	answer   func(n int, f dlt645.Frame) []linetest.Say
}

func (m *meter) script(request []byte) []linetest.Say {
	frames := dlt645.NewReader().Feed(request)
	if len(frames) != 1 {
		m.t.Errorf("% X is no request", request)
		return nil
	}
	m.requests = append(m.requests, frames[0])
	return m.answer(len(m.requests)-1, frames[0])
}

// onLine runs f with a master on a line in memory.
func onLine(t *testing.T, answer func(n int, f dlt645.Frame) []linetest.Say, f func(t *testing.T, m *dlt645.Master, at *meter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := linetest.Pair()
		b := bus.New(bus.Options{Wait: linetest.Wait})
		b.Attach(near)
		at := &meter{t: t, answer: answer}
		done := make(chan struct{})
		go func() { defer close(done); linetest.Talk(far, at.script) }()
		f(t, dlt645.NewMaster(b, dlt645.Options{}), at)
		if err := near.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// reply is what a meter says to a request, with the control code and the data behind
// the identifier.
func reply(t *testing.T, f dlt645.Frame, control dlt645.Control, data ...byte) []byte {
	t.Helper()
	f.Control |= control
	if !control.Refused() {
		data = append(bytes.Clone(f.Data), data...)
	}
	f.Data = data
	b, err := f.Append([]byte{0xFE, 0xFE})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	fine    dlt645.Control = 0x80
	more    dlt645.Control = 0xA0
	refusal dlt645.Control = 0xC0
)

var own = dlt645.Address{0x61, 0x01}

func energy(tariff uint32) dlt645.DI                 { return dlt645.DI{Code: 0x00010000 | tariff<<8} }
func value(n byte) []byte                            { return []byte{n, 0, 0, 0} }
func say(after time.Duration, b []byte) linetest.Say { return linetest.Say{After: after, Bytes: b} }

func TestMasterReads(t *testing.T) {
	onLine(t, func(n int, f dlt645.Frame) []linetest.Say {
		return []linetest.Say{say(soon, reply(t, f, fine, value(byte(n+1))...))}
	}, func(t *testing.T, m *dlt645.Master, at *meter) {
		for n := range uint32(3) {
			data, err := m.Read(t.Context(), own, energy(n), bus.Timing{})
			if err != nil || !bytes.Equal(data, value(byte(n+1))) {
				t.Errorf("% X, %v", data, err)
			}
		}
		if len(at.requests) != 3 || at.requests[2].Address != own {
			t.Errorf("it was asked %v", at.requests)
		}
	})
}

// Data that come in three frames, each asked for by its number.
func TestMasterReadsOn(t *testing.T) {
	onLine(t, func(n int, f dlt645.Frame) []linetest.Say {
		switch f.Control {
		case dlt645.ReadData:
			return []linetest.Say{say(soon, reply(t, f, more, 1, 2))}
		case dlt645.ReadFollowing:
			sequence := f.Data[4]
			f.Data = f.Data[:4]
			if sequence == 1 {
				return []linetest.Say{say(soon, reply(t, f, more, 3, 4, 1))}
			}
			return []linetest.Say{say(soon, reply(t, f, fine, 5, 2))}
		}
		return nil
	}, func(t *testing.T, m *dlt645.Master, _ *meter) {
		data, err := m.Read(t.Context(), own, dlt645.DI{Code: 0x0001FF00}, bus.Timing{})
		if err != nil || !bytes.Equal(data, []byte{1, 2, 3, 4, 5}) {
			t.Errorf("% X, %v", data, err)
		}
	})
}

// Replies that come after their timeout answer nothing, and a late refusal, which
// names no item, is not taken for one of the present.
func TestMasterAfterALateReply(t *testing.T) {
	for name, c := range map[string]struct {
		control dlt645.Control
		data    []byte
	}{"value": {fine, value(99)}, "refusal": {refusal, []byte{dlt645.NoSuchData}}} {
		t.Run(name, func(t *testing.T) {
			onLine(t, func(n int, f dlt645.Frame) []linetest.Say {
				switch n {
				case 0: // comes while the next item is waited for
					return []linetest.Say{say(late, reply(t, f, c.control, c.data...))}
				case 1:
					return []linetest.Say{say(400*time.Millisecond, reply(t, f, fine, value(2)...))}
				}
				return []linetest.Say{say(soon, reply(t, f, fine, value(3)...))}
			}, func(t *testing.T, m *dlt645.Master, _ *meter) {
				if _, err := m.Read(t.Context(), own, energy(1), bus.Timing{}); !errors.Is(err, bus.ErrTimeout) {
					t.Fatalf("the first: %v", err)
				}
				_ = linetest.Wait(t.Context(), time.Now().Add(400*time.Millisecond))
				data, err := m.Read(t.Context(), own, energy(2), bus.Timing{})
				var refused dlt645.Refusal
				switch {
				case errors.As(err, &refused) && !errors.Is(err, bus.ErrGarbled):
					t.Errorf("the second is refused: %v", err)
				case err == nil && !bytes.Equal(data, value(2)):
					t.Errorf("the second is % X", data)
				case err != nil && name == "value":
					t.Errorf("the second: %v", err)
				}
				if data, err = m.Read(t.Context(), own, energy(3), bus.Timing{}); err != nil || !bytes.Equal(data, value(3)) {
					t.Errorf("the third: % X, %v", data, err)
				}
			})
		})
	}
}

func TestMasterIsRefused(t *testing.T) {
	onLine(t, func(n int, f dlt645.Frame) []linetest.Say {
		return []linetest.Say{say(soon, reply(t, f, refusal, dlt645.NoSuchData))}
	}, func(t *testing.T, m *dlt645.Master, _ *meter) {
		_, err := m.Read(t.Context(), own, energy(63), bus.Timing{})
		var refused dlt645.Refusal
		if !errors.As(err, &refused) || !refused.Has(dlt645.NoSuchData) || errors.Is(err, bus.ErrGarbled) {
			t.Errorf("%v", err)
		}
	})
}

// What the line carries besides the reply: noise, an echo, another meter's reply,
// another item, a frame with a wrong check, and a reply in pieces with half a second
// between them.
func TestMasterTellsItsReply(t *testing.T) {
	other := func(f dlt645.Frame) dlt645.Frame { f.Address = dlt645.Address{0x62, 0x01}; return f }
	item := func(f dlt645.Frame) dlt645.Frame { f.Data = []byte{0, 9, 1, 0}; return f }
	for name, before := range map[string]func(f dlt645.Frame) []byte{
		"noise":         func(dlt645.Frame) []byte { return []byte{0x68, 0x00, 0xFE, 0x16} },
		"another meter": func(f dlt645.Frame) []byte { return reply(t, other(f), fine, value(9)...) },
		"another item":  func(f dlt645.Frame) []byte { return reply(t, item(f), fine, value(9)...) },
		"wrong check": func(f dlt645.Frame) []byte {
			b := reply(t, f, fine, value(9)...)
			b[len(b)-2]++
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			onLine(t, func(_ int, f dlt645.Frame) []linetest.Say {
				right := reply(t, f, fine, value(1)...)
				half := len(right) / 2
				return []linetest.Say{
					say(soon, before(f)), say(soon+20*time.Millisecond, right[:half]), say(soon+460*time.Millisecond, right[half:]),
				}
			}, func(t *testing.T, m *dlt645.Master, _ *meter) {
				data, err := m.Read(t.Context(), own, energy(1), bus.Timing{})
				if err != nil || !bytes.Equal(data, value(1)) {
					t.Errorf("% X, %v", data, err)
				}
			})
		})
	}
}

func TestMasterReadsTheAddress(t *testing.T) {
	onLine(t, func(_ int, f dlt645.Frame) []linetest.Say {
		f.Address = own
		return []linetest.Say{say(soon, reply(t, f, fine, own[:]...))}
	}, func(t *testing.T, m *dlt645.Master, _ *meter) {
		if a, err := m.ReadAddress(t.Context(), bus.Timing{}); err != nil || a != own {
			t.Errorf("%s, %v", a, err)
		}
	})
}
