package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/rules"
	"gengfu/rules/patrol"
	"gengfu/storage/ledger"
)

const (
	// settle is how long a reading may be on its way from the field to the judge:
	// what time alone brings about is judged this much later, so that a reading
	// made before an instant is heard before the instant is judged.
	settle = 500 * time.Millisecond
	// beat is how often time alone is judged.
	beat = 500 * time.Millisecond
	// saveEvery is how often the judge's state is kept while nothing is decided.
	// After a crash so much of the journal is judged again, with the same result.
	saveEvery = 5 * time.Second
	// ledgerRetry is the pause after a failed write of the ledger.
	ledgerRetry = time.Second
	// lastCommit is how long the program's end waits for the last write.
	lastCommit = 5 * time.Second
	// roundsBack is how far back rounds are taken up at the start.
	roundsBack = 4 * 24 * time.Hour
)

// judge owns all that is decided. One goroutine feeds it facts, requests and
// time; what it decides, where it stands in the journal and its state go into the
// ledger in one transaction.
type judge struct {
	site     facility.Site
	ledger   *ledger.Ledger
	journal  *journal.Journal
	engine   *rules.Engine
	patrol   *patrol.Judge
	board    *board
	gateways func() bool // whether every known gateway is connected
	now      func() time.Time
	log      *slog.Logger

	requests chan request
	at       uint64 // sequence of the last record that was judged
	saved    uint64 // ... that the ledger knows of
	savedAt  time.Time
	setAside atomic.Uint64 // decisions that the ledger refused
}

// request is something that a person wants of the judge, answered when it is
// durable.
type request struct {
	do     func() (outcome, error)
	answer chan error
}

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

// restore takes up what the ledger kept.
func (j *judge) restore(ctx context.Context) error {
	var state []byte
	var rounds []facility.Round
	var standing []facility.Alarm
	now := j.now()
	err := j.ledger.View(ctx, func(tx *ledger.Tx) error {
		var err error
		if j.at, err = tx.Cursor(j.cursorName()); err != nil {
			return err
		}
		if state, err = tx.State(stateRules); err != nil && !errors.Is(err, facility.ErrNotFound) {
			return err
		}
		if rounds, err = tx.RoundsBetween(now.Add(-roundsBack), now.Add(roundsBack)); err != nil {
			return err
		}
		standing, err = tx.StandingAlarms()
		return err
	})
	if err != nil {
		return fmt.Errorf("take up the judge's state: %w", err)
	}
	if len(state) > 0 {
		if err := j.engine.Restore(state); err != nil {
			j.log.Error("the state of the rules cannot be taken up; they start anew", "error", err)
		}
	}
	var missed []facility.Alarm
	for _, a := range standing {
		if a.Rule == patrol.Rule {
			missed = append(missed, a)
		}
	}
	j.patrol.Load(rounds, missed)
	j.engine.Listen(now)
	j.saved, j.savedAt = j.at, now
	o := outcome{rules: j.engine.Retire(now)}
	o.rules = append(o.rules, j.orphans(standing)...)
	o.patrol = j.patrol.Advance(now, j.quiet(false))
	return j.commit(ctx, o)
}

// orphans retires alarms that stand in the ledger but in nobody's mind: the state
// of the rules was lost. Where the fault is still there it is raised again.
func (j *judge) orphans(standing []facility.Alarm) []rules.Change {
	held := map[string]bool{}
	for _, a := range j.engine.Standing() {
		held[a.ID] = true
	}
	for _, a := range j.patrol.Standing() {
		held[a.ID] = true
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

func (j *judge) run(ctx context.Context) {
	batches := make(chan facts)
	go pump(ctx, j.journal, j.at, batches, j.log)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case f, open := <-batches:
			if !open {
				j.finish(ctx)
				return
			}
			j.step(ctx, j.hear(ctx, f))
		case r := <-j.requests:
			j.serve(ctx, r)
		case <-tick.C:
			j.step(ctx, j.tick())
		}
	}
}

// finish keeps the state at the end, so that the next start has nothing to judge
// again.
func (j *judge) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCommit)
	defer cancel()
	if err := j.save(ctx, outcome{}, true); err != nil {
		j.log.Warn("the judge's last state was not kept; a few facts will be judged again", "error", err)
	}
}

