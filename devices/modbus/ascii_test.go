package modbus

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/devices/profile"
)

// The published frames in ASCII: their bodies with an LRC, computed by hand for the
// first and the last.
var publishedASCII = map[string]struct{ request, reply string }{
	"Eastron SDM320Y manual, volts L1":  {":010400000002F9\r\n", ":01040443663334E7\r\n"},
	"Schneider W3102, drives":           {":02030C1E0004CD\r\n", ":0203080028025801F400007C\r\n"},
	"Simphoenix E500 manual":            {":0103D00000022A\r\n", ":01030401F4000BF8\r\n"},
	"epics modbus #39, coils":           {":01010000001FDF\r\n", ":01010410000010DA\r\n"},
	"epics modbus #39, discrete inputs": {":010200000006F7\r\n", ":01020100FC\r\n"},
	"the textbook's example":            {":1103006B00037E\r\n", ":110306AE4156524340CC\r\n"},
}

func TestPacksAndFindsASCII(t *testing.T) {
	for _, c := range published {
		want, ok := publishedASCII[c.name]
		if !ok {
			t.Fatalf("%s has no frame in ASCII", c.name)
		}
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := stage(t, ASCII, func(s *staged, request []byte, sent time.Time) {
					if string(request) != want.request {
						t.Errorf("sent %q, want %q", request, want.request)
					}
					s.send(sent, []byte(strings.ToLower(want.reply)))
				})
				words, err := s.master.Read(t.Context(), c.r, Timing{})
				if err != nil || !slices.Equal(words, c.words) {
					t.Errorf("got %v, %v; want %v", words, err, c.words)
				}
			})
			e := c.r.expected()
			reply := []byte(want.reply)
			for _, noise := range []string{"", "\x00", "::", ":01", ":0104", want.reply[:len(want.reply)-2], "\r\n"} {
				if got := e.findASCII(append([]byte(noise), reply...)); !bytes.Equal(got.Frame, reply) {
					t.Errorf("after %q: found %q", noise, got.Frame)
				}
			}
			for n := range reply {
				got := e.findASCII(reply[:n])
				if got.Frame != nil || got.Corrupt || n > 4 && got.Missing != len(reply)-n {
					t.Errorf("found %+v in the first %d characters of %q", got, n, reply)
				}
			}
			for i := range reply {
				spoilt := bytes.Clone(reply)
				spoilt[i] ^= 0x01
				if got := e.findASCII(spoilt); got.Frame != nil {
					t.Errorf("%q was taken", spoilt)
				}
			}
		})
	}
}

func TestReadsAnExceptionInASCII(t *testing.T) {
	e := Request{1, profile.Holding, 0, 2}.expected()
	if got := e.findASCII([]byte(":018302" + "7A\r\n")); string(got.Frame) != ":0183027A\r\n" {
		t.Errorf("found %+v", got)
	}
	if got := e.findASCII([]byte(":018602" + "77\r\n")); got.Frame != nil {
		t.Errorf("a refusal of another function: %+v", got)
	}
}

func FuzzFindASCII(f *testing.F) {
	for _, c := range published {
		f.Add([]byte(publishedASCII[c.name].reply), c.r.Unit, c.r.Table.Function(), byte(c.r.Quantity))
	}
	f.Add([]byte(":0183027A\r\n"), byte(1), byte(3), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, unit, function, quantity byte) {
		r := Request{Unit: unit, Table: readTables[1+function%4], Quantity: uint16(quantity%125) + 1}
		e := r.expected()
		got := e.findASCII(b)
		if got.Missing < 0 || got.Missing > charactersASCII(maxASCIIBody) {
			t.Fatalf("missing %d", got.Missing)
		}
		if got.Frame == nil {
			return
		}
		text, ok := strings.CutPrefix(strings.TrimSuffix(string(got.Frame), "\r\n"), ":")
		body, err := hex.DecodeString(text)
		if !ok || err != nil || lrc(body) != 0 || !e.is(body[:len(body)-1]) {
			t.Fatalf("%q is no reply to %v", got.Frame, r)
		}
	})
}

// What is overheard never makes the master lose count, and a frame that is whole is
// seen wherever it stands.
func FuzzOverhear(f *testing.F) {
	for _, c := range published {
		f.Add(unhex(f, c.reply), []byte{0xFF}, false)
		f.Add([]byte(publishedASCII[c.name].reply), []byte(":"), true)
	}
	f.Fuzz(func(t *testing.T, b, before []byte, ascii bool) {
		bodies, find := bodiesRTU, expected.findRTU
		if ascii {
			bodies, find = bodiesASCII, expected.findASCII
		}
		seen := map[expected]bool{}
		for body := range bodies(slices.Concat(before, b)) {
			if e, ok := answering(body); ok {
				seen[e] = true
			}
			if e, ok := asked(body); ok && (e.count == 0 || e.write) {
				t.Fatalf("% X asks for nothing", body)
			}
		}
		for body := range bodies(b) {
			e, ok := answering(body)
			if ok && !seen[e] && (!ascii || bytes.IndexByte(before, asciiStart) < 0) {
				t.Fatalf("% X was not seen behind % X", body, before)
			}
			if f := find(e, b); ok && f.Frame == nil && !f.Corrupt {
				t.Fatalf("% X was not found", body)
			}
		}
	})
}

func FuzzWriteReply(f *testing.F) {
	f.Add(unhex(f, "02 06 23 29 00 0D 92 70"), byte(2), uint16(0x2329), uint16(13), false)
	f.Add(unhex(f, "02 10 23 29 00 02 9B B7"), byte(2), uint16(0x2329), uint16(2), true)
	f.Add(unhex(f, "01 86 02 C3 A1"), byte(1), uint16(5), uint16(1), false)
	f.Fuzz(func(t *testing.T, b []byte, unit byte, address, value uint16, multiple bool) {
		w := WriteRequest{Unit: unit, Table: profile.Holding, Address: address, Words: []uint16{value}, Multiple: multiple}
		pdu := w.pdu()
		e := expected{unit: unit, function: pdu.FunctionCode, write: true, head: [4]byte(pdu.Data)}
		got := e.findRTU(b)
		if got.Frame == nil {
			return
		}
		body := got.Frame[:len(got.Frame)-checkLength]
		confirmed := len(body) == writeBody && body[0] == unit && body[1] == pdu.FunctionCode && bytes.Equal(body[2:], pdu.Data[:4])
		refused := len(body) == exceptionBody && body[0] == unit && body[1] == pdu.FunctionCode|0x80
		if !crcOK(got.Frame) || !confirmed && !refused {
			t.Fatalf("% X confirms no %v", got.Frame, w)
		}
	})
}
