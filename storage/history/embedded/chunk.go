package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"gengfu/facility"
	"gengfu/storage/history"
)

// A chunk is full when it has fullCount samples over fullSpan, which for a point
// that is read each second is maxCount. Small chunks cost a row each, large ones
// are decoded whole for the edge of one bucket.
const (
	fullCount = 256
	fullSpan  = int64(2 * time.Hour / time.Millisecond)
	maxCount  = 7200
	remnant   = 64 // fewer samples than this make no chunk of their own behind a full one
)

// summary is what is known of a chunk without decoding it.
type summary struct {
	start, end int64 // times of the first and last sample
	readings   int   // samples with and without a value
	history.Summary
}

func summarise(samples []sample) summary {
	s := summary{start: samples[0].t, end: samples[len(samples)-1].t, readings: len(samples)}
	for _, x := range samples {
		if x.quality != facility.Bad {
			s.Add(x.value)
		}
	}
	return s
}

func (s summary) full() bool { return full(s.readings, s.end-s.start) }

func full(count int, span int64) bool {
	return count >= maxCount || count >= fullCount && span >= fullSpan
}

// cut parts ordered samples into chunks, of which only the last may not be full.
func cut(samples []sample) [][]sample {
	var out [][]sample
	for len(samples) > 0 {
		n := 1
		for n < len(samples) && !full(n, samples[n-1].t-samples[0].t) {
			n++
		}
		if len(samples)-n < remnant {
			n = len(samples)
		}
		out = append(out, samples[:n])
		samples = samples[n:]
	}
	return out
}

// A chunk's bytes are a version, the decimal exponent of its values, the length
// of its XOR chunk (Gorilla's encoding) of the samples that have a value, that
// chunk, and the marks of those that are not good.
const chunkVersion = 1

var errChunk = errors.New("not a chunk")

// encode packs ordered samples; at most maxCount+remnant.
func encode(samples []sample) ([]byte, error) {
	exponent := decimals(samples)
	scale := math.Pow10(exponent)
	xor := chunkenc.NewXORChunk()
	app, err := xor.Appender()
	if err != nil {
		return nil, fmt.Errorf("encode a chunk: %w", err)
	}
	for _, s := range samples {
		switch {
		case s.quality == facility.Bad:
		case exponent == 0:
			app.Append(0, s.t, s.value)
		default:
			app.Append(0, s.t, math.Round(s.value*scale))
		}
	}
	out := append(make([]byte, 0, len(xor.Bytes())+8), chunkVersion, byte(exponent))
	out = binary.AppendUvarint(out, uint64(len(xor.Bytes())))
	out = append(out, xor.Bytes()...)
	return appendMarks(out, samples), nil
}

const maxExponent = 6

// decimals returns the exponent with which all values become whole numbers and
// come back bit by bit, or 0. XOR packs 12345678 far better than 1234.5678, and
// registers of meters are decimal.
func decimals(samples []sample) int {
	e := 0
	for _, s := range samples {
		for s.quality != facility.Bad && !isDecimal(s.value, e) {
			if e++; e > maxExponent {
				return 0
			}
		}
	}
	for _, s := range samples { // a value that is whole at one exponent may not come back at a higher one
		if s.quality != facility.Bad && !isDecimal(s.value, e) {
			return 0
		}
	}
	return e
}

func isDecimal(v float64, exponent int) bool {
	scale := math.Pow10(exponent)
	whole := math.Round(v * scale)
	return math.Abs(whole) < 1<<53 && math.Float64bits(whole/scale) == math.Float64bits(v)
}

// decode unpacks what encode packed and appends it to out. Bytes that encode did
// not make give an error or samples, never a panic.
func decode(out []sample, data []byte) ([]sample, error) {
	if len(data) < 3 || data[0] != chunkVersion || data[1] > maxExponent {
		return nil, errChunk
	}
	scale := math.Pow10(int(data[1]))
	length, n := binary.Uvarint(data[2:])
	data = data[2:]
	if n <= 0 || length < 2 || length > uint64(len(data)-n) {
		return nil, errChunk
	}
	xor, rest := data[n:n+int(length)], data[n+int(length):]
	marks, err := readMarks(rest)
	if err != nil {
		return nil, err
	}
	chunk, err := chunkenc.FromData(chunkenc.EncXOR, xor)
	if err != nil {
		return nil, fmt.Errorf("decode a chunk: %w", err)
	}
	it := chunk.Iterator(nil)
	for it.Next() == chunkenc.ValFloat {
		t, v := it.At()
		for len(marks) > 0 && marks[0].t < t {
			out, marks = append(out, marks[0]), marks[1:]
		}
		s := sample{t: t, value: v / scale, quality: facility.Good}
		if len(marks) > 0 && marks[0].t == t {
			s.quality, s.reason, marks = marks[0].quality, marks[0].reason, marks[1:]
		}
		out = append(out, s)
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("decode a chunk: %w", err)
	}
	return append(out, marks...), nil
}
