package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/patrol"
	"gengfu/storage/ledger"
)

// retry is the pause after a failed write of the ledger or read of the journal.
const retry = time.Second

// maxUnwritten is how many decisions are held while the ledger cannot be written.
// With more nothing is judged until it can.
const maxUnwritten = 1000

// SaveMany is how much of the state, in points and instances, may wait for SaveEvery, so
// that the next decision has little to write with it: some 30 KB.
const SaveMany = 1000

// outcome is what a step decided, to be carried out in the ledger.
type outcome struct {
	rules  []rules.Change
	patrol []patrol.Change
	taps   []facility.JudgedTap
	act    *orderAct // of a person, on an order; it comes before all else
	actor  string    // who asked for it; "" is the program
	note   string

	swapped bool // other rules judge from now on

	notices []notice // what people are told, between the changes of rules
}

func (o outcome) len() int {
	n := len(o.taps) + len(o.patrol) + len(o.rules) + len(o.notices)
	if o.act != nil {
		n++
	}
	return n
}

// add puts what was decided next behind what was before.
func (o *outcome) add(next outcome) {
	o.taps = append(o.taps, next.taps...)
	o.patrol = append(o.patrol, next.patrol...)
	for _, n := range next.notices {
		n.after += len(o.rules)
		o.notices = append(o.notices, n)
	}
	o.rules = append(o.rules, next.rules...)
}

// split parts the outcome in two, in the order in which it is written.
func (o outcome) split() (first, second outcome) {
	if o.act != nil {
		second = o
		second.act = nil
		return outcome{act: o.act}, second
	}
	first, second = o, o
	half := o.len() / 2
	first.taps, second.taps = part(o.taps, &half)
	first.patrol, second.patrol = part(o.patrol, &half)
	first.notices, second.notices = nil, nil
	cut := 0
	for i := range len(o.rules) + 1 {
		for _, n := range o.notices {
			switch {
			case n.after != i:
			case half > 0:
				first.notices, half = append(first.notices, n), half-1
			default:
				n.after -= cut
				second.notices = append(second.notices, n)
			}
		}
		if i < len(o.rules) && half > 0 {
			cut, half = i+1, half-1
		}
	}
	first.rules, second.rules = o.rules[:cut], o.rules[cut:]
	return first, second
}

// part parts a list behind so many items as are left to the first half.
func part[T any](all []T, left *int) (first, second []T) {
	n := min(*left, len(all))
	*left -= n
	return all[:n], all[n:]
}

// cursorName binds the place in the journal to the life of its sequence numbers.
func (j *judge) cursorName() string { return cursorJudge + "@" + j.journal.Epoch() }

// step carries out what was decided; when nothing was, it keeps the state now
// and then. While the ledger cannot be written people are told what was decided,
// and judging goes on; the decisions are written when they can be, in their order.
func (j *judge) step(ctx context.Context, o outcome) {
	troubled := j.figures.trouble.Load() != nil
	pressed := j.unwritten()+o.len() > maxUnwritten
	switch {
	case o.len() == 0 && len(j.held) == 0 && !j.saveDue():
		return
	case troubled && !pressed && j.since(j.triedAt) < retry:
		j.hold(o)
	default:
		_ = j.commit(ctx, o) // what fails for good is logged and counted, the rest is held
	}
	for j.unwritten() > maxUnwritten && pause(ctx) {
		_ = j.commit(ctx, outcome{})
	}
}

// saveDue reports whether the state is to be kept although nothing is decided.
func (j *judge) saveDue() bool {
	return j.at != j.saved && (j.since(j.savedAt) >= SaveEvery || j.engine.Unsaved() >= SaveMany)
}

// unwritten is how many decisions are held.
func (j *judge) unwritten() (n int) {
	for _, o := range j.held {
		n += o.len()
	}
	return n
}

// hold keeps decisions until the ledger can be written, and tells people.
func (j *judge) hold(o outcome) {
	if o.len() > 0 {
		j.keep(append(j.held, o))
		j.foretell(o)
	}
}

func (j *judge) keep(held []outcome) {
	j.held = held
	j.figures.unwritten.Store(uint64(j.unwritten()))
}

// foretell tells people of an outcome that is not written yet: all but the orders
// that will follow from it.
func (j *judge) foretell(o outcome) {
	for _, t := range o.taps {
		j.board.publish(dashboard.Event{Tap: &t})
	}
	for _, c := range o.patrol {
		if c.Round.ID != "" {
			j.board.publish(dashboard.Event{Round: &c.Round})
		}
		if c.Alarm != nil {
			j.board.publish(dashboard.Event{Alarm: c.Alarm})
		}
	}
	for _, c := range o.rules {
		j.board.publish(dashboard.Event{Alarm: &c.Alarm})
	}
	for _, n := range o.notices {
		j.board.publish(dashboard.Event{Notice: &n.Notice})
	}
}

