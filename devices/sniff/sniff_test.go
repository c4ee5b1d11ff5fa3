package sniff

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

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

// told is one event in a line.
func told(e Event) string {
	switch e.Kind {
	case Whole:
		s := fmt.Sprintf("%s %s %s: %s", e.Frame.Protocol, e.Frame.Side, e.Frame.Address, e.Frame.Says)
		if e.Note != "" {
			s += " (" + e.Note + ")"
		}
		return s
	case Silent:
		return "silent " + e.Frame.Address
	}
	return fmt.Sprintf("%s % X", e.Kind, e.Bytes)
}

// hear feeds the chunks of a text, where "|" is a silence.
func hear(t *testing.T, script string, piece int) (out []string, c *Cutter) {
	t.Helper()
	c = NewCutter(time.Millisecond)
	at := time.Unix(1000, 0)
	collect := func(events []Event) {
		for _, e := range events {
			out = append(out, told(e))
		}
	}
	for _, part := range strings.Split(script, "|") {
		b := unhex(t, part)
		for len(b) > 0 {
			n := min(piece, len(b))
			at = at.Add(time.Duration(n) * time.Millisecond)
			collect(c.Feed(at, b[:n]))
			b = b[n:]
		}
		at = at.Add(c.QuietAfter())
		collect(c.Quiet(at))
	}
	at = at.Add(time.Minute)
	collect(c.Quiet(at))
	return out, c
}

const unheard = " (answers nothing that was asked just before: late, or its request was not heard)"

func TestFramesOfAllProtocolsAreCut(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         []string
	}{
		{
			"a pair", "01 04 00 00 00 02 71 CB | 01 04 04 43 66 33 34 1B 38",
			[]string{"modbus-rtu request 1: read input 0+2", "modbus-rtu reply 1: gives 4 bytes"},
		},
		{
			"without a pause", "01 04 00 00 00 02 71 CB 01 04 04 43 66 33 34 1B 38 11 03 00 6B 00 03 76 87 11 03 06 AE 41 56 52 43 40 49 AD",
			[]string{"modbus-rtu request 1: read input 0+2", "modbus-rtu reply 1: gives 4 bytes", "modbus-rtu request 17: read holding 107+3", "modbus-rtu reply 17: gives 6 bytes"},
		},
		{
			"coils of three bytes look like a request", "01 01 00 00 00 18 3C 00 | 01 01 03 01 02 03 2C EF",
			[]string{"modbus-rtu request 1: read coil 0+24", "modbus-rtu reply 1: gives 3 bytes"},
		},
		{
			"a write and its echo", "01 10 10 01 00 02 04 00 01 01 90 AF 9F | 01 10 10 01 00 02 14 C8",
			[]string{"modbus-rtu request 1: write holding 4097+2: 00 01 01 90", "modbus-rtu reply 1: has written holding 4097+2"},
		},
		{
			"a refusal", "01 04 00 00 00 02 71 CB | 01 84 02 C2 C1",
			[]string{"modbus-rtu request 1: read input 0+2", "modbus-rtu reply 1: exception 02 (illegal data address)"},
		},
		{
			"noise before", "55 AA | 01 04 00 00 00 02 71 CB",
			[]string{"noise 55 AA", "modbus-rtu request 1: read input 0+2", "silent 1"},
		},
		{
			"a spoilt reply", "01 04 00 00 00 02 71 CB | 01 04 04 43 66 33 34 1B 39",
			[]string{"modbus-rtu request 1: read input 0+2", "spoilt 01 04 04 43 66 33 34 1B 39"},
		},
		{"a reply alone", "01 04 04 43 66 33 34 1B 38", []string{"modbus-rtu reply 1: gives 4 bytes" + unheard}},
		{
			"a meter of 2007", "FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16 | FE FE 68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16",
			[]string{"dlt645 request 000000000161: read item 00010000", "dlt645 reply 000000000161: gives item 00010000"},
		},
		{
			"a meter refuses", "68 12 90 78 56 34 12 68 11 04 33 33 34 33 68 16 | 68 12 90 78 56 34 12 68 D1 01 35 8D 16",
			[]string{"dlt645 request 123456789012: read item 00010000", "dlt645 reply 123456789012: the meter refuses with 02 (no such data)"},
		},
		{
			"which address", "68 AA AA AA AA AA AA 68 13 00 DF 16 | 68 01 00 00 00 00 00 68 93 06 34 33 33 33 33 33 9D 16",
			[]string{"dlt645 request AAAAAAAAAAAA: which address is there?", "dlt645 reply 000000000001: gives"},
		},
		{
			"a water meter", "FE FE 68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16 | 68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 13 16",
			[]string{"cjt188 request 78330011223344: type 10: read item 1F90", "cjt188 reply 78330011223344: type 10 gives item 1F90"},
		},
		{
			"M-Bus", "10 40 01 41 16 | E5 | 10 5B 01 5C 16 | 68 03 03 68 08 01 70 79 16",
			[]string{"mbus request 1: initialise", "mbus reply : acknowledged", "mbus request 1: ask for data", "mbus reply 1: gives 0 bytes, CI 70"},
		},
		{
			"ASCII", hex.EncodeToString([]byte(":010400000002F9\r\n")) + " | " + hex.EncodeToString([]byte(":01040443663334E7\r\n")),
			[]string{"modbus-ascii request 1: read input 0+2", "modbus-ascii reply 1: gives 4 bytes"},
		},
	} {
		for _, piece := range []int{1, 7, 1000} {
			t.Run(fmt.Sprintf("%s by %d", test.name, piece), func(t *testing.T) {
				got, _ := hear(t, test.script, piece)
				if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
					t.Errorf("heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
				}
			})
		}
	}
}

