package journal

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
)

// TestReadersThatKeepUpNeedNoFile: who is behind by less than what memory holds reads
// on while the file is busy, who is further behind reads the file, and both read the
// same.
func TestReadersThatKeepUpNeedNoFile(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "j.db"), Options{Cursors: []string{"near", "far"}})
	const size, records = 64 << 10, 3 * recentBytes / (64 << 10)
	for i := range records {
		appendAll(t, j, fmt.Sprintf("%08d%s", i+1, bytes.Repeat([]byte{'.'}, size-8)))
	}
	read := func(after uint64) (upTo uint64) {
		recs, err := j.Read(after, recentBytes)
		if err != nil || len(recs) == 0 {
			t.Fatalf("%d records behind %d, %v", len(recs), after, err)
		}
		for _, r := range recs {
			if after++; r.Seq != after || string(r.Body[:8]) != fmt.Sprintf("%08d", r.Seq) || r.Epoch != j.Epoch() || len(r.Body) != size {
				t.Fatalf("record %d of %q holds %.8q, want %d", r.Seq, r.Epoch, r.Body, after)
			}
		}
		return after
	}
	j.file.Lock() // a commit that takes its time
	for _, after := range []uint64{records - recentBytes/size, records - 5, records - 1} {
		if got := read(after); got != records {
			t.Errorf("read %d to %d, want all", after+1, got)
		}
	}
	j.file.Unlock()
	for after := uint64(0); after < records; {
		after = read(after)
	}
	if held := j.recent.bytes; held > recentBytes {
		t.Errorf("%d bytes are held, want at most %d", held, recentBytes)
	}
	for _, cursor := range []string{"near", "far"} {
		if err := j.Commit(cursor, records-1); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(j.recent.recs); n != 1 || j.recent.bytes != size {
		t.Errorf("%d records of %d bytes are held, want the one that is not passed", n, j.recent.bytes)
	}
}
