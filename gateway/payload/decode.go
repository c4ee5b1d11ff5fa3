package payload

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gengfu/facility"
)

// Unwrap reads the header of a payload and returns the batches behind it, which
// it does not look at.
func Unwrap(payload []byte) (Header, []byte, error) {
	s := &scanner{in: string(payload[:min(len(payload), usualHeader)])}
	h, ok := s.open(payload)
	if !ok && len(s.in) < len(payload) {
		s = &scanner{in: string(payload)}
		h, ok = s.open(payload)
	}
	if !ok {
		return Header{}, nil, s.err
	}
	const blank = " \t\r\n"
	body := bytes.TrimPrefix(bytes.TrimLeft(payload[s.pos:], blank), []byte(","))
	body = bytes.TrimRight(body, blank)
	if len(body) == 0 || body[len(body)-1] != ']' {
		s.fail("the array does not end")
		return Header{}, nil, s.err
	}
	return h, bytes.TrimSpace(body[:len(body)-1]), nil
}

// usualHeader is what a header takes at most, unless somebody's is long.
const usualHeader = 1 << 10

// open checks the checksum and reads the header.
func (s *scanner) open(payload []byte) (h Header, ok bool) {
	s.unbroken(payload)
	s.expect('[')
	h = s.header(s.scanRecord())
	return h, s.err == nil
}

// Decode reads a payload. The error is of type *Error. A tap that has no time of
// reception of its own gets that of the header. What a gateway sends that does not know
// the time gets its time by its age, once it is known when it was received.
func Decode(payload []byte) (Header, []facility.Reading, []facility.Tap, error) {
	return DecodeAt(payload, time.Time{})
}

// DecodeAt is Decode of a payload that was received at the instant, where its header
// does not say so yet.
func DecodeAt(payload []byte, received time.Time) (Header, []facility.Reading, []facility.Tap, error) {
	s := &scanner{in: string(payload)}
	switch {
	case len(payload) > MaxBytes:
		s.fail("%d bytes, at most %d are allowed", len(payload), MaxBytes)
	case !utf8.Valid(payload):
		s.fail("not UTF-8")
	}
	h, _ := s.open(payload)
	if h.Received.IsZero() {
		h.Received = received
	}
	d := decoding{scanner: s, header: h, texts: map[string]string{}}
	if s.err == nil {
		d.readings = make([]facility.Reading, 0, min(bytes.Count(payload, []byte("{")), MaxRecords)-1)
	}
	for s.err == nil && s.take(',') {
		s.record++
		if s.record > MaxRecords {
			s.fail("more than %d records", MaxRecords)
		}
		d.fact(s.scanRecord())
	}
	s.label = ""
	s.expect(']')
	if s.peek(); s.pos < len(s.in) {
		s.fail("something follows the array")
	}
	if s.err != nil {
		return Header{}, nil, nil, s.err
	}
	if len(d.readings) == 0 {
		d.readings = nil
	}
	return h, d.readings, d.taps, nil
}

// unbroken checks the checksum, where there is one.
func (s *scanner) unbroken(payload []byte) {
	if len(payload) > 0 && !intact(payload[1:]) {
		s.fail("its checksum is wrong: it was damaged on its way")
	}
}

// decoding resolves base values and collects facts.
type decoding struct {
	*scanner
	header   Header
	aged     aged
	base     int64
	unit     string
	texts    map[string]string
	readings []facility.Reading
	taps     []facility.Tap
}

// own returns a copy of a text that recurs. Without it one reading in memory
// would hold on to its whole payload.
func (d *decoding) own(text string) string {
	if text == "" {
		return ""
	}
	own, ok := d.texts[text]
	if !ok {
		own = strings.Clone(text)
		d.texts[own] = own
	}
	return own
}

func (d *decoding) fact(r record) {
	if r.has(lBaseTime) {
		d.base = r.bt
	}
	if r.has(lBaseUnit) {
		d.unit = d.own(r.bu)
	}
	if r.has(lBoot) && d.err == nil {
		d.aged = ageOf(d.header, r.stamp(), d.base+r.t)
	}
	switch {
	case d.err != nil:
	case r.has(lBaseName):
		d.fail("a second base name")
	case r.has(lValue) == r.has(lString):
		d.fail("want exactly one of v and vs")
	case r.has(lTap):
		d.tap(r)
	default:
		d.reading(r)
	}
}

