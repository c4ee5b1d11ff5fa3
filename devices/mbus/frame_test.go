package mbus_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"gengfu/devices/mbus"

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
func frameOf(t testing.TB, s string) mbus.Frame {
	t.Helper()
	frames := mbus.NewReader().Feed(unhex(t, s))
	if len(frames) != 1 {
		t.Fatalf("%d frames in %s", len(frames), s)
	}
	return frames[0]
}

func secondary(t testing.TB, s string) mbus.Secondary {
	t.Helper()
	a, err := mbus.ParseSecondary(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Telegrams that jonaz/gombus has in its tests, and the example of the M-Bus
// documentation.
const (
	itronWater = "68 56 56 68 08 02 72 36 46 00 19 77 04 14 07 9D 10 00 00 0C 78 36 46 00 19 0D 7C 08 44 49 20 2E 74 73 75 63 " +
		"0A 20 20 20 20 20 20 20 20 20 20 04 6D 35 14 D3 26 02 7C 09 65 6D 69 74 20 2E 74 61 62 97 10 04 13 01 6E 03 00 " +
		"04 93 7F 00 00 00 00 44 13 27 51 03 00 0F 00 00 1F 96 16"
	itronTwin = "68 56 56 68 08 02 72 36 46 00 19 77 04 14 07 40 10 00 00 0C 78 36 46 00 19 0D 7C 08 44 49 20 2E 74 73 75 63 " +
		"0A 20 20 20 20 20 20 20 20 20 20 04 6D 32 16 D0 26 02 7C 09 65 6D 69 74 20 2E 74 61 62 9A 10 04 13 75 68 03 00 " +
		"04 93 7F 00 00 00 00 44 13 27 51 03 00 0F 00 00 1F A6 16"
	garoFirst = "68 65 65 68 08 01 72 14 21 07 90 36 1C C7 02 4D 00 00 00 04 05 9C 31 01 00 04 FB 82 75 63 91 00 00 " +
		"04 2A 36 08 00 00 04 FB 97 72 CA FE FF FF 04 FB B7 72 6D 08 00 00 02 FD BA 73 DC 03 84 80 80 40 FD 48 C4 0F 00 00 " +
		"04 FD 48 1A 09 00 00 84 40 FD 59 D2 04 00 00 84 80 40 FD 59 78 00 00 00 84 C0 40 FD 59 00 00 00 00 1F 95 16"
	garoSecond = "68 78 78 68 08 01 72 14 21 07 90 36 1C C7 02 25 00 00 00 84 40 2A A0 09 00 00 84 80 40 2A BA 00 00 00 " +
		"84 C0 40 2A 00 00 00 00 84 40 FB 97 72 FB FE FF FF 84 80 40 FB 97 72 4B 00 00 00 84 C0 40 FB 97 72 00 00 00 00 " +
		"84 40 FB B7 72 AE 09 00 00 84 80 40 FB B7 72 C8 00 00 00 84 C0 40 FB B7 72 00 00 00 00 82 40 FD BA 73 E2 03 " +
		"82 80 40 FD BA 73 9F 03 82 C0 40 FD BA 73 00 00 1F EF 16"
	padWater = "68 1F 1F 68 08 02 72 78 56 34 12 24 40 01 07 55 00 00 00 03 13 15 31 00 DA 02 3B 13 01 8B 60 04 37 18 02 18 16"
)

var publishedFrames = []string{
	"E5", "10 40 01 41 16", "10 5B 01 5C 16", "10 7B 01 7C 16", "10 7B FD 78 16",
	"68 0B 0B 68 53 FD 52 36 46 00 19 FF FF FF FF 33 16",
	"68 06 06 68 73 00 51 01 7A 03 42 16",
	"68 0E 0E 68 73 FD 51 36 46 00 19 FF FF FF FF 01 7A 02 CF 16",
	itronWater, itronTwin, garoFirst, garoSecond, padWater,
}

func TestPublishedFramesAreReadAndWrittenAgain(t *testing.T) {
	for _, s := range publishedFrames {
		got, err := frameOf(t, s).Append(nil)
		if err != nil || !bytes.Equal(got, unhex(t, s)) {
			t.Errorf("%s: written as % X, %v", s, got, err)
		}
	}
}

// The frames that set a primary address, which this package reads and never builds.
func TestReadsACommandOfAnotherMaster(t *testing.T) {
	f := frameOf(t, "68 0E 0E 68 73 FD 51 36 46 00 19 FF FF FF FF 01 7A 02 CF 16")
	want := mbus.Frame{Kind: mbus.Long, Control: 0x73, Address: 0xFD, CI: 0x51, Data: unhex(t, "36 46 00 19 FF FF FF FF 01 7A 02")}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
	if got := f.String(); got != "control 73 address 253 CI 51 data 36 46 00 19 FF FF FF FF 01 7A 02" {
		t.Error(got)
	}
}

func TestFramesWithFaultsAreNone(t *testing.T) {
	cases := []struct {
		name, bytes string
		spoilt      int
	}{
		{"a long frame with a wrong check", strings.Replace(padWater, "18 16", "19 16", 1), 1},
		{"a long frame with a wrong end", strings.Replace(padWater, "18 16", "18 17", 1), 1},
		{"two lengths", strings.Replace(padWater, "68 1F 1F", "68 1F 1E", 1), 0},
		{"no second start", strings.Replace(padWater, "1F 68 08", "1F 69 08", 1), 0},
		{"shorter than can be", "68 02 02 68 08 01 09 16", 0},
		{"a short frame with a wrong check", "10 40 01 42 16", 1},
		{"a short frame with a wrong end", "10 40 01 41 17", 1},
		{"a short frame of a meter", "10 08 01 09 16", 0},
		{"a DL/T 645 request", "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16", 0},
		{"a CJ/T 188 request, part of which begins like a short frame", "68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16", 1},
	}
	for _, c := range cases {
		r := mbus.NewReader()
		frames := append(r.Feed(unhex(t, c.bytes)), r.GiveUp()...)
		if len(frames) != 0 || r.Spoilt() != c.spoilt || r.Passed() != len(unhex(t, c.bytes)) {
			t.Errorf("%s: %v, %d spoilt, %d passed", c.name, frames, r.Spoilt(), r.Passed())
		}
	}
}

// E5 and 16 within a frame are its data.
func TestReaderKnowsWhatIsMissing(t *testing.T) {
	for _, s := range []string{itronTwin, "10 7B E5 60 16"} {
		frame := unhex(t, s)
		r := mbus.NewReader()
		for i, b := range frame {
			got := r.Feed([]byte{b})
			if whole := i == len(frame)-1; whole != (len(got) == 1) {
				t.Fatalf("after %d bytes: %v", i+1, got)
			}
			left, missing := len(frame)-1-i, r.Missing()
			if missing > left || left > 0 && missing == 0 || i >= 1 && missing != left {
				t.Errorf("after %d bytes %d are missing", i+1, missing)
			}
		}
	}
}

func TestTooMuchDataIsNotWritten(t *testing.T) {
	if _, err := (mbus.Frame{Kind: mbus.Long, Data: make([]byte, mbus.MaxData+1)}).Append(nil); err == nil {
		t.Error("253 bytes of data were written")
	}
}

func drawFrame(t *rapid.T) mbus.Frame {
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		return mbus.Frame{Kind: mbus.Ack}
	case 1:
		return mbus.Frame{
			Kind: mbus.Short, Control: 0x40 | rapid.ByteRange(0, 0x3F).Draw(t, "control"), Address: rapid.Byte().Draw(t, "address"),
		}
	}
	return mbus.Frame{
		Kind: mbus.Long, Control: rapid.Byte().Draw(t, "control"), Address: rapid.Byte().Draw(t, "address"),
		CI: rapid.Byte().Draw(t, "CI"), Data: rapid.SliceOfN(rapid.Byte(), 0, mbus.MaxData).Draw(t, "data"),
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Custom(drawFrame), 1, 4).Draw(t, "frames")
		var stream []byte
		for _, f := range want {
			stream = append(stream, bytes.Repeat([]byte{0xFF}, rapid.IntRange(0, 5).Draw(t, "noise"))...)
			var err error
			if stream, err = f.Append(stream); err != nil {
				t.Fatal(err)
			}
		}
		r := mbus.NewReader()
		var got []mbus.Frame
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

func FuzzReader(f *testing.F) {
	for _, s := range publishedFrames {
		f.Add(unhex(f, s), byte(3))
	}
	f.Add(unhex(f, "68 FF FF 68 68 68 E5 10 40 10 10 40"), byte(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece byte) {
		r := mbus.NewReader()
		var frames []mbus.Frame
		for rest := stream; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			frames = append(frames, r.Feed(rest[:n])...)
			rest = rest[n:]
			if r.Missing() > mbus.MaxData+9 {
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
