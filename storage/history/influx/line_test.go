package influx

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	protocol "github.com/influxdata/line-protocol"

	"gengfu/facility"
	"gengfu/storage/history"
)

func encodeRows(site string, rows ...history.Row) string { return string(Lines(site, rows)) }

func TestLines(t *testing.T) {
	row := func(device, quantity string, ms int64, v float64, q facility.Quality, why facility.Reason) history.Row {
		return history.Row{Reading: facility.Reading{
			Point: facility.PointID{Device: device, Quantity: quantity}, Time: time.UnixMilli(ms), Value: v, Quality: q, Reason: why,
		}, Kind: "pump", Place: "pump-room"}
	}
	got := encodeRows("here",
		row("p1", "flow", 1000, 1.5, facility.Good, ""),
		row("p1", "pressure", 1000, -2e-7, facility.Uncertain, facility.ClockUnknown),
		row("p1", "speed", 1000, 7, facility.Bad, facility.NoAnswer),
		row("p1", "flow", 2000, 1, facility.Good, ""), // another time
		row("p1", "flow", 2000, 2, facility.Good, ""), // the same point: the later line wins
		row("p2", "flow", 2000, 3, facility.Good, ""),
	)
	want := `pump,device=p1,place=pump-room,site=here flow=1.5,pressure=-2e-07,pressure_uncertain="clock_unknown",speed_bad="no_answer" 1000
pump,device=p1,place=pump-room,site=here flow=1 2000
pump,device=p1,place=pump-room,site=here flow=2 2000
pump,device=p2,place=pump-room,site=here flow=3 2000
`
	if got != want {
		t.Errorf("lines:\n%s\nwant:\n%s", got, want)
	}
}

// FuzzLine reads lines back with the parser of InfluxDB's own project.
func FuzzLine(f *testing.F) {
	f.Add("here", "pump", "p1", "room", "flow", 1.5, uint8(2), "", int64(1000))
	f.Add("h e=r,e", "a, b=c", "泵 1", "", `say "x"`, -0.1, uint8(1), `a\"b`, int64(0))
	f.Add("x", "{}", "$a", "é", "a b", 1e300, uint8(0), `\`, int64(7226582400000-1))
	f.Fuzz(func(t *testing.T, site, kind, device, place, quantity string, v float64, q uint8, why string, ms int64) {
		r := history.Row{Reading: facility.Reading{
			Point: facility.PointID{Device: device, Quantity: quantity}, Time: time.UnixMilli(ms),
			Value: v, Quality: facility.Quality(q), Reason: facility.Reason(why),
		}, Kind: kind, Place: place}
		if r.Check() != nil || history.CheckName("site", site) != nil {
			return
		}
		lines := encodeRows(site, r)
		handler := protocol.NewMetricHandler()
		handler.SetTimePrecision(time.Millisecond)
		metrics, err := protocol.NewParser(handler).Parse([]byte(lines))
		if err != nil || len(metrics) != 1 {
			t.Fatalf("%q: %d points, %v", lines, len(metrics), err)
		}
		m := metrics[0]
		tags := map[string]string{"device": device, "site": site}
		if place != "" {
			tags["place"] = place
		}
		fields := map[string]any{}
		if r.Quality != facility.Bad {
			fields[quantity] = v
		}
		switch r.Quality {
		case facility.Bad:
			fields[quantity+"_bad"] = why
		case facility.Uncertain:
			fields[quantity+"_uncertain"] = why
		}
		if m.Name() != kind || !m.Time().Equal(r.Time) || len(m.TagList()) != len(tags) || len(m.FieldList()) != len(fields) {
			t.Fatalf("%q: %v", lines, m)
		}
		for _, tag := range m.TagList() {
			if tags[tag.Key] != tag.Value {
				t.Errorf("%q: tag %s is %q", lines, tag.Key, tag.Value)
			}
		}
		for _, field := range m.FieldList() {
			if fields[field.Key] != field.Value {
				t.Errorf("%q: field %s is %v", lines, field.Key, field.Value)
			}
		}
	})
}

// FuzzParse: an answer gives no more rows than it has lines, or an error, and
// whatever a row holds is a reading or an error.
func FuzzParse(f *testing.F) {
	f.Add("#datatype,string,long,double\n,result,table,_value\n,,0,1\n")
	f.Add("error,reference\nno,1\n")
	f.Add("\"")
	f.Fuzz(func(t *testing.T, answer string) {
		rows := 0
		err := parse(strings.NewReader(answer), func(r record) error {
			rows++
			got, err := r.reading(facility.Point{})
			if err == nil && (got.Time.IsZero() || got.Quality > facility.Good) {
				t.Fatalf("%v became %+v", r, got)
			}
			return nil
		})
		if err == nil && rows > strings.Count(answer, "\n")+strings.Count(answer, "\r")+1 {
			t.Fatalf("%d rows", rows)
		}
	})
}

func TestParse(t *testing.T) {
	answer := "#datatype,string,long,dateTime:RFC3339,double\n,result,table,_time,_value\n,,0,2026-11-22T03:00:00Z,1\n,,0,2026-11-22T03:00:00.001Z,2.5\n\n" +
		"#datatype,string,long,string,dateTime:RFC3339\n,result,table,_value,_time\n,_result,1,\"a \"\"b\"\", c\",2026-11-22T03:00:01Z\n"
	var got []string
	err := parse(strings.NewReader(answer), func(r record) error {
		got = append(got, r.get("_time")+" "+r.get("_value")+" "+r.get("missing"))
		return nil
	})
	want := []string{"2026-11-22T03:00:00Z 1 ", "2026-11-22T03:00:00.001Z 2.5 ", `2026-11-22T03:00:01Z a "b", c `}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, answer := range []string{",error,reference\n,no memory,1\n", "#datatype,string,string\n,error,reference\n,no memory,1\n"} {
		if err := parse(strings.NewReader(answer), func(record) error { return nil }); err == nil || !strings.Contains(err.Error(), "no memory") {
			t.Errorf("%q: %v", answer, err)
		}
	}
	if err := parse(io.MultiReader(strings.NewReader(answer), strings.NewReader("\"")), func(record) error { return nil }); err == nil {
		t.Error("an answer that breaks off is taken for a whole one")
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: `"plain"`, `a"b`: `"a\"b"`, `a\b`: `"a\\b"`, `${x}`: `"\x24{x}"`, "a\nb": `"a\x0ab"`, "泵": `"泵"`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote %q: %s, want %s", in, got, want)
		}
	}
}
