package journal

import (
	"bytes"
	"context"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// fillDisk lets the file grow no further, as a full disk does; free lets it.
func fillDisk(t *testing.T, j *Journal) (free func()) {
	t.Helper()
	set := func(pages int) {
		j.file.Lock()
		defer j.file.Unlock()
		if err := j.f.exec("PRAGMA max_page_count = " + strconv.Itoa(pages)); err != nil {
			t.Fatal(err)
		}
	}
	set(1) // SQLite makes that what the file has now
	return func() { set(1 << 30) }
}

func TestFullDisk(t *testing.T) {
	ctx := context.Background()
	j := open(t, filepath.Join(t.TempDir(), "j"), Options{Cursors: []string{"hub"}})
	appendAll(t, j, "a", "b")
	epoch := j.Epoch()
	free := fillDisk(t, j)
	if _, err := j.AppendMarked(ctx, []Mark{{Key: "k", Seq: 1}}, bytes.Repeat([]byte("x"), 100_000)); err == nil || damaged(err) {
		t.Fatalf("append to a full disk: %v", err)
	}
	if bodies, _ := readAll(t, j); len(bodies) != 2 {
		t.Errorf("held %q", bodies)
	}
	if s := j.Stats(); s.Records != 2 || s.Resets != 0 || s.Epoch != epoch || len(j.Marks()) != 0 {
		t.Errorf("stats %+v, marks %v", s, j.Marks())
	}
	free()
	appendAll(t, j, "c")
	if bodies, _ := readAll(t, j); len(bodies) != 3 || bodies[2] != "c" {
		t.Errorf("held %q", bodies)
	}
}

func TestFullDiskWithSyncIsTriedAgain(t *testing.T) {
	j := open(t, filepath.Join(t.TempDir(), "j"), Options{Sync: time.Millisecond})
	free := fillDisk(t, j)
	big := string(bytes.Repeat([]byte("x"), 1<<20))
	appendAll(t, j, big, "b")
	for {
		j.mu.Lock()
		broken := j.broken
		j.mu.Unlock()
		if broken != nil {
			break
		}
		<-time.After(time.Millisecond)
	}
	var err error
	for range 2 * defaultMemory / len(big) { // memory is bounded
		if _, err = j.Append(context.Background(), []byte(big)); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("took more than memory may hold")
	}
	free()
	if err := j.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if bodies, _ := readAll(t, j); len(bodies) < 2 || bodies[1] != "b" {
		t.Errorf("held %d records", len(bodies))
	}
}
