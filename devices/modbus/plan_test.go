package modbus

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/devices/bus"
	"gengfu/devices/profile"
)

func holding(address, words int) Want {
	return Want{Table: profile.Holding, Address: address, Words: words}
}

func TestPlan(t *testing.T) {
	cases := []struct {
		name    string
		wants   []Want
		limits  profile.Limits
		cuts    map[Cut]bool
		listed  []Want
		wire    bus.Wire
		longest time.Duration
		want    []Batch
	}{
		{name: "nothing"},
		{
			name: "neighbours are one request", wants: []Want{holding(2, 2), holding(0, 2), holding(4, 1)},
			want: []Batch{{profile.Holding, 0, 5, []int{1, 0, 2}}},
		},
		{
			name: "bits of one register are read once", wants: []Want{holding(3, 1), holding(3, 1), holding(3, 1)},
			want: []Batch{{profile.Holding, 3, 1, []int{0, 1, 2}}},
		},
		{
			name: "a hole is not read", wants: []Want{holding(0, 1), holding(2, 1)},
			want: []Batch{{profile.Holding, 0, 1, []int{0}}, {profile.Holding, 2, 1, []int{1}}},
		},
		{
			name: "unless the model allows it", wants: []Want{holding(0, 1), holding(2, 1)}, limits: profile.Limits{Gap: 1},
			want: []Batch{{profile.Holding, 0, 3, []int{0, 1}}},
		},
		{
			name: "tables are apart", wants: []Want{holding(0, 1), {profile.Input, 1, 1}, {profile.Coil, 0, 1}, {profile.Coil, 1, 1}},
			want: []Batch{{profile.Coil, 0, 2, []int{2, 3}}, {profile.Holding, 0, 1, []int{0}}, {profile.Input, 1, 1, []int{1}}},
		},
		{
			name: "the limit of the model", wants: []Want{holding(0, 2), holding(2, 2), holding(4, 2)}, limits: profile.Limits{Registers: 4},
			want: []Batch{{profile.Holding, 0, 4, []int{0, 1}}, {profile.Holding, 4, 2, []int{2}}},
		},
		{
			name: "a model that gives one register", wants: []Want{holding(0, 1), holding(1, 1)}, limits: profile.Limits{Registers: 1},
			want: []Batch{{profile.Holding, 0, 1, []int{0}}, {profile.Holding, 1, 1, []int{1}}},
		},
		{
			name: "what is listed is read along", wants: []Want{holding(0, 1), holding(3, 1), holding(5, 1)}, listed: []Want{holding(0, 2), holding(2, 1)},
			want: []Batch{{profile.Holding, 0, 4, []int{0, 1}}, {profile.Holding, 5, 1, []int{2}}},
		},
		{
			name: "unless it is forbidden", wants: []Want{holding(0, 1), holding(3, 1), holding(5, 1)},
			limits: profile.Limits{Gap: 9, Forbidden: []profile.Range{{Table: profile.Holding, From: 2, To: 2}, {Table: profile.Input, From: 4, To: 4}}},
			want:   []Batch{{profile.Holding, 0, 1, []int{0}}, {profile.Holding, 3, 3, []int{1, 2}}},
		},
		{
			name: "a hole that costs more than a request", wants: []Want{holding(0, 1), holding(30, 1), holding(40, 1)}, limits: profile.Limits{Gap: 125},
			wire: bus.Wire{Character: time.Second / 960},
			want: []Batch{{profile.Holding, 0, 1, []int{0}}, {profile.Holding, 30, 11, []int{1, 2}}},
		},
		{
			name: "no request is too long", wants: []Want{holding(0, 14), holding(14, 12), holding(26, 64)}, longest: 110 * time.Millisecond,
			wire: bus.Wire{Character: time.Second / 960},
			want: []Batch{{profile.Holding, 0, 26, []int{0, 1}}, {profile.Holding, 26, 64, []int{2}}},
		},
		{
			name: "a cut", wants: []Want{holding(0, 2), holding(2, 2), holding(4, 2)}, cuts: map[Cut]bool{{profile.Holding, 2}: true},
			want: []Batch{{profile.Holding, 0, 2, []int{0}}, {profile.Holding, 2, 4, []int{1, 2}}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			terms := Terms{Limits: c.limits, Cuts: c.cuts, Listed: NewMap(c.listed), Wire: c.wire, Longest: c.longest}
			if diff := cmp.Diff(c.want, Plan(c.wants, terms)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func drawWants(t *rapid.T) []Want {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Want {
		w := Want{
			Table:   rapid.SampledFrom([]profile.Table{profile.Coil, profile.Holding, profile.Input}).Draw(t, "table"),
			Address: rapid.IntRange(0, 300).Draw(t, "address"),
			Words:   1,
		}
		if !w.Table.Bits() {
			w.Words = rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "words")
		}
		return w
	}), 1, 60).Draw(t, "wants")
}

func TestPlanReadsEverythingOnceWithinTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wants := drawWants(t)
		limits := profile.Limits{
			Registers: rapid.IntRange(4, 125).Draw(t, "registers"),
			Bits:      rapid.IntRange(1, 2000).Draw(t, "bits"),
			Gap:       rapid.IntRange(0, 20).Draw(t, "gap"),
		}
		seen := make([]int, len(wants))
		for _, b := range Plan(wants, Terms{Limits: limits}) {
			if b.Quantity > most(b.Table, limits) {
				t.Fatalf("%+v is over the limit", b)
			}
			wanted := make([]bool, b.Quantity)
			for _, i := range b.Wants {
				seen[i]++
				w := wants[i]
				if w.Table != b.Table || w.Address < b.Address || w.end() > b.Address+b.Quantity {
					t.Fatalf("%+v does not read %+v", b, w)
				}
				for a := w.Address; a < w.end(); a++ {
					wanted[a-b.Address] = true
				}
			}
			if run := longestRun(wanted, false); run > limits.Gap {
				t.Fatalf("%+v reads %d registers that nobody wants", b, run)
			}
		}
		if slices.ContainsFunc(seen, func(n int) bool { return n != 1 }) {
			t.Fatalf("read so often: %v", seen)
		}
		if first := PlanFirst(wants, Terms{Limits: limits}); !slices.Contains(first.Wants, 0) {
			t.Fatalf("%+v does not read the first", first)
		}
	})
}

