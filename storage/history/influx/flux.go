package influx

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"gengfu/storage/history"
)

// quote makes a Flux string. A dollar sign would start an interpolation.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '$' || r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// source is the head of every query: the site's rows of the milliseconds since
// 1970 in [from, to). The last() of 1.8 counts the end in, so the end is put
// between two of them.
func (s *Store) source(from, to int64) string {
	start, stop := time.UnixMilli(max(from, 0)).UTC(), time.UnixMilli(to).Add(-time.Nanosecond).UTC()
	return fmt.Sprintf("from(bucket: %s) |> range(start: %s, stop: %s) |> filter(fn: (r) => r.site == %s)",
		quote(s.options.Bucket), start.Format(time.RFC3339Nano), stop.Format(time.RFC3339Nano), quote(s.options.Site))
}

// equals is a filter of rows whose column is one of the values.
func equals(column string, values ...string) string {
	terms := make([]string, len(values))
	for i, v := range values {
		terms[i] = fmt.Sprintf("r[%s] == %s", quote(column), quote(v))
	}
	return " |> filter(fn: (r) => " + strings.Join(terms, " or ") + ")"
}

// record is a row of an answer, by name of the column.
type record struct {
	columns []string
	values  []string
}

func (r record) get(column string) string {
	if i := slices.Index(r.columns, column); i >= 0 && i < len(r.values) {
		return r.values[i]
	}
	return ""
}

// query sends Flux and calls do for every row while the answer comes in; the
// values are valid only until do returns.
func (s *Store) query(ctx context.Context, flux string, do func(record) error) error {
	body, err := json.Marshal(map[string]any{
		"query": flux, "type": "flux",
		"dialect": map[string]any{"annotations": []string{"datatype"}, "header": true, "delimiter": ","},
	})
	if err != nil {
		return err
	}
	address := s.client.HTTPService().ServerAPIURL() + "query?org=" + escapeQuery(s.options.Org)
	var parsed error
	failed := s.client.HTTPService().DoPostRequest(ctx, address, strings.NewReader(string(body)), func(req *http.Request) {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/csv")
	}, func(resp *http.Response) error {
		defer resp.Body.Close() //nolint:errcheck // it was only read
		parsed = parse(resp.Body, do)
		return nil
	})
	if failed != nil {
		return classify(ctx, failed)
	}
	if parsed != nil {
		return classify(ctx, parsed)
	}
	return nil
}

// parse reads annotated CSV: tables of a datatype row, a header and values.
func parse(r io.Reader, do func(record) error) error {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	in.ReuseRecord = true
	var columns []string
	header := true // the next row that is no annotation names the columns
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		switch {
		case strings.HasPrefix(row[0], "#"):
			header = true
			continue
		case header:
			columns, header = slices.Clone(row), false
			continue
		}
		current := record{columns: columns, values: row}
		if message := current.get("error"); message != "" {
			return &history.ConfigurationError{Err: fmt.Errorf("the server refuses the query: %s", message)}
		}
		if err := do(current); err != nil {
			return err
		}
	}
}
