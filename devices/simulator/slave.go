// Package simulator is the other end of the wire: devices of every profile that
// answer with real bytes over ptys and sockets, and fail on command. It shares no
// codec with the masters that it tests, and is never used to reach a real device.
package simulator

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	"gengfu/devices/profile"
)

// Slave is one simulated device of any protocol, with its values and its present
// faults. It is safe for concurrent use.
type Slave struct {
	profile profile.Profile
	address string

	mu       sync.Mutex
	face     face
	mischief mischief
	served   int
}

// face is a device as its protocol shows it. What goes in and out are payloads:
// frames without their start, check and end.
type face interface {
	protocol() profile.Protocol

	// set makes the device show a value, get returns what it shows.
	set(pt profile.Point, value float64) error
	get(pt profile.Point) (float64, error)

	// attends reports whether a request is for the device; a broadcast is, and has
	// no reply.
	attends(request []byte) (attends, replies bool)
	// respond carries out a request; nil is silence.
	respond(request []byte) []byte
	// refuse returns the reply by which the device does not do it.
	refuse(request []byte, f Fault) []byte
	// preamble is how many bytes FE come before a reply.
	preamble() int
}

// New makes a device of the model with the values of its persona. The address is
// as it stands on the device: 1 to 247 for Modbus; twelve digits for DL/T 645 and
// fourteen for CJ/T 188, where leading zeros may be left out; for M-Bus the primary
// address, 0 to 250, or the secondary one, eight digits or sixteen hex digits.
func New(p profile.Profile, address string) (*Slave, error) {
	p.Defaults()
	s := &Slave{profile: p, address: address}
	var err error
	if s.face, s.address, err = newFace(p, address); err != nil {
		return nil, fmt.Errorf("simulate %s: %w", p.ID, err)
	}
	s.mischief.dice = seeded(0, s.address)
	for quantity, value := range p.Persona.Values {
		if err := s.Set(quantity, value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// NewSlave makes a device as New does, for an address that is a number.
func NewSlave(p profile.Profile, address int) (*Slave, error) { return New(p, strconv.Itoa(address)) }

// newFace returns the device with its address in its one way of writing.
func newFace(p profile.Profile, address string) (face, string, error) {
	switch p.Protocol {
	case "", profile.Modbus:
		return newRegisters(p, address)
	case profile.DLT645:
		return newMeter645(p, address)
	case profile.CJT188:
		return newMeter188(p, address)
	case profile.MBus:
		return newMeterMBus(p, address)
	}
	return nil, "", fmt.Errorf("there is no simulator of %q", p.Protocol)
}

// Address returns the Modbus address on the line; 0 for a device that has another
// sort of address.
func (s *Slave) Address() int {
	if r, ok := s.face.(*registers); ok {
		return int(r.unit)
	}
	return 0
}

// Name returns the address of the device as it stands on it: digits.
func (s *Slave) Name() string { return s.address }

// Profile returns the model that it simulates.
func (s *Slave) Profile() profile.Profile { return s.profile }

func (s *Slave) point(quantity string) (profile.Point, error) {
	pt, ok := s.profile.Point(quantity)
	if !ok {
		return pt, fmt.Errorf("simulate %s: it has no quantity %q", s.profile.ID, quantity)
	}
	return pt, nil
}

// Set makes the device show the value, in the unit of its profile.
func (s *Slave) Set(quantity string, value float64) error {
	pt, err := s.point(quantity)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.face.set(pt, value); err != nil {
		return fmt.Errorf("simulate %s: %w", s.profile.ID, err)
	}
	return nil
}

// Get returns the value that the device shows now, as its encoding rounds it.
func (s *Slave) Get(quantity string) (float64, error) {
	pt, err := s.point(quantity)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, err := s.face.get(pt)
	if err != nil {
		return 0, fmt.Errorf("simulate %s: %s shows no value: %w", s.profile.ID, quantity, err)
	}
	return value, nil
}

// LimitData sets how many bytes of data a frame of a DL/T 645 or M-Bus meter holds, 24
// to 200. What is longer comes in several frames; the standards allow for meters
// whose frames are short.
func (s *Slave) LimitData(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	most = min(max(most, 24), mostData645)
	switch f := s.face.(type) {
	case *meter645:
		f.most = most
	case *meterMBus:
		f.most = most
	}
}

// SetWords writes registers of a Modbus device, or bits as 0 and 1, whatever the
// profile says of them, and makes those exist that did not.
func (s *Slave) SetWords(table profile.Table, address int, words ...uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.face.(*registers); ok {
		r.write(table, address, words)
	}
}

// Words returns registers, or bits as 0 and 1; those that do not exist are 0.
func (s *Slave) Words(table profile.Table, address, count int) []uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.face.(*registers); ok {
		return r.read(table, address, count)
	}
	return make([]uint16, count)
}

// Served returns how many requests the device has received, answered or not.
func (s *Slave) Served() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served
}

// answer is what goes back on the wire for one request.
type answer struct {
	payload  []byte
	preamble int
	faults   []Fault    // that spoil it on its way
	dice     *rand.Rand // of this answer; nil without faults
}

// serve carries out a request under the present faults and those of the line. ok
// is false when the request is not for the device, and when it has no reply.
func (s *Slave) serve(request []byte, line func() []Fault) (a answer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	attends, replies := s.face.attends(request)
	if !attends {
		return a, false
	}
	if !replies {
		s.face.respond(request)
		return a, false
	}
	s.served++
	a.faults = append(s.mischief.draw(), line()...)
	if len(a.faults) > 0 {
		a.dice = rand.New(rand.NewPCG(s.mischief.dice.Uint64(), 0))
	}
	for _, f := range a.faults {
		switch f.Kind {
		case Silent:
			return a, false
		case Exception, Busy:
			a.payload = s.face.refuse(request, f)
		}
	}
	if a.payload == nil {
		a.payload = s.face.respond(request)
	}
	a.preamble = s.face.preamble()
	return a, a.payload != nil
}
