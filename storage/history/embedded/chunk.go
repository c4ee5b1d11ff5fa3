package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"time"

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
	maxBytes  = 1300 // what takes more is parted, down to fullCount: three fill a page
	remnant   = 64   // fewer samples than this make no chunk of their own behind a full one
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

// A chunk's bytes are a version, its series, how its values became whole numbers, the count of
// the samples that have a value, the columns of their times and values, the marks
// of those that are not good, and a checksum of all that.
const (
	chunkVersion = 2
	checksumLen  = 4
)

var (
	errChunk   = errors.New("not a chunk")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// encode packs ordered samples; at most maxCount+remnant.
func encode(series int64, samples []sample) []byte {
	as := formOf(samples)
	times, values := make([]int64, 0, len(samples)), make([]int64, 0, len(samples))
	for _, s := range samples {
		if s.quality != facility.Bad {
			times, values = append(times, s.t), append(values, as.whole(s.value))
		}
	}
	out := append(make([]byte, 0, 64+2*len(samples)), chunkVersion)
	out = binary.AppendUvarint(out, uint64(series))
	out = binary.AppendUvarint(append(out, byte(as)), uint64(len(times)))
	out = appendColumn(appendColumn(out, times), values)
	out = appendMarks(out, samples)
	return sealed(out)
}

// sealed adds the checksum of all bytes.
func sealed(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unsealed returns the bytes without their checksum, if they are those it was made of.
func unsealed(b []byte) ([]byte, bool) {
	body := b[:max(0, len(b)-checksumLen)]
	return body, len(b) >= checksumLen && binary.LittleEndian.Uint32(b[len(body):]) == crc32.Checksum(body, castagnoli)
}

// decoder unpacks chunks; it keeps memory for the next one.
type decoder struct{ times, values []int64 }

// opened returns the series of a chunk and what stands behind it, false where the
// bytes are none.
func opened(data []byte) (series int64, in reader, ok bool) {
	body, ok := unsealed(data)
	in = reader{data: body}
	ok = ok && in.byte() == chunkVersion
	series = int64(in.uvarint())
	return series, in, ok && !in.failed
}

// decode unpacks what encode packed of a series and appends it to out. Other bytes
// give errChunk.
func (d *decoder) decode(out []sample, series int64, data []byte) ([]sample, error) {
	owner, in, ok := opened(data)
	as, count := form(in.byte()), in.uvarint()
	if !ok || owner != series || in.failed || as > float64s || count > maxCount+remnant {
		return nil, errChunk
	}
	var err error
	rest := in.data
	if d.times, rest, err = readColumn(d.times, rest, int(count)); err != nil {
		return nil, err
	}
	if d.values, rest, err = readColumn(d.values, rest, int(count)); err != nil {
		return nil, err
	}
	marks, err := readMarks(rest)
	if err != nil {
		return nil, err
	}
	out = slices.Grow(out, len(d.times)+len(marks))
	for i, t := range d.times {
		for len(marks) > 0 && marks[0].t < t {
			out, marks = append(out, marks[0]), marks[1:]
		}
		s := sample{t: t, value: as.value(d.values[i]), quality: facility.Good}
		if len(marks) > 0 && marks[0].t == t {
			s.quality, s.reason, marks = marks[0].quality, marks[0].reason, marks[1:]
		}
		out = append(out, s)
	}
	return append(out, marks...), nil
}
