package ledger

import (
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gengfu/facility"
)

//go:embed testdata/v*.sql
var oldData embed.FS

// newest is the version of the newest migration.
func newest(t *testing.T) int64 {
	t.Helper()
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return int64(len(files))
}

// at makes a ledger's file as the program of an older version left it, with the
// rows that testdata adds at that version and those before.
func at(t *testing.T, path string, version int64) {
	t.Helper()
	db, err := connect("", path, 1, "_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	p, err := provider(db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for v := int64(1); v <= version; v++ {
		if _, err := p.UpTo(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		rows, err := fs.ReadFile(oldData, fmt.Sprintf("testdata/v%d.sql", v))
		if err != nil {
			t.Fatal("every version has its rows, so that the next one is tried on them:", err)
		}
		if _, err := db.ExecContext(t.Context(), string(rows)); err != nil {
			t.Fatalf("rows of version %d: %v", v, err)
		}
	}
}

// schema returns all that defines the database.
func schema(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT type, name, COALESCE(sql, '') FROM sqlite_schema ORDER BY type, name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err below says what went wrong
	var b strings.Builder
	for rows.Next() {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, kind, name, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// rows counts the rows of all tables.
func rows(t *testing.T, db *sql.DB) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, table := range []string{
		"site", "person", "badge", "session", "audit", "provisioned", "tap", "patrol_round", "visit",
		"work_order", "order_number", "photo", "order_event", "alarm", "alarm_event", "judge_state", "journal_cursor",
		"alarm_hold", "hold_event",
		"notice", "notice_alarm",
		"judge_part",
		"rule_version",
	} {
		var n int
		err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n) // the names are above
		if err == nil {
			out[table] = n
		} else if !strings.Contains(err.Error(), "no such table") {
			t.Fatal(err)
		}
	}
	return out
}

func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := connect("", path, 1, "_pragma=query_only(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// A ledger of any older version becomes the same as a new one, and keeps its rows.
func TestMigrateFromEveryVersion(t *testing.T) {
	var want string
	for v := int64(0); v <= newest(t); v++ {
		t.Run(fmt.Sprint("version ", v), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger.db")
			var before map[string]int
			if v > 0 {
				at(t, path, v)
				before = rows(t, raw(t, path))
			}
			l, err := Open(t.Context(), path, Options{Site: facility.Site{ID: "jinxiu"}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}()
			if want == "" {
				want = schema(t, l.reader)
			} else if got := schema(t, l.reader); got != want {
				t.Errorf("tables differ from those of a new ledger:\n%s\nwant:\n%s", got, want)
			}
			after := rows(t, l.reader)
			for table, n := range before {
				if after[table] != n || n == 0 {
					t.Errorf("%s had %d rows, has %d", table, n, after[table])
				}
			}
			if v >= 1 {
				p, err := l.Person(t.Context(), "zhang")
				if err != nil || p.Name != "张师傅" || len(p.Badges) != 1 {
					t.Errorf("%+v, %v", p, err)
				}
			}
			if v >= 4 {
				o, err := l.Order(t.Context(), "o1")
				if err != nil || o.Title.ZH != "水泵故障" || o.Assignee != "zhang" {
					t.Errorf("%+v, %v", o, err)
				}
			}
		})
	}
}

func TestANewerLedgerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	at(t, path, newest(t))
	db, err := connect("", path, 1, "_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path, Options{Site: facility.Site{ID: "jinxiu"}})
	if err == nil || !strings.Contains(err.Error(), "version 999") {
		t.Errorf("a ledger of a newer program: %v", err)
	}
}

// The daemon and a command may find a new file at the same time.
func TestManyMigrateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	errs := make([]error, 6)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			l, err := Open(t.Context(), path, Options{Site: facility.Site{ID: "jinxiu"}})
			if err == nil {
				err = l.Close()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}
