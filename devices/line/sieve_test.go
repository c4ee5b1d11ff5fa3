package line

import (
	"bytes"
	"testing"
	"time"
)

// step is what happens to a sieve, at a time since the beginning.
type step struct {
	at   time.Duration
	do   string // "write", "settled", "clear", "quiet", or what is received
	want string // what comes through
}

func TestSieve(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		packets []string
		steps   []step
	}{
		"a heartbeat before any request": {[]string{"heartbeat"}, []step{
			{0, "heartbeat", ""}, {5 * time.Second, "heartbeat", ""}, {6 * time.Second, "write", ""}, {6100 * ms, "\x01\x03", "\x01\x03"},
		}},
		"a heartbeat between request and reply": {[]string{"heartbeat"}, []step{
			{0, "write", ""}, {10 * ms, "heartbeat", ""}, {20 * ms, "\x01\x03\x02", "\x01\x03\x02"}, {21 * ms, "\x00\x07", "\x00\x07"},
		}},
		"a heartbeat and the reply in one packet": {[]string{"heartbeat"}, []step{
			{0, "write", ""}, {10 * ms, "heartbeat\x01\x03", "\x01\x03"},
		}},
		"two heartbeats and the reply": {[]string{"beat"}, []step{
			{0, "write", ""}, {10 * ms, "beatbeat\x01\x03", "\x01\x03"},
		}},
		"a heartbeat in two pieces": {[]string{"heartbeat"}, []step{
			{0, "write", ""}, {10 * ms, "hear", ""}, {15 * ms, "tbeat\x01", "\x01"},
		}},
		"what begins as a heartbeat": {[]string{"heartbeat"}, []step{
			{0, "write", ""}, {10 * ms, "hea", ""}, {12 * ms, "ven", "heaven"}, {14 * ms, "heartbeat", "heartbeat"},
		}},
		"what began as a heartbeat and went on late": {[]string{"heartbeat"}, []step{
			{0, "write", ""}, {10 * ms, "hea", ""}, {30 * ms, "quiet", ""}, {80 * ms, "quiet", "hea"}, {90 * ms, "heartbeat", "heartbeat"},
		}},
		"a heartbeat inside of a reply is its data": {[]string{"beat"}, []step{
			{0, "write", ""}, {10 * ms, "\x01\x03\x04", "\x01\x03\x04"}, {90 * ms, "beat", "beat"}, {91 * ms, "\xAA\xBB", "\xAA\xBB"},
		}},
		"a heartbeat behind a reply is left to whoever clears the line": {[]string{"beat"}, []step{
			{0, "write", ""},
			{10 * ms, "\x01\x03\x04", "\x01\x03\x04"},
			{90 * ms, "clear", ""},
			{90 * ms, "beat", ""},
		}},
		"a heartbeat behind a reply that is complete": {[]string{"beat"}, []step{
			{0, "write", ""},
			{10 * ms, "\x01\x03\x04", "\x01\x03\x04"},
			{10 * ms, "settled", ""},
			{11 * ms, "beat", ""},
			{12 * ms, "write", ""},
			{13 * ms, "\x01\x03", "\x01\x03"},
		}},
		"a short one that stands alone": {[]string{"\x00"}, []step{
			{0, "write", ""}, {10 * ms, "\x00", ""}, {75 * ms, "quiet", ""}, {80 * ms, "\x01\x03", "\x01\x03"},
		}},
		"a short one that is how a reply begins": {[]string{"\x01"}, []step{
			{0, "write", ""}, {10 * ms, "\x01", ""}, {12 * ms, "\x03\x02\x00\x07", "\x01\x03\x02\x00\x07"},
		}},
		"a short one with a reply behind it": {[]string{"\x00"}, []step{
			{0, "write", ""}, {10 * ms, "\x00\x01\x03", "\x00\x01\x03"},
		}},
		"a registration with every packet": {[]string{"BOX7", "beat"}, []step{
			{0, "BOX7", ""}, {0, "write", ""}, {10 * ms, "BOX7\x01\x03", "\x01\x03"}, {11 * ms, "\x02", "\x02"},
		}},
		"a heartbeat that is how the registration begins": {[]string{"BOX7-heartbeat", "BOX7"}, []step{
			{0, "BOX7", ""}, {10 * ms, "-heartbeat", ""}, {100 * ms, "BOX7", ""}, {170 * ms, "quiet", ""}, {171 * ms, "card", "card"},
		}},
		"a reader that is only listened to": {[]string{"beat"}, []step{
			{0, "04A035B2\r\n", "04A035B2\r\n"},
			{30 * ms, "beat", "beat"},
			{100 * ms, "beat", ""},
			{200 * ms, "04A0", "04A0"},
			{201 * ms, "35B2\r\n", "35B2\r\n"},
		}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			var packets [][]byte
			for _, p := range c.packets {
				packets = append(packets, []byte(p))
			}
			s := newSieve(packets...)
			begin := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
			for i, e := range c.steps {
				var got []byte
				switch e.do {
				case "write":
					s.written()
				case "settled":
					s.settled()
				case "clear":
					s.cleared()
				case "quiet":
					got = s.quiet(begin.Add(e.at))
				default:
					got = s.feed([]byte(e.do), begin.Add(e.at))
				}
				if string(got) != e.want {
					t.Errorf("step %d, %q: %q comes through, want %q", i, e.do, got, e.want)
				}
			}
		})
	}
}

// Whatever comes, in whatever pieces: what is no packet comes through whole and in
// order, and only packets are missing.
func FuzzSieve(f *testing.F) {
	f.Add([]byte("beat"), []byte("\x01\x03\x02\x00\x07beatbeat"), uint64(0x0102030405))
	f.Add([]byte("\x01"), []byte("\x01\x01\x03\x02"), uint64(0))
	f.Add([]byte("hb"), []byte("hhbhbbh"), uint64(0xFFFF))
	f.Fuzz(func(t *testing.T, packet, stream []byte, timing uint64) {
		if len(packet) == 0 || len(packet) > longestPacket || len(stream) > 300 {
			return
		}
		s := newSieve(packet)
		now := time.Unix(1_800_000_000, 0)
		var out []byte
		for rest := stream; len(rest) > 0; timing = timing>>5 | timing<<59 {
			n := min(len(rest), int(timing&7)+1)
			switch timing >> 3 & 3 {
			case 1:
				now = now.Add(apart)
				out = append(out, s.quiet(now)...)
			case 2:
				s.written()
			case 3:
				now = now.Add(apart / 2)
			}
			out = append(out, s.feed(rest[:n], now)...)
			rest = rest[n:]
		}
		out = append(out, s.quiet(now.Add(apart))...)
		if !isWithout(stream, out, packet) {
			t.Errorf("%q without some %q became %q", stream, packet, out)
		}
		if len(s.held) > 0 {
			t.Errorf("%q is held for ever", s.held)
		}
	})
}

// isWithout reports whether out is the stream with some of the packets left out.
func isWithout(stream, out, packet []byte) bool {
	if len(stream) < len(out) {
		return false
	}
	reachable := make([]bool, len(out)+1) // how much of out the stream so far can be
	reachable[0] = true
	window := [][]bool{reachable}
	for i := range stream {
		next := make([]bool, len(out)+1)
		for k := range out {
			next[k+1] = window[i][k] && stream[i] == out[k]
		}
		if from := i + 1 - len(packet); from >= 0 && bytes.Equal(stream[from:i+1], packet) {
			for k := range next {
				next[k] = next[k] || window[from][k]
			}
		}
		window = append(window, next)
	}
	return window[len(stream)][len(out)]
}
