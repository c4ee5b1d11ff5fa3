package modbus

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"gengfu/devices/profile"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Frames of manuals and forums, with their CRCs checked by hand.
var published = []struct {
	name, request, reply string
	r                    Request
	words                []uint16
}{
	{
		"Eastron SDM320Y manual, volts L1", "01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38",
		Request{1, profile.Input, 0, 2},
		[]uint16{0x4366, 0x3334},
	},
	{
		"Schneider W3102, drives", "02 03 0C 1E 00 04 27 6C", "02 03 08 00 28 02 58 01 F4 00 00 52 B0",
		Request{2, profile.Holding, 0x0C1E, 4},
		[]uint16{40, 600, 500, 0},
	},
	{
		"Simphoenix E500 manual", "01 03 D0 00 00 02 FC CB", "01 03 04 01 F4 00 0B FB FA",
		Request{1, profile.Holding, 0xD000, 2},
		[]uint16{500, 11},
	},
	{
		"epics modbus #39, coils", "01 01 00 00 00 1F 7D C2", "01 01 04 10 00 00 10 FE DD",
		Request{1, profile.Coil, 0, 31},
		[]uint16{4: 1, 28: 1, 30: 0},
	},
	{
		"epics modbus #39, discrete inputs", "01 02 00 00 00 06 F8 08", "01 02 01 00 A1 88",
		Request{1, profile.Discrete, 0, 6},
		[]uint16{5: 0},
	},
	{
		"the textbook's example", "11 03 00 6B 00 03 76 87", "11 03 06 AE 41 56 52 43 40 49 AD",
		Request{0x11, profile.Holding, 0x6B, 3},
		[]uint16{0xAE41, 0x5652, 0x4340},
	},
}

func TestFindsPublishedReplies(t *testing.T) {
	for _, c := range published {
		t.Run(c.name, func(t *testing.T) {
			reply := unhex(t, c.reply)
			for before := range [][]byte{nil, {0x00}, {0xFF, 0x01, 0x03}, reply[:3]} {
				noise := [][]byte{nil, {0x00}, {0xFF, 0x01, 0x03}, reply[:3]}[before]
				got := c.r.expected().findRTU(append(bytes.Clone(noise), reply...))
				if !bytes.Equal(got.Frame, reply) {
					t.Errorf("after % X: found % X, want % X", noise, got.Frame, reply)
				}
			}
			for n := range reply {
				if got := c.r.expected().findRTU(reply[:n]); got.Frame != nil || got.Corrupt {
					t.Errorf("found %+v in the first %d bytes", got, n)
				}
			}
			spoilt := bytes.Clone(reply)
			spoilt[len(spoilt)-1] ^= 1
			if got := c.r.expected().findRTU(spoilt); got.Frame != nil || !got.Corrupt {
				t.Errorf("a wrong CRC gave %+v", got)
			}
		})
	}
}

func TestFindKnowsTheExceptionAndWhatIsMissing(t *testing.T) {
	e := Request{1, profile.Holding, 0, 2}.expected()
	cases := []struct {
		name, bytes string
		frame       string
		missing     int
		corrupt     bool
	}{
		{name: "exception", bytes: "01 83 02 C0 F1", frame: "01 83 02 C0 F1"},
		{name: "exception of another function", bytes: "01 86 02 C3 A1"},
		{name: "exception begun", bytes: "01 83", missing: 3},
		{name: "reply begun", bytes: "01 03 04 01 F4", missing: 4},
		{name: "first byte only: it may be the shortest", bytes: "01", missing: 4},
		{name: "other quantity", bytes: "01 03 02 01 F4 B8 53"},
		{name: "other slave", bytes: "02 03 04 01 F4 00 0B 08 35"},
		{name: "a spoilt reply before a good one", bytes: "01 03 04 01 F4 00 0B FB FB 01 03 04 01 F4 00 0B FB FA", frame: "01 03 04 01 F4 00 0B FB FA"},
		{name: "spoilt exception", bytes: "01 83 02 C0 F2", corrupt: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := e.findRTU(unhex(t, c.bytes))
			if !bytes.Equal(got.Frame, unhex(t, c.frame)) || got.Missing != c.missing || got.Corrupt != c.corrupt {
				t.Errorf("got frame % X, missing %d, corrupt %v; want % s, %d, %v",
					got.Frame, got.Missing, got.Corrupt, c.frame, c.missing, c.corrupt)
			}
		})
	}
}

func TestCRCAgreesWithThePublishedFrames(t *testing.T) {
	for _, c := range published {
		for _, s := range []string{c.request, c.reply} {
			f := unhex(t, s)
			if got, want := crc16(f[:len(f)-2]), binary.LittleEndian.Uint16(f[len(f)-2:]); got != want {
				t.Errorf("%s: CRC %04X, printed %04X", s, got, want)
			}
		}
	}
}

