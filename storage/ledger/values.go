package ledger

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"gengfu/facility"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// failure says what was being done when err came, and makes it one of the
// domain's errors where the caller can act on it. A nil err stays nil.
func failure(err error, doing string, of ...any) error {
	if err == nil {
		return nil
	}
	what := fmt.Sprintf(doing, of...)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%s: %w", what, facility.ErrNotFound)
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w", what, err)
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return fmt.Errorf("%s: %w: %w", what, facility.ErrConflict, err)
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return fmt.Errorf("%s: %w: %w", what, facility.ErrUnlawful, err)
	case sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_CONSTRAINT_NOTNULL, sqlite3.SQLITE_CONSTRAINT_DATATYPE,
		sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, sqlite3.SQLITE_TOOBIG:
		return fmt.Errorf("%s: %w: %w", what, facility.ErrInvalid, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%s: %w: %w", what, facility.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// newID returns id, or a new UUIDv7 when it is empty.
func newID(id string) (string, error) {
	if id != "" {
		return id, nil
	}
	u, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return u.String(), nil
}

// The times that fit into nanoseconds of an int64: years 1678 to 2261. A device
// whose clock says anything else is recorded at the nearest of them, because a
// tap must be kept whatever its clock says.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64)
)

// nanos is the time for a column; the zero time is NULL.
func nanos(t time.Time) any {
	switch {
	case t.IsZero():
		return nil
	case t.Before(earliest):
		return int64(math.MinInt64)
	case t.After(latest):
		return int64(math.MaxInt64)
	}
	return t.UnixNano()
}

// nanosOf is nanos of a time that may be missing.
func nanosOf(t *time.Time) any {
	if t == nil {
		return nil
	}
	return nanos(*t)
}

// asTime scans a column into a time in UTC, NULL as the zero time.
type asTime struct{ to *time.Time }

func (s asTime) Scan(v any) error {
	switch n := v.(type) {
	case nil:
		*s.to = time.Time{}
	case int64:
		*s.to = time.Unix(0, n).UTC()
	default:
		return fmt.Errorf("time is stored as %T", v)
	}
	return nil
}

// asTimePtr scans a column into a time in UTC, NULL as nil.
type asTimePtr struct{ to **time.Time }

func (s asTimePtr) Scan(v any) error {
	if v == nil {
		*s.to = nil
		return nil
	}
	*s.to = new(time.Time)
	return asTime{*s.to}.Scan(v)
}

// asList scans a column that holds a list as JSON; an empty one as nil.
type asList[T any] struct{ to *[]T }

func (s asList[T]) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list is stored as %T", v)
	}
	var list []T
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return fmt.Errorf("read a list: %w", err)
	}
	if *s.to = list; len(list) == 0 {
		*s.to = nil
	}
	return nil
}

// listText is a list for a column.
func listText[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	text, err := json.Marshal(list)
	return string(text), err
}

// nullable is a reference for a column; none is NULL.
func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// asText scans a column into a string, NULL as the empty one.
type asText struct{ to *string }

func (s asText) Scan(v any) error {
	switch x := v.(type) {
	case nil:
		*s.to = ""
	case string:
		*s.to = x
	default:
		return fmt.Errorf("text is stored as %T", v)
	}
	return nil
}

// fold brings a text to a form in which letters that differ only in case are the
// same: each becomes the smallest of those that Unicode folds together.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}

// likePattern matches texts that contain s; "\" escapes.
func likePattern(s string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(fold(s)) + "%"
}
