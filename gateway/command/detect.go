package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gengfu/rules/detect"
)

// detectCommand runs a detector over a table, as the gateway runs it over what it
// reads.
type detectCommand struct {
	Kind  detect.Kind `help:"What the table holds: ${enum}." enum:"series,device,water_meter,electricity_meter" required:""`
	Learn string      `help:"A table of the same columns to learn from first; nothing is written of it." placeholder:"FILE" type:"existingfile"`
	In    string      `arg:"" help:"The table (CSV with a header): a time, and one value (of a device several). Registers of water in litres, hourly energy in any unit." type:"existingfile"`
	Out   string      `arg:"" help:"File to write: timestamp, anomaly_score from 0 to 1, flag. It has its name only when it is whole." type:"path"`
}

func (cmd detectCommand) Run(c *console) error {
	var d *detect.Detector
	var columns []string
	if cmd.Learn != "" {
		err := withTable(cmd.Learn, func(t *table) (err error) {
			columns = t.names
			if d, err = detectorFor(cmd.Kind, t); err != nil {
				return err
			}
			return t.each(c.ctx.Err, func(r row) error {
				d.Observe(r.time, r.values...)
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return withTable(cmd.In, func(t *table) (err error) {
		if err := apart(cmd.Out, cmd.In, cmd.Learn); err != nil {
			return err
		}
		if d == nil {
			d, err = detectorFor(cmd.Kind, t)
		} else if !slices.Equal(t.names, columns) {
			err = fmt.Errorf("%s: line 1: the columns are %s, those of %s are %s", cmd.In, strings.Join(t.names, ", "), cmd.Learn, strings.Join(columns, ", "))
		}
		if err != nil {
			return err
		}
		if err := whole(cmd.Out, func(out io.Writer) error { return judge(c, d, t, out) }); err != nil {
			return err
		}
		if n := t.said; n.rows > 0 {
			_, err = fmt.Fprintf(c.err, "%s: rows that are not later than those before them are not judged, but have the flag of the row before: %d, the first in line %d\n", cmd.In, n.rows, n.first)
		}
		return err
	})
}

func detectorFor(kind detect.Kind, t *table) (*detect.Detector, error) {
	d, err := detect.New(kind, detect.Settings{Channels: len(t.names)})
	if err != nil {
		return nil, fmt.Errorf("%s: line 1: %w", t.path, err)
	}
	return d, nil
}

// judge writes what the detector says of each row. Times are written as they were read.
func judge(c *console, d *detect.Detector, t *table, out io.Writer) error {
	if _, err := io.WriteString(out, "timestamp,anomaly_score,flag\n"); err != nil {
		return err
	}
	var line []byte
	return t.each(c.ctx.Err, func(r row) error {
		v := d.Observe(r.time, r.values...)
		line = append(append(line[:0], cell(r.stamp)...), ',')
		line = append(strconv.AppendFloat(line, v.Score, 'f', 6, 64), ",0\n"...)
		if v.Flag {
			line[len(line)-2] = '1'
		}
		_, err := out.Write(line)
		return err
	})
}

// cell is a text as a cell of a table that is separated by commas.
func cell(text string) string {
	if strings.ContainsAny(text, ",\"\r\n") {
		return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	return text
}

// apart fails if the file that is to be written is one of those that are read, or
// cannot be written.
func apart(out string, in ...string) error {
	there, err := os.Stat(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(out)); err != nil {
			return fmt.Errorf("%s cannot be written: %w; make the folder first", out, err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("%s cannot be written: %w", out, err)
	case !there.Mode().IsRegular():
		return fmt.Errorf("%s is no file that can be replaced; name a file to write", out)
	}
	for _, path := range in {
		if read, err := os.Stat(path); err == nil && os.SameFile(there, read) {
			return fmt.Errorf("%s is what is read; name another file to write", out)
		}
	}
	return nil
}

// whole writes a file that has its name only when do has ended well.
func whole(path string, do func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	buffered := bufio.NewWriterSize(file, 1<<16)
	err = do(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
