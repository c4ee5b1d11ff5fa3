package embedded

import (
	"database/sql"
	"path/filepath"
	"testing"
)

// An image that holds nothing but the program has no folder for temporary files,
// and SQLite then fails as soon as a sort outgrows its cache.
func TestSortingNeedsNoFolder(t *testing.T) {
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "history.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, db := range map[string]*sql.DB{"writer": s.writer, "reader": s.reader()} {
		var store int
		if err := db.QueryRowContext(t.Context(), "PRAGMA temp_store").Scan(&store); err != nil {
			t.Fatal(err)
		}
		if store != 2 {
			t.Errorf("the %s sorts in place %d, want 2, memory", name, store)
		}
	}
}
