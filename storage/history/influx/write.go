package influx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gengfu/storage/history"
)

// request is a part of the rows of a Write, encoded while the one before it is
// under way.
type request struct {
	rows    []history.Row // those that are lawful
	refused []history.Rejected
	size    int // how many of the caller's rows it takes off the front
	lines   lines
}

// lines are rows in line protocol.
type lines struct {
	text  string
	count int
}

func (s *Store) encode(rows []history.Row) lines {
	e := newEncoder(s.options.Site)
	for i := range rows {
		e.add(&rows[i])
	}
	e.end()
	return lines{string(e.out), e.lines}
}

// next makes a request of the front of the rows, as large as the server was found
// to take.
func (s *Store) next(rows []history.Row) request {
	size := min(len(rows), int(s.rows.Load()))
	r := request{size: size}
	r.rows, r.refused = history.Sift(rows[:size])
	r.lines = s.encode(r.rows)
	return r
}

// Write stores the rows, up to 20,000 in a request, fewer for a while after a
// failure: what a slow line does not carry in time as a whole it may in pieces.
func (s *Store) Write(ctx context.Context, rows []history.Row) error {
	var refused []history.Rejected
	finished, stored := 0, 0
	ahead := make(chan request, 1) // exactly one is there or on its way
	ahead <- s.next(rows)
	defer func() { <-ahead }() // the rows are the caller's again
	for finished < len(rows) {
		r := <-ahead
		rest := rows[finished+r.size:]
		go func() { ahead <- s.next(rest) }()
		bad, err := s.put(ctx, r.rows, r.lines)
		if err != nil {
			s.rows.Store(max(minRows, int64(r.size/2)))
			err = unfinished(fmt.Errorf("influxdb: write %d readings: %w", len(r.rows), err), finished, refused)
			return s.tally.Written(s.options.Now(), stored, refused, err)
		}
		s.rows.Store(min(maxRows, max(s.rows.Load(), 2*int64(r.size))))
		finished += r.size
		stored += len(r.rows) - len(bad)
		refused = append(append(refused, r.refused...), bad...)
	}
	return s.tally.Written(s.options.Now(), stored, refused, nil)
}

// unfinished says in an error that will pass how many rows are behind us.
func unfinished(err error, finished int, refused []history.Rejected) error {
	var temporary *history.TemporaryError
	if !errors.As(err, &temporary) {
		return err
	}
	return &history.TemporaryError{Err: err, RetryAfter: temporary.RetryAfter, Done: finished, Refused: refused}
}

// put writes rows in one request, and finds out which ones when the server refuses
// some. Their count is all that a server says, so the rows are halved until those
// are alone. What it stored already is then written again, which is the same.
func (s *Store) put(ctx context.Context, rows []history.Row, l lines) ([]history.Rejected, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	r, err := s.post(ctx, l.text)
	if r == nil {
		return nil, err
	}
	return s.find(ctx, gathered(rows, r), l.count, r)
}

// gathered returns the rows in an order in which those that are refused for the
// reason are likely to be neighbours, so that few requests find them. Rows of one
// point and time keep their order: the last one stands.
func gathered(rows []history.Row, why *refusal) []history.Row {
	order := func(a, b history.Row) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Point.Quantity, b.Point.Quantity),
			strings.Compare(a.Point.Device, b.Point.Device), a.Time.Compare(b.Time))
	}
	if strings.Contains(why.message, "retention") {
		order = func(a, b history.Row) int { return a.Time.Compare(b.Time) }
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, order)
	return rows
}

// find returns which of the rows the server refuses, of which it just refused some
// that were sent in so many lines.
func (s *Store) find(ctx context.Context, rows []history.Row, lines int, why *refusal) ([]history.Rejected, error) {
	if len(rows) == 1 || why.dropped == lines {
		out := make([]history.Rejected, len(rows))
		for i := range rows {
			out[i] = history.Rejected{Row: rows[i], Why: why.message}
		}
		return out, nil
	}
	var out []history.Rejected
	half := len(rows) / 2
	for _, part := range [][]history.Row{rows[:half], rows[half:]} {
		l := s.encode(part)
		r, err := s.post(ctx, l.text)
		if r != nil {
			var bad []history.Rejected
			bad, err = s.find(ctx, part, l.count, r)
			out = append(out, bad...)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// post sends lines. A refusal is the answer that some of them are wrong.
func (s *Store) post(ctx context.Context, text string) (*refusal, error) {
	err := s.writer.WriteRecord(ctx, text)
	if err == nil {
		return nil, nil
	}
	err = classify(ctx, err)
	var r *refusal
	if errors.As(err, &r) {
		return r, nil
	}
	return nil, err
}
