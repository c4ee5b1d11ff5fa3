package nfc

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// event is one struct input_event, with any time.
func event(kind, code uint16, value int32) []byte {
	b := bytes.Repeat([]byte{0x5A}, timeSize)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, code)
	return binary.NativeEndian.AppendUint32(b, uint32(value))
}

// key is the press and the release of a key, as the kernel tells them: the scan
// code, the key, and the end of the report.
func key(code uint16) []byte {
	const evMisc, scan = 4, 4
	var b []byte
	for _, value := range []int32{1, 0} {
		b = append(b, event(evMisc, scan, 0x70000+int32(code))...)
		b = append(b, event(evKey, code, value)...)
		b = append(b, event(evSyn, synReport, 0)...)
	}
	return b
}

const (
	enter  = 28
	keypad = 96
	tab    = 15
	shift  = 42
)

// typed is what a reader types for a text; upper-case letters go with Shift.
func typed(text string, end uint16) []byte {
	places := map[byte]uint16{}
	for code, c := range keys() {
		if places[c] == 0 || code < places[c] {
			places[c] = code
		}
	}
	var b []byte
	for _, c := range []byte(text) {
		upper := c >= 'A' && c <= 'Z'
		if upper {
			c += 'a' - 'A'
			b = append(b, event(evKey, shift, 1)...)
		}
		b = append(b, key(places[c])...)
		if upper {
			b = append(b, event(evKey, shift, 0)...)
		}
	}
	if end != 0 {
		b = append(b, key(end)...)
	}
	return b
}

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func TestKeyboard(t *testing.T) {
	tests := map[string]struct {
		encoding Encoding
		events   []byte
		want     []string
		bad      uint64
	}{
		"digits and Enter":            {Decimal, typed("0006547886", enter), []string{"0063E9AE"}, 0},
		"hex with Shift":              {Hex, typed("04A035B2BC2B80", enter), []string{"04A035B2BC2B80"}, 0},
		"hex without":                 {Hex, typed("04a035b2", enter), []string{"04A035B2"}, 0},
		"last byte first":             {HexReversed, typed("B235A004", enter), []string{"04A035B2"}, 0},
		"with separators and Tab":     {Hex, typed("04:A0:35:B2", tab), []string{"04A035B2"}, 0},
		"ended by the keypad's Enter": {Hex, typed("04A035B2", keypad), []string{"04A035B2"}, 0},
		"two cards":                   {Hex, join(typed("04A035B2", enter), typed("FB0EE20B", enter)), []string{"04A035B2", "FB0EE20B"}, 0},
		"digits of the keypad":        {Decimal, join(key(82), key(79), key(80), key(81), key(75), key(76), key(77), key(71), key(72), key(73), key(enter)), []string{"075BCD15"}, 0},
		"a key that is held": {
			Hex, join(event(evKey, 11, 1), event(evKey, 11, 2), event(evKey, 11, 2), event(evKey, 11, 0), typed("4A035B2", enter)),
			[]string{"04A035B2"},
			0,
		},
		"other kinds of events":   {Hex, join(event(17, 0, 1), event(2, 0, 5), typed("04A035B2", enter)), []string{"04A035B2"}, 0},
		"keys that write nothing": {Hex, join(key(1), key(58), key(69), typed("04A035B2", enter)), []string{"04A035B2"}, 0},
		"no UID":                  {Hex, typed("hello", enter), nil, 1},
		"Enter alone":             {Hex, join(key(enter), key(enter)), nil, 0},
		"events that were lost": {
			Hex,
			join(typed("04A0", 0), event(evSyn, synDropped, 0), event(evKey, 4, 1), event(evSyn, synReport, 0), typed("35B2BC2B80", enter), typed("FB0EE20B", enter)),
			[]string{"FB0EE20B"},
			1,
		},
		"the beginning was lost": {
			Hex, join(event(evSyn, synDropped, 0), event(evSyn, synReport, 0), typed("35B2BC2B", enter), typed("FB0EE20B", enter)),
			[]string{"FB0EE20B"},
			1,
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, eventSize, 1 << 16} {
				k := NewKeyboard(c.encoding)
				var got []string
				for piece := range slices.Chunk(c.events, size) {
					got = append(got, k.Feed(piece)...)
				}
				if !slices.Equal(got, c.want) || k.Garbage() != c.bad {
					t.Errorf("in pieces of %d: %q with %d bad, want %q with %d", size, got, k.Garbage(), c.want, c.bad)
				}
			}
		})
	}
}

// A reader without Enter ends its card by silence, and one whose events were lost
// begins anew after it.
func TestKeyboardSilence(t *testing.T) {
	k := NewKeyboard(Hex)
	if got := k.Feed(typed("04A035B2", 0)); got != nil || !k.Pending() {
		t.Fatalf("got %q, pending %t", got, k.Pending())
	}
	if got := k.Idle(); !slices.Equal(got, []string{"04A035B2"}) || k.Pending() {
		t.Fatalf("got %q, pending %t", got, k.Pending())
	}
	k.Feed(join(event(evSyn, synDropped, 0), event(evSyn, synReport, 0)))
	if got := k.Idle(); got != nil {
		t.Fatalf("got %q", got)
	}
	if got := k.Feed(typed("04A035B2", enter)); !slices.Equal(got, []string{"04A035B2"}) {
		t.Fatalf("got %q", got)
	}
}

func FuzzKeyboard(f *testing.F) {
	f.Add(typed("04A035B2", enter), uint8(5))
	f.Add(join(typed("04A0", 0), event(evSyn, synDropped, 0), typed("35B2", enter)), uint8(0))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		whole, pieces := NewKeyboard(Hex), NewKeyboard(Hex)
		all := append(whole.Feed(b), whole.Idle()...)
		var some []string
		for piece := range slices.Chunk(b, int(size)+1) {
			some = append(some, pieces.Feed(piece)...)
		}
		if some = append(some, pieces.Idle()...); !slices.Equal(all, some) {
			t.Errorf("%q at once, %q in pieces", all, some)
		}
	})
}
