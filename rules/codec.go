package rules

import (
	"encoding/binary"
	"errors"
	"math"
)

// writer writes a state piece by piece.
type writer struct {
	data  []byte
	tight bool // times are written as how far apart they are
}

func (w *writer) uvarint(v uint64)  { w.data = binary.AppendUvarint(w.data, v) }
func (w *writer) varint(v int64)    { w.data = binary.AppendVarint(w.data, v) }
func (w *writer) instant(v instant) { w.varint(int64(v)) }
func (w *writer) byte(v byte)       { w.data = append(w.data, v) }
func (w *writer) bytes(v []byte)    { w.uvarint(uint64(len(v))); w.data = append(w.data, v...) }
func (w *writer) string(v string)   { w.uvarint(uint64(len(v))); w.data = append(w.data, v...) }
func (w *writer) float(v float64) {
	w.data = binary.LittleEndian.AppendUint64(w.data, math.Float64bits(v))
}

// near writes an instant that mostly is not far from another, which the reader has.
func (w *writer) near(v, from instant) {
	if !w.tight {
		from = 0
	}
	w.instant(v - from)
}

// reader reads what a writer wrote. After its first failure it reads nothing but
// zeros.
type reader struct {
	data  []byte
	err   error
	tight bool // as the writer was
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = errors.New(what)
	}
	r.data = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.fail("it is cut off")
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.fail("it is cut off")
		return 0
	}
	r.data = r.data[n:]
	return v
}

// instant reads an instant that a fact can have, or 0.
func (r *reader) instant() instant {
	v := instant(r.varint())
	if v < 0 || v > latest {
		r.fail("a time that cannot be")
		return 0
	}
	return v
}

// near reads what the writer's near wrote.
func (r *reader) near(from instant) instant {
	if !r.tight {
		from = 0
	}
	v := instant(r.varint()) + from
	if v < 0 || v > latest {
		r.fail("a time that cannot be")
		return 0
	}
	return v
}

// count reads how many things follow that are of at least so many bytes each.
func (r *reader) count(least int) int {
	n := r.uvarint()
	if n > uint64(len(r.data)/least) {
		r.fail("it is cut off")
		return 0
	}
	return int(n)
}

func (r *reader) byte() byte {
	if len(r.data) == 0 {
		r.fail("it is cut off")
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

func (r *reader) bytes() []byte {
	n := r.count(1)
	out := r.data[:n:n]
	r.data = r.data[n:]
	return out
}

func (r *reader) string() string { return string(r.bytes()) }

// float reads a finite number.
func (r *reader) float() float64 {
	if len(r.data) < 8 {
		r.fail("it is cut off")
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.data))
	r.data = r.data[8:]
	if !finite(v) {
		r.fail("a number that is none")
		return 0
	}
	return v
}
