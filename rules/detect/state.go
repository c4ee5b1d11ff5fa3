package detect

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
)

// stateMark begins each snapshot. Its last character is raised when older snapshots
// cannot be read any more: the detector then learns anew.
const stateMark = "gengfu detect 1\n"

// codec writes the fields of a detector, or reads them in the same order: a
// detector names each field once.
type codec struct {
	data    []byte
	reading bool
	failed  bool
}

// seal puts a head before the state, and a checksum behind it.
func (c *codec) seal(kind string, channels int) []byte {
	out := head(kind, channels)
	out = append(out, c.data...)
	return binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

func head(kind string, channels int) []byte {
	out := append([]byte(stateMark), kind...)
	return binary.LittleEndian.AppendUint16(append(out, '\n'), uint16(channels))
}

// open returns a codec that reads what seal made for the same kind.
func open(data []byte, kind string, channels int) (*codec, error) {
	h := head(kind, channels)
	if len(data) < len(h)+4 || !bytes.HasPrefix(data, h) {
		return nil, errState
	}
	body := len(data) - 4
	if crc32.ChecksumIEEE(data[:body]) != binary.LittleEndian.Uint32(data[body:]) {
		return nil, errState
	}
	return &codec{data: data[len(h):body], reading: true}, nil
}

// end reports whether everything was read, and nothing was wanting or absurd.
func (c *codec) end() error {
	if c.failed || len(c.data) > 0 {
		return errState
	}
	return nil
}

func (c *codec) word(v uint64) uint64 {
	if !c.reading {
		c.data = binary.LittleEndian.AppendUint64(c.data, v)
		return v
	}
	if len(c.data) < 8 {
		c.failed = true
		return 0
	}
	v = binary.LittleEndian.Uint64(c.data)
	c.data = c.data[8:]
	return v
}

// number is a field that may be NaN but not infinite.
func (c *codec) number(x *float64) {
	*x = math.Float64frombits(c.word(math.Float64bits(*x)))
	if math.IsInf(*x, 0) {
		c.failed = true
	}
}

func (c *codec) numbers(xs ...*float64) {
	for _, x := range xs {
		c.number(x)
	}
}

func (c *codec) list(xs []float64) {
	for i := range xs {
		c.number(&xs[i])
	}
}

func (c *codec) integer(x *int64) { *x = int64(c.word(uint64(*x))) }

func (c *codec) truth(x *bool) {
	var v uint64
	if *x {
		v = 1
	}
	v = c.word(v)
	if v > 1 {
		c.failed = true
	}
	*x = v == 1
}
