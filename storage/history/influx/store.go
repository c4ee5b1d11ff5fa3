// Package influx keeps the history of one site in InfluxDB, 1.8 with Flux or 2.x:
// one measurement for each kind of device with the tags site, device and place,
// and one field for each quantity. A bad reading is a text field with the suffix
// "_bad" that holds the reason.
package influx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	influxdb "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"

	"gengfu/facility"
	"gengfu/storage/history"
)

// Options are what New needs.
type Options struct {
	URL     string // "http://127.0.0.1:8086"
	Org     string // any on 1.8
	Bucket  string // on 1.8 "database/retention-policy" or "database"
	Token   string // on 1.8 "user:password", empty without authentication
	Site    string // value of the tag
	Timeout time.Duration
	Now     func() time.Time // nil is time.Now
}

const (
	defaultTimeout = 30 * time.Second
	maxRows        = 5000 // in one request
)

// Store is a history.Store in one bucket. Stores of different sites may share it.
type Store struct {
	options Options
	client  influxdb.Client
	writer  api.WriteAPIBlocking
	http    *http.Client
	tally   *history.Tally
}

var _ history.Store = (*Store)(nil)

// New returns a store. It does not reach for the server, which may come later.
// It fails with *history.ConfigurationError.
func New(o Options) (*Store, error) {
	if err := o.check(); err != nil {
		return nil, &history.ConfigurationError{Err: fmt.Errorf("influxdb: %w", err)}
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // it is one
	transport.MaxIdleConnsPerHost = 8
	s := &Store{options: o, tally: history.NewTally("influxdb"), http: &http.Client{Transport: transport, Timeout: o.Timeout}}
	s.client = influxdb.NewClientWithOptions(o.URL, o.Token, influxdb.DefaultOptions().SetPrecision(history.Resolution).SetHTTPClient(s.http))
	s.writer = s.client.WriteAPIBlocking(o.Org, o.Bucket)
	return s, nil
}

func (o Options) check() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return fmt.Errorf("the URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("the URL %q is not like http://host:8086", o.URL)
	case o.Bucket == "":
		return errors.New("the bucket is empty")
	}
	return history.CheckName("site", o.Site)
}

func escapeQuery(s string) string { return url.QueryEscape(s) }

// Close lets go of the connections.
func (s *Store) Close() error {
	s.client.Close()
	s.http.CloseIdleConnections()
	return nil
}

// Stats returns what the store did so far.
func (s *Store) Stats() history.Stats { return s.tally.Stats() }

// Write stores the rows, some thousand in a request.
func (s *Store) Write(ctx context.Context, rows []history.Row) error {
	lawful, refused := history.Sift(rows)
	stored := 0
	for part := range slices.Chunk(lawful, maxRows) {
		bad, err := s.put(ctx, part)
		if err != nil {
			err = fmt.Errorf("influxdb: write %d readings: %w", len(part), err)
			return s.tally.Written(s.options.Now(), stored, refused, err)
		}
		stored += len(part) - len(bad)
		refused = append(refused, bad...)
	}
	return s.tally.Written(s.options.Now(), stored, refused, nil)
}

// put writes rows in one request, and finds out which ones when the server
// refuses some. What it stored already is then written again, which is the same.
func (s *Store) put(ctx context.Context, rows []history.Row) ([]history.Rejected, error) {
	e := newEncoder(s.options.Site)
	for i := range rows {
		e.add(&rows[i])
	}
	e.end()
	err := s.post(ctx, e.out)
	var r *refusal
	if !errors.As(err, &r) {
		return nil, err
	}
	if len(rows) == 1 || r.dropped == len(rows) { // each of them had a line of its own
		out := make([]history.Rejected, len(rows))
		for i := range rows {
			out[i] = history.Rejected{Row: rows[i], Why: r.message}
		}
		return out, nil
	}
	half := len(rows) / 2
	first, err := s.put(ctx, rows[:half])
	if err != nil {
		return nil, err
	}
	second, err := s.put(ctx, rows[half:])
	return append(first, second...), err
}

func (s *Store) post(ctx context.Context, lines []byte) error {
	if err := s.writer.WriteRecord(ctx, string(lines)); err != nil {
		return classify(ctx, err)
	}
	return nil
}

// Query returns the buckets of a point. It streams the values and adds them up
// here: measured on 1.8, Flux's window is four times slower than sending them,
// and both engines then add up alike.
func (s *Store) Query(ctx context.Context, p facility.Point, kind string, from, to time.Time, step time.Duration) ([]facility.Bucket, error) {
	grid, err := history.NewGrid(from, to, step)
	if err != nil {
		return nil, err
	}
	first, end := grid.Milliseconds()
	if first >= end {
		return nil, nil
	}
	fold := history.NewFold(grid)
	flux := s.source(first, end) + equals("_measurement", kind) +
		equals("device", p.ID.Device) + equals("_field", p.ID.Quantity) + ` |> keep(columns: ["_time", "_value"])`
	err = s.query(ctx, flux, func(r record) error {
		ms, value, err := r.value()
		if err == nil {
			fold.Value(ms, value)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("influxdb: query %s: %w", p.ID, err)
	}
	return fold.Buckets(), nil
}
