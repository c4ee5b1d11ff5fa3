package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gengfu/storage/history/influxtest"
)

const influxUser, influxPassword = "torture", "rack-and-wheel"

// startInflux starts influxd and waits until it has its database.
func (w *world) startInflux(ctx context.Context) error {
	file := filepath.Join(w.dir, "influxd.conf")
	if _, err := os.Stat(file); err != nil {
		rpc, err := w.port()
		if err != nil {
			return err
		}
		if err := influxtest.Configure(file, filepath.Join(w.dir, "influx"), "127.0.0.1:"+rpc, "127.0.0.1:"+w.influxPort, false); err != nil {
			return err
		}
	}
	p, err := start("influxd", w.influxd, []string{"run", "-config", file}, nil, w.log("influxd"), func(string) {})
	if err != nil {
		return err
	}
	w.influx = p
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = w.makeDatabase(ctx); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("influxd ended: %w", err)
		case <-deadline:
			return fmt.Errorf("influxd is not ready: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *world) makeDatabase(ctx context.Context) error {
	form := url.Values{"q": {"CREATE DATABASE estate"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:"+w.influxPort+"/query", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}
