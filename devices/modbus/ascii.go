package modbus

import (
	"bytes"
	"iter"

	"gengfu/devices/bus"
)

// Modbus ASCII of the serial line specification, section 2.5.2: a colon, two digits
// for each byte, the LRC, carriage return and line feed.
const (
	asciiStart   = ':'
	asciiFrame   = len(":\r\n")
	maxASCIIBody = 254 // unit, function and 252 bytes of data
)

// charactersASCII returns how long the frame around a body is.
func charactersASCII(body int) int { return asciiFrame + 2*(body+1) }

// asciiSight is what stands behind a colon.
type asciiSight int

const (
	asciiBegun  asciiSight = iota // all that came belongs to a frame, and more is to come
	asciiSpoilt                   // no frame, or one with a wrong check
	asciiWhole
)

// cutASCII reads the frame at the start of b, which begins with a colon. The body
// is as far as it came, and without the LRC when the frame is whole.
func cutASCII(b []byte) (body []byte, length int, s asciiSight) {
	for i := 1; i < len(b); i += 2 {
		if b[i] == '\r' {
			switch {
			case i+1 == len(b):
				return body, i, asciiBegun
			case b[i+1] != '\n' || len(body) < 2 || lrc(body) != 0:
				return body, i, asciiSpoilt
			}
			return body[:len(body)-1], i + 2, asciiWhole
		}
		high, ok := digit(b[i])
		if !ok || len(body) > maxASCIIBody {
			return body, i, asciiSpoilt
		}
		if i+1 == len(b) {
			break
		}
		low, ok := digit(b[i+1])
		if !ok {
			return body, i, asciiSpoilt
		}
		body = append(body, high<<4|low)
	}
	return body, len(b), asciiBegun
}

// digit takes small letters too: there are slaves that send them.
func digit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// lrc is the sum of the bytes, which is 0 over a body and its LRC.
func lrc(b []byte) (sum byte) {
	for _, c := range b {
		sum += c
	}
	return sum
}

// findASCII looks for the reply anywhere in the characters, as findRTU does.
func (e expected) findASCII(buf []byte) bus.Found {
	var f bus.Found
	foreign := false
	for i, c := range buf {
		if c != asciiStart {
			continue
		}
		body, length, s := cutASCII(buf[i:])
		n := exceptionBody
		if len(body) > 0 {
			n = e.lengthAt(body)
		}
		switch {
		case s == asciiWhole && len(body) == n && foreign:
			return bus.Found{Corrupt: true}
		case s == asciiWhole && len(body) == n:
			return bus.Found{Frame: buf[i : i+length]}
		case s == asciiWhole:
			other, ok := asked(body)
			foreign = foreign || ok && other == e
		case n == 0 || s == asciiSpoilt && len(body) == 0:
		case s == asciiSpoilt:
			f.Corrupt = true
		case f.Missing == 0:
			f.Missing = max(1, charactersASCII(n)-(len(buf)-i))
		}
	}
	return f
}

// bodiesASCII returns the bodies of all frames among the characters.
func bodiesASCII(buf []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			i := bytes.IndexByte(buf, asciiStart)
			if i < 0 {
				return
			}
			if body, _, s := cutASCII(buf[i:]); s == asciiWhole && !yield(body) {
				return
			}
			buf = buf[i+1:]
		}
	}
}
