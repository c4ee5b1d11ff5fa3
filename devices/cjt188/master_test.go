package cjt188_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/cjt188"
	"gengfu/devices/line/linetest"
)

const (
	soon = 30 * time.Millisecond
	late = 1300 * time.Millisecond // after the timeout and what a frame may pause
)

// meter is the other end of a line: it answers the nth request, from 0, as told.
type meter struct {
	t        *testing.T
	requests []cjt188.Frame
	answer   func(n int, f cjt188.Frame) []linetest.Say
}

func (m *meter) script(request []byte) []linetest.Say {
	frames := cjt188.NewReader().Feed(request)
	if len(frames) != 1 {
		m.t.Errorf("% X is no request", request)
		return nil
	}
	m.requests = append(m.requests, frames[0])
	return m.answer(len(m.requests)-1, frames[0])
}

// onLine runs f with a master on a line in memory.
func onLine(t *testing.T, answer func(n int, f cjt188.Frame) []linetest.Say, f func(t *testing.T, m *cjt188.Master, at *meter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := linetest.Pair()
		b := bus.New(bus.Options{Wait: linetest.Wait})
		b.Attach(near)
		at := &meter{t: t, answer: answer}
		done := make(chan struct{})
		go func() { defer close(done); linetest.Talk(far, at.script) }()
		f(t, cjt188.NewMaster(b, cjt188.Options{}), at)
		if err := near.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// reply is what a meter says to a request: its identifier, its serial number, and the
// data.
func reply(t *testing.T, f cjt188.Frame, serial byte, data ...byte) []byte {
	t.Helper()
	f.Type, f.Control = cjt188.ColdWater, f.Control|0x80
	f.Data = append([]byte{f.Data[0], f.Data[1], serial}, data...)
	b, err := f.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// orderOf is the order in which a request for the present reading was written.
func orderOf(f cjt188.Frame) cjt188.Order {
	if f.Data[0] == 0x90 {
		return cjt188.HighFirst
	}
	return cjt188.LowFirst
}

var own = cjt188.Meter{Type: cjt188.AnyType, Address: cjt188.Address{0x56, 0x34, 0x12, 0, 0, 0x33, 0x78}}

func say(after time.Duration, b []byte) linetest.Say { return linetest.Say{After: after, Bytes: b} }

// A meter that answers to one order only, and sleeps until a request wakes it: the
// order is found, and kept.
func TestMasterLearnsTheOrder(t *testing.T) {
	for _, order := range []cjt188.Order{cjt188.HighFirst, cjt188.LowFirst} {
		var awake time.Time // until then
		onLine(t, func(n int, f cjt188.Frame) []linetest.Say {
			asleep := time.Now().After(awake)
			awake = time.Now().Add(5 * time.Second)
			if asleep || orderOf(f) != order {
				return nil
			}
			return []linetest.Say{say(soon, reply(t, f, f.Data[2], byte(n)))}
		}, func(t *testing.T, m *cjt188.Master, at *meter) {
			for tries := 0; ; tries++ {
				_, err := m.Read(t.Context(), own, false, cjt188.Current, bus.Timing{})
				if err == nil {
					break
				}
				if tries == 3 {
					t.Fatalf("%d: never found: %v", order, err)
				}
				_ = linetest.Wait(t.Context(), time.Now().Add(10*time.Second))
			}
			if got, ok := m.Learned(own.Address); !ok || got != order {
				t.Errorf("learned %d %v, want %d", got, ok, order)
			}
			asked := len(at.requests)
			if _, err := m.Read(t.Context(), own, false, cjt188.Current, bus.Timing{}); err != nil || len(at.requests) != asked+1 {
				t.Errorf("%v after %d requests", err, len(at.requests)-asked)
			}
		})
	}
}

// Each request has a number of its own, so that no late reply is taken for another,
// though it is of the same item.
func TestMasterTellsLateRepliesBySerial(t *testing.T) {
	onLine(t, func(n int, f cjt188.Frame) []linetest.Say {
		if n < 2 { // both tries of the first read
			return []linetest.Say{say(late, reply(t, f, f.Data[2], 99))}
		}
		return []linetest.Say{say(450*time.Millisecond, reply(t, f, f.Data[2], 2))}
	}, func(t *testing.T, m *cjt188.Master, at *meter) {
		if _, err := m.Read(t.Context(), own, true, cjt188.Current, bus.Timing{}); !errors.Is(err, bus.ErrTimeout) {
			t.Fatalf("the first: %v", err)
		}
		for range 3 {
			got, err := m.Read(t.Context(), own, true, cjt188.Current, bus.Timing{})
			if err == nil && !bytes.Equal(got.Data, []byte{2}) {
				t.Errorf("it was given % X", got.Data)
			}
		}
		serials := map[byte]bool{}
		for _, r := range at.requests {
			serials[r.Data[2]] = true
		}
		if len(serials) != len(at.requests) {
			t.Errorf("%d requests had %d serial numbers", len(at.requests), len(serials))
		}
	})
}

// A meter with a serial number of its own is not understood, and the error says
// what to write; with that it is.
func TestMasterOfAMeterWithItsOwnSerial(t *testing.T) {
	onLine(t, func(_ int, f cjt188.Frame) []linetest.Say {
		return []linetest.Say{say(soon, reply(t, f, 0xEE, 1))}
	}, func(t *testing.T, m *cjt188.Master, at *meter) {
		_, err := m.Read(t.Context(), own, true, cjt188.Current, bus.Timing{})
		if !errors.Is(err, bus.ErrTimeout) || !strings.Contains(err.Error(), "any_serial: true") {
			t.Errorf("%v", err)
		}
		meter := own
		meter.AnySerial = true
		got, err := m.Read(t.Context(), meter, true, cjt188.Current, bus.Timing{})
		if err != nil || got.Serial != 0xEE {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestMasterIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		lost    bool
		serial  byte // 0 is that of the request
		garbled bool
	}{
		"at once":                          {},
		"after a lost request":             {lost: true, serial: 0xEE, garbled: true},
		"after a lost request, by its own": {lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			onLine(t, func(n int, f cjt188.Frame) []linetest.Say {
				if c.lost && n == 0 {
					return nil
				}
				serial := f.Data[2]
				if c.serial != 0 {
					serial = c.serial
				}
				f.Control |= 0xC0
				f.Data = []byte{serial, 0x01}
				b, err := f.Append(nil)
				if err != nil {
					t.Fatal(err)
				}
				return []linetest.Say{say(soon, b)}
			}, func(t *testing.T, m *cjt188.Master, _ *meter) {
				meter := own
				meter.AnySerial = true // asked once only
				if c.lost {
					if _, err := m.Read(t.Context(), meter, true, cjt188.Current, bus.Timing{}); !errors.Is(err, bus.ErrTimeout) {
						t.Fatal(err)
					}
				}
				_, err := m.Read(t.Context(), meter, true, cjt188.Current, bus.Timing{})
				var refused cjt188.Refusal
				if got := errors.Is(err, bus.ErrGarbled); got != c.garbled || !got && !errors.As(err, &refused) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

func TestMasterReadsTheAddress(t *testing.T) {
	onLine(t, func(_ int, f cjt188.Frame) []linetest.Say {
		if f.Data[0] == 0x81 {
			return nil // answers to the low byte first only
		}
		f.Address = own.Address
		return []linetest.Say{say(soon, reply(t, f, f.Data[2]))}
	}, func(t *testing.T, m *cjt188.Master, _ *meter) {
		kind, a, err := m.ReadAddress(t.Context(), bus.Timing{})
		if err != nil || kind != cjt188.ColdWater || a != own.Address {
			t.Errorf("%02X %s, %v", byte(kind), a, err)
		}
	})
}
