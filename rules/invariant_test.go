package rules_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules"
)

// drawAmount makes a number of the language that some device of the estate has.
func drawAmount(rt *rapid.T, depth int) string {
	if depth > 0 && rapid.IntRange(0, 2).Draw(rt, "more") == 0 {
		return fmt.Sprintf(rapid.SampledFrom([]string{"(%s + %s)", "(%s - %s)", "(%s * %s)", "(%s / %s)", "max(%s, %s)", "min(%s, %s)"}).Draw(rt, "count"),
			drawAmount(rt, depth-1), drawAmount(rt, depth-1))
	}
	span := rapid.SampledFrom([]string{"2s", "5s", "17s", "1m"}).Draw(rt, "span")
	x := rapid.SampledFrom([]string{"outlet_pressure", "mode", "starts", `value("tank/level")`}).Draw(rt, "quantity")
	amount := rapid.SampledFrom([]string{
		"X", "X", "avg(X, W)", "max(X, W)", "min(X, W)", "sum(X, W)", "count(X, W)",
		"delta(X, W)", "edges(fault, W)", "edges(X > 1, W)", "count(others.fault)", "2 + 0 * X", "1.5 - 0 * X",
	}).Draw(rt, "amount")
	return strings.NewReplacer("X", x, "W", span).Replace(amount)
}

func drawCondition(rt *rapid.T, depth int) string {
	if depth > 0 {
		switch rapid.IntRange(0, 3).Draw(rt, "form") {
		case 0:
			return fmt.Sprintf("(%s and %s)", drawCondition(rt, depth-1), drawCondition(rt, depth-1))
		case 1:
			return fmt.Sprintf("(%s or %s)", drawCondition(rt, depth-1), drawCondition(rt, depth-1))
		case 2:
			return fmt.Sprintf("not held(%s, %ds)", drawCondition(rt, depth-1), rapid.IntRange(1, 9).Draw(rt, "held"))
		}
	}
	switch rapid.IntRange(0, 5).Draw(rt, "leaf") {
	case 0:
		return rapid.SampledFrom([]string{"fault", "running", "any(others.running)", "all(others.fault)"}).Draw(rt, "bit")
	case 1:
		return rapid.SampledFrom([]string{
			"stale(running, 6s)", "never(outlet_pressure)", "quality(mode) == good", "held(fault) > 4 s", `running and between("12:00", "12:01")`,
			"running and hour < 12.01", "rate(outlet_pressure, 5s) > 900", "increase(starts, 9s) >= 3", "anomaly(outlet_pressure)", "outlet_pressure > baseline(outlet_pressure)",
		}).Draw(rt, "other")
	}
	op := rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(rt, "op")
	return fmt.Sprintf("%s %s %s", drawAmount(rt, 1), op, drawAmount(rt, 1))
}

func drawRules(rt *rapid.T) []rules.Rule {
	var out []rules.Rule
	for i := range rapid.IntRange(1, 4).Draw(rt, "rules") {
		r := rules.Rule{
			For:     rules.Selector{Kinds: []string{"pump"}},
			Groups:  map[string]rules.Group{"others": {Selector: rules.Selector{Kinds: []string{"pump"}}}},
			When:    drawCondition(rt, 2),
			OnDelay: time.Duration(rapid.IntRange(0, 5).Draw(rt, "on")) * time.Second, OffDelay: time.Duration(rapid.IntRange(0, 5).Draw(rt, "off")) * time.Second,
		}
		r.Latch = rapid.Bool().Draw(rt, "latch")
		r.Realarm = time.Duration(rapid.IntRange(0, 2).Draw(rt, "realarm")) * time.Minute
		r.Quiet = time.Duration(rapid.IntRange(0, 2).Draw(rt, "quiet")) * time.Minute
		if rapid.Bool().Draw(rt, "has clear") {
			r.Clear = drawCondition(rt, 1)
		}
		out = append(out, rule(fmt.Sprintf("r%d", i), r))
	}
	return out
}

// unitless is the estate with nothing but numbers, so that whatever is drawn may stand
// beside whatever else.
func unitless() facility.Estate {
	e := estate()
	for _, d := range e.Devices {
		for i := range d.Points {
			d.Points[i].Unit = ""
		}
	}
	return e
}

