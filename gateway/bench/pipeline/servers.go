package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gengfu/storage/history/influxtest"
)

const lookEvery = 20 * time.Millisecond

// find returns where a server's program is; sbin and Go's folder may not be in PATH.
func find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	for _, folder := range []string{"/usr/sbin", "/usr/local/sbin", filepath.Join(os.Getenv("GOPATH"), "bin"), filepath.Join(home, "go", "bin")} {
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// freePort returns one where nobody listens.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// await asks until the answer is yes.
func await(ctx context.Context, within time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		yes, err := done()
		if yes {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
		}
	}
}

// startMosquitto starts Mosquitto in its default configuration.
func startMosquitto(ctx context.Context, dir string) (p *process, url string, err error) {
	program, err := find("mosquitto")
	if err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(conf, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600); err != nil {
		return nil, "", err
	}
	if p, err = start(ctx, dir, "mosquitto", program, nil, "-c", conf); err != nil {
		return nil, "", err
	}
	err = await(ctx, readyWithin, "Mosquitto does not listen", func() (bool, error) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		return err == nil && c.Close() == nil, err
	})
	if err != nil {
		return nil, "", errors.Join(err, p.stop())
	}
	return p, "tcp://127.0.0.1:" + port, nil
}

const (
	influxUser     = "bench"
	influxPassword = "rack-and-wheel"
	influxToken    = influxUser + ":" + influxPassword
	influxDatabase = "estate"
	influxBucket   = influxDatabase + "/autogen"
)

// influxServer is an influxd.
type influxServer struct {
	*process
	url string
}

// startInflux starts influxd and waits until it has its databases.
func startInflux(ctx context.Context, dir string, databases ...string) (*influxServer, error) {
	program, err := find("influxd")
	if err != nil {
		return nil, err
	}
	rpc, err := freePort()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "influxd.conf")
	if err := influxtest.Configure(conf, filepath.Join(dir, "influx"), "127.0.0.1:"+rpc, "127.0.0.1:"+port, false); err != nil {
		return nil, err
	}
	s := &influxServer{url: "http://127.0.0.1:" + port}
	if s.process, err = start(ctx, dir, "influxd", program, nil, "run", "-config", conf); err != nil {
		return nil, err
	}
	err = await(ctx, time.Minute, "influxd is not ready", func() (bool, error) {
		for _, d := range databases {
			if err := s.make(ctx, d); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *influxServer) make(ctx context.Context, database string) error {
	form := url.Values{"q": {"CREATE DATABASE " + database}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/query", strings.NewReader(form.Encode()))
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
