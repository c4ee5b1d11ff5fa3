package transfer_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/transfer"
)

const ms = transfer.Precision(time.Millisecond)

func row(device, quantity string, at int64, v float64, q facility.Quality, why facility.Reason) history.Row {
	return history.Row{Kind: "pump", Place: "attic", Reading: facility.Reading{
		Point: facility.PointID{Device: device, Quantity: quantity}, Time: time.UnixMilli(at).UTC(), Value: v, Quality: q, Reason: why,
	}}
}

func readAll(t interface{ Fatal(...any) }, text, site string, p transfer.Precision) (rows []history.Row, wrong []int) {
	r, err := transfer.NewReader(strings.NewReader(text), site, p)
	if err != nil {
		t.Fatal(err)
	}
	for {
		got, err := r.Read()
		var line *transfer.LineError
		switch {
		case errors.Is(err, io.EOF):
			return rows, wrong
		case errors.As(err, &line):
			wrong = append(wrong, line.Line)
		case err != nil:
			t.Fatal(err)
		}
		rows = append(rows, got...)
	}
}

// What was written is read back as it was, bit by bit, from both formats, packed or
// not.
func TestThereAndBack(t *testing.T) {
	names := []string{"p1", "a,b", "a=b c", `say "x"`, "泵 1号", "=1+1", " led"}
	rapid.Check(t, func(t *rapid.T) {
		var rows []history.Row
		for i := range rapid.IntRange(0, 30).Draw(t, "rows") {
			r := row(rapid.SampledFrom(names).Draw(t, "device"), rapid.SampledFrom(names).Draw(t, "quantity"),
				int64(i), 0, facility.Quality(rapid.IntRange(0, 2).Draw(t, "quality")), "")
			r.Kind, r.Place = rapid.SampledFrom(names).Draw(t, "kind"), rapid.SampledFrom(append(names, "")).Draw(t, "place")
			if r.Quality != facility.Bad {
				r.Value = rapid.Float64Range(-1e300, 1e300).Draw(t, "value")
			}
			if r.Quality != facility.Good {
				r.Reason = facility.Reason(rapid.SampledFrom([]string{"", "no_answer", `a "b", c\`, "断线"}).Draw(t, "reason"))
			}
			if r.Check() == nil {
				rows = append(rows, r)
			}
		}
		for _, format := range []transfer.Format{transfer.Lines, transfer.CSV} {
			var plain, packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			w, err := transfer.NewWriter(io.MultiWriter(&plain, z), format, "here")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(w.Write(rows), w.Flush(), z.Close()); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{plain.String(), packed.String()} {
				got, wrong := readAll(t, text, "here", ms)
				if len(wrong) > 0 || !slices.Equal(got, rows) {
					t.Fatalf("%s\ngave %+v and wrong lines %v, want %+v", plain.String(), got, wrong, rows)
				}
			}
		}
	})
}

func TestLinesOfOthers(t *testing.T) {
	text := "# a dump\n" +
		"pump,device=p1,site=here flow=3i,running=true,pressure=1.5 1700000000\n" +
		"pump,site=here flow=1 1700000000\n" + // of no device
		"pump,device=p1,site=there flow=1 1700000000\n" +
		"pump,device=p1,site=here note=\"text\" 1700000000\n" +
		"pump,device=p1,site=here flow=1\n" + // without a time
		"pump,device=p1,site=here flow= 1700000000\n" +
		"\n" +
		"pump,device=p1 flow_bad=\"no_answer\" 1700000001\r\n" +
		"pump,device=p1 flow_uncertain=\"x\" 1700000001\n"
	rows, wrong := readAll(t, text, "here", transfer.Precision(time.Second))
	at := int64(1700000000000)
	want := []history.Row{
		row("p1", "flow", at, 3, facility.Good, ""), row("p1", "running", at, 1, facility.Good, ""),
		row("p1", "pressure", at, 1.5, facility.Good, ""), row("p1", "flow", at+1000, 0, facility.Bad, facility.NoAnswer),
	}
	for i := range want {
		want[i].Place = ""
	}
	if !slices.Equal(rows, want) || !slices.Equal(wrong, []int{3, 4, 5, 6, 7, 10}) {
		t.Errorf("%+v and wrong lines %v", rows, wrong)
	}
}

func TestTablesOfOthers(t *testing.T) {
	text := "\ufefftime,quantity,value,device\r\n" +
		"2026-11-22T11:00:00+08:00,energy,12.5,m1\r\n" +
		"2026-11-22 11:00,energy,12.5,m1\r\n" +
		"2026-11-22T03:00:01Z,energy,,m1\r\n" +
		"2026-11-22T03:00:02Z,energy,twelve,m1\r\n" +
		"2026-11-22T03:00:03Z,en\"ergy,1,m1\r\n" +
		"2026-11-22T03:00:04Z,energy,13,m1\r\n"
	rows, wrong := readAll(t, text, "here", ms)
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC).UnixMilli()
	want := []history.Row{
		row("m1", "energy", start, 12.5, facility.Good, ""), row("m1", "energy", start+1000, 0, facility.Bad, ""),
		row("m1", "energy", start+4000, 13, facility.Good, ""),
	}
	for i := range want {
		want[i].Kind, want[i].Place = "", ""
	}
	if !slices.Equal(rows, want) || !slices.Equal(wrong, []int{3, 5, 6}) {
		t.Errorf("%+v and wrong lines %v", rows, wrong)
	}
	if _, err := transfer.NewReader(strings.NewReader("time,device,value\n"), "", ms); err == nil || !strings.Contains(err.Error(), "quantity") {
		t.Errorf("a table without quantities: %v", err)
	}
}

// FuzzRead: whatever comes gives rows with a device, or errors, and ends.
func FuzzRead(f *testing.F) {
	f.Add([]byte("pump,device=p1 flow=1 1000\n"))
	f.Add([]byte("time,device,quantity,value\n2026-11-22T03:00:00Z,a,b,1\n"))
	f.Add([]byte{0x1f, 0x8b, 8})
	f.Add([]byte("pump,device=p1 flow=1,flow_bad=\"x\",flow_uncertain=\"y\" 1000\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := transfer.NewReader(bytes.NewReader(data), "", ms)
		if err != nil {
			return
		}
		for range len(data) + 2 {
			rows, err := r.Read()
			var line *transfer.LineError
			switch {
			case errors.As(err, &line):
				continue
			case err != nil:
				return
			case len(rows) == 0:
				t.Fatal("nothing, and no error")
			}
		}
		t.Fatal("more rows than bytes")
	})
}
