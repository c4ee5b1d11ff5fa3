package journal

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// volatile appends what the disk refuses.
func volatile(t *testing.T, j *Journal, bodies ...string) (last uint64) {
	t.Helper()
	for _, b := range bodies {
		seq, err := j.Append(context.Background(), []byte(b))
		if !errors.Is(err, ErrVolatile) {
			t.Fatalf("append to a disk that refuses: %d, %v, want ErrVolatile", seq, err)
		}
		last = seq
	}
	return last
}

// durable waits until the disk has everything up to the sequence.
func durable(t *testing.T, j *Journal, seq uint64) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		grown := j.Grown()
		if j.Durable() >= seq {
			return
		}
		select {
		case <-grown:
		case <-deadline:
			t.Fatalf("durable up to %d, want %d; %+v", j.Durable(), seq, j.Stats())
		}
	}
}

func TestWhatTheDiskRefusesIsHandedOutFromMemoryAndWrittenLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
	j := open(t, path, o)
	appendAll(t, j, "a", "b")
	epoch := j.Epoch()
	free := fillDisk(t, j)
	big := string(bytes.Repeat([]byte("x"), 100_000))
	last := volatile(t, j, big, "c")
	if _, err := j.AppendMarked(t.Context(), []Mark{{Key: "k", Seq: 1}}, []byte("d")); !errors.Is(err, ErrVolatile) {
		t.Fatal(err)
	}
	bodies, seqs := readAll(t, j)
	if !slices.Equal(bodies, []string{"a", "b", big, "c", "d"}) || !slices.Equal(seqs, []uint64{1, 2, 3, 4, 5}) {
		t.Fatalf("held %d records, sequences %v", len(bodies), seqs)
	}
	s := j.Stats()
	if s.Records != 2 || s.Volatile != 3 || s.Trouble == "" || s.Last != 5 || j.Durable() != 2 || last != 4 {
		t.Errorf("stats %+v, durable %d", s, j.Durable())
	}
	if s.Epoch == epoch || Life(s.Epoch) == Life(epoch) {
		t.Error("what a crash would take back has numbers of the old life")
	}
	if len(j.Marks()) != 0 {
		t.Error("a mark is durable before the disk has it")
	}
	free()
	durable(t, j, 5)
	if s := j.Stats(); s.Records != 5 || s.Volatile != 0 || s.Trouble != "" || j.Marks()["k"] != 1 {
		t.Errorf("stats %+v", s)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, o)
	recs, err := j.Read(0, 1<<20)
	if err != nil || len(recs) != 5 || recs[1].Epoch != epoch || recs[2].Epoch != s.Epoch || recs[4].Epoch != s.Epoch {
		t.Errorf("after a restart: %d records, %v", len(recs), err)
	}
	if seq := appendAll(t, j, "e"); seq != 6 || j.Epoch() != s.Epoch {
		t.Errorf("next is %d of epoch %s", seq, j.Epoch())
	}
}

func TestACrashTakesBackMemoryButNoNumberNamesTwoRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
	j := open(t, path, o)
	appendAll(t, j, "a")
	epoch := j.Epoch()
	fillDisk(t, j)
	volatile(t, j, string(bytes.Repeat([]byte("x"), 100_000)), "c")
	lost := j.Epoch()
	copied := filepath.Join(t.TempDir(), "j") // what a crash would leave
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(copied+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err == nil {
		t.Error("closing a journal whose memory nobody takes says nothing")
	}
	after := open(t, copied, o)
	if seq := appendAll(t, after, "d"); seq != 2 {
		t.Errorf("sequence %d", seq)
	}
	recs, err := after.Read(0, 1<<20)
	if err != nil || len(recs) != 2 || recs[1].Epoch != epoch || recs[1].Epoch == lost {
		t.Errorf("records %+v, %v", recs, err)
	}
}

