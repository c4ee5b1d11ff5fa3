package history

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// ErrTooMany says that a stretch of time holds more rows than were asked for.
var ErrTooMany = errors.New("history: more rows than were asked for")

// How Scan cuts up time: it asks for about so many rows at once.
const (
	scanRows  = 50_000
	scanFirst = time.Hour
	scanLong  = 2 * 365 * 24 * time.Hour
)

// Scan gives all rows of the devices, of all when none is named, in [from, to) to
// do: one stretch of time after the other, and after each its end, up to which all
// were given. The rows of a stretch are those of one device after the other, in
// order of time. It stops when do fails.
func Scan(ctx context.Context, s Store, devices []string, from, to time.Time, do func(rows []Row, upTo time.Time) error) error {
	for width := scanFirst; from.Before(to); {
		end := from.Add(width)
		if end.After(to) {
			end = to
		}
		rows, err := s.Rows(ctx, devices, from, end, 2*scanRows)
		if errors.Is(err, ErrTooMany) && end.Sub(from) > Resolution {
			width = max(end.Sub(from)/2, Resolution)
			continue
		}
		if err != nil {
			return err
		}
		sortRows(rows)
		if err := do(rows, end); err != nil {
			return err
		}
		from = end
		if len(rows) < scanRows/2 {
			width = min(2*width, scanLong)
		}
	}
	return nil
}

// Cut cuts a stretch of time to what there is of the devices, of all when none is named:
// from and from when there is nothing.
func Cut(ctx context.Context, s Store, devices []string, from, to time.Time) (begin, end time.Time, err error) {
	first, last, err := s.Span(ctx, devices)
	if err != nil || first.IsZero() {
		return from, from, err
	}
	if from.Before(first) {
		from = first
	}
	if past := last.Add(Resolution); to.After(past) {
		to = past
	}
	return from, to, nil
}

func sortRows(rows []Row) {
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Point.Device, b.Point.Device),
			a.Time.Compare(b.Time), strings.Compare(a.Point.Quantity, b.Point.Quantity))
	})
}
