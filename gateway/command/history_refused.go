package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"gengfu/gateway/daemon"
	"gengfu/storage/history/quarantine"
	"gengfu/storage/history/transfer"
)

type historyRefused struct {
	dataFlag
	outFlags
	Export bool `help:"Write them as CSV, with the reason; import takes it."`
	Empty  bool `help:"Remove those that are there when the command begins, after they were written."`
}

func (cmd historyRefused) Run(c *console) (err error) {
	if _, err := os.Stat(filepath.Join(cmd.Data, daemon.QuarantineFile)); err != nil {
		return fmt.Errorf("no gateway has run in %s: check --data", cmd.Data)
	}
	began := time.Now()
	s, err := daemon.OpenQuarantine(c.ctx, cmd.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if cmd.Export || cmd.Out != "" {
		err = cmd.to(c.out, func(w io.Writer) error { return cmd.write(c, s, w) })
	} else {
		err = cmd.summary(c, s)
	}
	if err != nil || !cmd.Empty {
		return err
	}
	n, err := s.Empty(c.ctx, began)
	if err == nil {
		fmt.Fprintf(c.err, "%d removed\n", n)
	}
	return err
}

func (cmd historyRefused) write(c *console, s *quarantine.Store, w io.Writer) error {
	table, err := transfer.NewTable(w, "why", "refused_at")
	if err != nil {
		return err
	}
	err = s.Each(c.ctx, func(e quarantine.Entry) error {
		return table.Add(&e.Row, e.Why, e.At.Format(time.RFC3339))
	})
	return errors.Join(err, table.Flush())
}

func (cmd historyRefused) summary(c *console, s *quarantine.Store) error {
	st, err := s.Stats(c.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%d held, %d made room for newer ones\n", st.Held, st.Evicted)
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	for _, cause := range st.Causes {
		fmt.Fprintf(w, "%d\t%s to %s\tas %s\t%s\n", cause.Held, cause.Oldest.Format(time.RFC3339), cause.Newest.Format(time.RFC3339), cause.Point, cause.Why)
	}
	return w.Flush()
}
