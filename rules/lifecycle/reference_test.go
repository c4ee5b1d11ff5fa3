package lifecycle_test

import (
	"time"

	"gengfu/facility"
	"gengfu/rules/lifecycle"
)

// reference is the same life written the other way round, as OPC UA Part 9 has it:
// independent facts, no states and no table. It shares nothing with the package but
// the types of what goes in.
type reference struct {
	active, seen, latched, unknown bool
	rank                           int // of the occurrence, 1 to 4, 0 is none
	told                           time.Time
	toldRank                       int
	owed                           bool
	shelf, suppressed, out         bool
	shelfEnd, suppressedEnd        time.Time
	outEnd                         time.Time
	oneShot                        bool
}

func (r *reference) held() bool { return r.shelf || r.suppressed || r.out }

func (r *reference) base() facility.AlarmState {
	name := map[[3]bool]facility.AlarmState{
		{false, true, false}:  "normal",
		{true, false, false}:  "unacknowledged",
		{true, true, false}:   "acknowledged",
		{false, false, false}: "returned",
		{false, false, true}:  "latched_unacknowledged",
		{false, true, true}:   "latched_acknowledged",
	}
	return name[[3]bool{r.active, r.seen, r.latched}]
}

// refer reads a state as facts.
func refer(s lifecycle.State) *reference {
	rank := func(p facility.Priority) int {
		if p == "" {
			return 0
		}
		return int(p[1] - '0')
	}
	return &reference{
		active:  s.Base == "unacknowledged" || s.Base == "acknowledged",
		seen:    s.Base == "normal" || s.Base == "acknowledged" || s.Base == "latched_acknowledged",
		latched: s.Base == "latched_unacknowledged" || s.Base == "latched_acknowledged",
		unknown: s.Unknown, rank: rank(s.Priority), told: s.Told, toldRank: rank(s.ToldAs), owed: s.Untold,
		shelf: s.Shelf != lifecycle.Hold{}, shelfEnd: s.Shelf.Until, oneShot: s.Shelf.OneShot,
		suppressed: s.Suppression != lifecycle.Hold{}, suppressedEnd: s.Suppression.Until,
		out: s.Outage != lifecycle.Hold{}, outEnd: s.Outage.Until,
	}
}

// news is something worth telling; it returns whether it is told now.
func (r *reference) news(p lifecycle.Policy, at time.Time) bool {
	gap := p.Quiet
	if gap <= 0 {
		gap = p.Realarm
	}
	recently := !r.told.IsZero() && !at.Before(r.told) && at.Before(r.told.Add(gap))
	worse := r.rank < r.toldRank
	r.owed = r.held() || recently && !worse
	if r.owed {
		return false
	}
	r.told, r.toldRank = at, r.rank
	return true
}

// do applies an event; lawful is false when it is refused, and nothing has changed.
func (r *reference) do(p lifecycle.Policy, in lifecycle.Input) (lawful, tells bool) {
	rank := 0
	if in.Priority != "" {
		rank = int(in.Priority[1] - '0')
	}
	switch in.Event {
	case "unknown", "known":
		if r.unknown == (in.Event == "unknown") {
			return false, false
		}
		r.unknown = !r.unknown
	case "raise":
		if r.active || r.unknown || rank == 0 {
			return false, false
		}
		if r.seen && !r.latched { // a new occurrence
			r.rank, r.owed = rank, true
		}
		worse := rank < r.rank
		if worse {
			r.rank = rank
		}
		repeat := !r.seen && !r.owed && !worse
		r.active, r.seen, r.latched = true, false, false
		if repeat && p.Quiet <= 0 && p.Realarm <= 0 {
			return true, false
		}
		return true, r.news(p, in.At)
	case "clear":
		if !r.active || r.unknown {
			return false, false
		}
		r.active = false
		if p.Latch {
			r.latched = true
		} else if r.held() {
			r.seen = true
		}
		r.gone()
	case "acknowledge":
		if r.seen || in.By == "" || p.AckNote && in.Note == "" {
			return false, false
		}
		r.seen, r.owed = true, false
	case "reset":
		if !r.latched || r.unknown || in.By == "" {
			return false, false
		}
		r.latched = false
	case "retire":
		if !r.active && r.seen && !r.latched {
			return false, false
		}
		was := r.active
		r.active, r.seen, r.latched, r.owed = false, true, false, false
		if was {
			r.gone()
		}
	case "realarm":
		return r.realarm(p, in, rank)
	default:
		return r.doHold(p, in)
	}
	return true, false
}

// gone is what follows when the condition has gone.
func (r *reference) gone() {
	if r.seen {
		r.owed = false
	}
	if r.oneShot {
		r.shelf, r.oneShot, r.shelfEnd = false, false, time.Time{}
	}
}

func (r *reference) realarm(p lifecycle.Policy, in lifecycle.Input, rank int) (lawful, tells bool) {
	if !r.active || r.unknown {
		return false, false
	}
	gap := p.Quiet
	if gap <= 0 {
		gap = p.Realarm
	}
	wait := gap
	if !r.owed {
		wait = max(gap, p.Realarm)
	}
	worse := rank != 0 && rank < r.rank
	over := !r.held() && (r.owed || p.Realarm > 0 && !r.told.IsZero()) && !in.At.Before(r.told.Add(wait))
	if !worse && !over {
		return false, false
	}
	if worse {
		r.rank = rank
	}
	r.seen = false
	return true, r.news(p, in.At)
}

func (r *reference) doHold(p lifecycle.Policy, in lifecycle.Input) (lawful, tells bool) {
	kind := map[facility.AlarmEvent]*bool{
		"shelve": &r.shelf, "unshelve": &r.shelf, "suppress": &r.suppressed, "unsuppress": &r.suppressed,
		"take_out": &r.out, "put_back": &r.out,
	}[in.Event]
	end := map[*bool]*time.Time{&r.shelf: &r.shelfEnd, &r.suppressed: &r.suppressedEnd, &r.out: &r.outEnd}[kind]
	if kind == nil {
		return false, false
	}
	switch in.Event {
	case "unshelve", "unsuppress", "put_back":
		if !*kind {
			return false, false
		}
		*kind, *end = false, time.Time{}
		if in.Event == "unshelve" {
			r.oneShot = false
		}
		if r.held() || !r.active {
			return true, false
		}
		r.seen = false
		return true, r.news(p, in.At)
	}
	longest := 8 * time.Hour
	if p.MaxShelf != 0 {
		longest = p.MaxShelf
	}
	bad := in.By == "" || !in.Until.IsZero() && !in.Until.After(in.At)
	switch in.Event {
	case "shelve":
		bad = bad || in.Note == "" || in.Until.IsZero() || in.Until.After(in.At.Add(longest))
	case "suppress":
		bad = bad || in.Cause == ""
	case "take_out":
		bad = bad || in.Order == "" && in.Note == ""
	}
	if bad {
		return false, false
	}
	*kind, *end = true, in.Until
	if in.Untold && in.Event == "suppress" && r.active && !r.seen {
		r.told, r.toldRank, r.owed = time.Time{}, 0, true
	}
	if in.Event == "shelve" {
		r.oneShot = in.OneShot
	}
	return true, false
}
