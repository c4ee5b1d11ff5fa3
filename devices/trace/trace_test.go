package trace

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/sniff"
	"gengfu/facility"
)

func unhex(t testing.TB, s string) Hex {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ptr[T any](v T) *T { return &v }

func TestAFileIsReadAsItWasWritten(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	head := Head{Line: "pump-house", Protocol: sniff.ModbusRTU, Port: "/dev/ttyUSB0", Baud: 9600, Parity: "even", DataBits: 8, StopBits: 1, Began: began, By: "gengfu 1"}
	entries := []Entry{
		{
			At: began.Add(time.Nanosecond), Request: unhex(t, "01 04 00 00 00 02 71 CB"), Reply: unhex(t, "01 04 04 43 66 33 34 1B 38"),
			Took: 31 * time.Millisecond, Device: "main-power", Profile: "eastron-sdm120",
			Booked: []Booked{{Quantity: "voltage", Value: ptr(230.2), Quality: "good"}, {Quantity: "current", Quality: "bad", Reason: "no_answer"}},
		},
		{At: began.Add(time.Second), Request: unhex(t, "02 04 00 00 00 02 71 F8"), Error: "no answer in time"},
		{At: began.Add(2 * time.Second), Lost: 12},
	}
	var file bytes.Buffer
	w, err := NewWriter(&file, head)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := file.String(), `"at":"2026-03-01T12:00:00.12345679Z","request":"0104000000027`; !strings.Contains(got, want) {
		t.Errorf("written %s, want %s in it", got, want)
	}
	r, err := NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	head.Version = Version
	if r.Head != head {
		t.Errorf("head %+v, want %+v", r.Head, head)
	}
	if got, want := r.Head.Character(), 11*time.Second/9600; got != want {
		t.Errorf("a character takes %v, want %v", got, want)
	}
	for i, want := range entries {
		got, err := r.Read()
		if err != nil || !got.At.Equal(want.At) || !bytes.Equal(got.Request, want.Request) || !bytes.Equal(got.Reply, want.Reply) ||
			got.Took != want.Took || got.Error != want.Error || got.Lost != want.Lost || len(got.Booked) != len(want.Booked) {
			t.Errorf("entry %d is %+v (%v), want %+v", i, got, err, want)
		}
	}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestWhatIsNoTraceIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, file, want string
		err              error
	}{
		{"empty", "", "empty", ErrFormat},
		{"text", "hello\n", "gengfu_trace", ErrFormat},
		{"other JSON", `{"at":1}` + "\n", "gengfu_trace", ErrFormat},
		{"newer", `{"gengfu_trace":99}` + "\n", "newer gengfu", ErrFormat},
		{"an entry of text", `{"gengfu_trace":1}` + "\n\nhello\n", "line 3", ErrFormat},
		{"no hex", `{"gengfu_trace":1}` + "\n" + `{"request":"XY"}` + "\n", "line 2", ErrFormat},
		{"cut off", `{"gengfu_trace":1}` + "\n" + `{"request":"01`, "cut off", io.ErrUnexpectedEOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := NewReader(strings.NewReader(test.file))
			if err == nil {
				_, err = r.Read()
			}
			if !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("says %v, want %v with %q", err, test.err, test.want)
			}
		})
	}
}

func sdm(string, string, sniff.Protocol, string) *profile.Profile {
	return &profile.Profile{Points: []profile.Point{{ID: "voltage", Unit: "V", Table: "input", Type: "f32", Order: "ABCD", Scale: 1}}}
}

func TestReplaySaysWhatDiffersFromThen(t *testing.T) {
	const ask, reply = "01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38"
	r := NewReplay(Head{Protocol: sniff.ModbusRTU}, sdm)
	for _, test := range []struct {
		name   string
		booked []Booked
		want   string
	}{
		{"the same", []Booked{{Quantity: "voltage", Value: ptr(230.20001220703125), Quality: "good"}}, ""},
		{"another value", []Booked{{Quantity: "voltage", Value: ptr(23.0), Quality: "good"}}, "voltage: was 23 good, is 230.20001220703125 good"},
		{"it was bad", []Booked{{Quantity: "voltage", Quality: "bad", Reason: "bad_reply"}}, "voltage: was bad bad_reply, is 230.20001220703125 good"},
		{"it is no more", []Booked{{Quantity: "amps", Value: ptr(1.0), Quality: "good"}}, "amps: was 1 good, is not decoded now"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := r.Step(Entry{Request: unhex(t, ask), Reply: unhex(t, reply), Booked: test.booked})
			if got := strings.Join(s.Differs, "; "); got != test.want {
				t.Errorf("differs %q, want %q", got, test.want)
			}
			if len(s.Values) != 1 || s.Values[0].Quality != facility.Good {
				t.Errorf("values %+v", s.Values)
			}
		})
	}
}

func TestASniffedLineIsReplayed(t *testing.T) {
	r := NewReplay(Head{Baud: 9600}, sdm)
	at := time.Unix(1000, 0)
	var values []sniff.Value
	for i, piece := range []string{"01 04 00 00", "00 02 71 CB", "01 04 04 43 66", "33 34 1B 38"} {
		values = append(values, r.Step(Entry{At: at.Add(time.Duration(i) * 9 * time.Millisecond), Heard: unhex(t, piece)}).Values...)
	}
	values = append(values, r.End().Values...)
	if len(values) != 1 || values[0].Number == nil || values[0].Quantity != "voltage" {
		t.Errorf("values %+v, want the voltage", values)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"gengfu_trace":1,"protocol":"modbus-rtu","baud":9600}` + "\n" + `{"at":"2026-03-01T12:00:00Z","request":"01040000000271CB","reply":"01040443663334 1B38","took_ns":5}` + "\n" + `{"heard":"FE68"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		replay := NewReplay(r.Head, sdm)
		for {
			e, err := r.Read()
			if err != nil {
				break
			}
			replay.Step(e)
			var again bytes.Buffer
			w, err := NewWriter(&again, r.Head)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(e); err != nil {
				continue // a time beyond the year 9999
			}
			if _, err := NewReader(&again); err != nil {
				t.Fatal(err)
			}
		}
		replay.End()
	})
}
