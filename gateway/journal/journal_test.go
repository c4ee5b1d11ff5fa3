package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("JOURNAL_CRASH_DIR"); dir != "" {
		crashChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, path string, o Options) *Journal {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	j, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return j
}

func appendAll(t testing.TB, j *Journal, bodies ...string) uint64 {
	t.Helper()
	var last uint64
	for _, b := range bodies {
		seq, err := j.Append(context.Background(), []byte(b))
		if err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	return last
}

func readAll(t testing.TB, j *Journal) (bodies []string, seqs []uint64) {
	t.Helper()
	var after uint64
	for {
		recs, err := j.Read(after, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		if len(recs) == 0 {
			return bodies, seqs
		}
		for _, r := range recs {
			if r.Seq <= after {
				t.Fatalf("sequence %d after %d", r.Seq, after)
			}
			after = r.Seq
			bodies, seqs = append(bodies, string(r.Body)), append(seqs, r.Seq)
		}
	}
}

func TestKeepsOrderAndContentOverReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder", "50% of it?.db")
	at := time.Date(2026, 11, 22, 14, 0, 0, 123456789, time.UTC)
	o := Options{Cursors: []string{"hub"}, Now: func() time.Time { return at }}
	j := open(t, path, o)
	if last := appendAll(t, j, "a", "b", "c"); last != 3 {
		t.Fatalf("last %d, want 3", last)
	}
	epoch := j.Epoch()
	if err := j.Commit("hub", 1); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}

	j = open(t, path, o)
	if j.Epoch() != epoch {
		t.Error("the epoch changed without need")
	}
	if got := j.Cursor("hub"); got != 1 {
		t.Errorf("cursor %d, want 1", got)
	}
	bodies, _ := readAll(t, j)
	if !slices.Equal(bodies, []string{"b", "c"}) {
		t.Errorf("held %q, want b, c: a was trimmed", bodies)
	}
	if s := j.Stats(); s.First != 2 || s.Last != 3 || s.Records != 2 || !s.Oldest.Equal(at) || s.Bytes != 2*(overhead+1) {
		t.Errorf("stats %+v", s)
	}
}

func TestSequencesAreNotUsedAgainWhenAllIsTrimmed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{Cursors: []string{"hub"}})
	last := appendAll(t, j, "a", "b")
	if err := errors.Join(j.Commit("hub", last), j.Close()); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, Options{Cursors: []string{"hub"}})
	if s := j.Stats(); s.Records != 0 || s.Bytes != 0 || s.Last != 2 {
		t.Errorf("stats %+v, want an empty journal that ended at 2", s)
	}
	if next := appendAll(t, j, "c"); next != 3 {
		t.Errorf("next sequence %d, want 3", next)
	}
}

func TestTrimsBelowTheSlowestCursor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{Cursors: []string{"history", "rules"}})
	appendAll(t, j, "a", "b", "c")
	if err := errors.Join(j.Commit("history", 3), j.Commit("rules", 2)); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, "d") // carries the cursors
	if bodies, _ := readAll(t, j); !slices.Equal(bodies, []string{"c", "d"}) {
		t.Errorf("held %q, want c, d", bodies)
	}
	if j.Commit("nobody", 1) == nil || j.Commit("rules", 99) == nil {
		t.Error("a commit of an unknown cursor, or beyond the end, was accepted")
	}
	if err := j.Commit("rules", 1); err != nil || j.Cursor("rules") != 2 {
		t.Errorf("a cursor went back to %d (%v)", j.Cursor("rules"), err)
	}
}

func TestFull(t *testing.T) {
	body := bytes.Repeat([]byte{7}, 1000-overhead)
	ctx := context.Background()
	t.Run("refuses", func(t *testing.T) {
		j := open(t, filepath.Join(t.TempDir(), "j"), Options{MaxBytes: 5000, Cursors: []string{"hub"}})
		for range 5 {
			if _, err := j.Append(ctx, body); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := j.Append(ctx, body); !errors.Is(err, ErrFull) {
			t.Fatalf("error %v, want ErrFull", err)
		}
		if _, err := j.AppendMarked(ctx, []Mark{{Key: "k", Seq: 1}}); err != nil {
			t.Errorf("a mark alone was refused: %v", err)
		}
		if err := j.Commit("hub", 2); err != nil {
			t.Fatal(err)
		}
		for range 2 { // at once, and as much as the cursor has passed
			if _, err := j.Append(ctx, body); err != nil {
				t.Fatalf("no room after the cursor moved: %v", err)
			}
		}
		if _, err := j.Append(ctx, body); !errors.Is(err, ErrFull) {
			t.Errorf("error %v, want ErrFull", err)
		}
	})
	t.Run("evicts the oldest and counts them", func(t *testing.T) {
		j := open(t, filepath.Join(t.TempDir(), "j"), Options{MaxBytes: 5000, Evict: true, Cursors: []string{"hub"}})
		for range 12 {
			if _, err := j.Append(ctx, body); err != nil {
				t.Fatal(err)
			}
		}
		s := j.Stats()
		if s.Records != 5 || s.First != 8 || s.Last != 12 || s.Evicted != 7 || s.Bytes != 5000 {
			t.Errorf("stats %+v", s)
		}
		if s.Last != uint64(s.Records+s.Evicted) {
			t.Error("appended is not held + evicted")
		}
		if _, err := j.Append(ctx, make([]byte, 6000)); !errors.Is(err, ErrFull) {
			t.Errorf("a record larger than the journal: %v, want ErrFull", err)
		}
	})
}

func TestAMarkIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{})
	for _, marks := range [][]Mark{{{Key: "a", Seq: 7}, {Key: "b", Seq: 3}}, {{Key: "a", Seq: 0}, {Key: "never", Seq: 0}}} {
		if _, err := j.AppendMarked(context.Background(), marks); err != nil {
			t.Fatal(err)
		}
	}
	for _, when := range []string{"at once", "opened again"} {
		if m := j.Marks(); len(m) != 1 || m["b"] != 3 {
			t.Errorf("%s: marks %v", when, m)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		j = open(t, path, Options{})
	}
}

func TestMarksStandWithTheirRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{})
	if _, err := j.AppendMarked(context.Background(), []Mark{{Key: "a/1", Seq: 7}, {Key: "b/1", Seq: 3}}, []byte("x"), []byte("y")); err != nil {
		t.Fatal(err)
	}
	if _, err := j.AppendMarked(context.Background(), []Mark{{Key: "a/1", Seq: 9}}, []byte("z")); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, Options{})
	if m := j.Marks(); len(m) != 2 || m["a/1"] != 9 || m["b/1"] != 3 {
		t.Errorf("marks %v", m)
	}
}

func TestConcurrentAppendsAreAllThereInOrderOfTheirSequences(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "j"), Options{})
	var mu sync.Mutex
	want := map[uint64]string{}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 50 {
				body := fmt.Sprintf("%d-%d", g, i)
				seq, err := j.Append(context.Background(), []byte(body))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				want[seq] = body
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	bodies, seqs := readAll(t, j)
	if len(seqs) != 800 || len(want) != 800 {
		t.Fatalf("%d records, %d sequences given, want 800", len(seqs), len(want))
	}
	for i, seq := range seqs {
		if want[seq] != bodies[i] {
			t.Fatalf("record %d is %q, appended as %q", seq, bodies[i], want[seq])
		}
	}
}

func TestSyncRunsAheadButShowsOnlyWhatIsDurable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{Sync: time.Hour})
	last := appendAll(t, j, "a", "b")
	if bodies, _ := readAll(t, j); last != 2 || len(bodies) != 0 {
		t.Errorf("read %q before it was durable", bodies)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, Options{Sync: time.Millisecond})
	appendAll(t, j, "c")
	if err := j.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if bodies, _ := readAll(t, j); !slices.Equal(bodies, []string{"a", "b", "c"}) {
		t.Errorf("held %q", bodies)
	}
}

func TestWait(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "j"), Options{})
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan error, 2)
	go func() { got <- j.Wait(context.Background(), 0) }()
	go func() { got <- j.Wait(ctx, 5) }()
	appendAll(t, j, "a")
	if err := <-got; err != nil {
		t.Errorf("wait for the first record: %v", err)
	}
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("wait with a cancelled context: %v", err)
	}
	go func() { got <- j.Wait(context.Background(), 5) }()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; !errors.Is(err, ErrClosed) {
		t.Errorf("wait on a closed journal: %v", err)
	}
	if _, err := j.Append(context.Background(), []byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("append to a closed journal: %v", err)
	}
}

func TestWaitDoesNotReturnForRecordsThatAreGone(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "j"), Options{Cursors: []string{"hub"}})
	if err := j.Commit("hub", appendAll(t, j, "a", "b")); err != nil {
		t.Fatal(err)
	}
	waiting := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := j.Wait(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want to wait on", what, err)
		}
	}
	appendAll(t, j, "c") // carries the cursor
	if err := j.Commit("hub", 3); err != nil {
		t.Fatal(err)
	}
	for j.Stats().Records > 0 { // until the cursor has reached the file
		<-time.After(time.Millisecond)
	}
	waiting("all was trimmed")
	appendAll(t, j, "d")
	if err := j.Wait(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	j.file.Lock()
	err := j.f.exec("UPDATE records SET body = 'x'")
	j.file.Unlock()
	if bodies, _ := readAll(t, j); err != nil || len(bodies) != 0 {
		t.Fatal(bodies, err)
	}
	waiting("the only one was damaged")
	if s := j.Stats(); s.Damaged != 1 || s.Records != 0 || s.Last != 4 {
		t.Errorf("stats %+v", s)
	}
}

