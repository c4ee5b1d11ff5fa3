package discipline

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Limits of floods, chattering and standing alarms, by EEMUA 191 and ISA-18.2.
const (
	FloodWindow   = 10 * time.Minute
	FloodBegins   = 10 // more than so many alarms in the window for each person on duty
	FloodEnds     = 5  // fewer than so many
	ChatterWindow = time.Minute
	ChatterRaises = 3 // so many raises within the window
	StaleAfter    = 24 * time.Hour
)

// flood counts what people were told of.
type flood struct {
	On    bool
	Since time.Time
	Times []time.Time // of the last FloodWindow, oldest first
}

// count takes note of n alarms told at an instant.
func (f *flood) count(at time.Time, n, duty int) {
	for range n {
		f.Times = append(f.Times, at)
	}
	if !f.On && len(f.Times) > FloodBegins*duty {
		f.On, f.Since = true, at
	}
}

// forget drops what lies behind the window, and reports whether a flood ends with it.
func (f *flood) forget(now time.Time, duty int) bool {
	old := 0
	for old < len(f.Times) && !f.Times[old].Add(FloodWindow).After(now) {
		old++
	}
	f.Times = f.Times[old:]
	if !f.On || len(f.Times) >= FloodEnds*duty {
		return false
	}
	f.On, f.Since = false, time.Time{}
	return true
}

// due is when a flood ends if nothing more comes; zero while there is none.
func (f *flood) due(duty int) time.Time {
	over := len(f.Times) - FloodEnds*duty // the last that must be forgotten
	if !f.On || over < 0 {
		return time.Time{}
	}
	return f.Times[over].Add(FloodWindow)
}

// chatter is what is remembered of the raises of a key.
type chatter struct {
	Recent []time.Time // the last ChatterRaises at most
	Since  time.Time   // zero while it does not chatter
	Count  int         // raises since then
}

func (c *chatter) raise(at time.Time) {
	c.Recent = append(c.Recent, at)
	if n := len(c.Recent); n > ChatterRaises {
		c.Recent = slices.Delete(c.Recent, 0, n-ChatterRaises)
	}
	switch {
	case !c.Since.IsZero():
		c.Count++
	case len(c.Recent) == ChatterRaises && at.Sub(c.Recent[0]) <= ChatterWindow:
		c.Since, c.Count = c.Recent[0], ChatterRaises
	}
}

// over reports whether nothing is worth remembering: what chattered has been calm for
// FloodWindow, what did not for ChatterWindow.
func (c *chatter) over(now time.Time) bool {
	calm := ChatterWindow
	if !c.Since.IsZero() {
		calm = FloodWindow
	}
	return now.Sub(c.Recent[len(c.Recent)-1]) > calm
}

// Chattering is an alarm that comes and goes too often.
type Chattering struct {
	Key   string
	Since time.Time
	Count int // raises since then
}

// Chattering lists what chatters at the instant, the worst first.
func (c *Control) Chattering(now time.Time) []Chattering {
	var out []Chattering
	for _, key := range sortedKeys(c.chatter) {
		if ch := c.chatter[key]; !ch.Since.IsZero() && !ch.over(now) {
			out = append(out, Chattering{key, ch.Since, ch.Count})
		}
	}
	slices.SortStableFunc(out, func(a, b Chattering) int { return cmp.Compare(b.Count, a.Count) })
	return out
}

// Stale lists the keys of the alarms that have been active for more than StaleAfter and
// are not suppressed, the oldest first.
func (c *Control) Stale(now time.Time) []string {
	var out []string
	for _, key := range sortedKeys(c.alarms) {
		if a := c.alarms[key]; a.Active && a.Cause == "" && now.Sub(a.Since) > StaleAfter {
			out = append(out, key)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return c.alarms[a].Since.Compare(c.alarms[b].Since) })
	return out
}

// Flood reports whether there is a flood, and since when.
func (c *Control) Flood() (since time.Time, on bool) { return c.flood.Since, c.flood.On }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
