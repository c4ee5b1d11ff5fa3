package rules

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// AlarmID returns the id of the alarm with the key that is raised at the instant
// at. It has the form of a UUIDv7 (RFC 9562: milliseconds in the first 48 bits,
// so that ids sort by time), but the rest is a hash instead of chance: whoever
// judges the same facts again gives the same id.
func AlarmID(site, key string, at time.Time) string {
	var nanos [8]byte
	binary.BigEndian.PutUint64(nanos[:], uint64(at.UnixNano()))
	h := sha256.New()
	h.Write([]byte(site))
	h.Write([]byte{0})
	h.Write([]byte(key))
	h.Write([]byte{0})
	h.Write(nanos[:])
	var id uuid.UUID
	copy(id[:], h.Sum(nil))
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(at.UnixMilli())<<16)
	copy(id[:6], millis[:6])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}
