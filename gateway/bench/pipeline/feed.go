package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/gateway/journal"
	"gengfu/gateway/uplink"
)

// How far a feed may be ahead, in readings: of the disk, because what the journal
// holds in memory is bounded and what comes then is dropped; and of the hub.
const (
	aheadOfDisk = 60_000
	aheadOfHub  = 250_000
)

// feed is the edge as the daemon puts it together, with a source in place of a
// field.
type feed struct {
	cfg       *config.Config
	out       io.Writer
	collector *uplink.Collector
	telemetry *journal.Journal
	expected  atomic.Uint64 // the last sequence that the journal has given
}

// Append is that of the journal of samples.
func (f *feed) Append(ctx context.Context, records ...[]byte) (uint64, error) {
	last, err := f.telemetry.Append(ctx, records...)
	if err == nil {
		f.expected.Store(last)
	}
	return last, err
}

// beFeed obeys orders until they end:
//
//	fill N TOGETHER  N readings into the journal, so many in a batch, of the time before now
//	feed N           N readings, as fast as all behind it takes them
//	live             readings of now, each point once in ten seconds, from now on
func beFeed(ctx context.Context, args []string, orders <-chan string, out io.Writer) (err error) {
	flags := flag.NewFlagSet(roleFeed, flag.ContinueOnError)
	file := flags.String("config", "", "")
	data := flags.String("data", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f := &feed{out: out}
	if f.cfg, err = config.Load(*file, config.Force(true)); err != nil {
		return err
	}
	if err := os.MkdirAll(*data, 0o700); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	// As in package daemon.
	cursors := []string{uplink.Cursor}
	urgent, err := journal.Open(filepath.Join(*data, "edge-urgent.db"), journal.Options{Cursors: cursors, Logger: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, urgent.Close()) }()
	f.telemetry, err = journal.Open(filepath.Join(*data, "edge-telemetry.db"), journal.Options{
		Cursors: cursors, Logger: log, Evict: true, Sync: 200 * time.Millisecond, MaxBytes: 1 << 30,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.telemetry.Close()) }()
	f.collector = uplink.NewCollector(uplink.CollectorOptions{
		Urgent: urgent, Telemetry: f, Logger: log,
		StreamOf: func(facility.PointID) facility.Stream { return facility.Telemetry },
	})
	up, err := uplink.New(uplink.Options{
		Site: f.cfg.Site.ID, Gateway: f.cfg.Gateway.ID, Root: f.cfg.MQTT.Root, URL: f.cfg.MQTT.URL, Logger: log,
		Streams: map[facility.Stream]*journal.Journal{facility.Urgent: urgent, facility.Telemetry: f.telemetry},
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	parts.Go(func() { _ = up.Run(running) }) // what is wrong is in the log
	parts.Go(func() { _ = f.collector.Run(running) })
	fmt.Fprintln(out, "ready", f.cfg.Gateway.ID)
	err = f.obey(ctx, orders)
	stop()
	parts.Wait()
	return err
}

func (f *feed) obey(ctx context.Context, orders <-chan string) error {
	for {
		var order string
		select {
		case order = <-orders:
		case <-ctx.Done():
			return nil
		}
		var n, together int
		var err error
		switch {
		case order == "live":
			return f.live(ctx)
		case scan(order, "fill %d %d", &n, &together):
			err = f.fill(ctx, n, together)
		case scan(order, "feed %d", &n):
			err = f.feed(ctx, n)
		default:
			err = fmt.Errorf("no order: %q", order)
		}
		if err != nil {
			return err
		}
		if s := f.collector.Stats(); len(s.Dropped) > 0 {
			return fmt.Errorf("the collector has dropped readings: %v", s.Dropped)
		}
		fmt.Fprintln(f.out, "done", f.collector.Stats().Journalled)
	}
}

func scan(order, form string, into ...any) bool {
	n, err := fmt.Sscanf(order, form, into...)
	return err == nil && n == len(into)
}

// feed reads each meter once a second of a time that ends about now.
func (f *feed) feed(ctx context.Context, n int) error {
	s := newSource(f.cfg, time.Now().UTC(), time.Second)
	s.round = s.round.Add(-time.Duration(n/s.points()+1) * s.period)
	for n > 0 && ctx.Err() == nil {
		readings := s.read()
		readings = readings[:min(n, len(readings))]
		n -= len(readings)
		if err := f.collector.Readings(ctx, readings); err != nil {
			return err
		}
		if err := f.pace(ctx, aheadOfDisk/together, aheadOfHub/together); err != nil {
			return err
		}
	}
	f.collector.Flush(ctx)
	return ctx.Err()
}

// fill writes what an edge has journalled while nobody was there: each point once
// in ten seconds.
func (f *feed) fill(ctx context.Context, n, together int) error {
	s := newSource(f.cfg, time.Now().UTC(), 10*time.Second)
	s.round = s.round.Add(-time.Duration(n/s.points()+1) * s.period)
	var waiting []facility.Reading
	for n > 0 && ctx.Err() == nil {
		for len(waiting) < together {
			waiting = append(waiting, s.read()...)
		}
		batch := waiting[:min(n, together)]
		waiting = waiting[len(batch):]
		n -= len(batch)
		if err := f.collector.Readings(ctx, batch); err != nil {
			return err
		}
		f.collector.Flush(ctx)
		if err := f.pace(ctx, aheadOfDisk/uint64(together), math.MaxUint32); err != nil {
			return err
		}
	}
	return f.settle(ctx)
}

// pace waits while it is so many batches ahead of the disk or of the hub.
func (f *feed) pace(ctx context.Context, disk, hub uint64) error {
	far := func() bool {
		last := f.expected.Load()
		return last > f.telemetry.Last()+disk || last > f.telemetry.Cursor(uplink.Cursor)+hub
	}
	if !far() {
		return nil
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for far() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settle waits until all is on the disk.
func (f *feed) settle(ctx context.Context) error {
	for f.telemetry.Last() < f.expected.Load() {
		if err := f.telemetry.Wait(ctx, f.telemetry.Last()); err != nil {
			return err
		}
	}
	return nil
}

// live reads the meters as they are read in an estate, until ctx ends.
func (f *feed) live(ctx context.Context) error {
	fmt.Fprintln(f.out, "live", time.Now().UnixMilli())
	s := newSource(f.cfg, time.Now().UTC(), 10*time.Second)
	tick := time.NewTicker(s.period / time.Duration(len(s.meters)))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		readings, now := s.read(), time.Now().UTC()
		for i := range readings {
			readings[i].Time = now
		}
		if err := f.collector.Readings(ctx, readings); err != nil {
			return err
		}
	}
}
