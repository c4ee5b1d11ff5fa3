package daemon

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gengfu/devices"
	"gengfu/devices/modbus"
	"gengfu/devices/profile"
)

// keepIn runs a memory on the folder, lets it keep what is given, and ends it.
func keepIn(t *testing.T, dir string, devs []devices.DeviceConfig, kept map[string]devices.Learned) {
	t.Helper()
	m := openMemory(dir, devs, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	for id, l := range kept {
		m.Keep(id, l)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestMemoryOutlivesTheProgram(t *testing.T) {
	dir := t.TempDir()
	devs := []devices.DeviceConfig{{ID: "meter"}, {ID: "pump"}}
	want := map[string]devices.Learned{
		"meter": {Model: "a1", Order: profile.LowFirst},
		"pump":  {Model: "b2", Cuts: []modbus.Cut{{Table: profile.Holding, Address: 7}}},
	}
	keepIn(t, dir, devs, want)
	m := openMemory(dir, devs, slog.New(slog.DiscardHandler))
	for id := range want {
		if got, ok := m.Recall(id); !ok || !cmp.Equal(got, want[id]) {
			t.Errorf("%s: %+v, want %+v", id, got, want[id])
		}
	}
	if _, ok := openMemory(dir, devs[:1], slog.New(slog.DiscardHandler)).Recall("pump"); ok {
		t.Error("a device that is gone is remembered")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

func TestADamagedMemoryIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, memoryFile), []byte(`{"meter": {`), 0o600); err != nil {
		t.Fatal(err)
	}
	devs := []devices.DeviceConfig{{ID: "meter"}}
	if _, ok := openMemory(dir, devs, slog.New(slog.DiscardHandler)).Recall("meter"); ok {
		t.Error("something was read of a damaged file")
	}
	keepIn(t, dir, devs, map[string]devices.Learned{"meter": {Model: "a1"}})
	if l, ok := openMemory(dir, devs, slog.New(slog.DiscardHandler)).Recall("meter"); !ok || l.Model != "a1" {
		t.Errorf("%+v %v", l, ok)
	}
}
