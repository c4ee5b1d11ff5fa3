package command

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gengfu/rules/detect"
)

// detectCommand runs a detector over a table, as the gateway runs it over what it
// reads.
type detectCommand struct {
	Kind  detect.Kind `help:"What the table holds: ${enum}." enum:"series,device,water_meter,electricity_meter" required:""`
	Learn string      `help:"A table of the same columns to learn from first; nothing is written of it." placeholder:"FILE" type:"existingfile"`
	In    string      `arg:"" help:"The table (CSV with a header): timestamp, then one value (of a device several). Registers of water in litres, hourly energy in any unit." type:"existingfile"`
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
		if d == nil {
			d, err = detectorFor(cmd.Kind, t)
		} else if !slices.Equal(t.names, columns) {
			err = fmt.Errorf("%s: line 1: the columns are %s, those of %s are %s", cmd.In, strings.Join(t.names, ", "), cmd.Learn, strings.Join(columns, ", "))
		}
		if err != nil {
			return err
		}
		return whole(cmd.Out, func(out io.Writer) error { return judge(c, d, t, out) })
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
		line = append(append(line[:0], r.stamp...), ',')
		line = append(strconv.AppendFloat(line, v.Score, 'f', 6, 64), ",0\n"...)
		if v.Flag {
			line[len(line)-2] = '1'
		}
		_, err := out.Write(line)
		return err
	})
}

// whole writes a file that has its name only when do has ended well.
func whole(path string, do func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return err
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

// table is a CSV file that is read row by row.
type table struct {
	path  string
	names []string // of the channels
	at    []int    // their columns
	csv   *csv.Reader
}

// row is valid until the next is read.
type row struct {
	stamp  string
	time   time.Time
	values []float64 // NaN where the table says nothing
}

// answers are columns that say what was found: no detector may see them.
var answers = []string{"anomaly", "changepoint", "label", "flag", "att_flag", "is_anomaly"}

// withTable opens a table and calls do with it.
func withTable(path string, do func(*table) error) error {
	file, err := os.Open(path) // the path is the user's
	if err != nil {
		return err
	}
	defer file.Close()
	t, err := newTable(path, file)
	if err != nil {
		return err
	}
	return do(t)
}

// newTable reads the head of a table: its columns are separated by commas,
// semicolons or tabs.
func newTable(path string, in io.Reader) (*table, error) {
	b := bufio.NewReaderSize(in, 1<<16)
	if mark, err := b.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = b.Discard(3) // it was peeked at
	}
	head, err := b.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	first, _, _ := strings.Cut(string(head), "\n")
	t := &table{path: path, csv: csv.NewReader(b)}
	t.csv.ReuseRecord = true
	for _, comma := range ";\t" {
		if strings.Count(first, string(comma)) > strings.Count(first, string(t.csv.Comma)) {
			t.csv.Comma = comma
		}
	}
	names, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: line 1: the table is empty; it begins with a header such as timestamp,value", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := instantOf(names[0]); err == nil {
		return nil, fmt.Errorf("%s: line 1: the table has no header such as timestamp,value", path)
	}
	for i, name := range names[1:] {
		if name = strings.TrimSpace(name); !slices.Contains(answers, strings.ToLower(name)) {
			t.names, t.at = append(t.names, name), append(t.at, i+1)
		}
	}
	if len(t.names) == 0 {
		return nil, fmt.Errorf("%s: line 1: no column of values follows the time; a header is such as timestamp,value", path)
	}
	return t, nil
}

// each calls do with each row until stop returns an error.
func (t *table) each(stop func() error, do func(row) error) error {
	r := row{values: make([]float64, len(t.at))}
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := stop(); err != nil {
				return err
			}
		}
		cells, err := t.csv.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil { // it names line and column
			return fmt.Errorf("%s: %w", t.path, err)
		}
		r.stamp = cells[0]
		if r.time, err = instantOf(r.stamp); err != nil {
			return t.wrong(0, err)
		}
		for i, column := range t.at {
			if r.values[i], err = valueOf(cells[column]); err != nil {
				return t.wrong(column, err)
			}
		}
		if err := do(r); err != nil {
			return err
		}
	}
}

// wrong says where in the row that was just read something is wrong.
func (t *table) wrong(column int, err error) error {
	line, at := t.csv.FieldPos(column)
	return fmt.Errorf("%s: line %d, column %d: %w", t.path, line, at, err)
}

// valueOf reads a number; nothing and NaN are unknown.
func valueOf(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return math.NaN(), nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", shortened(text))
	}
	return x, nil
}

// timeLayouts are how tables write times. Without a zone they are local times: of
// them only the hour, the weekday and the distance matter.
var timeLayouts = [...]string{
	"2006-01-02 15:04:05", "2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15", "02/01/2006 15:04", "02/01/06 15",
}

func instantOf(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-05-01 13:45:00", shortened(text))
}

func shortened(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}
