package patrol

import (
	"maps"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/lifecycle"
)

// Rule is the rule of every alarm of this package.
const Rule = "patrol"

// TitleSeparator stands between the round and the checkpoint in an alarm's title.
const TitleSeparator = " · "

// Reason says why an alarm is not active any more.
type Reason string

// The reasons.
const (
	// LateSync takes back a missed checkpoint: its tap was made in time and came
	// late. The alarm is retired, and so should be the order that it raised.
	LateSync Reason = "late_sync"
	// Over ends an alarm that somebody has acknowledged: the round can change no more.
	Over Reason = "over"
)

// Change is one thing that happened to a round, and to one alarm of it.
type Change struct {
	Round   facility.Round  // as it is afterwards; empty when an alarm outlived its round
	Alarm   *facility.Alarm // as it is afterwards; nil when only the round changed
	Event   facility.AlarmEvent
	From    facility.AlarmState // of the alarm, before
	Reason  Reason              // with retire and clear
	Missing int                 // checkpoints of the round that are missed, afterwards
	At      time.Time           // the instant at which it became so, however late it was found

	Annunciate bool // people are to be told; nothing else says so
}

// Judge holds the rounds that are near and judges taps against them. It is a
// plain value for one goroutine at a time; the same calls in the same order give
// the same changes. Its state is the rounds and alarms themselves, which the
// ledger keeps: Load takes it up again.
type Judge struct {
	estate      facility.Estate
	zone        *time.Location
	routes      map[string]facility.Route
	checkpoints map[string]facility.Checkpoint
	byReader    map[string]string // checkpoint ids
	byTag       map[string]string
	byToken     map[string]string
	rounds      []*facility.Round          // by start, then id
	alarms      map[string]*facility.Alarm // standing, by key
	until       time.Time                  // rounds are made up to here; zero before the first Advance
}

// New returns the judge of the estate's plans.
func New(estate facility.Estate) *Judge {
	j := &Judge{
		estate:      estate,
		zone:        estate.Site.Zone,
		routes:      map[string]facility.Route{},
		checkpoints: map[string]facility.Checkpoint{},
		byReader:    map[string]string{},
		byTag:       map[string]string{},
		byToken:     map[string]string{},
		alarms:      map[string]*facility.Alarm{},
	}
	if j.zone == nil {
		j.zone = time.UTC
	}
	for _, r := range estate.Routes {
		j.routes[r.ID] = r
	}
	for _, r := range estate.Readers {
		j.byReader[r.ID] = r.Checkpoint
	}
	for _, c := range estate.Checkpoints {
		j.checkpoints[c.ID] = c
		for _, tag := range c.Tags {
			j.byTag[tag] = c.ID
		}
		if c.Token != "" {
			j.byToken[c.Token] = c.ID
		}
	}
	return j
}

// Load takes up the state that the ledger kept: every round that started in the
// last days or has yet to start, and the alarms of this package that are not
// normal. It is called before anything else, or not at all.
func (j *Judge) Load(rounds []facility.Round, alarms []facility.Alarm) {
	for _, r := range rounds {
		j.hold(r)
	}
	for _, a := range alarms {
		if a.Rule == Rule && a.State != facility.AlarmNormal {
			c := copyAlarm(a)
			j.alarms[a.Key] = &c
		}
	}
}

// Rounds returns the rounds that the judge holds, by start.
func (j *Judge) Rounds() []facility.Round {
	out := make([]facility.Round, len(j.rounds))
	for i, r := range j.rounds {
		out[i] = copyRound(r)
	}
	return out
}

// Quiet reports whether no tap of the checkpoint that was made before the instant
// before can still be on its way from a reader or phone that is known.
type Quiet func(checkpoint string, before time.Time) bool

// Advance does what became true by time alone until now: it makes the rounds of
// the next day, opens those whose window begins, and judges missed what was not
// reached. A checkpoint is missed at the end of window and tolerance, or, while
// quiet says that a tap may still be on its way, once the grace is over too; the
// change bears the end of the tolerance in any case. A nil quiet is always true.
//
// The first Advance makes no round that began before now: nobody is blamed for
// what was asked before the program was there. Rounds that Load brought and that
// have yet to begin follow the plans as they are now, or are cancelled.
func (j *Judge) Advance(now time.Time, quiet Quiet) []Change {
	now = instant(now)
	out := j.Open(now)
	for _, r := range j.rounds {
		if r.State != facility.RoundCancelled {
			out = j.miss(out, r, now, quiet)
		}
	}
	out = j.end(out, now)
	j.rounds = slices.DeleteFunc(j.rounds, func(r *facility.Round) bool { return !now.Before(over(r)) })
	slices.SortStableFunc(out, func(a, b Change) int { return a.At.Compare(b.At) })
	return out
}

// Open is the part of Advance that blames nobody: it makes the rounds of the next
// day and opens those whose window begins. It is for when it is known that taps
// are still to come, as after the program was away.
func (j *Judge) Open(now time.Time) []Change {
	now = instant(now)
	out := j.schedule(now)
	for _, r := range j.rounds {
		if r.State != facility.RoundCancelled {
			out = j.open(out, r, now)
		}
	}
	return out
}

func (j *Judge) open(out []Change, r *facility.Round, now time.Time) []Change {
	if r.State != facility.RoundScheduled || now.Before(r.Start) {
		return out
	}
	r.State = facility.RoundDue
	return append(out, change(r, r.Start))
}

