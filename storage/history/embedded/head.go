package embedded

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"sync"

	"gengfu/facility"
	"gengfu/storage/history"
)

// head is the log in memory. It may be used concurrently; only one goroutine at
// a time changes it.
type head struct {
	mu      sync.RWMutex
	ids     map[seriesKey]int64
	samples map[int64][]sample // by series, in the order of their writing
	size    int
	newest  int64 // time of the newest sample that went through; only the writer reads it
	last    int64 // id of the last row of the log
}

// forget empties the head.
func (h *head) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids, h.samples, h.size = map[seriesKey]int64{}, map[int64][]sample{}, 0
}

// logged is a row of the log.
type logged struct {
	id       int64
	readings int
}

// load reads the series and the log, and returns those rows that are damaged.
func (h *head) load(ctx context.Context, tx *sql.Tx) (damaged []logged, err error) {
	h.forget()
	err = each(ctx, tx, "SELECT id, kind, device, quantity FROM series", nil, func(rows *sql.Rows) error {
		var key seriesKey
		var id int64
		if err := rows.Scan(&id, &key.kind, &key.point.Device, &key.point.Quantity); err != nil {
			return err
		}
		h.learn(map[seriesKey]int64{key: id})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the series: %w", err)
	}
	err = each(ctx, tx, "SELECT id, readings, entries FROM log ORDER BY id", nil, func(rows *sql.Rows) error {
		var row logged
		var data sql.RawBytes
		if err := rows.Scan(&row.id, &row.readings, &data); err != nil {
			return err
		}
		entries, err := decodeLog(data)
		if err != nil {
			damaged = append(damaged, row)
			return nil //nolint:nilerr // the others can be read
		}
		h.add(nil, entries, row.id)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	return damaged, nil
}

// add takes in what was made durable.
func (h *head) add(added map[seriesKey]int64, entries []entry, last int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.Copy(h.ids, added)
	for _, e := range entries {
		h.samples[e.series] = append(h.samples[e.series], e.sample)
		h.newest = max(h.newest, e.sample.t)
	}
	h.size += len(entries)
	h.last = last
}

// series returns the id of a series.
func (h *head) series(key seriesKey) (int64, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	id, ok := h.ids[key]
	return id, ok
}

// ordered returns the samples of a series in [from, to), in order.
func (h *head) ordered(series, from, to int64) []sample {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out []sample
	for _, s := range h.samples[series] {
		if from <= s.t && s.t < to {
			out = append(out, s)
		}
	}
	return order(out)
}

// rows returns all samples as they were written.
func (h *head) rows() []history.Row {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var out []history.Row
	for key, id := range h.ids {
		for _, x := range h.samples[id] {
			out = append(out, history.Row{Reading: x.reading(facility.Point{ID: key.point}), Kind: key.kind})
		}
	}
	return out
}

// learn takes in new series.
func (h *head) learn(added map[seriesKey]int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.Copy(h.ids, added)
}

// clear forgets all samples, which are in chunks now.
func (h *head) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples, h.size = map[int64][]sample{}, 0
}

// known returns the ids of all series.
func (h *head) known() []int64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.Sorted(maps.Values(h.ids))
}

// all returns the keys of all series, in order of their ids.
func (h *head) all() []seriesKey {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(h.ids), func(a, b seriesKey) int { return cmp.Compare(h.ids[a], h.ids[b]) })
}

// each calls do for every row of a query.
func each(ctx context.Context, q queryer, query string, args []any, do func(*sql.Rows) error) (err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // what went wrong is in rows.Err
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}
