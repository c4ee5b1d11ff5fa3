package patrol

import (
	"time"

	"gengfu/facility"
)

const (
	// largestSkew is how far a phone's clock may be off before its times are
	// corrected, and slowest how long a tap may be on its way before that is noted.
	largestSkew = 2 * time.Minute
	slowest     = 2 * time.Minute
	// oneStop is the time within which taps at one checkpoint are one stop of the
	// guard, which counts for one round only.
	oneStop = time.Minute
)

// fit is how well a time suits a round, the better the larger.
type fit int

const (
	unfit fit = iota
	early
	late
	onTime
)

var verdicts = map[fit]facility.Verdict{early: facility.Early, late: facility.Late, onTime: facility.OnTime}

// fitOf judges a time against the round. All stretches include their beginning
// and not their end, so that a tap at the instant at which a checkpoint becomes
// missed is too late.
func fitOf(r *facility.Round, at time.Time) fit {
	switch {
	case at.Before(r.Start.Add(-r.Tolerance)) || !at.Before(closing(r)):
		return unfit
	case at.Before(r.Start):
		return early
	case at.Before(r.End):
		return onTime
	default:
		return late
	}
}

// Tap judges one tap. badge names the person whom a badge belongs to, "" for
// nobody; it is asked for taps on readers only, and may be nil.
//
// The tap counts for at most one round: the one where it is on time, else late,
// else early; of equals the one that started first. A better tap takes the place
// of a worse one, and a guard's that of a card that nobody knows: with such a card
// alone a round ends with exceptions. A tap that was made in time but comes after its checkpoint was
// judged missed corrects the verdict while the round's grace lasts, counted to
// ReceivedAt; after it the tap is flagged and changes nothing. The same tap again
// gives the same answer.
func (j *Judge) Tap(t facility.Tap, badge func(uid string) string) (facility.JudgedTap, []Change) {
	judged := facility.JudgedTap{Tap: t, Checkpoint: j.resolve(t), Person: t.Person}
	flag := func(f facility.TapFlag) { judged.Flags = append(judged.Flags, f) }
	if t.Source == facility.TapReader {
		judged.Person = ""
		if badge != nil {
			judged.Person = badge(t.Credential)
		}
	}
	if judged.Person == "" {
		flag(facility.FlagUnknownBadge)
	}
	at, received, skewed := timeOf(t)
	if skewed {
		flag(facility.FlagClockSkew)
	}
	if t.ClockUnknown {
		flag(facility.FlagClockUnknown)
	}
	if received.Sub(at) > slowest && t.Source != facility.TapWand { // which keeps all until the end of the shift
		flag(facility.FlagDelayed)
	}
	if judged.Checkpoint == "" {
		flag(facility.FlagUnknownCheckpoint)
		return judged, nil
	}
	place, doubt := j.choose(t.ID, judged.Checkpoint, at, received, judged.Person != "")
	if t.ClockUnknown && (place.round == nil || place.visit.Tap != t.ID) {
		for _, earlier := range j.instants(judged.Checkpoint, at.Add(-t.Within), at) {
			if p, _ := j.choose(t.ID, judged.Checkpoint, earlier, received, judged.Person != ""); p.round != nil && p.better(place) {
				place, at = p, earlier
			}
		}
	}
	if place.round == nil {
		flag(doubt)
		return judged, nil
	}
	var changes []Change
	if place.visit.Tap != t.ID {
		changes = j.count(place, t.ID, at, received, judged.Person)
	}
	judged.Round, judged.Verdict = place.round.ID, place.visit.Verdict
	if place.visit.OutOfOrder {
		flag(facility.FlagOutOfOrder)
	}
	return judged, changes
}

// instants are when, between two instants, a tap at the checkpoint would have been on
// time, as late as it can be for each round. Where the gateway of a reader did not know
// the time, a guard who may have been on time was.
func (j *Judge) instants(checkpoint string, from, to time.Time) (out []time.Time) {
	for _, r := range j.rounds {
		if visitOf(r, checkpoint) == nil {
			continue
		}
		at := r.End.Add(-1)
		if at.After(to) {
			at = to
		}
		if !at.Before(from) && !at.Before(r.Start) {
			out = append(out, at)
		}
	}
	return out
}

// Expected returns the round that a tap at the checkpoint would count for, made
// and received at the instant at.
func (j *Judge) Expected(checkpoint string, at time.Time) (facility.Round, bool) {
	at = instant(at)
	place, _ := j.choose("", checkpoint, at, at, true)
	if place.round == nil {
		return facility.Round{}, false
	}
	return copyRound(place.round), true
}

// resolve finds the checkpoint of a tap: of its reader; of the id, or the token,
// that a phone sent; or of the tag whose UID a phone read.
func (j *Judge) resolve(t facility.Tap) string {
	if t.Source == facility.TapReader {
		return j.byReader[t.Reader]
	}
	if _, ok := j.checkpoints[t.Checkpoint]; ok {
		return t.Checkpoint
	}
	if id, ok := j.byToken[t.Checkpoint]; ok {
		return id
	}
	return j.byTag[t.Credential]
}

