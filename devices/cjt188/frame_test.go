package cjt188_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"gengfu/devices/cjt188"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frameOf reads the one frame that the bytes hold.
func frameOf(t testing.TB, s string) cjt188.Frame {
	t.Helper()
	frames := cjt188.NewReader().Feed(unhex(t, s))
	if len(frames) != 1 {
		t.Fatalf("%d frames in %s", len(frames), s)
	}
	return frames[0]
}

func address(t testing.TB, s string) cjt188.Address {
	t.Helper()
	a, err := cjt188.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Frames of public samples that carry a right checksum.
var publishedFrames = []string{
	"68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16",
	"68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 13 16",
	"68 10 AA AA AA AA AA AA AA 01 03 90 1F 01 D2 16",
	"68 10 AA AA AA AA AA AA AA 01 03 1F 90 01 D2 16",
	"68 10 45 41 10 05 15 33 78 81 16 90 1F AA 00 59 59 00 2C FF FF FF FF 2C FF FF FF FF FF FF FF 00 00 C2 16",
	"68 10 18 00 00 40 40 92 00 81 16 90 1F 00 29 00 00 00 2C 29 00 00 00 2C 00 00 00 00 00 00 00 00 23 B5 16",
	"68 10 01 00 23 09 18 20 00 81 16 90 1F 01 60 00 00 00 2C 60 00 00 00 2C 60 20 20 00 00 00 00 00 00 DC 16",
	"68 10 01 00 00 05 08 00 00 81 16 90 1F 00 00 23 01 00 2C 00 00 00 00 2C 00 00 00 00 00 00 00 00 00 48 16",
	"68 10 26 13 06 07 00 33 78 81 16 1F 90 04 00 68 00 00 2C 00 00 00 00 2C 00 00 00 00 00 00 00 00 00 73 16",
	"68 10 69 00 01 07 17 20 00 81 16 1F 90 02 00 00 00 00 2C 00 00 00 00 2C 59 54 16 19 08 17 20 13 01 EF 16",
	"68 10 88 05 27 10 15 20 00 01 03 90 1F 01 25 16",
	"68 10 88 05 27 10 15 20 00 81 16 90 1F 01 00 00 00 00 2C 00 00 00 00 2C 06 20 17 09 01 17 20 00 00 8E 16",
	"68 10 AA AA AA AA AA AA AA 03 03 0A 81 02 B1 16",
	"68 10 00 29 15 24 03 26 20 83 03 0A 81 02 36 16",
	"68 10 AA AA AA AA AA AA AA 03 03 0A 81 A7 56 16",
	"68 10 89 67 45 23 01 33 78 83 03 0A 81 A7 34 16",
	"68 10 AA AA AA AA AA AA AA 03 03 81 0A 01 B0 16",
	"68 10 12 00 00 00 00 00 00 83 03 81 0A 00 9B 16",
	"68 10 01 13 12 19 00 00 00 04 04 A0 17 01 55 CC 16",
	"68 10 01 13 12 19 00 00 00 04 04 A0 17 01 99 10 16",
	"68 10 01 13 12 19 00 00 00 04 04 A0 17 01 66 DD 16",
	"68 10 01 13 12 19 00 00 00 04 04 A0 17 01 77 EE 16",
	"68 10 01 13 12 19 00 00 00 04 04 A0 17 01 00 77 16",
	"68 20 32 41 31 40 00 00 00 01 03 90 1F 01 20 16",
	heatFrame,
}

const heatFrame = "68 20 32 41 31 40 00 00 00 81 2E 90 1F 01 08 02 00 00 00 08 02 00 00 00 17 00 00 00 00 35 00 00 00 00 " +
	"2C 34 10 00 00 35 25 00 66 25 00 00 00 00 53 00 12 10 07 15 20 00 00 31 16"

func TestPublishedFramesAreReadAndWrittenAgain(t *testing.T) {
	for _, s := range publishedFrames {
		got, err := frameOf(t, s).Append(nil)
		if err != nil || !bytes.Equal(got, unhex(t, s)) {
			t.Errorf("%s: written as % X, %v", s, got, err)
		}
	}
}

func TestFramesWithFaultsAreNone(t *testing.T) {
	cases := []struct {
		name, bytes string
		spoilt      int
	}{
		{"a sample of the web with a wrong check", strings.Replace(publishedFrames[1], "84 13 16", "84 08 16", 1), 1},
		{"a request of the web with a wrong check", strings.Replace(publishedFrames[10], "25 16", "24 16", 1), 1},
		{"a wrong end", strings.Replace(publishedFrames[10], "25 16", "25 17", 1), 1},
		{"no type of meter", strings.Replace(publishedFrames[10], "68 10", "68 50", 1), 0},
		{"a type that is no decimal", strings.Replace(publishedFrames[10], "68 10", "68 1A", 1), 0},
		{"an unknown control code", strings.Replace(publishedFrames[10], "00 01 03", "00 02 03", 1), 0},
		{"an address of six bytes", "68 AA 44 33 22 11 00 33 81 16 90 1F 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 4E 16", 0},
		{"a DL/T 645 request", "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16", 0},
		{"an M-Bus frame", "68 06 06 68 73 00 51 01 7A 03 42 16", 0},
	}
	for _, c := range cases {
		r := cjt188.NewReader()
		frames := append(r.Feed(unhex(t, c.bytes)), r.GiveUp()...)
		if len(frames) != 0 || r.Spoilt() != c.spoilt || r.Passed() != len(unhex(t, c.bytes)) {
			t.Errorf("%s: %v, %d spoilt, %d passed", c.name, frames, r.Spoilt(), r.Passed())
		}
	}
}

func TestReaderPassesOverWhatTrails(t *testing.T) {
	r := cjt188.NewReader()
	if frames := r.Feed(unhex(t, "FE FE FE "+publishedFrames[9]+" 52 4F")); len(frames) != 1 || r.Passed() != 5 || r.Missing() != 0 {
		t.Errorf("%v, %d passed, %d missing", frames, r.Passed(), r.Missing())
	}
}

func TestReaderKnowsWhatIsMissing(t *testing.T) {
	frame := unhex(t, heatFrame)
	r := cjt188.NewReader()
	for i, b := range frame {
		got := r.Feed([]byte{b})
		if whole := i == len(frame)-1; whole != (len(got) == 1) {
			t.Fatalf("after %d bytes: %v", i+1, got)
		}
		left, missing := len(frame)-1-i, r.Missing()
		if missing > left || left > 0 && missing == 0 || i >= 10 && missing != left {
			t.Errorf("after %d bytes %d are missing", i+1, missing)
		}
	}
}

func TestTooMuchDataIsNotWritten(t *testing.T) {
	if _, err := (cjt188.Frame{Data: make([]byte, cjt188.MaxData+1)}).Append(nil); err == nil {
		t.Error("256 bytes of data were written")
	}
}

func drawFrame(t *rapid.T) cjt188.Frame {
	return cjt188.Frame{
		Type:    cjt188.MeterType(rapid.SampledFrom([]byte{0x10, 0x13, 0x20, 0x22, 0x30, 0x40, 0x49, 0xAA}).Draw(t, "type")),
		Address: cjt188.Address(rapid.SliceOfN(rapid.Byte(), 7, 7).Draw(t, "address")),
		Control: cjt188.Control(rapid.SampledFrom([]byte{1, 3, 4, 9, 0x15, 0x16}).Draw(t, "function") | rapid.SampledFrom([]byte{0, 0x80, 0xA0, 0xC0}).Draw(t, "direction")),
		Data:    rapid.SliceOfN(rapid.Byte(), 0, cjt188.MaxData).Draw(t, "data"),
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(drawFrame), 1, 4).Draw(t, "frames")
		var stream []byte
		for _, f := range want {
			stream = append(stream, bytes.Repeat([]byte{0xFE}, rapid.IntRange(0, 5).Draw(t, "preamble"))...)
			var err error
			if stream, err = f.Append(stream); err != nil {
				t.Fatal(err)
			}
		}
		r := cjt188.NewReader()
		var got []cjt188.Frame
		for rest := stream; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			got = append(got, r.Feed(rest[:n])...)
			rest = rest[n:]
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Error(diff)
		}
	})
}

