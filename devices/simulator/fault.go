package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is a way for a device, or for its line, to misbehave.
type FaultKind string

// The faults. The zero Fault is health.
const (
	Healthy   FaultKind = ""
	Silent    FaultKind = "silent"    // no reply at all
	Slow      FaultKind = "slow"      // the reply comes Delay later
	Exception FaultKind = "exception" // a refusal with Code, as the protocol has it
	Busy      FaultKind = "busy"      // the refusal that asks for patience, or the plainest one that the protocol has
	Corrupt   FaultKind = "corrupt"   // the check is wrong; over TCP, the transaction id
	Flip      FaultKind = "flip"      // one byte, anywhere, is another one
	Split     FaultKind = "split"     // the reply comes in two pieces, Delay apart
	Truncated FaultKind = "truncated" // the second half of the reply is missing
	Cut       FaultKind = "cut"       // the reply ends somewhere
	Duplicate FaultKind = "duplicate" // the reply comes twice
	Foreign   FaultKind = "foreign"   // a whole good frame of a device that is not asked, before the reply or in its place
	Noise     FaultKind = "noise"     // stray bytes before the reply, or after it
	Drop      FaultKind = "drop"      // the connection ends within the reply; on a terminal, the reply does

	// Of a line only.
	Echo      FaultKind = "echo"      // the master's bytes come back to it
	Heartbeat FaultKind = "heartbeat" // the serial server sends its bytes every Delay
)

// Fault is a misbehaviour, how often it shows and how long it lasts.
type Fault struct {
	Kind  FaultKind
	Delay time.Duration // for slow, split and heartbeat
	Code  byte          // for exception; 0 is what the protocol has for a failure
	Times int           // how many requests it spoils; 0 is until another fault is set
	Rate  float64       // share of the requests that it spoils, above 0 to 1; 0 is all of them
}

// ParseFault reads a fault by name and, where it has one, by rate: "silent" or
// "dead", "slow 300ms", "late 600ms" (slow once), "late 600ms 5%" (slow for one
// request in twenty), "exception 2", "busy", "corrupt 1%", "flip", "split 20ms",
// "truncated", "cut", "duplicate", "foreign", "noise", "drop", of a line "echo" and
// "heartbeat 10s", and "none" for health.
func ParseFault(s string) (Fault, error) {
	f, err := parseFault(strings.Fields(s))
	if err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", s, err)
	}
	return f, nil
}

// ParseFaults reads faults that are set at the same time, with commas between them.
func ParseFaults(s string) ([]Fault, error) {
	var out []Fault
	for part := range strings.SplitSeq(s, ",") {
		f, err := ParseFault(part)
		if err != nil {
			return nil, err
		}
		if f.Kind != Healthy {
			out = append(out, f)
		}
	}
	return out, nil
}

var faultNames = []FaultKind{
	Silent, "dead", Slow, "late", Exception, Busy, Corrupt, Flip, Split, Truncated, Cut, Duplicate, Foreign, Noise, Drop, Echo, Heartbeat, "none",
}

func parseFault(words []string) (f Fault, err error) {
	if len(words) == 0 {
		return f, fmt.Errorf("want one of %v", faultNames)
	}
	name, rest := words[0], words[1:]
	if n := len(rest); n > 0 && strings.HasSuffix(rest[n-1], "%") {
		percent, err := strconv.ParseFloat(strings.TrimSuffix(rest[n-1], "%"), 64)
		if err != nil || !(percent > 0 && percent <= 100) {
			return f, fmt.Errorf("%s is not a rate: write above 0%% up to 100%%", rest[n-1])
		}
		f.Rate, rest = percent/100, rest[:n-1]
	}
	f.Kind = FaultKind(name)
	switch f.Kind {
	case Slow, "late", Split, Heartbeat:
		f.Delay, err = duration(rest)
		if name == "late" {
			f.Kind = Slow
			if f.Rate == 0 {
				f.Times = 1
			}
		}
		return f, err
	case Exception:
		f.Code, err = code(rest)
		return f, err
	}
	switch {
	case !slices.Contains(faultNames, f.Kind):
		return f, fmt.Errorf("want one of %v", faultNames)
	case len(rest) > 0:
		return f, fmt.Errorf("%s takes nothing more", name)
	case name == "none":
		return Fault{}, nil
	case name == "dead":
		f.Kind = Silent
	}
	return f, nil
}

func duration(words []string) (time.Duration, error) {
	if len(words) != 1 {
		return 0, fmt.Errorf("want one duration, such as 300ms")
	}
	d, err := time.ParseDuration(words[0])
	if err == nil && d <= 0 {
		err = fmt.Errorf("%v is no time to wait", d)
	}
	return d, err
}

func code(words []string) (byte, error) {
	if len(words) != 1 {
		return 0, fmt.Errorf("want one number of 0 to 255")
	}
	n, err := strconv.ParseUint(words[0], 0, 8)
	return byte(n), err
}

// String writes the fault as ParseFault reads it.
func (f Fault) String() string {
	name, arg := string(f.Kind), ""
	switch f.Kind {
	case Healthy:
		return "none"
	case Slow, Split, Heartbeat:
		arg = " " + f.Delay.String()
		if f.Kind == Slow && (f.Times == 1 || f.Rate > 0) {
			name = "late"
		}
	case Exception:
		arg = fmt.Sprintf(" %d", f.Code)
	}
	if f.Rate > 0 {
		arg += fmt.Sprintf(" %g%%", f.Rate*100)
	}
	return name + arg
}

// mischief is the faults that are set on one thing, with the dice that are thrown
// for them. Its user guards it.
type mischief struct {
	faults []Fault
	dice   *rand.Rand
}

// seeded returns dice that fall in the same way for the same seed and name.
func seeded(seed uint64, name string) *rand.Rand {
	const prime = 1099511628211 // FNV-1a
	hash := uint64(14695981039346656037)
	for _, c := range []byte(name) {
		hash = (hash ^ uint64(c)) * prime
	}
	return rand.New(rand.NewPCG(seed, hash))
}

func (m *mischief) set(faults []Fault) {
	m.faults = slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return f.Kind == Healthy })
}

// draw returns the faults that spoil one request, and counts them.
func (m *mischief) draw() (drawn []Fault) {
	for i := range m.faults {
		f := &m.faults[i]
		if f.Rate > 0 && m.dice.Float64() >= f.Rate {
			continue
		}
		drawn = append(drawn, *f)
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				f.Kind = Healthy
			}
		}
	}
	m.faults = slices.DeleteFunc(m.faults, func(f Fault) bool { return f.Kind == Healthy })
	return drawn
}

// has returns the fault of a kind.
func (m *mischief) has(kind FaultKind) (Fault, bool) {
	for _, f := range m.faults {
		if f.Kind == kind {
			return f, true
		}
	}
	return Fault{}, false
}

// SetFault makes the device misbehave from its next request on, in this way only.
func (s *Slave) SetFault(f Fault) { s.SetFaults(f) }

// SetFaults makes the device misbehave from its next request on, in all of these
// ways; without any it is healthy.
func (s *Slave) SetFaults(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mischief.set(faults)
}

// Seed makes the dice of the device's faults fall as they do for this number; they
// fall differently for devices of other addresses.
func (s *Slave) Seed(seed uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mischief.dice = seeded(seed, s.address)
}

// Fault returns the first of the present misbehaviours.
func (s *Slave) Fault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mischief.faults) == 0 {
		return Fault{}
	}
	return s.mischief.faults[0]
}

// Faults returns the present misbehaviours.
func (s *Slave) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mischief.faults)
}
