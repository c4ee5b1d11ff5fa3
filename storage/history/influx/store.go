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
	"sync/atomic"
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
	maxRows        = 20_000 // in one request, which is 2 MB with a line for each
	minRows        = 100    // in one to a server that fails or is slow
)

// Store is a history.Store in one bucket. Stores of different sites may share it.
type Store struct {
	options Options
	client  influxdb.Client
	writer  api.WriteAPIBlocking
	http    *http.Client
	tally   *history.Tally

	fluxOnly atomic.Bool  // the server takes no InfluxQL for the bucket
	rows     atomic.Int64 // in the next request, minRows to maxRows
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
	s.rows.Store(maxRows)
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

// Query returns the buckets of a point, added up by the server where it can.
func (s *Store) Query(ctx context.Context, p facility.Point, kind string, from, to time.Time, step time.Duration) ([]facility.Bucket, error) {
	grid, err := history.NewGrid(from, to, step)
	if err != nil {
		return nil, err
	}
	if first, end := grid.Milliseconds(); first >= end {
		return nil, nil
	}
	if !s.fluxOnly.Load() {
		buckets, err := s.added(ctx, kind, p.ID, grid)
		if err == nil {
			return buckets, nil
		}
		if !errors.Is(err, errNoInfluxQL) {
			return nil, fmt.Errorf("influxdb: query %s: %w", p.ID, err)
		}
	}
	buckets, err := s.sent(ctx, kind, p.ID, grid)
	if err != nil {
		return nil, fmt.Errorf("influxdb: query %s: %w", p.ID, err)
	}
	s.fluxOnly.Store(true)
	return buckets, nil
}

// sent has the server send all values and adds them up here.
func (s *Store) sent(ctx context.Context, kind string, p facility.PointID, grid history.Grid) ([]facility.Bucket, error) {
	first, end := grid.Milliseconds()
	fold := history.NewFold(grid)
	flux := s.source(first, end) + equals("_measurement", kind) +
		equals("device", p.Device) + equals("_field", p.Quantity) + ` |> keep(columns: ["_time", "_value"])`
	err := s.query(ctx, flux, func(r record) error {
		ms, value, err := r.value()
		if err == nil {
			fold.Value(ms, value)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return fold.Buckets(), nil
}
