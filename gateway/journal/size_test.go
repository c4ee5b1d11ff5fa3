package journal

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// fillJournal makes a journal of so many bytes, of batches as a collector makes
// them: 500 readings are about 40 KB, those of a quiet site 1 KB.
func fillJournal(tb testing.TB, path string, bytes int64, size int) (records int) {
	tb.Helper()
	j := open(tb, path, Options{MaxBytes: 2 << 30, Cursors: []string{"hub"}})
	for held := int64(0); held < bytes; {
		batch := make([][]byte, 0, 8<<20/size)
		for range cap(batch) {
			records++
			b := make([]byte, size)
			binary.BigEndian.PutUint64(b, uint64(records))
			batch = append(batch, b)
			held += int64(size) + overhead
		}
		if _, err := j.Append(context.Background(), batch...); err != nil {
			tb.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
	return records
}

// saved waits until all that is intact can be read, and counts it.
func saved(tb testing.TB, j *Journal) (records int) {
	tb.Helper()
	deadline := time.After(5 * time.Minute)
	for after := uint64(0); ; {
		grown := j.Grown()
		recs, err := j.Read(after, 4<<20)
		if err != nil {
			tb.Fatal(err)
		}
		for _, r := range recs {
			if n := binary.BigEndian.Uint64(r.Body); n != r.Seq {
				tb.Fatalf("record %d holds %d", r.Seq, n)
			}
			after = r.Seq
			records++
		}
		if len(recs) > 0 {
			continue
		}
		j.mu.Lock()
		done := !j.saves && j.newest <= after
		j.mu.Unlock()
		if done {
			return records
		}
		select {
		case <-grown:
		case <-deadline:
			tb.Fatal("it is not saved in time")
		}
	}
}

// TestOpensSoonWhateverItHolds: sound or damaged, opening takes no time that grows
// with what the journal holds, and takes facts at once. JOURNAL_MIB is its size.
func TestOpensSoonWhateverItHolds(t *testing.T) {
	mib, err := strconv.Atoi(os.Getenv("JOURNAL_MIB"))
	if err != nil {
		mib = 48
	}
	for name, size := range map[string]int{"large batches": 40_000, "small batches": 1000} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "j")
			all := fillJournal(t, path, int64(mib)<<20, size)
			for _, tt := range []struct {
				name   string
				least  int // records that must be there
				damage func(f *os.File, size int64) error
			}{
				{"sound", all, func(*os.File, int64) error { return nil }},
				{"a page spoilt", all * 9 / 10, func(f *os.File, size int64) error {
					_, err := f.WriteAt(make([]byte, 4096), size/2&^4095)
					return err
				}},
				{"cut in the middle", 0, func(f *os.File, size int64) error { return f.Truncate(size / 2) }},
			} {
				f, err := os.OpenFile(path, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				fi, err := f.Stat()
				if err == nil {
					err = tt.damage(f, fi.Size())
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				j, err := Open(path, Options{MaxBytes: 2 << 30, Cursors: []string{"hub"}})
				took := time.Since(start)
				if err != nil {
					t.Fatal(err)
				}
				next := j.Stats().Last + 1
				if next <= uint64(all) { // numbers must not be given twice
					t.Errorf("%s: the next number is %d", tt.name, next)
				}
				got := saved(t, j)
				s := j.Stats()
				t.Logf("%d MiB, %s: opened in %v, %d of %d records after %v, %d counted as lost",
					mib, tt.name, took.Round(time.Millisecond), got, all, time.Since(start).Round(time.Millisecond), s.Damaged)
				if took > 3*time.Second { // 1 s, on a machine that others use too
					t.Errorf("%s: opening took %v", tt.name, took)
				}
				if got < tt.least || got > all || int64(got)+s.Damaged < int64(all) {
					t.Errorf("%s: %d of %d records are there, %d are counted as lost", tt.name, got, all, s.Damaged)
				}
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				all = got
			}
		})
	}
}
