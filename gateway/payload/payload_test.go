package payload

import (
	"encoding/json"
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/facility"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 250_000_000, time.UTC)

func point(device, quantity string) facility.PointID {
	return facility.PointID{Device: device, Quantity: quantity}
}

func sample() []facility.Reading {
	return []facility.Reading{
		{Point: point("pump-1", "outlet_pressure"), Time: noon, Value: 3.42, Unit: "bar", Quality: facility.Good},
		{Point: point("main-water", "flow"), Time: noon.Add(time.Nanosecond), Unit: "m3/h", Quality: facility.Bad, Reason: facility.NoAnswer},
		{Point: point("main-power", "energy"), Time: noon.Add(-time.Minute), Value: 12345.678, Unit: "kWh", Quality: facility.Uncertain, Reason: facility.ClockUnknown},
		{Point: point("pump-1", "fault"), Time: noon, Value: 1, Quality: facility.Good},
	}
}

var sampleTap = facility.Tap{
	ID: "0198c0de-0000-7000-8000-000000000001", Source: facility.TapReader, Reader: "reader-gate",
	Credential: "04A035B2", TappedAt: noon, SentAt: noon.Add(1500 * time.Microsecond),
}

var sampleHeader = Header{Site: "example", Gateway: "gw1", Stream: facility.Urgent, Epoch: "e1", Seq: 12, Prev: 11}

// TestGolden fixes the form on the wire: others read it too.
func TestGolden(t *testing.T) {
	batch, err := AppendReadings(nil, sample())
	if err != nil {
		t.Fatal(err)
	}
	got := string(Wrap(sampleHeader, batch, AppendTap(nil, sampleTap)))
	want := `[{"crc":"102f3baa","bn":"urn:gengfu:example:gw1:","n":"batch","v":12,"stream":"urgent","epoch":"e1","prev":11},` +
		`{"bt":1795348800.25,"n":"pump-1/outlet_pressure","u":"bar","v":3.42},` +
		`{"n":"main-water/flow","u":"m3/h","vs":"no_answer","t":0.000000001,"quality":"bad"},` +
		`{"n":"main-power/energy","u":"kWh","v":12345.678,"t":-60,"quality":"uncertain","reason":"clock_unknown"},` +
		`{"n":"pump-1/fault","v":1},` +
		`{"bt":1795348800.25,"n":"tap/reader-gate","vs":"04A035B2","tap":"0198c0de-0000-7000-8000-000000000001","source":"reader",` +
		`"reader":"reader-gate","credential":"04A035B2","at":"2026-11-22T12:00:00.25Z","sent":"2026-11-22T12:00:00.2515Z"}]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	h, readings, taps, err := Decode([]byte(got))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sampleHeader, h); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(sample(), readings); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]facility.Tap{sampleTap}, taps); diff != "" {
		t.Error(diff)
	}
}

func TestReceptionIsAddedWithoutTouchingFacts(t *testing.T) {
	sent := Wrap(sampleHeader, AppendTap(nil, sampleTap))
	h, body, err := Unwrap(sent)
	if err != nil {
		t.Fatal(err)
	}
	h.Received = noon.Add(time.Minute)
	got, _, taps, err := Decode(Wrap(h, body))
	if err != nil {
		t.Fatal(err)
	}
	want := sampleTap
	want.ReceivedAt = h.Received
	if len(taps) != 1 || taps[0] != want || got != h {
		t.Errorf("header %+v, taps %+v", got, taps)
	}
}

var (
	anyName    = rapid.StringMatching(`[A-Za-z0-9._:-]{1,20}`)
	anyText    = rapid.StringN(0, 20, 60)
	anyInstant = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(0, rapid.Int64().Draw(t, "ns")).UTC()
	})
	anyReading = rapid.Custom(func(t *rapid.T) facility.Reading {
		r := facility.Reading{
			Point:   point(anyName.Draw(t, "device"), anyName.Draw(t, "quantity")),
			Time:    anyInstant.Draw(t, "time"),
			Unit:    anyText.Draw(t, "unit"),
			Quality: facility.Quality(rapid.IntRange(0, 2).Draw(t, "quality")),
			Reason:  facility.Reason(anyText.Draw(t, "reason")),
		}
		if r.Quality != facility.Bad {
			r.Value = rapid.Float64().Draw(t, "value")
		}
		return r
	})
	anyTap = rapid.Custom(func(t *rapid.T) facility.Tap {
		return facility.Tap{
			ID: anyText.Draw(t, "id"), Source: facility.TapSource(anyText.Draw(t, "source")), Reader: anyText.Draw(t, "reader"),
			Credential: anyText.Draw(t, "credential"), Checkpoint: anyText.Draw(t, "checkpoint"), Person: anyText.Draw(t, "person"),
			TappedAt: anyInstant.Draw(t, "tapped"), SentAt: anyInstant.Draw(t, "sent"), ReceivedAt: anyInstant.Draw(t, "received"),
		}
	})
)

func TestEverythingComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Header{
			Site: rapid.StringMatching(`[a-z0-9-]{1,20}`).Draw(t, "site"), Gateway: rapid.StringMatching(`[a-z0-9-]{1,20}`).Draw(t, "gateway"),
			Stream: rapid.SampledFrom([]facility.Stream{facility.Urgent, facility.Telemetry}).Draw(t, "stream"),
			Epoch:  rapid.StringN(1, 20, 60).Draw(t, "epoch"), Seq: rapid.Uint64Range(0, 1<<53).Draw(t, "seq"),
		}
		h.Prev = rapid.Uint64Range(0, h.Seq).Draw(t, "prev")
		if h.Prev < h.Seq && rapid.Bool().Draw(t, "several") {
			h.First = rapid.Uint64Range(h.Prev+1, h.Seq).Draw(t, "first")
		}
		var batches [][]byte
		var readings []facility.Reading
		var taps []facility.Tap
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			if rapid.Bool().Draw(t, "tap") {
				tap := anyTap.Draw(t, "tap")
				taps = append(taps, tap)
				batches = append(batches, AppendTap(nil, tap))
				continue
			}
			rs := rapid.SliceOfN(anyReading, 1, 5).Draw(t, "readings")
			batch, err := AppendReadings(nil, rs)
			if err != nil {
				t.Fatal(err)
			}
			readings = append(readings, rs...)
			batches = append(batches, batch)
		}
		p := Wrap(h, batches...)
		gotH, gotReadings, gotTaps, err := Decode(p)
		if err != nil {
			t.Fatalf("%v\n%s", err, p)
		}
		if diff := cmp.Diff(h, gotH) + cmp.Diff(readings, gotReadings) + cmp.Diff(taps, gotTaps); diff != "" {
			t.Fatalf("%s\n%s", diff, p)
		}
		for i, r := range gotReadings {
			if math.Float64bits(r.Value) != math.Float64bits(readings[i].Value) {
				t.Fatalf("value %x came back as %x", readings[i].Value, r.Value)
			}
		}
		checkSenML(t, p)
	})
}

// checkSenML reads a payload as any SenML tool would, by RFC 8428 alone.
func checkSenML(t interface{ Fatalf(string, ...any) }, p []byte) {
	var pack []map[string]any
	if err := json.Unmarshal(p, &pack); err != nil {
		t.Fatalf("not an array of objects: %v", err)
	}
	name := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:./_-]*$`)
	types := map[string]string{"bn": "string", "n": "string", "u": "string", "vs": "string", "bt": "number", "t": "number", "v": "number"}
	base := ""
	for i, record := range pack {
		values := 0
		for label, v := range record {
			_, isString := v.(string)
			_, isNumber := v.(float64)
			if want := types[label]; want == "string" && !isString || want == "number" && !isNumber {
				t.Fatalf("record %d: %q is not a %s", i, label, want)
			}
			if label == "v" || label == "vs" {
				values++
			}
			if strings.HasSuffix(label, "_") {
				t.Fatalf("record %d: the label %q must be understood", i, label)
			}
		}
		if bn, ok := record["bn"].(string); ok {
			base = bn
		}
		n, _ := record["n"].(string)
		if full := base + n; !name.MatchString(full) {
			t.Fatalf("record %d: the name %q", i, full)
		}
		if values != 1 {
			t.Fatalf("record %d has %d values", i, values)
		}
	}
}

