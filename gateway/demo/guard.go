package demo

import "time"

// The guard's walk: a round every full hour, as the plan of configs/demo.yaml
// says, the first checkpoint three minutes after, the next ones five minutes
// apart and up to two minutes later. The last is reached within 45 minutes.
const (
	walkStarts = 3 * time.Minute
	walkLeg    = 5 * time.Minute
	walkJitter = 120 // seconds
)

// walkTap is one tap that the guard is to make.
type walkTap struct {
	At         time.Time
	Checkpoint string
	Guard      string // login
}

// walk returns the taps of the rounds in (from, to].
func (m Model) walk(checkpoints []string, from, to time.Time) []walkTap {
	var out []walkTap
	for hour := localHour(from, m.Zone); !hour.After(to); hour = hour.Add(time.Hour) {
		guard := "zhao"
		if hour.Unix()/3600%2 != 0 {
			guard = "sun"
		}
		for i, c := range checkpoints {
			late := (m.random(200+uint64(i), hour.Unix()) + 1) / 2 * walkJitter
			at := hour.Add(walkStarts + time.Duration(i)*walkLeg + time.Duration(late)*time.Second)
			if at.After(from) && !at.After(to) {
				out = append(out, walkTap{At: at, Checkpoint: c, Guard: guard})
			}
		}
	}
	return out
}

// localHour returns the full hour of the local clock at or before t.
func localHour(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	return t.Add(-time.Duration(local.Minute())*time.Minute - time.Duration(local.Second())*time.Second - time.Duration(local.Nanosecond()))
}

// A guard who comes late to a round, because the estate was just started, may
// still walk it until its window closes; he does not run.
const (
	catchUpUntil = 44 * time.Minute
	betweenTaps  = 4 * time.Second
	firstTap     = 6 * time.Second // after the start, when the readers are being listened to
)

// round is what the guard does: the taps that he owes, and what he is told to
// leave out.
type round struct {
	checkpoints []string
	resting     bool
	skipping    map[string]bool // "" is whatever comes next
	seen        time.Time       // up to here the taps have been planned
	owed        []walkTap
	earliest    time.Time // of the next tap
}

func newRound(s *site, now time.Time, resting bool) round {
	r := round{resting: resting, skipping: map[string]bool{}, seen: now, earliest: now.Add(firstTap)}
	for _, c := range s.Patrol.Checkpoints {
		r.checkpoints = append(r.checkpoints, c.ID)
	}
	if hour := localHour(now, s.zone); !resting && now.Sub(hour) < catchUpUntil {
		r.seen = hour
	}
	return r
}

// next returns the tap that is due, if any.
func (r *round) next(m Model, now time.Time) (walkTap, bool) {
	due := m.walk(r.checkpoints, r.seen, now)
	r.seen = now
	if r.resting {
		r.owed = nil
		return walkTap{}, false
	}
	r.owed = append(r.owed, due...)
	for len(r.owed) > 0 && !now.Before(r.earliest) {
		tap := r.owed[0]
		r.owed = r.owed[1:]
		if r.skips(tap.Checkpoint) {
			continue
		}
		r.earliest = now.Add(betweenTaps)
		return tap, true
	}
	return walkTap{}, false
}

// skips uses up an order to leave the checkpoint out.
func (r *round) skips(checkpoint string) bool {
	for _, key := range []string{checkpoint, ""} {
		if r.skipping[key] {
			delete(r.skipping, key)
			return true
		}
	}
	return false
}
