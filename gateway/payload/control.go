package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gengfu/facility"
)

// Ack is what the hub tells an edge: of this stream and epoch, everything up to
// Seq is durable.
type Ack struct {
	Stream facility.Stream `json:"stream"`
	Epoch  string          `json:"epoch"` // empty: the hub knows none, or has just come back
	Seq    uint64          `json:"seq"`
	Again  bool            `json:"again,omitempty"` // send again what comes after it
	// Held is up to where people know already what the hub cannot make durable: keep
	// it, go on with what follows, and send it again later. 0: no further than Seq.
	Held uint64 `json:"held,omitempty"`
	// Time is what the hub's clock shows; zero when the hub does not know the time. It
	// answers what was sent at Up of the boot Boot, so that who sent it knows by how much
	// it can be wrong.
	Time time.Time     `json:"time,omitzero"`
	Boot string        `json:"boot,omitempty"`
	Up   time.Duration `json:"up,omitempty"` // nanoseconds
}

// States of a gateway.
const (
	Online  = "online"
	Offline = "offline"
)

// Status is what a gateway says of itself, retained, and what the broker says in
// its place when it is gone.
type Status struct {
	State   string    `json:"state"`
	Since   time.Time `json:"since,omitzero"` // when the state began; unknown in a will
	Version string    `json:"version,omitempty"`
	ID      string    `json:"id,omitempty"`            // of a hub: which process it is
	Clock   string    `json:"clock,omitempty"`         // the state of its clock: synchronised, unsynchronised, by_hub, stepped, drifting, unknown; empty: it does not watch it
	Differs float64   `json:"clock_differs,omitempty"` // seconds that its clock is behind the hub's
	// Boot and Up say when this was sent; the hub answers with the time.
	Boot string        `json:"boot,omitempty"`
	Up   time.Duration `json:"up,omitempty"` // nanoseconds
}

// MarshalControl encodes an Ack or a Status, with a checksum.
func MarshalControl[T Ack | Status](v T) []byte {
	b, err := json.Marshal(v)
	if err != nil { // neither has anything that JSON cannot say, but a year
		return []byte("{}")
	}
	b = append([]byte(sealLabel+sealBlank), b[1:]...)
	seal(b)
	return b
}

// parse reads one that is as it was sent.
func parse[T Ack | Status](b []byte) (v T, err error) {
	if !intact(b) {
		return v, errors.New("its checksum is wrong: it was damaged on its way")
	}
	return v, json.Unmarshal(b, &v)
}

// ParseAck reads an Ack.
func ParseAck(b []byte) (a Ack, err error) {
	if a, err = parse[Ack](b); err != nil {
		return a, fmt.Errorf("acknowledgement: %w", err)
	}
	if a.Stream != facility.Urgent && a.Stream != facility.Telemetry {
		return a, fmt.Errorf("acknowledgement of the stream %q", a.Stream)
	}
	return a, nil
}

// ParseStatus reads a Status.
func ParseStatus(b []byte) (s Status, err error) {
	if s, err = parse[Status](b); err != nil {
		return s, fmt.Errorf("status: %w", err)
	}
	if s.State != Online && s.State != Offline {
		return s, fmt.Errorf("status %q is neither online nor offline", s.State)
	}
	return s, nil
}

// The last parts of topics, beside the names of the streams.
const (
	TopicAck    = "ack"
	TopicStatus = "status"
)

// Topic is root/site/gateway/what.
func Topic(root, site, gateway, what string) string {
	return root + "/" + site + "/" + gateway + "/" + what
}

// ParseTopic is the inverse of Topic.
func ParseTopic(root, topic string) (site, gateway, what string, ok bool) {
	rest, ok := strings.CutPrefix(topic, root+"/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 || !ValidID(parts[0]) || !ValidID(parts[1]) {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// ValidID reports whether a site or gateway can be named so in topics and
// headers: letters, digits, "-", "_", ".".
func ValidID(s string) bool { return validName(s) && !strings.Contains(s, ":") }

// ValidRoot reports whether a text can stand before all topics.
func ValidRoot(root string) bool {
	for part := range strings.SplitSeq(root, "/") {
		if !validName(part) {
			return false
		}
	}
	return true
}