// TestWhatAKillTookFromMemoryIsCounted at the next start, and what was delivered
// before is not.
func TestWhatAKillTookFromMemoryIsCounted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
	j := open(t, path, o)
	appendAll(t, j, "a")
	free := fillDisk(t, j)
	defer free()
	volatile(t, j, string(bytes.Repeat([]byte("x"), 100_000)), "b", "c")
	if err := j.Commit("hub", 2); err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(t.TempDir(), "j")
	for _, suffix := range []string{"", "-wal", ".memory"} { // what a kill leaves
		if err := os.WriteFile(killed+suffix, read(t, path+suffix), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int64{2, 0} {
		after := open(t, killed, o)
		if s := after.Stats(); s.Vanished != want {
			t.Errorf("%d records are said to be lost, want %d", s.Vanished, want)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	free()
	durable(t, j, 4)
	if size(path+".memory") != noteBytes || j.note.said != 0 {
		t.Errorf("noted %d when all is on the disk", j.note.said)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	body := string(bytes.Repeat([]byte("x"), 10_000))
	t.Run("urgent is refused", func(t *testing.T) {
		j := open(t, filepath.Join(t.TempDir(), "j"), Options{Memory: 50_000, Cursors: []string{"hub"}})
		free := fillDisk(t, j)
		defer func() { free(); durable(t, j, j.Last()) }()
		last := volatile(t, j, body, body, body, body)
		if _, err := j.Append(t.Context(), []byte(body)); !errors.Is(err, ErrFull) {
			t.Fatalf("beyond its memory: %v", err)
		}
		if err := j.Commit("hub", last); err != nil { // what was delivered makes room
			t.Fatal(err)
		}
		if next := volatile(t, j, body); next != last+1 {
			t.Errorf("sequence %d after %d", next, last)
		}
	})
	t.Run("samples go, the oldest first", func(t *testing.T) {
		j := open(t, filepath.Join(t.TempDir(), "j"), Options{Memory: 50_000, Evict: true, Cursors: []string{"hub"}})
		free := fillDisk(t, j)
		volatile(t, j, body, body, body, body, body, body, body, body)
		if _, seqs := readAll(t, j); !slices.Equal(seqs, []uint64{5, 6, 7, 8}) {
			t.Errorf("held %v", seqs)
		}
		if s := j.Stats(); s.Forgotten != 4 || s.Volatile != 4 {
			t.Errorf("stats %+v", s)
		}
		free()
		durable(t, j, 8)
		if _, seqs := readAll(t, j); !slices.Equal(seqs, []uint64{5, 6, 7, 8}) {
			t.Errorf("held %v", seqs)
		}
	})
}

func TestNeverRefusesToStart(t *testing.T) {
	dir := t.TempDir()
	obstacle := filepath.Join(dir, "data")
	if err := os.WriteFile(obstacle, nil, 0o600); err != nil { // a file where a folder should be
		t.Fatal(err)
	}
	path := filepath.Join(obstacle, "j")
	o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
	if _, err := Open(path, Options{}); err == nil {
		t.Error("without memory it opened nothing")
	}
	var late atomic.Int64 // by how many hours the disk comes
	o.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load()) * time.Hour) }
	j := open(t, path, o)
	began := j.Stats().Books.Since
	volatile(t, j, "a", "b")
	bodies, seqs := readAll(t, j)
	if !slices.Equal(bodies, []string{"a", "b"}) || j.Stats().Trouble == "" {
		t.Fatalf("held %q, %+v", bodies, j.Stats())
	}
	if err := j.Commit("hub", seqs[0]); err != nil {
		t.Fatal(err)
	}
	late.Store(2)
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	durable(t, j, seqs[1])
	epoch := j.Epoch()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, o)
	if bodies, now := readAll(t, j); !slices.Equal(bodies, []string{"b"}) || now[0] != seqs[1] || j.Epoch() != epoch {
		t.Errorf("after a restart %q %v", bodies, now)
	}
	if got := j.Stats().Books; got.Since != began || got.Taken != 2 {
		t.Errorf("the books began at %v, but now %+v", began, got)
	}
}

func TestAFileThatCouldNotBeOpenedIsNotPassedOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "j")
	o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
	j := open(t, path, o)
	appendAll(t, j, "a", "b")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	away := dir + ".away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, o)
	last := volatile(t, j, "c", "d")
	if err := j.Commit("hub", last-1); err != nil { // c was delivered
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(dir), os.Rename(away, dir)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, o)
	if bodies, _ := readAll(t, j); !slices.Equal(bodies, []string{"a", "b", "d"}) {
		t.Errorf("held %q, want what waited in the file, and what nobody has yet", bodies)
	}
}

// TestAFileThatComesBackIsReadAtOnce: a disk that was away at the start comes back
// while the journal works. Its records are read then, and nothing is counted lost.
func TestAFileThatComesBackIsReadAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "j")
	o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
	j := open(t, path, o)
	appendAll(t, j, "a", "b", "c")
	old := j.Epoch()
	if err := j.Commit("hub", 1); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	away := dir + ".away"
	if err := errors.Join(os.Rename(dir, away), os.WriteFile(dir, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, o)
	last := volatile(t, j, "d", "e")
	if err := j.Commit("hub", last-1); err != nil { // d was delivered
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(dir), os.Rename(away, dir)); err != nil {
		t.Fatal(err)
	}
	durable(t, j, last)
	if err := j.Commit("hub", last); !errors.Is(err, ErrReturned) {
		t.Fatalf("the cursor passes what its owner has not read: %v", err)
	}
	after := j.Resume("hub")
	recs, err := j.Read(after, 1<<20)
	if err != nil || after != 1 || len(recs) != 3 {
		t.Fatalf("after %d: %+v, %v", after, recs, err)
	}
	if string(recs[0].Body) != "b" || recs[0].Seq != 2 || recs[0].Epoch != old || string(recs[1].Body) != "c" ||
		string(recs[2].Body) != "e" || recs[2].Seq != last || Life(recs[2].Epoch) == Life(old) {
		t.Fatalf("records %+v", recs)
	}
	if err := j.Commit("hub", last); err != nil {
		t.Fatal(err)
	}
	if s := j.Stats(); s.Damaged+s.Forgotten > 0 || s.Trouble != "" {
		t.Errorf("stats %+v", s)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, o)
	if bodies, _ := readAll(t, j); len(bodies) > 0 {
		t.Errorf("held %q", bodies)
	}
}