func (j *Judge) miss(out []Change, r *facility.Round, now time.Time, quiet Quiet) []Change {
	end := closing(r)
	if now.Before(end) {
		return out
	}
	sure := quiet == nil || !now.Before(over(r))
	var missed []string
	for i := range r.Visits {
		v := &r.Visits[i]
		if v.Verdict == facility.Pending && (sure || quiet(v.Checkpoint, end)) {
			v.Verdict = facility.Missed
			missed = append(missed, v.Checkpoint)
		}
	}
	if len(missed) == 0 {
		return out
	}
	settle(r)
	for _, c := range missed {
		a := j.newAlarm(r, c, end)
		j.alarms[a.Key] = a
		t, _ := step(a, lifecycle.Input{Event: facility.AlarmRaise, At: end, By: facility.SystemActor, Priority: a.Priority}) // lawful: it is normal
		out = append(out, alarmChange(r, a, t, "", end))
	}
	return out
}

// end brings to normal the acknowledged alarms whose rounds can change no more.
// Before it is acknowledged an alarm stands: the past does not mend itself.
func (j *Judge) end(out []Change, now time.Time) []Change {
	for _, key := range slices.Sorted(maps.Keys(j.alarms)) {
		a := j.alarms[key]
		if a.State != facility.AlarmAcknowledged {
			continue
		}
		switch r := j.find(a.Round); {
		case r == nil:
			out = append(out, j.dismiss(nil, a, facility.AlarmClear, Over, now))
		case !now.Before(over(r)):
			out = append(out, j.dismiss(r, a, facility.AlarmClear, Over, over(r)))
		}
	}
	return out
}

// dismiss brings an alarm to normal and lets go of it: one that is acknowledged by
// clearing it, any other by retiring it.
func (j *Judge) dismiss(r *facility.Round, a *facility.Alarm, e facility.AlarmEvent, why Reason, at time.Time) Change {
	if a.AckedAt != nil && at.Before(*a.AckedAt) {
		at = *a.AckedAt
	}
	t, _ := step(a, lifecycle.Input{Event: e, At: at, By: facility.SystemActor}) // lawful, see above
	a.ClearedAt = &at
	delete(j.alarms, a.Key)
	return alarmChange(r, a, t, why, at)
}

// closing is the instant from which a checkpoint that was not reached is missed.
func closing(r *facility.Round) time.Time { return r.End.Add(r.Tolerance) }

// over is the instant from which a round can change no more.
func over(r *facility.Round) time.Time { return closing(r).Add(r.Grace) }

// settle gives the round the state that its visits make.
func settle(r *facility.Round) {
	var expected, reached, pending, missed, odd int
	for _, v := range r.Visits {
		switch v.Verdict {
		case facility.Exempt:
			continue
		case facility.Pending:
			pending++
		case facility.Missed:
			missed++
		default:
			reached++
			if v.Verdict != facility.OnTime || v.OutOfOrder || v.By == "" {
				odd++ // whose card nobody knows has not shown that a guard was there
			}
		}
		expected++
	}
	switch {
	case pending > 0 && reached == 0:
		// Nobody has tapped: it is scheduled or due as it was.
	case pending > 0:
		r.State = facility.RoundInProgress
	case missed == expected && expected > 0:
		r.State = facility.RoundMissed
	case missed > 0:
		r.State = facility.RoundIncomplete
	case odd > 0:
		r.State = facility.RoundExceptions
	default:
		r.State = facility.RoundCompleted
	}
}

func change(r *facility.Round, at time.Time) Change {
	c := Change{At: at}
	if r == nil {
		return c
	}
	c.Round = copyRound(r)
	for _, v := range r.Visits {
		if v.Verdict == facility.Missed {
			c.Missing++
		}
	}
	return c
}

func alarmChange(r *facility.Round, a *facility.Alarm, t lifecycle.Transition, why Reason, at time.Time) Change {
	c := change(r, at)
	alarm := copyAlarm(*a)
	c.Alarm, c.Event, c.From, c.Reason, c.Annunciate = &alarm, t.Event, t.From, why, t.Annunciate
	return c
}

func alarmKey(round, checkpoint string) string { return "patrol/" + round + "/" + checkpoint }

func (j *Judge) newAlarm(r *facility.Round, checkpoint string, at time.Time) *facility.Alarm {
	c := j.checkpoints[checkpoint]
	name := c.Name
	if name.Empty() {
		name = facility.Text{ZH: checkpoint}
	}
	key := alarmKey(r.ID, checkpoint)
	start := r.Start.In(j.zone).Format("15:04")
	return &facility.Alarm{
		ID:         rules.AlarmID(j.estate.Site.ID, key, at),
		Key:        key,
		Rule:       Rule,
		Place:      c.Place,
		Checkpoint: checkpoint,
		Round:      r.ID,
		Title: facility.Text{
			ZH: "漏巡：" + r.Name.In("zh") + " " + start + TitleSeparator + name.In("zh"),
			EN: "Missed patrol: " + r.Name.In("en") + " " + start + TitleSeparator + name.In("en"),
		},
		Advice: facility.Text{
			ZH: "联系当班保安，补巡该点并查明原因",
			EN: "Call the guard on duty, have the checkpoint visited and find out why it was missed",
		},
		Priority: facility.P3,
		State:    facility.AlarmNormal,
		Count:    1,
		RaisedAt: at,
		LastAt:   at,
	}
}

// instant brings a time to the one form in which it is kept.
func instant(t time.Time) time.Time { return t.UTC().Round(0) }

func copyRound(r *facility.Round) facility.Round {
	c := *r
	c.Visits = slices.Clone(r.Visits)
	for i := range c.Visits {
		c.Visits[i].TappedAt = copyTime(c.Visits[i].TappedAt)
	}
	return c
}

func copyAlarm(a facility.Alarm) facility.Alarm {
	a.ClearedAt, a.AckedAt = copyTime(a.ClearedAt), copyTime(a.AckedAt)
	return a
}

func copyTime(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}
