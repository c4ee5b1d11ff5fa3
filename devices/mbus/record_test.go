package mbus_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"gengfu/devices/mbus"
	"gengfu/facility"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var shanghai = time.FixedZone("CST", 8*3600)

func good(id mbus.ID, number float64, unit string) mbus.Record {
	return mbus.Record{ID: id, Number: number, Unit: unit, Quality: facility.Good}
}

func goodText(id mbus.ID, text string) mbus.Record {
	return mbus.Record{ID: id, Text: text, Quality: facility.Good}
}

func bad(id mbus.ID, unit string, reason facility.Reason) mbus.Record {
	return mbus.Record{ID: id, Unit: unit, Quality: facility.Bad, Reason: reason}
}

func of(quantity string) mbus.ID { return mbus.ID{Quantity: quantity} }

func sub(quantity string, subunit uint32) mbus.ID {
	return mbus.ID{Quantity: quantity, Subunit: subunit}
}

// same compares numbers as far as sixteen digits go.
var same = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-14*math.Abs(b) })

func recordsOf(t *testing.T, frame string) (mbus.Response, []mbus.Record, bool) {
	t.Helper()
	resp, err := mbus.Ask(mbus.Anyone, true).Match(frameOf(t, frame))
	if err != nil {
		t.Fatal(err)
	}
	records, more, err := mbus.ParseRecords(resp.Records, shanghai)
	if err != nil {
		t.Fatal(err)
	}
	return resp, records, more
}

func TestItronWaterMeter(t *testing.T) {
	for _, c := range []struct {
		frame    string
		volume   float64
		at       time.Time
		battery  float64
		access   byte
		original string
	}{
		{itronWater, 224.769, time.Date(2022, 6, 19, 20, 53, 0, 0, shanghai), 0x1097, 0x9D, "1900463677041407"},
		{itronTwin, 223.349, time.Date(2022, 6, 16, 22, 50, 0, 0, shanghai), 0x109A, 0x40, "1900463677041407"},
	} {
		resp, got, more := recordsOf(t, c.frame)
		if resp.Identity.String() != c.original || resp.Status != 0x10 || resp.Access != c.access || resp.Address != 2 || more {
			t.Errorf("%+v, more %v", resp, more)
		}
		want := []mbus.Record{
			goodText(of("fabrication_number"), "19004636"),
			bad(of("cust. ID"), "", facility.SensorFault), // blanks
			{ID: of("time"), Time: c.at, Quality: facility.Good},
			good(of("bat. time"), c.battery, ""),
			good(of("volume"), c.volume, "m3"),
			good(mbus.ID{Quantity: "volume", Modifiers: "7F"}, 0, "m3"),
			good(mbus.ID{Quantity: "volume", Storage: 1}, 217.383, "m3"),
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Error(diff)
		}
	}
}

func TestGaroElectricityMeter(t *testing.T) {
	resp, got, more := recordsOf(t, garoFirst)
	if resp.Identity.Number() != "90072114" || resp.Identity.Maker() != "GAV" || resp.Identity.Medium().String() != "electricity" || !more {
		t.Errorf("%+v, more %v", resp, more)
	}
	want := []mbus.Record{
		good(of("energy"), 7823.6, "kWh"),
		good(of("reactive_energy"), 3721.9, "kvarh"),
		good(of("power"), 0.2102, "kW"),
		good(of("reactive_power"), -0.031, "kvar"),
		good(of("apparent_power"), 0.2157, "kVA"),
		good(of("dimensionless"), 0.988, ""),
		good(sub("voltage", 4), 403.6, "V"),
		good(of("voltage"), 233, "V"),
		good(sub("current", 1), 1.234, "A"),
		good(sub("current", 2), 0.12, "A"),
		good(sub("current", 3), 0, "A"),
	}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
	_, got, more = recordsOf(t, garoSecond)
	want = []mbus.Record{
		good(sub("power", 1), 0.2464, "kW"), good(sub("power", 2), 0.0186, "kW"), good(sub("power", 3), 0, "kW"),
		good(sub("reactive_power", 1), -0.0261, "kvar"), good(sub("reactive_power", 2), 0.0075, "kvar"), good(sub("reactive_power", 3), 0, "kvar"),
		good(sub("apparent_power", 1), 0.2478, "kVA"), good(sub("apparent_power", 2), 0.02, "kVA"), good(sub("apparent_power", 3), 0, "kVA"),
		good(sub("dimensionless", 1), 0.994, ""), good(sub("dimensionless", 2), 0.927, ""), good(sub("dimensionless", 3), 0, ""),
	}
	if diff := cmp.Diff(want, got, same); diff != "" || !more {
		t.Error(diff, more)
	}
}

