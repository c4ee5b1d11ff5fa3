package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"gengfu/devices"
	"gengfu/devices/profile"
	"gengfu/facility"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/config"
	"gengfu/gateway/journal"
	"gengfu/gateway/uplink"
)

const (
	metersBesidePump = 20
	meterModel       = "chint-dtsu666"
	pumpModel        = "pump-controller"
	pumpAddress      = 100
	alarmPeriod      = 100 * time.Millisecond
	measuredEvery    = 30 * time.Second
	pumpHouses       = 4 // lines that are measured at the same time
	noticedWithin    = 20 * time.Second
)

// measureAlarm breaks pumps at random moments, each on a line with meters, and notes
// when the journal has the bit on disk. The measured values of the meters are read at
// such a period, their energy as the profile says, that the gateway takes the lines
// without being forced.
func measureAlarm(ctx context.Context, far *far, p plan, out io.Writer) (figures []figure.Figure, err error) {
	cfg, err := config.BuiltIn("demo")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gengfu-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for journals: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	notice, closeJournals, err := openJournals(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeJournals()) }()
	var houses []*pumpHouse
	var lines []devices.LineConfig
	var devs []devices.DeviceConfig
	for i := range pumpHouses {
		h, l, ds, err := buildPumpHouse(far, i, every(measuredEvery, cfg.Profiles[meterModel]))
		if err != nil {
			return nil, err
		}
		houses, lines, devs = append(houses, h), append(lines, l), append(devs, ds...)
		notice.heard[h.point] = h.heard
	}
	field, err := devices.New(lines, devs, nil, cfg.Profiles, devices.Options{Sink: notice})
	if err != nil {
		return nil, err
	}
	stop := running(ctx, field)
	defer func() { err = errors.Join(err, stop()) }()
	took, err := breakPumps(ctx, far, houses, p)
	if err != nil {
		return nil, err
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "Pump alarm bit to journal, 9600, %d meters %s beside it\tp50\tp90\tp99\tlongest\tsamples\n", metersBesidePump, meterModel)
	fmt.Fprintf(table, "asked for each %s, the meters each %s, line planned at %.0f %%\t%.0f ms\t%.0f ms\t%.0f ms\t%.0f ms\t%d\n", alarmPeriod, measuredEvery, 100*field.Status()[0].Planned,
		figure.Quantile(took, 0.5), figure.Quantile(took, 0.9), figure.Quantile(took, 0.99), figure.Quantile(took, 1), len(took))
	return []figure.Figure{
		figure.AtMost("alarm_to_journal_p99", figure.Quantile(took, 0.99), "ms", 300, 0, fmt.Sprintf("%d meters on the same 9600 line", metersBesidePump)),
	}, table.Flush()
}

// pumpHouse is one line with a pump and its meters.
type pumpHouse struct {
	line  int
	point facility.PointID
	heard chan heard
}

// every returns the periods of a device of which all measured values are read so often.
func every(period time.Duration, model profile.Profile) map[string]time.Duration {
	periods := map[string]time.Duration{}
	for _, pt := range model.Points {
		if pt.Kind == facility.Measure {
			periods[pt.ID] = period
		}
	}
	return periods
}

func buildPumpHouse(far *far, i int, meters map[string]time.Duration) (*pumpHouse, devices.LineConfig, []devices.DeviceConfig, error) {
	id := fmt.Sprintf("house%d", i)
	pump := devices.DeviceConfig{
		ID: id + "-pump", Profile: pumpModel, Line: id, Address: devices.Address(fmt.Sprint(pumpAddress)),
		Periods: map[string]time.Duration{"fault": alarmPeriod},
	}
	o := order{Serial: &pace9600, Slaves: []slaveOrder{{Profile: pumpModel, Address: pumpAddress}}}
	devs := []devices.DeviceConfig{pump}
	for a := 1; a <= metersBesidePump; a++ {
		o.Slaves = append(o.Slaves, slaveOrder{Profile: meterModel, Address: a})
		devs = append(devs, devices.DeviceConfig{
			ID: fmt.Sprintf("%s-meter%d", id, a), Profile: meterModel, Line: id, Address: devices.Address(fmt.Sprint(a)),
			Periods: meters,
		})
	}
	l, err := far.tell(o)
	if err != nil {
		return nil, devices.LineConfig{}, nil, err
	}
	h := &pumpHouse{line: l.Line, point: facility.PointID{Device: pump.ID, Quantity: "fault"}, heard: make(chan heard, 16)}
	return h, serialLine(id, l.Path), devs, nil
}

