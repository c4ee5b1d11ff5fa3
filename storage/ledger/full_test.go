package ledger

import (
	"errors"
	"path/filepath"
	"testing"

	"gengfu/facility"
)

// TestAFullDisk: what cannot be kept is told from what is wrong, and nothing of it
// is there afterwards.
func TestAFullDisk(t *testing.T) {
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), Options{Site: facility.Site{ID: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := l.writer.ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err) // SQLite makes that what the file has now
	}
	create := func() error {
		return l.Update(t.Context(), func(tx *Tx) error {
			return tx.SaveState("big", make([]byte, 1<<20))
		})
	}
	if err := create(); !errors.Is(err, facility.ErrUnavailable) {
		t.Errorf("a full disk is %v", err)
	}
	if _, err := l.writer.ExecContext(t.Context(), "PRAGMA max_page_count = 1073741823"); err != nil {
		t.Fatal(err)
	}
	err = l.View(t.Context(), func(tx *Tx) error {
		state, err := tx.State("big")
		if len(state) > 0 {
			t.Error("half of it is there")
		}
		return err
	})
	if err = errors.Join(err, create()); err != nil {
		t.Error(err)
	}
}
