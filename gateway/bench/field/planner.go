package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"

	"gengfu/configs"
	"gengfu/devices/bus"
	"gengfu/devices/line"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
	"gengfu/gateway/bench/figure"
)

// planSpeeds are those of the field.
var planSpeeds = []int{2400, 4800, 9600, 19200}

// rule is how to group points into requests by the width of the holes between them
// alone, as others do. Each keeps to the maximum of the device, and none reads a
// forbidden register.
type rule struct {
	name string
	gap  int // the widest hole that is read along
}

// The rules. The first two are what the figures compare with: the two ends. The
// others show what a gap does that somebody has chosen well: where the cost of a
// request is constant and nothing is forbidden, no plan can be much better than the
// gap that is right for the speed. Telegraf's is the default of its
// optimization_max_register_fill.
var rules = []rule{
	{"one request per run", 0},
	{"max-gap: up to the device's maximum", profile.MaxBits},
	{"a gap of 8", 8},
	{"a gap of 16", 16},
	{"a gap of 50, as Telegraf", 50},
}

// measurePlanner reckons what reading each register map once takes of the wire. It
// measures nothing: the cost is the formula of modbus.Terms.
func measurePlanner(_ context.Context, _ *far, _ plan, out io.Writer) ([]figure.Figure, error) {
	maps, err := registerMaps()
	if err != nil {
		return nil, err
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "Seconds of the wire to read %d register maps once, holes may be read\tgengfu", len(maps))
	for _, r := range rules {
		fmt.Fprint(table, "\t", r.name)
	}
	fmt.Fprintln(table, "\tgengfu where no hole may be read")
	var all sweep
	for _, baud := range planSpeeds {
		s := sweepAt(baud, maps)
		s.print(table, fmt.Sprintf("%d baud", baud))
		all.add(s)
	}
	all.print(table, "all of it")
	all.printSaving(table)
	hour := hourAt(9600, maps)
	hour.print(table, "an hour of polling at 9600 baud, what is due at once planned at once")
	hour.printSaving(table)
	if err := table.Flush(); err != nil {
		return nil, err
	}
	best := min(all.rules[0], all.rules[1])
	return []figure.Figure{
		figure.AtLeast("planner_maps", float64(len(maps)), "maps", 30, 0, "register maps of configs/profiles"),
		figure.AtMost("planner_dearer", float64(all.dearer), "plans", 0, 0, "that cost more than one of the rules"),
		figure.AtLeast("planner_saving", 100*(1-all.plan/best), "%", 15, 1, "of the wire's seconds, against the better of one request per run and max-gap"),
	}, nil
}

// registerMaps are the profiles that speak Modbus.
func registerMaps() (maps []profile.Profile, err error) {
	names, err := fs.Glob(configs.FS, "profiles/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("listing the profiles: %w", err)
	}
	for _, name := range names {
		text, err := configs.FS.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		var p profile.Profile
		if err := yaml.Unmarshal(text, &p); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if p.Language() != profile.Modbus || len(p.Points) == 0 {
			continue
		}
		p.Defaults()
		maps = append(maps, p)
	}
	return maps, nil
}

// sweep is what reading maps costs, in seconds.
type sweep struct {
	plan, listed float64 // listed: by the profile's own leave, without holes
	rules        [5]float64
	dearer       int
}

func (s *sweep) add(o sweep) {
	s.plan += o.plan
	s.listed += o.listed
	s.dearer += o.dearer
	for i := range s.rules {
		s.rules[i] += o.rules[i]
	}
}

func (s *sweep) print(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%.2f", name, s.plan)
	for _, r := range s.rules {
		fmt.Fprintf(w, "\t%.2f", r)
	}
	fmt.Fprintf(w, "\t%.2f\n", s.listed)
}

func (s *sweep) printSaving(w io.Writer) {
	fmt.Fprint(w, "less with the plan\t")
	for _, r := range s.rules {
		fmt.Fprintf(w, "\t%.1f %%", 100*(1-s.plan/r))
	}
	fmt.Fprintln(w, "\t")
}

