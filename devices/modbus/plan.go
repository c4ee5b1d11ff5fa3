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

// Terms are what a request of a device may be, and what it costs.
type Terms struct {
	Limits     profile.Limits
	Listed     Map           // all points of the model; the zero Map lists what is wanted and no more
	Cuts       map[Cut]bool  // what refusals of the device have taught
	Wire       bus.Wire      // of its line; zero over TCP
	Framing    Framing       // of its line
	Turnaround time.Duration // from the end of a request to the first byte of the reply; 0 is bus.Turnaround
	Longest    time.Duration // of the line's time that one request for several wants may take, but at least twice what it costs whatever it reads; 0 is without bound
}

// Cost returns how long a request for so many registers or bits occupies the line:
//
//	silence + (request + reply) × character + turnaround
//
// with the lengths of the frames and the silence of 3.5 characters of the Modbus
// serial line specification V1.02, sections 2.5.1 and 2.5.2, or the longer pause
// that the line or the model wants. Over TCP it is the turnaround: what counts is
// the requests.
func (t Terms) Cost(table profile.Table, quantity int) time.Duration {
	return t.overhead() + time.Duration(dataBytes(table.Bits(), quantity))*t.perByte()
}

// overhead is what every request costs, whatever it reads.
func (t *Terms) overhead() time.Duration {
	turnaround := t.Turnaround
	if turnaround == 0 {
		turnaround = bus.Turnaround
	}
	characters := requestLength + replyOverhead
	if t.Framing == ASCII { // which has an LRC of one byte for the two of the CRC
		characters = charactersASCII(requestLength-2) + charactersASCII(replyOverhead-2)
	}
	return max(t.Wire.Silence(), t.Limits.Pause) + t.Wire.Of(characters) + turnaround
}

// perByte is what a byte of data costs.
func (t *Terms) perByte() time.Duration {
	if t.Framing == ASCII {
		return 2 * t.Wire.Character
	}
	return t.Wire.Character
}

func dataBytes(bits bool, quantity int) int {
	if bits {
		return (quantity + 7) / 8
	}
	return 2 * quantity
}

// Plan groups what is wanted into the requests that together cost the least, and
// among those into the fewest, which read the fewest registers. A want that is
// alone more than the terms allow is asked for as it is.
func Plan(wants []Want, t Terms) []Batch {
	var room [roomy]step
	p := plan(wants, &t, room[:0])
	requests := 0
	for i := len(p) - 1; i > 0; i = p[i].from {
		requests++
	}
	if requests == 0 {
		return nil
	}
	batches := make([]Batch, requests)
	indices := make([]int, 0, len(wants))
	for i := len(p) - 1; i > 0; i = p[i].from {
		requests--
		from := len(indices)
		indices = p.indices(indices, p[i].from, i)
		batches[requests] = p.batch(wants, p[i].from, i)
		batches[requests].Wants = indices[from:len(indices):len(indices)]
	}
	return batches
}

// PlanFirst returns the request of the plan that reads the first want, along with
// what else it reads.
func PlanFirst(wants []Want, t Terms) Batch {
	var room [roomy]step
	p := plan(wants, &t, room[:0])
	for i := len(p) - 1; i > 0; i = p[i].from {
		from := p[i].from
		if !slices.ContainsFunc(p[from:i], func(s step) bool { return s.want == 0 }) {
			continue
		}
		b := p.batch(wants, from, i)
		b.Wants = p.indices(make([]int, 0, i-from), from, i)
		return b
	}
	return Batch{}
}

// roomy is how many wants are planned without memory of the heap.
const roomy = 160

// steps are the wants by address, and for every number of them from the front the
// best plan. There is one step more than wants.
type steps []step

type step struct {
	key     uint64 // table and address, for the order
	want    int    // index of the want
	end     int    // of the want
	barrier bool   // no request may reach from the want before it to this one

	cost     time.Duration // of the best plan for the wants before this one
	requests int
	quantity int
	from     int // where the last request of that plan begins
}

func (s step) address() int { return int(s.key >> 16 & 0xFFFF) }
func (s step) table() int   { return int(s.key >> 32) }

// plan finds the cheapest plan by dynamic programming. In the order of addresses a
// cheapest plan takes its wants one after the other: where two requests were to
// cross, one of them could give the want in question to the other and be no longer.
func plan(wants []Want, t *Terms, p steps) steps {
	p = sorted(wants, p)
	for i := 1; i < len(wants); i++ {
		p[i].barrier = p[i].table() != p[i-1].table()
	}
	t.bar(wants, p)
	overhead, perByte := t.overhead(), t.perByte()
	longest := max(t.Longest, 2*overhead)
	for i := range wants {
		at := p[i]
		table := wants[at.want].Table
		limit, bits := most(table, t.Limits), table.Bits()
		end := at.end
		for k := i; k < len(wants); k++ {
			if k > i && p[k].barrier {
				break
			}
			end = max(end, p[k].end)
			quantity := end - at.address()
			cost := overhead + perByte*time.Duration(dataBytes(bits, quantity))
			if k > i && (quantity > limit || t.Longest > 0 && cost > longest) {
				break
			}
			better := step{cost: at.cost + cost, requests: at.requests + 1, quantity: at.quantity + quantity}
			if to := &p[k+1]; to.requests == 0 || !to.before(&better) {
				to.cost, to.requests, to.quantity, to.from = better.cost, better.requests, better.quantity, i
			}
		}
	}
	return p
}

func (s *step) before(o *step) bool {
	if s.cost != o.cost {
		return s.cost < o.cost
	}
	return s.requests < o.requests || s.requests == o.requests && s.quantity < o.quantity
}

func sorted(wants []Want, p steps) steps {
	for i, w := range wants {
		p = append(p, step{key: uint64(rank(w.Table))<<32 | uint64(w.Address&0xFFFF)<<16 | uint64(w.Words&0xFFFF), want: i, end: w.end()})
	}
	slices.SortFunc(p, func(a, b step) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.want, b.want)) })
	return append(p, step{})
}

func (p steps) indices(in []int, from, to int) []int {
	for _, s := range p[from:to] {
		in = append(in, s.want)
	}
	return in
}

// batch is the request for the wants of some steps.
func (p steps) batch(wants []Want, from, to int) Batch {
	first := wants[p[from].want]
	end := 0
	for _, s := range p[from:to] {
		end = max(end, s.end)
	}
	return Batch{Table: first.Table, Address: first.Address, Quantity: end - first.Address}
}
