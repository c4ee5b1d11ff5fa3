package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"text/tabwriter"

	"gengfu/devices/simulator"
	"gengfu/gateway/bench/figure"
)

// spoilt is how the line of measureFaults misbehaves: one request in twenty. What is
// late comes after the masters have given up.
const spoilt = "late 70ms 2%, corrupt 1%, cut 1%, duplicate 0.5%, foreign 0.5%"

const (
	faultySlaves = 8
	faultySpots  = 6 // stretches of four registers on each slave
)

// misread is what a master made of a line with faults.
type misread struct{ polls, wrong, refused int }

// measureFaults lets the masters read the same registers over lines that misbehave
// alike, and counts the values that they take for good and are not. The long run in
// virtual time is measureSoak; here the peers can be seen.
func measureFaults(ctx context.Context, far *far, p plan, out io.Writer) ([]figure.Figure, error) {
	s := settings["115200"]
	s.patience = faultyPatience
	pace := simulator.Wire{Baud: s.Baud, Turnaround: s.wire().Silence()}
	found := map[string]misread{}
	var mu sync.Mutex
	var all sync.WaitGroup
	var errs []error
	for _, c := range contenders {
		if c.name == "spinning" {
			continue
		}
		o := order{Serial: &pace, Faults: spoilt, Seed: 7}
		for a := 1; a <= faultySlaves; a++ {
			o.Slaves = append(o.Slaves, slaveOrder{Address: a, Words: 4 * faultySpots})
		}
		l, err := far.tell(o)
		if err != nil {
			return nil, err
		}
		all.Go(func() {
			m, err := readFaulty(ctx, c, l.Path, s, p.faulty)
			mu.Lock()
			defer mu.Unlock()
			found[c.name], errs = m, append(errs, err)
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "A line with faults (%s)\tpolls\twrong values taken\tpolls that failed\n", spoilt)
	for _, c := range contenders {
		if m, ok := found[c.name]; ok {
			fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", c.name, m.polls, m.wrong, m.refused)
		}
	}
	return []figure.Figure{
		figure.AtMost("faulty_line_wrong_values", float64(found["gengfu"].wrong), "values", 0, 0,
			fmt.Sprintf("over a pty; simonvetter %d, goburrow %d", found["simonvetter"].wrong, found["goburrow"].wrong)),
	}, table.Flush()
}

// readFaulty polls one stretch after the other, in an order of chance that is the
// same for all.
func readFaulty(ctx context.Context, c contender, path string, s setting, polls int) (found misread, err error) {
	m, err := c.open(ctx, path, s)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	dice := rand.New(rand.NewPCG(1, 2))
	for found.polls = 0; found.polls < polls && ctx.Err() == nil; found.polls++ {
		unit, spot := 1+dice.IntN(faultySlaves), dice.IntN(faultySpots)
		words, err := m.read(byte(unit), 4*spot, 4)
		switch want := pattern(unit, 4*faultySpots)[4*spot:][:4]; {
		case err != nil:
			found.refused++
		case !slices.Equal(words, want):
			found.wrong++
		}
	}
	return found, ctx.Err()
}
