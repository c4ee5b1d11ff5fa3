package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"
	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"gengfu/facility"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/config"
	"gengfu/storage/history"
	"gengfu/storage/history/influx"
)

const (
	bareDatabase = "bare"
	barePoints   = 5000 // in a batch
)

// What the bare client makes of readings. The figure is held against the same lines;
// the others are for comparison.
const (
	bareLines  = "lines"  // the lines that the program's own writer makes of them, ready as text
	bareSingle = "single" // the client's points, one for each reading
	bareMeters = "meters" // the client's points, one for all readings of a meter at one time
)

// measureInflux sends the same readings into influxd over the whole way and with
// the bare client, by turns.
func measureInflux(ctx context.Context, dir string, p plan, out io.Writer) (figures []figure.Figure, err error) {
	s, err := startInflux(ctx, dir, influxDatabase, bareDatabase)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	alone := map[string][]float64{}
	ours, err := passages(p.windows, func(i int) (passage, error) {
		own := filepath.Join(dir, fmt.Sprint(i))
		whole, err := pass(ctx, own, p, p.through, config.InfluxDBEngine, s)
		if err != nil {
			return whole, err
		}
		for _, form := range []string{bareLines, bareSingle, bareMeters} {
			rate, err := runBare(ctx, own, s, p, form)
			if err != nil {
				return whole, err
			}
			alone[form] = append(alone[form], rate)
		}
		return whole, nil
	})
	if err != nil {
		return nil, err
	}
	if err := tell(out, "Edge, Mosquitto, hub, influxd", ours); err != nil {
		return nil, err
	}
	rate, _ := medians(ours)
	client := map[string]float64{}
	for form := range alone {
		client[form] = figure.Quantile(alone[form], 0.5)
	}
	fmt.Fprintf(out, "The bare client alone, readings/s: %.0f with the same lines, %d readings in a batch; %.0f with a point for each reading, %d points in a batch; %.0f with a point for the %d readings of a meter, %d points in a batch\n",
		client[bareLines], barePoints, client[bareSingle], barePoints, client[bareMeters], fieldsOfMeter, barePoints)
	note := fmt.Sprintf("%.0f of %.0f readings/s of the client with the same lines, medians of %d; %.0f %% of one with a point for each reading, %.0f %% of one with a point for each meter",
		rate, client[bareLines], p.windows, 100*rate/client[bareSingle], 100*rate/client[bareMeters])
	return []figure.Figure{figure.AtLeast("influxdb_share", 100*rate/client[bareLines], "%", 80, 1, note)}, nil
}

const (
	fieldsOfMeter = 15
	meterKind     = "electricity_meter"
)

func runBare(ctx context.Context, dir string, s *influxServer, p plan, form string) (rate float64, err error) {
	child, err := startSelf(ctx, dir, roleBare, roleBare, "", "-form", form, "-config", site{dir: dir}.file(config.Edge), "-url", s.url, "-readings", strconv.Itoa(p.through))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, child.stop()) }()
	text, err := child.hear(ctx, "rate")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// beBare writes the readings of the source with the client of InfluxDB, in blocking
// batches.
func beBare(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(roleBare, flag.ContinueOnError)
	file := flags.String("config", "", "")
	url := flags.String("url", "", "")
	form := flags.String("form", bareLines, "")
	n := flags.Int("readings", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := config.Load(*file, config.Force(true))
	if err != nil {
		return err
	}
	client := influxdb2.NewClientWithOptions(*url, influxToken, influxdb2.DefaultOptions().SetPrecision(time.Millisecond))
	defer client.Close()
	b := bare{api: client.WriteAPIBlocking("any", bareDatabase+"/autogen"), source: newSource(cfg, time.Now().UTC(), time.Second)}
	b.source.round = b.source.round.Add(-time.Duration(*n/b.source.points()+1) * b.source.period)
	write := map[string]func(context.Context) (int, error){bareLines: b.lines, bareSingle: b.single, bareMeters: b.meters}[*form]
	if write == nil {
		return fmt.Errorf("no form %q", *form)
	}
	began, written := time.Now(), 0
	for written < *n {
		more, err := write(ctx)
		if err != nil {
			return fmt.Errorf("the bare client: %w", err)
		}
		written += more
	}
	fmt.Fprintln(out, "rate", float64(written)/time.Since(began).Seconds())
	return nil
}

// bare is a client of InfluxDB without anything of this program before it.
type bare struct {
	api    api.WriteAPIBlocking
	source *source
	rest   []facility.Reading // of the last meter that was read
}

// batch is the next readings, as many as points go together.
func (b *bare) batch() []facility.Reading {
	batch := b.rest
	for len(batch) < barePoints {
		batch = append(batch, b.source.read()...)
	}
	b.rest = slices.Clone(batch[barePoints:])
	return batch[:barePoints]
}

func (b *bare) lines(ctx context.Context) (int, error) {
	rows := make([]history.Row, 0, barePoints)
	for _, r := range b.batch() {
		rows = append(rows, history.Row{Reading: r, Kind: meterKind})
	}
	return len(rows), b.api.WriteRecord(ctx, string(influx.Lines(siteID, rows)))
}

func (b *bare) single(ctx context.Context) (int, error) {
	points := make([]*write.Point, 0, barePoints)
	for _, r := range b.batch() {
		points = append(points, point(r.Point.Device, map[string]any{r.Point.Quantity: r.Value}, r.Time))
	}
	return len(points), b.api.WritePoint(ctx, points...)
}

func (b *bare) meters(ctx context.Context) (n int, err error) {
	points := make([]*write.Point, 0, barePoints)
	for len(points) < barePoints {
		readings := b.source.read()
		fields := make(map[string]any, len(readings))
		for _, r := range readings {
			fields[r.Point.Quantity] = r.Value
		}
		points = append(points, point(readings[0].Point.Device, fields, readings[0].Time))
		n += len(readings)
	}
	return n, b.api.WritePoint(ctx, points...)
}

func point(device string, fields map[string]any, at time.Time) *write.Point {
	return influxdb2.NewPoint(meterKind, map[string]string{"site": siteID, "device": device}, fields, at)
}
