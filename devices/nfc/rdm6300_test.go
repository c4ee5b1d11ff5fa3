package nfc

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gengfu/facility"
)

// What readers really sent, and the number that is printed on the card.
func TestRDM6300ReadsWhatReadersSent(t *testing.T) {
	cases := []struct{ source, bytes, uid, printed string }{
		{"arduino forum 251993", "\x02010063E9AE25\x03", "010063E9AE", "0006547886"},
		{"arduino forum 251993", "\x0201001293D858\x03", "01001293D8", "0001217496"},
		{"arduino forum 251993", "\x0201001293CD4D\x03", "01001293CD", "0001217485"},
		{"arduino forum 1221511", "\x020100CDA4EC84\x03", "0100CDA4EC", "0013477100"},
		{"arduino forum 1221511", "\x020100CDA53F56\x03", "0100CDA53F", "0013477183"},
		{"hobbycomponents 7544", "\x022900DEB30A4E\x03", "2900DEB30A", "0014594826"},
		{"hobbycomponents 7544, its decoded form", "\x02100086F44426\x03", "100086F444", "0008844356"},
		{"stackoverflow 11848921", "\x023C00CE754CCB\x03", "3C00CE754C", "0013530444"},
		{"neweggbusiness 9b-0yh-046v-00015", "\x02\x0A\x02\x06\x00\x8E\x6D\x5D\xB0\x03", "06008E6D5D", "0009334109"},
		{"sheet of the Gwiot 7941E", "\x02\x0A\x02\x2E\x00\xB6\xD7\xB5\xF2\x03", "2E00B6D7B5", "0011982773"},
	}
	for _, c := range cases {
		t.Run(c.uid, func(t *testing.T) {
			d := NewRDM6300()
			if got := d.Feed([]byte(c.bytes)); !slices.Equal(got, []string{c.uid}) || d.Garbage() != 0 || d.Pending() {
				t.Errorf("%s: got %q with %d of garbage; want %q", c.source, got, d.Garbage(), c.uid)
			}
			printed, err := facility.NormaliseUID("dec:" + c.printed)
			if short, ok := facility.PrintedUID(c.uid); err != nil || !ok || short != printed {
				t.Errorf("%s: the card's number is %s (%v), what is printed on it %s (%v)", c.source, short, ok, printed, err)
			}
		})
	}
}

func TestRDM6300BooksNothingElse(t *testing.T) {
	const good = "\x02010063E9AE25\x03"
	const card = "010063E9AE"
	cases := []struct {
		name, bytes string
		want        []string
		garbage     uint64
		pending     bool
	}{
		{name: "the raw dump of hobbycomponents 7544, with its typing error", bytes: "\x02100026F44426\x03", garbage: 1},
		{name: "a check that does not belong to the card", bytes: "\x02010086F44426\x03", garbage: 1},
		{name: "a wrong check", bytes: "\x02010063E9AE26\x03" + good, want: []string{card}, garbage: 1},
		{name: "no end", bytes: "\x02010063E9AE25\x04" + good, want: []string{card}, garbage: 1},
		{name: "a letter that is no digit", bytes: "\x0201006GE9AE25\x03" + good, want: []string{card}, garbage: 1},
		{name: "cut short, then whole", bytes: "\x02010063" + good, want: []string{card}, garbage: 1},
		{name: "cut short, then silence", bytes: "\x02010063E9AE", pending: true, garbage: 1},
		{name: "without its beginning", bytes: "63E9AE25\x03" + good, want: []string{card}, garbage: 1},
		{name: "noise before, between and after", bytes: "\xff\x00" + good + "\r\n\x80" + good + "zz", want: []string{card, card}, garbage: 3},
		{name: "a plain UID is not this reader's", bytes: "010063E9AE\r\n04A035B2\r\n", garbage: 1},
		{name: "one after the other", bytes: good + good + good, want: []string{card, card, card}},
		{name: "digits in lower case", bytes: "\x02010063e9ae25\x03", want: []string{card}},
		{name: "a binary frame, wrong check", bytes: "\x02\x0A\x02\x06\x00\x8E\x6D\x5D\xB1\x03", garbage: 1},
		{name: "a binary frame, no end", bytes: "\x02\x0A\x02\x06\x00\x8E\x6D\x5D\xB0\x02" + good, want: []string{card}, garbage: 1},
		{name: "a binary frame of MIFARE 1K", bytes: "\x02\x09\x01\x6B\x3D\x12\xD6\x9A\x03", want: []string{"6B3D12D6"}},
		{name: "a binary frame of MIFARE with a batch number", bytes: "\x02\x0A\x01\x00\x6B\x3D\x12\xD6\x99\x03", want: []string{"6B3D12D6"}},
		{name: "a binary frame of EM4100 without batch number", bytes: "\x02\x09\x02\x00\x8E\x6D\x5D\xB5\x03", garbage: 1},
		{name: "a binary frame of a type without form", bytes: "\x02\x09\x22\x6B\x3D\x12\xD6\xB9\x03", garbage: 1},
		{name: "both forms on one line", bytes: good + "\x02\x0A\x02\x06\x00\x8E\x6D\x5D\xB0\x03" + good, want: []string{card, "06008E6D5D", card}},
		{
			name: "a binary frame cut short, with a whole one behind it", bytes: "\x02\x0A\x02\x06\x02\x09\x01\x6B\x3D\x12\xD6\x9A\x03",
			want: []string{"6B3D12D6"}, garbage: 1,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := NewRDM6300()
			if got := d.Feed([]byte(c.bytes)); !slices.Equal(got, c.want) || d.Pending() != c.pending {
				t.Errorf("got %q, pending %v; want %q", got, d.Pending(), c.want)
			}
			if got := d.Idle(); len(got) > 0 || d.Pending() {
				t.Errorf("after the silence %q", got)
			}
			if d.Garbage() != c.garbage {
				t.Errorf("%d stretches of garbage, want %d", d.Garbage(), c.garbage)
			}
			if got := d.Feed([]byte(good)); !slices.Equal(got, []string{card}) {
				t.Errorf("the next card is %q", got)
			}
		})
	}
}

