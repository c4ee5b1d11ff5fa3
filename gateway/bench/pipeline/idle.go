package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gengfu/devices/simulator"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/bench/observe"
	"gengfu/gateway/config"
)

const (
	idleLines  = 8
	idleMeters = 67 // 1,005 points, each read every second
)

// measureIdle weighs the finished program as an edge that reads simulated meters
// over Modbus TCP and has a hub that takes what it sends.
func measureIdle(ctx context.Context, dir string, p plan, out io.Writer) (figures []figure.Figure, err error) {
	e := &estate{site: site{dir: dir, meters: idleMeters}, dir: dir, plan: p}
	defer func() { err = errors.Join(err, e.stop()) }()
	if err := e.startBroker(ctx); err != nil {
		return nil, err
	}
	if _, err := e.configure(config.EmbeddedEngine); err != nil { // the meters want the profile
		return nil, err
	}
	meters, err := e.start(ctx, "meters", roleMeters, "-config", e.file(config.Edge), "-lines", strconv.Itoa(idleLines))
	if err != nil {
		return nil, err
	}
	addresses, err := meters.hear(ctx, "lines")
	if err != nil {
		return nil, err
	}
	e.lines = strings.Fields(addresses)
	if _, err := e.configure(config.EmbeddedEngine); err != nil {
		return nil, err
	}
	if _, err := e.startHub(ctx); err != nil {
		return nil, err
	}
	edge, err := e.start(ctx, "edge", roleGateway, "-config", e.file(config.Edge), "-data", filepath.Join(dir, "edge"))
	if err != nil {
		return nil, err
	}
	w, err := e.watch(ctx, edge)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Idle edge: %.0f readings a second over %d lines, %.1f %% of a core, %.1f MB, at most %.1f MB\n", w.rate, idleLines, w.busy, w.Resident/megabyte, w.Peak/megabyte)
	note := fmt.Sprintf("%.0f readings a second came into the history, over Modbus TCP from %d meters", w.rate, idleMeters)
	return []figure.Figure{
		figure.AtMost("idle_cpu", w.busy*1000/w.rate, "%", 10, 1, "of a core, for 1,000 points a second; "+note),
		figure.AtMost("idle_rss", w.Resident/megabyte, "MB", 60, 1, fmt.Sprintf("after %s", p.settle+p.watch)),
	}, nil
}

const megabyte = 1e6 // bytes

// watched is an edge in a while of its life.
type watched struct {
	observe.Weight
	busy float64 // percent of a core
	rate float64 // readings a second
}

func (e *estate) watch(ctx context.Context, edge *process) (w watched, err error) {
	look := func(after time.Duration) (observe.Weight, float64, error) {
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return observe.Weight{}, 0, ctx.Err()
		}
		m, err := e.metrics(ctx, metricStored)
		if err != nil {
			return observe.Weight{}, 0, err
		}
		w, err := observe.Weigh(edge.pid())
		return w, m[metricStored], err
	}
	first, had, err := look(e.plan.settle)
	for tries := 0; err == nil && had == 0 && tries < 60; tries++ { // a busy machine needs longer to begin
		first, had, err = look(time.Second)
	}
	if err != nil {
		return w, err
	}
	began := time.Now()
	last, has, err := look(e.plan.watch)
	if err != nil {
		return w, err
	}
	length := time.Since(began)
	w = watched{Weight: last, busy: 100 * float64(last.CPU-first.CPU) / float64(length), rate: (has - had) / length.Seconds()}
	if w.rate < e.plan.enough {
		return w, fmt.Errorf("only %.0f readings a second came: %s", w.rate, edge.said())
	}
	return w, nil
}

// beMeters is the meters of an estate on so many sockets, until ctx ends.
func beMeters(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet(roleMeters, flag.ContinueOnError)
	file := flags.String("config", "", "")
	lines := flags.Int("lines", 1, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := config.Load(*file, config.Force(true))
	if err != nil {
		return err
	}
	slaves := make([][]*simulator.Slave, *lines)
	var all []*simulator.Slave
	for i := range cfg.Estate.Devices {
		s, err := simulator.NewSlave(cfg.Profiles[ownModel], 1 + i / *lines)
		if err != nil {
			return err
		}
		slaves[i%*lines] = append(slaves[i%*lines], s)
		all = append(all, s)
	}
	var addresses []string
	for _, own := range slaves {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server, err := simulator.ServeTCP(listener, own...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Close()) }()
		addresses = append(addresses, server.Addr())
	}
	fmt.Fprintln(out, "lines", strings.Join(addresses, " "))
	simulator.Live(ctx, time.Second, 1, all...)
	return nil
}
