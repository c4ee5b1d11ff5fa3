package hub_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/rules/backtest"
)

func TestARuleIsTriedOnTheHistory(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		begin := h.now()
		for _, v := range []float64{0, 1, 0, 1} {
			h.tell(h.bit(v))
			h.pass(time.Minute)
		}
		end := h.now()
		try := func(ask dashboard.BacktestAsk) (backtest.Result, error) {
			t.Helper()
			if ask.From.IsZero() {
				ask.From, ask.To = begin.Add(-time.Hour), end.Add(24*time.Hour)
			}
			last := 0.0
			got, err := h.hub.Rules().Backtest(t.Context(), ask, func(done float64) {
				if done < last || done > 1 {
					t.Errorf("%v done, after %v", done, last)
				}
				last = done
			})
			if err != nil {
				return backtest.Result{}, err
			}
			if last != 1 {
				t.Errorf("%v done at the end", last)
			}
			return got.(backtest.Result), nil
		}
		for name, ask := range map[string]dashboard.BacktestAsk{
			"one that counts": {Rule: "pump-fault"},
			"one that is new": {Source: written("new", "fault", "")},
		} {
			r, err := try(ask)
			if err != nil || r.Alarms != 2 || r.Orders != 1 || r.Reopened != 1 || r.Notices != 2 || r.Readings != 4 || len(r.Occurrences) != 2 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
			if !r.To.Equal(end) {
				t.Errorf("%s: it is tried until %s, and it is %s", name, r.To, end)
			}
		}
		for name, c := range map[string]struct {
			ask  dashboard.BacktestAsk
			want error
		}{
			"one that is not there":   {dashboard.BacktestAsk{Rule: "none"}, facility.ErrNotFound},
			"one of no device":        {dashboard.BacktestAsk{Source: written("new", "flow > 1", "optional: true\n")}, facility.ErrInvalid},
			"before there was a past": {dashboard.BacktestAsk{Rule: "pump-fault", From: begin.Add(-48 * time.Hour), To: begin.Add(-24 * time.Hour)}, dashboard.ErrNoHistory},
			"what is to come":         {dashboard.BacktestAsk{Rule: "pump-fault", From: end.Add(time.Hour), To: end.Add(24 * time.Hour)}, dashboard.ErrNoHistory},
		} {
			if _, err := try(c.ask); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		var wrong *dashboard.RuleMistakesError
		if _, err := try(dashboard.BacktestAsk{Source: written("new", "fualt", "")}); !errors.As(err, &wrong) {
			t.Errorf("a wrong one: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.hub.Rules().Backtest(gone, dashboard.BacktestAsk{Rule: "pump-fault", From: begin, To: end}, func(float64) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits for it: %v", err)
		}
	})
}
