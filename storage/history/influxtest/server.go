// Package influxtest starts a real InfluxDB 1.8 for tests. It serves the write
// and query API of InfluxDB 2, with a token of the form user:password.
package influxtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/facility/porttest"
)

const (
	version  = "v1.8.10"
	user     = "gengfu"
	password = "watch-the-night"
	database = "estate"

	patience = 3 * time.Minute // a start takes about 5 s of processor time
)

// Start runs influxd until the test ends, with a database and one user, and
// returns what a client needs. The bucket names the database with its retention
// policy. Without influxd in PATH or in Go's bin folder the test is skipped, or
// fails where CI=true.
func Start(t testing.TB) (url, token, bucket string) {
	t.Helper()
	s := Run(t)
	return s.URL, s.Token, s.Bucket
}

// Run is Start for tests that do something to the server.
func Run(t testing.TB) *Server {
	t.Helper()
	binary, err := find()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s := &Server{Token: user + ":" + password, Bucket: database + "/autogen", binary: binary, dir: t.TempDir()}
	own, api := porttest.Address(t), porttest.Address(t)
	t.Cleanup(s.Kill)
	if err := s.first(t.Context(), own, api); err != nil {
		t.Fatalf("influxd does not start: %v", err)
	}
	return s
}

func find() (string, error) {
	if path, err := exec.LookPath("influxd"); err == nil {
		return path, nil
	}
	out, err := exec.Command("go", "env", "GOBIN", "GOPATH").Output()
	if err == nil {
		lines := strings.Split(string(out), "\n")
		for _, dir := range []string{lines[0], filepath.Join(lines[1], "bin")} {
			path := filepath.Join(dir, "influxd")
			if _, err := os.Stat(path); dir != "" && err == nil {
				return path, nil
			}
		}
	}
	return "", errors.New("no influxd: go install github.com/influxdata/influxdb/cmd/influxd@" + version)
}

// Server is one influxd.
type Server struct {
	URL    string
	Token  string
	Bucket string

	binary string
	dir    string
	file   string // of its configuration
	log    output
	ended  chan struct{} // closed when the process is gone
	cmd    *exec.Cmd
}

// first configures the server and starts it.
func (s *Server) first(ctx context.Context, own, api string) error {
	s.URL = "http://" + api
	s.file = filepath.Join(s.dir, "influxd.conf")
	if err := Configure(s.file, s.dir, own, api, true); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Start starts a server that was killed, on what it had written until then, and
// waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	s.cmd = exec.Command(s.binary, "run", "-config", s.file)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.ended = ended
	cmd := s.cmd
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed, or its log says why it ended
	}()
	if err := s.ready(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, s.log.tail())
	}
	return nil
}

// Process is the running influxd.
func (s *Server) Process() *os.Process { return s.cmd.Process }

// Statement runs InfluxQL.
func (s *Server) Statement(ctx context.Context, q string) error { return s.statement(ctx, q) }

// ready waits until the server answers and has its user and database.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.prepare(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return fmt.Errorf("the process ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("not ready in %s: %w", patience, err)
		}
	}
}

// prepare makes the user and the database; both may be there already.
func (s *Server) prepare(ctx context.Context) error {
	for _, q := range []string{
		fmt.Sprintf("CREATE USER %q WITH PASSWORD '%s' WITH ALL PRIVILEGES", user, password),
		fmt.Sprintf("CREATE DATABASE %q", database),
	} {
		if err := s.statement(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// statement runs InfluxQL. What is wrong with it stands in an answer of status 200.
func (s *Server) statement(ctx context.Context, q string) error {
	form := url.Values{"q": {q}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/query", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(user, password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	var answer struct {
		Error   string
		Results []struct{ Error string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %s: %w", q, resp.Status, err)
	}
	if answer.Error != "" || len(answer.Results) != 1 || answer.Results[0].Error != "" {
		return fmt.Errorf("%s: %s: %+v", q, resp.Status, answer)
	}
	return nil
}

// Kill kills the server, as kill -9 does. Its data goes with the test's folder.
func (s *Server) Kill() {
	if s.ended == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.ended
}

// output keeps what the process said.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.text.Bytes()
	return string(b[max(0, len(b)-4000):])
}
