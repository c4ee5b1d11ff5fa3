package ledger

import (
	"database/sql"
	"path/filepath"
	"testing"

	"gengfu/facility"
)

// An image that holds nothing but the program has no folder for temporary files,
// and SQLite then fails as soon as a sort outgrows its cache.
func TestSortingNeedsNoFolder(t *testing.T) {
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), Options{Site: facility.Site{ID: "jinxiu"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, db := range map[string]*sql.DB{"writer": l.writer, "reader": l.reader} {
		var store int
		if err := db.QueryRowContext(t.Context(), "PRAGMA temp_store").Scan(&store); err != nil {
			t.Fatal(err)
		}
		if store != 2 {
			t.Errorf("the %s sorts in place %d, want 2, memory", name, store)
		}
	}
}
