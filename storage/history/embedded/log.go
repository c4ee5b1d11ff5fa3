package embedded

import (
	"encoding/binary"
	"errors"
	"math"

	"gengfu/facility"
)

// entry is a sample on its way into a series.
type entry struct {
	series int64
	sample sample
}

const logVersion = 2

var errLog = errors.New("not a log entry")

// encodeLog packs entries in the order of their writing: of each the series, the
// time since the one before it, the quality with the form of the value, the reason
// of one that is not good, and the value; behind all a checksum.
func encodeLog(entries []entry) []byte {
	out := append(make([]byte, 0, 1+16*len(entries)), logVersion)
	last := int64(0)
	for _, e := range entries {
		out = binary.AppendUvarint(out, uint64(e.series))
		out = binary.AppendVarint(out, e.sample.t-last)
		last = e.sample.t
		as := form(0)
		if e.sample.quality != facility.Bad {
			as = formOf([]sample{e.sample})
		}
		out = append(out, byte(e.sample.quality)<<4|byte(as))
		if e.sample.quality != facility.Good {
			out = appendText(out, string(e.sample.reason))
		}
		switch {
		case e.sample.quality == facility.Bad:
		case as == float64s:
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(e.sample.value))
		default:
			out = binary.AppendVarint(out, as.whole(e.sample.value))
		}
	}
	return sealed(out)
}

// decodeLog unpacks what encodeLog packed.
func decodeLog(data []byte) ([]entry, error) {
	body, ok := unsealed(data)
	in := reader{data: body}
	if !ok || in.byte() != logVersion {
		return nil, errLog
	}
	out := make([]entry, 0, len(data)/6)
	last := int64(0)
	for in.more() {
		var e entry
		e.series = int64(in.uvarint())
		last += in.varint()
		e.sample.t = last
		kind := in.byte()
		as := form(kind & 0xf)
		e.sample.quality = facility.Quality(kind >> 4)
		if e.sample.quality != facility.Good {
			e.sample.reason = facility.Reason(in.text())
		}
		switch {
		case e.sample.quality == facility.Bad:
		case as == float64s:
			e.sample.value = math.Float64frombits(in.uint64())
		default:
			e.sample.value = as.value(in.varint())
		}
		if in.failed || as > float64s || e.sample.quality > facility.Good {
			return nil, errLog
		}
		out = append(out, e)
	}
	if in.failed {
		return nil, errLog
	}
	return out, nil
}
