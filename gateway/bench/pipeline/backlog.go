package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"gengfu/gateway/bench/figure"
	"gengfu/gateway/bench/observe"
	"gengfu/gateway/config"
)

const (
	// an edge with 500 points that are each read once in ten seconds closes a batch of
	// about ten readings each 200 ms
	backlogBatch  = 10
	backlogMeters = 34 // 510 points
	drainWithin   = 12 * time.Minute
)

// measureBacklog fills an edge's journal while nobody is there, starts all and
// watches a page while live readings are made.
func measureBacklog(ctx context.Context, dir string, p plan, out io.Writer) (figures []figure.Figure, err error) {
	e := &estate{site: site{dir: dir, meters: backlogMeters}, dir: dir, plan: p}
	defer func() { err = errors.Join(err, e.stop()) }()
	if err := e.startBroker(ctx); err != nil {
		return nil, err
	}
	if _, err := e.configure(config.EmbeddedEngine); err != nil {
		return nil, err
	}
	edgeCalm, err := e.calm(ctx)
	if err != nil {
		return nil, err
	}
	edge, err := e.startFeed(ctx) // there is no hub
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := edge.tell("fill %d %d", p.backlog, backlogBatch); err != nil {
		return nil, err
	}
	if _, err := edge.hear(ctx, "done"); err != nil {
		return nil, err
	}
	filled := time.Since(began)
	if err := e.stopLast(); err != nil {
		return nil, err
	}
	d, err := e.drain(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Backlog of %d readings in batches of %d, journalled in %s, drained in %s; edge %.0f MB at most, %.0f MB without a backlog; hub %.0f MB, %.0f MB\n",
		p.backlog, backlogBatch, filled.Round(time.Second), d.took.Round(time.Second/10), d.edge.Peak/megabyte, edgeCalm.edge.Peak/megabyte, d.hub.Peak/megabyte, edgeCalm.hub.Peak/megabyte)
	fmt.Fprintf(out, "Live readings meanwhile: %d seen on a page, late at most %s, half of them %s\n", len(d.late), seconds(figure.Quantile(d.late, 1)), seconds(figure.Quantile(d.late, 0.5)))
	rate := float64(p.backlog) / d.took.Seconds()
	grew := max(d.edge.Peak-edgeCalm.edge.Peak, d.hub.Peak-edgeCalm.hub.Peak)
	return []figure.Figure{
		figure.AtMost("backlog_drain", d.took.Seconds()*4_320_000/float64(p.backlog), "s", 300, 1, fmt.Sprintf("for 4.32 million readings, %.0f readings/s", rate)),
		figure.AtMost("backlog_live_late", figure.Quantile(d.late, 1), "s", 2, 2, fmt.Sprintf("the latest of %d live readings on a page, while the backlog drains", len(d.late))),
		figure.AtMost("backlog_rss_growth", grew/megabyte, "MB", 64, 1, "peak of the edge or the hub, whichever grows more, over that without a backlog"),
	}, nil
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

// weights are those of the edge and the hub.
type weights struct{ edge, hub observe.Weight }

func weighBoth(edge, hub *process) (w weights, err error) {
	if w.edge, err = observe.Weigh(edge.pid()); err != nil {
		return w, err
	}
	w.hub, err = observe.Weigh(hub.pid())
	return w, err
}

// stopLast ends what was started last.
func (e *estate) stopLast() error {
	last := len(e.running) - 1
	p := e.running[last]
	e.running = e.running[:last]
	return p.stop()
}

// calm weighs an edge and a hub with live readings and no backlog.
func (e *estate) calm(ctx context.Context) (w weights, err error) {
	hub, err := e.startHub(ctx)
	if err != nil {
		return w, err
	}
	edge, err := e.startFeed(ctx)
	if err != nil {
		return w, err
	}
	if err := edge.tell("live"); err != nil {
		return w, err
	}
	select {
	case <-time.After(e.plan.settle):
	case <-ctx.Done():
		return w, ctx.Err()
	}
	if w, err = weighBoth(edge, hub); err != nil {
		return w, err
	}
	return w, errors.Join(e.stopLast(), e.stopLast())
}

// drained is how a backlog came in.
type drained struct {
	weights
	took time.Duration
	late []float64 // seconds, of the live readings
}

func (e *estate) drain(ctx context.Context) (d drained, err error) {
	hub, err := e.startHub(ctx)
	if err != nil {
		return d, err
	}
	began := time.Now()
	page, err := openPage(ctx, e.url, began)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, page.close()) }()
	edge, err := e.startFeed(ctx)
	if err != nil {
		return d, err
	}
	if err := edge.tell("live"); err != nil {
		return d, err
	}
	text, err := edge.hear(ctx, "live")
	if err != nil {
		return d, err
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return d, err
	}
	page.from(time.UnixMilli(ms))
	err = await(ctx, drainWithin, "the backlog does not drain", func() (bool, error) {
		m, err := e.metrics(ctx, metricStored, metricBehind)
		return err == nil && m[metricStored] >= float64(e.plan.backlog) && m[metricBehind] == 0 && page.seen() > 0, err
	})
	d.took = time.Since(began)
	if err != nil {
		return d, err
	}
	if d.weights, err = weighBoth(edge, hub); err != nil {
		return d, err
	}
	d.late = page.lateness()
	return d, nil
}

// page is somebody who is signed in and looks at the values.
type page struct {
	stream *observe.Page
	done   sync.WaitGroup

	mu    sync.Mutex
	start time.Time // readings that are older are no live ones
	late  []float64
}

// openPage opens a page, and notes how late each reading comes until it is closed.
func openPage(ctx context.Context, url string, start time.Time) (*page, error) {
	stream, err := observe.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	p := &page{stream: stream, start: start}
	p.done.Go(func() {
		for e := range stream.Events {
			if e.Name == "points" {
				p.take(e.At, e.Data)
			}
		}
	})
	return p, nil
}

func (p *page) take(now time.Time, data []byte) {
	var event struct {
		Points []struct{ Time time.Time } `json:"points"`
	}
	if json.Unmarshal(data, &event) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, point := range event.Points {
		if !point.Time.Before(p.start) {
			p.late = append(p.late, now.Sub(point.Time).Seconds())
		}
	}
}

// from says when the first live reading was made.
func (p *page) from(start time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start, p.late = start, nil
}

func (p *page) seen() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.late)
}

func (p *page) lateness() []float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]float64(nil), p.late...)
}

func (p *page) close() error {
	err := p.stream.Close()
	p.done.Wait()
	return err
}
