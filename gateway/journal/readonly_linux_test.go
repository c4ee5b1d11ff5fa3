package journal

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of 1 MiB, and returns what makes it one that can
// only be read, or gives it back.
func smallDisk(t *testing.T) (dir string, lock func(locked bool)) {
	t.Helper()
	dir = t.TempDir()
	mount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, "size=1m"); err != nil {
			if flags == 0 && os.Getuid() != 0 {
				t.Skipf("only root may mount a disk: %v", err)
			}
			t.Fatal(err)
		}
	}
	mount(0)
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, func(locked bool) {
		t.Helper()
		if locked {
			mount(syscall.MS_REMOUNT | syscall.MS_RDONLY)
		} else {
			mount(syscall.MS_REMOUNT)
		}
	}
}

// TestStartOnADiskThatCanOnlyBeRead: what the file holds is read at once and in
// order before what comes meanwhile, with and without a write-ahead log; and when the
// disk can be written all goes on in the file.
func TestStartOnADiskThatCanOnlyBeRead(t *testing.T) {
	for _, killed := range []bool{false, true} {
		t.Run("killed "+strconv.FormatBool(killed), func(t *testing.T) {
			dir, lock := smallDisk(t)
			o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
			source, path := filepath.Join(t.TempDir(), "j"), filepath.Join(dir, "j")
			j := open(t, source, o)
			appendAll(t, j, "a", "b", "c")
			epoch := j.Epoch()
			if err := j.Commit("hub", 1); err != nil {
				t.Fatal(err)
			}
			if !killed {
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
			}
			for _, suffix := range []string{"", "-wal"} { // what a kill leaves
				text, err := os.ReadFile(source + suffix)
				if err == nil {
					err = os.WriteFile(path+suffix, text, 0o600)
				}
				if err != nil && (killed || suffix == "") {
					t.Fatal(err)
				}
			}
			lock(true)
			j = open(t, path, o)
			volatile(t, j, "d")
			after := j.Cursor("hub")
			recs, err := j.Read(after, 1<<20)
			if err != nil || len(recs) < 3 {
				t.Fatalf("after %d: %+v, %v", after, recs, err)
			}
			if n := len(recs); string(recs[n-1].Body) != "d" || recs[n-1].Seq != 4 || recs[n-1].Epoch == epoch || recs[n-2].Epoch != epoch {
				t.Errorf("records %+v", recs)
			}
			if err := j.Commit("hub", 3); err != nil {
				t.Fatal(err)
			}
			lock(false)
			durable(t, j, 4)
			if j.Returned("hub") {
				t.Error("the cursor went back though nothing came back")
			}
			if seq := appendAll(t, j, "e"); seq != 5 || j.Stats().Trouble != "" {
				t.Errorf("sequence %d, %+v", seq, j.Stats())
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j = open(t, path, o)
			if bodies, seqs := readAll(t, j); !slices.Equal(bodies, []string{"d", "e"}) || !slices.Equal(seqs, []uint64{4, 5}) {
				t.Errorf("held %q, %v", bodies, seqs)
			}
		})
	}
}

// TestStartOnAFullDisk: a file that is there can be read, and the journal begins with
// memory where it has any.
func TestStartOnAFullDisk(t *testing.T) {
	dir, _ := smallDisk(t)
	path, ballast := filepath.Join(dir, "j"), filepath.Join(dir, "ballast")
	o := Options{Memory: 1 << 20, Cursors: []string{"hub"}}
	j := open(t, path, o)
	appendAll(t, j, "a", "b")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(ballast)
	for err == nil {
		_, err = f.Write(make([]byte, 512))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, memory := range []int64{0, 1 << 20} {
		o.Memory = memory
		j = open(t, path, o)
		if bodies, _ := readAll(t, j); !slices.Equal(bodies, []string{"a", "b"}) {
			t.Errorf("held %q", bodies)
		}
		if memory == 0 {
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	last := volatile(t, j, "c")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	durable(t, j, last)
}

// TestWhatFailedIsNotTakenForDamage: a transaction that the disk refused half-way
// leaves pages in the log, over the begin of which the next ones are written.
func TestWhatFailedIsNotTakenForDamage(t *testing.T) {
	dir, _ := smallDisk(t)
	path := filepath.Join(dir, "j")
	j := open(t, path, Options{Cursors: []string{"hub"}, MaxBytes: 1 << 30})
	appendAll(t, j, "a", "b")
	for range 3 {
		before := size(path + "-wal")
		large := make([][]byte, 200) // more than the disk, and than SQLite keeps in memory
		for i := range large {
			large[i] = testBody(uint64(i), 100_000)
		}
		if _, err := j.Append(t.Context(), large...); err == nil {
			t.Fatal("a full disk took it")
		}
		if now := size(path + "-wal"); now != before {
			t.Errorf("the log had %d bytes, and %d after what failed", before, now)
		}
		appendAll(t, j, "c")
	}
	if w, err := inspectLog(path); err != nil || w == nil || w.damage() != nil || w.reach == 0 {
		t.Fatalf("%+v, %v", w, err)
	}
}
