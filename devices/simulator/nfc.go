package simulator

import (
	"encoding/hex"
	"fmt"
	"io"

	"gengfu/facility"
)

// NFCReader is a serial reader that sends the UIDs of badges.
type NFCReader struct {
	w     io.WriteCloser
	dress func(card []byte) ([]byte, error)
}

// NewNFCReader sends UIDs as upper-case hex with carriage return and line feed. It
// writes to w, usually a PTY, and closes it with Close.
func NewNFCReader(w io.WriteCloser) *NFCReader { return &NFCReader{w, lineOf} }

// NewRDM6300 sends EM4100 cards, whose UIDs have five bytes, as an RDM6300 does.
func NewRDM6300(w io.WriteCloser) *NFCReader { return &NFCReader{w, rdm6300Of} }

// NewGwiot7941E sends EM4100 cards, of five bytes, and MIFARE cards, of four, in
// the binary frames of a Gwiot 7941E.
func NewGwiot7941E(w io.WriteCloser) *NFCReader { return &NFCReader{w, gwiotOf} }

// Tap holds a badge to the reader for the time of one report.
func (r *NFCReader) Tap(uid string) error {
	uid, err := facility.NormaliseUID(uid)
	if err != nil {
		return fmt.Errorf("tap a badge: %w", err)
	}
	card, err := hex.DecodeString(uid)
	if err != nil {
		return fmt.Errorf("tap a badge: %w", err)
	}
	b, err := r.dress(card)
	if err != nil {
		return fmt.Errorf("tap a badge: %w", err)
	}
	return r.Send(b)
}

// Send writes bytes as they are, for readers with another dress.
func (r *NFCReader) Send(b []byte) error {
	if _, err := r.w.Write(b); err != nil {
		return fmt.Errorf("tap a badge: %w", err)
	}
	return nil
}

// Close takes the reader away.
func (r *NFCReader) Close() error { return r.w.Close() }

func lineOf(card []byte) ([]byte, error) { return fmt.Appendf(nil, "%X\r\n", card), nil }

func rdm6300Of(card []byte) ([]byte, error) {
	if len(card) != 5 {
		return nil, fmt.Errorf("UID %X: an EM4100 card has 5 bytes", card)
	}
	return fmt.Appendf(nil, "\x02%X%02X\x03", card, parity(card)), nil
}

func gwiotOf(card []byte) ([]byte, error) {
	kinds := map[int]byte{4: 0x01, 5: 0x02}
	kind, ok := kinds[len(card)]
	if !ok {
		return nil, fmt.Errorf("UID %X: the reader knows cards of 4 and 5 bytes", card)
	}
	body := append([]byte{byte(len(card) + 5), kind}, card...)
	frame := append([]byte{0x02}, body...)
	return append(frame, parity(body), 0x03), nil
}

func parity(b []byte) (x byte) {
	for _, c := range b {
		x ^= c
	}
	return x
}
