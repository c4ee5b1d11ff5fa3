package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// testBody makes a body that vouches for itself and its number.
func testBody(n uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(n, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	binary.BigEndian.PutUint64(b[4:], n)
	binary.BigEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	return b
}

func checkBody(t testing.TB, r Record) uint64 {
	t.Helper()
	if crc32.ChecksumIEEE(r.Body[4:]) != binary.BigEndian.Uint32(r.Body) {
		t.Fatalf("record %d has a content that nobody wrote", r.Seq)
	}
	return binary.BigEndian.Uint64(r.Body[4:])
}

// damagedCopy opens a copy of the journal whose bytes damage has changed, and
// checks what must always hold: it opens, what it holds was written, in order;
// and when anything is missing it says so and begins a new epoch.
func damagedCopy(t *testing.T, original []byte, records int, epoch string, damage func([]byte) []byte) (saved int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "j")
	if err := os.WriteFile(path, damage(bytes.Clone(original)), 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, path, Options{Cursors: []string{"hub"}})
	var last, lastN uint64
	for {
		recs, err := j.Read(last, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			break
		}
		for _, r := range recs {
			n := checkBody(t, r)
			if n != r.Seq || n <= lastN {
				t.Fatalf("record %d holds fact %d, after %d", r.Seq, n, lastN)
			}
			last, lastN = r.Seq, n
			saved++
		}
	}
	s := j.Stats()
	if s.Records != int64(saved) {
		t.Errorf("stats say %d records, %d can be read", s.Records, saved)
	}
	if saved < records && s.Damaged == 0 && s.Resets == 0 && s.Epoch == epoch {
		t.Errorf("%d of %d records are gone and nobody says so: %+v", records-saved, records, s)
	}
	// Life goes on.
	next := j.Stats().Last + 1
	if seq, err := j.Append(context.Background(), testBody(next, 100)); err != nil || seq < next {
		t.Fatalf("append after damage: %d, %v", seq, err)
	}
	settled(t, j, int64(saved)+1)
	return saved
}

func journalFile(t *testing.T, records int) (content []byte, epoch string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{Cursors: []string{"hub"}})
	for n := range uint64(records) {
		if _, err := j.AppendMarked(context.Background(), []Mark{{Key: "k", Seq: n + 1}}, testBody(n+1, 200+int(n)*37%9000)); err != nil {
			t.Fatal(err)
		}
	}
	epoch = j.Epoch()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content, epoch
}

func TestTruncatedFile(t *testing.T) {
	const records = 120
	content, epoch := journalFile(t, records)
	for _, part := range []int{0, 1, 50, 99, 100, 512, 1000, 4095, 4096, 4097, 8192, 20000, len(content) / 2, len(content) - 4096, len(content) - 1} {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			damagedCopy(t, content, records, epoch, func(b []byte) []byte { return b[:part] })
		})
	}
	t.Run("whole", func(t *testing.T) {
		if saved := damagedCopy(t, content, records, epoch, func(b []byte) []byte { return b }); saved != records {
			t.Errorf("%d of %d records of a sound file", saved, records)
		}
	})
}

func TestFlippedBits(t *testing.T) {
	const records, rounds = 120, 60
	content, epoch := journalFile(t, records)
	r := rand.New(rand.NewPCG(20261122, 5))
	total := 0
	for range rounds {
		at, bit := r.IntN(len(content)), r.IntN(8)
		t.Run(fmt.Sprintf("byte %d bit %d", at, bit), func(t *testing.T) {
			total += damagedCopy(t, content, records, epoch, func(b []byte) []byte {
				b[at] ^= 1 << bit
				return b
			})
		})
	}
	if share := float64(total) / (records * rounds); share < 0.9 {
		t.Errorf("one flipped bit costs %.0f %% of the records", 100*(1-share))
	}
}

func TestFlippedPages(t *testing.T) {
	const records = 120
	content, epoch := journalFile(t, records)
	r := rand.New(rand.NewPCG(20261122, 6))
	for range 25 {
		page := r.IntN(len(content) / 4096)
		t.Run("page "+strconv.Itoa(page), func(t *testing.T) {
			damagedCopy(t, content, records, epoch, func(b []byte) []byte {
				for i := range 4096 {
					b[page*4096+i] = byte(r.Uint32())
				}
				return b
			})
		})
	}
}