// drawStream makes readings of two pumps and the tank in order of time.
func drawStream(rt *rapid.T) []string {
	var lines []string
	for s := range rapid.IntRange(20, 150).Draw(rt, "seconds") {
		switch rapid.IntRange(0, 17).Draw(rt, "silence") {
		case 0, 1, 2:
			continue
		case 3:
			lines = append(lines, fmt.Sprintf("%ds %s r0/pump-1 %ds", s+1, rapid.SampledFrom([]string{"shelve", "suppress", "take_out"}).Draw(rt, "hold"), rapid.IntRange(1, 60).Draw(rt, "long")))
			continue
		case 4:
			lines = append(lines, fmt.Sprintf("%ds shelve r0/pump-1 60s once", s+1))
			continue
		}
		point := rapid.SampledFrom([]string{
			"pump-1/fault", "pump-1/running", "pump-1/outlet_pressure", "pump-1/mode", "pump-1/starts", "pump-2/fault", "pump-2/running", "pump-2/outlet_pressure", "tank/level",
		}).Draw(rt, "point")
		value := fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "value"))
		if rapid.IntRange(0, 9).Draw(rt, "bad") == 0 {
			value = "bad"
		}
		lines = append(lines, fmt.Sprintf("%ds %s=%s", s+1, point, value))
	}
	return append(lines, "200s tick")
}

// TestRandomRulesGiveTheSameHoweverTheyAreRun: the same facts in the same order give
// the same changes, byte for byte, when they come one by one with time between, all
// at once, or with the engine saved and restored, or swapped for one with more rules,
// behind any of them.
func TestRandomRulesGiveTheSameHoweverTheyAreRun(t *testing.T) {
	changed := 0
	rapid.Check(t, func(rt *rapid.T) {
		rs, lines := drawRules(rt), drawStream(rt)
		made := func(more ...rules.Rule) *rules.Engine {
			e, problems := rules.Compile(append(slices.Clone(rs), more...), unitless(), rules.WithDetectors(strangers))
			if problems != nil {
				rt.Fatal(rs, problems)
			}
			return e
		}
		told := func(e *rules.Engine, between func(int) *rules.Engine) (out []rules.Change) {
			e.Listen(start)
			for i, l := range lines {
				out = append(out, play(t, e, l)...)
				if next := between(i); next != nil {
					if err := next.TakeOver(e, start); err != nil {
						rt.Fatal(err)
					}
					if r := next.Retire(start); len(r) > 0 {
						rt.Fatalf("retired %v", r)
					}
					e = next
				}
			}
			return out
		}
		plain := told(made(), func(int) *rules.Engine { return nil })
		changed += len(plain)
		want := ordered(plain)
		cut := rapid.IntRange(0, len(lines)-1).Draw(rt, "cut")
		restored := told(made(), func(i int) *rules.Engine {
			if i == cut || i == cut/2 {
				return made()
			}
			return nil
		})
		if d := cmp.Diff(plain, restored); d != "" {
			rt.Fatalf("restored: %s\n%s", rs[0].When, d)
		}
		ticking := made()
		ticking.Listen(start)
		var got []rules.Change
		for i, l := range lines {
			got = append(got, play(t, ticking, l)...)
			if i%2 == 0 && i < len(lines)-1 {
				got = append(got, ticking.Advance(start.Add(lineTime(t, l)+300*time.Millisecond))...)
			}
		}
		if d := cmp.Diff(want, ordered(got)); d != "" {
			rt.Fatalf("with time between: %s\n%s", rs[0].When, d)
		}
		extra := rule("zz", rules.Rule{For: rules.Selector{Kinds: []string{"pump"}}, When: "fault and not fault"})
		swapped := told(made(), func(i int) *rules.Engine {
			if i == cut {
				return made(extra)
			}
			return nil
		})
		if d := cmp.Diff(plain, swapped); d != "" {
			rt.Fatalf("swapped: %s\n%s", rs[0].When, d)
		}
	})
	if changed < 50 {
		t.Errorf("%d changes: the test says little", changed)
	}
}

func lineTime(t *testing.T, line string) time.Duration {
	t.Helper()
	at, _, _ := strings.Cut(line, " ")
	d, err := time.ParseDuration(at)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
