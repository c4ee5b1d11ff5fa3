package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// keepDamaged is how many damaged files stay beside a journal for somebody to
// look at; older ones go, so that a dying disk is not filled as well.
const keepDamaged = 2

// replace puts a new file in the place of one that turned out to be damaged
// while it was in use. The caller holds j.file.
func (j *Journal) replace(cause error) error {
	if err := j.f.close(); err != nil {
		j.log.Warn("cannot close the damaged file", "error", err)
	}
	j.mu.Lock()
	before, marks := j.st, j.marks
	j.mu.Unlock()
	f, s, err := j.setAside(cause)
	if err != nil {
		return err
	}
	if err := f.putAll(before.Cursors, marks); err != nil { // memory knows better than the damaged file
		return errors.Join(err, f.close())
	}
	maps.Copy(s.cursors, before.Cursors)
	maps.Copy(s.marks, marks)
	j.use(f, s)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.st.Damaged += max(0, before.Records-s.records)
	return nil
}

// setAside renames the damaged file, begins a new one in its place with a new
// epoch, and moves into it what can still be read.
func (j *Journal) setAside(cause error) (*file, state, error) {
	aside := j.path + ".damaged-" + j.opts.Now().UTC().Format("20060102T150405.000000000Z")
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Rename(j.path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, state{}, fmt.Errorf("set the damaged file aside: %w", err)
		}
	}
	f, _, err := openFile(j.path)
	if err != nil {
		return nil, state{}, err
	}
	lost, salvageErr := f.salvage(aside)
	s, _, err := f.loadState()
	if err != nil {
		return nil, state{}, errors.Join(err, f.close())
	}
	j.mu.Lock()
	j.st.Resets++
	j.st.Damaged += lost
	j.mu.Unlock()
	j.log.Error("THE JOURNAL WAS DAMAGED and begins a new epoch with what could be saved",
		"cause", cause, "set_aside", aside, "saved", s.records, "wrong_checksum", lost, "salvage_error", salvageErr, "epoch", s.epoch)
	j.prune()
	return f, s, nil
}

// prune removes all damaged files but the newest.
func (j *Journal) prune() {
	old, err := filepath.Glob(j.path + ".damaged-*Z")
	if err != nil || len(old) <= keepDamaged {
		return
	}
	slices.Sort(old)
	for _, name := range old[:len(old)-keepDamaged] {
		_ = os.Remove(name)
		_ = os.Remove(name + "-wal")
	}
}

// salvage copies from the damaged file what its checksums vouch for, all or, when
// the new file cannot take it, nothing. It returns how many records they did not
// vouch for; those in pages that cannot be read at all are not counted.
func (f *file) salvage(path string) (lost int64, err error) {
	from, err := connect(path)
	if err != nil {
		return 0, err
	}
	defer from.close() //nolint:errcheck // nothing was written
	if err := f.exec("BEGIN IMMEDIATE"); err != nil {
		return 0, err
	}
	s, _, _ := from.loadState() // what it read before an error is good
	if err := f.putAll(s.cursors, s.marks); err != nil {
		return 0, errors.Join(err, f.exec("ROLLBACK"))
	}
	// From both ends: a scan stops at the first page that cannot be read.
	bad := map[uint64]bool{}
	for _, order := range []string{"ASC", "DESC"} {
		if f.copyFrom(from, order, bad) == nil {
			break
		}
	}
	if err := f.exec("COMMIT"); err != nil {
		return 0, errors.Join(err, f.exec("ROLLBACK"))
	}
	return int64(len(bad)), nil
}

func (f *file) putAll(cursors, marks map[string]uint64) error {
	for name, seq := range cursors {
		if err := f.put("cursor", name, seq); err != nil {
			return err
		}
	}
	for name, seq := range marks {
		if err := f.put("mark", name, seq); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) copyFrom(from *file, order string, bad map[uint64]bool) error {
	rows, err := from.conn.QueryContext(context.Background(), "SELECT seq, at, sum, body FROM records ORDER BY seq "+order)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r, ok, err := scanRecord(rows)
		if err != nil {
			return err
		}
		if !ok {
			bad[r.Seq] = true
			continue
		}
		if err := f.insert("INSERT OR IGNORE", r); err != nil {
			return err
		}
	}
	return rows.Err()
}
