package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

const (
	reserveFile = "gengfu.reserve"
	// reserveBytes is enough to open every file of the data folder on a disk that is
	// full, each with its log and index, and for some urgent facts.
	reserveBytes = 4 << 20
	reserveEvery = time.Minute
)

// reserve is room that is kept in the data folder for a start on a full disk: with
// none, SQLite could open nothing.
type reserve struct {
	path string
	log  *slog.Logger
	free func() (uint64, error) // bytes that can be written to the disk
}

func newReserve(data string, log *slog.Logger) reserve {
	return reserve{filepath.Join(data, reserveFile), log, func() (uint64, error) {
		free, _, err := diskSpace(data)
		return free, err
	}}
}

// open gives the reserve up where the disk is full.
func (r reserve) open() {
	free, err := r.free()
	if err != nil || free >= reserveBytes {
		return
	}
	if err := os.Remove(r.path); err != nil {
		r.log.Error("THE DISK IS FULL", "error", err)
		return
	}
	r.log.Error("THE DISK IS FULL: the room that was kept for this start is given up", "bytes", reserveBytes)
}

// keep makes the reserve anew when there is room for it, until ctx ends.
func (r reserve) keep(ctx context.Context) error {
	tick := time.NewTicker(reserveEvery)
	defer tick.Stop()
	for {
		if err := r.fill(); err != nil {
			r.log.Warn("no room can be kept for a start on a full disk", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// fill makes the reserve if it is not there and the disk has several times its size.
func (r reserve) fill() (err error) {
	free, err := r.free()
	if errors.Is(err, errors.ErrUnsupported) || err == nil && free < 4*reserveBytes {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // the folder is the user's
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, reserveBytes)) // a file with holes would take no room
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("keep room: %w", err), os.Remove(r.path))
	}
	return nil
}