func TestTurnaroundAndGap(t *testing.T) {
	c := NewCutter(time.Millisecond)
	at := time.Unix(1000, 0)
	c.Feed(at, unhex(t, "01 04 00 00 00 02 71 CB"))
	events := c.Feed(at.Add(39*time.Millisecond), unhex(t, "01 04 04 43 66 33 34 1B 38"))
	if len(events) != 1 || events[0].Took != 30*time.Millisecond || events[0].Gap != 30*time.Millisecond {
		t.Fatalf("heard %+v, want a reply 30 ms after the request", events)
	}
}

// asSeen is what a port of another rate makes of bytes: each bit sampled in the
// middle of the port's own bits, as a UART does.
func asSeen(sent []byte, sentBit, seenBit float64) (out []byte) {
	var levels []bool // line levels, one for each bit of the sender
	for _, b := range sent {
		levels = append(levels, false)
		for i := range 8 {
			levels = append(levels, b>>i&1 == 1)
		}
		levels = append(levels, true, true, true)
	}
	level := func(at float64) bool {
		i := int(at / sentBit)
		return i >= len(levels) || levels[i]
	}
	end := float64(len(levels)) * sentBit
	for at := 0.0; at < end; {
		if level(at) {
			at += seenBit / 16
			continue
		}
		var b byte
		for i := range 8 {
			if level(at + seenBit*(1.5+float64(i))) {
				b |= 1 << i
			}
		}
		out = append(out, b)
		at += 9.5 * seenBit
		for at < end && !level(at) {
			at += seenBit / 16
		}
	}
	return out
}

func TestWrongSettingsAreSuspected(t *testing.T) {
	talk := unhex(t, strings.Repeat("01 04 00 00 00 02 71 CB 01 04 04 43 66 33 34 1B 38 11 03 00 6B 00 03 76 87 11 03 06 AE 41 56 52 43 40 49 AD", 4))
	for _, test := range []struct {
		name       string
		sent, seen float64
		want       string
	}{
		{"right", 1, 1, ""},
		{"port four times too fast", 4, 1, "lower baud rate"},
		{"port twice too slow", 1, 2, "parity or the baud rate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, c := hear(t, hex.EncodeToString(asSeen(talk, test.sent, test.seen)), 16)
			got := c.Counters().Suspicion()
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("suspects %q of %+v, want %q", got, c.Counters(), test.want)
			}
		})
	}
}

