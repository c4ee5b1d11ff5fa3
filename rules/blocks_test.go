package rules

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBlocksBringAStateAlong: whatever changes of a state, and whatever writes are lost,
// what is kept and the patches since are the state.
func TestBlocksBringAStateAlong(t *testing.T) {
	told, all := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		state := rapid.SliceOfN(rapid.Byte(), rapid.SampledFrom([]int{0, 64, 500}).Draw(rt, "least"), 1000).Draw(rt, "state")
		var b blocks
		kept := slices.Clone(state) // whole, at the start
		for range rapid.IntRange(1, 20).Draw(rt, "changes") {
			switch rapid.IntRange(0, 9).Draw(rt, "change") {
			case 0:
				state = append(slices.Clone(state), rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(rt, "more")...)
			case 1:
				state = state[:rapid.IntRange(0, len(state)).Draw(rt, "left")]
			case 2: // nothing
			default:
				if len(state) > 0 {
					state = slices.Clone(state)
					state[rapid.IntRange(0, len(state)-1).Draw(rt, "at")]++
				}
			}
			w := &writer{}
			b.patch(w, state)
			told, all = told+len(w.data), all+len(state)
			if rapid.IntRange(0, 3).Draw(rt, "lost") == 0 {
				continue
			}
			b.settle()
			if len(w.data) == 0 {
				if !slices.Equal(kept, state) {
					rt.Fatal("nothing is told of what changed")
				}
				continue
			}
			r := &reader{data: w.data}
			if kept = mendBlocks(kept, r); r.err != nil || !slices.Equal(kept, state) {
				rt.Fatalf("%v: %d bytes, want %d", r.err, len(kept), len(state))
			}
		}
	})
	if told == 0 || told > all/2 {
		t.Errorf("%d bytes told of %d", told, all)
	}
}

func TestBlocksThatAreDamaged(t *testing.T) {
	for what, patch := range map[string][]byte{
		"too large":  {0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"cut off":    {100, 0, 1, 2, 3},
		"nowhere":    {10, 5, 1},
		"no length":  {},
		"far away":   {100, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1},
		"of nothing": {0, 0, 1},
	} {
		r := &reader{data: patch}
		if mendBlocks(make([]byte, 100), r); r.err == nil {
			t.Error(what, "is taken")
		}
	}
}