func TestSenMLTool(t *testing.T) {
	batch, err := AppendReadings(nil, sample())
	if err != nil {
		t.Fatal(err)
	}
	checkSenML(t, Wrap(sampleHeader, batch, AppendTap(nil, sampleTap)))
}

func TestReadingsThatCannotBeEncoded(t *testing.T) {
	good := sample()[0]
	for name, change := range map[string]func(*facility.Reading){
		"NaN":          func(r *facility.Reading) { r.Value = math.NaN() },
		"infinite":     func(r *facility.Reading) { r.Value = math.Inf(-1) },
		"no device":    func(r *facility.Reading) { r.Point.Device = "" },
		"slash":        func(r *facility.Reading) { r.Point.Quantity = "a/b" },
		"quote":        func(r *facility.Reading) { r.Point.Device = `a"b` },
		"no UTF-8":     func(r *facility.Reading) { r.Unit = "\xff" },
		"quality":      func(r *facility.Reading) { r.Quality = 9 },
		"no time":      func(r *facility.Reading) { r.Time = time.Time{} },
		"far future":   func(r *facility.Reading) { r.Time = time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC) },
		"endless name": func(r *facility.Reading) { r.Point.Device = strings.Repeat("a", 1000) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := good
			change(&bad)
			dst := []byte("before")
			got, err := AppendReadings(dst, []facility.Reading{good, bad})
			if err == nil || string(got) != "before" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestTapsAreNeverRefused(t *testing.T) {
	odd := facility.Tap{ID: "x\xff", Reader: "a b/\"\n", Person: "小孙", TappedAt: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}
	p := Wrap(sampleHeader, AppendTap(nil, odd))
	_, _, taps, err := Decode(p)
	if err != nil {
		t.Fatal(err)
	}
	want := facility.Tap{ID: "x\uFFFD", Reader: "a b/\"\n", Person: "小孙"}
	if len(taps) != 1 || taps[0] != want {
		t.Errorf("taps %+v", taps)
	}
	checkSenML(t, p)
}

func TestMalformed(t *testing.T) {
	const head = `[{"bn":"urn:gengfu:s:g:","n":"batch","v":2,"stream":"urgent","epoch":"e","prev":1}`
	for name, tt := range map[string]struct {
		payload, label, what string
		record               int
	}{
		"empty":                {"", "", "want '['", 0},
		"not an array":         {`{}`, "", "want '['", 0},
		"no header":            {`[]`, "", "want '{'", 0},
		"foreign":              {`[{"bn":"urn:dev:mac:0024befffe804ff1/","n":"temp","v":1}]`, "", "base name", 0},
		"no stream":            {`[{"bn":"urn:gengfu:s:g:","n":"batch","v":2,"epoch":"e"}]`, "", "stream", 0},
		"no epoch":             {`[{"bn":"urn:gengfu:s:g:","n":"batch","v":2,"stream":"urgent"}]`, "", "epoch", 0},
		"wildcard gateway":     {`[{"bn":"urn:gengfu:s:+:","n":"batch","v":2,"stream":"urgent","epoch":"e"}]`, "", "base name", 0},
		"fractional seq":       {`[{"bn":"urn:gengfu:s:g:","n":"batch","v":2.5,"stream":"urgent","epoch":"e"}]`, "", "whole number", 0},
		"negative seq":         {`[{"bn":"urn:gengfu:s:g:","n":"batch","v":-1,"stream":"urgent","epoch":"e"}]`, "", "whole number", 0},
		"first not after prev": {`[{"bn":"urn:gengfu:s:g:","n":"batch","v":5,"stream":"urgent","epoch":"e","prev":2,"first":2}]`, "", "first 2", 0},
		"prev after seq":       {`[{"bn":"urn:gengfu:s:g:","n":"batch","v":1,"stream":"urgent","epoch":"e","prev":2}]`, "", "prev 2", 0},
		"cut":                  {head + `,{"n":"a/b","v":1`, "v", "want ','", 1},
		"no end":               {head, "", "want ']'", 0},
		"something follows":    {head + `]]`, "", "follows", 0},
		"no value":             {head + `,{"n":"a/b"}]`, "", "exactly one", 1},
		"two values":           {head + `,{"n":"a/b","v":1,"vs":"x"}]`, "", "exactly one", 1},
		"number when bad":      {head + `,{"n":"a/b","v":1,"quality":"bad"}]`, "", "bad reading", 1},
		"string when good":     {head + `,{"n":"a/b","vs":"x"}]`, "", "bad reading", 1},
		"NaN":                  {head + `,{"n":"a/b","v":NaN}]`, "v", "want a number", 1},
		"too big":              {head + `,{"n":"a/b","v":1e999}]`, "", "64-bit", 1},
		"leading zero":         {head + `,{"n":"a/b","v":01}]`, "v", "want ','", 1},
		"bare minus":           {head + `,{"n":"a/b","v":-}]`, "v", "want a number", 1},
		"text time":            {head + `,{"n":"a/b","v":1,"t":"now"}]`, "t", "want a number", 1},
		"time out of range":    {head + `,{"n":"a/b","v":1,"bt":9e18}]`, "bt", "out of range", 1},
		"sum out of range":     {head + `,{"n":"a/b","v":1,"bt":9000000000,"t":9000000000}]`, "", "out of range", 1},
		"name":                 {head + `,{"n":"ab","v":1}]`, "", "device/quantity", 1},
		"twice":                {head + `,{"n":"a/b","n":"c/d","v":1}]`, "n", "twice", 1},
		"second base name":     {head + `,{"bn":"x","n":"a/b","v":1}]`, "", "second base name", 1},
		"base value":           {head + `,{"n":"a/b","v":1,"bv":2}]`, "bv", "not supported", 1},
		"must understand":      {head + `,{"n":"a/b","v":1,"new_":2}]`, "new_", "later version", 1},
		"later version":        {`[{"bver":11,"bn":"urn:gengfu:s:g:"}]`, "bver", "later version", 0},
		"no version":           {`[{"bver":"x"}]`, "bver", "want a number", 0},
		"quality":              {head + `,{"n":"a/b","v":1,"quality":"fine"}]`, "", "fine", 1},
		"tap time":             {head + `,{"n":"tap/a","vs":"x","tap":"1","at":"noon"}]`, "at", "RFC 3339", 1},
		"not UTF-8":            {head + `,{"n":"a/b","v":1,"u":"` + "\xff" + `"}]`, "", "UTF-8", 0},
		"control character":    {head + ",{\"n\":\"a\nb\",\"v\":1}]", "n", "control", 1},
		"wrong escape":         {head + `,{"n":"a\x","v":1}]`, "n", "escape", 1},
		"deep":                 {head + `,{"n":"a/b","v":1,"x":` + strings.Repeat("[", 50) + strings.Repeat("]", 50) + `}]`, "x", "nested", 1},
		"long name":            {head + `,{"n":"` + strings.Repeat("a", 9999) + `","v":1}]`, "n", "at most", 1},
		"too long":             {head + strings.Repeat(" ", MaxBytes) + "]", "", "at most", 0},
		"too many":             {head + strings.Repeat(`,{"n":"a/b","v":1}`, MaxRecords+1) + "]", "", "more than", MaxRecords + 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, readings, taps, err := Decode([]byte(tt.payload))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Record != tt.record || e.Label != tt.label || !strings.Contains(e.What, tt.what) {
				t.Errorf("error %v, want record %d, label %q, %q", err, tt.record, tt.label, tt.what)
			}
			if len(readings)+len(taps) > 0 {
				t.Error("facts beside an error")
			}
			if e.Newer != (tt.what == "later version") {
				t.Errorf("newer is %v", e.Newer)
			}
		})
	}
}

func TestTolerated(t *testing.T) {
	p := ` [ {"bver":10,"bn":"urn:gengfu:s:g:" , "n":"batch","v":2,"stream":"urgent","epoch":"e","prev":1,"later":{"a":[1,true,null,{}],"b":""}},
		{"bu":"V","bt":1.7e9,"n":"m/u1","v":2.3e2,"t":1,"ut":5}, {"n":"m\/\u00752","v":-0.0} ] `
	_, readings, _, err := Decode([]byte(p))
	if err != nil {
		t.Fatal(err)
	}
	want := []facility.Reading{
		{Point: point("m", "u1"), Time: time.Unix(1_700_000_001, 0).UTC(), Value: 230, Unit: "V", Quality: facility.Good},
		{Point: point("m", "u2"), Time: time.Unix(1_700_000_000, 0).UTC(), Value: 0, Unit: "V", Quality: facility.Good},
	}
	if diff := cmp.Diff(want, readings); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecode(f *testing.F) {
	batch, err := AppendReadings(nil, sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(Wrap(sampleHeader, batch, AppendTap(nil, sampleTap)))
	f.Add([]byte(`[{"bn":"urn:gengfu:s:g:","n":"batch","v":2,"stream":"urgent","epoch":"e","x":[{"y":1e5}]},{"bt":-1.5,"bu":"V","n":"a/b","v":0.1}]`))
	f.Fuzz(func(t *testing.T, p []byte) {
		_, body, unwrapErr := Unwrap(p)
		h, readings, taps, err := Decode(p)
		if err != nil {
			return
		}
		if !json.Valid(p) {
			t.Fatalf("accepted what is not JSON: %s", p)
		}
		if unwrapErr != nil {
			t.Fatalf("decoded but not unwrapped: %v", unwrapErr)
		}
		if h2, r2, t2, err := Decode(Wrap(h, body)); err != nil || cmp.Diff(h, h2)+cmp.Diff(readings, r2)+cmp.Diff(taps, t2) != "" {
			t.Fatalf("wrapped anew it is different: %v\n%s", err, p)
		}
		var batches [][]byte
		if len(readings) > 0 {
			batch, err := AppendReadings(nil, readings)
			if err != nil {
				t.Fatalf("decoded what cannot be encoded: %v", err)
			}
			batches = append(batches, batch)
		}
		for _, tap := range taps {
			batches = append(batches, AppendTap(nil, tap))
		}
		p2 := Wrap(h, batches...)
		h2, r2, t2, err := Decode(p2)
		if len(p2) > MaxBytes {
			return
		}
		if err != nil || cmp.Diff(h, h2)+cmp.Diff(readings, r2)+cmp.Diff(taps, t2) != "" {
			t.Fatalf("encoded anew it is different: %v\n%s\n%s", err, p, p2)
		}
	})
}

func benchReadings() []facility.Reading {
	rs := make([]facility.Reading, 500)
	for i := range rs {
		rs[i] = facility.Reading{
			Point: point("building-a-meter", "active_power"), Time: noon.Add(time.Duration(i) * 17 * time.Millisecond),
			Value: 230.1 + float64(i)/10, Unit: "kW", Quality: facility.Good,
		}
	}
	return rs
}

// A header may be as long as its strings may, and end anywhere.
func TestUnwrapHeadersOfAnyLength(t *testing.T) {
	batch, err := AppendReadings(nil, []facility.Reading{{Point: facility.PointID{Device: "d", Quantity: "q"}, Time: time.Unix(1, 0).UTC(), Quality: facility.Good}})
	if err != nil {
		t.Fatal(err)
	}
	for n := 800; n < 1200; n++ {
		h := Header{Site: "s", Gateway: "g", Stream: facility.Telemetry, Epoch: strings.Repeat("e", n), Seq: 1}
		got, body, err := Unwrap(Wrap(h, batch))
		if diff := cmp.Diff(h, got); diff != "" || err != nil || string(body) != string(batch) {
			t.Fatalf("an epoch of %d letters: %v, %q, %s", n, err, body, diff)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	rs := benchReadings()
	var buf []byte
	var err error
	for b.Loop() {
		if buf, err = AppendReadings(buf[:0], rs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/reading")
	b.ReportMetric(float64(len(buf))/500, "B/reading")
}

func BenchmarkDecode(b *testing.B) {
	batch, err := AppendReadings(nil, benchReadings())
	if err != nil {
		b.Fatal(err)
	}
	p := Wrap(sampleHeader, batch)
	for b.Loop() {
		if _, _, _, err := Decode(p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/reading")
}
