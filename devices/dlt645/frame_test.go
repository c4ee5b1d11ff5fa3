package dlt645_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"gengfu/devices/dlt645"
	"gengfu/devices/framing"

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
func frameOf(t testing.TB, s string) dlt645.Frame {
	t.Helper()
	frames := dlt645.NewReader().Feed(unhex(t, s))
	if len(frames) != 1 {
		t.Fatalf("%d frames in %s", len(frames), s)
	}
	return frames[0]
}

func address(t testing.TB, s string) dlt645.Address {
	t.Helper()
	a, err := dlt645.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func di(t testing.TB, s string) dlt645.DI {
	t.Helper()
	d, err := dlt645.ParseDI(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Frames of manuals, forums and public code that carry a right checksum.
var publishedFrames = []string{
	"68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16",
	"68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16",
	"68 61 01 00 00 00 00 68 91 08 33 33 35 33 59 34 33 33 8C 16",
	"68 61 01 00 00 00 00 68 91 08 33 33 36 33 59 33 34 33 8D 16",
	"68 61 01 00 00 00 00 68 91 08 33 33 37 33 56 33 34 33 8B 16",
	"68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16",
	"68 61 01 00 00 00 00 68 91 07 33 34 35 35 CC 7C 33 16 16",
	"68 61 01 00 00 00 00 68 91 07 33 33 36 35 45 58 33 6B 16",
	"68 AA AA AA AA AA AA 68 13 00 DF 16",
	"68 01 00 00 00 00 00 68 93 06 34 33 33 33 33 33 9D 16",
	"68 08 02 02 41 22 00 68 11 04 35 37 33 37 2A 16",
	"68 08 02 02 41 22 00 68 91 0A 35 37 33 37 3B 35 35 74 55 33 51 16",
	"68 12 90 78 56 34 12 68 91 08 33 33 34 33 AB 89 67 45 CC 16",
	"68 60 07 92 04 00 91 68 91 08 33 33 33 33 97 35 A8 33 6A 16",
	"68 67 48 60 10 00 00 68 91 08 33 33 34 33 33 33 33 33 21 16",
	"68 60 07 92 04 00 91 68 D1 01 37 67 16",
	"68 12 90 78 56 34 12 68 D1 01 35 8D 16",
	"68 11 11 11 11 11 11 68 1C 10 33 33 33 33 33 33 33 33 4D 33 57 74 48 45 38 4B 55 16",
	"68 11 11 11 11 11 11 68 9C 00 D2 16",
	"68 12 90 78 56 34 12 68 01 02 43 C3 8F 16",
	"68 12 90 78 56 34 12 68 81 06 43 C3 33 33 34 33 E0 16",
	"68 54 07 13 00 80 13 68 81 06 43 C3 34 33 33 33 2B 16",
	"68 03 00 00 00 00 00 68 81 04 44 E9 33 34 EC 16",
}

func TestPublishedFramesAreReadAndWrittenAgain(t *testing.T) {
	for _, s := range publishedFrames {
		got, err := frameOf(t, s).Append(nil)
		if err != nil || !bytes.Equal(got, unhex(t, s)) {
			t.Errorf("%s: written as % X, %v", s, got, err)
		}
	}
}

// The trip command of a public sample, which this package reads and never builds.
func TestReadsACommandOfAnotherMaster(t *testing.T) {
	f := frameOf(t, "68 11 11 11 11 11 11 68 1C 10 33 33 33 33 33 33 33 33 4D 33 57 74 48 45 38 4B 55 16")
	want := unhex(t, "00 00 00 00 00 00 00 00 1A 00 24 41 15 12 05 18")
	if f.Control.Reply() || f.Control.Function() != 0x1C || !bytes.Equal(f.Data, want) {
		t.Errorf("%s", f)
	}
}

func TestFramesWithFaultsAreNone(t *testing.T) {
	good := "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
	cases := []struct {
		name, bytes string
		spoilt      int
	}{
		{"wrong check", strings.Replace(good, "8A 16", "8B 16", 1), 1},
		{"wrong end", strings.Replace(good, "8A 16", "8A 17", 1), 1},
		{"a digit changed", strings.Replace(good, "59", "58", 1), 1},
		{"no second start", strings.Replace(good, "00 68", "00 69", 1), 0},
		{"longer than the standard allows", strings.Replace(good, "91 08", "91 C9", 1), 0},
		{"an M-Bus frame", "68 06 06 68 73 00 51 01 7A 03 42 16", 0},
		{"a CJ/T 188 request", "68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16", 0},
	}
	for _, c := range cases {
		r := dlt645.NewReader()
		frames := append(r.Feed(unhex(t, c.bytes)), r.GiveUp()...)
		if len(frames) != 0 || r.Spoilt() != c.spoilt || r.Passed() != len(unhex(t, c.bytes)) {
			t.Errorf("%s: %v, %d spoilt, %d passed", c.name, frames, r.Spoilt(), r.Passed())
		}
	}
}

func TestReaderKnowsWhatIsMissing(t *testing.T) {
	frame := unhex(t, publishedFrames[1])
	r := dlt645.NewReader()
	for i, b := range frame {
		got := r.Feed([]byte{b})
		if whole := i == len(frame)-1; whole != (len(got) == 1) {
			t.Fatalf("after %d bytes: %v", i+1, got)
		}
		left, missing := len(frame)-1-i, r.Missing()
		if missing > left || left > 0 && missing == 0 || i >= 9 && missing != left {
			t.Errorf("after %d bytes %d are missing", i+1, missing)
		}
	}
}

func TestTooMuchDataIsNotWritten(t *testing.T) {
	if _, err := (dlt645.Frame{Data: make([]byte, dlt645.MaxData+1)}).Append(nil); err == nil {
		t.Error("a frame of 201 bytes was written")
	}
}

func drawFrame(t *rapid.T) dlt645.Frame {
	return dlt645.Frame{
		Address: dlt645.Address(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "address")),
		Control: dlt645.Control(rapid.Byte().Draw(t, "control")),
		Data:    rapid.SliceOfN(rapid.Byte(), 0, dlt645.MaxData).Draw(t, "data"),
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
		got := feed(t, dlt645.NewReader(), stream)
		if diff := cmp.Diff(want, got, cmp.Comparer(bytes.Equal)); diff != "" {
			t.Error(diff)
		}
	})
}

// feed gives the stream in pieces of any length.
func feed(t *rapid.T, r *framing.Reader[dlt645.Frame], stream []byte) (got []dlt645.Frame) {
	for len(stream) > 0 {
		n := rapid.IntRange(1, len(stream)).Draw(t, "piece")
		got = append(got, r.Feed(stream[:n])...)
		stream = stream[n:]
	}
	return got
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
		r := dlt645.NewReader()
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
	f.Add(unhex(f, "FE FE 68 68 68 68 68 68 68 68 C8 C8 FE 68"), byte(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece byte) {
		r := dlt645.NewReader()
		var frames []dlt645.Frame
		for rest := stream; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			frames = append(frames, r.Feed(rest[:n])...)
			rest = rest[n:]
			if r.Missing() > dlt645.MaxData+12 {
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
