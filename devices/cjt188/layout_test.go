package cjt188_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"gengfu/devices/bcd"
	"gengfu/devices/cjt188"
	"gengfu/facility"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var shanghai = time.FixedZone("CST", 8*3600)

func good(name string, number float64, unit string) cjt188.Value {
	return cjt188.Value{Name: name, Number: number, Unit: unit, Quality: facility.Good}
}

func bad(name, unit string, reason facility.Reason) cjt188.Value {
	return cjt188.Value{Name: name, Unit: unit, Quality: facility.Bad, Reason: reason}
}

func at(year int, month time.Month, day, hour, minute, second int) cjt188.Value {
	return cjt188.Value{Name: "clock", Time: time.Date(year, month, day, hour, minute, second, 0, shanghai), Quality: facility.Good}
}

// Replies of public samples, with what they say.
func TestPublishedReplies(t *testing.T) {
	noClock := bad("clock", "", facility.SensorFault)
	status := func(word uint16) cjt188.Value { return good("status", float64(word), "") }
	cases := []struct {
		name, reply, meter string
		want               []cjt188.Value
	}{
		{
			"556677.00 m3", publishedFrames[1], "78330011223344",
			[]cjt188.Value{good("volume", 556677, "m3"), good("settled_volume", 556677, "m3"), at(2015, 5, 11, 22, 1, 31), status(0x8421)},
		},
		{
			"settlement and clock absent", publishedFrames[4], "78331505104145",
			[]cjt188.Value{good("volume", 5959, "m3"), bad("settled_volume", "m3", facility.SensorFault), noClock, status(0)},
		},
		{
			"clock of zeros", publishedFrames[5], "00924040000018",
			[]cjt188.Value{good("volume", 0.29, "m3"), good("settled_volume", 0.29, "m3"), noClock, status(0x2300)},
		},
		{
			"second 60, day 0", publishedFrames[6], "00201809230001",
			[]cjt188.Value{good("volume", 0.6, "m3"), good("settled_volume", 0.6, "m3"), bad("clock", "", facility.BadReply), status(0)},
		},
		{
			"123.00 m3", publishedFrames[7], "00000805000001",
			[]cjt188.Value{good("volume", 123, "m3"), good("settled_volume", 0, "m3"), noClock, status(0)},
		},
		{
			"68.00 m3", publishedFrames[8], "78330007061326",
			[]cjt188.Value{good("volume", 68, "m3"), good("settled_volume", 0, "m3"), noClock, status(0)},
		},
		{
			"status 13 01", publishedFrames[9], "00201707010069",
			[]cjt188.Value{good("volume", 0, "m3"), good("settled_volume", 0, "m3"), at(2017, 8, 19, 16, 54, 59), status(0x0113)},
		},
		{
			"0 m3", publishedFrames[11], "00201510270588",
			[]cjt188.Value{good("volume", 0, "m3"), good("settled_volume", 0, "m3"), at(2017, 1, 9, 17, 20, 6), status(0)},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := cjt188.Read(cjt188.Meter{Type: cjt188.ColdWater, Address: address(t, c.meter), AnySerial: true}, cjt188.Current, 0)
			reply, err := r.Match(frameOf(t, c.reply))
			if err != nil {
				t.Fatal(err)
			}
			layout, ok := cjt188.Lookup(reply.Type, r.DI)
			if !ok {
				t.Fatal("no layout")
			}
			got, err := layout.Decode(reply.Data, shanghai)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

// The heat meter of a public sample that sends the unit before the digits.
func TestPublishedHeatMeterWithTheUnitFirst(t *testing.T) {
	r := cjt188.Read(cjt188.Meter{Type: cjt188.HeatMeter, Address: address(t, "40314132")}, cjt188.Current, 1)
	reply, err := r.Match(frameOf(t, heatFrame))
	if err != nil {
		t.Fatal(err)
	}
	layout, ok := cjt188.Lookup(reply.Type, r.DI)
	if !ok {
		t.Fatal("no layout")
	}
	layout.UnitFirst = true
	got, err := layout.Decode(reply.Data, shanghai)
	want := []cjt188.Value{
		good("settled_heat_energy", 20, "kWh"), // 0.02 MWh
		good("heat_energy", 20, "kWh"),
		good("heat_power", 0, "kW"),
		good("flow", 0, "m3/h"),
		good("volume", 10.34, "m3"),
		good("supply_temperature", 25.35, "Cel"),
		good("return_temperature", 25.66, "Cel"),
		good("working_time", 0, "h"),
		at(2015, 7, 10, 12, 0, 53),
		good("status", 0, ""),
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	layout.UnitFirst = false
	got, err = layout.Decode(reply.Data, shanghai)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range got[:5] {
		if v.Quality != facility.Bad || v.Reason != facility.BadReply || v.Number != 0 {
			t.Errorf("in the wrong order: %+v", v)
		}
	}
}

func TestUnits(t *testing.T) {
	cases := []struct {
		code   byte
		unit   string
		want   float64 // of 12345678 with two decimals
		reason facility.Reason
	}{
		{0x29, "m3", 123.45678, ""},
		{0x2A, "m3", 1234.5678, ""},
		{0x2B, "m3", 12345.678, ""},
		{0x2C, "m3", 123456.78, ""},
		{0x2D, "m3", 1234567.8, ""},
		{0x2E, "m3", 12345678, ""},
		{0x2C, "L", 123456780, ""},
		{0x02, "Wh", 123456.78, ""},
		{0x05, "kWh", 123456.78, ""},
		{0x06, "kWh", 1234567.8, ""},
		{0x07, "kWh", 12345678, ""},
		{0x08, "kWh", 123456780, ""},
		{0x09, "MWh", 1234567.8, ""},
		{0x0A, "MWh", 12345678, ""},
		{0x01, "MJ", 0.12345678, ""},
		{0x0B, "MJ", 123.45678, ""},
		{0x0E, "MJ", 123456.78, ""},
		{0x0E, "kWh", 34293.55, ""},
		{0x11, "GJ", 123456.78, ""},
		{0x12, "GJ", 1234567.8, ""},
		{0x13, "GJ", 12345678, ""},
		{0x05, "GJ", 444.444408, ""},
		{0x14, "W", 123456.78, ""},
		{0x17, "kW", 123456.78, ""},
		{0x18, "kW", 1234567.8, ""},
		{0x19, "kW", 12345678, ""},
		{0x1A, "kW", 123456780, ""},
		{0x43, "kW", 34.29355, ""},
		{0x46, "kW", 34293.55, ""},
		{0x49, "kW", 34293550, ""},
		{0x40, "W", 34.29355, ""},
		{0x32, "m3/h", 123.45678, ""},
		{0x35, "m3/h", 123456.78, ""},
		{0x36, "m3/h", 1234567.8, ""},
		{0x37, "m3/h", 12345678, ""},
		{0x05, "m3", 0, facility.BadReply},  // kWh of a water meter
		{0x2C, "kWh", 0, facility.BadReply}, // m3 of heat
		{0x2C, "K", 0, facility.BadReply},
		{0x00, "m3", 0, facility.BadReply},
		{0x03, "kWh", 0, facility.BadReply},
		{0x0C, "MJ", 0, facility.BadReply},
		{0x15, "kW", 0, facility.BadReply},
		{0x2F, "m3", 0, facility.BadReply},
		{0x33, "m3/h", 0, facility.BadReply},
		{0x41, "kW", 0, facility.BadReply},
		{0xFF, "m3", 0, facility.BadReply},
	}
	for _, c := range cases {
		l := cjt188.Layout{Fields: []cjt188.Field{{Name: "x", Decimals: 2, Unit: c.unit}}}
		got, err := l.Decode([]byte{0x78, 0x56, 0x34, 0x12, c.code}, shanghai)
		if err != nil || math.Abs(got[0].Number-c.want) > 1e-9*c.want || got[0].Reason != c.reason {
			t.Errorf("%02X as %s: %+v, %v; want %v", c.code, c.unit, got, err, c.want)
		}
	}
}

func TestFieldsOfMakers(t *testing.T) {
	three := cjt188.Layout{Fields: []cjt188.Field{{Name: "x", Decimals: 3, Unit: "m3", Code: 0x2C}}}
	got, err := three.Decode(unhex(t, "78 56 34 12 00"), shanghai)
	if diff := cmp.Diff([]cjt188.Value{good("x", 12345.678, "m3")}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	odd := cjt188.Layout{Fields: []cjt188.Field{{Name: "x", Kind: cjt188.Kind(9), Bytes: 2}}}
	got, err = odd.Decode([]byte{1, 2}, shanghai)
	if diff := cmp.Diff([]cjt188.Value{bad("x", "", facility.BadReply)}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestFieldsWithoutAValue(t *testing.T) {
	body := unhex(t, "0A 00 00 00 2C FF FF FF FF FF FF FF FF FF FF FF FF FF FF")
	got, err := cjt188.Water().Decode(body, shanghai)
	want := []cjt188.Value{
		bad("volume", "m3", facility.BadReply), bad("settled_volume", "m3", facility.SensorFault),
		bad("clock", "", facility.SensorFault), bad("status", "", facility.SensorFault),
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	temperature := cjt188.Layout{Fields: []cjt188.Field{{Name: "x", Kind: cjt188.Number, Bytes: 3, Unit: "Cel"}}}
	got, err = temperature.Decode(unhex(t, "35 2F 00"), shanghai)
	if diff := cmp.Diff([]cjt188.Value{bad("x", "Cel", facility.BadReply)}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestBodiesOfTheWrongLength(t *testing.T) {
	for name, err := range map[string]error{
		"short":  decodeError(cjt188.Water(), 18),
		"long":   decodeError(cjt188.Water(), 20),
		"heat":   decodeError(cjt188.Water(), 43),
		"none":   decodeError(cjt188.Water(), 0),
		"nobody": decodeError(cjt188.Layout{}, 0),
	} {
		if !errors.Is(err, cjt188.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w, h := cjt188.Water().Length(), cjt188.Heat().Length(); w != 0x16-3 || h != 0x2E-3 {
		t.Errorf("water %d, heat %d bytes", w, h)
	}
}

func decodeError(l cjt188.Layout, n int) error {
	_, err := l.Decode(make([]byte, n), shanghai)
	return err
}

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		kind  cjt188.MeterType
		di    cjt188.DI
		first string
	}{
		{cjt188.ColdWater, cjt188.Current, "volume"},
		{cjt188.ReclaimedWater, cjt188.Current, "volume"},
		{cjt188.GasMeter, cjt188.Current, "volume"},
		{cjt188.CoolingMeter, cjt188.Current, "settled_heat_energy"},
		{cjt188.DrinkingWater, cjt188.LastSettled, "volume_settled_1"},
		{cjt188.HotWater, cjt188.LastSettled + 11, "volume_settled_12"},
		{cjt188.HotWater, cjt188.LastSettled + 12, ""},
		{cjt188.HeatMeter, cjt188.LastSettled, ""},
		{cjt188.HeatCooling, cjt188.Current, ""},
		{cjt188.MeterType(0x40), cjt188.Current, ""},
		{cjt188.AnyType, cjt188.Current, ""},
		{cjt188.ColdWater, cjt188.MeterNumber, ""},
	} {
		got, ok := cjt188.Lookup(c.kind, c.di)
		if ok != (c.first != "") || ok && got.Fields[0].Name != c.first {
			t.Errorf("type %02X item %s: %+v", byte(c.kind), c.di, got)
		}
	}
}

func TestStatusBits(t *testing.T) {
	for _, c := range []struct {
		bits    cjt188.StatusMap
		word    uint16
		valve   cjt188.Valve
		battery bool
	}{
		{cjt188.StandardStatus(), 0x0000, cjt188.ValveOpen, false},
		{cjt188.StandardStatus(), 0x8421, cjt188.ValveClosed, false},
		{cjt188.StandardStatus(), 0x0113, cjt188.ValveAbnormal, false},
		{cjt188.StandardStatus(), 0x0006, cjt188.ValveUnknown, true},
		{cjt188.HighBitsStatus(), 0x0000, cjt188.ValveOpen, false},
		{cjt188.HighBitsStatus(), 0x0060, cjt188.ValveClosed, true},
		{cjt188.HighBitsStatus(), 0x00C0, cjt188.ValveAbnormal, false},
	} {
		if v, b := c.bits.ValveOf(c.word), c.bits.BatteryLow(c.word); v != c.valve || b != c.battery {
			t.Errorf("%+v %04X: valve %d, battery low %v", c.bits, c.word, v, b)
		}
	}
}

func TestReadingsAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 99999999).Draw(t, "digits")
		first := rapid.Bool().Draw(t, "unit first")
		body := make([]byte, 5)
		digits := body[:4]
		if first {
			digits, body[0] = body[1:], 0x2C
		} else {
			body[4] = 0x2C
		}
		if err := bcd.Put(digits, n); err != nil {
			t.Fatal(err)
		}
		l := cjt188.Layout{UnitFirst: first, Fields: []cjt188.Field{{Name: "volume", Decimals: 2, Unit: "m3"}}}
		got, err := l.Decode(body, time.UTC)
		if diff := cmp.Diff([]cjt188.Value{good("volume", float64(n)/100, "m3")}, got); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range publishedFrames {
		if frame := frameOf(f, s); frame.Control == 0x81 {
			f.Add(frame.Data[3:], frame.Type == cjt188.HeatMeter, false)
			f.Add(frame.Data[3:], frame.Type == cjt188.HeatMeter, true)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, heat, first bool) {
		l := cjt188.Water()
		if heat {
			l = cjt188.Heat()
		}
		l.UnitFirst = first
		values, err := l.Decode(body, time.UTC)
		if (err == nil) != (len(body) == l.Length()) {
			t.Fatalf("%d bytes: %v", len(body), err)
		}
		for _, v := range values {
			switch {
			case v.Quality == facility.Good && v.Reason == "" && v.Number >= 0 && !math.IsInf(v.Number, 0):
			case v.Quality == facility.Bad && v.Reason != "" && v.Number == 0 && v.Time.IsZero():
			default:
				t.Fatalf("% X: %+v", body, v)
			}
		}
	})
}
