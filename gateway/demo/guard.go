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
