// Package payload is the form in which facts travel and are kept: SenML in JSON
// (RFC 8428), readable by any SenML tool. It must give back exactly what it was
// given: every bit of a value, every nanosecond, every letter of a tap.
//
// A batch is one or more records, comma-separated, without brackets: what a
// journal at the edge holds. A payload is a batch behind a header record, in
// brackets: what goes over MQTT, and what the hub's journal holds.
//
//	[{"crc":"5d0f4a17","bn":"urn:gengfu:site:gw1:","n":"batch","v":12,"stream":"telemetry","epoch":"…","prev":11},
//	 {"bt":1795356000.25,"n":"pump-1/outlet_pressure","u":"bar","v":3.42},
//	 {"n":"main-water/flow","vs":"no_answer","t":0.5,"quality":"bad"}]
//
// Beyond RFC 8428 a record may carry the labels quality and reason. A bad reading
// has no number: its value is the reason, as a string. A tap has the label tap
// with its id, and its other fields under labels of their own.
//
// A batch of a gateway that watches its clock begins with a Stamp, and the header says
// when it was sent by the same clock:
//
//	{"boot":"0d22cfbbc54f","up":12.5,"clock":"unknown","bt":12.5,"n":"pump-1/fault","v":1}
package payload

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"gengfu/facility"
)

// Limits of what is encoded and decoded.
const (
	MaxBytes   = 1 << 20 // of a payload
	MaxRecords = 10_000  // in a payload
	maxName    = 256     // bytes of a part of a name, a unit, a label
	maxText    = 4 << 10 // bytes of any other string
)

// maxOffset is how far from its base time a record may be: RFC 8428 section
// 4.5.3 gives smaller numbers another meaning.
const maxOffset = int64(1<<28) * int64(time.Second)

// The range of times of readings, that of 64-bit nanoseconds since 1970.
var (
	minTime = time.Unix(0, math.MinInt64)
	maxTime = time.Unix(0, math.MaxInt64)
)

// Header says where a payload comes from and where it stands in its stream.
type Header struct {
	Site     string // letters, digits, "-", "_", "."
	Gateway  string // likewise
	Stream   facility.Stream
	Epoch    string
	Seq      uint64        // of the sender's journal, up to 2^53
	Prev     uint64        // the sequence before it in the sender's journal; 0 when the sender holds nothing before it
	First    uint64        // the sequence of the first of several batches of the sender's journal; 0 when it is one
	Received time.Time     // on the hub's clock; zero until the hub has taken it
	Boot     string        // names the boot of the sender's machine; empty when it does not say
	Up       time.Duration // from that boot until it was sent
}

// CheckReading says why a reading cannot be encoded, or nil.
func CheckReading(r facility.Reading) error {
	switch {
	case !validName(r.Point.Device) || !validName(r.Point.Quantity):
		return fmt.Errorf("reading of %q: its name has other signs than letters, digits, \"-\", \"_\", \".\", \":\", or none, or too many", r.Point)
	case r.Quality > facility.Good:
		return fmt.Errorf("reading of %q: %v", r.Point, r.Quality)
	case r.Quality != facility.Bad && (math.IsNaN(r.Value) || math.IsInf(r.Value, 0)):
		return fmt.Errorf("reading of %q: %v is no value", r.Point, r.Value)
	case r.Time.Before(minTime) || r.Time.After(maxTime):
		return fmt.Errorf("reading of %q: the time %v is out of range", r.Point, r.Time)
	case len(r.Unit) > maxName || len(r.Reason) > maxName:
		return fmt.Errorf("reading of %q: its unit or reason is too long", r.Point)
	case !utf8.ValidString(r.Unit) || !utf8.ValidString(string(r.Reason)):
		return fmt.Errorf("reading of %q: its unit or reason is not UTF-8", r.Point)
	}
	return nil
}

