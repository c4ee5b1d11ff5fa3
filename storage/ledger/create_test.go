package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gengfu/facility"
)

// A ledger that comes to be is seen whole or not at all, private, with nothing
// beside it; of many who make it at once, all find the same.
func TestCreateMakesOneWholePrivateFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.db")
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = create(t.Context(), "", path) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("beside the ledger: %v, %v", files, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Bytes 18 and 19 of the header: 2 is a write-ahead log (SQLite file format, 1.3).
	if len(b) < 100 || b[18] != 2 || b[19] != 2 {
		t.Errorf("%d bytes; not yet in the mode of the write-ahead log", len(b))
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("rights %v, %v", info.Mode(), err)
	}
}

func TestCreateLeavesWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := Open(t.Context(), path, Options{Site: facility.Site{ID: "jinxiu"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := create(t.Context(), "", path); err != nil {
		t.Fatal(err)
	}
	if err := makePrivate(path); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() {
		t.Errorf("%v became %v, %v", before, after, err)
	}
}
