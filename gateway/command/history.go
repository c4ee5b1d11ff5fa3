package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/gateway/daemon"
	"gengfu/storage/history"
)

type historyCommand struct {
	Export  historyExport  `cmd:"" help:"Write readings as line protocol or CSV. A gateway may be running."`
	Import  historyImport  `cmd:"" help:"Bring readings in from line protocol or CSV; the same again changes nothing."`
	Copy    historyCopy    `cmd:"" help:"Copy what the embedded engine holds to InfluxDB, after the switch in the site file. The gateway may run; an interrupted copy goes on where it was."`
	Refused historyRefused `cmd:"" help:"Show, write out or remove the readings that the history refused."`
}

// siteFlags say whose history it is.
type siteFlags struct {
	Config string `help:"The site file." placeholder:"FILE" env:"GENGFU_CONFIG" type:"path" required:""`
	dataFlag
}

func (f siteFlags) load() (*config.Config, error) { return config.Load(f.Config) }

// open opens the history for reading.
func (f siteFlags) open(ctx context.Context, cfg *config.Config) (history.Store, error) {
	if cfg.History.Engine == config.InfluxDBEngine {
		return daemon.OpenInfluxDB(cfg)
	}
	s, err := daemon.ReadEmbedded(ctx, f.Data)
	if err != nil {
		return nil, err // and not a store that holds nil
	}
	return s, nil
}

// instant reads a time, or a day of the site's zone. An empty one is otherwise.
func instant(text string, zone *time.Location, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006-01-02T15:04", time.DateTime} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("the time %q is not like 2026-11-22 or 2026-11-22T03:00:00Z", text)
}

// known checks that the site has the devices; history may also hold others that it
// had, so that is only said.
func known(c *console, estate facility.Estate, names []string) {
	for _, name := range names {
		found := false
		for _, d := range estate.Devices {
			found = found || d.ID == name
		}
		if !found {
			c.log.Warn("the configuration does not have the device (any more)", "device", name)
		}
	}
}

const progressEvery = 2 * time.Second

// progress tells now and then how far something is.
type progress struct {
	out  io.Writer
	next time.Time
}

func newProgress(c *console, quiet bool) *progress {
	p := &progress{out: c.err, next: time.Now().Add(progressEvery)}
	if quiet {
		p.out = io.Discard
	}
	return p
}

func (p *progress) at(format string, args ...any) {
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(progressEvery)
		fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// share is how much of a stretch lies before t, in percent.
func share(from, to, t time.Time) float64 {
	if !from.Before(to) {
		return 100
	}
	return 100 * float64(t.Sub(from)) / float64(to.Sub(from))
}

// telling says what holds a delivery up.
func telling(c *console) func(error) {
	return func(err error) {
		if err != nil {
			c.log.Warn("the history cannot be reached or is busy; trying on", "error", err)
			return
		}
		c.log.Info("the history answers again")
	}
}

// lasting is true of failures that trying again does not cure.
func lasting(err error) bool {
	var configuration *history.ConfigurationError
	return errors.As(err, &configuration)
}
