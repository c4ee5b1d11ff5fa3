// Command rules measures the rules engine by itself: how many rules it judges in a
// second, what an instance weighs, what a reading costs beside many other rules, how
// soon an alarm follows the reading that raises it, and what it costs to keep that. Then
// it measures the engine in the hub, with journal, ledger and history on disk, and what
// becomes there of a fault that comes again and again.
//
// It prints a table and one line for each figure; package figure says how they look.
// A figure that falls short is no failure of the bench; the exit status is 1 only
// when something could not be measured.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"gengfu/gateway/bench/figure"
)

// plan is how much is measured.
type plan struct {
	windows  int           // of each measurement, of which the median counts
	readings int           // in each, to find the rate
	paced    time.Duration // of readings at their own pace
	commits  time.Duration // of readings by their own times, whose decisions are kept
}

var (
	whole = plan{windows: 5, readings: 2_000_000, paced: 30 * time.Second, commits: 5 * time.Minute}
	quick = plan{windows: 3, readings: 300_000, paced: 5 * time.Second, commits: time.Minute}
)

// groups are the parts of the bench that can be run alone.
var groups = []struct {
	name    string
	measure func(plan, io.Writer) ([]figure.Figure, error)
}{
	{"rate", measureRate},
	{"weight", measureWeight},
	{"flat", measureFlat},
	{"latency", measureLatency},
	{"faults", measureFaults},
	{"storm", measureStorm},
	{"commit", measureCommit},
	{"hub", measureHub},
}

func main() {
	fast := flag.Bool("quick", false, "a run of half a minute, to try: its figures mean less")
	only := flag.String("only", "", "run only these `groups`, separated by commas")
	flag.Parse()
	p := whole
	if *fast {
		p = quick
	}
	if err := bench(p, *only, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(p plan, only string, out io.Writer) error {
	before, began := figure.Load(), time.Now()
	var figures []figure.Figure
	var errs []error
	for _, g := range groups {
		if only != "" && !slices.Contains(strings.Split(only, ","), g.name) {
			continue
		}
		measured, err := g.measure(p, out)
		if err != nil {
			err = fmt.Errorf("%s: %w", g.name, err)
		}
		figures, errs = append(figures, measured...), append(errs, err)
	}
	fmt.Fprintf(out, "\n%s, %d processors, load average %s before and %s after, %s\n\n",
		figure.Processor(), runtime.NumCPU(), before, figure.Load(), time.Since(began).Round(time.Second))
	errs = append(errs, figure.Table(out, figures))
	fmt.Fprintln(out)
	return errors.Join(append(errs, figure.Lines(out, figures))...)
}
