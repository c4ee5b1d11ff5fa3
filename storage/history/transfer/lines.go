package transfer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	protocol "github.com/influxdata/line-protocol"

	"gengfu/facility"
	"gengfu/storage/history"
	"gengfu/storage/history/influx"
)

type lineWriter struct {
	out  io.Writer
	site string
}

func (w *lineWriter) Write(rows []history.Row) error {
	_, err := w.out.Write(influx.Lines(w.site, rows))
	return err
}

func (w *lineWriter) Flush() error { return nil }

type lineReader struct {
	in        *bufio.Scanner
	site      string
	precision Precision
	line      int
}

func newLineReader(r io.Reader, site string, p Precision) *lineReader {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), maxLine)
	return &lineReader{in: in, site: site, precision: p}
}

// parse reads a line with the parser of InfluxDB's own project, which panics on some
// lines that are none.
func (r *lineReader) parse(text string) (metrics []protocol.Metric, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it is no line protocol")
		}
	}()
	handler := protocol.NewMetricHandler()
	handler.SetTimePrecision(time.Duration(r.precision))
	return protocol.NewParser(handler).Parse([]byte(text))
}

func (r *lineReader) Read() ([]history.Row, error) {
	for r.in.Scan() {
		r.line++
		text := strings.TrimSpace(r.in.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		metrics, err := r.parse(text)
		var rows []history.Row
		switch {
		case err != nil:
		case len(metrics) != 1:
			err = fmt.Errorf("%d points, not one", len(metrics))
		case !strings.HasSuffix(text, digits(text)) || digits(text) == "":
			err = errors.New("it has no time")
		default:
			rows, err = r.rows(metrics[0])
		}
		if err != nil {
			return nil, &LineError{r.line, err}
		}
		return rows, nil
	}
	if err := r.in.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", r.line+1, err)
	}
	return nil, io.EOF
}

// digits returns the number behind the last space of a line: its time, which the
// parser would otherwise take from the clock.
func digits(text string) string {
	last := text[strings.LastIndexByte(text, ' ')+1:]
	if strings.Trim(strings.TrimPrefix(last, "-"), "0123456789") != "" {
		return ""
	}
	return last
}

// rows takes a point apart into a row for each quantity.
func (r *lineReader) rows(m protocol.Metric) ([]history.Row, error) {
	base := history.Row{Kind: m.Name(), Reading: facility.Reading{Time: m.Time().UTC(), Quality: facility.Good}}
	for _, tag := range m.TagList() {
		switch tag.Key {
		case "device":
			base.Point.Device = tag.Value
		case "place":
			base.Place = tag.Value
		case "site":
			if r.site != "" && tag.Value != r.site {
				return nil, fmt.Errorf("it is of the site %q", tag.Value)
			}
		}
	}
	if base.Point.Device == "" {
		return nil, errors.New("it has no tag device")
	}
	var out []history.Row
	at := map[string]int{}
	row := func(quantity string) *history.Row {
		i, ok := at[quantity]
		if !ok {
			i = len(out)
			at[quantity] = i
			out = append(out, base)
			out[i].Point.Quantity = quantity
			out[i].Quality = facility.Bad // until a value comes
		}
		return &out[i]
	}
	for _, f := range m.FieldList() {
		if err := take(f, row); err != nil {
			return nil, err
		}
	}
	for i := range out {
		if out[i].Quality == facility.Uncertain && !valued(m, out[i].Point.Quantity) {
			return nil, fmt.Errorf("%s is uncertain and has no value", out[i].Point.Quantity)
		}
	}
	return out, nil
}

func valued(m protocol.Metric, quantity string) bool {
	for _, f := range m.FieldList() {
		if f.Key == quantity {
			return true
		}
	}
	return false
}

// take puts a field into the row of its quantity.
func take(f *protocol.Field, row func(string) *history.Row) error {
	if text, ok := f.Value.(string); ok {
		if quantity, ok := strings.CutSuffix(f.Key, history.BadSuffix); ok {
			if r := row(quantity); r.Quality == facility.Bad {
				r.Reason = facility.Reason(text)
			}
			return nil
		}
		if quantity, ok := strings.CutSuffix(f.Key, history.UncertainSuffix); ok {
			r := row(quantity)
			r.Quality, r.Reason = facility.Uncertain, facility.Reason(text)
			return nil
		}
		return fmt.Errorf("the field %s is text", f.Key)
	}
	r := row(f.Key)
	switch v := f.Value.(type) {
	case float64:
		r.Value = v
	case int64:
		r.Value = float64(v)
	case uint64:
		r.Value = float64(v)
	case bool:
		if v {
			r.Value = 1
		}
	default:
		return fmt.Errorf("the field %s is of no type that a value has", f.Key)
	}
	if r.Quality == facility.Bad {
		r.Quality, r.Reason = facility.Good, ""
	}
	return nil
}
