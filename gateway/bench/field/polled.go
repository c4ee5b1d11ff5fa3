package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"

	"gengfu/devices"
	"gengfu/devices/line"
	"gengfu/devices/profile"
	"gengfu/devices/simulator"
	"gengfu/facility"
	"gengfu/gateway/bench/figure"
)

// turnaround is what the simulated devices take before they answer: an ordinary
// meter.
const turnaround = 20 * time.Millisecond

var pace9600 = simulator.Wire{Baud: 9600, Turnaround: turnaround}

// serialLine is a line of 9600 baud with everything else as it is by default.
func serialLine(id, path string) devices.LineConfig {
	return devices.LineConfig{
		ID: id, Protocol: devices.ModbusRTU, Serial: &line.Serial{Port: path, Baud: 9600, Parity: "none"},
	}
}

// running runs a field until stop, which waits for it.
func running(ctx context.Context, f *devices.Field) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	return func() error {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			return fmt.Errorf("run the field: %w", err)
		}
		return nil
	}
}

// pause waits, or returns with the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	metersOnLine = 32
	deadOnLine   = 8
	meterPeriod  = 4 * time.Second // which takes the line half of its time
)

// fiveFloats is a meter with as many points, on one stretch of registers.
func fiveFloats() profile.Profile {
	p := profile.Profile{ID: "five-floats", Kind: "electricity_meter", Name: facility.Text{EN: "Five floats"}}
	for i := range 5 {
		p.Points = append(p.Points, profile.Point{
			ID: fmt.Sprintf("v%d", i), Kind: facility.Measure, Table: profile.Holding, Address: 2 * i, Type: profile.F32, Period: meterPeriod,
		})
	}
	p.Defaults()
	return p
}

// measureDead polls two lines of 32 meters at the same time, one of them with eight
// that never answer, and compares how regularly the others are read.
func measureDead(ctx context.Context, far *far, p plan, out io.Writer) (figures []figure.Figure, err error) {
	var lines []devices.LineConfig
	var meters []devices.DeviceConfig
	for _, dead := range []int{0, deadOnLine} {
		o := order{Serial: &pace9600}
		for a := 1; a <= metersOnLine; a++ {
			o.Slaves = append(o.Slaves, slaveOrder{Address: a, Floats: 5})
		}
		l, err := far.tell(o)
		if err != nil {
			return nil, err
		}
		for a := 1; a <= dead; a++ {
			if _, err := far.tell(order{Line: l.Line, Address: a, Fault: "dead"}); err != nil {
				return nil, err
			}
		}
		id := fmt.Sprintf("dead%d", dead)
		lines = append(lines, serialLine(id, l.Path))
		for a := 1; a <= metersOnLine; a++ {
			meters = append(meters, devices.DeviceConfig{
				ID: fmt.Sprintf("%s-%d", id, a), Profile: "five-floats", Line: id, Address: devices.Address(fmt.Sprint(a)),
			})
		}
	}
	times := &timesSink{seen: map[facility.PointID][]time.Time{}}
	field, err := devices.New(lines, meters, nil, map[string]profile.Profile{"five-floats": fiveFloats()}, devices.Options{Sink: times})
	if err != nil {
		return nil, err
	}
	stop := running(ctx, field)
	defer func() { err = errors.Join(err, stop()) }()
	if err := pause(ctx, p.settle); err != nil {
		return nil, err
	}
	times.clear()
	if err := pause(ctx, p.watch); err != nil {
		return nil, err
	}
	alive, withDead := times.periods("dead0"), times.periods(fmt.Sprintf("dead%d", deadOnLine))
	if len(alive) == 0 || len(withDead) == 0 {
		return nil, errors.New("no meter was read twice")
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(table, "%d meters each %s at 9600, the period of those that answer\tp50\tp99\tlongest\tsamples\n", metersOnLine, meterPeriod)
	for _, row := range []struct {
		name    string
		periods []float64
	}{{"all alive", alive}, {fmt.Sprintf("%d dead", deadOnLine), withDead}} {
		fmt.Fprintf(table, "%s\t%.3f s\t%.3f s\t%.3f s\t%d\n", row.name,
			figure.Quantile(row.periods, 0.5), figure.Quantile(row.periods, 0.99), figure.Quantile(row.periods, 1), len(row.periods))
	}
	ratio := figure.Quantile(withDead, 0.99) / figure.Quantile(alive, 0.99)
	return []figure.Figure{
		figure.AtMost("dead_slaves_p99_period", ratio, "times", 1.15, 3, fmt.Sprintf("%d of %d dead, against all alive", deadOnLine, metersOnLine)),
	}, table.Flush()
}

// timesSink notes when good values came.
type timesSink struct {
	mu   sync.Mutex
	seen map[facility.PointID][]time.Time
}

func (s *timesSink) Readings(_ context.Context, readings []facility.Reading) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range readings {
		if r.Quality == facility.Good {
			s.seen[r.Point] = append(s.seen[r.Point], r.Time)
		}
	}
	return nil
}

func (s *timesSink) Tap(context.Context, facility.Tap) error { return errors.New("there is no reader") }

func (s *timesSink) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.seen)
}

// periods returns, in seconds, the times between readings of the meters that are
// alive on either line.
func (s *timesSink) periods(line string) (all []float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a := deadOnLine + 1; a <= metersOnLine; a++ {
		times := s.seen[facility.PointID{Device: fmt.Sprintf("%s-%d", line, a), Quantity: "v0"}]
		for i := 1; i < len(times); i++ {
			all = append(all, times[i].Sub(times[i-1]).Seconds())
		}
	}
	return all
}
