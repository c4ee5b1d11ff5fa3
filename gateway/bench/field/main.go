// Command field measures the field side beside its peers: goburrow/modbus with its
// own RTU handler and simonvetter/modbus, in the same run, on the same simulated
// lines. The simulated devices are a process of their own.
//
// For each group of figures it prints a table, and at the end one line for each
// figure; package figure says how they look. A figure that falls short is no failure
// of the bench; the exit status is 1 only when something could not be measured. It
// needs Linux, for ptys and times of the processor.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"gengfu/gateway/bench/figure"
)

// plan is how much is measured.
type plan struct {
	windows int           // of each master on each line
	least   int           // cycles in a window
	window  time.Duration // about how long one is
	settle  time.Duration // of a polled line, before it is watched
	watch   time.Duration // for so long
	faulty  int           // polls of each master over a line with faults
	soak    int           // polls in virtual time, in each framing
	buses   int           // that are scanned
}

var (
	whole = plan{windows: 5, least: 7, window: 800 * time.Millisecond, settle: 40 * time.Second, watch: time.Minute, faulty: 4000, soak: 1_000_000, buses: 2}
	quick = plan{windows: 3, least: 7, window: 300 * time.Millisecond, settle: 25 * time.Second, watch: 20 * time.Second, faulty: 500, soak: 20_000, buses: 1}
)

// cycles returns how many of this length make a window.
func (p plan) cycles(length time.Duration) int { return max(p.least, int(p.window/length)) }

// group is a part of the bench that can be run alone.
type group struct {
	name    string
	measure func(ctx context.Context, far *far, p plan, out io.Writer) ([]figure.Figure, error)
}

// stages are measured one after the other. The groups of a stage run at the same
// time: they wait for lines and hardly use the processor.
var stages = [][]group{
	{{"share", measureShare}},
	{{"tcp", measureTCP}},
	{{"dead", measureDead}, {"alarm", measureAlarm}, {"faults", measureFaults}, {"scan", measureScan}},
	{{"soak", measureSoak}},
	{{"planner", measurePlanner}},
}

func main() {
	isFar := flag.Bool("far", false, "be the far end of the lines: the bench starts it itself")
	fast := flag.Bool("quick", false, "a run of a minute, to try: its figures mean less")
	only := flag.String("only", "", "run only these `groups`, separated by commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case *isFar:
		err = beFar(os.Stdin, os.Stdout)
	case *fast:
		err = bench(ctx, quick, *only, os.Stdout)
	default:
		err = bench(ctx, whole, *only, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench measures the groups and prints them. A group that could not be measured
// does not keep the others from it.
func bench(ctx context.Context, p plan, only string, out io.Writer) (err error) {
	before, began := figure.Load(), time.Now()
	var figures []figure.Figure
	var errs []error
	for _, stage := range stages {
		for _, r := range together(ctx, p, only, stage) {
			if _, err := fmt.Fprintln(out, r.text); err != nil {
				return err
			}
			figures, errs = append(figures, r.figures...), append(errs, r.err)
		}
	}
	fmt.Fprintf(out, "%s, %d processors, load average %s before and %s after, %s\n\n",
		figure.Processor(), runtime.NumCPU(), before, figure.Load(), time.Since(began).Round(time.Second))
	errs = append(errs, figure.Table(out, figures))
	fmt.Fprintln(out)
	return errors.Join(append(errs, figure.Lines(out, figures))...)
}

// result is what a group has measured.
type result struct {
	text    string
	figures []figure.Figure
	err     error
}

// together measures those groups of a stage that are wanted.
func together(ctx context.Context, p plan, only string, stage []group) []result {
	wanted := slices.DeleteFunc(slices.Clone(stage), func(g group) bool {
		return only != "" && !slices.Contains(strings.Split(only, ","), g.name)
	})
	results := make([]result, len(wanted))
	var all sync.WaitGroup
	for i, g := range wanted {
		all.Go(func() {
			var text strings.Builder
			figures, err := alone(ctx, g, p, &text)
			if err != nil {
				err = fmt.Errorf("%s: %w", g.name, err)
			}
			results[i] = result{text.String(), figures, err}
		})
	}
	all.Wait()
	return results
}

// alone measures a group with a far end of its own.
func alone(ctx context.Context, g group, p plan, out io.Writer) (figures []figure.Figure, err error) {
	f, err := startFar(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	return g.measure(ctx, f, p, out)
}
