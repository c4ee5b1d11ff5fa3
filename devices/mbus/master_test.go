package mbus_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/line/linetest"
	"gengfu/devices/mbus"
)

const soon = 30 * time.Millisecond

// meter is a meter at address 5 that heeds the frame count bit: it gives the next of
// its telegrams when the bit is another than the last time.
type meter struct {
	t         *testing.T
	identity  mbus.Secondary
	telegrams [][]byte // records of each
	requests  []mbus.Frame
	at        int
	count     bool
	fresh     bool // was initialised or selected just now
	selected  bool
	deaf      int // requests that it does not hear
}

func (m *meter) script(request []byte) []linetest.Say {
	frames := mbus.NewReader().Feed(request)
	if len(frames) != 1 {
		m.t.Errorf("% X is no request", request)
		return nil
	}
	f := frames[0]
	m.requests = append(m.requests, f)
	if m.deaf > 0 {
		m.deaf--
		return nil
	}
	return m.answer(f)
}

func (m *meter) answer(f mbus.Frame) []linetest.Say {
	ack := []linetest.Say{{After: soon, Bytes: []byte{0xE5}}}
	mine := f.Address == 5 || f.Address == mbus.Selected && m.selected
	switch {
	case f.Kind == mbus.Long && f.CI == 0x52:
		m.selected = mbus.Secondary(f.Data).Covers(m.identity)
		m.fresh = true
		if m.selected {
			return ack
		}
	case !mine:
	case f.Control == 0x40:
		m.fresh = true
		m.selected = m.selected && f.Address != mbus.Selected
		return ack
	case f.Control&0x4F == 0x4B:
		return []linetest.Say{{After: soon, Bytes: m.telegram(f)}}
	}
	return nil
}

func (m *meter) telegram(f mbus.Frame) []byte {
	count := f.Control&0x20 != 0
	switch {
	case m.fresh:
		m.at = 0
	case count != m.count:
		m.at = (m.at + 1) % len(m.telegrams)
	}
	m.count, m.fresh = count, false
	data := append(m.identity[:len(m.identity):len(m.identity)], byte(len(m.requests)), 0, 0, 0)
	b, err := mbus.Frame{Kind: mbus.Long, Control: 0x08, Address: 5, CI: 0x72, Data: append(data, m.telegrams[m.at]...)}.Append(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

// volume is a record of so many litres.
func volume(litres byte) []byte { return []byte{0x04, 0x13, litres, 0, 0, 0} }

func onLine(t *testing.T, at *meter, f func(t *testing.T, m *mbus.Master)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		near, far := linetest.Pair()
		b := bus.New(bus.Options{Wait: linetest.Wait})
		b.Attach(near)
		at.t = t
		at.identity = mbus.Secondary{0x78, 0x56, 0x34, 0x12, 0x24, 0x40, 0x01, 0x07}
		done := make(chan struct{})
		go func() { defer close(done); linetest.Talk(far, at.script) }()
		f(t, mbus.NewMaster(b, mbus.Options{}))
		if err := near.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

func litres(t *testing.T, records []mbus.Record, err error) (out []float64) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	for _, r := range records {
		out = append(out, 1000*r.Number)
	}
	return out
}

// The meter is initialised once, and then asked with a frame count bit that turns,
// so that it does not give the old telegram again.
func TestMasterKeepsTheCount(t *testing.T) {
	at := &meter{telegrams: [][]byte{volume(7)}}
	onLine(t, at, func(t *testing.T, m *mbus.Master) {
		for range 3 {
			_, records, err := m.Read(t.Context(), 5, bus.Timing{})
			if got := litres(t, records, err); len(got) != 1 || got[0] != 7 {
				t.Errorf("%v", got)
			}
		}
		want := []byte{0x40, 0x7B, 0x5B, 0x7B}
		if len(at.requests) != len(want) {
			t.Fatalf("it was asked %v", at.requests)
		}
		for i, f := range at.requests {
			if f.Control != want[i] {
				t.Errorf("request %d is %s", i, f)
			}
		}
		at.deaf = 1
		if _, _, err := m.Read(t.Context(), 5, bus.Timing{}); !errors.Is(err, bus.ErrTimeout) {
			t.Errorf("%v", err)
		}
		_, records, err := m.Read(t.Context(), 5, bus.Timing{})
		if got := litres(t, records, err); len(got) != 1 || at.requests[5].Control != 0x40 {
			t.Errorf("after a lost reply it is not initialised: %v %v", got, at.requests[5:])
		}
	})
}

// Several telegrams are read to the end, and from the first one again the next time.
func TestMasterReadsAllTelegrams(t *testing.T) {
	at := &meter{telegrams: [][]byte{append(volume(1), 0x1F), append(volume(2), 0x1F), volume(3)}}
	onLine(t, at, func(t *testing.T, m *mbus.Master) {
		for range 2 {
			_, records, err := m.Read(t.Context(), 5, bus.Timing{})
			if got := litres(t, records, err); len(got) != 3 || got[0] != 1 || got[1] != 2 || got[2] != 3 {
				t.Errorf("%v", got)
			}
		}
	})
}

func TestMasterSelects(t *testing.T) {
	at := &meter{telegrams: [][]byte{append(volume(1), 0x1F), volume(2)}}
	onLine(t, at, func(t *testing.T, m *mbus.Master) {
		s, err := mbus.ParseSecondary("12345678")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			r, records, err := m.ReadSecondary(t.Context(), s, bus.Timing{})
			if got := litres(t, records, err); len(got) != 2 || got[1] != 2 || r.Address != 5 {
				t.Errorf("%v of %d", got, r.Address)
			}
		}
		other, err := mbus.ParseSecondary("99999999")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := m.ReadSecondary(t.Context(), other, bus.Timing{}); !errors.Is(err, bus.ErrTimeout) {
			t.Errorf("a meter that there is not: %v", err)
		}
	})
}
