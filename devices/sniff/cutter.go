package sniff

import (
	"bytes"
	"fmt"
	"time"

	"gengfu/devices/cjt188"
	"gengfu/devices/dlt645"
	"gengfu/devices/framing"
	"gengfu/devices/mbus"
)

// Kind is what an event is.
type Kind string

// The kinds of event.
const (
	Whole  Kind = "frame"
	Spoilt Kind = "spoilt" // looks like the reply that was awaited, and its check is wrong or its end is missing
	Noise  Kind = "noise"  // bytes of no frame
	Silent Kind = "silent" // a request that nobody answered
)

// Event is one thing that was heard.
type Event struct {
	Kind    Kind
	At      time.Time // of the first byte, as far as it is known
	Bytes   []byte    // of noise and spoilt frames
	Frame   *Frame    // of a Whole one; of Silent the request
	Request *Frame    // what a reply answers, or a spoilt one would have; nil when it was not heard
	Gap     time.Duration
	Took    time.Duration // of a reply: from the end of the request to its first byte
	Note    string        // what is strange about it
}

// answerWithin is how long a reply may take to count as the answer to a request.
const answerWithin = 3 * time.Second

// longest is the longest frame that there is, in bytes, with a margin.
const longest = 640

// Cutter cuts a stream into events. Times are those at which bytes were read, so that
// gaps and turnarounds are as true as the driver is. It belongs to one goroutine.
type Cutter struct {
	character time.Duration
	held      []byte
	stamps    []time.Time
	noise     []byte
	noiseAt   time.Time
	lastEnd   time.Time
	pending   *Frame
	pendingAt time.Time
	counters  Counters
}

// Counters are what was heard so far.
type Counters struct {
	Bytes    int              `json:"bytes"`
	Frames   int              `json:"frames"`
	Requests int              `json:"requests"`
	Replies  int              `json:"replies"`
	Refusals int              `json:"refusals"`
	Spoilt   int              `json:"spoilt"`
	Noise    int              `json:"noise"` // bytes
	Silent   int              `json:"unanswered"`
	Of       map[Protocol]int `json:"of,omitempty"`

	sloped int // bytes of at most one change between their bits, as a sender that is slower than the listener gives
	zeros  int
}

// NewCutter returns a cutter of a line whose characters take so long; 0 when that is
// not known.
func NewCutter(character time.Duration) *Cutter {
	return &Cutter{character: character, counters: Counters{Of: map[Protocol]int{}}}
}

// QuietAfter returns the silence after which Quiet is to be called.
func (c *Cutter) QuietAfter() time.Duration { return max(40*time.Millisecond, 20*c.character) }

// Counters returns what was heard so far.
func (c *Cutter) Counters() Counters { return c.counters }

// Feed takes in bytes that were read at a time.
func (c *Cutter) Feed(at time.Time, b []byte) (events []Event) {
	c.counters.Bytes += len(b)
	for i, x := range b {
		c.weigh(x)
		c.held = append(c.held, x)
		c.stamps = append(c.stamps, at.Add(-time.Duration(len(b)-i)*c.character))
	}
	return c.cut(events, false)
}

// Quiet says that nothing has come for QuietAfter: what has begun is no frame.
func (c *Cutter) Quiet(at time.Time) (events []Event) {
	events = c.flush(c.cut(events, true))
	if c.pending != nil && at.Sub(c.pendingAt) > answerWithin {
		events = c.giveUp(events)
	}
	return events
}

func (c *Cutter) giveUp(events []Event) []Event {
	f := c.pending
	c.pending = nil
	if !answerable(f) {
		return events
	}
	c.counters.Silent++
	return append(events, Event{Kind: Silent, At: c.pendingAt, Frame: f})
}

// answerable reports whether anybody is to answer a request.
func answerable(f *Frame) bool {
	switch f.Protocol {
	case DLT645:
		return !f.dlt645.Address.Broadcast()
	case CJT188:
		return !f.cjt188.Address.Broadcast()
	case MBus:
		return f.mbus.Address != mbus.Broadcast
	}
	return f.modbus.unit != 0
}

func (c *Cutter) cut(events []Event, quiet bool) []Event {
	from := 0
	for from < len(c.held) {
		f, sight := c.look(c.held[from:])
		if sight.Kind == framing.Begun && !quiet && len(c.held)-from < longest {
			break
		}
		if sight.Kind == framing.Whole {
			at, end := c.stamps[from], c.stamps[from+sight.Length-1].Add(c.character)
			events = c.take(c.flush(events), f, at, end)
			from += sight.Length
			continue
		}
		if len(c.noise) == 0 {
			c.noiseAt = c.stamps[from]
		}
		c.noise = append(c.noise, c.held[from])
		from++
	}
	c.held = append(c.held[:0], c.held[from:]...)
	c.stamps = append(c.stamps[:0], c.stamps[from:]...)
	return events
}