func TestForeignContent(t *testing.T) {
	for name, content := range map[string]string{
		"text": strings.Repeat("not a journal\n", 1000),
		"zero": string(make([]byte, 8192)),
	} {
		t.Run(name, func(t *testing.T) {
			damagedCopy(t, nil, 0, "", func([]byte) []byte { return []byte(content) })
		})
	}
}

func TestDamageWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{Cursors: []string{"hub"}})
	for n := range uint64(2000) {
		if n%100 == 0 {
			recs := make([][]byte, 100)
			for i := range recs {
				recs[i] = testBody(n+uint64(i)+1, 3000)
			}
			if _, err := j.AppendMarked(context.Background(), []Mark{{Key: "k", Seq: n}}, recs...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Commit("hub", 10); err != nil {
		t.Fatal(err)
	}
	epoch := j.Epoch()
	if err := os.Truncate(path, 1<<20); err != nil {
		t.Fatal(err)
	}
	var last uint64
	for {
		recs, err := j.Read(last, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			break
		}
		for _, r := range recs {
			checkBody(t, r)
			last = r.Seq
		}
	}
	if _, err := j.Append(context.Background(), testBody(1, 50)); err != nil {
		t.Fatal(err)
	}
	s := j.Stats()
	if s.Resets == 0 || s.Epoch == epoch || s.Damaged == 0 {
		t.Errorf("the damage went unnoticed: %+v", s)
	}
	if s.Last <= 2000 || s.Cursors["hub"] != 10 || j.Marks()["k"] != 1900 {
		t.Errorf("numbers went back: %+v, marks %v", s, j.Marks())
	}
}

func TestOldDamagedFilesAreRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 5 {
		if err := os.WriteFile(path, []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
			t.Fatal(err)
		}
		j := open(t, path, Options{Now: func() time.Time { return at.AddDate(0, 0, i) }})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if old, _ := filepath.Glob(path + ".damaged-*"); len(old) != keepDamaged || !strings.Contains(old[1], "20260105") {
		t.Errorf("left over: %q", old)
	}
}

// TestKilledWriterLosesNothing kills a child while it appends, again and again,
// and compares what it was promised with what is there.
func TestKilledWriterLosesNothing(t *testing.T) {
	dir := t.TempDir()
	promised := map[uint64]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 6 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "JOURNAL_CRASH_DIR="+dir, "JOURNAL_CRASH_START="+strconv.Itoa(round*1_000_000))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n, stop := 0, 50+r.IntN(300); n < stop && lines.Scan(); n++ {
			fact, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("child: %q", lines.Text())
			}
			promised[fact] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // promises that were under way
			if fact, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
				promised[fact] = true
			}
		}
		_ = cmd.Wait()
	}
	j := open(t, filepath.Join(dir, "j"), Options{})
	seen := map[uint64]bool{}
	var last uint64
	for {
		recs, err := j.Read(last, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			break
		}
		for _, rec := range recs {
			n := checkBody(t, rec)
			if seen[n] {
				t.Errorf("fact %d is there twice", n)
			}
			seen[n] = true
			last = rec.Seq
		}
	}
	for n := range promised {
		if !seen[n] {
			t.Errorf("fact %d was promised and is gone", n)
		}
	}
	if len(promised) < 300 {
		t.Errorf("only %d promises: the test proves little", len(promised))
	}
	if s := j.Stats(); s.Resets+s.Damaged > 0 {
		t.Errorf("a kill counted as damage: %+v", s)
	}
}

// crashChild appends from four goroutines and prints each fact's number once it
// was promised to be durable, until it is killed.
func crashChild(dir string) {
	j, err := Open(filepath.Join(dir, "j"), Options{MaxBytes: 1 << 30})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	start, _ := strconv.ParseUint(os.Getenv("JOURNAL_CRASH_START"), 10, 64)
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			for n := start + g; ; n += 4 {
				if _, err := j.Append(context.Background(), testBody(n, 100+int(n%5000))); err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				fmt.Println(n)
			}
		})
	}
	wg.Wait()
}