// breakPumps breaks and repairs the pumps for a while, each house for itself, and
// returns in milliseconds how long each change took.
func breakPumps(ctx context.Context, far *far, houses []*pumpHouse, p plan) ([]float64, error) {
	var mu sync.Mutex // of far and took
	var took []float64
	var all sync.WaitGroup
	errs := make([]error, len(houses))
	set := func(h *pumpHouse, value float64) (time.Time, error) {
		mu.Lock()
		defer mu.Unlock()
		d, err := far.tell(order{Line: h.line, Address: pumpAddress, Quantity: "fault", Value: value})
		return d.At, err
	}
	for i, h := range houses {
		all.Go(func() {
			errs[i] = h.await(ctx, 0) // the line is open and the pump is seen whole
			begin := time.Now().Add(p.settle)
			for value := 1.0; errs[i] == nil && time.Now().Before(begin.Add(p.watch)); value = 1 - value {
				if errs[i] = pause(ctx, 300*time.Millisecond+rand.N(700*time.Millisecond)); errs[i] != nil {
					return
				}
				at, err := set(h, value)
				if errs[i] = err; err != nil {
					return
				}
				var durable time.Time
				durable, errs[i] = h.awaitAt(ctx, value)
				if at.Before(begin) || errs[i] != nil {
					continue
				}
				mu.Lock()
				took = append(took, float64(durable.Sub(at))/float64(time.Millisecond))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(took) == 0 {
		errs = append(errs, errors.New("no change was seen"))
	}
	return took, errors.Join(errs...)
}

func (h *pumpHouse) await(ctx context.Context, value float64) error {
	_, err := h.awaitAt(ctx, value)
	return err
}

// awaitAt returns when the journal had the value on disk.
func (h *pumpHouse) awaitAt(ctx context.Context, value float64) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, noticedWithin)
	defer cancel()
	for {
		select {
		case x := <-h.heard:
			if x.value == value {
				return x.at, nil
			}
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%s was never %g: %w", h.point, value, ctx.Err())
		}
	}
}

// heard is a value that the journal has.
type heard struct {
	value float64
	at    time.Time
}

// noticing is the way of the edge into its journals, with an eye on some points.
type noticing struct {
	*uplink.Collector
	heard map[facility.PointID]chan heard
}

func (n *noticing) Readings(ctx context.Context, readings []facility.Reading) error {
	if err := n.Collector.Readings(ctx, readings); err != nil {
		return err
	}
	at := time.Now()
	for _, r := range readings {
		if c, ok := n.heard[r.Point]; ok && r.Quality == facility.Good {
			select {
			case c <- heard{r.Value, at}:
			default: // nobody is waiting
			}
		}
	}
	return nil
}

// openJournals lays what a gateway has: a journal of urgent facts that are on disk
// when they are taken, and one of samples.
func openJournals(dir string) (*noticing, func() error, error) {
	urgent, err := journal.Open(filepath.Join(dir, "urgent.db"), journal.Options{})
	if err != nil {
		return nil, nil, err
	}
	telemetry, err := journal.Open(filepath.Join(dir, "telemetry.db"), journal.Options{Evict: true, Sync: time.Second})
	if err != nil {
		return nil, nil, errors.Join(err, urgent.Close())
	}
	n := &noticing{heard: map[facility.PointID]chan heard{}}
	n.Collector = uplink.NewCollector(uplink.CollectorOptions{
		Urgent: urgent, Telemetry: telemetry,
		StreamOf: func(p facility.PointID) facility.Stream {
			if _, watched := n.heard[p]; watched {
				return facility.Urgent
			}
			return facility.Telemetry
		},
	})
	return n, func() error { return errors.Join(urgent.Close(), telemetry.Close()) }, nil
}
