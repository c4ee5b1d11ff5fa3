package clock

import (
	"slices"
	"time"

	"gengfu/gateway/payload"
)

// resolve says how the times of a batch are to be put right that were taken by the
// stamp, the first of them at the time at. Only what is better known now than then
// is a reason to move them, and only by more than the limit.
func (c *core) resolve(s payload.Stamp, at time.Time) payload.Correction {
	if s.Basis.Sure() {
		return payload.Correction{Basis: s.Basis}
	}
	i := slices.IndexFunc(c.boots, func(b boot) bool { return b.ID == s.Boot })
	if i < 0 { // of a boot that nobody remembers
		return c.unknown(s, at, len(c.boots)-1, time.Time{}, c.presentOrigin())
	}
	origin, confirmed := c.boots[i].origin(s.Up)
	shift := origin.Add(s.Up).Sub(at)
	switch {
	case confirmed && (s.Basis != payload.Unsynchronised || shift.Abs() > c.limit):
		return payload.Correction{Shift: shift, Basis: payload.Restamped}
	case confirmed, s.Basis == payload.Unsynchronised:
		return payload.Correction{Basis: s.Basis}
	case s.Basis == payload.Stepped:
		return payload.Correction{Basis: s.Basis, Doubtful: true}
	case !origin.IsZero(): // by a clock that nobody keeps
		return payload.Correction{Shift: shift, Basis: payload.Unsynchronised}
	}
	from, to := c.boots.bounds(i, s.Up)
	return c.unknown(s, at, i, from, to)
}

// presentOrigin is when this boot was; zero when that is not known.
func (c *core) presentOrigin() time.Time {
	at, _ := c.boots.present().origin(c.boots.present().First)
	return at
}

// unknown moves a batch whose time nobody will ever know to the latest that it can
// be, and says by how much it may be earlier. In the present boot, or while that is
// not known itself, there is nothing to say yet.
func (c *core) unknown(s payload.Stamp, at time.Time, i int, from, to time.Time) payload.Correction {
	out := payload.Correction{Basis: payload.Unknown, Doubtful: true}
	if to.IsZero() || i == len(c.boots)-1 && c.boots[i].ID == s.Boot {
		out.Pending = true
		return out
	}
	if from.IsZero() {
		from = c.floor
	}
	out.Shift, out.Within = to.Sub(at), max(time.Second, to.Sub(from))
	return out
}
