package profile_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"gengfu/devices/profile"
	"gengfu/facility"
)

func TestFinish(t *testing.T) {
	good, uncertain, bad := facility.Good, facility.Uncertain, facility.Bad
	cases := []struct {
		name   string
		point  profile.Point
		raw    float64
		q      facility.Quality
		r      facility.Reason
		want   float64
		wantQ  facility.Quality
		reason facility.Reason
	}{
		{"as it is", profile.Point{}, 1.5, good, "", 1.5, good, ""},
		{"scale and offset", profile.Point{Scale: 0.1, Offset: -40}, 600, good, "", 20, good, ""},
		{"negative", profile.Point{}, -3, good, "", -3, good, ""},
		{"the decoder says bad", profile.Point{}, 7, bad, facility.SensorFault, 0, bad, facility.SensorFault},
		{"bad for no reason", profile.Point{}, 7, bad, "", 0, bad, facility.BadReply},
		{"uncertain stays", profile.Point{Scale: 2}, 7, uncertain, facility.SensorFault, 14, uncertain, facility.SensorFault},
		{"uncertain and out of range", profile.Point{Max: ptr(5.0)}, 7, uncertain, facility.SensorFault, 0, bad, facility.OutOfRange},
		{"NaN", profile.Point{}, math.NaN(), good, "", 0, bad, facility.SensorFault},
		{"infinity", profile.Point{}, math.Inf(-1), good, "", 0, bad, facility.SensorFault},
		{"sentinel", profile.Point{Sentinels: []int64{9999}}, 9999, good, "", 0, bad, facility.SensorFault},
		{"sentinel of a word", profile.Point{Bit: ptr(0), Sentinels: []int64{0xFFFF}}, 0xFFFF, good, "", 0, bad, facility.SensorFault},
		{"below", profile.Point{Min: ptr(0.0)}, -1, good, "", 0, bad, facility.OutOfRange},
		{"bit", profile.Point{Bit: ptr(4)}, 0x14, good, "", 1, good, ""},
		{"two bits", profile.Point{Bit: ptr(1), Width: 2}, 0x14, good, "", 2, good, ""},
		{"bit of a negative number", profile.Point{Bit: ptr(4)}, -1, good, "", 0, bad, facility.BadReply},
		{"bit of half a number", profile.Point{Bit: ptr(4)}, 1.5, good, "", 0, bad, facility.BadReply},
		{"bit of more than a float has", profile.Point{Bit: ptr(4)}, 1 << 53, good, "", 0, bad, facility.BadReply},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, q, reason := c.point.Finish(c.raw, c.q, c.r)
			if math.Abs(got-c.want) > 1e-12 || q != c.wantQ || reason != c.reason {
				t.Errorf("%v %v %q, want %v %v %q", got, q, reason, c.want, c.wantQ, c.reason)
			}
		})
	}
}

func TestFinishInTurnsTheUnit(t *testing.T) {
	cases := []struct {
		raw      float64
		from, to string
		want     float64
		reason   facility.Reason
	}{
		{12.5, "kWh", "kWh", 12.5, ""},
		{3.6, "GJ", "kWh", 1000, ""},
		{1, "MWh", "GJ", 3.6, ""},
		{90, "min", "h", 1.5, ""},
		{250, "L", "m3", 0.25, ""},
		{2, "bar", "kPa", 200, ""},
		{1, "m3", "kWh", 0, facility.BadReply},
		{1, "vif_6f", "kWh", 0, facility.BadReply},
	}
	for _, c := range cases {
		got, q, reason := profile.Point{Unit: c.to}.FinishIn(c.raw, c.from, facility.Good, "")
		if math.Abs(got-c.want) > 1e-9 || reason != c.reason || (q == facility.Good) != (c.reason == "") {
			t.Errorf("%v %s is %v %s (%v %q), want %v %q", c.raw, c.from, got, c.to, q, reason, c.want, c.reason)
		}
	}
	if _, q, reason := (profile.Point{Unit: "kWh"}).FinishIn(0, "", facility.Bad, facility.SensorFault); q != facility.Bad || reason != facility.SensorFault {
		t.Errorf("a record without a value is %v %q", q, reason)
	}
}

// Units that can be turned into each other can be turned back.
func TestFactorAndBack(t *testing.T) {
	for _, a := range profile.Units() {
		for _, b := range profile.Units() {
			there, ok := profile.Factor(a, b)
			back, same := profile.Factor(b, a)
			if ok != same || ok && math.Abs(there*back-1) > 1e-12 {
				t.Errorf("%q to %q is %v %v, back %v %v", a, b, there, ok, back, same)
			}
		}
	}
}

// What Raw gives is what Finish reads, whatever the point.
func TestRawFinishRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := profile.Point{ID: "x", Scale: rapid.SampledFrom(scales).Draw(t, "scale"), Offset: rapid.SampledFrom([]float64{0, -40}).Draw(t, "offset")}
		value := rapid.Float64Range(-1e9, 1e9).Draw(t, "value")
		if rapid.Bool().Draw(t, "bits") {
			p = profile.Point{ID: "x", Bit: ptr(rapid.IntRange(0, 30).Draw(t, "bit")), Width: rapid.IntRange(0, 16).Draw(t, "width")}
			value = float64(rapid.IntRange(0, 1<<max(p.Width, 1)-1).Draw(t, "number"))
		}
		raw, err := p.Raw(value)
		if err != nil {
			t.Fatal(err)
		}
		got, q, reason := p.Finish(raw, facility.Good, "")
		if q != facility.Good || math.Abs(got-value) > 1e-9*math.Max(40, math.Abs(value)) {
			t.Fatalf("%v became %v, which is %v (%v %q)", value, raw, got, q, reason)
		}
	})
}

func FuzzFinish(f *testing.F) {
	f.Add(1.5, uint8(2), 0.1, -40.0, -1, 0, int64(9999))
	f.Add(65535.0, uint8(2), 0.0, 0.0, 4, 2, int64(65535))
	f.Add(math.Inf(1), uint8(1), math.Inf(1), math.NaN(), 63, 99, int64(-1))
	f.Fuzz(func(t *testing.T, raw float64, quality uint8, scale, offset float64, bit, width int, sentinel int64) {
		p := profile.Point{ID: "x", Scale: scale, Offset: offset, Width: width, Sentinels: []int64{sentinel}}
		if bit >= 0 {
			p.Bit = &bit
		}
		q := facility.Quality(quality % 3)
		v, got, reason := p.Finish(raw, q, facility.SensorFault)
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			t.Fatalf("%v", v)
		case got == facility.Bad && (v != 0 || reason == ""):
			t.Fatalf("bad %v for %q", v, reason)
		case got > q:
			t.Fatalf("%v became %v", q, got)
		}
	})
}
