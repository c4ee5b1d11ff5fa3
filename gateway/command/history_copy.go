package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gengfu/gateway/config"
	"gengfu/gateway/daemon"
	"gengfu/storage/history"
	"gengfu/storage/history/embedded"
	"gengfu/storage/history/quarantine"
)

type historyCopy struct {
	siteFlags
	Restart bool `help:"Begin anew, and do not go on where an earlier copy stopped."`
	Quiet   bool `short:"q" help:"No progress."`
}

func (cmd historyCopy) Run(c *console) (err error) {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	if cfg.History.Engine != config.InfluxDBEngine {
		return errors.New("copy history: the site file keeps it in the embedded engine; " +
			"write engine: influxdb and where it is, start the gateway again, so that what is new goes there, and then copy")
	}
	from, err := daemon.ReadEmbedded(c.ctx, cmd.Data)
	if err != nil {
		return fmt.Errorf("copy history: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := daemon.OpenInfluxDB(cfg)
	if err != nil {
		return fmt.Errorf("copy history: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	refused, err := daemon.OpenQuarantine(c.ctx, cmd.Data)
	if err != nil {
		return fmt.Errorf("copy history: %w", err)
	}
	defer func() { err = errors.Join(err, refused.Close()) }()

	k := copying{c: c, from: from, to: to, refused: refused, labels: newLabels(cfg.Estate), say: newProgress(c, cmd.Quiet), data: cmd.Data}
	if k.state, err = readCopyState(cmd.Data, cfg, cmd.Restart); err != nil {
		return fmt.Errorf("copy history: %w", err)
	}
	if err := k.run(); err != nil {
		if c.ctx.Err() != nil {
			fmt.Fprintf(c.err, "stopped after %d readings, before %s; the same command goes on from there\n", k.state.Readings, k.state.UpTo.Format(time.RFC3339))
		}
		return fmt.Errorf("copy history: %w", err)
	}
	if err := daemon.NoteCopied(cmd.Data); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%d readings are in InfluxDB, compared with the embedded history by the month; %d were refused. "+
		"The file history.db may be removed.\n", k.state.Readings-k.state.Refused, k.state.Refused)
	return nil
}

// copying is one run of a copy.
type copying struct {
	c       *console
	from    *embedded.Store
	to      history.Store
	refused *quarantine.Store
	labels  labels
	say     *progress
	data    string
	state   copyState
}

func (k *copying) run() error {
	first, last, err := k.from.Span(k.c.ctx, nil)
	if err != nil {
		return err
	}
	end := last.Add(history.Resolution)
	if first.IsZero() {
		end = first
	}
	begin := first
	if k.state.UpTo.After(begin) {
		begin = k.state.UpTo
		fmt.Fprintf(k.c.err, "going on from %s, %d readings were copied\n", begin.Format(time.RFC3339), k.state.Readings)
	}
	err = history.Scan(k.c.ctx, k.from, nil, begin, end, func(rows []history.Row, upTo time.Time) error {
		if err := k.write(rows); err != nil {
			return err
		}
		k.state.UpTo, k.state.Readings = upTo, k.state.Readings+len(rows)
		k.say.at("%s, %d readings, %.0f %%", upTo.Format(time.RFC3339), k.state.Readings, share(first, end, upTo))
		return k.state.write(k.data)
	})
	if err != nil {
		return err
	}
	return k.verify(first, end)
}

// write puts rows into the new history.
func (k *copying) write(rows []history.Row) error {
	k.labels.complete(rows)
	return deliver(k.c.ctx, history.Delivery{Store: k.to, SetAside: k.setAside, Failed: telling(k.c)}, rows)
}

func (k *copying) setAside(ctx context.Context, refused []history.Rejected) error {
	if err := k.refused.Add(ctx, refused); err != nil {
		return err
	}
	if k.state.Refused == 0 {
		k.c.log.Warn("InfluxDB refuses readings; see \"gengfu history refused\"", "error", &history.RejectedError{Rows: refused})
	}
	k.state.Refused += len(refused)
	return nil
}
