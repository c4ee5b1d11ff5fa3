package journal

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// logged is a journal's file and write-ahead log as a kill leaves them, with records
// in the log only, a few in each transaction.
func logged(t *testing.T, records int) (file, log []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{Cursors: []string{"hub"}})
	for n := uint64(1); n <= uint64(records); n += 2 {
		if _, err := j.Append(context.Background(), testBody(n, 300), testBody(n+1, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	return read(t, path), read(t, path+"-wal")
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reopened opens copies and returns the numbers of the records that are there.
func reopened(t *testing.T, file, log []byte) (there map[uint64]bool, j *Journal) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "j")
	for suffix, text := range map[string][]byte{"": file, "-wal": log} {
		if err := os.WriteFile(path+suffix, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	j = open(t, path, Options{Cursors: []string{"hub"}})
	there = map[uint64]bool{}
	for last := uint64(0); ; {
		recs, err := j.Read(last, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			return there, j
		}
		for _, r := range recs {
			if n := checkBody(t, r); n != r.Seq || n <= last {
				t.Fatalf("record %d holds fact %d, after %d", r.Seq, n, last)
			}
			last = r.Seq
			there[r.Seq] = true
		}
	}
}

// TestDamagedWriteAheadLog: behind a damaged page nothing is hidden, what is lost is
// counted, and a new life begins.
func TestDamagedWriteAheadLog(t *testing.T) {
	const records = 200
	file, log := logged(t, records)
	there, j := reopened(t, file, log)
	if len(there) != records || j.Stats().Resets > 0 {
		t.Fatalf("%d of %d records of a sound log, %+v", len(there), records, j.Stats())
	}
	epoch := j.Epoch()
	const frameSize = frameHead + 4096
	last := len(log) - 6*frameSize // what the last transaction may be of
	random := rand.New(rand.NewPCG(20261122, 7))
	hurts := map[string]func(b []byte){
		"head":      func(b []byte) { b[random.IntN(logHead)] ^= 1 << random.IntN(8) },
		"zero head": func(b []byte) { clear(b[:logHead]) },
		"sector": func(b []byte) {
			before := bytes.Clone(b)
			for bytes.Equal(b, before) { // some are empty
				at := random.IntN(last/512) * 512
				clear(b[at : at+512])
			}
		},
		"page": func(b []byte) { at := logHead + random.IntN(last/frameSize)*frameSize; clear(b[at : at+frameSize]) },
	}
	for i := range 24 {
		hurts[fmt.Sprint("bit ", i)] = func(b []byte) { b[random.IntN(last)] ^= 1 << random.IntN(8) }
		hurts[fmt.Sprint("bit of a frame's head ", i)] = func(b []byte) {
			b[logHead+random.IntN(last/frameSize)*frameSize+i] ^= 1 << random.IntN(8)
		}
	}
	saved := 0
	for name, hurt := range hurts {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(log)
			hurt(b)
			there, j := reopened(t, file, b)
			s := j.Stats()
			saved += len(there)
			if s.Resets != 1 || Life(j.Epoch()) == Life(epoch) {
				t.Errorf("nobody says that it was damaged: %+v", s)
			}
			if int64(len(there))+s.Damaged != records {
				t.Errorf("%d are there and %d counted lost of %d", len(there), s.Damaged, records)
			}
			if seq := appendAll(t, j, "more"); seq <= records {
				t.Errorf("sequence %d is given again", seq)
			}
			settled(t, j, int64(len(there))+1)
		})
	}
	if share := float64(saved) / float64(records*len(hurts)); share < 0.97 {
		t.Errorf("damage to the log costs %.1f %% of the records", 100*(1-share))
	}
}

// TestATornEndIsNoDamage: what a crash leaves half-written was never promised.
func TestATornEndIsNoDamage(t *testing.T) {
	const records = 20
	file, log := logged(t, records)
	for _, cut := range []int{1, 100, 4096, 4119, 4120, 4121} {
		there, j := reopened(t, file, log[:len(log)-cut])
		if s := j.Stats(); s.Resets+s.Damaged > 0 || len(there) < records-2 {
			t.Errorf("without the last %d bytes: %d records, %+v", cut, len(there), s)
		}
	}
}
