package rules_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// BenchmarkObserve judges a reading that 1 rule, or 1 of 1000 rules on as many
// devices, or each of 100 rules hangs on.
func BenchmarkObserve(b *testing.B) {
	one := rule("low", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, When: "running == 1 and outlet_pressure < 2.0", Clear: "outlet_pressure > 2.5", OnDelay: time.Second})
	many := make([]rules.Rule, 100)
	for i := range many {
		many[i] = one
		many[i].ID = fmt.Sprintf("low-%d", i)
	}
	large := largeEstate()
	for _, bench := range []struct {
		name   string
		rules  []rules.Rule
		estate facility.Estate
	}{
		{"rules=1/devices=2", []rules.Rule{one}, estate()},
		{"rules=1/devices=1000", []rules.Rule{one}, large},
		{"rules=100/devices=2", many, estate()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			e, problems := rules.Compile(bench.rules, bench.estate)
			if problems != nil {
				b.Fatal(problems)
			}
			r := reading(b, start, "pump-1/outlet_pressure=3")
			e.Observe(reading(b, start, "pump-1/running=1"))
			b.ReportAllocs()
			for b.Loop() {
				r.Time = r.Time.Add(time.Second)
				e.Observe(r)
			}
		})
	}
}

// BenchmarkAdvance finds nothing in 1000 instances, as it does each second.
func BenchmarkAdvance(b *testing.B) {
	large := largeEstate()
	e, problems := rules.Compile([]rules.Rule{rule("fault", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, When: "fault"})}, large)
	if problems != nil {
		b.Fatal(problems)
	}
	now := start
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		e.Advance(now)
	}
}

// largeEstate has 1000 pumps.
func largeEstate() facility.Estate {
	large := estate()
	pump := large.Devices[0]
	for i := range 998 {
		large.Devices = append(large.Devices, device(fmt.Sprintf("pump-%d", i+3), pump.Kind, pump.Place, pump.Name, slices.Clone(pump.Points)...))
	}
	return large
}

// BenchmarkWindow takes a reading into a window and asks it, however long it is.
func BenchmarkWindow(b *testing.B) {
	for _, over := range []string{"1m", "1h", "31d"} {
		b.Run("over="+over, func(b *testing.B) {
			e, problems := rules.Compile([]rules.Rule{rule("mean", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "avg(outlet_pressure, " + over + ") < 2.0 bar"})}, estate())
			if problems != nil {
				b.Fatal(problems)
			}
			r := reading(b, start, "pump-1/outlet_pressure=3")
			b.ReportAllocs()
			for b.Loop() {
				r.Time = r.Time.Add(time.Second)
				e.Observe(r)
			}
		})
	}
}
