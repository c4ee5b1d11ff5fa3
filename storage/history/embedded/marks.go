package embedded

import (
	"encoding/binary"
	"slices"

	"gengfu/facility"
)

// appendMarks adds the quality and reason of all samples that are not good: the
// table of reasons, then for each mark the milliseconds since the one before, the
// quality and the number of the reason.
func appendMarks(out []byte, samples []sample) []byte {
	var reasons []facility.Reason
	var marks []byte
	last := int64(0)
	for _, s := range samples {
		if s.quality == facility.Good {
			continue
		}
		i := slices.Index(reasons, s.reason)
		if i < 0 {
			i, reasons = len(reasons), append(reasons, s.reason)
		}
		marks = binary.AppendVarint(marks, s.t-last)
		marks = append(marks, byte(s.quality))
		marks = binary.AppendUvarint(marks, uint64(i))
		last = s.t
	}
	if len(marks) == 0 {
		return out
	}
	out = binary.AppendUvarint(out, uint64(len(reasons)))
	for _, r := range reasons {
		out = appendText(out, string(r))
	}
	return append(out, marks...)
}

// readMarks returns what appendMarks wrote, as samples without a value.
func readMarks(data []byte) ([]sample, error) {
	if len(data) == 0 {
		return nil, nil
	}
	in := reader{data: data}
	n := in.uvarint()
	if n > uint64(len(data)) {
		return nil, errChunk
	}
	reasons := make([]facility.Reason, 0, n)
	for range n {
		reasons = append(reasons, facility.Reason(in.text()))
	}
	var out []sample
	last := int64(0)
	for in.more() {
		last += in.varint()
		quality, reason := facility.Quality(in.byte()), in.uvarint()
		if in.failed || reason >= n || quality >= facility.Good {
			return nil, errChunk
		}
		out = append(out, sample{t: last, quality: quality, reason: reasons[reason]})
	}
	if in.failed {
		return nil, errChunk
	}
	return out, nil
}

func appendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

// reader takes values off the front of data. Once data ended too early all
// values are zero and failed is true.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) more() bool { return len(r.data) > 0 && !r.failed }

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data) || r.failed {
		r.failed = true
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	if r.take(max(n, 1)) == nil || n <= 0 {
		r.failed = true
		return 0
	}
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.data)
	if r.take(max(n, 1)) == nil || n <= 0 {
		r.failed = true
		return 0
	}
	return v
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.data)) {
		r.failed = true
		return ""
	}
	return string(r.take(int(n)))
}
