package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"gengfu/gateway/config"
	"gengfu/gateway/daemon"
	"gengfu/storage/history"
	"gengfu/storage/history/transfer"
)

type historyImport struct {
	siteFlags
	File      string `arg:"" help:"What to bring in, packed or not; - is standard input." default:"-"`
	Precision string `help:"Unit of times in line protocol: ${enum}." enum:"s,ms,us,ns" default:"ms"`
	AnySite   bool   `help:"Take lines of other sites as well, as of this one."`
	Quiet     bool   `short:"q" help:"No progress."`
}

var precisions = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond}

// importAtOnce is how many rows go into the history at a time.
const importAtOnce = 20_000

func (cmd historyImport) Run(c *console) (err error) {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	in, size, err := cmd.source(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	counted := &countingReader{in: in}
	site := cfg.Site.ID
	if cmd.AnySite {
		site = ""
	}
	r, err := transfer.NewReader(counted, site, transfer.Precision(precisions[cmd.Precision]))
	if err != nil {
		return fmt.Errorf("import history: %w", err)
	}
	store, end, err := cmd.destination(c.ctx, cfg)
	if err != nil {
		return fmt.Errorf("import history: %w", err)
	}
	defer func() { err = errors.Join(err, end()) }()
	i := importing{c: c, labels: newLabels(cfg.Estate), say: newProgress(c, cmd.Quiet), source: counted, size: size}
	i.to = history.Delivery{Store: store, SetAside: i.refuse, Failed: telling(c)}
	err = i.run(r)
	fmt.Fprintf(c.err, "%d readings taken, %d refused, %d lines wrong\n", i.taken-i.refused, i.refused, i.wrong)
	switch {
	case err != nil:
		return fmt.Errorf("import history: %w; what was taken stays, and the same import again changes nothing of it", err)
	case i.refused+i.wrong > 0:
		return errors.New("import history: not everything was taken")
	}
	return nil
}

// source opens what is to be read and tells its size, 0 when nobody knows.
func (cmd historyImport) source(c *console) (io.ReadCloser, int64, error) {
	if cmd.File == "-" {
		return io.NopCloser(c.in), 0, nil
	}
	f, err := os.Open(cmd.File) // the path is the user's
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// destination opens the history for writing. An embedded one has one writer.
func (cmd historyImport) destination(ctx context.Context, cfg *config.Config) (history.Store, func() error, error) {
	release := func() error { return nil }
	if cfg.History.Engine != config.InfluxDBEngine {
		if err := createFolder(cmd.Data); err != nil {
			return nil, nil, err
		}
		var err error
		if release, err = daemon.Claim(cmd.Data); err != nil {
			return nil, nil, err
		}
	}
	s, err := daemon.OpenHistory(ctx, cfg, cmd.Data)
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	return s, func() error { return errors.Join(s.Close(), release()) }, nil
}

// importing is one import.
type importing struct {
	c      *console
	labels labels
	to     history.Delivery
	say    *progress
	source *countingReader
	size   int64

	rows                  []history.Row
	taken, refused, wrong int
}

const mistakesShown = 10

func (i *importing) run(r transfer.Reader) error {
	for {
		rows, err := r.Read()
		var line *transfer.LineError
		switch {
		case errors.Is(err, io.EOF):
			return i.flush()
		case errors.As(err, &line):
			if i.wrong++; i.wrong <= mistakesShown {
				fmt.Fprintln(i.c.err, line)
			}
			continue
		case err != nil:
			return errors.Join(err, i.flush())
		}
		if i.rows = append(i.rows, rows...); len(i.rows) >= importAtOnce {
			if err := i.flush(); err != nil {
				return err
			}
		}
	}
}

func (i *importing) flush() error {
	if len(i.rows) == 0 {
		return nil
	}
	i.labels.complete(i.rows)
	err := deliver(i.c.ctx, i.to, i.rows)
	if err != nil {
		return err
	}
	i.taken += len(i.rows)
	done := ""
	if i.size > 0 {
		done = fmt.Sprintf(", %d %%", 100*i.source.n.Load()/i.size)
	}
	i.say.at("%s, %d readings%s", i.rows[len(i.rows)-1].Time.Format(time.RFC3339), i.taken, done)
	i.rows = i.rows[:0]
	return nil
}

// refuse shows what the history refuses: it stays where it came from.
func (i *importing) refuse(_ context.Context, refused []history.Rejected) error {
	for _, r := range refused {
		if i.refused++; i.refused <= mistakesShown {
			fmt.Fprintf(i.c.err, "%s at %s is refused: %s\n", r.Row.Point, r.Row.Time.Format(time.RFC3339Nano), r.Why)
		}
	}
	return nil
}

// deliver gives up where trying on does not help and somebody sits before it.
func deliver(ctx context.Context, d history.Delivery, rows []history.Row) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	failed := d.Failed
	d.Failed = func(err error) {
		if err != nil && lasting(err) {
			cancel(err)
			return
		}
		failed(err)
	}
	err := d.Write(ctx, rows)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// countingReader counts what is read.
type countingReader struct {
	in io.Reader
	n  atomic.Int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.n.Add(int64(n))
	return n, err
}
