package profile

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gengfu/facility"
)

// CRC16 is the check of a Modbus RTU frame: polynomial A001 reflected, initial
// FFFF. A frame carries it low byte first.
func CRC16(frame []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, b := range frame {
		crc ^= uint16(b)
		for range 8 {
			carry := crc & 1
			crc >>= 1
			if carry == 1 {
				crc ^= 0xA001
			}
		}
	}
	return crc
}

// check compares the frames of a golden example with the profile: they must be
// whole, belong together, and decode to the stated values.
func (g Golden) check(p Profile) []facility.Problem {
	var out []facility.Problem
	bad := func(path, what, cure string) { out = append(out, facility.Problem{Path: path, What: what, Cure: cure}) }

	if strings.TrimSpace(g.Source) == "" {
		bad("source", "It is not said where the frames come from.", "Name the manual and page, or say that the frame was computed.")
	}
	if len(g.Values) == 0 {
		bad("values", "The example states no value.", "List the quantities of the reply with what the device showed.")
	}
	read, err := g.read(p)
	if err != nil {
		var e *keyError
		if errors.As(err, &e) {
			bad(e.key, e.what, e.cure)
		}
		return out
	}
	for _, id := range sortedKeys(g.Values) {
		if err := compare(p, id, g.Values[id], read); err != nil {
			bad("values."+id, err.Error()+".", "Correct the value, or where the point stands and how it is scaled.")
		}
	}
	return out
}

// read returns what the frames of the example say.
func (g Golden) read(p Profile) (reading, error) {
	if p.Language() != Modbus {
		return g.meterReading(p)
	}
	const cure = "Write the whole RTU frame in hex, with its CRC."
	request, err := parseFrame(g.Request)
	if err != nil {
		return nil, keyed("request", "The request is not a frame: "+err.Error()+".", cure)
	}
	reply, err := parseFrame(g.Reply)
	if err != nil {
		return nil, keyed("reply", "The reply is not a frame: "+err.Error()+".", cure)
	}
	ex, err := newExchange(request, reply)
	if err != nil {
		return nil, keyed("reply", "Request and reply do not belong together: "+err.Error()+".", "Take both from the same exchange.")
	}
	return ex.read, nil
}

// parseFrame reads hex with or without spaces and takes off the CRC.
func parseFrame(s string) ([]byte, error) {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil, fmt.Errorf("%q is not hex", s)
	}
	if len(b) < 4 {
		return nil, fmt.Errorf("%d bytes are too short", len(b))
	}
	body := b[:len(b)-2]
	if got, want := binary.LittleEndian.Uint16(b[len(body):]), CRC16(body); got != want {
		return nil, fmt.Errorf("its CRC is %02X %02X, it should be %02X %02X", byte(got), byte(got>>8), byte(want), byte(want>>8))
	}
	return body, nil
}

// exchange is a read and its reply.
type exchange struct {
	table   Table
	address int
	count   int
	data    []byte
}

func newExchange(request, reply []byte) (exchange, error) {
	if len(request) != 6 || request[1] < 1 || request[1] > 4 {
		return exchange{}, fmt.Errorf("the request is not a read of function 1 to 4")
	}
	e := exchange{
		table:   [...]Table{1: Coil, 2: Discrete, 3: Holding, 4: Input}[request[1]],
		address: int(binary.BigEndian.Uint16(request[2:])),
		count:   int(binary.BigEndian.Uint16(request[4:])),
	}
	size := 2 * e.count
	if e.table.Bits() {
		size = (e.count + 7) / 8
	}
	switch {
	case !slices.Equal(reply[:2], request[:2]):
		return exchange{}, fmt.Errorf("device or function differ")
	case len(reply) != 3+size || int(reply[2]) != size:
		return exchange{}, fmt.Errorf("%d items take %d bytes, the reply has %d", e.count, size, len(reply)-3)
	}
	e.data = reply[3:]
	return e, nil
}

// words returns the registers or bits of a point.
func (e exchange) words(pt Point) ([]uint16, error) {
	first := pt.Address - e.address
	n := pt.Words()
	if pt.Table != e.table || first < 0 || first+n > e.count {
		return nil, errElsewhere(pt)
	}
	out := make([]uint16, n)
	for i := range out {
		at := first + i
		if e.table.Bits() {
			out[i] = uint16(e.data[at/8] >> (at % 8) & 1)
		} else {
			out[i] = binary.BigEndian.Uint16(e.data[2*at:])
		}
	}
	return out, nil
}

func (e exchange) read(pt Point) (float64, facility.Quality, facility.Reason, error) {
	words, err := e.words(pt)
	if err != nil {
		return 0, facility.Bad, "", err
	}
	v, q, r := pt.Decode(words)
	return v, q, r, nil
}

// compare decodes a quantity. Values are written with the digits that a person
// reads, so a relative difference of 1e-6 (of a 32-bit float) is equal.
func compare(p Profile, id string, want float64, read reading) error {
	pt, ok := p.Point(id)
	if !ok {
		return fmt.Errorf("the profile has no point %q", id)
	}
	got, q, reason, err := read(pt)
	switch {
	case err != nil:
		return err
	case q != facility.Good:
		return fmt.Errorf("%s decodes to %s, not to %v", id, reason, want)
	case math.Abs(got-want) > 1e-6*max(1, math.Abs(want)):
		return fmt.Errorf("%s decodes to %.7g, not to %v", id, got, want)
	}
	return nil
}