func longestRun(s []bool, of bool) (longest int) {
	run := 0
	for _, b := range s {
		if b != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// A device refuses every batch that touches a register which it does not have.
// Splitting must end with every other point read, in few requests.
func TestSplittingFindsWhatTheDeviceHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wants := drawWants(t)
		missing := rapid.SliceOfNDistinct(rapid.IntRange(0, 300), 0, 4, rapid.ID[int]).Draw(t, "missing")
		limits := profile.Limits{Gap: rapid.IntRange(0, 20).Draw(t, "gap")}
		listed := NewMap(append(drawWants(t), wants...)) // some of it the device lacks
		lacks := func(address, quantity int) bool {
			return slices.ContainsFunc(missing, func(m int) bool { return m >= address && m < address+quantity })
		}
		cuts, bad, good := map[Cut]bool{}, map[int]bool{}, map[int]bool{}
		for range 3 * len(wants) {
			clear(good)
			clear(bad)
			again := false
			for _, b := range Plan(wants, Terms{Limits: limits, Listed: listed, Cuts: cuts}) {
				if !lacks(b.Address, b.Quantity) {
					for _, i := range b.Wants {
						good[i] = true
					}
					continue
				}
				if cut, ok := Split(b, wants); ok {
					if cuts[cut] {
						t.Fatalf("%+v: cut twice at %+v", b, cut)
					}
					cuts[cut], again = true, true
					continue
				}
				for _, i := range b.Wants {
					bad[i] = true
				}
			}
			if !again {
				break
			}
		}
		for i, w := range wants {
			if has := !lacks(w.Address, w.Words); has && !good[i] && !sharesStart(wants, i, lacks) {
				t.Fatalf("%+v is there and was not read; cuts %v", w, cuts)
			} else if !has && !bad[i] {
				t.Fatalf("%+v is not there and was not found out", w)
			}
		}
	})
}

// sharesStart reports whether a want is hidden behind one that begins at the same
// register and is not there: no profile that validates has such points.
func sharesStart(wants []Want, i int, lacks func(int, int) bool) bool {
	return slices.ContainsFunc(wants, func(w Want) bool {
		return w.Table == wants[i].Table && w.Address == wants[i].Address && lacks(w.Address, w.Words)
	})
}

func TestCost(t *testing.T) {
	slow := bus.Wire{Character: time.Second / 960}
	cases := []struct {
		name     string
		terms    Terms
		table    profile.Table
		quantity int
		want     time.Duration
	}{
		// 3.5 + 8 + 5 + 20 characters and 30 ms.
		{"ten registers at 9600 baud", Terms{Wire: slow}, profile.Holding, 10, 68020833},
		{"with a pause and a quick slave", Terms{Wire: slow, Limits: profile.Limits{Pause: 20 * time.Millisecond}, Turnaround: 5 * time.Millisecond}, profile.Holding, 10, 59375000},
		{"nine coils", Terms{Wire: slow}, profile.Coil, 9, 49270833},
		// 17 + 11 + 40 characters: twice the bytes, an LRC, a colon and a line end.
		{"in ASCII", Terms{Wire: slow, Framing: ASCII}, profile.Holding, 10, 104479166},
		{"over TCP", Terms{}, profile.Holding, 125, bus.Turnaround},
	}
	for _, c := range cases {
		if got := c.terms.Cost(c.table, c.quantity); (got - c.want).Abs() > time.Microsecond {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}
