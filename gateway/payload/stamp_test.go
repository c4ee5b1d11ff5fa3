package payload_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/facility"
	"gengfu/gateway/payload"
)

var (
	began = time.Unix(0, 0).UTC()
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

// early is what a gateway takes that starts in 1970: a reading and a tap of a minute
// after its boot.
func early(t *testing.T) (readings, tap []byte, s payload.Stamp) {
	t.Helper()
	at := began.Add(time.Minute)
	readings, err := payload.AppendReadings(nil, []facility.Reading{
		{Point: facility.PointID{Device: "pump-1", Quantity: "fault"}, Time: at, Value: 1, Quality: facility.Good},
		{Point: facility.PointID{Device: "pump-1", Quantity: "flow"}, Time: at.Add(time.Second), Quality: facility.Bad, Reason: facility.NoAnswer},
	})
	if err != nil {
		t.Fatal(err)
	}
	s = payload.Stamp{Boot: "0d22cfbbc54f", Up: time.Minute, Basis: payload.Unknown}
	tap = payload.AppendTap(nil, facility.Tap{ID: "t1", Source: facility.TapReader, Reader: "gate", Credential: "AABBCCDD", TappedAt: at, SentAt: at.Add(time.Second)})
	return s.On(readings), s.On(tap), s
}

func sent(h payload.Header, batches ...[]byte) []byte {
	h.Site, h.Gateway, h.Stream, h.Epoch, h.Seq = "s", "gw1", facility.Urgent, "e", 7
	return payload.Wrap(h, batches...)
}

func TestStampInABatch(t *testing.T) {
	readings, tap, want := early(t)
	const golden = `{"boot":"0d22cfbbc54f","up":60,"clock":"unknown","bt":60,"n":"pump-1/fault","v":1},` +
		`{"n":"pump-1/flow","vs":"no_answer","t":1,"quality":"bad"}`
	if diff := cmp.Diff(golden, string(readings)); diff != "" {
		t.Error(diff)
	}
	for _, batch := range [][]byte{readings, tap} {
		s, first, ok := payload.StampOf(batch)
		if !ok || s != want || !first.Equal(began.Add(time.Minute)) {
			t.Errorf("%+v, %v, %v of %s", s, first, ok, batch)
		}
	}
	for _, other := range []string{``, `{}`, `{"bt":60,"n":"a/b","v":1}`, `{"boot":"x"}`, `{"boot":"x","up":1,"clock":"unknown"}`, `{"boot":"x","up":`, `{"boot":"` + strings.Repeat("x", 2000)} {
		if s, _, ok := payload.StampOf([]byte(other)); ok {
			t.Errorf("%+v of %s", s, other)
		}
	}
}

func TestRestamp(t *testing.T) {
	readings, tap, s := early(t)
	shift := noon.Sub(began)
	for name, test := range map[string]struct {
		to      payload.Correction
		quality facility.Quality
		unknown bool
	}{
		"the time became known": {payload.Correction{Shift: shift, Basis: payload.Restamped}, facility.Good, false},
		"nobody will know":      {payload.Correction{Shift: shift, Basis: payload.Unknown, Doubtful: true, Within: time.Hour}, facility.Uncertain, true},
	} {
		t.Run(name, func(t *testing.T) {
			var batches [][]byte
			for _, batch := range [][]byte{readings, tap} {
				out, err := payload.Restamp(batch, s, test.to)
				if err != nil {
					t.Fatal(err)
				}
				now, first, ok := payload.StampOf(out)
				want := payload.Stamp{Boot: s.Boot, Up: s.Up, Basis: test.to.Basis, Shift: shift, Within: test.to.Within}
				if !ok || now != want || !first.Equal(noon.Add(time.Minute)) {
					t.Errorf("%+v at %v", now, first)
				}
				batches = append(batches, out)
			}
			_, rs, taps, err := payload.Decode(sent(payload.Header{Received: noon.Add(time.Hour)}, batches...))
			if err != nil {
				t.Fatal(err)
			}
			if r := rs[0]; !r.Time.Equal(noon.Add(time.Minute)) || r.Quality != test.quality || (r.Reason == facility.ClockUnknown) != test.unknown {
				t.Errorf("%+v", r)
			}
			if r := rs[1]; !r.Time.Equal(noon.Add(61*time.Second)) || r.Quality != facility.Bad || r.Reason != facility.NoAnswer {
				t.Errorf("%+v", r)
			}
			if tap := taps[0]; !tap.TappedAt.Equal(noon.Add(time.Minute)) || !tap.SentAt.Equal(noon.Add(61*time.Second)) || tap.ClockUnknown != test.unknown || tap.Within != test.to.Within {
				t.Errorf("%+v", tap)
			}
		})
	}
	if out, err := payload.Restamp(readings, s, payload.Correction{Basis: s.Basis}); err != nil || &out[0] != &readings[0] {
		t.Errorf("nothing to correct: %v", err)
	}
}

// What is sent without anybody knowing the time gets it by its age when it is received.
func TestAgeAtReception(t *testing.T) {
	readings, tap, s := early(t)
	received := noon
	for name, test := range map[string]struct {
		head payload.Header
		aged bool
	}{
		"five minutes old":       {payload.Header{Boot: s.Boot, Up: 6 * time.Minute, Received: received}, true},
		"of an earlier boot":     {payload.Header{Boot: "another", Up: 6 * time.Minute, Received: received}, false},
		"from later than sent":   {payload.Header{Boot: s.Boot, Up: time.Second, Received: received}, false},
		"not received yet":       {payload.Header{Boot: s.Boot, Up: 6 * time.Minute}, false},
		"of an earlier program":  {payload.Header{Received: received}, false},
		"longer than a calendar": {payload.Header{Boot: s.Boot, Up: 1<<63 - 1, Received: received}, true},
	} {
		t.Run(name, func(t *testing.T) {
			h, rs, taps, err := payload.Decode(sent(test.head, readings, tap))
			if err != nil {
				t.Fatal(err)
			}
			if h.Boot != test.head.Boot || h.Up != test.head.Up {
				t.Errorf("header %+v", h)
			}
			if marked := rs[0].Reason == facility.ClockUnknown; marked != test.aged || rs[1].Reason != facility.NoAnswer {
				t.Errorf("%+v", rs)
			}
			if tap := taps[0]; !tap.ClockUnknown || test.aged != (tap.Within > 0) {
				t.Errorf("%+v", tap)
			}
			if name != "five minutes old" {
				return
			}
			want := received.Add(-5 * time.Minute)
			if !rs[0].Time.Equal(want) || !rs[1].Time.Equal(want.Add(time.Second)) || !taps[0].TappedAt.Equal(want) || !taps[0].SentAt.Equal(want.Add(time.Second)) {
				t.Errorf("%v, %v, %v; want %v", rs[0].Time, rs[1].Time, taps[0].TappedAt, want)
			}
		})
	}
}

// Each stamp counts for the facts behind it until the next.
func TestBatchesOfTwoBoots(t *testing.T) {
	unknown, _, s := early(t)
	known, err := payload.AppendReadings(nil, []facility.Reading{{Point: facility.PointID{Device: "pump-1", Quantity: "level"}, Time: noon, Value: 3, Quality: facility.Good}})
	if err != nil {
		t.Fatal(err)
	}
	later := payload.Stamp{Boot: s.Boot, Up: 2 * time.Minute, Basis: payload.Synchronised}
	_, rs, _, err := payload.Decode(sent(payload.Header{Boot: s.Boot, Up: 3 * time.Minute, Received: noon.Add(time.Minute)}, unknown, later.On(known), unknown))
	if err != nil {
		t.Fatal(err)
	}
	for i, uncertain := range []bool{true, false, false, true, false} { // the second and the last are bad
		if got := rs[i].Quality == facility.Uncertain; got != uncertain {
			t.Errorf("reading %d: %+v", i, rs[i])
		}
	}
	if !rs[2].Time.Equal(noon) {
		t.Errorf("a reading whose time was known is of %v", rs[2].Time)
	}
}

func FuzzStampOf(f *testing.F) {
	f.Add(`{"boot":"0d22cfbbc54f","up":60,"clock":"unknown","bt":60,"n":"pump-1/fault","v":1}`)
	f.Add(`{"boot":"0","up":-9e9,"clock":"restamped","shift":1e3,"within":2,"bt":-1,"n":"tap/","vs":"x","tap":"t"}`)
	f.Add(`{"boot":"","up":1,"up":2}`)
	f.Fuzz(func(t *testing.T, batch string) {
		s, _, ok := payload.StampOf([]byte(batch))
		if !ok {
			return
		}
		for _, to := range []payload.Correction{{}, {Shift: time.Hour, Basis: payload.Restamped}, {Basis: payload.Unknown, Doubtful: true, Shift: -1 << 62, Within: time.Second}} {
			out, err := payload.Restamp([]byte(batch), s, to)
			if err != nil {
				continue
			}
			if _, _, _, err := payload.Decode(sent(payload.Header{Boot: s.Boot, Up: time.Hour, Received: noon}, out)); err != nil && to != (payload.Correction{}) && string(out) != batch {
				t.Fatalf("%v: %s became %s", err, batch, out)
			}
		}
	})
}
