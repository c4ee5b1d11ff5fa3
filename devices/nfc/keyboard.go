package nfc

import (
	"encoding/binary"
	"unsafe"
)

// Keyboard reads the keys that a USB reader types, out of the events of its input
// device (struct input_event of linux/input.h). It goes by the places of the keys
// and not by what they mean in some layout, so that neither the layout of the
// console nor Caps Lock changes a UID: digits, also with Shift as a reader set to a
// French layout sends them and on the keypad, and the letters. Enter, Tab, or
// silence ends a UID. It belongs to one goroutine.
type Keyboard struct {
	*Decoder
	event  []byte // what has come of the next one
	behind bool   // events were lost, and this line with them
}

// NewKeyboard returns a decoder of the events of one reader.
func NewKeyboard(e Encoding) *Keyboard { return &Keyboard{Decoder: NewDecoder(e)} }

// timeSize is the length of the struct timeval before the event itself: two longs.
const (
	timeSize  = 2 * int(unsafe.Sizeof(uintptr(0)))
	eventSize = timeSize + 8
)

// Words of linux/input-event-codes.h.
const (
	evSyn      = 0x00
	evKey      = 0x01
	synReport  = 0
	synDropped = 3
	pressed    = 1 // 0 is released, 2 repeated by itself
)

// Feed takes bytes of the input device and returns the UIDs that they end, in
// facility's one form.
func (k *Keyboard) Feed(b []byte) (uids []string) {
	for _, c := range b {
		if k.event = append(k.event, c); len(k.event) < eventSize {
			continue
		}
		e := k.event[timeSize:]
		uids = append(uids, k.hear(
			binary.NativeEndian.Uint16(e), binary.NativeEndian.Uint16(e[2:]), int32(binary.NativeEndian.Uint32(e[4:])))...)
		k.event = k.event[:0]
	}
	return uids
}

// Pending reports whether a UID or an event has begun.
func (k *Keyboard) Pending() bool { return len(k.event) > 0 || k.Decoder.Pending() }

// Idle ends the UID of a reader that types no Enter. The kernel tells events whole,
// so that the beginning of one is the rest of a connection that broke.
func (k *Keyboard) Idle() (uids []string) {
	k.event = k.event[:0]
	return k.Decoder.Idle()
}

func (k *Keyboard) hear(kind, code uint16, value int32) (uids []string) {
	switch {
	case kind == evSyn && code == synDropped:
		k.behind = true
		k.spoil()
	case kind == evSyn && code == synReport:
		k.behind = false // from here on events are whole again
	case kind == evKey && value == pressed && !k.behind:
		if c, ok := characters[code]; ok {
			return k.Decoder.Feed([]byte{c})
		}
	}
	return nil
}

// characters are what the keys of a reader write, by the code of their place.
var characters = keys()

func keys() map[uint16]byte {
	all := map[uint16]byte{
		28: '\r', 96: '\r', 15: '\r', // Enter, that of the keypad, Tab
		57: ' ', 12: '-', 74: '-', 39: ':', 52: '.', 83: '.', 13: '=', // between bytes, and after a prefix
	}
	for _, row := range []struct {
		first uint16
		chars string
	}{
		{2, "1234567890"},
		{71, "789"},
		{75, "456"},
		{79, "1230"},
		{16, "qwertyuiop"},
		{30, "asdfghjkl"},
		{44, "zxcvbnm"},
	} {
		for i, c := range []byte(row.chars) {
			all[row.first+uint16(i)] = c
		}
	}
	return all
}
