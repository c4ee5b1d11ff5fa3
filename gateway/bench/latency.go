package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gengfu/gateway/bench/figure"
	"gengfu/gateway/bench/observe"
	"gengfu/gateway/demo"
)

const (
	pollPeriod  = time.Second            // of a fault bit: configs/profiles/pump-controller.yaml
	allowance   = 300 * time.Millisecond // for everything after the poll
	seenWithin  = 20 * time.Second       // else the measurement has failed
	faultRule   = "pump-fault"           // configs/rules/pump-house.yaml
	demoFolder  = "demo"                 // of the control socket, in the data folder
	pumpsOfDemo = 3
)

// measureRunning weighs a demo that one page looks at, then breaks its pumps.
func measureRunning(ctx context.Context, binary, dir string, p plan) (out []figure.Figure, err error) {
	proc, err := start(ctx, binary, filepath.Join(dir, "running"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, proc.stop()) }()
	pg, err := observe.Open(ctx, proc.url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, pg.Close()) }()
	w := &watch{page: pg, pumps: map[string]pump{}}
	if out, err = measureWeight(ctx, proc, w, p); err != nil {
		return nil, err
	}
	latency, err := measureLatency(ctx, proc, w, p)
	return append(out, latency...), err
}

func measureWeight(ctx context.Context, proc *process, w *watch, p plan) ([]figure.Figure, error) {
	first, err := observe.Weigh(proc.pid)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := w.look(ctx, p.settle); err != nil {
		return nil, err
	}
	last, err := observe.Weigh(proc.pid)
	if err != nil {
		return nil, err
	}
	busy := 100 * float64(last.CPU-first.CPU) / float64(time.Since(began))
	note := fmt.Sprintf("VmRSS after %s with one page; VmHWM %.0f MB", p.settle, last.Peak/megabyte)
	return []figure.Figure{
		figure.AtMost("rss_after_minute", last.Resident/megabyte, "MB", 120, 0, note),
		figure.AtMost("cpu_idle", busy, "%", 15, 1, "of one core in that time, simulated devices included"),
	}, nil
}

// measureLatency breaks the pumps in turn and notes when the page hears of it.
func measureLatency(ctx context.Context, proc *process, w *watch, p plan) ([]figure.Figure, error) {
	control, err := demo.Dial(filepath.Join(proc.data, demoFolder))
	if err != nil {
		return nil, err
	}
	defer control.Close()
	var points, alarms []float64
	for i := range p.samples {
		s, err := sample(ctx, control, w, i%pumpsOfDemo+1)
		if err != nil {
			return nil, fmt.Errorf("sample %d: %w", i+1, err)
		}
		points = append(points, milliseconds(s.point))
		alarms = append(alarms, milliseconds(s.alarm))
	}
	reach50, reach99 := milliseconds(pollPeriod/2+allowance), milliseconds(pollPeriod+allowance)
	note := func(kind string, v []float64) string {
		return fmt.Sprintf("%d samples, %s; longest %.0f ms", len(v), kind, slices.Max(v))
	}
	return []figure.Figure{
		figure.AtMost("register_to_page_p50", figure.Quantile(alarms, 0.5), "ms", reach50, 0, note("the alarm", alarms)),
		figure.AtMost("register_to_page_p99", figure.Quantile(alarms, 0.99), "ms", reach99, 0, "poll period 1000 ms and 300 ms"),
		figure.AtMost("register_to_points_p50", figure.Quantile(points, 0.5), "ms", reach50, 0, note("the value", points)),
		figure.AtMost("register_to_points_p99", figure.Quantile(points, 0.99), "ms", reach99, 0, "poll period 1000 ms and 300 ms"),
	}, nil
}

// latency is how long it took from the register to the page.
type latency struct{ point, alarm time.Duration }

// sample breaks a pump that is whole, at a random moment between two polls, and
// repairs it when the page has shown it. It counts from the time that the demo
// notes just before it writes the register, in the same machine's clock.
func sample(ctx context.Context, control *demo.Client, w *watch, number int) (latency, error) {
	device, arg := "pump-"+strconv.Itoa(number), []string{strconv.Itoa(number)}
	if err := w.until(ctx, func() bool { return w.pumps[device].whole() }); err != nil {
		return latency{}, fmt.Errorf("%s is not seen whole: %w", device, err)
	}
	if err := w.look(ctx, rand.N(pollPeriod)); err != nil {
		return latency{}, err
	}
	status, err := control.Do(ctx, demo.Action{Name: "break-pump", Args: arg})
	if err != nil {
		return latency{}, err
	}
	if err := w.until(ctx, func() bool { return w.pumps[device].broken() }); err != nil {
		return latency{}, fmt.Errorf("%s is not seen broken: %w", device, err)
	}
	seen := w.pumps[device]
	_, err = control.Do(ctx, demo.Action{Name: "repair-pump", Args: arg})
	return latency{point: seen.faultAt.Sub(status.At), alarm: seen.alarmAt.Sub(status.At)}, err
}

// watch is what somebody who looks at the page knows of the pumps. Until it is
// told otherwise a pump is whole, as they are in a new demo.
type watch struct {
	page  *observe.Page
	pumps map[string]pump // by device
}

type pump struct {
	fault, alarm     bool
	faultAt, alarmAt time.Time // when the page was told so
}

func (p pump) whole() bool  { return !p.fault && !p.alarm }
func (p pump) broken() bool { return p.fault && p.alarm }

// look follows the page for a while.
func (w *watch) look(ctx context.Context, d time.Duration) error {
	end := time.NewTimer(d)
	defer end.Stop()
	for {
		select {
		case <-end.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-w.page.Events:
			if err := w.take(e, open); err != nil {
				return err
			}
		}
	}
}

// until follows the page until the condition holds.
func (w *watch) until(ctx context.Context, holds func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, seenWithin)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, open := <-w.page.Events:
			if err := w.take(e, open); err != nil {
				return err
			}
		}
	}
	return nil
}

// take learns from one event; docs/api.md has their shapes.
func (w *watch) take(e observe.Event, open bool) error {
	if !open {
		return errors.New("the event stream has ended")
	}
	switch e.Name {
	case "points":
		var data struct {
			Points []struct {
				ID    string   `json:"id"`
				Value *float64 `json:"value"`
			} `json:"points"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return fmt.Errorf("read a points event: %w", err)
		}
		for _, p := range data.Points {
			if device, quantity, _ := strings.Cut(p.ID, "/"); quantity == "fault" && p.Value != nil {
				known := w.pumps[device]
				if fault := *p.Value != 0; fault != known.fault {
					known.fault, known.faultAt = fault, e.At
				}
				w.pumps[device] = known
			}
		}
	case "alarm":
		var a struct{ Device, Rule, State string }
		if err := json.Unmarshal(e.Data, &a); err != nil {
			return fmt.Errorf("read an alarm event: %w", err)
		}
		if a.Rule != faultRule {
			return nil
		}
		known := w.pumps[a.Device]
		if alarm := a.State == "unacknowledged"; alarm != known.alarm {
			known.alarm, known.alarmAt = alarm, e.At
		}
		w.pumps[a.Device] = known
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