// AppendReadings appends a batch of readings to dst. The value of a bad reading
// is not encoded. On an error dst is returned as it was.
func AppendReadings(dst []byte, readings []facility.Reading) ([]byte, error) {
	if len(readings) == 0 {
		return dst, errors.New("a batch without readings")
	}
	start := len(dst)
	var base int64
	for i := range readings {
		r := &readings[i]
		if err := CheckReading(*r); err != nil {
			return dst[:start], err
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		at := r.Time.UnixNano()
		offset := at - base
		if i == 0 || offset > maxOffset || offset < -maxOffset || (at < base) != (offset < 0) {
			base, offset = at, 0
			dst = append(dst, `"bt":`...)
			dst = appendSeconds(dst, at)
			dst = append(dst, ',')
		}
		dst = appendReading(dst, r, offset)
	}
	return dst, nil
}

func appendReading(dst []byte, r *facility.Reading, offset int64) []byte {
	dst = append(dst, `"n":"`...)
	dst = append(dst, r.Point.Device...)
	dst = append(dst, '/')
	dst = append(dst, r.Point.Quantity...)
	dst = append(dst, '"')
	if r.Unit != "" {
		dst = appendLabel(dst, "u", r.Unit)
	}
	if r.Quality == facility.Bad {
		dst = appendLabel(dst, "vs", string(r.Reason))
	} else {
		dst = append(dst, `,"v":`...)
		dst = strconv.AppendFloat(dst, r.Value, 'g', -1, 64)
	}
	if offset != 0 {
		dst = append(dst, `,"t":`...)
		dst = appendSeconds(dst, offset)
	}
	if r.Quality != facility.Good {
		dst = appendLabel(dst, "quality", r.Quality.String())
	}
	if r.Quality != facility.Bad && r.Reason != "" {
		dst = appendLabel(dst, "reason", string(r.Reason))
	}
	return append(dst, '}')
}

// AppendTap appends a batch of one tap to dst. What is not UTF-8 in it is
// replaced and a time that RFC 3339 cannot say is left out; nothing is refused, as
// a tap is never dropped.
func AppendTap(dst []byte, t facility.Tap) []byte {
	base := t.TappedAt
	if base.Before(minTime) || base.After(maxTime) {
		base = time.Unix(0, 0)
	}
	dst = append(dst, `{"bt":`...)
	dst = appendSeconds(dst, base.UnixNano())
	dst = append(dst, `,"n":"tap/`...)
	switch {
	case validName(t.Reader):
		dst = append(dst, t.Reader...)
	case validName(t.Checkpoint):
		dst = append(dst, t.Checkpoint...)
	}
	dst = append(dst, '"')
	who := t.Credential
	if who == "" {
		who = t.Person
	}
	dst = appendLabel(dst, "vs", who)
	dst = appendLabel(dst, "tap", t.ID)
	dst = appendNonEmpty(dst, "source", string(t.Source))
	dst = appendNonEmpty(dst, "reader", t.Reader)
	dst = appendNonEmpty(dst, "credential", t.Credential)
	dst = appendNonEmpty(dst, "checkpoint", t.Checkpoint)
	dst = appendNonEmpty(dst, "person", t.Person)
	dst = appendTime(dst, "at", t.TappedAt)
	dst = appendTime(dst, "sent", t.SentAt)
	dst = appendTime(dst, "received", t.ReceivedAt)
	return append(dst, '}')
}

// Wrap makes a payload of a header and batches, with a checksum of all of it.
func Wrap(h Header, batches ...[]byte) []byte {
	size := 256
	for _, b := range batches {
		size += len(b) + 1
	}
	dst := make([]byte, 0, size)
	dst = append(dst, `[`+sealLabel+sealBlank+`"bn":"urn:gengfu:`...)
	dst = append(dst, h.Site...)
	dst = append(dst, ':')
	dst = append(dst, h.Gateway...)
	dst = append(dst, `:","n":"batch","v":`...)
	dst = strconv.AppendUint(dst, h.Seq, 10)
	dst = appendLabel(dst, "stream", string(h.Stream))
	dst = appendLabel(dst, "epoch", h.Epoch)
	dst = append(dst, `,"prev":`...)
	dst = strconv.AppendUint(dst, h.Prev, 10)
	if h.First != 0 {
		dst = append(dst, `,"first":`...)
		dst = strconv.AppendUint(dst, h.First, 10)
	}
	dst = appendUp(dst, h.Boot, h.Up)
	dst = appendTime(dst, "received", h.Received)
	dst = append(dst, '}')
	for _, b := range batches {
		if len(b) > 0 {
			dst = append(append(dst, ','), b...)
		}
	}
	dst = append(dst, ']')
	seal(dst[1:])
	return dst
}

// validName reports whether a part of a name keeps to the alphabet of RFC 8428
// section 4.5.1 and can be told from its neighbours.
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-' || c == '_' || c == '.' || c == ':':
		default:
			return false
		}
	}
	return true
}

// appendSeconds writes nanoseconds as decimal seconds, exactly.
func appendSeconds(dst []byte, ns int64) []byte {
	u := uint64(ns)
	if ns < 0 {
		dst = append(dst, '-')
		u = -u
	}
	dst = strconv.AppendUint(dst, u/1e9, 10)
	frac := u % 1e9
	if frac == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := uint64(1e8); frac > 0; unit /= 10 {
		dst = append(dst, byte('0'+frac/unit))
		frac %= unit
	}
	return dst
}

func appendTime(dst []byte, label string, t time.Time) []byte {
	t = t.UTC()
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 { // RFC 3339 has no other years
		return dst
	}
	dst = append(append(append(dst, `,"`...), label...), `":"`...)
	return append(t.AppendFormat(dst, time.RFC3339Nano), '"')
}

func appendNonEmpty(dst []byte, label, s string) []byte {
	if s == "" {
		return dst
	}
	return appendLabel(dst, label, s)
}

func appendLabel(dst []byte, label, s string) []byte {
	dst = append(append(append(dst, `,"`...), label...), `":`...)
	return appendString(dst, s)
}

func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		case r == utf8.RuneError:
			dst = append(dst, "\uFFFD"...)
		case r < utf8.RuneSelf:
			dst = append(dst, byte(r))
		default:
			dst = append(dst, s[i:i+utf8.RuneLen(r)]...)
		}
	}
	return append(dst, '"')
}
