// Command pipeline measures the way of a reading from the edge to the history, with
// the parts of the finished program in processes of their own: edge, Mosquitto, hub,
// and influxd where the history is there.
//
// For each group of figures it prints a table, and at the end one line for each
// figure; package figure says how they look. A figure that falls short is no failure
// of the bench; the exit status is 1 only when something could not be measured. It
// needs Linux, for /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"gengfu/gateway/bench/figure"
)

// plan is how much is measured.
type plan struct {
	append   int           // readings into the journal
	windows  int           // of the whole way, of which the median counts
	through  int           // readings over the whole way in each
	backlog  int           // readings that wait at the edge
	meters   int           // readings into the embedded history, to weigh it
	year     time.Duration // of one point, read each ten seconds
	settle   time.Duration // of an edge that has little to do, before it is weighed
	watch    time.Duration // for so long
	enough   float64       // readings a second that it must read, or its weight says nothing of 1,000
	profiles string        // a folder for profiles of what the children do; empty is none
}

var (
	whole = plan{append: 4_000_000, windows: 3, through: 1_500_000, backlog: 4_320_000, meters: 4_000_000, year: 365 * 24 * time.Hour, settle: 20 * time.Second, watch: time.Minute, enough: 500}
	quick = plan{append: 500_000, windows: 1, through: 300_000, backlog: 200_000, meters: 1_000_000, year: 365 * 24 * time.Hour, settle: 8 * time.Second, watch: 10 * time.Second, enough: 500}
)

// group is a part of the bench that can be run alone.
type group struct {
	name    string
	measure func(ctx context.Context, dir string, p plan, out io.Writer) ([]figure.Figure, error)
}

var groups = []group{
	{"journal", measureJournal},
	{"history", measureHistory},
	{"through", measureThrough},
	{"influxdb", measureInflux},
	{"backlog", measureBacklog},
	{"idle", measureIdle},
}

func main() {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(beChild(role, os.Args[1:]))
	}
	fast := flag.Bool("quick", false, "a run of two minutes, to try: its figures mean less")
	only := flag.String("only", "", "run only these `groups`, separated by commas")
	profiles := flag.String("profile", "", "a `folder` for processor profiles of the edge and the hub")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := whole
	if *fast {
		p = quick
	}
	p.profiles = *profiles
	if err := known(*only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if err := bench(ctx, p, *only, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// known refuses groups that do not exist.
func known(only string) error {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = g.name
	}
	for name := range strings.SplitSeq(only, ",") {
		if name != "" && !slices.Contains(names, name) {
			return fmt.Errorf("there is no group %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// bench measures the groups and prints them. A group that could not be measured
// does not keep the others from it.
func bench(ctx context.Context, p plan, only string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "gengfu-pipeline-")
	if err != nil {
		return fmt.Errorf("make a folder for what is measured: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	before, began := figure.Load(), time.Now()
	var figures []figure.Figure
	var errs []error
	for _, g := range groups {
		if only != "" && !slices.Contains(strings.Split(only, ","), g.name) {
			continue
		}
		own := filepath.Join(dir, g.name)
		if err := os.Mkdir(own, 0o700); err != nil {
			return err
		}
		measured, err := g.measure(ctx, own, p, out)
		if err != nil {
			err = fmt.Errorf("%s: %w", g.name, err)
		}
		figures, errs = append(figures, measured...), append(errs, err, os.RemoveAll(own))
		fmt.Fprintln(out)
	}
	fmt.Fprintf(out, "%s, %d processors, load average %s before and %s after, %s\n\n",
		figure.Processor(), runtime.NumCPU(), before, figure.Load(), time.Since(began).Round(time.Second))
	errs = append(errs, figure.Table(out, figures))
	fmt.Fprintln(out)
	return errors.Join(append(errs, figure.Lines(out, figures))...)
}
