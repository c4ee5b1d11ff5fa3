package influx

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// time returns the time of a record in milliseconds since 1970.
func (r record) time() (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, r.get("_time"))
	if err != nil {
		return 0, fmt.Errorf("the time of a row: %w", err)
	}
	return t.UnixMilli(), nil
}

// value returns the time and the number of a record.
func (r record) value() (ms int64, v float64, err error) {
	if ms, err = r.time(); err != nil {
		return 0, 0, err
	}
	if v, err = strconv.ParseFloat(r.get("_value"), 64); err != nil {
		return 0, 0, fmt.Errorf("the value of a row: %w", err)
	}
	return ms, v, nil
}

// reading returns what the field of a record says of a quantity.
func (r record) reading(p facility.Point) (facility.Reading, error) {
	out := facility.Reading{Point: p.ID, Unit: p.Unit, Quality: facility.Good}
	ms, err := r.time()
	if err != nil {
		return out, err
	}
	out.Time = time.UnixMilli(ms).UTC()
	switch strings.TrimPrefix(r.get("_field"), p.ID.Quantity) {
	case history.BadSuffix:
		out.Quality, out.Reason = facility.Bad, facility.Reason(strings.Clone(r.get("_value")))
	case history.UncertainSuffix:
		out.Quality, out.Reason = facility.Uncertain, facility.Reason(strings.Clone(r.get("_value")))
	default:
		_, out.Value, err = r.value()
	}
	return out, err
}

// join puts together what two fields say of one point and time.
func join(a, b facility.Reading) facility.Reading {
	if a.Quality == facility.Good {
		a, b = b, a
	}
	switch {
	case a.Quality == facility.Bad: // a value or the mark of one stands against it
		return b
	case b.Quality == facility.Good:
		a.Value = b.Value
	}
	return a
}

// Readings returns what was written of a point.
func (s *Store) Readings(ctx context.Context, p facility.Point, kind string, from, to time.Time) ([]facility.Reading, error) {
	first, end := history.Milli(from), history.Milli(to)
	if first >= end || end <= 0 {
		return nil, nil
	}
	q := p.ID.Quantity
	flux := s.source(first, end) + equals("_measurement", kind) + equals("device", p.ID.Device) +
		equals("_field", q, q+history.BadSuffix, q+history.UncertainSuffix) + ` |> keep(columns: ["_time", "_value", "_field"])`
	found := map[int64]facility.Reading{}
	err := s.query(ctx, flux, func(row record) error {
		r, err := row.reading(p)
		if err != nil {
			return err
		}
		ms := r.Time.UnixMilli()
		if other, ok := found[ms]; ok {
			r = join(other, r)
		}
		found[ms] = r
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("influxdb: read %s: %w", p.ID, err)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b facility.Reading) int { return a.Time.Compare(b.Time) }), nil
}
