//go:build !linux

package clock

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// Machine is the clocks of this machine. There is no common way to ask for its boot:
// each process counts as one, and the time as unsynchronised.
type Machine struct {
	boot  string
	began time.Time
}

// NewMachine returns the clocks of this machine.
func NewMachine() *Machine {
	return &Machine{strings.ReplaceAll(uuid.NewString(), "-", "")[:12], time.Now()}
}

// Read implements Source.
func (m *Machine) Read() Reading {
	now := time.Now()
	return Reading{Boot: m.boot, Up: now.Sub(m.began), Wall: now.Round(0).UTC()}
}