// hear judges a stretch of the journal.
func (j *judge) hear(ctx context.Context, f facts) outcome {
	var o outcome
	for _, item := range f.items {
		o.rules = append(o.rules, j.engine.Observe(item.readings...)...)
		for _, t := range item.taps {
			judged, changes := j.patrol.Tap(t, func(uid string) string { return j.holder(ctx, uid) })
			o.taps = append(o.taps, judged)
			o.patrol = append(o.patrol, changes...)
		}
	}
	j.at = f.upTo
	return o
}

// holder names the person whose badge it is. A ledger that cannot be read makes
// it wait, because a guard must not become unknown by our failure.
func (j *judge) holder(ctx context.Context, uid string) string {
	var p facility.Person
	err := j.insist(ctx, "find the holder of a badge", func() error {
		err := j.ledger.View(ctx, func(tx *ledger.Tx) (err error) {
			p, err = tx.PersonByBadge(uid)
			return err
		})
		if errors.Is(err, facility.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil || p.Disabled {
		return ""
	}
	return p.Login
}

// tick judges what time alone brings about. While facts wait in the journal the
// time of the newest ones is not known yet, and nothing is held against anybody.
func (j *judge) tick() outcome {
	if j.at < j.journal.Last() {
		return outcome{}
	}
	now := j.now().Add(-settle)
	return outcome{rules: j.engine.Advance(now), patrol: j.patrol.Advance(now, j.quiet(true))}
}

// quiet says whether a tap can still be on its way from a reader: not while the
// journal is read to its end and every gateway is connected. What a phone still
// holds nobody knows; a late tap of it corrects the verdict.
func (j *judge) quiet(caughtUp bool) patrol.Quiet {
	return func(string, time.Time) bool { return caughtUp && j.gateways() }
}

// step carries out what was decided; when nothing was, it keeps the state now
// and then.
func (j *judge) step(ctx context.Context, o outcome) {
	if o.len() == 0 && (j.at == j.saved || j.now().Sub(j.savedAt) < saveEvery) {
		return
	}
	_ = j.commit(ctx, o) // it fails only when the program ends, and then the journal still holds the facts
}

func (j *judge) serve(ctx context.Context, r request) {
	o, err := r.do()
	if err == nil {
		err = j.commit(ctx, o)
	}
	r.answer <- err
}

// ask has the judge do something and waits until it is durable.
func (j *judge) ask(ctx context.Context, do func() (outcome, error)) error {
	r := request{do: do, answer: make(chan error, 1)}
	select {
	case j.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
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
	if !refused(err) {
		return err
	}
	if o.len() <= 1 {
		j.setAside.Add(1)
		j.log.Error("the ledger refuses a decision; it is set aside", "error", err, "decision", fmt.Sprintf("%+v", o))
		if last {
			return errors.Join(err, j.save(ctx, outcome{}, true))
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
	for {
		err := try()
		if err == nil || ctx.Err() != nil || refused(err) {
			return err
		}
		if err.Error() != said {
			said = err.Error()
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
	err = j.ledger.Update(ctx, func(tx *ledger.Tx) error {
		w = writer{tx: tx, site: j.site, now: j.now().UTC(), actor: o.actor, note: o.note}
		if err := w.write(o); err != nil {
			return err
		}
		if !last {
			return nil
		}
		if err := tx.SetCursor(j.cursorName(), j.at); err != nil {
			return err
		}
		return tx.SaveState(stateRules, state)
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
	for _, e := range w.news {
		j.board.publish(e)
	}
	return nil
}

// acknowledge says that a person has seen the alarm.
func (j *judge) acknowledge(ctx context.Context, by facility.Person, id, note string) error {
	return j.ask(ctx, func() (outcome, error) {
		now := j.now().UTC()
		o := outcome{actor: by.Login, note: note}
		c, err := j.engine.Acknowledge(id, by.Login, note, now)
		if err == nil {
			o.rules = []rules.Change{c}
			return o, nil
		}
		if !errors.Is(err, facility.ErrNotFound) {
			return o, err
		}
		o.patrol, err = j.patrol.Acknowledge(id, by.Login, note, now)
		return o, err
	})
}
