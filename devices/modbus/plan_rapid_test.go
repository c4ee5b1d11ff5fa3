package modbus

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/devices/bus"
	"gengfu/devices/profile"
)

// world is a planning problem with everything that terms can say.
type world struct {
	wants  []Want
	listed []Want // of the model, beyond what is wanted
	terms  Terms
}

func drawWant(t *rapid.T, reach int) Want {
	w := Want{
		Table:   rapid.SampledFrom([]profile.Table{profile.Coil, profile.Holding}).Draw(t, "table"),
		Address: rapid.IntRange(0, reach).Draw(t, "address"),
		Words:   1,
	}
	if !w.Table.Bits() {
		w.Words = rapid.SampledFrom([]int{1, 1, 2, 4}).Draw(t, "words")
	}
	return w
}

func drawWorld(t *rapid.T, most int) world {
	reach := rapid.SampledFrom([]int{12, 40, 120}).Draw(t, "reach")
	want := rapid.Custom(func(t *rapid.T) Want { return drawWant(t, reach) })
	w := world{
		wants:  rapid.SliceOfN(want, 1, most).Draw(t, "wants"),
		listed: rapid.SliceOfN(want, 0, 12).Draw(t, "listed"),
		terms: Terms{
			Limits: profile.Limits{
				Registers: rapid.SampledFrom([]int{4, 10, 16, 125}).Draw(t, "registers"),
				Bits:      rapid.SampledFrom([]int{1, 8, 20, 2000}).Draw(t, "bits"),
				Gap:       rapid.SampledFrom([]int{0, 0, 1, 5, 30, 125}).Draw(t, "gap"),
				Pause:     rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond}).Draw(t, "pause"),
			},
			Cuts:       map[Cut]bool{},
			Wire:       rapid.SampledFrom([]bus.Wire{{}, {Character: 4167 * time.Microsecond}, {Character: 1042 * time.Microsecond}, {Character: 87 * time.Microsecond}}).Draw(t, "wire"),
			Framing:    rapid.SampledFrom([]Framing{RTU, ASCII, TCP}).Draw(t, "framing"),
			Turnaround: rapid.SampledFrom([]time.Duration{0, 5 * time.Millisecond, 200 * time.Millisecond}).Draw(t, "turnaround"),
		},
	}
	for range rapid.IntRange(0, 3).Draw(t, "cuts") {
		c := drawWant(t, reach)
		w.terms.Cuts[Cut{c.Table, c.Address}] = true
	}
	for range rapid.IntRange(0, 3).Draw(t, "forbidden") {
		c := drawWant(t, reach)
		r := profile.Range{Table: c.Table, From: c.Address, To: c.end() - 1}
		if !slices.ContainsFunc(append(w.wants, w.listed...), func(w Want) bool { return forbidden([]profile.Range{r}, w.Table, w.Address, w.end()) }) {
			w.terms.Limits.Forbidden = append(w.terms.Limits.Forbidden, r)
		}
	}
	if len(w.listed) > 0 {
		w.terms.Listed = NewMap(append(slices.Clone(w.listed), w.wants...))
	}
	if rapid.Bool().Draw(t, "bounded") { // any single want fits
		w.terms.Longest = w.terms.Cost(profile.Holding, rapid.IntRange(4, 20).Draw(t, "longest"))
	}
	return w
}

func forbidden(ranges []profile.Range, table profile.Table, from, to int) bool {
	return slices.ContainsFunc(ranges, func(r profile.Range) bool {
		return r.Table == table && r.From < to && from <= r.To
	})
}

// lawful looks at every register of a request for some wants. It returns what the
// request is, and why it must not be made.
func (w world) lawful(group []int) (table profile.Table, quantity int, wrong string) {
	first := w.wants[group[0]]
	from, to, last := first.Address, first.end(), first.Address
	for _, i := range group {
		if w.wants[i].Table != first.Table {
			return "", 0, "two tables"
		}
		from, to, last = min(from, w.wants[i].Address), max(to, w.wants[i].end()), max(last, w.wants[i].Address)
	}
	table, quantity = first.Table, to-from
	if len(group) == 1 {
		return table, quantity, ""
	}
	limits := w.terms.Limits
	switch {
	case quantity > limits.Registers && !table.Bits(), quantity > limits.Bits && table.Bits():
		return table, quantity, "over the limit"
	case w.terms.Longest > 0 && w.terms.Cost(table, quantity) > max(w.terms.Longest, 2*w.terms.Cost(profile.Holding, 0)):
		return table, quantity, "too long"
	case forbidden(limits.Forbidden, table, from, to):
		return table, quantity, "forbidden"
	}
	unlisted := 0
	for a := from; a < to; a++ {
		if a > from && a <= last && w.terms.Cuts[Cut{table, a}] {
			return table, quantity, "spans a cut"
		}
		holds := func(w Want) bool { return w.Table == table && w.Address <= a && a < w.end() }
		if slices.ContainsFunc(w.wants, holds) || slices.ContainsFunc(w.listed, holds) {
			unlisted = 0
			continue
		}
		if unlisted++; unlisted > limits.Gap {
			return table, quantity, "reads what is not listed"
		}
	}
	return table, quantity, ""
}