// timeOf returns when the tap was made and received by the hub's clock. A phone
// says what its clock showed when it sent the tap, so that a wrong clock shows;
// the tap's time is then corrected by as much. A reader's time is the gateway's,
// whose clock is watched elsewhere, and its SentAt may be long before it is
// received. No tap is made after it was received.
func timeOf(t facility.Tap) (at, received time.Time, skewed bool) {
	at, received = instant(t.TappedAt), instant(t.ReceivedAt)
	if t.ReceivedAt.IsZero() {
		return at, at, false
	}
	if t.Source != facility.TapReader && !t.SentAt.IsZero() {
		if skew := received.Sub(t.SentAt); skew.Abs() > largestSkew {
			at, skewed = at.Add(skew), true
		}
	}
	if at.After(received) {
		skewed = skewed || at.Sub(received) > largestSkew
		at = received
	}
	return at, received, skewed
}

// place is a visit that a tap may count for.
type place struct {
	round *facility.Round
	visit *facility.Visit
	fit   fit
	open  bool // nobody has reached it
}

func (p place) better(q place) bool {
	return p.fit > q.fit || p.fit == q.fit && p.open && !q.open
}

// choose finds the visit that a tap at the checkpoint counts for, or the doubt
// that keeps it from counting. known says that it is known who made the tap.
func (j *Judge) choose(tap, checkpoint string, at, received time.Time, known bool) (best place, doubt facility.TapFlag) {
	var reached fit // the best fit of those that need no tap any more
	var stops []*facility.Round
	var places []place
	for _, r := range j.rounds {
		v := visitOf(r, checkpoint)
		if v == nil || r.State == facility.RoundCancelled {
			continue
		}
		if tap != "" && v.Tap == tap {
			return place{round: r, visit: v}, ""
		}
		if v.TappedAt != nil && v.TappedAt.Sub(at).Abs() < oneStop {
			stops = append(stops, r)
		}
		p := place{round: r, visit: v, fit: fitOf(r, at)}
		switch p.takes(received, known) {
		case takesFirst:
			p.open = true
			places = append(places, p)
		case takesBetter:
			places = append(places, p)
			reached = max(reached, p.fit)
		case takesNone:
			reached = max(reached, p.fit)
		}
	}
	for _, p := range places {
		// Whoever taps again where the round that runs has been served already does
		// not thereby begin the next one, nor does one stop serve two rounds.
		again := p.fit == early && p.open && reached > early
		for _, r := range stops {
			again = again || r != p.round
		}
		if !again && p.better(best) {
			best = p
		}
	}
	switch {
	case best.round != nil:
		return best, ""
	case reached > unfit || len(stops) > 0:
		return best, facility.FlagDuplicate
	default:
		return best, facility.FlagNoRound
	}
}

// taking is what a visit still takes.
type taking int

const (
	takesNothing taking = iota // not at this time
	takesFirst                 // any tap
	takesBetter                // a tap that fits better than the one it has, or is of somebody and not of nobody
	takesNone                  // none: it was reached as well as this
)

func (p place) takes(received time.Time, known bool) taking {
	if p.fit == unfit {
		return takesNothing
	}
	switch v := p.visit; v.Verdict {
	case facility.Pending:
		return takesFirst
	case facility.Missed:
		if received.Before(over(p.round)) {
			return takesFirst
		}
		return takesNothing
	case facility.Exempt:
		return takesNothing
	default:
		had := verdictFit(v.Verdict)
		if had < p.fit || had == p.fit && known && v.By == "" {
			return takesBetter
		}
		return takesNone
	}
}

func verdictFit(v facility.Verdict) fit {
	for f, w := range verdicts {
		if v == w {
			return f
		}
	}
	return unfit
}

// count lets the tap count for the visit.
func (j *Judge) count(p place, tap string, at, received time.Time, person string) []Change {
	r, v := p.round, p.visit
	missed := v.Verdict == facility.Missed
	v.Verdict, v.Tap, v.TappedAt, v.By = verdicts[p.fit], tap, &at, person
	v.Corrected = v.Corrected || missed
	order(r)
	settle(r)
	if a := j.alarms[alarmKey(r.ID, v.Checkpoint)]; missed && a != nil {
		return []Change{j.dismiss(r, a, facility.AlarmRetire, LateSync, received)}
	}
	return []Change{change(r, received)}
}

// order flags the visits of a round in order that were made after one that comes
// later in the route. It goes by the times of the taps, not by their arrival.
func order(r *facility.Round) {
	if !r.InOrder {
		return
	}
	var first *time.Time // the earliest of the visits behind
	for i := len(r.Visits) - 1; i >= 0; i-- {
		v := &r.Visits[i]
		v.OutOfOrder = v.TappedAt != nil && first != nil && first.Before(*v.TappedAt)
		if v.TappedAt != nil && (first == nil || v.TappedAt.Before(*first)) {
			first = v.TappedAt
		}
	}
}

func visitOf(r *facility.Round, checkpoint string) *facility.Visit {
	for i := range r.Visits {
		if r.Visits[i].Checkpoint == checkpoint {
			return &r.Visits[i]
		}
	}
	return nil
}
