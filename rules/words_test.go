package rules_test

import (
	"testing"
	"time"

	"gengfu/rules"
)

func TestCondition(t *testing.T) {
	limit := 2.5
	for want, r := range map[string]rules.Rule{
		"fault == 1":                    {When: "fault == 1"},
		"no_data 15m":                   {NoData: &rules.NoData{After: 15 * time.Minute}},
		"no_data(flow, total) 1h":       {NoData: &rules.NoData{Quantities: []string{"flow", "total"}, After: time.Hour}},
		"rate(total, 1h30m) > 2.5 / 1h": {Rate: &rules.Rate{Quantity: "total", Over: 90 * time.Minute, Above: &limit}},
		"rate(total, 10s) < 2.5 / 1m":   {Rate: &rules.Rate{Quantity: "total", Over: 10 * time.Second, Per: time.Minute, Below: &limit}},
		"":                              {},
	} {
		if got := r.Condition(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