func TestExampleOfTheDocumentation(t *testing.T) {
	resp, got, _ := recordsOf(t, padWater)
	if resp.Identity.Maker() != "PAD" || resp.Identity.Number() != "12345678" || resp.Access != 0x55 {
		t.Errorf("%+v", resp)
	}
	want := []mbus.Record{
		good(of("volume"), 12.565, "m3"),
		good(mbus.ID{Quantity: "flow", Function: mbus.Maximum, Storage: 5}, 0.113, "m3/h"),
		good(mbus.ID{Quantity: "energy", Tariff: 2, Subunit: 1}, 218.37, "kWh"),
	}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
}

func TestRecords(t *testing.T) {
	at := func(id mbus.ID, year int, month time.Month, day, hour, minute, second int) mbus.Record {
		return mbus.Record{ID: id, Time: time.Date(year, month, day, hour, minute, second, 0, shanghai), Quality: facility.Good}
	}
	during := good(mbus.ID{Quantity: "volume", Function: mbus.DuringError}, 1, "m3")
	during.Quality, during.Reason = facility.Uncertain, facility.SensorFault
	cases := []struct {
		name, bytes string
		want        mbus.Record
	}{
		{"8 bits", "01 16 FE", good(of("volume"), -2, "m3")},
		{"16 bits", "02 16 FE FF", good(of("volume"), -2, "m3")},
		{"24 bits", "03 16 02 00 00", good(of("volume"), 2, "m3")},
		{"48 bits", "06 16 00 00 00 00 01 00", good(of("volume"), 1<<32, "m3")},
		{"64 bits", "07 16 FE FF FF FF FF FF FF FF", good(of("volume"), -2, "m3")},
		{"lowest of 8 bits", "01 16 80", bad(of("volume"), "m3", facility.SensorFault)},
		{"lowest of 32 bits", "04 16 00 00 00 80", bad(of("volume"), "m3", facility.SensorFault)},
		{"lowest of 64 bits", "07 16 00 00 00 00 00 00 00 80", bad(of("volume"), "m3", facility.SensorFault)},
		{"real", "05 16 00 00 20 41", good(of("volume"), 10, "m3")},
		{"real NaN", "05 16 00 00 C0 7F", bad(of("volume"), "m3", facility.SensorFault)},
		{"real infinity", "05 16 00 00 80 7F", bad(of("volume"), "m3", facility.SensorFault)},
		{"2 digits", "09 16 42", good(of("volume"), 42, "m3")},
		{"12 digits", "0E 16 12 90 78 56 34 12", good(of("volume"), 123456789012, "m3")},
		{"negative digits", "0A 16 34 F2", good(of("volume"), -234, "m3")},
		{"digits absent", "0C 16 FF FF FF FF", bad(of("volume"), "m3", facility.SensorFault)},
		{"no digits", "0A 16 3A 12", bad(of("volume"), "m3", facility.BadReply)},
		{"no digits, negative", "0A 16 3A F2", bad(of("volume"), "m3", facility.BadReply)},
		{"no data", "00 16", bad(of("volume"), "m3", facility.SensorFault)},
		{"asked for", "08 16", bad(of("volume"), "m3", facility.SensorFault)},
		{"of variable length, digits", "0D 16 C2 34 12", good(of("volume"), 1234, "m3")},
		{"of variable length, negative", "0D 16 D2 34 12", good(of("volume"), -1234, "m3")},
		{"of variable length, negative, no digits", "0D 16 D1 0A", bad(of("volume"), "m3", facility.BadReply)},
		{"of variable length, binary", "0D 16 E2 34 12", good(of("volume"), 0x1234, "m3")},
		{"of variable length, too long", "0D 16 E9 01 01 01 01 01 01 01 01 01", bad(of("volume"), "m3", facility.BadReply)},
		{"of no length", "0D 16 00", bad(of("volume"), "m3", facility.SensorFault)},
		{"text", "0D FD 0E 03 33 2E 31", goodText(of("firmware_version"), "1.3")},
		{"unprintable", "0D FD 0E 02 07 31", bad(of("firmware_version"), "", facility.BadReply)},
		{"during an error", "31 16 01", during},
		{"minimum of storage 1", "61 16 01", good(mbus.ID{Quantity: "volume", Function: mbus.Minimum, Storage: 1}, 1, "m3")},
		{"energy in J", "04 0E 01 00 00 00", good(of("energy"), 0.001, "GJ")},
		{"energy in MWh", "04 FB 01 02 00 00 00", good(of("energy"), 2000, "kWh")},
		{"energy in GJ", "04 FB 08 02 00 00 00", good(of("energy"), 0.2, "GJ")},
		{"mass", "04 1B 02 00 00 00", good(of("mass"), 2, "kg")},
		{"mass in t", "04 FB 18 02 00 00 00", good(of("mass"), 200000, "kg")},
		{"volume in 100 m3", "04 FB 10 02 00 00 00", good(of("volume"), 200, "m3")},
		{"power in J/h", "04 36 10 0E 00 00", good(of("power"), 1000, "kW")},
		{"flow per minute", "04 46 02 00 00 00", good(of("flow"), 12, "m3/h")},
		{"flow per second", "04 4D 01 00 00 00", good(of("flow"), 0.36, "m3/h")},
		{"mass flow", "04 53 01 00 00 00", good(of("mass_flow"), 1, "kg/h")},
		{"supply", "02 5A 0F 01", good(of("supply_temperature"), 27.1, "Cel")},
		{"return", "02 5E 0F 01", good(of("return_temperature"), 27.1, "Cel")},
		{"difference", "02 62 0F 01", good(of("temperature_difference"), 27.1, "K")},
		{"outside", "02 66 0F FF", good(of("external_temperature"), -24.1, "Cel")},
		{"pressure", "02 69 0F 01", good(of("pressure"), 2.71, "bar")},
		{"on for seconds", "02 20 0F 01", good(of("on_time"), 271, "s")},
		{"on for days", "02 23 02 00", good(of("on_time"), 48, "h")},
		{"operating minutes", "02 25 0F 01", good(of("operating_time"), 271, "min")},
		{"averaging hours", "02 72 01 00", good(of("averaging_time"), 1, "h")},
		{"actuality", "02 74 01 00", good(of("actuality_time"), 1, "s")},
		{"heat cost", "02 6E 01 00", good(of("heat_cost_units"), 1, "")},
		{"frequency", "02 FB 2D 88 13", good(of("frequency"), 50, "Hz")},
		{"phase angle", "02 FB 2A 78 00", good(of("phase_angle_voltage"), 120, "deg")},
		{"humidity", "02 FB 1A F4 01", good(of("relative_humidity"), 50, "%")},
		{"flags", "02 FD 17 00 80", good(of("error_flags"), 0x8000, "")},
		{"flags absent", "02 FD 17 FF FF", bad(of("error_flags"), "", facility.SensorFault)},
		{"input", "01 FD 1B 01", good(of("digital_input"), 1, "")},
		{"battery days", "02 FD 74 0A 00", good(of("battery_time"), 240, "h")},
		{"bus address", "01 7A 05", good(of("bus_address"), 5, "")},
		{"identification", "04 79 15 CD 5B 07", goodText(of("identification"), "123456789")},
		{"date", "42 6C BF 2C", at(mbus.ID{Quantity: "date", Storage: 1}, 2021, 12, 31, 0, 0, 0)},
		{"time with seconds", "06 6D 1E 35 14 D3 26 00", at(of("time"), 2022, 6, 19, 20, 53, 30)},
		{"time not valid", "04 6D B5 14 D3 26", bad(of("time"), "", facility.SensorFault)},
		{"date absent", "02 6C FF FF", bad(of("date"), "", facility.SensorFault)},
		{"date of zeros", "02 6C 00 00", bad(of("date"), "", facility.SensorFault)},
		{"February 30", "02 6C DE 22", bad(of("date"), "", facility.BadReply)},
		{"year 127", "02 6C E1 F1", bad(of("date"), "", facility.BadReply)},
		{"time of three bytes", "03 6D 01 01 01", bad(of("time"), "", facility.BadReply)},
		{"time as digits", "0C 6D 01 01 01 01", bad(of("time"), "", facility.BadReply)},
		{"times a thousand", "01 96 7D 02", good(of("volume"), 2000, "m3")},
		{"no error", "01 96 00 02", good(of("volume"), 2, "m3")},
		{"no data available", "01 96 15 02", bad(of("volume"), "m3", facility.SensorFault)},
		{"per day", "01 96 23 02", good(mbus.ID{Quantity: "volume", Modifiers: "23"}, 2, "m3")},
		{"maker's own, behind", "01 96 FF 81 02 02", good(mbus.ID{Quantity: "volume", Modifiers: "7F0102"}, 2, "m3")},
		{"maker's own", "01 FF 81 74 02", good(mbus.ID{Quantity: "vif_7f", Modifiers: "0174"}, 2, "")},
		{"reserved", "01 6F 02", good(of("vif_6f"), 2, "")},
		{"unknown of FB", "01 FB 7F 02", good(of("vif_fb_7f"), 2, "")},
		{"unknown of FD", "01 FD 3B 02", good(of("vif_fd_3b"), 2, "")},
		{"spelt out, with a factor", "01 FC 02 41 42 74 02", good(of("BA"), 0.02, "")},
		{"after fillers", "2F 2F 01 16 02 2F", good(of("volume"), 2, "m3")},
		{"storage of many digits", "C1 8F 0F 16 02", good(mbus.ID{Quantity: "volume", Storage: 1 | 15<<1 | 15<<5}, 2, "m3")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, more, err := mbus.ParseRecords(unhex(t, c.bytes), shanghai)
			if diff := cmp.Diff([]mbus.Record{c.want}, got, same); diff != "" || err != nil || more {
				t.Error(diff, err)
			}
		})
	}
}

