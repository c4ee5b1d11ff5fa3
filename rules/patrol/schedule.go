package patrol

import (
	"fmt"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"gengfu/facility"
)

const (
	wholeDay      = 24 * time.Hour
	shortestEvery = time.Minute // less is taken for a mistake and gives no rounds
)

// Schedule returns the rounds of the plan that start in [from, to), by start.
//
// Times are of the local clock in zone. A local time that the clock skips (summer
// time begins) is taken at the first instant after the gap; one that it shows
// twice happens once, the first time; starts that fall on one instant are one
// round. Plan.Days are the days on which a round starts; the rounds of Every
// belong to the day of From, also those past midnight. From is a start, Until is
// not; when they are equal or missing the series lasts a day. A start that cannot
// be read gives no rounds: the configuration refuses it.
func Schedule(plan facility.Plan, route facility.Route, from, to time.Time, zone *time.Location) []facility.Round {
	clock := newClock(plan)
	year, month, day := from.In(zone).Date()
	var instants []time.Time
	// A series may reach into the day after its own, hence the day before.
	for d := time.Date(year, month, day-1, 0, 0, 0, 0, time.UTC); onClock(d, zone).Before(to); d = d.AddDate(0, 0, 1) {
		for _, s := range clock.on(d) {
			if at := onClock(d.Add(s), zone); !at.Before(from) && at.Before(to) {
				instants = append(instants, at)
			}
		}
	}
	slices.SortFunc(instants, time.Time.Compare)
	instants = slices.CompactFunc(instants, time.Time.Equal)
	rounds := make([]facility.Round, len(instants))
	for i, at := range instants {
		rounds[i] = newRound(plan, route, at, zone)
	}
	return rounds
}

func newRound(plan facility.Plan, route facility.Route, at time.Time, zone *time.Location) facility.Round {
	r := facility.Round{
		ID:        plan.ID + "@" + at.In(zone).Format("2006-01-02T15:04Z07:00"),
		Plan:      plan.ID,
		Route:     route.ID,
		Name:      plan.Name,
		Start:     at.UTC(),
		End:       at.Add(plan.Window).UTC(),
		Tolerance: plan.Tolerance,
		Grace:     plan.Grace,
		InOrder:   route.InOrder,
		Assignee:  plan.Assignee,
		State:     facility.RoundScheduled,
		Visits:    make([]facility.Visit, len(route.Checkpoints)),
	}
	if r.Name.Empty() {
		r.Name = route.Name
	}
	for i, c := range route.Checkpoints {
		r.Visits[i] = facility.Visit{Checkpoint: c, Verdict: facility.Pending}
	}
	return r
}

// clock says at which times of the local clock a plan starts its rounds.
type clock struct {
	days  []time.Weekday  // empty is every day
	fixed []time.Duration // since midnight; those of a series may be past the next midnight
	cron  cron.Schedule   // may be nil
}

func newClock(plan facility.Plan) clock {
	c := clock{days: plan.Days}
	switch {
	case plan.Cron != "":
		if s, err := cron.ParseStandard("TZ=UTC " + plan.Cron); err == nil {
			c.cron = s
		}
	case plan.Every >= shortestEvery:
		c.fixed = series(plan)
	default:
		for _, s := range plan.Times {
			if t, err := parseClock(s); err == nil {
				c.fixed = append(c.fixed, t)
			}
		}
	}
	return c
}

func series(plan facility.Plan) []time.Duration {
	from, until := time.Duration(0), wholeDay
	if plan.From != "" || plan.Until != "" {
		var err1, err2 error
		from, err1 = parseClock(plan.From)
		until, err2 = parseClock(plan.Until)
		if err1 != nil || err2 != nil {
			return nil
		}
	}
	if until <= from {
		until += wholeDay
	}
	var out []time.Duration
	for t := from; t < until; t += plan.Every {
		out = append(out, t)
	}
	return out
}

// on returns the starts that belong to the day, which is a midnight in UTC that
// stands for the local date.
func (c clock) on(day time.Time) []time.Duration {
	if len(c.days) > 0 && !slices.Contains(c.days, day.Weekday()) {
		return nil
	}
	if c.cron == nil {
		return c.fixed
	}
	// The crontab runs on a clock that is never set, so that what the local clock
	// skips and repeats is treated alike for all plans.
	var out []time.Duration
	next := day.AddDate(0, 0, 1)
	for t := c.cron.Next(day.Add(-1)); !t.IsZero() && t.Before(next); t = c.cron.Next(t) {
		out = append(out, t.Sub(day))
	}
	return out
}

// parseClock reads "22:00".
func parseClock(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%q is no time of day", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// onClock returns the first instant at which the clock in zone shows wall, a time
// in UTC with the fields wanted, or the first instant after it when the clock
// skips that time.
func onClock(wall time.Time, zone *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), zone)
	start, end := t.ZoneBounds()
	shown := t.Add(offset(t)).UTC()
	switch {
	case shown.After(wall) && !start.IsZero():
		return start // wall is in the gap before t's stretch of constant offset
	case shown.Before(wall) && !end.IsZero():
		return end // in the gap after it
	case !start.IsZero():
		// The clock may have shown it before it was set back, too.
		if earlier := wall.Add(-offset(start.Add(-1))); earlier.Before(start) {
			return earlier.In(zone)
		}
	}
	return t
}

// offset is how far the zone of t is ahead of UTC. Adding it to an instant gives
// one whose UTC fields are what the clock shows.
func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}