// cheapest tries all partitions.
func (w world) cheapest(next int, groups [][]int) time.Duration {
	if next == len(w.wants) {
		var cost time.Duration
		for _, g := range groups {
			table, quantity, wrong := w.lawful(g)
			if wrong != "" {
				return 1 << 62
			}
			cost += w.terms.Cost(table, quantity)
		}
		return cost
	}
	best := w.cheapest(next+1, append(groups, []int{next}))
	for i, g := range groups {
		if _, _, wrong := w.lawful(append(g, next)); wrong == "two tables" {
			continue
		}
		groups[i] = append(g, next)
		best = min(best, w.cheapest(next+1, groups))
		groups[i] = g
	}
	return best
}

func (w world) cost(plan []Batch) (cost time.Duration) {
	for _, b := range plan {
		cost += w.terms.Cost(b.Table, b.Quantity)
	}
	return cost
}

func TestNoPartitionIsCheaperThanThePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, 7)
		if got, want := w.cost(Plan(w.wants, w.terms)), w.cheapest(0, nil); got != want {
			t.Fatalf("%+v: the plan costs %s, the best is %s", Plan(w.wants, w.terms), got, want)
		}
	})
}

func TestThePlanIsLawful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, 60)
		plan := Plan(w.wants, w.terms)
		seen := make([]int, len(w.wants))
		for _, b := range plan {
			table, quantity, wrong := w.lawful(b.Wants)
			if wrong != "" {
				t.Fatalf("%+v: %s", b, wrong)
			}
			if table != b.Table || quantity != b.Quantity {
				t.Fatalf("%+v does not fit what it reads", b)
			}
			words := make([]uint16, b.Quantity)
			for k, i := range b.Wants {
				seen[i]++
				if got := b.Of(w.wants[i], words); len(got) != w.wants[i].Words {
					t.Fatalf("%+v gives %d words for %+v", b, len(got), w.wants[i])
				}
				if k > 0 && w.wants[i].Address < w.wants[b.Wants[k-1]].Address {
					t.Fatalf("%+v is not by address", b)
				}
			}
		}
		if slices.ContainsFunc(seen, func(n int) bool { return n != 1 }) {
			t.Fatalf("read so often: %v", seen)
		}
		first := PlanFirst(w.wants, w.terms)
		if !slices.Contains(first.Wants, 0) || !slices.ContainsFunc(plan, func(b Batch) bool {
			return b.Address == first.Address && b.Quantity == first.Quantity && slices.Equal(b.Wants, first.Wants)
		}) {
			t.Fatalf("%+v is not the first of %+v", first, plan)
		}
	})
}

// What others do: one request for each contiguous run, and one that reaches over
// holes up to a fixed width, both as long as the terms allow.
func TestThePlanIsNeverDearerThanMergingByRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t, 60)
		got := w.cost(Plan(w.wants, w.terms))
		for _, gap := range []int{0, 4, 16, 50, 125} {
			if rule := w.cost(w.merged(gap)); got > rule {
				t.Fatalf("the plan costs %s, merging over holes of %d costs %s", got, gap, rule)
			}
		}
	})
}

// merged takes want after want into a request as long as the hole between them is
// no wider than the gap.
func (w world) merged(gap int) (plan []Batch) {
	for _, i := range w.sorted() {
		want := w.wants[i]
		if n := len(plan); n > 0 && want.Table == plan[n-1].Table && want.Address <= plan[n-1].Address+plan[n-1].Quantity+gap {
			b := &plan[n-1]
			if _, quantity, wrong := w.lawful(append(slices.Clone(b.Wants), i)); wrong == "" {
				b.Quantity, b.Wants = quantity, append(b.Wants, i)
				continue
			}
		}
		plan = append(plan, Batch{Table: want.Table, Address: want.Address, Quantity: want.Words, Wants: []int{i}})
	}
	return plan
}

func (w world) sorted() []int {
	order := make([]int, len(w.wants))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := w.wants[a], w.wants[b]
		return (rank(x.Table)-rank(y.Table))<<20 + (x.Address-y.Address)<<4 + x.Words - y.Words
	})
	return order
}

func BenchmarkPlan(b *testing.B) {
	var wants []Want
	for i := range 100 {
		wants = append(wants, holding(i*3, 2))
	}
	terms := Terms{
		Limits: profile.Limits{Gap: 2}, Listed: NewMap(wants), Wire: bus.Wire{Character: 1042 * time.Microsecond},
		Cuts: map[Cut]bool{{profile.Holding, 90}: true},
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Plan(wants, terms)
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			PlanFirst(wants, terms)
		}
	})
}
