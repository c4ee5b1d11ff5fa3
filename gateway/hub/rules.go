package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/gateway/trial"
	"gengfu/rules"
	"gengfu/storage/ledger"
)

// Rulebook is the book with the judge that goes by it and the history that it is tried
// on.
type Rulebook struct {
	*Book
	hub *Hub
}

// Rules returns the rule book of the hub; Options.Book must be there.
func (h *Hub) Rules() *Rulebook { return &Rulebook{Book: h.o.Book, hub: h} }

var _ dashboard.RuleBook = (*Rulebook)(nil)

// SaveRule makes, changes or takes back a rule, and has the judge go on with it: all
// other rules keep their state.
func (b *Rulebook) SaveRule(ctx context.Context, by facility.Person, ask dashboard.RuleSaving) (dashboard.RuleDetailShape, error) {
	err := b.save(ctx, by, ask, func(next *rules.Engine, write func(*ledger.Tx) error, done func()) error {
		return b.hub.judge.swap(ctx, next, write, done)
	})
	if err != nil {
		return dashboard.RuleDetailShape{}, fmt.Errorf("save rule %s: %w", ask.ID, err)
	}
	return b.Rule(ctx, ask.ID)
}

// swap goes on with other rules. What is written first says so: from then on a restart
// takes up the old state with the new rules too, and so a kill before what follows is
// written changes nothing of it.
func (j *judge) swap(ctx context.Context, next *rules.Engine, write func(*ledger.Tx) error, done func()) error {
	work := context.WithoutCancel(ctx) // what is begun is brought to its end
	return j.ask(ctx, func() (outcome, error) {
		now := j.now().UTC()
		if err := next.TakeOver(j.engine, now); err != nil {
			return outcome{}, err
		}
		if err := j.ledger.Update(work, write); err != nil {
			return outcome{}, err
		}
		before := j.engine
		j.engine = next
		done()
		return outcome{rules: slices.Concat(next.Retire(now), j.letGo(before, now)), swapped: true}, nil
	})
}

// letGo ends the holds of alarms that no rule stands for any more.
func (j *judge) letGo(before *rules.Engine, now time.Time) []rules.Change {
	var out []rules.Change
	for _, held := range before.Held() {
		for _, h := range held.Life.Holds(held.Alarm.Key) {
			if _, stays := j.holds(h.Key, h.Kind); !stays {
				out = append(out, dropped(h, now))
			}
		}
	}
	return out
}

// Backtest says what a rule would have made of the history.
func (b *Rulebook) Backtest(ctx context.Context, ask dashboard.BacktestAsk, progress func(done float64)) (any, error) {
	rule, err := b.chosen(ask)
	if err != nil {
		return nil, err
	}
	if now := b.o.Now(); ask.To.After(now) {
		ask.To = now // what has not been is no silence
	}
	if !ask.From.Before(ask.To) {
		return nil, fmt.Errorf("try rule %s: %w", rule.ID, dashboard.ErrNoHistory)
	}
	result, err := trial.Run(ctx, b.hub.o.History, trial.Ask{
		Rules: []rules.Rule{rule}, Estate: b.o.Estate, Options: b.o.Options, From: ask.From, To: ask.To, Learn: trial.Learn,
		Progress: func(_ time.Time, done float64, _ int) { progress(done) },
	})
	switch {
	case errors.Is(err, trial.ErrNoDevice):
		return nil, fmt.Errorf("try rule %s: %w", rule.ID, dashboard.ErrNoDevice)
	case errors.Is(err, trial.ErrNoHistory):
		return nil, fmt.Errorf("try rule %s: %w", rule.ID, dashboard.ErrNoHistory)
	case err != nil:
		return nil, fmt.Errorf("try rule %s: %w", rule.ID, err)
	}
	return result, nil
}