func (d *decoding) tap(r record) {
	t := facility.Tap{
		ID: strings.Clone(r.tap), Source: facility.TapSource(d.own(r.source)), Reader: d.own(r.reader),
		Credential: d.own(r.credential), Checkpoint: d.own(r.checkpoint), Person: d.own(r.person), TappedAt: r.at, SentAt: r.sent, ReceivedAt: r.received,
	}
	if !r.has(lReceived) {
		t.ReceivedAt = d.header.Received
	}
	d.aged.tap(&t)
	d.taps = append(d.taps, t)
}

func (d *decoding) reading(r record) {
	point, err := facility.ParsePointID(r.n)
	if err != nil || !validName(point.Device) || !validName(point.Quantity) {
		d.fail("the name %q is not device/quantity", r.n)
	}
	at := d.base + r.t
	if (at < d.base) != (r.t < 0) {
		d.fail("the time is out of range")
	}
	point.Device, point.Quantity = d.own(point.Device), d.own(point.Quantity)
	out := facility.Reading{Point: point, Time: time.Unix(0, at).UTC(), Unit: d.own(r.u), Quality: facility.Good, Reason: facility.Reason(d.own(r.reason))}
	if !r.has(lUnit) {
		out.Unit = d.unit
	}
	if r.has(lQuality) && out.Quality.UnmarshalText([]byte(r.quality)) != nil {
		d.fail("the quality %q is none of good, uncertain and bad", r.quality)
	}
	switch bad := out.Quality == facility.Bad; {
	case bad != r.has(lString):
		d.fail("a bad reading has a reason in vs, the others have a number in v")
	case bad:
		out.Reason = facility.Reason(d.own(r.vs))
	default:
		out.Value = d.float(r.v)
	}
	d.aged.reading(&out)
	d.readings = append(d.readings, out)
}

func (s *scanner) header(r record) Header {
	const prefix = "urn:gengfu:"
	s.label = ""
	h := Header{Stream: facility.Stream(strings.Clone(r.stream)), Epoch: strings.Clone(r.epoch), Prev: r.prev, First: r.first, Received: r.received, Boot: strings.Clone(r.boot), Up: time.Duration(r.up)}
	name, ours := strings.CutPrefix(r.bn, prefix)
	parts := strings.Split(name, ":")
	switch {
	case s.err != nil:
	case !ours || len(parts) != 3 || !ValidID(parts[0]) || !ValidID(parts[1]) || parts[2] != "":
		s.fail("the base name %q is not %ssite:gateway:", r.bn, prefix)
	case r.n != "batch" || !r.has(lValue):
		s.fail("the header is not named batch or has no number")
	case h.Stream != facility.Urgent && h.Stream != facility.Telemetry:
		s.fail("the stream %q is neither urgent nor telemetry", r.stream)
	case r.epoch == "":
		s.fail("the header has no epoch")
	default:
		h.Site, h.Gateway = strings.Clone(parts[0]), strings.Clone(parts[1])
		h.Seq = s.uint(r.v)
	}
	if h.Prev > h.Seq {
		s.fail("prev %d is after the sequence %d", h.Prev, h.Seq)
	}
	if h.First != 0 && (h.First > h.Seq || h.First <= h.Prev) {
		s.fail("first %d is not between prev %d and the sequence %d", h.First, h.Prev, h.Seq)
	}
	return h
}

// record is one SenML record as it is written.
type record struct {
	seen uint32 // bits by label

	bn, bu, n, u, v, vs    string // v is the number as written
	quality, reason        string
	stream, epoch          string
	boot, clock            string
	tap, source, reader    string
	credential, checkpoint string
	person                 string
	bt, t                  int64 // nanoseconds
	up, shift, within      int64 // likewise
	prev, first            uint64
	at, sent, received     time.Time
}

// label is one that is understood, of RFC 8428 or beyond. Others are ignored,
// except that RFC 8428 section 4.4 wants a refusal of unknown ones that end in
// "_".
type label int

