package modbus

import (
	"cmp"
	"slices"
	"time"

	"gengfu/devices/bus"
	"gengfu/devices/profile"
)

// Want is a stretch of a table that is to be read: the registers of a point.
type Want struct {
	Table   profile.Table
	Address int
	Words   int
}

func (w Want) end() int { return w.Address + w.Words }

// Batch is one request for several wants.
type Batch struct {
	Table    profile.Table
	Address  int
	Quantity int
	Wants    []int // indices of what was wanted, by address
}

// Request returns the batch as a request to a slave.
func (b Batch) Request(unit byte) Request {
	return Request{Unit: unit, Table: b.Table, Address: uint16(b.Address), Quantity: uint16(b.Quantity)}
}

// Of returns the words of one want out of those of the batch.
func (b Batch) Of(w Want, words []uint16) []uint16 {
	return words[w.Address-b.Address : w.end()-b.Address]
}

// Cut is a place in a table that no request may span: the address after it.
type Cut struct {
	Table   profile.Table
	Address int
}

// Terms are what a request of a device may be, and what it costs.
type Terms struct {
	Limits     profile.Limits
	Cuts       map[Cut]bool  // what refusals of the device have taught
	Wire       bus.Wire      // of its line; zero over TCP
	Turnaround time.Duration // from the end of a request to the first byte of the reply; 0 is bus.Turnaround
}

// Plan groups what is wanted into few requests, within the terms. A want that is alone wider than the limit is
// asked for as it is.
func Plan(wants []Want, t Terms) []Batch {
	order := make([]int, len(wants))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := wants[a], wants[b]
		return cmp.Or(cmp.Compare(x.Table, y.Table), cmp.Compare(x.Address, y.Address), cmp.Compare(x.Words, y.Words))
	})
	var batches []Batch
	for _, i := range order {
		w := wants[i]
		if n := len(batches); n > 0 && batches[n-1].takes(w, t) {
			b := &batches[n-1]
			b.Quantity = max(b.Quantity, w.end()-b.Address)
			b.Wants = append(b.Wants, i)
			continue
		}
		batches = append(batches, Batch{Table: w.Table, Address: w.Address, Quantity: w.Words, Wants: []int{i}})
	}
	return batches
}

// PlanFirst returns the request of the plan that reads the first want, along with
// what else it reads.
func PlanFirst(wants []Want, t Terms) Batch {
	for _, b := range Plan(wants, t) {
		if slices.Contains(b.Wants, 0) {
			return b
		}
	}
	return Batch{}
}

func (b Batch) takes(w Want, t Terms) bool {
	end := b.Address + b.Quantity
	if w.Table != b.Table || w.Address > end+t.Limits.Gap {
		return false
	}
	if max(end, w.end())-b.Address > most(w.Table, t.Limits) {
		return false
	}
	for a := b.Address + 1; a <= w.Address; a++ {
		if t.Cuts[Cut{b.Table, a}] {
			return false
		}
	}
	return true
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