// TestNumbersGoOnThoughTheClockWentBack: a file whose numbers are beyond those that
// are given without it.
func TestNumbersGoOnThoughTheClockWentBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "j")
	at := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	o := Options{Memory: 1 << 20, Cursors: []string{"hub"}, Now: func() time.Time { return at }}
	away := func(put bool) {
		t.Helper()
		if err := errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)); !put && err != nil {
			t.Fatal(err)
		} else if put {
			_ = os.Rename(dir, dir+".away")
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Mkdir(dir+".away", 0o700); err != nil {
		t.Fatal(err)
	}
	away(true)
	j := open(t, path, o)
	volatile(t, j, "a", "b")
	away(false)
	durable(t, j, j.Last())
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	away(true)
	at = at.AddDate(-5, 0, 0)
	j = open(t, path, o)
	volatile(t, j, "c", "d")
	away(false)
	deadline := time.After(2 * time.Minute)
	for j.Stats().Volatile > 0 {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("not written: %+v", j.Stats())
		}
	}
	j.Resume("hub")
	recs, err := j.Read(0, 1<<20)
	if err != nil || len(recs) != 4 {
		t.Fatalf("%d records, %v", len(recs), err)
	}
	for i, want := range []string{"a", "b", "c", "d"} {
		if string(recs[i].Body) != want || i > 0 && recs[i].Seq != recs[i-1].Seq+1 {
			t.Errorf("record %d is %q, sequence %d", i, recs[i].Body, recs[i].Seq)
		}
	}
	if recs[1].Epoch != recs[0].Epoch || recs[2].Epoch == recs[1].Epoch || j.Stats().Damaged > 0 {
		t.Errorf("epochs %s, %s, %s; %+v", recs[0].Epoch, recs[1].Epoch, recs[2].Epoch, j.Stats())
	}
}

func TestFailedAppendsUseUpNoNumbers(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "j"), Options{})
	appendAll(t, j, "a")
	free := fillDisk(t, j)
	for range 3 {
		if _, err := j.Append(t.Context(), bytes.Repeat([]byte("x"), 100_000)); err == nil {
			t.Fatal("a full disk took it")
		}
	}
	free()
	if seq := appendAll(t, j, "b"); seq != 2 {
		t.Errorf("sequence %d after three that failed", seq)
	}
}

func TestSplitMakesAQueueOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path, Options{Cursors: []string{"hub"}})
	appendAll(t, j, "a", "b")
	old := j.Epoch()
	if first := j.Split(); first != 3 || j.Split() != 3 {
		t.Errorf("the new run begins at %d", first)
	}
	split := j.Epoch()
	if split == old || Life(split) != Life(old) {
		t.Errorf("epochs %s and %s", old, split)
	}
	if err := j.Close(); err != nil { // nothing of the new run was written
		t.Fatal(err)
	}
	j = open(t, path, Options{Cursors: []string{"hub"}})
	j.Split()
	if again := j.Epoch(); again == split || Life(again) != Life(old) || First(again) != 3 || First(old) != 0 {
		t.Errorf("epoch %s, though a copy of the file may have begun %s", again, split)
	}
	split = j.Epoch()
	appendAll(t, j, "c")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, Options{Cursors: []string{"hub"}})
	recs, err := j.Read(0, 1<<20)
	if err != nil || len(recs) != 3 || recs[1].Epoch != old || recs[2].Epoch != split {
		t.Fatalf("records %+v, %v", recs, err)
	}
	if runs := j.Runs(); len(runs) != 2 || runs[0] != (Run{1, 2, old}) || runs[1] != (Run{3, math.MaxUint64, split}) {
		t.Errorf("runs %+v", runs)
	}
	if err := j.Commit("hub", 3); err != nil {
		t.Fatal(err)
	}
	appendAll(t, j, "d")
	j.Split()
	appendAll(t, j, "e")
	if runs := j.Runs(); len(runs) != 2 || runs[0].Epoch != split {
		t.Errorf("a run that is gone is still known: %+v", runs)
	}
}