func TestAppendWithCancelledContextTakesNothing(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "j"), Options{})
	j.file.Lock() // the disk hangs
	first := make(chan error, 1)
	go func() { _, err := j.Append(context.Background(), []byte("a")); first <- err }()
	ctx, cancel := context.WithCancel(context.Background())
	second := make(chan error, 1)
	go func() { _, err := j.Append(ctx, []byte("b")); second <- err }()
	for {
		j.mu.Lock()
		n := len(j.pending)
		j.mu.Unlock()
		if n == 2 {
			break
		}
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want cancelled", err)
	}
	j.file.Unlock()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if bodies, _ := readAll(t, j); !slices.Equal(bodies, []string{"a"}) {
		t.Errorf("held %q, want only a", bodies)
	}
}

func TestSecondOpenerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	open(t, path, Options{})
	if _, err := Open(path, Options{}); err == nil || damaged(err) {
		t.Fatalf("second open: %v, want an error that is not damage", err)
	}
}

func TestTheFileShrinksAfterABacklog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{Cursors: []string{"hub"}})
	body := bytes.Repeat([]byte{1}, 64<<10)
	var last uint64
	for range 40 { // 20 MiB
		seq, err := j.Append(context.Background(), body, body, body, body, body, body, body, body)
		if err != nil {
			t.Fatal(err)
		}
		last = seq
	}
	if err := j.Commit("hub", last); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(10) {
		if err := j.Commit("hub", appendAll(t, j, "x")); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path); err != nil || fi.Size() > 9<<20 {
		t.Errorf("the empty journal is %d KiB (%v)", fi.Size()>>10, err)
	}
}

func TestRenewKeepsRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{})
	appendAll(t, j, "a")
	old := j.Epoch()
	if err := j.Renew(); err != nil {
		t.Fatal(err)
	}
	renewed := j.Epoch()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, Options{})
	if bodies, _ := readAll(t, j); j.Epoch() != renewed || renewed == old || !slices.Equal(bodies, []string{"a"}) {
		t.Errorf("epoch %s (was %s), held %q", j.Epoch(), old, bodies)
	}
}

// TestAgainstModel runs random operations against the journal and a slice.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "model")
		if err != nil {
			rt.Fatal(err)
		}
		maxBytes := int64(rapid.IntRange(400, 4000).Draw(rt, "max"))
		o := Options{MaxBytes: maxBytes, Evict: rapid.Bool().Draw(rt, "evict"), Cursors: []string{"a", "b"}}
		j, err := Open(filepath.Join(dir, "j"), o)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		type rec struct {
			seq  uint64
			body string
		}
		var held []rec // what must still be there
		var last uint64
		cursor := map[string]uint64{}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				body := rapid.StringN(0, 200, 300).Draw(rt, "body")
				seq, err := j.Append(context.Background(), []byte(body))
				if errors.Is(err, ErrFull) && !o.Evict {
					return
				}
				if err != nil || seq <= last {
					rt.Fatalf("append: %d, %v", seq, err)
				}
				last = seq
				held = append(held, rec{seq, body})
			},
			"commit": func(rt *rapid.T) {
				name := rapid.SampledFrom(o.Cursors).Draw(rt, "cursor")
				seq := rapid.Uint64Range(0, last).Draw(rt, "seq")
				if err := j.Commit(name, seq); err != nil {
					rt.Fatal(err)
				}
				cursor[name] = max(cursor[name], seq)
			},
			"reopen": func(rt *rapid.T) {
				epoch := j.Epoch()
				if err := j.Close(); err != nil {
					rt.Fatal(err)
				}
				if j, err = Open(filepath.Join(dir, "j"), o); err != nil {
					rt.Fatal(err)
				}
				if j.Epoch() != epoch {
					rt.Fatal("new epoch")
				}
			},
			"": func(rt *rapid.T) {
				s := j.Stats()
				recs, err := j.Read(0, 1<<20)
				if err != nil {
					rt.Fatal(err)
				}
				var size int64
				for i, r := range recs {
					want := held[len(held)-len(recs)+i] // always the newest ones
					if r.Seq != want.seq || string(r.Body) != want.body {
						rt.Fatalf("record %d is %d %q, want %d %q", i, r.Seq, r.Body, want.seq, want.body)
					}
					size += int64(len(r.Body)) + overhead
				}
				slowest := min(cursor["a"], cursor["b"])
				for _, gone := range held[:len(held)-len(recs)] {
					if gone.seq > slowest && !o.Evict {
						rt.Fatalf("record %d is gone, the slowest cursor is at %d", gone.seq, slowest)
					}
				}
				if s.Bytes != size || s.Records != int64(len(recs)) || s.Bytes > maxBytes || s.Last != last {
					rt.Fatalf("stats %+v, counted %d records of %d bytes", s, len(recs), size)
				}
			},
		})
	})
}
