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

const logVersion = 1

var errLog = errors.New("not a log entry")

// encodeLog packs entries in the order of their writing.
func encodeLog(entries []entry) []byte {
	out := append(make([]byte, 0, 1+16*len(entries)), logVersion)
	last := int64(0)
	for _, e := range entries {
		out = binary.AppendUvarint(out, uint64(e.series))
		out = binary.AppendVarint(out, e.sample.t-last)
		last = e.sample.t
		out = append(out, byte(e.sample.quality))
		if e.sample.quality != facility.Good {
			out = appendText(out, string(e.sample.reason))
		}
		if e.sample.quality != facility.Bad {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(e.sample.value))
		}
	}
	return out
}

// decodeLog unpacks what encodeLog packed.
func decodeLog(data []byte) ([]entry, error) {
	in := reader{data: data}
	if in.byte() != logVersion {
		return nil, errLog
	}
	out := make([]entry, 0, len(data)/12)
	last := int64(0)
	for in.more() {
		var e entry
		e.series = int64(in.uvarint())
		last += in.varint()
		e.sample.t = last
		e.sample.quality = facility.Quality(in.byte())
		if e.sample.quality != facility.Good {
			e.sample.reason = facility.Reason(in.text())
		}
		if e.sample.quality != facility.Bad {
			e.sample.value = math.Float64frombits(in.uint64())
		}
		if in.failed || e.sample.quality > facility.Good {
			return nil, errLog
		}
		out = append(out, e)
	}
	if in.failed {
		return nil, errLog
	}
	return out, nil
}