const (
	lBaseName label = iota
	lBaseTime
	lBaseUnit
	lName
	lUnit
	lValue
	lString
	lTime
	lQuality
	lReason
	lStream
	lEpoch
	lPrev
	lFirst
	lTap
	lSource
	lReader
	lCredential
	lCheckpoint
	lPerson
	lAt
	lSent
	lReceived
	lBoot
	lUp
	lClock
	lShift
	lWithin
)

var labels = [...]string{
	lBaseName: "bn", lBaseTime: "bt", lBaseUnit: "bu", lName: "n", lUnit: "u", lValue: "v", lString: "vs", lTime: "t",
	lQuality: "quality", lReason: "reason", lStream: "stream", lEpoch: "epoch", lPrev: "prev", lFirst: "first",
	lTap: "tap", lSource: "source", lReader: "reader", lCredential: "credential", lCheckpoint: "checkpoint",
	lPerson: "person", lAt: "at", lSent: "sent", lReceived: "received",
	lBoot: "boot", lUp: "up", lClock: "clock", lShift: "shift", lWithin: "within",
}

// labelOf returns the label of a name, or -1. Those of every reading need no search.
func labelOf(name string) label {
	switch name {
	case "n":
		return lName
	case "v":
		return lValue
	case "t":
		return lTime
	case "u":
		return lUnit
	}
	return label(slices.Index(labels[:], name))
}

// version is the base version, label bver, of RFC 8428 section 4.1.
const version = 10

// refused are labels of RFC 8428 that would change what a record means here.
var refused = [...]string{"bv", "bs", "vb", "vd", "s"}

func (r *record) has(l label) bool { return r.seen&(1<<l) != 0 }

func (s *scanner) scanRecord() (r record) {
	s.label = ""
	s.expect('{')
	for s.err == nil {
		s.label = ""
		name := s.str(maxName)
		s.expect(':')
		if s.label = name; s.err == nil {
			s.field(&r, name)
		}
		if s.take('}') {
			s.label = ""
			return r
		}
		s.expect(',')
	}
	return r
}

func (s *scanner) field(r *record, name string) {
	l := labelOf(name)
	switch {
	case l < 0 && strings.HasSuffix(name, "_"), name == "bver" && s.uint(s.number()) > version:
		s.fail("of a later version of the form")
		s.err.Newer = true
	case name == "bver":
	case l < 0 && slices.Contains(refused[:], name):
		s.fail("not supported")
	case l < 0:
		s.ignore(0)
	case r.has(l):
		s.fail("given twice")
	default:
		r.seen |= 1 << l
		s.value(r, l)
	}
}

func (s *scanner) value(r *record, l label) {
	switch l {
	case lBaseTime:
		r.bt = s.seconds()
	case lTime:
		r.t = s.seconds()
	case lUp:
		r.up = s.seconds()
	case lShift:
		r.shift = s.seconds()
	case lWithin:
		r.within = s.seconds()
	case lValue:
		r.v = s.number()
	case lPrev:
		r.prev = s.uint(s.number())
	case lFirst:
		r.first = s.uint(s.number())
	case lAt:
		r.at = s.time()
	case lSent:
		r.sent = s.time()
	case lReceived:
		r.received = s.time()
	default:
		*r.text(l) = s.str(maxText)
	}
}

// text returns where the string of a label goes.
func (r *record) text(l label) *string {
	switch l {
	case lBaseName:
		return &r.bn
	case lBaseUnit:
		return &r.bu
	case lName:
		return &r.n
	case lUnit:
		return &r.u
	case lString:
		return &r.vs
	case lQuality:
		return &r.quality
	case lReason:
		return &r.reason
	case lStream:
		return &r.stream
	case lEpoch:
		return &r.epoch
	case lBoot:
		return &r.boot
	case lClock:
		return &r.clock
	case lTap:
		return &r.tap
	case lSource:
		return &r.source
	case lReader:
		return &r.reader
	case lCredential:
		return &r.credential
	case lCheckpoint:
		return &r.checkpoint
	default:
		return &r.person
	}
}
