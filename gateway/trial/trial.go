// Package trial tries rules on the stored history: it reads what a backtest needs, no
// more of it at a time than memory bears, and lets package backtest judge it.
package trial

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/backtest"
	"gengfu/storage/history"
)

// Learn is how much of the time before fills windows and what is learned, where nobody
// says otherwise: as long as the longest window.
const Learn = rules.LongestDelay

// Errors of a trial that has nothing to judge.
var (
	ErrNoDevice  = errors.New("the rule selects no device of the site")
	ErrNoHistory = errors.New("the history has nothing of its devices in that time")
)

// Ask is what is to be tried.
type Ask struct {
	Rules   []rules.Rule
	Estate  facility.Estate
	Options []rules.Option
	// From and To bound what is counted.
	From, To time.Time
	// Learn is how much of the time before From is judged too, and not counted; at least 0.
	Learn time.Duration
	// Progress is told after each stretch up to when it is judged, what part of all that
	// is, from 0 to 1, and how many alarms there are. May be nil.
	Progress func(upTo time.Time, done float64, alarms int)
}

// Run tries the rules. What is wrong with them is a facility.Problem.
func Run(ctx context.Context, s history.Store, a Ask) (backtest.Result, error) {
	settings := backtest.Settings{Rules: a.Rules, Estate: a.Estate, Options: a.Options, Begin: a.From.Add(-a.Learn), From: a.From}
	run, problems := backtest.New(settings)
	if problems != nil {
		return backtest.Result{}, problems[0]
	}
	devices := run.Devices()
	if len(devices) == 0 {
		return backtest.Result{}, ErrNoDevice
	}
	// What was before the first reading is no silence.
	begin, end, err := history.Cut(ctx, s, devices, settings.Begin, a.To)
	if err != nil {
		return backtest.Result{}, fmt.Errorf("see what the history has: %w", err)
	}
	if !begin.Before(end) {
		return backtest.Result{}, ErrNoHistory
	}
	settings.Begin = begin
	if run, problems = backtest.New(settings); problems != nil {
		return backtest.Result{}, problems[0]
	}
	var readings []facility.Reading
	err = history.Scan(ctx, s, devices, begin, a.To, func(rows []history.Row, upTo time.Time) error {
		readings = readings[:0]
		for _, r := range rows {
			readings = append(readings, r.Reading)
		}
		run.Take(readings)
		if a.Progress != nil {
			a.Progress(upTo, float64(upTo.Sub(begin))/float64(a.To.Sub(begin)), run.Alarms())
		}
		return ctx.Err()
	})
	if err != nil {
		return backtest.Result{}, fmt.Errorf("read the history: %w", err)
	}
	return run.End(a.To), nil
}
