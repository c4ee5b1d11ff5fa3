package influx

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// rowKey is what a row is found by while its fields come in.
type rowKey struct {
	kind  string
	point facility.PointID
	ms    int64
}

// amongst is a filter of the devices, where they are named.
func amongst(devices []string) string {
	if len(devices) == 0 {
		return ""
	}
	return equals("device", devices...)
}

// Rows returns what was written of the devices.
func (s *Store) Rows(ctx context.Context, devices []string, from, to time.Time, limit int) ([]history.Row, error) {
	first, end := history.Milli(from), history.Milli(to)
	if first >= end || end <= 0 {
		return nil, nil
	}
	flux := s.source(first, end) + amongst(devices) +
		` |> keep(columns: ["_time", "_value", "_field", "_measurement", "device", "place"])`
	var rows []history.Row
	found := map[rowKey]int{}
	err := s.query(ctx, flux, func(r record) error {
		quantity, _ := strings.CutSuffix(r.get("_field"), history.BadSuffix)
		quantity, _ = strings.CutSuffix(quantity, history.UncertainSuffix)
		key := rowKey{kind: r.get("_measurement"), point: facility.PointID{Device: r.get("device"), Quantity: quantity}}
		reading, err := r.reading(facility.Point{ID: key.point})
		if err != nil {
			return nil //nolint:nilerr // a field of somebody else that is no number
		}
		key.ms = reading.Time.UnixMilli()
		if i, ok := found[key]; ok {
			rows[i].Reading = join(rows[i].Reading, reading)
			return nil
		}
		if len(rows) == limit {
			return history.ErrTooMany
		}
		key.kind, key.point = strings.Clone(key.kind), facility.PointID{Device: strings.Clone(key.point.Device), Quantity: strings.Clone(quantity)}
		reading.Point = key.point
		found[key] = len(rows)
		rows = append(rows, history.Row{Reading: reading, Kind: key.kind, Place: strings.Clone(r.get("place"))})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("influxdb: read rows: %w", err)
	}
	return rows, nil
}

// Span returns when the first and the last row are.
func (s *Store) Span(ctx context.Context, devices []string) (first, last time.Time, err error) {
	for _, end := range []struct {
		flux string
		take func(time.Time)
	}{
		{"first()", func(t time.Time) {
			if first.IsZero() || t.Before(first) {
				first = t
			}
		}},
		{"last()", func(t time.Time) {
			if t.After(last) {
				last = t
			}
		}},
	} {
		flux := s.source(0, latest.UnixMilli()) + amongst(devices) + " |> " + end.flux + ` |> keep(columns: ["_time"])`
		err := s.query(ctx, flux, func(r record) error {
			ms, err := r.time()
			if err == nil {
				end.take(time.UnixMilli(ms).UTC())
			}
			return err
		})
		if err != nil {
			return time.Time{}, time.Time{}, fmt.Errorf("influxdb: look up the span: %w", err)
		}
	}
	return first, last, nil
}

// latest is behind all times that a row may have.
var latest = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
