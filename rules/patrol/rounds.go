package patrol

import (
	"cmp"
	"slices"
	"time"

	"gengfu/facility"
)

const (
	ahead  = 24 * time.Hour // how far rounds are made beforehand
	refill = time.Hour      // and how much of it may be used up before more are made
)

// hold adds a round, or replaces the one with its id.
func (j *Judge) hold(r facility.Round) {
	c := copyRound(&r)
	i, found := slices.BinarySearchFunc(j.rounds, &c, func(a, b *facility.Round) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID))
	})
	if found {
		j.rounds[i] = &c
		return
	}
	j.rounds = slices.Insert(j.rounds, i, &c)
}

func (j *Judge) find(id string) *facility.Round {
	for _, r := range j.rounds {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// schedule makes the rounds that are not made yet.
func (j *Judge) schedule(now time.Time) []Change {
	from, until := j.until, now.Add(ahead)
	first := from.IsZero()
	if first {
		from = now
	} else if until.Sub(from) < refill {
		return nil
	}
	j.until = until
	var out []Change
	planned := map[string]bool{}
	for _, plan := range j.estate.Plans {
		route, ok := j.routes[plan.Route]
		if !ok {
			continue
		}
		for _, r := range Schedule(plan, route, from, until, j.zone) {
			planned[r.ID] = true
			if known := j.find(r.ID); known != nil && (known.State != facility.RoundScheduled || sameTerms(*known, r)) {
				continue
			}
			j.hold(r)
			out = append(out, change(j.find(r.ID), now))
		}
	}
	if !first {
		return out
	}
	for _, r := range j.rounds {
		near := !r.Start.Before(from) && r.Start.Before(until)
		if near && r.State == facility.RoundScheduled && !planned[r.ID] {
			r.State = facility.RoundCancelled
			out = append(out, change(r, now))
		}
	}
	return out
}

// sameTerms reports whether two rounds ask for the same.
func sameTerms(a, b facility.Round) bool {
	checkpoint := func(v, w facility.Visit) bool { return v.Checkpoint == w.Checkpoint }
	return a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Tolerance == b.Tolerance && a.Grace == b.Grace &&
		a.InOrder == b.InOrder && a.Assignee == b.Assignee && a.Route == b.Route && a.Name.In("zh") == b.Name.In("zh") &&
		a.Name.In("en") == b.Name.In("en") && slices.EqualFunc(a.Visits, b.Visits, checkpoint)
}
