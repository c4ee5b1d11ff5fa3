package embedded

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A column is whole numbers of which each is near the one before it, as times and
// decimal registers are. It holds what each step differs from the usual one, in
// blocks with a Rice code each: the number of bits that costs least there. Against
// XOR, which has classes for the lengths of differences, that halves what meters
// take, and it is read three times as fast.
const (
	blockLen = 64
	kBits    = 6  // of a block's number of low bits
	escape   = 20 // zeros in front of a number that stands in 64 bits
)

// appendColumn adds a column.
func appendColumn(out []byte, numbers []int64) []byte {
	if len(numbers) == 0 {
		return out
	}
	usual := usualStep(numbers)
	out = binary.AppendVarint(out, numbers[0])
	out = binary.AppendVarint(out, usual)
	w := bitWriter{out: out}
	rest := make([]uint64, 0, blockLen)
	last := numbers[0]
	for block := range slices.Chunk(numbers[1:], blockLen) {
		rest = rest[:0]
		for _, n := range block {
			rest = append(rest, zigzag(n-last-usual))
			last = n
		}
		k := cheapest(rest)
		w.put(uint64(k), kBits)
		for _, u := range rest {
			w.rice(u, k)
		}
	}
	return w.end()
}

// usualStep returns the median step from one number to the next.
func usualStep(numbers []int64) int64 {
	if len(numbers) < 2 {
		return 0
	}
	steps := make([]int64, len(numbers)-1)
	for i := range steps {
		steps[i] = numbers[i+1] - numbers[i] // may wrap, and so does the way back
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

// cheapest returns the number of low bits with which a block is shortest.
func cheapest(block []uint64) int {
	best, bestCost := 0, -1
	longest := bits.Len64(slices.Max(block))
	for k := range min(longest, 63) + 1 {
		cost := 0
		for _, u := range block {
			cost += riceLen(u, k)
		}
		if bestCost < 0 || cost < bestCost {
			best, bestCost = k, cost
		}
	}
	return best
}

func riceLen(u uint64, k int) int {
	if q := u >> k; q < escape {
		return int(q) + 1 + k
	}
	return escape + 64
}

func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }
func zagzig(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// bitWriter appends bits to bytes.
type bitWriter struct {
	out  []byte
	acc  uint64 // the last bits, at its low end
	have int    // how many, less than 8 between calls
}

// put adds the low n bits of v, at most 56.
func (w *bitWriter) put(v uint64, n int) {
	w.acc = w.acc<<n | v&(1<<n-1)
	for w.have += n; w.have >= 8; {
		w.have -= 8
		w.out = append(w.out, byte(w.acc>>w.have))
	}
}

// rice adds as many zeros as the high bits of u say, a one, and its k low bits.
func (w *bitWriter) rice(u uint64, k int) {
	q := u >> k
	if q >= escape {
		w.put(0, escape)
		w.put(u>>32, 32)
		w.put(u, 32)
		return
	}
	w.put(1, int(q)+1)
	if k > 32 {
		w.put(u>>32, k-32)
		k = 32
	}
	w.put(u, k)
}

func (w *bitWriter) end() []byte {
	if w.have > 0 {
		w.put(0, 8-w.have)
	}
	return w.out
}

// readColumn returns the count numbers that appendColumn added at the front of
// data, in the memory of into, and what stands behind them. Data that it did not
// write gives numbers or errChunk.
func readColumn(into []int64, data []byte, count int) (numbers []int64, rest []byte, err error) {
	numbers = into[:0]
	if count == 0 {
		return numbers, data, nil
	}
	in := reader{data: data}
	last, usual := in.varint(), in.varint()
	if in.failed || count > 8*len(in.data)+1 { // a number has a bit at least
		return nil, nil, errChunk
	}
	numbers = append(slices.Grow(numbers, count), last)
	r := bitReader{data: in.data}
	for left := count - 1; left > 0; left -= blockLen {
		k := int(r.take(kBits))
		numbers, last = r.block(numbers, last, usual, k, min(left, blockLen))
		if r.at > 8*len(r.data) {
			return nil, nil, errChunk
		}
	}
	return numbers, r.data[(r.at+7)/8:], nil
}

// bitReader takes bits off bytes; behind their end it finds zeros.
type bitReader struct {
	data []byte
	at   int // bits that are taken
}

// peek returns the next bits at the high end; 57 of them count.
func (r *bitReader) peek() uint64 {
	var next [8]byte
	copy(next[:], r.data[min(r.at>>3, len(r.data)):])
	return binary.BigEndian.Uint64(next[:]) << (r.at & 7)
}

// take returns the next n bits, at most 57.
func (r *bitReader) take(n int) uint64 {
	v := r.peek() >> 1 >> (63 - n)
	r.at += n
	return v
}

// block appends n numbers behind last, of which each has k low bits. It is where
// charts spend their time, so it keeps its place in a register.
func (r *bitReader) block(numbers []int64, last, usual int64, k, n int) ([]int64, int64) {
	data, at := r.data, r.at
	for range n {
		if i := at >> 3; i+8 <= len(data) {
			next := binary.BigEndian.Uint64(data[i:]) << (at & 7)
			q := bits.LeadingZeros64(next)
			if length := q + 1 + k; q < escape && length <= 57 {
				at += length
				last += usual + zagzig(uint64(q)<<(k&63)|next<<(uint(q+1)&63)>>1>>((63-k)&63))
				numbers = append(numbers, last)
				continue
			}
		}
		r.at = at
		last += usual + zagzig(r.rice(k))
		numbers = append(numbers, last)
		at = r.at
	}
	r.at = at
	return numbers, last
}

// rice returns the next number of k low bits.
func (r *bitReader) rice(k int) uint64 {
	q := bits.LeadingZeros64(r.peek())
	if q >= escape {
		r.at += escape
		return r.take(32)<<32 | r.take(32)
	}
	r.at += q + 1
	if k <= 32 {
		return uint64(q)<<k | r.take(k)
	}
	high := r.take(k - 32)
	return uint64(q)<<k | high<<32 | r.take(32)
}
