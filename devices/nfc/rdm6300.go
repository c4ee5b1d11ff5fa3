package nfc

import (
	"encoding/hex"
	"strings"

	"gengfu/devices/framing"
)

// RDM6300 takes the cards out of the frames of a reader for EM4100 cards, in both
// forms that are sold. They tell themselves apart by the byte after STX:
//
//   - RDM6300, RDM630 and their kin: STX, the card's five bytes and their exclusive
//     or in hex digits, ETX (forum.arduino.cc/t/251993). It is sent about every
//     50 ms while the card is there.
//   - Gwiot 7941E and its kin: STX, length of the whole frame, type of the card, its
//     bytes, the exclusive or of all since the length, ETX (sheet of the 7941E).
//
// The first of the five bytes is the maker's or batch number; the number printed on
// the card is that of the other four. It belongs to one goroutine.
type RDM6300 struct {
	frames  *framing.Reader[string]
	garbage uint64
	noisy   bool // the last byte belonged to no frame
}

// NewRDM6300 returns a decoder of frames of either form.
func NewRDM6300() *RDM6300 { return &RDM6300{frames: framing.NewReader(probe)} }

// Feed takes received bytes and returns the UIDs of the frames that they end, in
// facility's one form.
func (d *RDM6300) Feed(b []byte) (uids []string) {
	for i := range b {
		passed := d.frames.Passed()
		found := d.frames.Feed(b[i : i+1])
		d.count(passed)
		if len(found) > 0 {
			d.noisy = false
			uids = append(uids, found...)
		}
	}
	return uids
}

// Pending reports whether a frame has begun. When nothing follows for IdleGap, it
// was none.
func (d *RDM6300) Pending() bool { return d.frames.Missing() > 0 }

// Idle gives up a frame that was cut short, and returns what stood behind its
// beginning.
func (d *RDM6300) Idle() (uids []string) {
	passed := d.frames.Passed()
	uids = d.frames.GiveUp()
	d.count(passed)
	d.noisy = false
	return uids
}

// Garbage returns how many stretches of bytes, between frames or silences, were no
// frame: noise, frames cut short, wrong checksums, cards of an unknown type.
func (d *RDM6300) Garbage() uint64 { return d.garbage }

// count takes notice of what was passed over since passed; a stretch counts once.
func (d *RDM6300) count(passed int) {
	if d.frames.Passed() == passed || d.noisy {
		return
	}
	d.garbage++
	d.noisy = true
}

// Lengths of the frames, in bytes.
const (
	lengthASCII  = 14
	lengthFour   = 9  // binary, a card of four bytes
	lengthFive   = 10 // binary, a batch number before them
	digitsOfCard = 10
)

// Types of cards in a binary frame. Others, as T5567 and FeliCa, have no form that
// is documented.
const (
	mifare1K = 0x01
	em4100   = 0x02
	mifare4K = 0x03
)

func probe(b []byte) (string, framing.Sight) {
	switch {
	case b[0] != stx:
		return "", framing.Sight{}
	case len(b) == 1:
		return "", framing.Sight{Kind: framing.Begun, Length: lengthFour}
	case b[1] == lengthFour, b[1] == lengthFive:
		return probeBinary(b)
	}
	return probeASCII(b)
}

func probeASCII(b []byte) (string, framing.Sight) {
	for _, c := range b[1:min(len(b), lengthASCII-1)] {
		if !strings.ContainsRune("0123456789ABCDEFabcdef", rune(c)) {
			return "", framing.Sight{}
		}
	}
	if len(b) < lengthASCII {
		return "", framing.Sight{Kind: framing.Begun, Length: lengthASCII}
	}
	digits := b[1 : lengthASCII-1]
	raw := make([]byte, len(digits)/2)
	if _, err := hex.Decode(raw, digits); err != nil || xor(raw) != 0 || b[lengthASCII-1] != etx {
		return "", framing.Sight{Kind: framing.Spoilt}
	}
	return strings.ToUpper(string(digits[:digitsOfCard])), framing.Sight{Kind: framing.Whole, Length: lengthASCII}
}

func probeBinary(b []byte) (string, framing.Sight) {
	n := int(b[1])
	if len(b) < n {
		return "", framing.Sight{Kind: framing.Begun, Length: n}
	}
	card := b[3 : n-2]
	switch kind := b[2]; {
	case xor(b[1:n-1]) != 0, b[n-1] != etx:
		return "", framing.Sight{Kind: framing.Spoilt}
	case kind == em4100 && n == lengthFive:
	case kind == mifare1K, kind == mifare4K:
		card = card[len(card)-4:] // readers that send five bytes for every card put a batch number first
	default:
		return "", framing.Sight{Kind: framing.Spoilt}
	}
	return strings.ToUpper(hex.EncodeToString(card)), framing.Sight{Kind: framing.Whole, Length: n}
}

// xor is the exclusive or of the bytes: 0 when the last is the check of the others.
func xor(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}
