package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"gengfu/gateway/bench/figure"
)

const (
	readyWithin = 30 * time.Second
	stopWithin  = 30 * time.Second
	lookEvery   = 2 * time.Millisecond
)

// process is a running "gengfu demo".
type process struct {
	url    string
	data   string
	listen time.Duration // from its start until it took connections
	ready  time.Duration // ... until /readyz said so
	pid    int
	stop   func() error // ends it and waits for it
}

// start runs the demo on a folder and waits until it is ready.
func start(ctx context.Context, binary, data string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	own, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(own, binary, "demo", "--data", data, "--listen", address, "--log-level", "warn")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopWithin
	var said bytes.Buffer
	cmd.Stderr = &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	p := &process{url: "http://" + address, data: data, pid: cmd.Process.Pid}
	p.stop = func() error {
		cancel()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("stop %s: %w; it said: %s", binary, err, said.String())
		}
		return nil
	}
	if err := p.await(ctx, address, began); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// freeAddress returns one where nobody listens: the demo must be asked before it
// can say which one it took.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// await notes when the process takes connections and when it is ready.
func (p *process) await(ctx context.Context, address string, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	var dialer net.Dialer
	listening := func() bool {
		c, err := dialer.DialContext(ctx, "tcp", address)
		return err == nil && c.Close() == nil
	}
	if !poll(ctx, listening) {
		return fmt.Errorf("the demo does not listen within %s", readyWithin)
	}
	p.listen = time.Since(began)
	ready := func() bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
		if err != nil {
			return false
		}
		res, err := http.DefaultClient.Do(req)
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	}
	if !poll(ctx, ready) {
		return fmt.Errorf("the demo is not ready within %s", readyWithin)
	}
	p.ready = time.Since(began)
	return nil
}

// poll asks until the answer is yes or ctx ends.
func poll(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// measureStarts starts the demo on empty folders, and on each once more. It
// leaves one folder per start in dir.
func measureStarts(ctx context.Context, binary, dir string, p plan) ([]figure.Figure, error) {
	var listen, ready, again []float64
	for i := range p.starts {
		data := filepath.Join(dir, "start-"+strconv.Itoa(i))
		for _, used := range []bool{false, true} {
			proc, err := start(ctx, binary, data)
			if err != nil {
				return nil, err
			}
			if err := proc.stop(); err != nil {
				return nil, err
			}
			if used {
				again = append(again, proc.ready.Seconds())
				continue
			}
			listen = append(listen, proc.listen.Seconds())
			ready = append(ready, proc.ready.Seconds())
		}
	}
	note := func(of string) string { return fmt.Sprintf("median of %d, %s", p.starts, of) }
	return []figure.Figure{
		figure.AtMost("start_listen", figure.Quantile(listen, 0.5), "s", 2, 2, note("takes connections; empty folder")),
		figure.AtMost("start_ready", figure.Quantile(ready, 0.5), "s", 2, 2, note("/readyz says 200; empty folder, 30 days of past are written")),
		figure.AtMost("start_ready_again", figure.Quantile(again, 0.5), "s", 2, 2, note("the same on a used folder")),
	}, nil
}
