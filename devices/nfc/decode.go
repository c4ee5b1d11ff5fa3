// Package nfc reads the cards that a reader reports: as lines of text, in the frames
// of an RDM6300, in answers of a PN532, or as keys of a keyboard. It turns bytes into
// UIDs and repeated reports into one visit; it opens no port.
package nfc

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"gengfu/facility"
)

// Encoding is how a reader writes a UID.
type Encoding string

// The encodings. The same card is written in each of them by some reader.
const (
	Hex         Encoding = "hex"          // as it is on the card, first byte first
	HexReversed Encoding = "hex-reversed" // last byte first
	Decimal     Encoding = "decimal"      // the number whose highest byte is the first
)

// Encodings lists them all.
var Encodings = []Encoding{Hex, HexReversed, Decimal}

// longestLine is more than any reader writes for one card, with its prefix.
const longestLine = 96

// Control characters that readers put around a UID.
const (
	stx = 0x02
	etx = 0x03
)

// Decoder cuts the bytes of one reader into lines. It belongs to one goroutine.
type Decoder struct {
	encoding Encoding
	line     []byte
	spoilt   bool
	garbage  uint64
}

// NewDecoder returns a decoder; "" is Hex.
func NewDecoder(e Encoding) *Decoder {
	if e == "" {
		e = Hex
	}
	return &Decoder{encoding: e}
}

// Feed takes received bytes and returns the UIDs of the lines that they end, in
// facility's one form.
func (d *Decoder) Feed(b []byte) (uids []string) {
	for _, c := range b {
		switch {
		case c == '\r' || c == '\n' || c == stx || c == etx || c == 0:
			uids = append(uids, d.end()...)
		case len(d.line) == longestLine:
			d.spoilt = true
		default:
			d.line = append(d.line, c)
		}
	}
	return uids
}

// Pending reports whether a line has begun. When nothing follows for IdleGap, it
// has ended.
func (d *Decoder) Pending() bool { return len(d.line) > 0 || d.spoilt }

// Idle ends a line of a reader that sends no terminator.
func (d *Decoder) Idle() (uids []string) { return d.end() }

// spoil makes nothing of the present line: a part of it was lost, and what is left
// of it could be the UID of another card.
func (d *Decoder) spoil() { d.spoilt = true }

// Garbage returns how many lines held no UID.
func (d *Decoder) Garbage() uint64 { return d.garbage }

func (d *Decoder) end() (uids []string) {
	line, spoilt := string(d.line), d.spoilt
	d.line, d.spoilt = d.line[:0], false
	if strings.TrimSpace(line) == "" {
		return nil
	}
	if !spoilt {
		if uid, err := Parse(line, d.encoding); err == nil {
			return []string{uid}
		}
	}
	d.garbage++
	return nil
}

// The UID stands at the end of the line, after a prefix such as "UID: " or "CARD=".
var (
	hexUID     = regexp.MustCompile(`(?i)(?:^|[^0-9a-z])([0-9a-f]{2}(?:[:\-. ]?[0-9a-f]{2}){3,9})\s*$`)
	decimalUID = regexp.MustCompile(`(?:^|[^0-9A-Za-z])([0-9]{5,20})\s*$`)
)

// Parse reads one line of a reader and returns the UID in facility's one form.
func Parse(line string, e Encoding) (string, error) {
	var raw []byte
	var err error
	switch e {
	case Hex, HexReversed:
		raw, err = parseHex(line)
	case Decimal:
		raw, err = parseDecimal(line)
	default:
		err = fmt.Errorf("unknown encoding %q", e)
	}
	if err != nil {
		return "", err
	}
	if e == HexReversed {
		slices.Reverse(raw)
	}
	return facility.NormaliseUID(hex.EncodeToString(raw))
}

func parseHex(line string) ([]byte, error) {
	m := hexUID.FindStringSubmatch(line)
	if m == nil {
		return nil, fmt.Errorf("line %q: no UID in it", line)
	}
	digits, err := facility.NormaliseUID(m[1])
	if err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return nil, err
	}
	return withoutChecksum(raw)
}

// withoutChecksum checks the length. ISO/IEC 14443-3 has 4, 7 and 10 bytes, EM4100
// 5, ISO/IEC 15693 8; 6 are an EM4100 with the checksum that RDM6300 readers add,
// the exclusive or of the five.
func withoutChecksum(raw []byte) ([]byte, error) {
	switch len(raw) {
	case 4, 5, 7, 8, 10:
		return raw, nil
	case 6:
		if xor(raw) == 0 {
			return raw[:5], nil
		}
		return nil, fmt.Errorf("UID %X: wrong checksum", raw)
	}
	return nil, fmt.Errorf("UID %X: no card has %d bytes", raw, len(raw))
}

// parseDecimal fills the number up to the next size that a card has.
func parseDecimal(line string) ([]byte, error) {
	m := decimalUID.FindStringSubmatch(line)
	if m == nil {
		return nil, fmt.Errorf("line %q: no number in it", line)
	}
	n, ok := new(big.Int).SetString(m[1], 10)
	if !ok {
		return nil, fmt.Errorf("line %q: no number in it", line)
	}
	for _, size := range []int{4, 5, 7, 8, 10} {
		if n.BitLen() <= 8*size {
			return n.FillBytes(make([]byte, size)), nil
		}
	}
	return nil, fmt.Errorf("number %s: too big for a UID", m[1])
}
