package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gengfu/gateway/bench/observe"
	"gengfu/gateway/config"
)

// estate is the processes of a site, each a process of its own.
type estate struct {
	site
	dir     string
	plan    plan
	running []*process // in the order of their start
	url     string     // of the hub's pages
}

// start starts a child that ends with the estate.
func (e *estate) start(ctx context.Context, name, role string, args ...string) (*process, error) {
	p, err := startSelf(ctx, e.dir, name, role, e.plan.profiles, args...)
	if err != nil {
		return nil, err
	}
	e.running = append(e.running, p)
	return p, nil
}

func (e *estate) startBroker(ctx context.Context) error {
	p, url, err := startMosquitto(ctx, e.dir)
	if err != nil {
		return err
	}
	e.running, e.broker = append(e.running, p), url
	return nil
}

// startHub starts the hub and waits until it is ready.
func (e *estate) startHub(ctx context.Context) (*process, error) {
	p, err := e.start(ctx, "hub", roleGateway, "-config", e.file(config.Hub), "-data", filepath.Join(e.dir, "hub"))
	if err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if e.url, err = p.hear(starting, "listening"); err != nil {
		return nil, err
	}
	return p, await(ctx, readyWithin, "the hub is not ready", func() (bool, error) {
		resp, err := http.Get(e.url + "/readyz")
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK, err
	})
}

func (e *estate) startFeed(ctx context.Context) (*process, error) {
	p, err := e.start(ctx, "edge", roleFeed, "-config", e.file(config.Edge), "-data", filepath.Join(e.dir, "edge"))
	if err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	_, err = p.hear(starting, "ready")
	return p, err
}

// stop ends all of it, the youngest first.
func (e *estate) stop() error {
	var errs []error
	for len(e.running) > 0 {
		last := e.running[len(e.running)-1]
		e.running = e.running[:len(e.running)-1]
		errs = append(errs, last.stop())
	}
	return errors.Join(errs...)
}

// used is what each process has had of the processor since its start.
func (e *estate) used() (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	for _, p := range e.running {
		d, err := observe.CPU(p.pid())
		if err != nil {
			return nil, err
		}
		out[p.name] = d
	}
	return out, nil
}

// metrics asks the hub for figures, each added up over its labels.
func (e *estate) metrics(ctx context.Context, names ...string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		for _, name := range names {
			rest, ok := strings.CutPrefix(line, name)
			if !ok || rest[0] != '{' && rest[0] != ' ' {
				continue
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndex(rest, " "):]), 64)
			if err != nil {
				return nil, err
			}
			out[name] += v
		}
	}
	for _, name := range names {
		if _, found := out[name]; !found {
			return nil, fmt.Errorf("the hub has no figure %s", name)
		}
	}
	return out, nil
}

const (
	metricStored = "gengfu_history_stored_total"
	metricBehind = "gengfu_consumer_behind_records"
)

// stored waits until the history holds so many readings since the hub's start and
// nothing waits for a consumer, and reports when the history held them.
func (e *estate) stored(ctx context.Context, want float64, within time.Duration) (at time.Time, err error) {
	have := 0.0
	err = await(ctx, within, "the history does not hold what was sent", func() (bool, error) {
		m, err := e.metrics(ctx, metricStored, metricBehind)
		if err != nil {
			return false, err
		}
		have = m[metricStored]
		if have >= want && at.IsZero() {
			at = time.Now()
		}
		return have >= want && m[metricBehind] == 0, nil
	})
	if err != nil {
		return at, fmt.Errorf("%w (%.0f of %.0f)", err, have, want)
	}
	if have != want {
		return at, fmt.Errorf("the history holds %.0f readings instead of %.0f", have, want)
	}
	return at, nil
}