func TestRecordsThatCannotBeTold(t *testing.T) {
	volume := good(of("volume"), 2, "m3")
	for name, b := range map[string]string{
		"no VIF":                  "01",
		"no data":                 "04 16 01 02 03",
		"no DIFE":                 "81",
		"no VIFE":                 "01 96",
		"no code of the table":    "01 FD",
		"no length":               "0D 16",
		"no name":                 "01 7C",
		"name cut":                "01 7C 05 41",
		"reserved DIF":            "3F 16 01",
		"reserved length":         "0D 16 F0",
		"data of a length cut":    "0D 16 05 41",
		"eleven DIFE":             "81 80 80 80 80 80 80 80 80 80 80 00 16 01",
		"eleven VIFE":             "01 96 F4 F4 F4 F4 F4 F4 F4 F4 F4 F4 74 01",
		"reals that end too soon": "05 16 00 00",
	} {
		got, more, err := mbus.ParseRecords(append(unhex(t, "01 16 02"), unhex(t, b)...), shanghai)
		if diff := cmp.Diff([]mbus.Record{volume}, got); diff != "" || !errors.Is(err, mbus.ErrMalformed) || more {
			t.Errorf("%s: %v, %s", name, err, diff)
		}
	}
}

func TestFind(t *testing.T) {
	_, records, _ := recordsOf(t, itronWater)
	if r, ok := mbus.Find(records, of("volume")); !ok || r.Number != 224.769 {
		t.Errorf("now: %+v, %v", r, ok)
	}
	if r, ok := mbus.Find(records, mbus.ID{Quantity: "volume", Storage: 1}); !ok || r.Number != 217.383 {
		t.Errorf("stored: %+v, %v", r, ok)
	}
	if r, ok := mbus.Find(records, of("energy")); ok {
		t.Errorf("not there: %+v", r)
	}
	if r, ok := mbus.Find(append(records, records...), of("volume")); ok || r != (mbus.Record{}) {
		t.Errorf("twice: %+v", r)
	}
}

func TestIntegersAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.SampledFrom([]int{1, 2, 3, 4, 6, 8}).Draw(t, "bytes")
		dif := map[int]byte{1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 8: 7}[bytes]
		most := int64(math.MaxInt64 >> (64 - 8*bytes))
		n := rapid.Int64Range(-most, most).Draw(t, "number")
		record := []byte{dif, 0x16}
		for i := range bytes {
			record = append(record, byte(n>>(8*i)))
		}
		got, _, err := mbus.ParseRecords(record, time.UTC)
		if diff := cmp.Diff([]mbus.Record{good(of("volume"), float64(n), "m3")}, got); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	})
}

func FuzzRecords(f *testing.F) {
	for _, s := range publishedFrames {
		if frame := frameOf(f, s); frame.CI == 0x72 {
			f.Add(frame.Data[12:])
		}
	}
	f.Add(unhex(f, "0D 16 D1 0A 01 FC 02 41 42 74 02 05 16 00 00 C0 7F 06 6D 1E 35 14 D3 26 00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, more, err := mbus.ParseRecords(b, time.UTC)
		if err != nil && (more || !errors.Is(err, mbus.ErrMalformed)) || len(records) > len(b)/2 {
			t.Fatalf("%d records, more %v, %v", len(records), more, err)
		}
		for _, r := range records {
			if math.IsNaN(r.Number) || math.IsInf(r.Number, 0) || (r.Quality == facility.Good) != (r.Reason == "") {
				t.Fatalf("% X: %+v", b, r)
			}
			if r.Quality == facility.Bad && (r.Number != 0 || r.Text != "" || !r.Time.IsZero()) {
				t.Fatalf("% X: bad and %+v", b, r)
			}
		}
	})
}
