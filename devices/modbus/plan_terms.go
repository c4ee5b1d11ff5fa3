package modbus

import (
	"cmp"
	"slices"

	"gengfu/devices/profile"
)

// Cut is a place in a table that no request may span: the address after it.
type Cut struct {
	Table   profile.Table
	Address int
}

// Map is which registers the points of a model stand in, whether they are due or
// not. What it lists may be read along with what is wanted.
type Map struct {
	runs [tables][]stretch // by address, apart from each other
}

type stretch struct{ from, to int } // to is the address after the last

// NewMap returns the map of a model with these points.
func NewMap(points []Want) Map {
	var m Map
	for _, w := range points {
		m.runs[rank(w.Table)] = append(m.runs[rank(w.Table)], stretch{w.Address, w.end()})
	}
	for t, runs := range m.runs {
		slices.SortFunc(runs, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
		joined := runs[:0]
		for _, r := range runs {
			if n := len(joined); n > 0 && r.from <= joined[n-1].to {
				joined[n-1].to = max(joined[n-1].to, r.to)
				continue
			}
			joined = append(joined, r)
		}
		m.runs[t] = joined
	}
	return m
}

// widest returns the longest stretch between two addresses that the map does not
// list.
func (m *Map) widest(table, from, to int) (unlisted int) {
	runs := m.runs[table]
	first, _ := slices.BinarySearchFunc(runs, from, func(r stretch, a int) int { return cmp.Compare(r.to, a) })
	for _, r := range runs[first:] {
		if r.from >= to {
			break
		}
		unlisted = max(unlisted, r.from-from)
		from = max(from, r.to)
	}
	return max(unlisted, to-from)
}

// tables is how many there are.
const tables = 4

// rank numbers the tables from 0.
func rank(t profile.Table) int {
	switch t {
	case profile.Coil:
		return 0
	case profile.Discrete:
		return 1
	case profile.Holding:
		return 2
	default:
		return 3
	}
}

// bar marks the wants before which a request must end.
func (t *Terms) bar(wants []Want, p steps) {
	end := 0
	for i := 1; i < len(wants); i++ {
		s, prev := &p[i], &p[i-1]
		if end = max(end, prev.end); s.barrier {
			end = 0
			continue
		}
		hole := s.address() - end
		s.barrier = hole > t.Limits.Gap && t.Listed.widest(s.table(), end, s.address()) > t.Limits.Gap ||
			t.forbids(wants[s.want].Table, prev.address(), s.end) ||
			t.cuts(wants[s.want].Table, prev.address(), s.address())
	}
}

// forbids reports whether the model forbids to read one of the registers.
func (t *Terms) forbids(table profile.Table, from, to int) bool {
	return slices.ContainsFunc(t.Limits.Forbidden, func(r profile.Range) bool {
		return r.Table == table && r.From < to && r.To >= from
	})
}

// cuts reports whether a request that begins at one address and has a want at the
// other spans a cut.
func (t *Terms) cuts(table profile.Table, from, to int) bool {
	if len(t.Cuts) == 0 {
		return false
	}
	for a := from + 1; a <= to; a++ {
		if t.Cuts[Cut{table, a}] {
			return true
		}
	}
	return false
}

func most(t profile.Table, limits profile.Limits) int {
	limit, standard := limits.Registers, profile.MaxRegisters
	if t.Bits() {
		limit, standard = limits.Bits, profile.MaxBits
	}
	if limit <= 0 || limit > standard {
		return standard
	}
	return limit
}

// Split returns where to cut a batch that the slave refused: at the widest hole
// between its wants, or in the middle. It is false when nothing is left to cut,
// because all wants begin at the same address.
func Split(b Batch, wants []Want) (Cut, bool) {
	best, hole, found := 0, 0, false
	starts := []int{}
	end := wants[b.Wants[0]].end()
	for _, i := range b.Wants[1:] {
		w := wants[i]
		if w.Address > b.Address {
			starts = append(starts, w.Address)
		}
		if gap := w.Address - end; gap > hole {
			best, hole, found = w.Address, gap, true
		}
		end = max(end, w.end())
	}
	if found {
		return Cut{b.Table, best}, true
	}
	starts = slices.Compact(starts)
	if len(starts) == 0 {
		return Cut{}, false
	}
	return Cut{b.Table, starts[(len(starts)-1)/2]}, true
}
