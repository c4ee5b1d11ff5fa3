package simulator

import (
	"fmt"
	"io"

	"gengfu/facility"
)

// NFCReader is a serial reader that sends the UID of a badge as upper-case hex
// with carriage return and line feed.
type NFCReader struct{ w io.WriteCloser }

// NewNFCReader sends on w, usually a PTY, and closes it with Close.
func NewNFCReader(w io.WriteCloser) *NFCReader { return &NFCReader{w: w} }

// Tap holds a badge to the reader.
func (r *NFCReader) Tap(uid string) error {
	uid, err := facility.NormaliseUID(uid)
	if err != nil {
		return fmt.Errorf("tap a badge: %w", err)
	}
	return r.Send([]byte(uid + "\r\n"))
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