// No single wrong bit of a frame, and no byte of it that is lost, makes another card.
func TestRDM6300NeverTakesASpoiltFrameForACard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		card := rapid.SliceOfN(rapid.Byte(), 5, 5).Draw(t, "card")
		frame := fmt.Appendf(nil, "\x02%X%02X\x03", card, xor(card))
		if rapid.Bool().Draw(t, "binary") {
			body := append([]byte{lengthFive, em4100}, card...)
			frame = slices.Concat([]byte{stx}, body, []byte{xor(body), etx})
		}
		at := rapid.IntRange(0, len(frame)-1).Draw(t, "at")
		want := fmt.Sprintf("%X", card)
		spoilt := slices.Clone(frame)
		if rapid.Bool().Draw(t, "lost") {
			spoilt = slices.Delete(spoilt, at, at+1)
		} else {
			spoilt[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		}
		d := NewRDM6300()
		got := append(d.Feed(spoilt), d.Idle()...)
		if len(got) > 0 && (len(got) > 1 || got[0] != want) { // a changed case of a letter is the same digit
			t.Fatalf("% X, from % X, became %q", spoilt, frame, got)
		}
		if again := d.Feed(frame); !slices.Equal(again, []string{want}) {
			t.Fatalf("the next frame is %q, want %q", again, want)
		}
	})
}

func FuzzRDM6300(f *testing.F) {
	f.Add([]byte("\x02010063E9AE25\x03\x02010063E9AE25\x03"), byte(3))
	f.Add([]byte("\xff\x02\x0A\x02\x06\x00\x8E\x6D\x5D\xB0\x03\r\n"), byte(0))
	f.Add([]byte("\x02\x0A\x02\x02\x09\x01\x6B\x3D\x12\xD6\x9A\x03\x02100026F44426\x03"), byte(7))
	f.Fuzz(func(t *testing.T, b []byte, piece byte) {
		whole, parts := NewRDM6300(), NewRDM6300()
		want := append(whole.Feed(b), whole.Idle()...)
		var got []string
		for c := range slices.Chunk(b, int(piece)+1) {
			got = append(got, parts.Feed(c)...)
		}
		got = append(got, parts.Idle()...)
		if !slices.Equal(got, want) || parts.Garbage() != whole.Garbage() {
			t.Fatalf("in pieces %q and %d of garbage, whole %q and %d", got, parts.Garbage(), want, whole.Garbage())
		}
		if whole.Pending() {
			t.Fatal("something is pending after the silence")
		}
		if len(want) == 0 && len(b) > 0 && whole.Garbage() == 0 {
			t.Fatalf("% X is neither card nor garbage", b)
		}
		text := strings.ToUpper(string(b))
		for _, uid := range want {
			if n, err := facility.NormaliseUID(uid); err != nil || n != uid {
				t.Fatalf("UID %q is not in its one form: %q, %v", uid, n, err)
			}
			if !strings.Contains(text, uid) && !strings.Contains(fmt.Sprintf("%X", b), uid) {
				t.Fatalf("UID %s is not in % X", uid, b)
			}
		}
	})
}
