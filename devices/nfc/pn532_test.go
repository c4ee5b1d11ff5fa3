package nfc

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"
)

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	ack       = "00 00 FF 00 FF 00"
	samDone   = "00 00 FF 02 FE D5 15 16 00"
	limitDone = "00 00 FF 02 FE D5 33 F8 00"
	noCard    = "00 00 FF 03 FD D5 4B 00 E0 00"
	card7     = "00 00 FF 0F F1 D5 4B 01 01 00 44 00 07 04 A0 35 B2 BC 2B 80 A1 00"
	card4     = "00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 FB 0E E2 0B D8 00"
)

// What the chip is sent, word for word as the manual and public samples have it.
func TestPN532Commands(t *testing.T) {
	for s, want := range map[stage]string{
		waking:   "00 00 FF 03 FD D4 14 01 17 00",
		limiting: "00 00 FF 06 FA D4 32 05 FF 01 01 F4 00",
		polling:  "00 00 FF 04 FC D4 4A 01 00 E1 00",
	} {
		if got := framePN532(commands[s]); !bytes.Equal(got, octets(t, want)) {
			t.Errorf("stage %d: % X, want %s", s, got, want)
		}
	}
}

func TestPN532Cards(t *testing.T) {
	tests := map[string]struct {
		frame string
		want  string
		bad   uint64
	}{
		"seven bytes":                {card7, "04A035B2BC2B80", 0},
		"seven bytes, another":       {"00 00 FF 0F F1 D5 4B 01 01 00 44 00 07 04 41 6D 41 2B 02 89 EA 00", "04416D412B0289", 0},
		"four bytes":                 {card4, "FB0EE20B", 0},
		"behind the ack":             {ack + card4, "FB0EE20B", 0},
		"without pre- and postamble": {"00 FF 0C F4 D5 4B 01 01 00 04 08 04 FB 0E E2 0B D8", "FB0EE20B", 0},
		"extended frame":             {"00 00 FF FF FF 00 0C F4 D5 4B 01 01 00 04 08 04 FB 0E E2 0B D8 00", "FB0EE20B", 0},
		"behind noise":               {"00 FF 12 34 00 FF 00 00" + card4, "FB0EE20B", 2},
		"no card":                    {noCard, "", 0},
		"wrong check":                {"00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 FB 0E E2 0C D8 00", "", 1},
		"wrong check of the length":  {"00 00 FF 0C F5 D5 4B 01 01 00 04 08 04 FB 0E E2 0B D8 00", "", 1},
		"cut short":                  {"00 00 FF 0C F4 D5 4B 01 01 00 04 08 04 FB 0E", "", 0},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 3, 1000} {
				p := NewPN532()
				var got []string
				for piece := range slices.Chunk(octets(t, c.frame), size) {
					got = append(got, p.Feed(piece)...)
				}
				if strings.Join(got, " ") != c.want || p.Garbage() != c.bad {
					t.Errorf("in pieces of %d: %q with %d bad, want %q with %d", size, got, p.Garbage(), c.want, c.bad)
				}
			}
		})
	}
}

// answer is the frame of a chip with its checks.
func answer(body ...byte) []byte {
	f := framePN532(body[1:])
	f[5] = body[0]
	sum := byte(0)
	for _, c := range body {
		sum += c
	}
	f[len(f)-2] = -sum
	return f
}

func TestPN532Targets(t *testing.T) {
	tests := map[string]struct {
		body string
		want []string
		bad  uint64
	}{
		"ten bytes":                    {"01 01 00 44 00 0A 01 02 03 04 05 06 07 08 09 0A", []string{"0102030405060708090A"}, 0},
		"with an ATS":                  {"01 01 03 44 20 07 04 11 22 33 44 55 66 05 75 77 81 02", []string{"04112233445566"}, 0},
		"two, one with an ATS":         {"02 01 03 44 20 07 04 11 22 33 44 55 66 02 75 02 00 04 08 04 FB 0E E2 0B", []string{"04112233445566", "FB0EE20B"}, 0},
		"a random UID, as phones have": {"01 01 00 04 20 04 08 12 34 56 05 78 77 94 02", nil, 1},
		"half of a UID":                {"01 01 00 04 04 04 88 04 12 34", nil, 1},
		"five bytes":                   {"01 01 00 04 08 05 FB 0E E2 0B 0C", nil, 1},
		"no bytes":                     {"01 01 00 04 08 00", nil, 1},
		"a length beyond the end":      {"01 01 00 04 08 07 FB 0E E2 0B", nil, 1},
		"an ATS beyond the end":        {"01 01 00 04 20 04 FB 0E E2 0B 09 78", nil, 1},
		"fewer than it says":           {"02 01 00 04 08 04 FB 0E E2 0B", []string{"FB0EE20B"}, 1},
		"nothing":                      {"", nil, 1},
	}
	for name, c := range tests {
		p := NewPN532()
		got := p.Feed(answer(append([]byte{0xD5, 0x4B}, octets(t, c.body)...)...))
		if !slices.Equal(got, c.want) || p.Garbage() != c.bad {
			t.Errorf("%s: %q with %d bad, want %q with %d", name, got, p.Garbage(), c.want, c.bad)
		}
	}
}

