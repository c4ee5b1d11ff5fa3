package trace

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gengfu/devices/profile"
	"gengfu/devices/sniff"
)

// Model returns what is known of a device; nil when nothing is. The device and
// profile are what the trace says, either may be empty; protocol and address are what
// its frames say.
type Model func(device, profileID string, protocol sniff.Protocol, address string) *profile.Profile

// Step is what one entry of a trace means now.
type Step struct {
	Entry   Entry
	Meaning sniff.Meaning // of a request
	Heard   []sniff.Event // of a sniffed line
	Values  []sniff.Value
	Differs []string // in words: values that are not what was booked then
}

// Replay runs entries back through the decoders of today. It belongs to one goroutine.
type Replay struct {
	head   Head
	model  Model
	cutter *sniff.Cutter
	last   time.Time
}

// NewReplay begins with the head of a trace.
func NewReplay(h Head, model Model) *Replay {
	return &Replay{head: h, model: model, cutter: sniff.NewCutter(h.Character())}
}

// Step takes the next entry.
func (r *Replay) Step(e Entry) Step {
	s := Step{Entry: e}
	if len(e.Heard) > 0 {
		if !r.last.IsZero() && e.At.Sub(r.last) > r.cutter.QuietAfter() {
			s.Heard = r.cutter.Quiet(e.At)
		}
		r.last = e.At
		s.Heard = append(s.Heard, r.cutter.Feed(e.At, e.Heard)...)
		r.explain(&s)
		return s
	}
	if len(e.Request) == 0 {
		return s
	}
	plain := sniff.Interpret(r.head.Protocol, e.Request, e.Reply, nil)
	s.Meaning = sniff.Interpret(r.head.Protocol, e.Request, e.Reply, r.model(e.Device, e.Profile, plain.Protocol, plain.Address))
	s.Values = s.Meaning.Values
	s.Differs = differences(e.Booked, s.Values)
	return s
}

// End returns what is left of a sniffed line.
func (r *Replay) End() Step {
	s := Step{Heard: r.cutter.Quiet(r.last.Add(time.Minute))}
	r.explain(&s)
	return s
}

func (r *Replay) explain(s *Step) {
	for _, e := range s.Heard {
		if e.Kind == sniff.Whole && e.Request != nil {
			s.Values = append(s.Values, e.Explain(r.model("", "", e.Frame.Protocol, e.Request.Address))...)
		}
	}
}

func differences(then []Booked, now []sniff.Value) (out []string) {
	for _, was := range then {
		i := slices.IndexFunc(now, func(v sniff.Value) bool { return v.Quantity == was.Quantity })
		if i < 0 {
			out = append(out, fmt.Sprintf("%s: was %s, is not decoded now", was.Quantity, was))
			continue
		}
		if is := BookedOf(now[i]); !was.same(is) {
			out = append(out, fmt.Sprintf("%s: was %s, is %s", was.Quantity, was, is))
		}
	}
	return out
}

// BookedOf returns a value as a trace keeps it.
func BookedOf(v sniff.Value) Booked {
	return Booked{Quantity: v.Quantity, Value: v.Number, Unit: v.Unit, Quality: v.Quality.String(), Reason: string(v.Reason)}
}

func (b Booked) String() string {
	if b.Value == nil {
		return fmt.Sprintf("%s %s", b.Quality, b.Reason)
	}
	return fmt.Sprintf("%v %s", *b.Value, b.Quality)
}

func (b Booked) same(c Booked) bool {
	if b.Quality != c.Quality || b.Reason != c.Reason || (b.Value == nil) != (c.Value == nil) {
		return false
	}
	return b.Value == nil || *b.Value == *c.Value || math.Abs(*b.Value-*c.Value) <= 1e-9*math.Abs(*b.Value)
}