// commit writes the outcome behind what is held. What cannot be written now is
// held; what cannot be written ever is set aside.
func (j *judge) commit(ctx context.Context, o outcome) error {
	all := j.held
	if o.len() > 0 {
		all = append(all[:len(all):len(all)], o)
	}
	err := j.save(ctx, all, true)
	rest := all
	if err == nil {
		rest = nil
	} else if refused(err) {
		rest, err = j.sift(ctx, all)
	}
	j.noteTrouble(len(rest) > 0 || err != nil && !refused(err), err)
	j.triedAt = j.now()
	j.keep(rest)
	if len(rest) > 0 {
		j.foretell(o)
	}
	return err
}

// noteTrouble says whether the ledger can be written, and logs when that changes.
func (j *judge) noteTrouble(troubled bool, err error) {
	said := j.figures.trouble.Load()
	switch {
	case !troubled && said != nil:
		j.figures.trouble.Store(nil)
		j.log.Info("the ledger can be written again")
	case troubled && (said == nil || *said != err.Error()):
		s := err.Error()
		j.figures.trouble.Store(&s)
		j.log.Error("cannot write the judge's decisions; they are held, and people are told", "error", err)
	}
}

// sift writes outcomes one by one to find what the ledger refuses, and returns what
// is left when it cannot be written any more. Only the last piece moves the place
// in the journal.
func (j *judge) sift(ctx context.Context, all []outcome) (rest []outcome, err error) {
	for i, o := range all {
		left, e := j.write(ctx, o, i == len(all)-1)
		err = errors.Join(err, e)
		if len(left) > 0 {
			return append(left, all[i+1:]...), err
		}
	}
	return nil, err
}

// write halves an outcome that the ledger refuses until it finds the piece that
// cannot be, and sets that aside: one impossible fact must not hold up all others.
// It returns what could not be written now.
func (j *judge) write(ctx context.Context, o outcome, last bool) (rest []outcome, err error) {
	err = j.save(ctx, []outcome{o}, last)
	switch {
	case err != nil && !refused(err):
		return []outcome{o}, err
	case err == nil:
		return nil, nil
	case o.len() <= 1:
		j.figures.setAside.Add(1)
		j.log.Error("the ledger refuses a decision; it is set aside", "error", err, "decision", fmt.Sprintf("%+v", o))
		if last && o.len() > 0 {
			rest, e := j.write(ctx, outcome{}, true)
			return rest, errors.Join(err, e)
		}
		return nil, err
	}
	first, second := o.split()
	rest, err = j.write(ctx, first, false)
	if len(rest) > 0 {
		return append(rest, second), err
	}
	rest, e := j.write(ctx, second, last)
	return rest, errors.Join(err, e)
}

// refused reports whether trying again cannot help.
func refused(err error) bool {
	return errors.Is(err, facility.ErrInvalid) || errors.Is(err, facility.ErrConflict) || errors.Is(err, facility.ErrUnlawful)
}

// insist tries until it goes well or ctx ends, and logs a failure when it changes.
func (j *judge) insist(ctx context.Context, what string, try func() error) error {
	said := ""
	for {
		err := try()
		if err == nil || ctx.Err() != nil || refused(err) {
			if said != "" {
				j.figures.trouble.Store(nil)
			}
			return err
		}
		if s := err.Error(); s != said {
			said = s
			j.figures.trouble.Store(&s)
			j.log.Error("cannot "+what+"; trying again", "error", err)
		}
		if !pause(ctx) {
			return ctx.Err()
		}
	}
}

// save writes outcomes and, with the last piece, the place in the journal and the
// state at once, and then tells everybody.
func (j *judge) save(ctx context.Context, outcomes []outcome, last bool) error {
	var state rules.Saved
	if last {
		var err error
		if state, err = j.engine.Save(); err != nil {
			return err
		}
	}
	linked := map[string]string{}
	var kept func() // of the control
	err := j.board.change(ctx, func() (news []dashboard.Event, err error) {
		err = j.ledger.Update(ctx, func(tx *ledger.Tx) error {
			news = nil
			for _, o := range outcomes {
				w := writer{tx: tx, site: j.site, now: j.now().UTC(), actor: o.actor, note: o.note, linked: linked}
				if err := w.write(o); err != nil {
					return err
				}
				news = append(news, w.news...)
			}
			if !last {
				return nil
			}
			if err := j.early.save(tx); err != nil {
				return err
			}
			if err := tx.SetCursor(j.cursorName(), j.at); err != nil {
				return err
			}
			if kept, err = j.crowd.save(tx, state.Whole); err != nil {
				return err
			}
			if state.Whole {
				return tx.SaveState(stateRules, state.Data)
			}
			return tx.SavePart(stateRules, state.Seq, state.Before, state.Data)
		})
		return news, err
	})
	if err != nil {
		return err
	}
	wrote := j.now().UTC()
	j.figures.wrote.Store(&wrote)
	if last {
		j.engine.Kept()
		kept()
		j.early.saved()
		j.saved, j.savedAt = j.at, j.now()
		if err := j.journal.Commit(cursorJudge, j.at); err != nil {
			j.log.Error("cannot move the judge's cursor", "error", err)
		}
	}
	for alarm, order := range linked {
		j.engine.SetOrder(alarm, order)
		j.patrol.SetOrder(alarm, order)
	}
	return nil
}
