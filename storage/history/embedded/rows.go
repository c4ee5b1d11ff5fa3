package embedded

import (
	"context"
	"database/sql"
	"math"
	"slices"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// Series is a point with the kind of its device.
type Series struct {
	Kind  string
	Point facility.PointID
}

// Series returns all series of the devices, of all when none is named.
func (s *Store) Series(devices []string) []Series {
	var out []Series
	for _, key := range s.head.all() {
		if among(devices, key) {
			out = append(out, Series{Kind: key.kind, Point: key.point})
		}
	}
	return out
}

func among(devices []string, key seriesKey) bool {
	return len(devices) == 0 || slices.Contains(devices, key.point.Device)
}

// Rows returns what was written of the devices.
func (s *Store) Rows(ctx context.Context, devices []string, from, to time.Time, limit int) ([]history.Row, error) {
	never := func(chunkRow) bool { return false }
	first, end := history.Milli(from), history.Milli(to)
	var out []history.Row
	for _, key := range s.head.all() {
		if !among(devices, key) {
			continue
		}
		var c collector
		if err := s.walk(ctx, key, first, end, never, &c); err != nil {
			return nil, s.failed(ctx, "read "+key.point.String(), err)
		}
		if len(out)+len(c.kept) > limit {
			return nil, history.ErrTooMany
		}
		for _, x := range c.kept {
			out = append(out, history.Row{Reading: x.reading(facility.Point{ID: key.point}), Kind: key.kind})
		}
	}
	return out, nil
}

// Span returns when the first and the last row are.
func (s *Store) Span(ctx context.Context, devices []string) (first, last time.Time, err error) {
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	for _, key := range s.head.all() {
		if !among(devices, key) {
			continue
		}
		start, end, err := s.span(ctx, key)
		if err != nil {
			return first, last, classify(ctx, "look up the span of "+key.point.String(), err)
		}
		from, to = min(from, start), max(to, end)
	}
	if from > to {
		return first, last, nil
	}
	return time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC(), nil
}

// span returns the times of the first and last sample of a series in milliseconds,
// the first being later than the last without any.
func (s *Store) span(ctx context.Context, key seriesKey) (first, last int64, err error) {
	series, _ := s.head.series(key)
	first, last = math.MaxInt64, math.MinInt64
	if fresh := s.head.ordered(series, math.MinInt64, math.MaxInt64); len(fresh) > 0 {
		first, last = fresh[0].t, fresh[len(fresh)-1].t
	}
	var start, end sql.NullInt64
	err = s.reader().QueryRowContext(ctx, `SELECT (SELECT min(start) FROM chunk WHERE series = $1),
		(SELECT "end" FROM chunk WHERE series = $1 ORDER BY start DESC LIMIT 1)`, series).Scan(&start, &end)
	if err == nil && start.Valid {
		first, last = min(first, start.Int64), max(last, end.Int64)
	}
	return first, last, err
}
