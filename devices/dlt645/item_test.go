package dlt645_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"gengfu/devices/bcd"
	"gengfu/devices/dlt645"
	"gengfu/facility"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var shanghai = time.FixedZone("CST", 8*3600)

func good(name string, number float64, unit string) dlt645.Value {
	return dlt645.Value{Name: name, Number: number, Unit: unit, Quality: facility.Good}
}

func goodText(name, text string) dlt645.Value {
	return dlt645.Value{Name: name, Text: text, Quality: facility.Good}
}

func bad(name, unit string, reason facility.Reason) dlt645.Value {
	return dlt645.Value{Name: name, Unit: unit, Quality: facility.Bad, Reason: reason}
}

// Replies of real meters as the web and manuals show them, with what they say.
func TestPublishedReplies(t *testing.T) {
	cases := []struct {
		meter, item, reply string
		want               dlt645.Value
	}{
		{"161", "00010000", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16", good("forward_active_energy", 0.26, "kWh")},
		{"161", "00020000", "68 61 01 00 00 00 00 68 91 08 33 33 35 33 59 34 33 33 8C 16", good("reverse_active_energy", 1.26, "kWh")},
		{"161", "00030000", "68 61 01 00 00 00 00 68 91 08 33 33 36 33 59 33 34 33 8D 16", good("reactive_energy_1", 100.26, "kvarh")},
		{"161", "00040000", "68 61 01 00 00 00 00 68 91 08 33 33 37 33 56 33 34 33 8B 16", good("reactive_energy_2", 100.23, "kvarh")},
		{"161", "02010100", "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16", good("voltage_a", 100.1, "V")},
		{"161", "02020100", "68 61 01 00 00 00 00 68 91 07 33 34 35 35 CC 7C 33 16 16", good("current_a", 4.999, "A")},
		{"161", "02030000", "68 61 01 00 00 00 00 68 91 07 33 33 36 35 45 58 33 6B 16", good("active_power", 0.2512, "kW")},
		{"002241020208", "04000402", "68 08 02 02 41 22 00 68 91 0A 35 37 33 37 3B 35 35 74 55 33 51 16", goodText("meter_number", "002241020208")},
		{"123456789012", "00010000", "68 12 90 78 56 34 12 68 91 08 33 33 34 33 AB 89 67 45 CC 16", good("forward_active_energy", 123456.78, "kWh")},
		{"910004920760", "00000000", "68 60 07 92 04 00 91 68 91 08 33 33 33 33 97 35 A8 33 6A 16", good("active_energy", 7502.64, "kWh")},
		{"000010604867", "00010000", "68 67 48 60 10 00 00 68 91 08 33 33 34 33 33 33 33 33 21 16", good("forward_active_energy", 0, "kWh")},
		{"123456789012", "9010", "68 12 90 78 56 34 12 68 81 06 43 C3 33 33 34 33 E0 16", good("forward_active_energy", 100, "kWh")},
		{"138000130754", "9010", "68 54 07 13 00 80 13 68 81 06 43 C3 34 33 33 33 2B 16", good("forward_active_energy", 0.01, "kWh")},
		{"3", "B611", "68 03 00 00 00 00 00 68 81 04 44 E9 33 34 EC 16", good("voltage_a", 100, "V")},
	}
	for _, c := range cases {
		t.Run(c.item+" of "+c.meter, func(t *testing.T) {
			tr := dlt645.NewTransfer(address(t, c.meter), di(t, c.item))
			if done, err := tr.Take(frameOf(t, c.reply)); !done || err != nil {
				t.Fatal(done, err)
			}
			it, ok := dlt645.Lookup(di(t, c.item))
			if !ok {
				t.Fatal("the item is not known")
			}
			got, err := it.Decode(tr.Data(), shanghai)
			if diff := cmp.Diff([]dlt645.Value{c.want}, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

func TestItems(t *testing.T) {
	cases := []struct {
		item, data string // as they are meant, without 33h
		want       []dlt645.Value
	}{
		{"0201FF00", "01 22 98 21 05 22", []dlt645.Value{good("voltage_a", 220.1, "V"), good("voltage_b", 219.8, "V"), good("voltage_c", 220.5, "V")}},
		{"0201FF00", "01 22", []dlt645.Value{good("voltage_a", 220.1, "V")}}, // a meter of one phase
		{"0201FF00", "01 22 FF FF FF FF", []dlt645.Value{good("voltage_a", 220.1, "V"), bad("voltage_b", "V", facility.SensorFault), bad("voltage_c", "V", facility.SensorFault)}},
		{"0202FF00", "34 12 80 00 00 00 99 99 F9", []dlt645.Value{good("current_a", -1.234, "A"), good("current_b", 0, "A"), good("current_c", -799.999, "A")}},
		{"0203FF00", "12 25 80 99 99 F9", []dlt645.Value{good("active_power", -0.2512, "kW"), good("active_power_a", -79.9999, "kW")}},
		{"02040200", "00 10 00", []dlt645.Value{good("reactive_power_b", 0.1, "kvar")}},
		{"02050000", "00 00 01", []dlt645.Value{good("apparent_power", 1, "kVA")}},
		{"0206FF00", "00 10 95 89", []dlt645.Value{good("power_factor", 1, ""), good("power_factor_a", -0.995, "")}},
		{"02070300", "00 12", []dlt645.Value{good("phase_angle_c", 120, "deg")}},
		{"02800001", "00 00 00", []dlt645.Value{good("neutral_current", 0, "A")}},
		{"02800002", "98 49", []dlt645.Value{good("frequency", 49.98, "Hz")}},
		{"02800003", "00 50 00", []dlt645.Value{good("mean_active_power", 0.5, "kW")}},
		{"02800004", "00 50 00", []dlt645.Value{good("present_active_demand", 0.5, "kW")}},
		{"02800007", "53 80", []dlt645.Value{good("temperature", -5.3, "Cel")}},
		{"02800008", "60 03", []dlt645.Value{good("clock_battery_voltage", 3.6, "V")}},
		{"02800009", "00 06", []dlt645.Value{good("meter_battery_voltage", 6, "V")}},
		{"0280000A", "20 01 00 00", []dlt645.Value{good("battery_time", 120, "min")}},
		{"00000000", "50 12 00 80", []dlt645.Value{good("active_energy", -12.5, "kWh")}},
		{"0001FF00", "10 00 00 00 04 00 00 00 06 00 00 00", []dlt645.Value{
			good("forward_active_energy", 0.1, "kWh"), good("forward_active_energy_t1", 0.04, "kWh"), good("forward_active_energy_t2", 0.06, "kWh"),
		}},
		{"00020301", "00 01 00 00", []dlt645.Value{good("reverse_active_energy_settled_1_t3", 1, "kWh")}},
		{"00060000", "00 01 00 00", []dlt645.Value{good("reactive_energy_q2", 1, "kvarh")}},
		{"00090000", "00 01 00 00", []dlt645.Value{good("forward_apparent_energy", 1, "kVAh")}},
		{"000A0000", "00 01 00 00", []dlt645.Value{good("reverse_apparent_energy", 1, "kVAh")}},
		{"00150000", "00 01 00 00", []dlt645.Value{good("forward_active_energy_a", 1, "kWh")}},
		{"002A000C", "00 01 00 00", []dlt645.Value{good("reverse_active_energy_b_settled_12", 1, "kWh")}},
		{"003D0000", "00 01 00 00", []dlt645.Value{good("forward_active_energy_c", 1, "kWh")}},
		{"01010000", "12 25 00 30 14 22 11 26", []dlt645.Value{
			good("forward_active_demand", 0.2512, "kW"),
			{Name: "forward_active_demand_time", Time: time.Date(2026, 11, 22, 14, 30, 0, 0, shanghai), Quality: facility.Good},
		}},
		{"01030000", "12 25 80 00 00 00 00 00", []dlt645.Value{
			good("reactive_demand_1", -0.2512, "kvar"), bad("reactive_demand_1_time", "", facility.BadReply),
		}},
		{"01020000", "FF FF FF FF FF FF FF FF", []dlt645.Value{
			bad("reverse_active_demand", "kW", facility.SensorFault), bad("reverse_active_demand_time", "", facility.SensorFault),
		}},
		{"01050001", "00 00 01 59 23 31 12 25", []dlt645.Value{
			good("reactive_demand_q1_settled_1", 1, "kvar"),
			{Name: "reactive_demand_q1_settled_1_time", Time: time.Date(2025, 12, 31, 23, 59, 0, 0, shanghai), Quality: facility.Good},
		}},
		{"03110000", "12 00 00", []dlt645.Value{good("power_off_count", 12, "")}},
		{"03300000", "01 00 00", []dlt645.Value{good("programming_count", 1, "")}},
		{"03300200", "01 00 00", []dlt645.Value{good("demand_clear_count", 1, "")}},
		{"03300400", "01 00 00", []dlt645.Value{good("time_set_count", 1, "")}},
		{"03300D00", "01 00 00", []dlt645.Value{good("cover_open_count", 1, "")}},
		{"03300E00", "01 00 00", []dlt645.Value{good("terminal_cover_open_count", 1, "")}},
		{"04000101", "00 22 11 26", []dlt645.Value{{Name: "clock_date", Time: time.Date(2026, 11, 22, 0, 0, 0, 0, shanghai), Quality: facility.Good}}},
		{"04000101", "00 31 11 26", []dlt645.Value{bad("clock_date", "", facility.BadReply)}}, // November 31
		{"04000102", "59 30 08", []dlt645.Value{good("clock_time", 8*3600+30*60+59, "s")}},
		{"04000102", "60 30 08", []dlt645.Value{bad("clock_time", "s", facility.BadReply)}},
		{"04000102", "00 00 24", []dlt645.Value{bad("clock_time", "s", facility.BadReply)}},
		{"04000401", "61 01 00 00 00 00", []dlt645.Value{goodText("address", "000000000161")}},
		{"04000401", "61 A1 00 00 00 00", []dlt645.Value{bad("address", "", facility.BadReply)}},
		{"0400040B", "31 38 33 53 54 44 44 00 00 20", []dlt645.Value{goodText("model", "DDTS381")}},
		{"0400040B", "31 38 33 53 54 44 07 44 00 20", []dlt645.Value{bad("model", "", facility.BadReply)}},
		{"0400040D", "37 30 30 32 2D 35 34 36 54 2F 4C 44 00 00 00 00", []dlt645.Value{goodText("protocol_version", "DL/T645-2007")}},
		{"04000503", "10 00", []dlt645.Value{good("status_word_3", 16, "")}},
		{"040005FF", "04 00 00 00 10 00 00 00 00 00 00 01 FF FF", []dlt645.Value{
			good("status_word_1", 4, ""), good("status_word_2", 0, ""), good("status_word_3", 16, ""), good("status_word_4", 0, ""),
			good("status_word_5", 0, ""), good("status_word_6", 256, ""), bad("status_word_7", "", facility.SensorFault),
		}},
		{"1D000101", "00 30 08 22 11 26", []dlt645.Value{{Name: "last_trip", Time: time.Date(2026, 11, 22, 8, 30, 0, 0, shanghai), Quality: facility.Good}}},
		{"1E000101", "00 00 00 00 00 00", []dlt645.Value{bad("last_close", "", facility.BadReply)}},
		{"05060101", "00 01 00 00 00 01 00 00", []dlt645.Value{good("forward_active_energy_day_1", 1, "kWh"), good("forward_active_energy_day_1_t1", 1, "kWh")}},
		{"05060202", "00 01 00 00", []dlt645.Value{good("reverse_active_energy_day_2", 1, "kWh")}},
		{"00010000", "0A 00 00 00", []dlt645.Value{bad("forward_active_energy", "kWh", facility.BadReply)}},
		{"00010000", "FF FF FF 00", []dlt645.Value{bad("forward_active_energy", "kWh", facility.BadReply)}},
		{"00010000", "FF FF FF FF", []dlt645.Value{bad("forward_active_energy", "kWh", facility.SensorFault)}},
		{"00000000", "0A 00 00 00", []dlt645.Value{bad("active_energy", "kWh", facility.BadReply)}},
		{"9021", "00 01 00 00", []dlt645.Value{good("reverse_active_energy_t1", 1, "kWh")}},
		{"941F", "00 02 00 00 00 01 00 00", []dlt645.Value{good("forward_active_energy_settled_1", 2, "kWh"), good("forward_active_energy_settled_1_t1", 1, "kWh")}},
		{"9110", "00 01 00 00", []dlt645.Value{good("forward_reactive_energy", 1, "kvarh")}},
		{"9120", "00 01 00 00", []dlt645.Value{good("reverse_reactive_energy", 1, "kvarh")}},
		{"9130", "00 01 00 00", []dlt645.Value{good("reactive_energy_q1", 1, "kvarh")}},
		{"9140", "00 01 00 00", []dlt645.Value{good("reactive_energy_q4", 1, "kvarh")}},
		{"9150", "00 01 00 00", []dlt645.Value{good("reactive_energy_q2", 1, "kvarh")}},
		{"9160", "00 01 00 00", []dlt645.Value{good("reactive_energy_q3", 1, "kvarh")}},
		{"B61F", "20 02 19 02 21 02", []dlt645.Value{good("voltage_a", 220, "V"), good("voltage_b", 219, "V"), good("voltage_c", 221, "V")}},
		{"B622", "50 01", []dlt645.Value{good("current_b", 1.5, "A")}},
		{"B630", "12 25 00", []dlt645.Value{good("active_power", 0.2512, "kW")}},
		{"B641", "50 00", []dlt645.Value{good("reactive_power_a", 0.5, "kvar")}},
		{"B650", "95 09", []dlt645.Value{good("power_factor", 0.995, "")}},
		{"C010", "00 22 11 26", []dlt645.Value{{Name: "clock_date", Time: time.Date(2026, 11, 22, 0, 0, 0, 0, shanghai), Quality: facility.Good}}},
		{"C011", "00 00 12", []dlt645.Value{good("clock_time", 43200, "s")}},
		{"C032", "61 01 00 00 00 00", []dlt645.Value{goodText("meter_number", "000000000161")}},
	}
	for _, c := range cases {
		t.Run(c.item, func(t *testing.T) {
			it, ok := dlt645.Lookup(di(t, c.item))
			if !ok {
				t.Fatal("the item is not known")
			}
			got, err := it.Decode(unhex(t, c.data), shanghai)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

func TestDataOfTheWrongLengthAreNoItem(t *testing.T) {
	for item, data := range map[string]string{
		"00010000": "00 00 00", "02010100": "00 22 00 22", "0201FF00": "00 22 00", "0202FF00": "",
		"B61F": "20 02 20 02 20 02 20 02", "01010000": "00 00 00",
	} {
		it, _ := dlt645.Lookup(di(t, item))
		if got, err := it.Decode(unhex(t, data), shanghai); !errors.Is(err, dlt645.ErrMalformed) {
			t.Errorf("%s with %s: %v, %v", item, data, got, err)
		}
	}
	if _, err := (dlt645.Item{}).Decode([]byte{1}, shanghai); !errors.Is(err, dlt645.ErrMalformed) {
		t.Errorf("no item at all: %v", err)
	}
}

func TestUnknownItems(t *testing.T) {
	for _, item := range []string{
		"000B0000", "00150100", "00010040", "0001000D", "0115000D", "01010040", "01090000", "0101000D",
		"02010000", "02010400", "02010101", "02030400", "02080000", "02800005", "02800102", "04000500", "04000508",
		"05060100", "0506013F", "05060301", "06000000", "04000100", "B1020102",
		"9070", "9001", "9170", "B610", "B614", "B634", "B660", "C012", "A010",
	} {
		if got, ok := dlt645.Lookup(di(t, item)); ok {
			t.Errorf("%s is %s", item, got.Name)
		}
	}
}

func TestFormatsThatCannotBe(t *testing.T) {
	for _, f := range []dlt645.Format{
		{Kind: dlt645.Kind(99), Bytes: 2},
		{Kind: dlt645.Number, Bytes: 9},
		{Kind: dlt645.Signed, Bytes: 9},
		{Kind: dlt645.Word, Bytes: 9},
		{Kind: dlt645.Stamp, Bytes: 4},
		{Kind: dlt645.Date, Bytes: 5},
		{Kind: dlt645.TimeOfDay, Bytes: 2},
		{Kind: dlt645.Number},
	} {
		if got := f.Decode(make([]byte, f.Bytes), shanghai); got.Quality != facility.Bad || got.Reason != facility.BadReply {
			t.Errorf("%+v: %+v", f, got)
		}
	}
	if got := (dlt645.Format{Kind: dlt645.Number, Bytes: 2}).Decode([]byte{1}, shanghai); got.Reason != facility.BadReply {
		t.Errorf("one byte of two: %+v", got)
	}
}

func TestStatusWords(t *testing.T) {
	raised := func(word int, value uint16) (names []string) {
		for _, f := range dlt645.Flags(word) {
			switch v := f.Of(value); {
			case f.States != nil:
				names = append(names, f.Name+" "+f.States[v])
			case v == 1:
				names = append(names, f.Name)
			}
		}
		return names
	}
	cases := []struct {
		word  int
		value uint16
		want  []string
	}{
		{1, 0x000C, []string{"demand_mode slip", "clock_battery_low", "meter_battery_low"}},
		{1, 0x0072, []string{"demand_mode block", "active_power_reverse", "reactive_power_reverse", "magnetic_field"}},
		{2, 0x0042, []string{"active_power_reverse_b", "reactive_power_reverse_c"}},
		{3, 0x0010, []string{"time_slot_set first", "supply mains", "relay open", "time_zone_set first", "relay_command close", "prepaid no", "tariff_set first", "step_set first"}},
		{3, 0x0EEF, []string{
			"time_slot_set second", "supply reserved", "programming_allowed", "relay closed", "time_zone_set second", "relay_command open",
			"trip_warning", "prepaid money", "tariff_set second", "step_set second",
		}},
		{3, 0x0104, []string{"time_slot_set first", "supply battery", "relay closed", "time_zone_set first", "relay_command close", "prepaid energy", "tariff_set first", "step_set first"}},
		{4, 0x0001, []string{"voltage_lost_a"}},
		{5, 0x0086, []string{"undervoltage_b", "overvoltage_b", "phase_broken_b"}},
		{6, 0x0178, []string{"current_lost_c", "overcurrent_c", "overload_c", "reverse_c", "current_broken_c"}},
		{7, 0x01FF, []string{
			"voltage_sequence", "current_sequence", "voltage_unbalance", "current_unbalance", "auxiliary_power_lost",
			"power_lost", "demand_exceeded", "power_factor_low", "current_unbalance_severe",
		}},
		{7, 0, nil},
		{8, 0xFFFF, nil},
	}
	for _, c := range cases {
		if got := raised(c.word, c.value); !slices.Equal(got, c.want) {
			t.Errorf("word %d %04X: %v", c.word, c.value, got)
		}
	}
}

func TestNumbersAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := dlt645.Format{Kind: dlt645.Signed, Bytes: rapid.IntRange(1, 6).Draw(t, "bytes"), Decimals: rapid.IntRange(0, 4).Draw(t, "decimals")}
		most := uint64(8*math.Pow10(2*f.Bytes-1)) - 1 // the highest bit of the first digit is the sign
		n := rapid.Uint64Range(0, most-1).Draw(t, "number")
		data := make([]byte, f.Bytes)
		if err := bcd.Put(data, n); err != nil {
			t.Fatal(err)
		}
		want := float64(n) / math.Pow10(f.Decimals)
		if rapid.Bool().Draw(t, "negative") {
			data[f.Bytes-1] |= 0x80
			want = -want
		}
		if got := f.Decode(data, time.UTC); got.Quality != facility.Good || got.Number != want {
			t.Fatalf("% X: %+v, want %v", data, got, want)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, code := range []uint32{0x00010000, 0x0001FF00, 0x0201FF00, 0x01010000, 0x04000101, 0x04000102, 0x040005FF, 0x0400040B, 0x1D000101} {
		f.Add(code, false, []byte{0x26, 0, 0, 0, 1, 2, 3, 4})
		f.Add(code, false, []byte{0xFF, 0xFF, 0xFF, 0xFF})
	}
	f.Add(uint32(0x901F), true, []byte{0x26, 0, 0, 0})
	f.Fuzz(func(t *testing.T, code uint32, old bool, data []byte) {
		d := dlt645.DI{Code: code}
		if old {
			d = dlt645.DI{Edition: dlt645.Edition1997, Code: code & 0xFFFF}
		}
		it, ok := dlt645.Lookup(d)
		if !ok {
			return
		}
		values, err := it.Decode(data, time.UTC)
		if (err == nil) != (len(values) > 0) {
			t.Fatalf("%s: %v, %v", d, values, err)
		}
		for _, v := range values {
			switch {
			case v.Quality == facility.Good && v.Reason == "" && !math.IsNaN(v.Number) && !math.IsInf(v.Number, 0):
			case v.Quality == facility.Bad && v.Reason != "" && v.Number == 0 && v.Text == "" && v.Time.IsZero():
			default:
				t.Fatalf("%s % X: %s", d, data, fmt.Sprintf("%+v", v))
			}
		}
	})
}
