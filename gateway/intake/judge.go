package intake

import (
	"cmp"

	"gengfu/gateway/payload"
)

// verdict is what becomes of a batch.
type verdict int

const (
	take verdict = iota
	duplicate
	gap // something before it is missing, or a part of it is here already
)

// judge decides by the high-water mark of the batch's epoch, 0 when the epoch is
// unknown. The sender says which batch precedes this one in its journal: so a
// hole that eviction or damage made there is told from one that the network
// made. missing counts sequences that the sender no longer has.
func judge(h payload.Header, mark uint64) (v verdict, missing uint64) {
	first := cmp.Or(h.First, h.Seq)
	switch {
	case h.Seq <= mark:
		return duplicate, 0
	case h.Prev > mark, first <= mark: // it comes again, from behind the mark
		return gap, 0
	case mark > 0:
		return take, first - mark - 1
	default:
		return take, 0
	}
}
