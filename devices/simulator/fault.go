package simulator

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FaultKind is a way for a device to misbehave.
type FaultKind string

// The faults. The zero Fault is health.
const (
	Healthy   FaultKind = ""
	Silent    FaultKind = "silent"    // no reply at all
	Slow      FaultKind = "slow"      // the reply comes Delay later
	Exception FaultKind = "exception" // the reply is exception Code
	Busy      FaultKind = "busy"      // exception 06
	Corrupt   FaultKind = "corrupt"   // the CRC is wrong; over TCP, the transaction id
	Split     FaultKind = "split"     // the reply comes in two pieces, Delay apart
	Truncated FaultKind = "truncated" // the second half of the reply is missing
)

// Fault is a misbehaviour and how long it lasts.
type Fault struct {
	Kind  FaultKind
	Delay time.Duration // for slow and split
	Code  byte          // for exception; 0 is 04, device failure
	Times int           // how many requests it spoils; 0 is until another fault is set
}

// ParseFault reads a fault by name: "silent", "slow 800ms", "late 800ms" (slow
// once), "exception 2", "busy", "corrupt", "split 20ms", "truncated", and
// "none" for health.
func ParseFault(s string) (Fault, error) {
	name, arg, _ := strings.Cut(strings.TrimSpace(s), " ")
	f := Fault{Kind: FaultKind(name)}
	var err error
	switch name {
	case "none":
		return Fault{}, nil
	case "silent", "busy", "corrupt", "truncated":
		if arg != "" {
			err = fmt.Errorf("%s takes nothing more", name)
		}
	case "slow", "split":
		f.Delay, err = time.ParseDuration(arg)
	case "late":
		f.Kind, f.Times = Slow, 1
		f.Delay, err = time.ParseDuration(arg)
	case "exception":
		var code uint64
		code, err = strconv.ParseUint(arg, 0, 8)
		f.Code = byte(code)
	default:
		err = fmt.Errorf("want silent, slow, late, exception, busy, corrupt, split, truncated or none")
	}
	if err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", s, err)
	}
	return f, nil
}

// SetFault makes the device misbehave from its next request on.
func (s *Slave) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Fault returns the present misbehaviour.
func (s *Slave) Fault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// takeFault returns the fault for one request and counts it.
func (s *Slave) takeFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.served++
	f := s.fault
	if f.Times > 0 {
		s.fault.Times--
		if s.fault.Times == 0 {
			s.fault = Fault{}
		}
	}
	return f
}
