package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"gengfu/devices"
)

const memoryFile = "learned.json"

// memory keeps what devices have taught in a file, so that a restart does not ask
// for it again. Without the file everything is learned anew, which costs a few
// refusals.
type memory struct {
	path string
	log  *slog.Logger
	news chan struct{} // something is not written yet

	mu    sync.Mutex
	known map[string]devices.Learned // by device
}

var _ devices.Memory = (*memory)(nil)

// openMemory reads what was kept of the devices that there still are. A file that
// cannot be read is told of and replaced.
func openMemory(dir string, devs []devices.DeviceConfig, log *slog.Logger) *memory {
	m := &memory{
		path: filepath.Join(dir, memoryFile), log: log, news: make(chan struct{}, 1), known: map[string]devices.Learned{},
	}
	data, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return m
	}
	if err == nil {
		err = json.Unmarshal(data, &m.known)
	}
	if err != nil {
		log.Warn("what devices have taught cannot be read, and is learned anew", "file", m.path, "err", err)
		m.known = map[string]devices.Learned{}
	}
	present := map[string]bool{}
	for _, d := range devs {
		present[d.ID] = true
	}
	maps.DeleteFunc(m.known, func(id string, _ devices.Learned) bool { return !present[id] })
	return m
}

// Recall returns what was kept of the device.
func (m *memory) Recall(device string) (devices.Learned, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.known[device]
	return l, ok
}

// Keep replaces what is kept of the device. The file follows soon, and no line waits
// for the disk.
func (m *memory) Keep(device string, l devices.Learned) {
	m.mu.Lock()
	m.known[device] = l
	m.mu.Unlock()
	select {
	case m.news <- struct{}{}:
	default:
	}
}

// Run writes what is new until the context ends.
func (m *memory) Run(ctx context.Context) error {
	for {
		select {
		case <-m.news:
			m.save()
		case <-ctx.Done():
			select {
			case <-m.news:
				m.save()
			default:
			}
			return ctx.Err()
		}
	}
}

func (m *memory) save() {
	if err := m.write(); err != nil {
		m.log.Warn("what devices have taught cannot be written", "err", err)
	}
}

// write replaces the file as a whole: a crash leaves the old one or the new one.
func (m *memory) write() error {
	m.mu.Lock()
	data, err := json.MarshalIndent(m.known, "", "  ")
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("write %s: %w", m.path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(m.path), memoryFile+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", m.path, err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), m.path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", m.path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
