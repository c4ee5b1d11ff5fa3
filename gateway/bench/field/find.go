package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"text/tabwriter"
	"time"

	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/scan"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/config"
)

// personas are buses of eight devices, by address: meters, drives, pumps and inputs
// of many makers.
var personas = []map[int]string{
	{1: "eastron-sdm630", 2: "chint-dtsu666", 5: "schneider-iem3155", 11: "pump-controller", 17: "tuf-2000", 30: "invt-goodrive", 64: "carlo-gavazzi-em24", 100: "xy-md02"},
	{1: "acrel-adl400", 3: "danfoss-fc202", 4: "wilo-booster", 9: "digital-input-16", 21: "qdy30a", 33: "inepro-pro380", 70: "siemens-pac2200", 201: "delta-ms300"},
}

// scanned is what a sweep made of a bus.
type scanned struct {
	found, named, exactly int
	took                  time.Duration
	missed                []string
}

// measureScan sweeps buses whose speed is known and nothing else: all addresses and
// all protocols.
func measureScan(ctx context.Context, far *far, p plan, out io.Writer) ([]figure.Figure, error) {
	cfg, err := config.BuiltIn("demo")
	if err != nil {
		return nil, err
	}
	buses := personas[:min(p.buses, len(personas))]
	results, errs := make([]scanned, len(buses)), make([]error, len(buses))
	var all sync.WaitGroup
	for i, bus := range buses {
		o := order{Serial: &pace9600}
		for a, id := range bus {
			o.Slaves = append(o.Slaves, slaveOrder{Profile: id, Address: a})
		}
		l, err := far.tell(o)
		if err != nil {
			return nil, err
		}
		all.Go(func() { results[i], errs[i] = sweepBus(ctx, l.Path, bus, cfg.Profiles) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "Scan of a bus at 9600 8N1, all addresses and protocols\tdevices\tfound\tnamed\tseconds\ttaken for something else")
	devices, named, exactly, slowest := 0, 0, 0, time.Duration(0)
	for i, r := range results {
		fmt.Fprintf(table, "bus %d\t%d\t%d\t%d\t%.1f\t%v\n", i+1, len(buses[i]), r.found, r.named, r.took.Seconds(), r.missed)
		devices, named, exactly, slowest = devices+len(buses[i]), named+r.named, exactly+r.exactly, max(slowest, r.took)
	}
	return []figure.Figure{
		figure.AtLeast("scan_named", 100*float64(named)/float64(devices), "%", 95, 1, fmt.Sprintf("of %d devices, %d of them by the very model, the others by the family", devices, exactly)),
		figure.AtMost("scan_time", slowest.Seconds(), "s", 60, 1, "of the slowest bus of 8"),
	}, table.Flush()
}

func sweepBus(ctx context.Context, path string, bus map[int]string, profiles map[string]profile.Profile) (r scanned, err error) {
	models := make([]profile.Profile, 0, len(profiles))
	for _, p := range profiles {
		p.Defaults()
		models = append(models, p)
	}
	began := time.Now()
	sweep := scan.Sweep{
		Options:  scan.Options{Bauds: []int{9600}, Framings: []string{"8N1"}},
		Profiles: models,
		Open: func(ctx context.Context, s scan.Setting) (scan.Conn, error) {
			return line.OpenSerial(ctx, s.Serial(path))
		},
	}
	found, err := sweep.Run(ctx)
	r.took = time.Since(began)
	for _, d := range found {
		address, numbered := strconv.Atoi(d.Address)
		id, there := bus[address]
		if numbered != nil || !there {
			r.missed = append(r.missed, fmt.Sprintf("nobody at %s", d.Address))
			continue
		}
		r.found++
		best := ""
		if len(d.Candidates) > 0 {
			best = d.Candidates[0].Profile
		}
		switch family := profiles[id].Family; {
		case best == id:
			r.named, r.exactly = r.named+1, r.exactly+1
		case family != "" && best != "" && profiles[best].Family == family:
			r.named++
		default:
			r.missed = append(r.missed, fmt.Sprintf("%s as %q", id, best))
		}
	}
	return r, err
}
