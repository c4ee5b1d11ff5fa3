package modbus

import (
	"hash/maphash"
	"slices"
	"time"
)

// repeatable is how long a reply may come a second time.
const repeatable = 2 * time.Second

// memory is what slaves have told, to know a reply that comes a second time.
type memory struct {
	seed   maphash.Seed
	recent map[expected][]telling // the last replies of a shape, while they may come again
	values map[Request]uint64     // what a request brought last
	narrow map[Request]bool       // requests for more than that were refused
}

// telling is what a reply of a shape has said.
type telling struct {
	data uint64
	at   time.Time
	by   Request // that brought it; the zero value is several
}

// mostTold bounds how many replies of one shape are remembered, mostValues of how many
// requests it is known what they brought last.
const (
	mostTold   = 16
	mostValues = 1 << 13
)

func newMemory() memory {
	return memory{
		seed: maphash.MakeSeed(), recent: map[expected][]telling{}, values: map[Request]uint64{}, narrow: map[Request]bool{},
	}
}

// verdict is what a reply says beside what was told a short while ago.
type verdict int

const (
	fresh   verdict = iota
	same            // what the same request brought last, and it or another of its shape a short while ago
	repeats         // what another reply of its shape has said
)

// judge says whether a reply may be an earlier one, come again. It repeats when it says
// what one of its shape has said a short while ago, and not what the same request
// brought last. On a calm line nothing comes again so late that the same request was
// answered otherwise meanwhile: what it says is then a value that went back, such as an
// alarm that was short; and what is the same is worth a word only when the request
// itself has brought it. If it does not repeat, it is noted.
func (m *memory) judge(r Request, data []byte, calm bool, now time.Time) verdict {
	sum := maphash.Bytes(m.seed, data)
	last, known := m.values[r]
	v := fresh
	for _, t := range m.recent[r.expected()] {
		switch {
		case t.data != sum || now.Sub(t.at) >= repeatable:
		case known && last == sum:
			if !calm || t.by == r {
				v = same
			}
		case !calm || t.by != r:
			return repeats
		}
	}
	m.note(r, data, now)
	return v
}

func (m *memory) note(r Request, data []byte, now time.Time) {
	sum := maphash.Bytes(m.seed, data)
	told, by := m.recent[r.expected()], r
	for _, t := range told {
		if t.data == sum && t.by != r && now.Sub(t.at) < repeatable {
			by = Request{}
		}
	}
	told = slices.DeleteFunc(told, func(t telling) bool { return now.Sub(t.at) >= repeatable || t.data == sum })
	if len(told) >= mostTold {
		told = slices.Delete(told, 0, 1)
	}
	m.recent[r.expected()] = append(told, telling{sum, now, by})
	if len(m.values) >= mostValues {
		clear(m.values)
	}
	m.values[r] = sum
}

// calmAfter is how long after the last lost, spoilt or stray reply a line is calm.
const calmAfter = 10 * time.Minute

// calm reports whether all replies of the slave, and nothing else, have come on the
// line for long.
func (m *Master) calm(unit byte, now time.Time) bool {
	since := func(t time.Time) bool { return t.IsZero() || now.Sub(t) >= calmAfter }
	return since(m.troubled) && since(m.failures[unit])
}
