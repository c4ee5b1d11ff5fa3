package facility

import (
	"fmt"
	"strings"
	"time"
)

// PointID names one quantity of one device: "pump-1/fault_word".
type PointID struct {
	Device   string
	Quantity string
}

// String returns "device/quantity".
func (p PointID) String() string { return p.Device + "/" + p.Quantity }

// ParsePointID reads "device/quantity".
func ParsePointID(s string) (PointID, error) {
	d, q, ok := strings.Cut(s, "/")
	if !ok || d == "" || q == "" || strings.Contains(q, "/") {
		return PointID{}, fmt.Errorf("point %q: want device/quantity", s)
	}
	return PointID{Device: d, Quantity: q}, nil
}

// MarshalText and UnmarshalText let a point be a JSON key or string.
func (p PointID) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (p *PointID) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePointID(string(b))
	return err
}

// Quality says how far a reading can be trusted.
type Quality uint8

// The qualities of a reading. The zero value is bad, so that a reading that
// nobody filled in is never taken for good.
const (
	Bad Quality = iota
	Uncertain
	Good
)

var qualityNames = [...]string{Bad: "bad", Uncertain: "uncertain", Good: "good"}

func (q Quality) String() string {
	if int(q) < len(qualityNames) {
		return qualityNames[q]
	}
	return fmt.Sprintf("quality(%d)", uint8(q))
}

// MarshalText writes the quality as its name.
func (q Quality) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalText reads the name of a quality.
func (q *Quality) UnmarshalText(b []byte) error {
	for i, n := range qualityNames {
		if n == string(b) {
			*q = Quality(i)
			return nil
		}
	}
	return fmt.Errorf("quality %q: want good, uncertain or bad", b)
}

// Reason says why a reading is not good.
type Reason string

// The reasons that the field side gives.
const (
	NoAnswer     Reason = "no_answer"     // the slave did not reply in time
	LineDown     Reason = "line_down"     // the port or socket could not be opened or broke
	DeviceError  Reason = "device_error"  // the slave answered with an exception
	OutOfRange   Reason = "out_of_range"  // outside the validity range of the profile
	SensorFault  Reason = "sensor_fault"  // a sentinel: the device says that it has no value
	BadReply     Reason = "bad_reply"     // a reply that cannot be decoded
	ClockUnknown Reason = "clock_unknown" // the gateway did not know the time
)

// Reading is one value of one point at one time. It is made once, at the edge,
// and never edited.
type Reading struct {
	Point   PointID
	Time    time.Time // event time, UTC
	Value   float64   // in Unit; never NaN; 0 and meaningless when Quality is Bad
	Unit    string    // UCUM-like symbol: "V", "kW", "kWh", "m3", "bar", "m", "" for bits and states
	Quality Quality
	Reason  Reason // empty when Quality is Good
}

// Stream names one of the two ways from edge to hub.
type Stream string

// The streams. Urgent overtakes telemetry and is never evicted.
const (
	Urgent    Stream = "urgent"
	Telemetry Stream = "telemetry"
)

// PointKind says how a point behaves and how it is judged and shown.
type PointKind string

// The kinds of point.
const (
	Measure PointKind = "measure" // a quantity that moves freely: volts, bar, metres
	Counter PointKind = "counter" // a register that only grows: kWh, m3; consumption is its increase
	State   PointKind = "state"   // one of a few values with labels: stopped, running
	Signal  PointKind = "alarm"   // a bit that says something is wrong: 1 is wrong
)

// Stream returns the stream that carries readings of this kind of point.
func (k PointKind) Stream() Stream {
	if k == State || k == Signal {
		return Urgent
	}
	return Telemetry
}