func sweepAt(baud int, maps []profile.Profile) (total sweep) {
	for _, m := range maps {
		wants := make([]modbus.Want, len(m.Points))
		for i, p := range m.Points {
			wants[i] = wantOf(p)
		}
		total.add(sweepOf(wants, termsOf(m, baud)))
	}
	return total
}

func wantOf(p profile.Point) modbus.Want {
	return modbus.Want{Table: p.Table, Address: p.Address, Words: p.Words()}
}

// termsOf are those of a model on a line of a speed.
func termsOf(m profile.Profile, baud int) modbus.Terms {
	var points []modbus.Want
	for _, p := range m.Points {
		points = append(points, wantOf(p))
	}
	return modbus.Terms{
		Limits: m.Limits, Listed: modbus.NewMap(points),
		Wire: bus.Wire{Character: line.Serial{Baud: baud}.Character()},
	}
}

// sweepOf is what reading these points once costs by each rule.
func sweepOf(wants []modbus.Want, terms modbus.Terms) (s sweep) {
	s.listed = costOf(modbus.Plan(wants, terms), terms)
	terms.Limits.Gap = profile.MaxBits
	s.plan = costOf(modbus.Plan(wants, terms), terms)
	for i, r := range rules {
		s.rules[i] = costOf(r.group(wants, terms), terms)
		if s.plan > s.rules[i]+1e-9 {
			s.dearer++
		}
	}
	return s
}

func costOf(requests []modbus.Batch, terms modbus.Terms) (seconds float64) {
	for _, b := range requests {
		seconds += terms.Cost(b.Table, b.Quantity).Seconds()
	}
	return seconds
}

// group takes point after point into a request while the hole before it is no wider
// than the gap and the request is lawful.
func (r rule) group(wants []modbus.Want, terms modbus.Terms) (requests []modbus.Batch) {
	order := slices.Clone(wants)
	slices.SortStableFunc(order, func(a, b modbus.Want) int {
		if a.Table != b.Table {
			return int(a.Table.Function()) - int(b.Table.Function())
		}
		return a.Address - b.Address
	})
	for _, w := range order {
		if n := len(requests); n > 0 {
			if joined, ok := r.join(requests[n-1], w, terms.Limits); ok {
				requests[n-1] = joined
				continue
			}
		}
		requests = append(requests, modbus.Batch{Table: w.Table, Address: w.Address, Quantity: w.Words})
	}
	return requests
}

func (r rule) join(b modbus.Batch, w modbus.Want, limits profile.Limits) (modbus.Batch, bool) {
	end := b.Address + b.Quantity
	most, own := profile.MaxRegisters, limits.Registers
	if b.Table.Bits() {
		most, own = profile.MaxBits, limits.Bits
	}
	if own > 0 {
		most = min(most, own)
	}
	b.Quantity = max(end, w.Address+w.Words) - b.Address
	barred := slices.ContainsFunc(limits.Forbidden, func(f profile.Range) bool {
		return f.Table == b.Table && f.From < b.Address+b.Quantity && f.To >= b.Address
	})
	return b, w.Table == b.Table && w.Address <= end+r.gap && b.Quantity <= most && !barred
}

// hourAt is an hour of polling each device at the periods of its points, all of
// which begin together.
func hourAt(baud int, maps []profile.Profile) (total sweep) {
	for _, m := range maps {
		terms := termsOf(m, baud)
		known := map[string]sweep{}
		for at := time.Duration(0); at < time.Hour; at += time.Second {
			var due []modbus.Want
			key := make([]byte, len(m.Points))
			for i, p := range m.Points {
				if at%p.Period == 0 {
					due, key[i] = append(due, wantOf(p)), 1
				}
			}
			s, ok := known[string(key)]
			if !ok {
				s = sweepOf(due, terms)
				known[string(key)] = s
			}
			total.add(s)
		}
	}
	return total
}
