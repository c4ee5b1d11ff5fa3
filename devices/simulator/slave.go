// Package simulator is the other end of the wire: slaves of every profile that
// answer with real bytes over ptys and sockets, and fail on command. It shares
// no code with the masters that it tests, and is never used to reach a real
// device.
package simulator

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"gengfu/devices/profile"
)

// Slave is one simulated device: its four tables and its present fault. Only
// registers of its profile, those in gaps that the profile allows to be read
// along, and those given to SetWords exist; a request for any other is answered
// with exception 02. It is safe for concurrent use.
type Slave struct {
	profile profile.Profile
	address byte

	mu     sync.Mutex
	tables map[profile.Table]map[uint16]uint16
	fault  Fault
	served int
}

// NewSlave makes a device of the model, with the values of its persona. The
// address is 1 to 247. A zero profile makes a slave without registers.
func NewSlave(p profile.Profile, address int) (*Slave, error) {
	if address < 1 || address > 247 {
		return nil, fmt.Errorf("simulate %s: address %d is not 1 to 247", p.ID, address)
	}
	p.Defaults()
	s := &Slave{
		profile: p,
		address: byte(address),
		tables: map[profile.Table]map[uint16]uint16{
			profile.Coil: {}, profile.Discrete: {}, profile.Holding: {}, profile.Input: {},
		},
	}
	for _, pt := range p.Points {
		t, ok := s.tables[pt.Table]
		if !ok || pt.Words() == 0 {
			return nil, fmt.Errorf("simulate %s: point %s stands in no table", p.ID, pt.ID)
		}
		for i := range pt.Words() {
			t[uint16(pt.Address+i)] = 0
		}
	}
	s.fillGaps()
	for quantity, value := range p.Persona.Values {
		if err := s.Set(quantity, value); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// fillGaps makes the registers exist that the profile allows to be read along.
func (s *Slave) fillGaps() {
	for _, t := range []profile.Table{profile.Holding, profile.Input} {
		addresses := slices.Sorted(maps.Keys(s.tables[t]))
		for i := 1; i < len(addresses); i++ {
			from, to := addresses[i-1], addresses[i]
			if int(to-from)-1 > s.profile.Limits.Gap {
				continue
			}
			for a := from + 1; a < to; a++ {
				s.tables[t][a] = 0
			}
		}
	}
}

// Address returns the address on the line.
func (s *Slave) Address() int { return int(s.address) }

// Profile returns the model that it simulates.
func (s *Slave) Profile() profile.Profile { return s.profile }

// Set makes the device show the value, in the unit of its profile.
func (s *Slave) Set(quantity string, value float64) error {
	pt, ok := s.profile.Point(quantity)
	if !ok {
		return fmt.Errorf("simulate %s: it has no quantity %q", s.profile.ID, quantity)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	words := s.read(pt.Table, pt.Address, pt.Words())
	if err := pt.Put(words, value); err != nil {
		return fmt.Errorf("simulate %s: %w", s.profile.ID, err)
	}
	s.write(pt.Table, pt.Address, words)
	return nil
}

// Get returns the value that the device shows now.
func (s *Slave) Get(quantity string) (float64, error) {
	pt, ok := s.profile.Point(quantity)
	if !ok {
		return 0, fmt.Errorf("simulate %s: it has no quantity %q", s.profile.ID, quantity)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, _, reason := pt.Decode(s.read(pt.Table, pt.Address, pt.Words()))
	if reason != "" {
		return 0, fmt.Errorf("simulate %s: %s shows no value: %s", s.profile.ID, quantity, reason)
	}
	return value, nil
}

// SetWords writes registers, or bits as 0 and 1, whatever the profile says of
// them, and makes those exist that did not.
func (s *Slave) SetWords(table profile.Table, address int, words ...uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(table, address, words)
}

// Words returns registers, or bits as 0 and 1; those that do not exist are 0.
func (s *Slave) Words(table profile.Table, address, count int) []uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(table, address, count)
}

// Served returns how many requests the device has received, answered or not.
func (s *Slave) Served() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served
}

func (s *Slave) read(table profile.Table, address, count int) []uint16 {
	words := make([]uint16, count)
	for i := range words {
		words[i] = s.tables[table][uint16(address+i)]
	}
	return words
}

func (s *Slave) write(table profile.Table, address int, words []uint16) {
	for i, w := range words {
		s.tables[table][uint16(address+i)] = w
	}
}
