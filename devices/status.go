package devices

import (
	"math"
	"time"

	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/facility"
)

// LineState says whether a line is open.
type LineState string

// The states of a line.
const (
	LineUp   LineState = "up"
	LineDown LineState = "down"
)

// LineStatus is how a line does. Counters count since the start.
type LineStatus struct {
	ID          string          `json:"id"`
	Protocol    Protocol        `json:"protocol"`
	Port        string          `json:"port"`               // "/dev/ttyUSB0", or the host and port of a socket
	DialsIn     bool            `json:"dials_in,omitempty"` // Port is here, and the box at the line dials it
	State       LineState       `json:"state"`
	Reason      string          `json:"reason,omitempty"` // why it is down
	Requests    uint64          `json:"requests"`
	Timeouts    uint64          `json:"timeouts"`
	Errors      uint64          `json:"errors"` // garbled replies and exceptions, or lines of a reader without a UID
	Utilisation float64         `json:"utilisation"`
	Planned     float64         `json:"planned"` // the utilisation that the configuration asks for
	Opened      uint64          `json:"opened"`  // how often the line was opened
	Readings    uint64          `json:"readings"`
	Taps        uint64          `json:"taps"`
	Dropped     uint64          `json:"dropped"` // readings and taps that the sink did not take
	Waiting     int             `json:"waiting"` // taps that the sink has yet to take
	Wire        modbus.Counters `json:"wire"`
	Devices     []DeviceStatus  `json:"devices,omitempty"`
}

// port says where the line is, and whether a box dials in there.
func (c LineConfig) port() (where string, dialsIn bool) {
	switch {
	case c.Serial != nil:
		return c.Serial.Port, false
	case c.Evdev != nil:
		return c.Evdev.Device, false
	case c.TCP == nil:
		return "", false
	case c.TCP.Listen != "":
		return c.TCP.Listen, true
	}
	return c.TCP.Address, false
}

// newLineStatus returns the status of a line that was not opened yet.
func newLineStatus(l LineConfig) LineStatus {
	s := LineStatus{ID: l.ID, Protocol: l.Protocol, State: LineDown}
	s.Port, s.DialsIn = l.port()
	return s
}

// DeviceStatus is how a device on a line does.
type DeviceStatus struct {
	ID         string           `json:"id"`
	Protocol   profile.Protocol `json:"protocol"`
	Address    Address          `json:"address"`
	Online     *bool            `json:"online"` // nil until it is known
	Reason     facility.Reason  `json:"reason,omitempty"`
	LastSeen   *time.Time       `json:"last_seen,omitempty"`
	Requests   uint64           `json:"requests"`
	Timeouts   uint64           `json:"timeouts"`
	Garbled    uint64           `json:"crc_errors"`
	Exceptions uint64           `json:"exceptions"`
	LastError  string           `json:"last_error,omitempty"`
	Turnaround float64          `json:"turnaround_ms"` // until it begins to answer, typically; 0 while that is not known
	Timeout    float64          `json:"timeout_ms"`    // that is waited for it now
	Twice      bool             `json:"twice"`         // every reply of it comes twice, as from a converter that is set wrong
}

// usage is the share of time that a line was busy, over about the last minute.
type usage struct {
	share float64
	at    time.Time
}

const usageMemory = time.Minute

// add takes a busy stretch that ended at now.
func (u *usage) add(busy time.Duration, now time.Time) {
	elapsed := now.Sub(u.at)
	if u.at.IsZero() || elapsed <= 0 {
		u.at = now
		return
	}
	weight := 1 - math.Exp(-float64(elapsed)/float64(usageMemory))
	u.share += weight * (min(1, float64(busy)/float64(elapsed)) - u.share)
	u.at = now
}

// until returns the share as it is at now, idle since the last stretch.
func (u usage) until(now time.Time) float64 {
	u.add(0, now)
	return u.share
}
