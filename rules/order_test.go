package rules_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

func TestOrderPolicyIsChecked(t *testing.T) {
	no, step := false, facility.Text{ZH: "停泵"}
	for _, test := range []struct {
		policy rules.OrderPolicy
		path   string // of the problem; "" for none
	}{
		{rules.OrderPolicy{}, ""},
		{rules.OrderPolicy{Category: "pump", Role: facility.RoleGuard, Priority: facility.P4, Checklist: []facility.Text{step}, Bring: []facility.Text{step}, Reopen: new(time.Duration(0))}, ""},
		{rules.OrderPolicy{Category: "baker"}, "order.category"},
		{rules.OrderPolicy{Role: "baker"}, "order.role"},
		{rules.OrderPolicy{Priority: "P5"}, "order.priority"},
		{rules.OrderPolicy{Checklist: []facility.Text{step, {}}}, "order.checklist[1]"},
		{rules.OrderPolicy{Bring: []facility.Text{{EN: strings.Repeat("x", 201)}}}, "order.bring[0]"},
		{rules.OrderPolicy{Bring: []facility.Text{{ZH: strings.Repeat("泵", 200)}}}, ""},
		{rules.OrderPolicy{Checklist: slices.Repeat([]facility.Text{step}, 31)}, "order.checklist"},
		{rules.OrderPolicy{Reopen: new(-time.Second)}, "order.reopen"},
		{rules.OrderPolicy{Reopen: new(745 * time.Hour)}, "order.reopen"},
		{rules.OrderPolicy{Create: &no, Bring: []facility.Text{step}}, "order.create"},
	} {
		r := rules.Rule{ID: "fault", Name: facility.Text{ZH: "故障"}, Priority: facility.P2, When: "fault", Order: test.policy}
		var paths []string
		for _, p := range r.Validate() {
			if p.What == "" || p.Cure == "" {
				t.Errorf("%+v says nothing", p)
			}
			paths = append(paths, p.Path)
		}
		if got := strings.Join(paths, " "); got != test.path {
			t.Errorf("%+v: problems at %q, want %q", test.policy, got, test.path)
		}
	}
}

func TestLinesOfAnOrderGoByTheRule(t *testing.T) {
	for _, test := range []struct {
		quiet, realarm, want time.Duration
	}{
		{0, 0, rules.DefaultLines},
		{0, 4 * time.Hour, 4 * time.Hour},
		{10 * time.Minute, 4 * time.Hour, 10 * time.Minute},
	} {
		engine := compile(t, rule("fault", rules.Rule{
			When: "fault", For: rules.Selector{Devices: []string{"pump-1"}}, Quiet: test.quiet, Realarm: test.realarm,
		}))
		changes := engine.Observe(facility.Reading{Point: facility.PointID{Device: "pump-1", Quantity: "fault"}, Time: start, Value: 1, Quality: facility.Good})
		if len(changes) != 1 || changes[0].Order.Lines() != test.want {
			t.Errorf("quiet %s, realarm %s: %+v; want a line each %s", test.quiet, test.realarm, changes, test.want)
		}
	}
}
