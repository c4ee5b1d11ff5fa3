package daemon

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/facility/porttest"
)

// smallDisk mounts a file system of so many MiB, and returns what takes all room that
// it has left, and gives that back.
func smallDisk(t *testing.T, size int) (dir string, fill, free func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		if os.Getuid() != 0 {
			t.Skipf("only root may mount a disk: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	fill = func() {
		f, err := os.OpenFile(ballast, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		for err == nil {
			_, err = f.Write(make([]byte, 512))
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir, fill, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAHubStartsOnAFullDisk, and judges, with the room that it kept for that.
func TestAHubStartsOnAFullDisk(t *testing.T) {
	slave, address := simulatedPump(t)
	port := porttest.Port(t)
	hub := newBox(t, load(t, fmt.Sprintf(twoBoxes, "hub", address, fmt.Sprintf(`{url: embedded, listen: "127.0.0.1:%s"}`, port)), nil))
	edge := newBox(t, load(t, fmt.Sprintf(twoBoxes, "edge", address, fmt.Sprintf(`{url: "tcp://127.0.0.1:%s"}`, port)), nil))
	var fill, free func()
	hub.data, fill, free = smallDisk(t, 48)
	edge.start()
	hub.start()
	hub.ready()
	eventually(t, 2*time.Minute, "room kept for a start", func() bool {
		info, err := os.Stat(filepath.Join(hub.data, reserveFile))
		return err == nil && info.Size() == reserveBytes
	})
	hub.stop()
	fill()
	if err := slave.Set("fault", 1); err != nil {
		t.Fatal(err)
	}
	hub.start()
	hub.ready()
	eventually(t, 2*time.Minute, "the fault", func() bool {
		all, err := hub.ledger.Alarms(t.Context(), facility.AlarmFilter{Device: "pump-1"})
		if err != nil {
			t.Fatal(err)
		}
		return len(all) == 1 && all[0].Count == 1
	})
	hub.stop()
	free()
	hub.start()
	hub.ready()
}

func TestRoomIsKeptOnlyWhereThereIsRoom(t *testing.T) {
	dir, fill, free := smallDisk(t, 24)
	r := newReserve(dir, slog.New(slog.DiscardHandler))
	kept := func() bool { return size(filepath.Join(dir, reserveFile)) == reserveBytes }
	fill()
	if err := r.fill(); err != nil || kept() {
		t.Errorf("on a full disk: %v", err)
	}
	free()
	for range 2 {
		if err := r.fill(); err != nil || !kept() {
			t.Errorf("with room: %v", err)
		}
	}
	if r.open(); !kept() {
		t.Error("given up though there is room")
	}
	fill()
	if r.open(); kept() {
		t.Error("kept on a full disk")
	}
	if available, err := r.free(); err != nil || available < reserveBytes {
		t.Errorf("%d bytes are free, %v", available, err)
	}
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return info.Size()
}

// TestAnEdgeStartsOnADiskThatCanOnlyBeRead, and what it reads is judged.
func TestAnEdgeStartsOnADiskThatCanOnlyBeRead(t *testing.T) {
	slave, address := simulatedPump(t)
	port := porttest.Port(t)
	hub := newBox(t, load(t, fmt.Sprintf(twoBoxes, "hub", address, fmt.Sprintf(`{url: embedded, listen: "127.0.0.1:%s"}`, port)), nil))
	edge := newBox(t, load(t, fmt.Sprintf(twoBoxes, "edge", address, fmt.Sprintf(`{url: "tcp://127.0.0.1:%s"}`, port)), nil))
	edge.data, _, _ = smallDisk(t, 8)
	edge.start()
	edge.stop()
	if err := syscall.Mount("tmpfs", edge.data, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, "size=8m"); err != nil {
		t.Fatal(err)
	}
	if err := slave.Set("fault", 1); err != nil {
		t.Fatal(err)
	}
	hub.start()
	edge.start()
	edge.ready()
	eventually(t, 2*time.Minute, "the fault", func() bool {
		all, err := hub.ledger.Alarms(t.Context(), facility.AlarmFilter{Device: "pump-1"})
		if err != nil {
			t.Fatal(err)
		}
		return len(all) == 1
	})
}
