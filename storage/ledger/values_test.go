package ledger

import (
	"database/sql"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gengfu/facility"
)

func FuzzSearch(f *testing.F) {
	for _, s := range []string{"水泵", "Pump 1%", `a_b\c`, "ΣΊΣΥΦΟΣ", "\u212A", "ß", "\x00", "\xff", "'; --"} {
		f.Add("before ", s, " after")
	}
	db, err := connect("", filepath.Join(f.TempDir(), "search.db"), 1, "_txlock=immediate")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := db.Close(); err != nil {
			f.Error(err)
		}
	})
	finds := func(t *testing.T, text, search string) bool {
		var found bool
		err := db.QueryRowContext(t.Context(), `SELECT $1 LIKE $2 ESCAPE '\'`, fold(text), likePattern(search)).Scan(&found)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	f.Fuzz(func(t *testing.T, before, s, after string) {
		for _, part := range []string{before, s, after} {
			if !utf8.ValidString(part) || len(part) > 200 || strings.ContainsRune(part, 0) {
				return
			}
		}
		if !finds(t, before+s+after, s) {
			t.Errorf("%q is not found in %q", s, before+s+after)
		}
		if finds(t, before, s) != strings.Contains(fold(before), fold(s)) {
			t.Errorf("%q in %q: %v", s, before, finds(t, before, s))
		}
	})
}

func TestTimesRoundTrip(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{
		{},
		time.Unix(0, 0),
		time.Unix(0, 1),
		time.Unix(0, math.MinInt64),
		time.Unix(0, math.MaxInt64),
		time.Date(2026, 11, 22, 12, 0, 0, 123456789, shanghai),
	} {
		var back time.Time
		if err := (asTime{&back}).Scan(nanos(at)); err != nil || !back.Equal(at) || back.Location() != time.UTC {
			t.Errorf("%v came back as %v, %v", at, back, err)
		}
		var ptr *time.Time
		if err := (asTimePtr{&ptr}).Scan(nanosOf(&at)); err != nil || (ptr == nil) != at.IsZero() || ptr != nil && !ptr.Equal(at) {
			t.Errorf("%v came back as %v, %v", at, ptr, err)
		}
	}
	if nanosOf(nil) != nil {
		t.Error("no time is not NULL")
	}
	var at time.Time
	if err := (asTime{&at}).Scan("2026-11-22"); err == nil {
		t.Error("a text was read as a time")
	}
}

func TestFailure(t *testing.T) {
	if err := failure(nil, "try"); err != nil {
		t.Error(err)
	}
	if err := failure(sql.ErrNoRows, "find %s", "it"); !errors.Is(err, facility.ErrNotFound) || err.Error() != "find it: not found" {
		t.Error(err)
	}
	broken := errors.New("disk on fire")
	if err := failure(broken, "write"); !errors.Is(err, broken) || errors.Is(err, facility.ErrInvalid) {
		t.Error(err)
	}
}
