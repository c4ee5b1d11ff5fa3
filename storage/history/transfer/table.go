package transfer

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

const heading = "time,device,quantity,value,unit,quality,reason,kind,place"

// timeFormat has the history's resolution.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// Table writes rows as CSV, with columns of the caller's behind those of a row.
type Table struct {
	out    *csv.Writer
	record []string
}

// NewTable writes the heading.
func NewTable(w io.Writer, more ...string) (*Table, error) {
	t := &Table{out: csv.NewWriter(w)}
	return t, t.out.Write(append(strings.Split(heading, ","), more...))
}

// Add writes a row.
func (t *Table) Add(r *history.Row, more ...string) error {
	value := ""
	if r.Quality != facility.Bad {
		value = strconv.FormatFloat(r.Value, 'g', -1, 64)
	}
	t.record = append(t.record[:0], r.Time.UTC().Format(timeFormat), r.Point.Device, r.Point.Quantity, value, r.Unit,
		r.Quality.String(), string(r.Reason), r.Kind, r.Place)
	return t.out.Write(append(t.record, more...))
}

// Write implements Writer.
func (t *Table) Write(rows []history.Row) error {
	for i := range rows {
		if err := t.Add(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// Flush implements Writer.
func (t *Table) Flush() error {
	t.out.Flush()
	return t.out.Error()
}

type tableReader struct {
	in      *csv.Reader
	columns map[string]int
}

func newTableReader(r *bufio.Reader) (*tableReader, error) {
	t := &tableReader{in: csv.NewReader(r), columns: map[string]int{}}
	t.in.FieldsPerRecord = -1
	names, err := t.in.Read()
	if err != nil {
		return nil, fmt.Errorf("read the heading: %w", err)
	}
	for i, name := range names {
		t.columns[strings.TrimSpace(name)] = i
	}
	for _, name := range []string{"time", "device", "quantity", "value"} {
		if _, ok := t.columns[name]; !ok {
			return nil, fmt.Errorf("the heading has no column %q; it may have %s", name, heading)
		}
	}
	t.in.ReuseRecord = true
	return t, nil
}

func (r *tableReader) Read() ([]history.Row, error) {
	record, err := r.in.Read()
	var wrong *csv.ParseError
	switch {
	case errors.As(err, &wrong):
		return nil, &LineError{wrong.Line, wrong.Err}
	case err != nil:
		return nil, err
	}
	line, _ := r.in.FieldPos(0)
	row, err := r.row(record)
	if err != nil {
		return nil, &LineError{line, err}
	}
	return []history.Row{row}, nil
}

// row reads a record. Without a column of qualities a row with a value is good, and
// one without is bad.
func (r *tableReader) row(record []string) (row history.Row, err error) {
	get := func(name string) string {
		if i, ok := r.columns[name]; ok && i < len(record) {
			return record[i]
		}
		return ""
	}
	if row.Time, err = time.Parse(time.RFC3339Nano, get("time")); err != nil {
		return row, fmt.Errorf("the time %q is not like 2026-11-22T03:00:00Z", get("time"))
	}
	row.Time = row.Time.UTC()
	row.Point = facility.PointID{Device: get("device"), Quantity: get("quantity")}
	row.Unit, row.Kind, row.Place = get("unit"), get("kind"), get("place")
	row.Reason = facility.Reason(get("reason"))
	value := get("value")
	switch quality := get("quality"); {
	case quality != "":
		if err := row.Quality.UnmarshalText([]byte(quality)); err != nil {
			return row, err
		}
	case value != "":
		row.Quality = facility.Good
	}
	if row.Quality == facility.Bad {
		return row, nil
	}
	if row.Value, err = strconv.ParseFloat(value, 64); err != nil {
		return row, fmt.Errorf("the value %q is no number", value)
	}
	return row, nil
}
