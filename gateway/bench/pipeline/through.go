package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gengfu/gateway/bench/figure"
	"gengfu/gateway/bench/observe"
	"gengfu/gateway/config"
)

const throughWithin = 3 * time.Minute

// passage is one time over the whole way.
type passage struct {
	rate float64                  // readings a second, from the first at the edge until all are in the history
	used map[string]time.Duration // of the processor, by process
	n    int
}

// million is the processor's time for a million readings, in seconds.
func (p passage) million() float64 {
	var sum time.Duration
	for _, d := range p.used {
		sum += d
	}
	return sum.Seconds() * 1e6 / float64(p.n)
}

// pass feeds n readings over the whole way, with a fresh estate.
func pass(ctx context.Context, dir string, p plan, n int, engine string, influx *influxServer) (out passage, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return out, err
	}
	e := &estate{site: site{dir: dir, influx: influx}, dir: dir, plan: p}
	defer func() { err = errors.Join(err, e.stop()) }()
	if err := e.startBroker(ctx); err != nil {
		return out, err
	}
	if influx != nil { // it is not this estate's to stop, but part of what it costs
		defer func(had time.Duration) {
			now, weighed := observe.CPU(influx.pid())
			if err = errors.Join(err, weighed); out.used != nil {
				out.used["influxd"] = now - had
			}
		}(must(observe.CPU(influx.pid())))
	}
	if _, err := e.configure(engine); err != nil {
		return out, err
	}
	if _, err := e.startHub(ctx); err != nil {
		return out, err
	}
	edge, err := e.startFeed(ctx)
	if err != nil {
		return out, err
	}
	before, err := e.used()
	if err != nil {
		return out, err
	}
	began := time.Now()
	if err := edge.tell("feed %d", n); err != nil {
		return out, err
	}
	if _, err := edge.hear(ctx, "done"); err != nil {
		return out, err
	}
	at, err := e.stored(ctx, float64(n), throughWithin)
	if err != nil {
		return out, err
	}
	after, err := e.used()
	if err != nil {
		return out, err
	}
	for name := range after {
		after[name] -= before[name]
	}
	return passage{rate: float64(n) / at.Sub(began).Seconds(), used: after, n: n}, nil
}

func must(d time.Duration, _ error) time.Duration { return d }

// measureThrough sends readings from an edge through Mosquitto and a hub into the
// embedded history.
func measureThrough(ctx context.Context, dir string, p plan, out io.Writer) ([]figure.Figure, error) {
	passages, err := passages(p.windows, func(i int) (passage, error) {
		return pass(ctx, filepath.Join(dir, fmt.Sprint(i)), p, p.through, config.EmbeddedEngine, nil)
	})
	if err != nil {
		return nil, err
	}
	if err := tell(out, "Edge, Mosquitto, hub, embedded history", passages); err != nil {
		return nil, err
	}
	rate, cost := medians(passages)
	note := fmt.Sprintf("median of %d times %d readings, until all are durable in the history", p.windows, p.through)
	return []figure.Figure{
		figure.AtLeast("pipeline_rate", rate, "readings/s", 100_000, 0, note),
		figure.AtMost("pipeline_cpu", cost, "CPU-s/million", 12, 2, "edge, Mosquitto and hub together, until all is judged too"),
	}, nil
}

func passages(times int, do func(i int) (passage, error)) ([]passage, error) {
	var out []passage
	for i := range times {
		p, err := do(i)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func medians(passages []passage) (rate, cost float64) {
	var rates, costs []float64
	for _, p := range passages {
		rates, costs = append(rates, p.rate), append(costs, p.million())
	}
	return figure.Quantile(rates, 0.5), figure.Quantile(costs, 0.5)
}

// tell prints what each passage took of each process.
func tell(out io.Writer, title string, passages []passage) error {
	names := slices.Sorted(maps.Keys(passages[0].used))
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "%s\treadings/s\tCPU-s a million:\t%s\n", title, strings.Join(names, "\t"))
	for _, p := range passages {
		fmt.Fprintf(table, "\t%.0f\t%.2f", p.rate, p.million())
		for _, name := range names {
			fmt.Fprintf(table, "\t%.2f", p.used[name].Seconds()*1e6/float64(p.n))
		}
		fmt.Fprintln(table)
	}
	return table.Flush()
}
