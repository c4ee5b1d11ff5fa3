package broker

import (
	"slices"
	"testing"
)

// TestFrames: what comes in pieces of any size is followed, and what the client
// cannot bear is found.
func TestFrames(t *testing.T) {
	publish := append([]byte{0x30, 0x90, 0x01}, make([]byte, 144)...)
	for _, c := range []struct {
		name  string
		bytes []byte
		bad   bool
	}{
		{"connected, subscribed, alive", []byte{0x20, 2, 0, 0, 0x90, 3, 0, 1, 1, 0xD0, 0}, false},
		{"a message", slices.Concat(publish, []byte{0x90, 3, 0, 2, 1}), false},
		{"two results of one subscription", []byte{0x20, 2, 0, 0, 0x90, 4, 0, 1, 1, 1}, true},
		{"no result", slices.Concat(publish, []byte{0x90, 2, 0, 2}), true},
		{"200 MB", []byte{0x30, 0x80, 0x84, 0xAF, 0x5F}, true},
		{"a length that does not end", []byte{0x30, 0xFF, 0xFF, 0xFF, 0xFF}, true},
	} {
		for size := 1; size <= len(c.bytes); size++ {
			var f frames
			var err error
			for at := 0; at < len(c.bytes) && err == nil; at += size {
				err = f.see(c.bytes[at:min(at+size, len(c.bytes))])
			}
			if (err != nil) != c.bad {
				t.Errorf("%s in pieces of %d: %v", c.name, size, err)
			}
		}
	}
}
