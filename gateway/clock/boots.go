package clock

import (
	"slices"
	"time"

	"gengfu/gateway/payload"
)

const (
	mostBoots = 64
	mostFixes = 128
	// straight is how far a fix may be from the line between its neighbours to be
	// left out, and apart how far two of them may be in time.
	straight = 20 * time.Millisecond
	apart    = 24 * time.Hour
)

// fix is one instant of a boot at which the time was known.
type fix struct {
	Up     time.Duration `json:"up"`
	Origin time.Time     `json:"origin"`
}

// boot is what is known of one boot: the history of its offset from the time.
type boot struct {
	ID    string        `json:"id"`
	First time.Duration `json:"first"` // observed
	Last  time.Duration `json:"last"`
	Fixes []fix         `json:"fixes,omitempty"` // in order
	// Origin is what was believed last; zero when the time was never known.
	Origin time.Time `json:"origin,omitzero"`
	Wall   time.Time `json:"wall"` // origin by the machine's clock, when it was last seen
}

// note takes what is believed now.
func (b *boot) note(up time.Duration, now belief) {
	b.Last = max(b.Last, up)
	if now.basis != payload.Unknown {
		b.Origin = now.origin
	}
}

func (b *boot) last() (fix, bool) {
	if b == nil || len(b.Fixes) == 0 {
		return fix{}, false
	}
	return b.Fixes[len(b.Fixes)-1], true
}

// add keeps a fix that is true to within so much. One that the line through its
// neighbours says too is left out.
func (b *boot) add(f fix, within time.Duration) {
	n := len(b.Fixes)
	if n > 0 && f.Up <= b.Fixes[n-1].Up {
		return
	}
	if n >= 2 {
		first, middle := b.Fixes[n-2], b.Fixes[n-1]
		if f.Up-first.Up <= apart && between(first, f, middle.Up).Sub(middle.Origin).Abs() <= straight+within {
			b.Fixes[n-1] = f
			return
		}
	}
	b.Fixes = append(b.Fixes, f)
	if len(b.Fixes) > mostFixes { // every second of the older half
		kept := b.Fixes[:0]
		for i, f := range b.Fixes {
			if i%2 == 0 || i > mostFixes/2 {
				kept = append(kept, f)
			}
		}
		b.Fixes = kept
	}
}

// between is the origin at an instant between two fixes: a clock runs away evenly.
func between(a, b fix, up time.Duration) time.Time {
	share := float64(up-a.Up) / float64(b.Up-a.Up)
	return a.Origin.Add(time.Duration(share * float64(b.Origin.Sub(a.Origin))))
}

// origin is the best that is known of the boot at one of its instants, and whether
// it was ever known there.
func (b *boot) origin(up time.Duration) (at time.Time, confirmed bool) {
	n := len(b.Fixes)
	i := slices.IndexFunc(b.Fixes, func(f fix) bool { return f.Up >= up })
	switch {
	case n == 0:
		return b.Origin, false
	case i < 0:
		return b.Fixes[n-1].Origin, true
	case i == 0:
		return b.Fixes[0].Origin, true
	}
	return between(b.Fixes[i-1], b.Fixes[i], up), true
}

// boots are those of this machine that are remembered, the oldest first.
type boots []boot

func (bs boots) present() *boot {
	if len(bs) == 0 {
		return nil
	}
	return &bs[len(bs)-1]
}

// begin makes a boot the present one.
func (bs *boots) begin(id string, up time.Duration) *boot {
	*bs = append(*bs, boot{ID: id, First: up, Last: up})
	*bs = (*bs)[max(0, len(*bs)-mostBoots):]
	return bs.present()
}

// knownEnd is when the newest of the boots before this one ended at the earliest, by
// a time that was confirmed.
func (bs boots) knownEnd() (end time.Time) {
	for _, b := range bs[:max(0, len(bs)-1)] {
		if _, confirmed := b.last(); confirmed {
			at, _ := b.origin(b.Last)
			if e := at.Add(b.Last); e.After(end) {
				end = e
			}
		}
	}
	return end
}

// bounds are the earliest and the latest time of an instant of a boot whose time was
// never known: after all that is known to be before it, and so long before the next
// boot as this one is known to have gone on. Each is zero when nothing bounds it.
func (bs boots) bounds(i int, up time.Duration) (from, to time.Time) {
	for _, b := range bs[:i] {
		if at, _ := b.origin(b.Last); !at.IsZero() {
			if e := at.Add(b.Last); e.After(from) {
				from = e
			}
		}
	}
	if !from.IsZero() {
		from = from.Add(up)
	}
	for _, b := range bs[i+1:] {
		if at, _ := b.origin(b.First); !at.IsZero() {
			return from, at.Add(-max(0, bs[i].Last-up))
		}
	}
	return from, time.Time{}
}