func TestCutsAStreamOfMBAPFrames(t *testing.T) {
	// telegraf #14671: a reply, and exception 02.
	first, second := unhex(t, "C5 24 00 00 00 05 01 04 02 00 00"), unhex(t, "BD F6 00 00 00 03 01 84 02")
	stream := append(bytes.Clone(first), second...)
	for n := range len(first) {
		if frame, rest, err := cutMBAP(stream[:n]); frame != nil || len(rest) != n || err != nil {
			t.Fatalf("first %d bytes: % X, %v", n, frame, err)
		}
	}
	frame, rest, err := cutMBAP(stream)
	if err != nil || !bytes.Equal(frame, first) || !bytes.Equal(rest, second) {
		t.Fatalf("got % X, rest % X, %v", frame, rest, err)
	}
	if _, _, err := cutMBAP(unhex(t, "01 03 04 01 F4 00 0B FB FA")); err == nil {
		t.Error("an RTU frame was taken for MBAP")
	}
}

func TestMatchesTransactions(t *testing.T) {
	request := unhex(t, "00 02 00 00 00 06 01 03 00 00 00 01")
	cases := []struct {
		name, frame string
		want        match
	}{
		{"the reply", "00 02 00 00 00 05 01 03 02 00 00", theReply},
		{"its exception", "00 02 00 00 00 03 01 83 06", theReply},
		{"an exception of unit FF, modbus-esp8266 #356", "00 02 00 00 00 03 FF 83 06", theReply},
		{"the one before", "00 01 00 00 00 05 01 03 02 00 00", older},
		{"one before the counter wrapped", "FF FF 00 00 00 05 01 03 02 00 00", older},
		{"one that is yet to come", "00 03 00 00 00 05 01 03 02 00 00", stranger},
		{"another function", "00 02 00 00 00 05 01 04 02 00 00", stranger},
	}
	for _, c := range cases {
		if got := matchMBAP(request, unhex(t, c.frame)); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func FuzzFindRTU(f *testing.F) {
	for _, c := range published {
		f.Add(unhex(f, c.reply), c.r.Unit, c.r.Table.Function(), byte(c.r.Quantity))
	}
	f.Add(unhex(f, "01 83 02 C0 F1"), byte(1), byte(3), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, unit, function, quantity byte) {
		tables := []profile.Table{profile.Coil, profile.Discrete, profile.Holding, profile.Input}
		r := Request{Unit: unit, Table: tables[function%4], Quantity: uint16(quantity%125) + 1}
		e := r.expected()
		got := e.findRTU(b)
		if got.Missing < 0 || got.Missing > 255 {
			t.Fatalf("missing %d", got.Missing)
		}
		if got.Frame == nil {
			return
		}
		if !crcOK(got.Frame) || got.Frame[0] != unit || got.Frame[1]&0x7F != e.function {
			t.Fatalf("% X is no reply to %v", got.Frame, r)
		}
		if got.Frame[1] == e.function && len(got.Frame) != e.length()+checkLength || got.Frame[1] != e.function && len(got.Frame) != exceptionBody+checkLength {
			t.Fatalf("% X has the wrong length for %v", got.Frame, r)
		}
	})
}

func FuzzCutMBAP(f *testing.F) {
	f.Add(unhex(f, "C5 24 00 00 00 05 01 04 02 00 00 BD F6 00 00 00 03 01 84 02"))
	f.Add(unhex(f, "01 03 04 01 F4 00 0B FB FA"))
	request := unhex(f, "C5 24 00 00 00 06 01 04 09 81 00 01")
	f.Fuzz(func(t *testing.T, stream []byte) {
		for rest := stream; ; {
			frame, after, err := cutMBAP(rest)
			if err != nil || frame == nil {
				return
			}
			if len(frame)+len(after) != len(rest) || len(frame) <= mbapLength {
				t.Fatalf("% X cut into % X and % X", rest, frame, after)
			}
			matchMBAP(request, frame)
			rest = after
		}
	})
}

// The data of a reply may hold what is a refusal by chance, check and all; it is found
// in the soak once in some hundred thousand replies.
func TestARefusalAmongTheDataOfAReplyIsNone(t *testing.T) {
	e := Request{Unit: 4, Table: profile.Coil, Address: 0, Quantity: 32}.expected()
	reply := []byte{0x04, 0x01, 0x04, 0x81, 0xBA, 0xD1, 0xE2}
	if !crcOK(reply[2:]) {
		t.Fatal("there is no refusal in it")
	}
	reply = binary.LittleEndian.AppendUint16(reply, crc16(reply))
	for n := range reply {
		if f := e.findRTU(reply[:n]); f.Frame != nil || f.Missing == 0 && n > 0 {
			t.Errorf("of the first %d bytes: %+v", n, f)
		}
	}
	if f := e.findRTU(reply); !bytes.Equal(f.Frame, reply) {
		t.Errorf("of all: %+v", f)
	}
	if f := e.findRTU(append([]byte{0x04}, reply[2:7]...)); !bytes.Equal(f.Frame, reply[2:7]) {
		t.Errorf("of the refusal behind a byte of noise: %+v", f)
	}
}
