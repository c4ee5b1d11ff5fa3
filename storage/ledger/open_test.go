package ledger_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"
)

// noon is a time at which all tests begin: 12:00 on 22 November 2026 in Shanghai.
var noon = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

func shanghai(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// open opens the ledger of the site "jinxiu" at path and closes it at the end.
func open(t testing.TB, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), path, ledger.Options{
		Site: facility.Site{ID: "jinxiu", Name: facility.Text{ZH: "锦绣花园", EN: "Jinxiu Garden"}, Zone: shanghai(t)},
		Now:  func() time.Time { return noon },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func fresh(t testing.TB) *ledger.Ledger {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "ledger.db"))
}

// staffed is a fresh ledger with one person of each role, whose login is the role.
func staffed(t testing.TB) *ledger.Ledger {
	t.Helper()
	l := fresh(t)
	staff(t, l)
	return l
}

func staff(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	for _, role := range facility.Roles {
		p := facility.Person{Login: string(role), Name: string(role), Role: role, Created: noon}
		if err := l.CreatePerson(t.Context(), p, "hash of "+string(role)); err != nil {
			t.Fatal(err)
		}
	}
}

func update(t testing.TB, l *ledger.Ledger, fn func(tx *ledger.Tx) error) {
	t.Helper()
	if err := l.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestOpenMakesAPrivateFileAtAnyPath(t *testing.T) {
	for _, name := range []string{"ledger.db", "with space.db", "a?b.db", "a#b&c=d.db", "a%20b.db", "账本.db", "it's \"quoted\".db"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			staff(t, open(t, path))
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, want readable by the owner alone", info.Mode())
			}
		})
	}
}

func TestOpenAdoptsTheOnlySite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if _, err := ledger.Open(t.Context(), path, ledger.Options{}); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("a file without a site: %v, want ErrInvalid", err)
	}
	staff(t, open(t, path))
	for _, o := range []ledger.Options{{}, {Site: facility.Site{ID: "jinxiu"}}} {
		l, err := ledger.Open(t.Context(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		if l.Site() != "jinxiu" {
			t.Errorf("site %q", l.Site())
		}
		// 16:30 UTC is the next day in Shanghai, so the zone was kept.
		order := newOrder()
		order.CreatedAt = time.Date(2026, 11, 22, 16, 30, 0, 0, time.UTC)
		if err := l.Update(t.Context(), func(tx *ledger.Tx) error {
			return tx.InsertOrder(&order, facility.OrderEvent{})
		}); err != nil {
			t.Fatal(err)
		}
		if order.No[:8] != "20261123" {
			t.Errorf("number %s, want one of 23 November", order.No)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSitesDoNotSeeEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	staff(t, open(t, path))
	other, err := ledger.Open(t.Context(), path, ledger.Options{Site: facility.Site{ID: "other"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	if people, err := other.People(t.Context()); err != nil || len(people) != 0 {
		t.Errorf("the other site sees %v, %v", people, err)
	}
	staff(t, other) // the same logins again
	if _, err := ledger.Open(t.Context(), path, ledger.Options{}); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("two sites and none named: %v, want ErrInvalid", err)
	}
}

func TestASoleSiteKeepsOthersOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	sole := func(site string) error {
		l, err := ledger.Open(t.Context(), path, ledger.Options{Site: facility.Site{ID: site}, Sole: true})
		if err != nil {
			return err
		}
		return l.Close()
	}
	for range 2 {
		if err := sole("jinxiu"); err != nil {
			t.Fatal(err)
		}
	}
	if err := sole("other"); !errors.Is(err, facility.ErrConflict) {
		t.Errorf("another site: %v, want ErrConflict", err)
	}
	l, err := ledger.Open(t.Context(), path, ledger.Options{})
	if err != nil {
		t.Fatalf("the refused site left something behind: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesWhatIsNoLedger(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.db")
	if err := os.WriteFile(junk, []byte("this is no database, but long enough to look like a page of one ........"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"junk": junk, "directory": dir, "missing folder": filepath.Join(dir, "no", "ledger.db")} {
		if _, err := ledger.Open(t.Context(), path, ledger.Options{Site: facility.Site{ID: "s"}}); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	l := staffed(t)
	boom := errors.New("boom")
	write := func(tx *ledger.Tx) error { return tx.SetCursor("hub", 7) }
	tests := map[string]func(ctx context.Context, cancel func(), tx *ledger.Tx) error{
		"an error":       func(context.Context, func(), *ledger.Tx) error { return boom },
		"a panic":        func(context.Context, func(), *ledger.Tx) error { panic(boom) },
		"a cancellation": func(_ context.Context, cancel func(), _ *ledger.Tx) error { cancel(); return nil },
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := func() (err error) {
				defer func() {
					if p := recover(); p != nil {
						err = p.(error)
					}
				}()
				return l.Update(ctx, func(tx *ledger.Tx) error {
					if err := write(tx); err != nil {
						return err
					}
					return fail(ctx, cancel, tx)
				})
			}()
			if err == nil {
				t.Fatal("no error")
			}
			update(t, l, func(tx *ledger.Tx) error {
				seq, err := tx.Cursor("hub")
				if seq != 0 {
					t.Errorf("cursor is %d after a transaction that failed", seq)
				}
				return err
			})
		})
	}
}

func TestViewCannotWrite(t *testing.T) {
	l := staffed(t)
	if err := l.View(t.Context(), func(tx *ledger.Tx) error { return tx.SetCursor("hub", 1) }); err == nil {
		t.Error("a view wrote")
	}
}

func TestViewSeesOneMoment(t *testing.T) {
	l := staffed(t)
	err := l.View(t.Context(), func(tx *ledger.Tx) error {
		before, err := tx.Cursor("hub")
		if err != nil {
			return err
		}
		update(t, l, func(tx *ledger.Tx) error { return tx.SetCursor("hub", before+1) })
		after, err := tx.Cursor("hub")
		if after != before {
			t.Errorf("cursor moved from %d to %d within a view", before, after)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
