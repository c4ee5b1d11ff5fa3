package payload

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Error says what is wrong with a payload, and where.
type Error struct {
	Record int    // from 0, the header
	Offset int    // in bytes
	Label  string // empty: the record as a whole
	What   string
	// Newer says that a program of a later version may be able to read it: by RFC
	// 8428 sections 4.1 and 4.4 its writer marked what must not be passed over.
	Newer bool
}

func (e *Error) Error() string {
	if e.Label == "" {
		return fmt.Sprintf("payload: record %d, byte %d: %s", e.Record, e.Offset, e.What)
	}
	return fmt.Sprintf("payload: record %d, byte %d, label %q: %s", e.Record, e.Offset, e.Label, e.What)
}

// scanner reads JSON from left to right. After the first error it stays there.
type scanner struct {
	in     string
	pos    int
	record int
	label  string
	err    *Error
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = &Error{Record: s.record, Offset: s.pos, Label: s.label, What: fmt.Sprintf(format, args...)}
	}
}

func (s *scanner) peek() byte {
	for s.pos < len(s.in) {
		switch c := s.in[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// take steps over c if it is next.
func (s *scanner) take(c byte) bool {
	if s.err != nil || s.peek() != c || s.pos >= len(s.in) {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.take(c) {
		s.fail("want %q", c)
	}
}

// str reads a string of at most limit bytes.
func (s *scanner) str(limit int) string {
	if s.expect('"'); s.err != nil {
		return ""
	}
	start, escaped := s.pos, false
	for ; s.pos < len(s.in); s.pos++ {
		switch c := s.in[s.pos]; {
		case c == '"':
			return s.endStr(start, escaped, limit)
		case c == '\\':
			escaped = true
			s.pos++
		case c < 0x20:
			s.fail("a control character in a string")
			return ""
		}
	}
	s.fail("a string does not end")
	return ""
}

func (s *scanner) endStr(start int, escaped bool, limit int) string {
	out := s.in[start:s.pos]
	s.pos++
	if escaped {
		out = s.unescape(s.in[start-1 : s.pos])
	}
	if len(out) > limit {
		s.fail("a string of %d bytes, at most %d are allowed", len(out), limit)
	}
	return out
}

func (s *scanner) unescape(quoted string) (out string) {
	if json.Unmarshal([]byte(quoted), &out) != nil {
		s.fail("a string with a wrong escape")
	}
	return out
}

// number reads a number as it is written, by the grammar of RFC 8259.
func (s *scanner) number() string {
	if s.err != nil {
		return ""
	}
	s.peek()
	start := s.pos
	s.skip('-')
	if !s.skip('0') && !s.digits() {
		s.fail("want a number")
		return ""
	}
	if s.skip('.') && !s.digits() {
		s.fail("a number ends with its point")
		return ""
	}
	if s.skip('e') || s.skip('E') {
		if !s.skip('+') {
			s.skip('-')
		}
		if !s.digits() {
			s.fail("a number without its exponent")
			return ""
		}
	}
	return s.in[start:s.pos]
}

func (s *scanner) skip(c byte) bool {
	if s.pos < len(s.in) && s.in[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.in) && s.in[s.pos] >= '0' && s.in[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

// float is the value of a number that was read.
func (s *scanner) float(text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.fail("%s is beyond the range of 64-bit floats", text)
	}
	return v
}

func (s *scanner) uint(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > 1<<53 {
		s.fail("%q is not a whole number from 0 to 2^53", text)
	}
	return n
}

// seconds reads decimal seconds as nanoseconds, exactly when written without
// exponent; digits beyond the ninth are ignored.
func (s *scanner) seconds() int64 {
	text := s.number()
	if s.err != nil {
		return 0
	}
	ns, ok := parseSeconds(text)
	if !ok {
		s.fail("%s seconds are out of range", text)
	}
	return ns
}

func parseSeconds(text string) (ns int64, ok bool) {
	if strings.ContainsAny(text, "eE") {
		f, err := strconv.ParseFloat(text, 64)
		f *= 1e9
		if err != nil || f < math.MinInt64 || f >= math.MaxInt64 {
			return 0, false
		}
		return int64(f), true
	}
	digits, negative := strings.CutPrefix(text, "-")
	whole, frac, _ := strings.Cut(digits, ".")
	if len(frac) > 9 {
		frac = frac[:9]
	}
	u, err := strconv.ParseUint(whole+frac+"000000000"[len(frac):], 10, 64)
	switch {
	case err != nil:
		return 0, false
	case negative:
		return -int64(u), u <= 1<<63
	default:
		return int64(u), u <= math.MaxInt64
	}
}

func (s *scanner) time() time.Time {
	text := s.str(maxName)
	if s.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		s.fail("%q is not a time as of RFC 3339", text)
	}
	return t.UTC()
}

// ignore steps over a value of any kind.
func (s *scanner) ignore(depth int) {
	if depth > 8 {
		s.fail("nested too deeply")
	}
	if s.err != nil {
		return
	}
	switch c := s.peek(); c {
	case '"':
		s.str(MaxBytes)
	case '{', '[':
		s.pos++
		s.ignoreInside(c+2, depth) // '}' is '{'+2, ']' is '['+2
	case 't', 'f', 'n':
		for _, word := range []string{"true", "false", "null"} {
			if strings.HasPrefix(s.in[s.pos:], word) {
				s.pos += len(word)
				return
			}
		}
		s.fail("want a value")
	default:
		s.number()
	}
}

func (s *scanner) ignoreInside(end byte, depth int) {
	if s.take(end) {
		return
	}
	for s.err == nil {
		if end == '}' {
			s.str(MaxBytes)
			s.expect(':')
		}
		s.ignore(depth + 1)
		if s.take(end) {
			return
		}
		s.expect(',')
	}
}
