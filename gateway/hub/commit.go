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

// ledgerRetry is the pause after a failed write of the ledger.
const ledgerRetry = time.Second

// outcome is what a step decided, to be carried out in the ledger.
type outcome struct {
	rules  []rules.Change
	patrol []patrol.Change
	taps   []facility.JudgedTap
	actor  string // who asked for it; "" is the program
	note   string
}

func (o outcome) len() int { return len(o.taps) + len(o.patrol) + len(o.rules) }

// split parts the outcome in two, in the order in which it is written.
func (o outcome) split() (first, second outcome) {
	first, second = o, o
	half := o.len() / 2
	n := min(half, len(o.taps))
	first.taps, second.taps = o.taps[:n], o.taps[n:]
	half -= n
	n = min(half, len(o.patrol))
	first.patrol, second.patrol = o.patrol[:n], o.patrol[n:]
	n = half - n
	first.rules, second.rules = o.rules[:n], o.rules[n:]
	return first, second
}

// cursorName binds the place in the journal to the life of its sequence numbers.
func (j *judge) cursorName() string { return cursorJudge + "@" + j.journal.Epoch() }

// step carries out what was decided; when nothing was, it keeps the state now
// and then.
func (j *judge) step(ctx context.Context, o outcome) {
	if o.len() == 0 && (j.at == j.saved || j.now().Sub(j.savedAt) < saveEvery) {
		return
	}
	_ = j.commit(ctx, o) // what fails for good is logged and counted below
}

// commit writes the outcome until it is written or ctx ends: what was decided
// must not be forgotten while later facts are judged.
func (j *judge) commit(ctx context.Context, o outcome) error {
	return j.write(ctx, o, true)
}

// write halves an outcome that the ledger refuses until it finds the piece that
// cannot be, and sets that aside: one impossible fact must not hold up all others.
// Only the last piece moves the place in the journal.
func (j *judge) write(ctx context.Context, o outcome, last bool) error {
	err := j.insist(ctx, "write the judge's decisions", func() error { return j.save(ctx, o, last) })
	switch {
	case err != nil && !refused(err):
		j.lost = true
		return err
	case err == nil:
		return nil
	case o.len() <= 1:
		j.figures.setAside.Add(1)
		j.log.Error("the ledger refuses a decision; it is set aside", "error", err, "decision", fmt.Sprintf("%+v", o))
		if last && o.len() > 0 {
			return errors.Join(err, j.write(ctx, outcome{}, true))
		}
		return err
	}
	first, second := o.split()
	return errors.Join(j.write(ctx, first, false), j.write(ctx, second, last))
}

// refused reports whether trying again cannot help.
func refused(err error) bool {
	return errors.Is(err, facility.ErrInvalid) || errors.Is(err, facility.ErrConflict) || errors.Is(err, facility.ErrUnlawful)
}

// insist tries until it goes well or ctx ends, and logs a failure when it changes.
func (j *judge) insist(ctx context.Context, what string, try func() error) error {
	said := ""
	defer j.figures.trouble.Store(nil)
	for {
		err := try()
		if err == nil || ctx.Err() != nil || refused(err) {
			return err
		}
		if s := err.Error(); s != said {
			said = s
			j.figures.trouble.Store(&s)
			j.log.Error("cannot "+what+"; trying again", "error", err)
		}
		if !pause(ctx, ledgerRetry) {
			return ctx.Err()
		}
	}
}

// save writes the outcome and, with the last piece, the place in the journal and
// the state at once, and then tells everybody.
func (j *judge) save(ctx context.Context, o outcome, last bool) error {
	state, err := j.engine.Snapshot()
	if err != nil {
		return err
	}
	var w writer
	err = j.board.change(ctx, func() ([]dashboard.Event, error) {
		err := j.ledger.Update(ctx, func(tx *ledger.Tx) error {
			w = writer{tx: tx, site: j.site, now: j.now().UTC(), actor: o.actor, note: o.note}
			if err := w.write(o); err != nil || !last {
				return err
			}
			if err := tx.SetCursor(j.cursorName(), j.at); err != nil {
				return err
			}
			return tx.SaveState(stateRules, state)
		})
		return w.news, err
	})
	if err != nil {
		return err
	}
	if last {
		j.saved, j.savedAt = j.at, j.now()
		if err := j.journal.Commit(cursorJudge, j.at); err != nil {
			j.log.Error("cannot move the judge's cursor", "error", err)
		}
	}
	for alarm, order := range w.linked {
		j.engine.SetOrder(alarm, order)
		j.patrol.SetOrder(alarm, order)
	}
	return nil
}
