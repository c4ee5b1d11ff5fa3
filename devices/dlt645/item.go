package dlt645

import (
	"fmt"
	"time"
)

// Item is what stands behind a data identifier: one value, a value with its time,
// or a block of them.
type Item struct {
	Name    string   // of the quantity: "forward_active_energy"
	Formats []Format // of one element, in the order of the wire
	Suffix  []string // of the formats' names after the first, such as "_time"
	Block   []string // what the elements of a block add to the name, in their order; nil for a single element
}

// Decode reads the data of a reply, without its identifier. A block may have fewer
// elements than there could be: a meter of one phase has one voltage. It is
// ErrMalformed when the data are not a whole number of elements, or too many.
func (it Item) Decode(data []byte, zone *time.Location) ([]Value, error) {
	size := 0
	for _, f := range it.Formats {
		size += f.Bytes
	}
	names := it.Block
	if names == nil {
		names = []string{""}
	}
	if size == 0 || len(data) == 0 || len(data)%size != 0 || len(data) > size*len(names) {
		return nil, fmt.Errorf("%s has elements of %d bytes, at most %d, and came with %d bytes: %w",
			it.Name, size, len(names), len(data), ErrMalformed)
	}
	var values []Value
	for _, name := range names[:len(data)/size] {
		for i, f := range it.Formats {
			v := f.Decode(data[:f.Bytes], zone)
			v.Name = it.Name + name
			if i > 0 {
				v.Name += it.Suffix[i-1]
			}
			values, data = append(values, v), data[f.Bytes:]
		}
	}
	return values, nil
}

// single returns an item of one value.
func single(name string, k Kind, bytes, decimals int, unit string) Item {
	return Item{Name: name, Formats: []Format{{Kind: k, Bytes: bytes, Decimals: decimals, Unit: unit}}}
}

// demand is the highest mean power, with the minute when it was.
func demand(name string, k Kind, unit string) Item {
	return Item{
		Name:    name,
		Formats: []Format{{Kind: k, Bytes: 3, Decimals: 4, Unit: unit}, {Kind: Stamp, Bytes: 5}},
		Suffix:  []string{"_time"},
	}
}

// element returns the item for one element of what could be a block: whole for the
// block, otherwise counted from first in the list of names.
func (it Item) element(code, first, whole byte, names []string) (Item, bool) {
	if code == whole {
		it.Block = names
		return it, true
	}
	if code < first || int(code-first) >= len(names) {
		return Item{}, false
	}
	it.Name += names[code-first]
	return it, true
}

// The names of phases, and of tariffs up to the most that the standards know.
func phases() []string         { return []string{"_a", "_b", "_c"} }
func totalAndPhases() []string { return []string{"", "_a", "_b", "_c"} }

func tariffs(most int) []string {
	names := make([]string, most+1)
	for i := range names {
		if i > 0 {
			names[i] = fmt.Sprintf("_t%d", i)
		}
	}
	return names
}

// Lookup returns what stands behind an identifier, as far as it is of use in an
// estate. Identifiers of makers' own are not known.
func Lookup(di DI) (Item, bool) {
	if di.Edition == Edition1997 {
		return lookup1997(uint16(di.Code))
	}
	return lookup2007(di.Code)
}
