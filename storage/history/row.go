package history

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gengfu/facility"
)

// Suffixes of the fields that carry the reason of a reading that is not good;
// no quantity may end with them.
const (
	BadSuffix       = "_bad"
	UncertainSuffix = "_uncertain"
)

const (
	maxName  = 256   // bytes
	maxValue = 1e300 // so that no sum overflows
)

var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) // nanoseconds since 1970 end in 2262
)

// Check says why no engine can store the row, or nil.
func (r *Row) Check() error {
	if err := CheckName("device", r.Point.Device); err != nil {
		return err
	}
	if err := CheckName("quantity", r.Point.Quantity); err != nil {
		return err
	}
	if err := CheckName("kind", r.Kind); err != nil {
		return err
	}
	if r.Place != "" {
		if err := CheckName("place", r.Place); err != nil {
			return err
		}
	}
	q := r.Point.Quantity
	switch {
	case q == "time", strings.HasPrefix(q, "_"), strings.HasSuffix(q, BadSuffix), strings.HasSuffix(q, UncertainSuffix):
		return fmt.Errorf("the quantity %q has a name that the history needs itself", q)
	case r.Time.Before(earliest) || !r.Time.Before(latest):
		return fmt.Errorf("the time %s is not between %d and %d", r.Time.UTC().Format(time.RFC3339), earliest.Year(), latest.Year())
	case r.Quality > facility.Good:
		return fmt.Errorf("the quality is unknown: %s", r.Quality)
	case r.Quality != facility.Bad && !(math.Abs(r.Value) <= maxValue):
		return fmt.Errorf("the value %v is not a number that can be added up", r.Value)
	case len(r.Reason) > maxName || !printable(string(r.Reason)):
		return errors.New("the reason has characters that cannot be printed or is too long")
	}
	return nil
}

// CheckName says why s cannot be the name of what, or nil.
func CheckName(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("the %s is empty", what)
	case len(s) > maxName:
		return fmt.Errorf("the %s is longer than %d bytes", what, maxName)
	case s[0] == '#', strings.IndexByte(s, '\\') >= 0, !printable(s): // line protocol cannot carry them everywhere
		return fmt.Errorf("the %s %q has a character that cannot stand in a name", what, s)
	}
	return nil
}

func printable(s string) bool {
	plain := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			plain = false
		}
	}
	if plain {
		return true
	}
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Sift parts the rows that can be stored from those that cannot. It copies only
// where some cannot.
func Sift(rows []Row) (lawful []Row, refused []Rejected) {
	for i := range rows {
		err := rows[i].Check()
		if err == nil {
			if refused != nil {
				lawful = append(lawful, rows[i])
			}
			continue
		}
		if refused == nil {
			lawful = append([]Row(nil), rows[:i]...)
		}
		refused = append(refused, Rejected{Row: rows[i], Why: err.Error()})
	}
	if refused == nil {
		return rows, nil
	}
	return lawful, refused
}

// Merge returns what stands when a reading is written over one of the same point
// and time, as Store says.
func Merge(old, written facility.Reading) facility.Reading {
	switch {
	case written.Quality == facility.Bad && old.Quality != facility.Bad:
		return old
	case written.Quality == facility.Good && old.Quality == facility.Uncertain:
		written.Quality, written.Reason = old.Quality, old.Reason
	}
	return written
}
