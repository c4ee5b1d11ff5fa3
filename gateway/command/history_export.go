package command

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/transfer"
)

// outFlags say where rows are written.
type outFlags struct {
	Out string `short:"o" help:"File to write; .gz packs it. Without it standard output." placeholder:"FILE" type:"path"`
	Zip bool   `help:"Pack standard output too."`
}

// to calls do with where to write. A file has its name only when it is whole.
func (f outFlags) to(stdout io.Writer, do func(io.Writer) error) (err error) {
	out := stdout
	if f.Out != "" {
		part := f.Out + ".part"
		file, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) // the path is the user's
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				_ = os.Remove(part) // it is no export
			}
		}()
		err = errors.Join(f.packed(file, do), file.Sync(), file.Close())
		if err != nil {
			return err
		}
		return os.Rename(part, f.Out)
	}
	return f.packed(out, do)
}

func (f outFlags) packed(out io.Writer, do func(io.Writer) error) error {
	if !f.Zip && !strings.HasSuffix(f.Out, ".gz") {
		return do(out)
	}
	z := gzip.NewWriter(out)
	return errors.Join(do(z), z.Close())
}

type historyExport struct {
	siteFlags
	outFlags
	From   string          `help:"First time or day, of the site's zone." placeholder:"TIME"`
	To     string          `help:"End: the first time or day that is not written." placeholder:"TIME"`
	Device []string        `help:"Only of this device; may be given several times." placeholder:"ID"`
	Format transfer.Format `help:"${enum}: InfluxDB's line protocol, or a table." enum:"lines,csv" default:"lines"`
	Quiet  bool            `short:"q" help:"No progress."`
}

func (cmd historyExport) Run(c *console) (err error) {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	known(c, cfg.Estate, cmd.Device)
	from, err := instant(cmd.From, cfg.Estate.Site.Zone, time.Unix(0, 0).UTC())
	if err != nil {
		return err
	}
	to, err := instant(cmd.To, cfg.Estate.Site.Zone, time.Now().AddDate(1, 0, 0))
	if err != nil {
		return err
	}
	s, err := cmd.open(c.ctx, cfg)
	if err != nil {
		return fmt.Errorf("export history: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if from, to, err = history.Cut(c.ctx, s, cmd.Device, from, to); err != nil {
		return fmt.Errorf("export history: %w", err)
	}
	n, say := 0, newProgress(c, cmd.Quiet)
	label := newLabels(cfg.Estate)
	err = cmd.to(c.out, func(w io.Writer) error {
		out, err := transfer.NewWriter(w, cmd.Format, cfg.Site.ID)
		if err != nil {
			return err
		}
		err = history.Scan(c.ctx, s, cmd.Device, from, to, func(rows []history.Row, upTo time.Time) error {
			label.complete(rows)
			n += len(rows)
			say.at("%s, %d readings, %.0f %%", upTo.Format(time.RFC3339), n, share(from, to, upTo))
			return out.Write(rows)
		})
		return errors.Join(err, out.Flush())
	})
	if err != nil {
		return fmt.Errorf("export history: %w", err)
	}
	if st := s.Stats(); st.Damaged > 0 {
		c.log.Warn("the history is damaged; the export has not what was lost", "readings", st.Damaged, "damage", st.Damage)
	}
	if !cmd.Quiet {
		fmt.Fprintf(c.err, "%d readings\n", n)
	}
	return nil
}

// labels are what the configuration knows of devices and points, for rows that do
// not say.
type labels struct {
	devices map[string]facility.Device
	units   map[facility.PointID]string
}

func newLabels(estate facility.Estate) labels {
	l := labels{map[string]facility.Device{}, map[facility.PointID]string{}}
	for _, d := range estate.Devices {
		l.devices[d.ID] = d
		for _, p := range d.Points {
			l.units[p.ID] = p.Unit
		}
	}
	return l
}

// complete fills in what rows do not say.
func (l labels) complete(rows []history.Row) {
	for i := range rows {
		r := &rows[i]
		d := l.devices[r.Point.Device]
		if r.Kind == "" {
			r.Kind = d.Kind
		}
		if r.Place == "" {
			r.Place = d.Place
		}
		if r.Unit == "" {
			r.Unit = l.units[r.Point]
		}
	}
}
