package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const socketFile = "control.sock"

// serveSocket lets the command line reach the estate: whoever may open the file
// may control it.
func (e *Estate) serveSocket(ctx context.Context) error {
	path := filepath.Join(e.dir, socketFile)
	if c, err := net.Dial("unix", path); err == nil {
		return errors.Join(fmt.Errorf("another demo runs in %s", e.dir), c.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("control socket: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("control socket: %w", err), l.Close())
	}
	server := &http.Server{Handler: e.Handler(), ReadHeaderTimeout: 5 * time.Second}
	e.owned.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			e.logger.Error("the demo's control socket broke", "error", err)
		}
	})
	e.closers = append(e.closers, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return errors.Join(server.Shutdown(ctx), server.Close())
	})
	return nil
}

// Client controls a demo estate of another process.
type Client struct{ http *http.Client }

// Dial reaches the demo that runs in the folder.
func Dial(dir string) (*Client, error) {
	path := filepath.Join(dir, socketFile)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	c, err := dial(context.Background(), "", "")
	if err != nil {
		return nil, fmt.Errorf("no demo runs in %s: %w", dir, err)
	}
	if err := c.Close(); err != nil {
		return nil, fmt.Errorf("no demo runs in %s: %w", dir, err)
	}
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 10 * time.Second}}, nil
}

// Do does the action and returns how the estate is then.
func (c *Client) Do(ctx context.Context, a Action) (Status, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return Status{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://demo/control", bytes.NewReader(body))
	if err != nil {
		return Status{}, err
	}
	req.Header.Set("X-Gengfu", "1")
	res, err := c.http.Do(req)
	if err != nil {
		return Status{}, fmt.Errorf("reach the demo: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it was read to its end
	if res.StatusCode != http.StatusOK {
		var f failure
		if err := json.NewDecoder(res.Body).Decode(&f); err != nil {
			return Status{}, fmt.Errorf("the demo answers %s", res.Status)
		}
		return Status{}, errors.New(f.Error.Message["en"])
	}
	var s Status
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil {
		return Status{}, fmt.Errorf("read the demo's answer: %w", err)
	}
	return s, nil
}

// Close ends the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }
