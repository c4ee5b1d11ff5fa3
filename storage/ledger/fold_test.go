package ledger

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
)

// TestTheLogIsFoldedBesideCommits: no commit has to, and the log does not grow for ever.
func TestTheLogIsFoldedBesideCommits(t *testing.T) {
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), Options{Site: facility.Site{ID: "jinxiu"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	log := func() (pages, folded int64) {
		var busy int64
		if err := l.reader.QueryRowContext(t.Context(), "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &pages, &folded); err != nil {
			t.Fatal(err)
		}
		return pages, folded
	}
	most := int64(0)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := range 5 {
		data := bytes.Repeat([]byte{byte(n + 1)}, (foldPages+100)*4096) // what is as it was is not written
		if err := l.Update(t.Context(), func(tx *Tx) error { return tx.SaveState("rules", data) }); err != nil {
			t.Fatal(err)
		}
		pages, folded := log()
		for most = max(most, pages); pages >= foldPages && folded < pages; pages, folded = log() {
			select {
			case <-tick.C:
			case <-t.Context().Done():
				t.Fatalf("of %d pages of the log %d are folded", pages, folded)
			}
		}
	}
	if most < foldPages || most > 3*foldPages {
		t.Errorf("the log had %d pages at most", most)
	}
}
