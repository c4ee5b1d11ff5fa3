package nfc

import "time"

// Times of a reader.
const (
	IdleGap         = 100 * time.Millisecond // silence that ends a line without terminator
	DefaultDebounce = 5 * time.Second
	MinDebounce     = 3 * time.Second // readers repeat a card for up to a second and skip now and then
	MaxDebounce     = 10 * time.Second
)

// Debounce makes one visit out of the many reports of a card that is held to one
// reader. It belongs to one goroutine.
type Debounce struct {
	window time.Duration
	seen   map[string]time.Time
}

// NewDebounce returns a debounce of that window; 0 is DefaultDebounce.
func NewDebounce(window time.Duration) *Debounce {
	if window == 0 {
		window = DefaultDebounce
	}
	return &Debounce{window: window, seen: map[string]time.Time{}}
}

// Visit reports whether the card begins a new visit: it was not seen within the
// window before now. A card that stays at the reader stays one visit.
func (d *Debounce) Visit(uid string, now time.Time) bool {
	for u, t := range d.seen {
		if now.Sub(t) >= d.window {
			delete(d.seen, u)
		}
	}
	_, held := d.seen[uid]
	d.seen[uid] = now
	return !held
}
