package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"gengfu/devices/simulator"
	"gengfu/gateway/bench/figure"
)

// reading is one line that is read back to back.
type reading struct {
	baud  string
	words int
	reach float64 // percent of the wire's limit
	above bool    // and above the strongest peer
}

var readings = []reading{
	{"9600", 2, 97, false},
	{"9600", 10, 98.5, true},
	{"9600", 60, 98.5, true},
	{"19200", 2, 97, false},
	{"19200", 10, 98.5, true},
	{"19200", 60, 98.5, true},
	{"115200", 10, 94, false},
	{"115200", 60, 94, false},
}

// window is what a master did in a short while on a line of its own.
type window struct {
	cycle time.Duration // median, from the end of a reply to the end of the next
	busy  float64       // percent of a core, of the whole process
}

// measureShare reads with each master in turn, window by window, so that what else
// the machine does falls on all of them alike.
func measureShare(ctx context.Context, far *far, p plan, out io.Writer) ([]figure.Figure, error) {
	var figures []figure.Figure
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "Share of the wire's limit, registers back to back\tgengfu\tsimonvetter\tgoburrow\tthe line itself\tprocessor: gengfu\tsimonvetter\tgoburrow")
	var ratios []float64
	for _, r := range readings {
		s := settings[r.baud]
		share, busy, err := r.measure(ctx, far, p)
		if err != nil {
			return nil, fmt.Errorf("%s, %d registers: %w", s.name, r.words, err)
		}
		fmt.Fprintf(table, "%s, %d\t%.2f %%\t%.2f %%\t%.2f %%\t%.2f %%\t%.1f %%\t%.1f %%\t%.1f %%\n", s.name, r.words,
			share["gengfu"], share["simonvetter"], share["goburrow"], share["spinning"],
			busy["gengfu"], busy["simonvetter"], busy["goburrow"])
		name := fmt.Sprintf("wire_share_%s_%d", r.baud, r.words)
		figures = append(figures, figure.AtLeast(name, share["gengfu"], "%", r.reach, 2, s.name))
		if r.above {
			ratios = append(ratios, share["gengfu"]/share["simonvetter"])
		}
		if r.baud == "9600" {
			figures = append(figures, figure.AtMost(fmt.Sprintf("wire_cpu_%s_%d", r.baud, r.words), busy["gengfu"], "%", 2, 2, "of a core, back to back"))
		}
	}
	figures = append(figures, figure.AtLeast("wire_share_to_simonvetter", slices.Min(ratios), "times", 1, 4, "the least of 9600 and 19200 with 10 and 60 registers"))
	return figures, table.Flush()
}

// measure returns by master the share of the limit in percent, of the median of
// the windows' median cycles, and the median of the processor's use.
func (r reading) measure(ctx context.Context, far *far, p plan) (share, busy map[string]float64, err error) {
	s := settings[r.baud]
	bits := 10
	if s.Parity != "none" {
		bits = 11
	}
	pace := simulator.Wire{Baud: s.Baud, Bits: bits, Turnaround: s.wire().Silence()}
	cycles, busies := map[string][]float64{}, map[string][]float64{}
	for range p.windows {
		for _, c := range contenders {
			w, err := r.window(ctx, far, pace, c, p.cycles(s.limit(r.words)))
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", c.name, err)
			}
			cycles[c.name] = append(cycles[c.name], float64(w.cycle))
			busies[c.name] = append(busies[c.name], w.busy)
		}
	}
	share, busy = map[string]float64{}, map[string]float64{}
	for _, c := range contenders {
		share[c.name] = 100 * float64(s.limit(r.words)) / figure.Quantile(cycles[c.name], 0.5)
		busy[c.name] = figure.Quantile(busies[c.name], 0.5)
	}
	return share, busy, nil
}

// window opens a fresh line for a master, because all of them claim it for
// themselves, and reads it back to back.
func (r reading) window(ctx context.Context, far *far, pace simulator.Wire, c contender, cycles int) (w window, err error) {
	l, err := far.tell(order{Serial: &pace, Slaves: []slaveOrder{{Address: 1, Words: r.words}}})
	if err != nil {
		return w, err
	}
	m, err := c.open(ctx, l.Path, settings[r.baud])
	if err != nil {
		return w, err
	}
	defer func() {
		closed := m.Close()
		_, told := far.tell(order{Line: l.Line, Close: true})
		err = errors.Join(err, closed, told)
	}()
	want := pattern(1, r.words)
	took := make([]float64, 0, cycles)
	var began, last time.Time
	var used time.Duration
	for i := range cycles + 2 {
		if i == 2 { // the first opens the line, the second has its first silence behind it
			began, used = last, processorTime()
		}
		words, err := m.read(1, 0, r.words)
		if err != nil {
			return w, err
		}
		if !slices.Equal(words, want) {
			return w, fmt.Errorf("read % x instead of % x", words, want)
		}
		now := time.Now()
		if i >= 2 {
			took = append(took, float64(now.Sub(last)))
		}
		last = now
	}
	w.busy = 100 * float64(processorTime()-used) / float64(last.Sub(began))
	w.cycle = time.Duration(figure.Quantile(took, 0.5))
	return w, ctx.Err()
}

// processorTime is what this process has used so far, in user and system mode.
func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes nothing that could be wrong
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