// A cut frame never keeps the next one from being found.
func TestACutFrameDoesNotHideTheNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cut, next := drawFrame(t), drawFrame(t)
		first, err := cut.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := next.Append(first[:rapid.IntRange(1, len(first)-1).Draw(t, "cut")])
		if err != nil {
			t.Fatal(err)
		}
		r := cjt188.NewReader()
		for _, f := range append(r.Feed(stream), r.GiveUp()...) {
			if cmp.Equal(f, next, cmp.Comparer(bytes.Equal)) {
				return
			}
		}
		t.Errorf("not found behind % X", stream)
	})
}

func FuzzReader(f *testing.F) {
	for _, s := range publishedFrames {
		f.Add(unhex(f, s), byte(3))
	}
	f.Add(unhex(f, "FE FE 68 10 68 68 68 68 68 68 68 01 FF 68 10"), byte(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece byte) {
		r := cjt188.NewReader()
		var frames []cjt188.Frame
		for rest := stream; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			frames = append(frames, r.Feed(rest[:n])...)
			rest = rest[n:]
			if r.Missing() > cjt188.MaxData+13 {
				t.Fatalf("%d bytes are missing", r.Missing())
			}
		}
		frames = append(frames, r.GiveUp()...)
		framed := 0
		for _, frame := range frames {
			b, err := frame.Append(nil)
			if err != nil || !bytes.Contains(stream, b) {
				t.Fatalf("%s is not in the stream, %v", frame, err)
			}
			framed += len(b)
		}
		if framed+r.Passed() != len(stream) {
			t.Fatalf("%d bytes in frames, %d passed, %d came", framed, r.Passed(), len(stream))
		}
	})
}
