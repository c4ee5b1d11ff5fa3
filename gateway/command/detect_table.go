package command

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// table is a CSV file that is read row by row.
type table struct {
	path  string
	clock int      // the column of the time
	names []string // of the channels
	at    []int    // their columns
	csv   *csv.Reader
	times instants
	said  reminder
}

// row is valid until the next is read.
type row struct {
	stamp  string
	time   time.Time
	values []float64 // NaN where the table says nothing
}

// clocks are what a column of the time is called, the surest first; if none is, the
// first column is it.
var clocks = []string{"timestamp", "datetime", "date_time", "time", "ts", "date", "时间戳", "日期时间", "时间", "日期", "时刻"}

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
	if strings.ContainsRune(string(head), 0) {
		return nil, fmt.Errorf("%s: line 1: the table is not text in UTF-8; save it as CSV UTF-8", path)
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
	if err := t.columns(names); err != nil {
		return nil, fmt.Errorf("%s: line 1: %w", path, err)
	}
	return t, nil
}

// columns finds the time and the channels by the header.
func (t *table) columns(header []string) error {
	names := slices.Clone(header)
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	for _, clock := range clocks {
		if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, clock) }); i >= 0 {
			t.clock = i
			break
		}
	}
	if _, err := t.times.read(names[t.clock]); err == nil {
		return errors.New("the table has no header such as timestamp,value")
	}
	for i, name := range names {
		if i == t.clock || name == "" && i == len(names)-1 || slices.Contains(answers, strings.ToLower(name)) {
			continue
		}
		t.names, t.at = append(t.names, name), append(t.at, i)
	}
	if len(t.names) == 0 {
		return errors.New("there is no column of values beside the time; a header is such as timestamp,value, its columns separated by commas, semicolons or tabs")
	}
	return nil
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
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, csv.ErrFieldCount):
			line, _ := t.csv.FieldPos(0)
			return fmt.Errorf("%s: line %d: the row has %d cells, the header %d", t.path, line, len(cells), t.csv.FieldsPerRecord)
		case err != nil: // it names line and column
			return fmt.Errorf("%s: %w", t.path, err)
		}
		r.stamp = cells[t.clock]
		if r.time, err = t.times.read(r.stamp); err != nil {
			return t.wrong(t.clock, err)
		}
		for i, column := range t.at {
			if r.values[i], err = valueOf(cells[column], t.csv.Comma); err != nil {
				return t.wrong(column, fmt.Errorf("%w in the column %q; leave unknown cells empty, and such a column out", err, shortened(t.names[i])))
			}
		}
		line, _ := t.csv.FieldPos(t.clock)
		t.said.take(r.time, line)
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

// reminder counts the rows that no detector judges: those that are not later than all
// before them.
type reminder struct {
	last        time.Time
	rows, first int // first is the line of the first
}

func (m *reminder) take(at time.Time, line int) {
	switch {
	case at.After(m.last) || m.last.IsZero():
		m.last = at
	default:
		if m.rows++; m.rows == 1 {
			m.first = line
		}
	}
}

// unknowns are how tables say that nothing is known, in lower case.
var unknowns = []string{"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--"}

// valueOf reads a number; what is no number by its name is unknown. In a table that is
// not separated by commas one may stand for the decimal point.
func valueOf(text string, separator rune) (float64, error) {
	text = strings.TrimSpace(text)
	if separator != ',' && strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
	}
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil:
		return x, nil
	case slices.Contains(unknowns, strings.ToLower(text)):
		return math.NaN(), nil
	}
	return 0, fmt.Errorf("%q is not a number", shortened(text))
}

// timeLayouts are how tables write times, with or without a fraction of the second.
// Without a zone they are local times: of them only the hour, the weekday and the
// distance matter.
var timeLayouts = [...]string{
	"2006-01-02 15:04:05", "2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 Z07:00 MST", "2006-01-02 15:04:05 Z0700 MST",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02 15", "2006-01-02",
	"2006/1/2 15:04:05", "2006/1/2 15:04", "2006/1/2", "2006年1月2日 15:04:05", "2006年1月2日 15:04", "2006年1月2日 15时", "2006年1月2日", "20060102 15:04:05", "20060102150405",
	"02/01/2006 15:04:05", "02/01/2006 15:04", "02/01/06 15",
}

// instants reads times, first as it read the last.
type instants struct{ layout string }

func (i *instants) read(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if i.layout != "" {
		if t, err := time.Parse(i.layout, text); err == nil {
			return t, nil
		}
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			i.layout = layout
			return t, nil
		}
	}
	if t, ok := sinceEpoch(text); ok {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 2026-05-01 13:45:00, or seconds since 1970", shortened(text))
}

// sinceEpoch reads the seconds, milliseconds, microseconds or nanoseconds since 1970,
// by their size of a time from 1973 on.
func sinceEpoch(text string) (time.Time, bool) {
	whole, part, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 1e8 {
		return time.Time{}, false
	}
	unit := time.Second
	for limit := int64(1e11); n >= limit && unit > time.Nanosecond; limit *= 1000 {
		unit /= 1000
	}
	var rest float64
	if part != "" {
		if rest, err = strconv.ParseFloat("0."+part, 64); err != nil {
			return time.Time{}, false
		}
	}
	per := int64(time.Second / unit)
	return time.Unix(n/per, n%per*int64(unit)+int64(rest*float64(unit))).UTC(), true
}

func shortened(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}
