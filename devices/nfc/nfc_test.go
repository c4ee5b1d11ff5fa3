package nfc

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
)

func TestParse(t *testing.T) {
	cases := []struct {
		name, line string
		encoding   Encoding
		want       string // "" is no UID
	}{
		{"four bytes", "04A035B2", Hex, "04A035B2"},
		{"seven bytes, lower case", "04a035b2bc2b80", Hex, "04A035B2BC2B80"},
		{"ten bytes", "04A035B2BC2B80112233", Hex, "04A035B2BC2B80112233"},
		{"colons", "04:A0:35:B2", Hex, "04A035B2"},
		{"blanks and a prefix", "UID: 04 A0 35 B2", Hex, "04A035B2"},
		{"a prefix of hex letters", "CARD=FB0EE20B", Hex, "FB0EE20B"},
		{"a prefix with a number", "Reader 1, ID FB-0E-E2-0B ", Hex, "FB0EE20B"},
		{"reversed", "0BE20EFB", HexReversed, "FB0EE20B"},
		{"reversed, seven bytes", "80:2B:BC:B2:35:A0:04", HexReversed, "04A035B2BC2B80"},
		{"decimal of ten digits", "0006547886", Decimal, "0063E9AE"},
		{"decimal with a prefix (arduino forum 251993)", "No. 0001217496", Decimal, "001293D8"},
		{"EM4100 with its checksum (arduino forum 251993)", "010063E9AE25", Hex, "010063E9AE"},
		{"EM4100 with its checksum (hobbycomponents 7544)", "2900DEB30A4E", Hex, "2900DEB30A"},
		{"EM4100 with a wrong checksum", "010063E9AE26", Hex, ""},
		{"too short", "04A0", Hex, ""},
		{"nine bytes", "04A035B2BC2B801122", Hex, ""},
		{"an odd digit", "04A035B2B", Hex, ""},
		{"no UID", "ready", Hex, ""},
		{"hex where decimal is expected", "04A035B2", Decimal, ""},
		{"a number beyond any card", "99999999999999999999999999", Decimal, ""},
		{"unknown encoding", "04A035B2", "octal", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(c.line, c.encoding)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("Parse(%q, %s) = %q, %v; want %q", c.line, c.encoding, got, err, c.want)
			}
		})
	}
}

func TestDecoderEndsLines(t *testing.T) {
	cases := []struct {
		name, bytes string
		want        []string
		garbage     uint64
		idle        string // after the idle gap
	}{
		{name: "CR LF", bytes: "04A035B2\r\nFB0EE20B\r\n", want: []string{"04A035B2", "FB0EE20B"}},
		{name: "LF", bytes: "04A035B2\n", want: []string{"04A035B2"}},
		{name: "STX ETX", bytes: "\x02010063E9AE25\x03\x02010063E9AE25\x03", want: []string{"010063E9AE", "010063E9AE"}},
		{name: "STX ETX after junk", bytes: "\xff\x00\x02FB0EE20B\x03", want: []string{"FB0EE20B"}, garbage: 1},
		{name: "no terminator", bytes: "04A035B2", idle: "04A035B2"},
		{name: "empty lines are nothing", bytes: "\r\n\r\n \r\n", garbage: 0},
		{name: "garbage is counted", bytes: "hello\r\n04A035B2\r\n04A0\r\n", want: []string{"04A035B2"}, garbage: 2},
		{name: "a line without end", bytes: strings.Repeat("A", 500) + "\r\nFB0EE20B\r\n", want: []string{"FB0EE20B"}, garbage: 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := NewDecoder("")
			got := d.Feed([]byte(c.bytes))
			if !slices.Equal(got, c.want) || d.Garbage() != c.garbage {
				t.Errorf("got %q with %d lines of garbage; want %q with %d", got, d.Garbage(), c.want, c.garbage)
			}
			if d.Pending() != (c.idle != "") {
				t.Errorf("pending: %v", d.Pending())
			}
			if uids := d.Idle(); strings.Join(uids, " ") != c.idle {
				t.Errorf("after the gap %q, want %q", uids, c.idle)
			}
		})
	}
}

// A reader writes what Parse understands, whatever the dress.
func TestEveryCardInEveryDress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{4, 5, 7, 8, 10}).Draw(t, "size")
		raw := rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "uid")
		encoding := rapid.SampledFrom([]Encoding{Hex, HexReversed}).Draw(t, "encoding")
		shown := slices.Clone(raw)
		if encoding == HexReversed {
			slices.Reverse(shown)
		}
		separator := rapid.SampledFrom([]string{"", ":", "-", " "}).Draw(t, "separator")
		prefix := rapid.SampledFrom([]string{"", "UID: ", "CARD=", "> "}).Draw(t, "prefix")
		const digits = "0123456789abcdef"
		var line, want []byte
		for i, b := range shown {
			if i > 0 {
				line = append(line, separator...)
			}
			line = append(line, digits[b>>4], digits[b&15])
		}
		for _, b := range raw {
			want = append(want, digits[b>>4], digits[b&15])
		}
		got, err := Parse(prefix+string(line), encoding)
		if err != nil || got != strings.ToUpper(string(want)) {
			t.Fatalf("Parse(%q, %s) = %q, %v; want %q", prefix+string(line), encoding, got, err, want)
		}
	})
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte("UID: 04 A0 35 B2\r\n"), byte(0), byte(3))
	f.Add([]byte("\x02010063E9AE25\x03"), byte(0), byte(1))
	f.Add([]byte("0006547886\r"), byte(2), byte(7))
	f.Fuzz(func(t *testing.T, b []byte, encoding, piece byte) {
		e := Encodings[int(encoding)%len(Encodings)]
		whole := NewDecoder(e)
		want := whole.Feed(b)
		parts := NewDecoder(e)
		var got []string
		for c := range slices.Chunk(b, int(piece)+1) {
			got = append(got, parts.Feed(c)...)
		}
		if !slices.Equal(got, want) || parts.Garbage() != whole.Garbage() {
			t.Fatalf("in pieces %q, whole %q", got, want)
		}
		for _, uid := range want {
			if n, err := facility.NormaliseUID(uid); err != nil || n != uid {
				t.Fatalf("UID %q is not in its one form: %q, %v", uid, n, err)
			}
		}
	})
}

func TestDebounceMakesOneVisitOfMany(t *testing.T) {
	start := time.Date(2026, 11, 22, 22, 0, 0, 0, time.UTC)
	type report struct {
		uid   string
		after time.Duration
		visit bool
	}
	cases := []struct {
		name    string
		window  time.Duration
		reports []report
	}{
		{name: "a card that is held for long", reports: []report{
			{"A", 0, true}, {"A", 50 * time.Millisecond, false}, {"A", 4 * time.Second, false}, {"A", 8 * time.Second, false}, {"A", 12 * time.Second, false},
		}},
		{name: "the same card later", reports: []report{{"A", 0, true}, {"A", 5 * time.Second, true}}},
		{name: "two guards", reports: []report{
			{"A", 0, true}, {"B", time.Second, true}, {"A", 2 * time.Second, false}, {"B", 3 * time.Second, false},
		}},
		{name: "a window of its own", window: 10 * time.Second, reports: []report{
			{"A", 0, true}, {"A", 9 * time.Second, false}, {"A", 19 * time.Second, true},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := NewDebounce(c.window)
			for i, r := range c.reports {
				if got := d.Visit(r.uid, start.Add(r.after)); got != r.visit {
					t.Errorf("report %d: a visit is %v, want %v", i, got, r.visit)
				}
			}
		})
	}
}