func TestInterpret(t *testing.T) {
	volt := profile.Profile{Points: []profile.Point{{ID: "voltage", Unit: "V", Table: "input", Type: "f32", Order: "ABCD", Scale: 1}}}
	energy := profile.Profile{Protocol: profile.DLT645, Points: []profile.Point{{ID: "energy", Unit: "kWh", Item: "00010000", Scale: 1}}}
	const ask, reply = "01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38"
	const ask645, reply645 = "FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
	for _, test := range []struct {
		name, request, received string
		protocol                Protocol
		profile                 *profile.Profile
		problem, values         string
	}{
		{"by profile", ask, reply, ModbusRTU, &volt, "", "voltage=230.2 V"},
		{"plain", ask, reply, ModbusRTU, nil, "", "input 0=17254 input 1=13108"},
		{"echoed", ask, ask + reply, ModbusRTU, &volt, "", "voltage=230.2 V"},
		{"noise before", ask, "00 00" + reply, ModbusRTU, &volt, "", "voltage=230.2 V"},
		{"cut", ask, "01 04 04 43", ModbusRTU, &volt, "the answer is spoilt or cut short", ""},
		{"foreign", ask, "11 03 06 AE 41 56 52 43 40 49 AD", ModbusRTU, &volt, "only frames of others came", ""},
		{"of another length", ask, "01 04 02 43 66 08 2A", ModbusRTU, &volt, "another length than the 2 that were asked for", ""},
		{"nothing", ask, "", ModbusRTU, &volt, "no answer", ""},
		{"over TCP", "00 07 00 00 00 06 01 04 00 00 00 02", "00 06 00 00 00 03 01 84 02 00 07 00 00 00 07 01 04 04 43 66 33 34", ModbusTCP, &volt, "", "voltage=230.2 V"},
		{"a meter", ask645, "FE FE" + reply645, DLT645, &energy, "", "energy=0.26 kWh"},
		{"a meter without a profile", ask645, reply645, ModbusRTU, nil, "", "forward_active_energy=0.26 kWh"},
		{"a profile of another language", ask645, reply645, DLT645, &volt, "", "forward_active_energy=0.26 kWh"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := Interpret(test.protocol, unhex(t, test.request), unhex(t, test.received), test.profile)
			var got []string
			for _, v := range m.Values {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s=%.6g %s", v.Quantity, *v.Number, v.Unit)))
			}
			if m.Problem != test.problem || strings.Join(got, " ") != test.values {
				t.Errorf("problem %q, values %v; want %q, %q", m.Problem, got, test.problem, test.values)
			}
		})
	}
}

// Whatever comes, no byte is lost and no frame is invented: every byte is in exactly
// one event, but for the preambles of meters.
func FuzzCutter(f *testing.F) {
	f.Add([]byte{1, 4, 0, 0, 0, 2, 0x71, 0xCB, 1, 4, 4, 0x43, 0x66, 0x33, 0x34, 0x1B, 0x38}, 3)
	f.Add([]byte(":010400000002F9\r\n"), 1)
	f.Add([]byte{0xFE, 0x68, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0x68, 0x13, 0, 0xDF, 0x16}, 5)
	f.Add([]byte{0x10, 0x40, 1, 0x41, 0x16, 0xE5, 0x68, 3, 3, 0x68, 8, 1, 0x70, 0x79, 0x16}, 4)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		if piece < 1 || len(b) > 4096 {
			return
		}
		c := NewCutter(time.Millisecond)
		at := time.Unix(1000, 0)
		heard, waking := 0, 0
		count := func(events []Event) {
			for _, e := range events {
				switch e.Kind {
				case Whole:
					heard += len(e.Frame.Bytes)
					e.Explain(nil)
				case Noise, Spoilt:
					heard += len(e.Bytes)
				}
			}
		}
		for rest := b; len(rest) > 0; {
			n := min(piece, len(rest))
			at = at.Add(time.Duration(n) * time.Millisecond)
			count(c.Feed(at, rest[:n]))
			rest = rest[n:]
		}
		count(c.Quiet(at.Add(time.Second)))
		for _, x := range b {
			if x == 0xFE {
				waking++
			}
		}
		if heard > len(b) || heard < len(b)-waking {
			t.Errorf("%d of %d bytes are in events, %d may be preambles", heard, len(b), waking)
		}
	})
}

func FuzzInterpret(f *testing.F) {
	f.Add("modbus-rtu", []byte{1, 4, 0, 0, 0, 2, 0x71, 0xCB}, []byte{1, 4, 4, 0x43, 0x66, 0x33, 0x34, 0x1B, 0x38})
	f.Add("modbus-tcp", []byte{0, 7, 0, 0, 0, 6, 1, 4, 0, 0, 0, 2}, []byte{0, 7, 0, 0, 0, 3, 1, 0x84, 2})
	f.Fuzz(func(t *testing.T, protocol string, request, received []byte) {
		m := Interpret(Protocol(protocol), request, received, nil)
		if len(m.Values) > 0 && m.Answered == "" {
			t.Errorf("values without an answer: %+v", m)
		}
	})
}
