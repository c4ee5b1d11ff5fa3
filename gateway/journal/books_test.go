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

// settled passes everything, and compares the books with what was read.
func settled(t *testing.T, j *Journal, read int64) Books {
	t.Helper()
	if err := j.Commit("hub", j.Last()); err != nil {
		t.Fatal(err)
	}
	seq, err := j.Append(context.Background(), []byte("the last"))
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Commit("hub", seq); err != nil {
		t.Fatal(err)
	}
	if _, err := j.AppendMarked(context.Background(), []Mark{{Key: "settled", Seq: seq}}); err != nil { // trims
		t.Fatal(err)
	}
	b := j.Stats().Books
	if want := read + int64(max(1, len("the last")*given(j))); b.Passed("hub") != want || b.Waiting["hub"] != 0 {
		t.Fatalf("the books say that %d facts were passed, %d wait; %d were read: %+v", b.Passed("hub"), b.Waiting["hub"], want, b)
	}
	return b
}

// given is 1 where each byte is a fact, 0 where each record is.
func given(j *Journal) int {
	if j.opts.Facts == nil {
		return 0
	}
	return 1
}

// reader counts what it reads of a journal.
type reader struct {
	after uint64
	facts int64
}

func (r *reader) read(t *testing.T, j *Journal, commit bool) {
	t.Helper()
	if j.Returned("hub") {
		r.after = j.Resume("hub")
	}
	recs, err := j.Read(r.after, 4000)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recs {
		if rec.Facts != int64(len(rec.Body)) {
			t.Fatalf("record %d of %d facts says %d", rec.Seq, len(rec.Body), rec.Facts)
		}
		r.facts += rec.Facts
		r.after = rec.Seq
	}
	if commit && r.after > j.Cursor("hub") {
		if err := j.Commit("hub", r.after); err != nil {
			t.Fatal(err)
		}
	}
}

func byteFacts(body []byte) int { return len(body) }

// A bounded journal is filled, read, closed, killed and damaged in any order: what was
// taken is what was read, waits, or is counted as lost.
func TestBooksBalanceWhateverHappens(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 20261122))
			path := filepath.Join(t.TempDir(), "j")
			o := Options{MaxBytes: 40_000, Evict: true, Memory: 20_000, Cursors: []string{"hub"}, Facts: byteFacts}
			j := open(t, path, o)
			r := &reader{}
			var taken int64
			kills := 0
			for range 120 {
				switch n := rnd.IntN(40); {
				case n < 24:
					size := 1 + rnd.IntN(3000)
					if _, err := j.Append(context.Background(), make([]byte, size)); err != nil {
						t.Fatal(err)
					}
					taken += int64(size)
				case n < 35:
					r.read(t, j, true)
				case n < 37:
					j.Count("seen", 1)
				default:
					before := j.Stats()
					j, kills = again(t, j, path, o, rnd, kills)
					r.after = j.Cursor("hub")
					if got := j.Stats().Books; got.Kills != int64(kills) || got.Since != before.Books.Since {
						t.Fatalf("killed %d times: %+v, before %+v", kills, got, before.Books)
					}
				}
			}
			for r.after < j.Last() && j.Holds(r.after) {
				r.read(t, j, true)
			}
			b := settled(t, j, r.facts)
			if got := b.Taken - int64(len("the last")); got != taken {
				t.Errorf("%d facts were taken; the books say %d: %+v", taken, got, b)
			}
		})
	}
}

// again closes the journal or kills it, may damage a page of records, and opens it.
func again(t *testing.T, j *Journal, path string, o Options, rnd *rand.Rand, kills int) (*Journal, int) {
	t.Helper()
	if _, err := j.AppendMarked(context.Background(), []Mark{{Key: "now", Seq: 1}}); err != nil { // the cursor is there
		t.Fatal(err)
	}
	killed := rnd.IntN(2) == 0
	next := path
	var copies [2][]byte
	if killed { // what the disk has at this moment is what a kill leaves
		for i, suffix := range []string{"", "-wal"} {
			copies[i], _ = os.ReadFile(path + suffix)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if killed {
		kills++
		for i, suffix := range []string{"", "-wal"} {
			if err := os.WriteFile(next+suffix, copies[i], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	} else if rnd.IntN(2) == 0 {
		damageBody(t, next, rnd)
	}
	return open(t, next, o), kills
}

// damageBody turns a bit in the body of a record: zeros, which nothing else is.
func damageBody(t *testing.T, path string, rnd *rand.Rand) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 256)
	at := rnd.IntN(len(b))
	n := bytes.Index(b[at:], zeros)
	if n < 0 {
		return
	}
	b[at+n+128] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What the disk refuses is taken into memory, passed from there, written, or given up,
// and each is counted once.
func TestBooksBalanceInMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	o := Options{Evict: true, Memory: 250_000, Cursors: []string{"hub"}, Facts: byteFacts}
	j := open(t, path, o)
	appendAll(t, j, "a", "bb")
	free := fillDisk(t, j)
	big := string(bytes.Repeat([]byte("x"), 100_000))
	r := &reader{}
	volatile(t, j, big)
	for r.after < j.Last() {
		r.read(t, j, true) // passed from memory
	}
	b := j.Stats().Books
	if b.Taken != 100_003 || b.Passed("hub") != r.facts || r.facts != 100_003 {
		t.Fatalf("%d facts read; %+v", r.facts, b)
	}
	last := volatile(t, j, big, big, big) // one goes
	if b = j.Stats().Books; b.Taken != 400_003 || b.Forgotten != 100_000 || b.Waiting["hub"] != 200_000 {
		t.Fatalf("after memory was full: %+v", b)
	}
	free()
	durable(t, j, last)
	for r.after < last {
		r.read(t, j, true)
	}
	settled(t, j, r.facts)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, o)
	if b = j.Stats().Books; b.Taken != 400_011 || b.Forgotten != 100_000 || b.Kills != 0 || b.Waiting["hub"] != 0 {
		t.Fatalf("after a restart: %+v", b)
	}
}

// A count stands with its records, however many add to it at once.
func TestCountsStandWithTheirRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	o := Options{Cursors: []string{"hub"}}
	j := open(t, path, o)
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			_, err := j.AppendMarked(context.Background(), []Mark{{Key: "from/gw", Add: 3}}, []byte("x"))
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	j.Count("refused/full", 5)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, o)
	if b := j.Stats().Books; b.Counts["from/gw"] != 24 || b.Counts["refused/full"] != 5 || b.Taken != 8 {
		t.Errorf("%+v", b)
	}
}
