package modbus

import (
	"encoding/binary"
	"slices"

	"gengfu/devices/profile"
)

// expected is what the reply to a request must look like. Two requests of which a
// reply could be taken for that of the other have equal ones.
type expected struct {
	unit, function byte
	count          byte    // of a read: bytes of data
	write          bool    // the reply repeats the head of the request
	head           [4]byte // of a write: address, and value or quantity
}

// A body is the unit and what follows it up to the check, as in all framings.
const (
	bodyHead      = 3 // of a read's reply: unit, function, byte count
	exceptionBody = 3 // unit, function, code
	writeBody     = 6 // unit, function, address, value or quantity
)

// length of the reply's body in bytes.
func (e expected) length() int {
	if e.write {
		return writeBody
	}
	return bodyHead + int(e.count)
}

// lengthAt returns how long a body that begins like b would be if it were the
// reply, and 0 when it cannot be. b is not empty.
func (e expected) lengthAt(b []byte) int {
	switch {
	case b[0] != e.unit:
		return 0
	case len(b) == 1:
		return exceptionBody // the shortest that it can be
	case b[1] == e.function|0x80:
		return exceptionBody
	case b[1] != e.function:
		return 0
	case e.write && !slices.Equal(b[2:min(len(b), writeBody)], e.head[:min(len(b), writeBody)-2]):
		return 0
	case !e.write && len(b) > 2 && b[2] != e.count:
		return 0
	}
	return e.length()
}

// is reports whether a whole body is the reply or a refusal.
func (e expected) is(body []byte) bool { return len(body) > 1 && e.lengthAt(body) == len(body) }

// readTables are the functions that read, by what they read.
var readTables = [...]profile.Table{1: profile.Coil, 2: profile.Discrete, 3: profile.Holding, 4: profile.Input}

// asked returns what the reply to a body looks like, if it is a request to read.
func asked(body []byte) (e expected, ok bool) {
	if len(body) != writeBody || body[1] == 0 || int(body[1]) >= len(readTables) {
		return e, false
	}
	r := Request{
		Unit: body[0], Table: readTables[body[1]],
		Address: binary.BigEndian.Uint16(body[2:]), Quantity: binary.BigEndian.Uint16(body[4:]),
	}
	return r.expected(), r.validate() == nil
}

// answering returns the shape of a body, if it is a reply with what was read.
func answering(body []byte) (e expected, ok bool) {
	if len(body) <= bodyHead || body[1] == 0 || int(body[1]) >= len(readTables) {
		return e, false
	}
	e = expected{unit: body[0], function: body[1], count: body[2]}
	return e, e.is(body)
}

// refusal reports whether a body is the refusal of a read.
func refusal(body []byte) bool {
	return len(body) == exceptionBody && body[1] > 0x80 && int(body[1]&0x7F) < len(readTables)
}