// conversation plays a chip by hand.
type conversation struct {
	t   *testing.T
	p   *PN532
	now time.Time
}

// sends says what goes out next, at that time after the last.
func (c *conversation) sends(after time.Duration, want string) {
	c.t.Helper()
	c.now = c.now.Add(after)
	got, again := c.p.Next(c.now)
	if !bytes.Equal(got, octets(c.t, want)) {
		c.t.Fatalf("it sends % X, want %s", got, want)
	}
	if again.Sub(c.now) <= 0 {
		c.t.Fatalf("it wants to be asked again after %s", again.Sub(c.now))
	}
}

const (
	wake   = "55 55 00 00 00 00 00 00 00 00 00 00 00 00 00 00 FF 03 FD D4 14 01 17 00"
	limit  = "00 00 FF 06 FA D4 32 05 FF 01 01 F4 00"
	poll   = "00 00 FF 04 FC D4 4A 01 00 E1 00"
	refuse = "00 00 FF 01 FF 7F 81 00"
)

func (c *conversation) hears(frames string, want ...string) {
	c.t.Helper()
	if got := c.p.Feed(octets(c.t, frames)); !slices.Equal(got, want) {
		c.t.Fatalf("it sees %q, want %q", got, want)
	}
}

// begin is a conversation with a chip that looks for cards.
func begin(t *testing.T) *conversation {
	c := &conversation{t, NewPN532(), time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)}
	c.sends(0, wake)
	c.sends(100*time.Millisecond, "") // it has time
	c.hears(ack)
	c.sends(10*time.Millisecond, "")
	c.hears(samDone)
	c.sends(0, limit)
	c.hears(ack + limitDone)
	c.sends(pollPeriod, poll)
	c.hears(ack + noCard)
	return c
}

func TestPN532Conversation(t *testing.T) {
	c := begin(t)
	c.sends(100*time.Millisecond, "") // not before its period
	c.sends(150*time.Millisecond, poll)
	c.hears(ack+card4, "FB0EE20B")
	c.sends(pollPeriod, poll)
	c.hears(ack + card7[:30])
	c.hears(card7[30:], "04A035B2BC2B80")
	if c.p.Unanswered() != 0 || c.p.Garbage() != 0 {
		t.Errorf("%d unanswered, %d bad", c.p.Unanswered(), c.p.Garbage())
	}
}

func TestPN532WithoutPower(t *testing.T) {
	for name, half := range map[string]string{"no byte": "", "an ack and nothing else": ack, "half of a reply": ack + card4[:24]} {
		c := begin(t)
		c.sends(pollPeriod, poll)
		c.hears(half)
		for i := range 4 {
			c.sends(pn532Timeout, wake)
			if c.p.Unanswered() != i+1 {
				t.Errorf("%s: %d unanswered, want %d", name, c.p.Unanswered(), i+1)
			}
		}
		c.hears(ack + samDone)
		c.sends(0, limit)
		c.hears(ack + limitDone)
		c.sends(pollPeriod, poll)
		c.hears(ack+card4, "FB0EE20B")
	}
}

func TestPN532ThatRefuses(t *testing.T) {
	c := begin(t)
	c.sends(pollPeriod, poll)
	c.hears(ack + refuse)
	c.sends(0, "") // it does not insist at once
	c.sends(pollPeriod, wake)
	c.hears(ack + samDone)
	c.sends(0, limit)
	if c.p.Garbage() != 1 {
		t.Errorf("%d bad", c.p.Garbage())
	}
}

func FuzzPN532(f *testing.F) {
	for _, s := range []string{ack, samDone, noCard, card7, card4, refuse, "00 00 FF FF FF 00 0C F4 D5 4B 01"} {
		f.Add(octets(f, s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		whole, pieces := NewPN532(), NewPN532()
		all := whole.Feed(b)
		var some []string
		for piece := range slices.Chunk(b, int(size)+1) {
			some = append(some, pieces.Feed(piece)...)
		}
		if !slices.Equal(all, some) {
			t.Errorf("%q at once, %q in pieces", all, some)
		}
		for _, uid := range all {
			if n := len(uid); n != 8 && n != 14 && n != 20 {
				t.Errorf("%q is no UID", uid)
			}
		}
	})
}
