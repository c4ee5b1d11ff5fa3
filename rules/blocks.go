package rules

import "hash/maphash"

// blockBytes is the length of a block, of which as many are told anew as changed.
const blockBytes = 64

// blocks find what changed of a state that is only to be had whole, such as a
// detector's, by what its blocks come to. Two that differ come to the same once in 2^64.
type blocks struct {
	seed       maphash.Seed
	kept, next []uint64 // of what is kept, and of what was told last
	known      bool     // kept is of what is kept
	told       bool     // next is of what was told
}

// patch writes what of the state is not as it was kept; nothing when it is.
func (b *blocks) patch(w *writer, data []byte) {
	if b.seed == (maphash.Seed{}) {
		b.seed = maphash.MakeSeed()
	}
	b.next, b.told = b.next[:0], true
	told := -1 // the last block that was
	for n := 0; n*blockBytes < len(data); n++ {
		block := data[n*blockBytes : min((n+1)*blockBytes, len(data))]
		sum := maphash.Bytes(b.seed, block)
		b.next = append(b.next, sum)
		if b.known && n < len(b.kept) && b.kept[n] == sum {
			continue
		}
		if told < 0 {
			w.uvarint(uint64(len(data)))
			told = 0
		}
		w.uvarint(uint64(n - told))
		w.data = append(w.data, block...)
		told = n
	}
	if told < 0 && !(b.known && len(b.next) == len(b.kept)) {
		w.uvarint(uint64(len(data)))
	}
}

// settle says that what was told last is kept; when nothing was, all of it is as nobody
// knows.
func (b *blocks) settle() {
	b.kept, b.next = b.next, b.kept
	b.known, b.told = b.told, false
}

// mendBlocks brings a state to what a patch says.
func mendBlocks(data []byte, r *reader) []byte {
	length := r.uvarint()
	if length > largestState {
		r.fail("a state too large")
		return nil
	}
	out := make([]byte, length)
	copy(out, data)
	for at := 0; len(r.data) > 0; {
		at += int(min(r.uvarint(), length)) * blockBytes
		if at >= len(out) {
			r.fail("a block that is nowhere")
			return nil
		}
		n := min(blockBytes, len(out)-at)
		if n > len(r.data) {
			r.fail("it is cut off")
			return nil
		}
		copy(out[at:], r.data[:n])
		r.data = r.data[n:]
	}
	return out
}

// largestState bounds what a patch that is damaged may ask for, in bytes.
const largestState = 1 << 24
