package rules_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/rules"
)

// TestRandomSwapsKeepTheStateOfTheOthers: while rules beside them come, change and go
// amid the readings, the others do what they do alone, and what is kept of them is the
// same at the end, byte for byte.
func TestRandomSwapsKeepTheStateOfTheOthers(t *testing.T) {
	changed, swaps, besides := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		watched, lines := drawRules(rt), drawStream(rt)
		made := func(beside []rules.Rule) *rules.Engine {
			e, problems := rules.Compile(append(slices.Clone(watched), beside...), unitless(), rules.WithDetectors(strangers))
			if problems != nil {
				rt.Fatal(problems)
			}
			return e
		}
		alone := made(nil)
		alone.Listen(start)
		var want []rules.Change
		for _, l := range lines {
			want = append(want, play(t, alone, l)...)
		}
		e := made(nil)
		e.Listen(start)
		var got []rules.Change
		note := func(changes []rules.Change) {
			for _, c := range changes {
				if c.Alarm.Rule[0] == 'r' {
					got = append(got, c)
				} else {
					besides++
				}
			}
		}
		swap := func(l string, beside []rules.Rule) {
			now := start.Add(lineTime(t, l))
			next := made(beside)
			if err := next.TakeOver(e, now); err != nil {
				rt.Fatal(err)
			}
			for _, c := range next.Retire(now) {
				if c.Alarm.Rule[0] == 'r' {
					rt.Fatalf("retired %+v", c)
				}
			}
			e = next
			swaps++
		}
		for _, l := range lines {
			note(play(t, e, l))
			if rapid.IntRange(0, 5).Draw(rt, "swap") == 0 {
				beside := drawRules(rt)[:rapid.IntRange(0, 1).Draw(rt, "beside")]
				for i := range beside {
					beside[i].ID = fmt.Sprintf("x%d", i)
				}
				swap(l, beside)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatal(d)
		}
		swap(lines[len(lines)-1], nil)
		kept, err := alone.Snapshot()
		if err != nil {
			rt.Fatal(err)
		}
		again, err := e.Snapshot()
		if err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(kept, again) {
			rt.Fatalf("what is kept differs: %d bytes, %d alone", len(again), len(kept))
		}
		changed += len(got)
	})
	if changed < 50 || swaps < 200 || besides < 20 {
		t.Errorf("%d changes, %d swaps, %d changes beside them: the test says little", changed, swaps, besides)
	}
}