// look returns the frame at the start of b in the protocol that is least likely to
// see one by chance.
func (c *Cutter) look(b []byte) (Frame, framing.Sight) {
	begun := framing.Sight{}
	keep := func(s framing.Sight) bool {
		if s.Kind == framing.Begun {
			begun = s
		}
		return s.Kind == framing.Whole
	}
	if f, s := probeRTU(b, c.awaited); keep(s) {
		return f, s
	}
	if f, s := probeASCII(b, c.awaited); keep(s) {
		return f, s
	}
	if f, s := dlt645.Probe(b); keep(s) {
		return frame645(f, bytes.Clone(b[:s.Length])), s
	}
	if f, s := cjt188.Probe(b); keep(s) {
		return frame188(f, bytes.Clone(b[:s.Length])), s
	}
	if f, s := mbus.Probe(b); keep(s) && (f.Kind != mbus.Ack || c.pending != nil && c.pending.Protocol == MBus) {
		return frameMBus(f, bytes.Clone(b[:s.Length])), s
	}
	return Frame{}, begun
}

func (c *Cutter) awaited(unit, function byte) bool {
	return c.pending != nil && c.pending.Protocol.Modbus() && c.pending.modbus.unit == unit && c.pending.modbus.function == function
}

// take makes the event of a frame.
func (c *Cutter) take(events []Event, f Frame, at, end time.Time) []Event {
	e := Event{Kind: Whole, At: at, Frame: &f}
	if !c.lastEnd.IsZero() {
		e.Gap = max(0, at.Sub(c.lastEnd))
	}
	c.lastEnd = end
	c.counters.Frames++
	c.counters.Of[f.Protocol]++
	if f.Side == Request {
		if c.pending != nil {
			if bytes.Equal(c.pending.Bytes, f.Bytes) {
				e.Note = "the same request again: a repetition, or the echo of an adapter"
			}
			events = c.giveUp(events)
		}
		c.counters.Requests++
		c.pending, c.pendingAt = &f, end
		return append(events, e)
	}
	c.counters.Replies++
	if f.Refused {
		c.counters.Refusals++
	}
	if f.answers(c.pending) && at.Sub(c.pendingAt) <= answerWithin {
		e.Request, e.Took = c.pending, max(0, at.Sub(c.pendingAt))
		if note := mismatch(c.pending, &f); note != "" {
			e.Note = note
		}
		c.pending = nil
	} else {
		e.Note = "answers nothing that was asked just before: late, or its request was not heard"
	}
	return append(events, e)
}

// mismatch says when a reply of Modbus has another length than was asked for.
func mismatch(request, reply *Frame) string {
	if !request.Protocol.Modbus() || tableOf(request.modbus.function) == "" || reply.Refused {
		return ""
	}
	if reply.modbus.words(request.modbus) == nil {
		return fmt.Sprintf("another length than the %d that were asked for", request.modbus.count())
	}
	return ""
}

// flush makes an event of the bytes before a frame. The FE that wake meters are not
// worth one.
func (c *Cutter) flush(events []Event) []Event {
	b := awake(c.noise)
	if len(b) == 0 {
		c.noise = c.noise[:0]
		return events
	}
	e := Event{Kind: Noise, At: c.noiseAt, Bytes: bytes.Clone(c.noise)}
	if c.pending != nil && resembles(b, c.pending) {
		e.Kind, e.Request = Spoilt, c.pending
		e.Note = "begins like the reply of " + c.pending.Address + ", and its check is wrong or its end is missing"
		c.counters.Spoilt++
		c.pending = nil
	} else {
		c.counters.Noise += len(b)
	}
	c.noise = c.noise[:0]
	return append(events, e)
}

// awake returns the bytes without the FE that wake meters at their start.
func awake(b []byte) []byte {
	for len(b) > 0 && b[0] == 0xFE {
		b = b[1:]
	}
	return b
}

// resembles reports whether the bytes begin like the reply to the request.
func resembles(b []byte, request *Frame) bool {
	switch request.Protocol {
	case ModbusRTU:
		return len(b) >= 2 && b[0] == request.modbus.unit && b[1]&^0x80 == request.modbus.function
	case ModbusASCII:
		return b[0] == ':'
	}
	return b[0] == 0x68
}

// weigh counts what wrong settings of the port make of bytes.
func (c *Cutter) weigh(b byte) {
	if b == 0 {
		c.counters.zeros++
	}
	changes := 0
	for i := range 7 {
		if b>>i&1 != b>>(i+1)&1 {
			changes++
		}
	}
	if changes <= 1 {
		c.counters.sloped++
	}
}

// enough is how many bytes must have come before anything is said of the settings.
const enough = 48

// Suspicion says what is likely wrong with the settings of the port when what comes
// is no frames; "" when there is nothing to say.
func (c Counters) Suspicion() string {
	inFrames := c.Frames > 0 && c.Noise*4 < c.Bytes
	switch {
	case c.Bytes < enough || inFrames:
		return ""
	case c.sloped*10 >= c.Bytes*8:
		return "the bytes look stretched: the sender is slower than this port is set; try a lower baud rate"
	case c.Frames > 0:
		return "some frames are whole and much is noise: the parity is likely wrong, or two talk at once"
	}
	return "bytes come and none make a frame: the parity or the baud rate is likely wrong; try even parity, then a higher baud rate"
}
