package hub

import (
	"context"
	"fmt"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/patrol"
	"gengfu/storage/ledger"
)

// roundsBack is how far back rounds are taken up at the start. The longest that
// a plan can say are a window of one day, half a day of tolerance and three days
// of grace.
const roundsBack = 5 * 24 * time.Hour

// restore takes up what the ledger kept.
func (j *judge) restore(ctx context.Context) error {
	var state []byte
	var parts, crowd [][]byte
	var rounds []facility.Round
	var standing []facility.Alarm
	var holds keptHolds
	now := j.now()
	err := j.ledger.View(ctx, func(tx *ledger.Tx) error {
		var err error
		if j.at, err = tx.Cursor(j.cursorName()); err != nil {
			return err
		}
		if state, err = tx.State(stateRules); err != nil {
			return err
		}
		if parts, err = tx.StateParts(stateRules); err != nil {
			return err
		}
		if crowd, err = readCrowd(tx); err != nil {
			return err
		}
		if err = j.early.restore(tx); err != nil {
			return err
		}
		if rounds, err = tx.RoundsBetween(now.Add(-roundsBack), now.Add(roundsBack)); err != nil {
			return err
		}
		if holds, err = readHolds(tx); err != nil {
			return err
		}
		standing, err = tx.StandingAlarms()
		return err
	})
	if err != nil {
		return fmt.Errorf("take up the judge's state: %w", err)
	}
	if err := j.checkPlace(); err != nil {
		return err
	}
	if len(state) > 0 {
		if err := j.engine.Restore(state, parts...); err != nil {
			j.log.Error("the state of the rules cannot be taken up; they start anew", "error", err)
		}
	}
	var missed []facility.Alarm
	for _, a := range standing {
		j.engine.SetOrder(a.ID, a.OrderID)
		if a.Rule == patrol.Rule {
			missed = append(missed, a)
		}
	}
	j.patrol.Load(rounds, missed)
	j.engine.Listen(now)
	j.saved, j.savedAt, j.begun = j.at, now, now
	o := outcome{rules: j.engine.Retire(now)}
	o.rules = append(o.rules, j.orphans(standing, o.rules)...)
	o.rules = append(o.rules, j.agree(holds, now)...)
	// What was missed meanwhile is judged once the journal is read: a tap may be in
	// it, and needs its round.
	o.patrol = j.patrol.Open(now)
	o = j.takeUp(o, crowd, now)
	_ = j.commit(ctx, o) // what cannot be written is held or set aside
	return ctx.Err()
}

// checkPlace begins a new epoch where the ledger knows more of the journal than
// the journal itself: its file is an old copy, and new facts would get sequences
// that count as judged. What it holds is judged again, which changes nothing.
func (j *judge) checkPlace() error {
	if j.at <= j.journal.Last() {
		return nil
	}
	j.log.Error("THE HUB'S JOURNAL IS AN OLD COPY: the ledger knows facts that it does not hold; it begins a new epoch",
		"epoch", j.journal.Epoch(), "ledger", j.at, "journal", j.journal.Last())
	j.at = 0
	return j.journal.Renew()
}

// orphans retires alarms that stand in the ledger but in nobody's mind: the state
// of the rules was lost. Where the fault is still there it is raised again.
func (j *judge) orphans(standing []facility.Alarm, retired []rules.Change) []rules.Change {
	held := map[string]bool{}
	for _, a := range j.engine.Standing() {
		held[a.ID] = true
	}
	for _, a := range j.patrol.Standing() {
		held[a.ID] = true
	}
	for _, c := range retired {
		held[c.Alarm.ID] = true
	}
	var out []rules.Change
	for _, a := range standing {
		if held[a.ID] {
			continue
		}
		now, from := j.now().UTC(), a.State
		a.State, a.ClearedAt = facility.AlarmNormal, &now
		out = append(out, rules.Change{Alarm: a, Event: facility.AlarmRetire, From: from, At: now})
	}
	return out
}
