package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api/write"

	"gengfu/gateway/bench/figure"
	"gengfu/gateway/config"
)

const (
	bareDatabase = "bare"
	barePoints   = 5000 // in a batch
)

// measureInflux sends the same readings into influxd over the whole way and with
// the bare client, by turns.
func measureInflux(ctx context.Context, dir string, p plan, out io.Writer) (figures []figure.Figure, err error) {
	s, err := startInflux(ctx, dir, influxDatabase, bareDatabase)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	var bare []float64
	ours, err := passages(p.windows, func(i int) (passage, error) {
		own := filepath.Join(dir, fmt.Sprint(i))
		whole, err := pass(ctx, own, p, p.through, config.InfluxDBEngine, s)
		if err != nil {
			return whole, err
		}
		rate, err := runBare(ctx, own, s, p)
		bare = append(bare, rate)
		return whole, err
	})
	if err != nil {
		return nil, err
	}
	if err := tell(out, "Edge, Mosquitto, hub, influxd", ours); err != nil {
		return nil, err
	}
	rate, _ := medians(ours)
	client := figure.Quantile(bare, 0.5)
	fmt.Fprintf(out, "The bare client alone: %.0f readings/s in batches of %d points, %d fields a point\n", client, barePoints, fieldsOfMeter)
	note := fmt.Sprintf("%.0f of %.0f readings/s, medians of %d", rate, client, p.windows)
	return []figure.Figure{figure.AtLeast("influxdb_share", 100*rate/client, "%", 80, 1, note)}, nil
}

const fieldsOfMeter = 15

func runBare(ctx context.Context, dir string, s *influxServer, p plan) (rate float64, err error) {
	child, err := startSelf(ctx, dir, roleBare, roleBare, "", "-config", site{dir: dir}.file(config.Edge), "-url", s.url, "-readings", strconv.Itoa(p.through))
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

// beBare writes the readings of the source with the client of InfluxDB as its
// makers show it: a point with all fields of a meter, in blocking batches.
func beBare(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(roleBare, flag.ContinueOnError)
	file := flags.String("config", "", "")
	url := flags.String("url", "", "")
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
	api := client.WriteAPIBlocking("any", bareDatabase+"/autogen")
	s := newSource(cfg, time.Now().UTC(), time.Second)
	s.round = s.round.Add(-time.Duration(*n/s.points()+1) * s.period)
	began, written := time.Now(), 0
	for written < *n {
		points := make([]*write.Point, 0, barePoints)
		for len(points) < barePoints && written < *n {
			readings := s.read()
			fields := make(map[string]any, len(readings))
			for _, r := range readings {
				fields[r.Point.Quantity] = r.Value
			}
			tags := map[string]string{"site": siteID, "device": readings[0].Point.Device}
			points = append(points, influxdb2.NewPoint("electricity_meter", tags, fields, readings[0].Time))
			written += len(readings)
		}
		if err := api.WritePoint(ctx, points...); err != nil {
			return fmt.Errorf("the bare client: %w", err)
		}
	}
	fmt.Fprintln(out, "rate", float64(written)/time.Since(began).Seconds())
	return nil
}
