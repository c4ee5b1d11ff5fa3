package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gengfu/facility"
	"gengfu/storage/history"
)

// A file that SQLite cannot read any more is set aside under the first name, a new
// one takes its place at once, and what the old one still holds is brought over in
// the background, also by the next start. Then it has the second name, for a person.
const (
	pendingMark = ".salvage-"
	damagedMark = ".damaged-"
)

// olderMark is in the name of a file of an earlier version of the format. Nothing is
// brought over of it: the program that wrote it can export it.
const olderMark = ".older-"

const asideTime = "20060102T150405.000Z"

const (
	salvageSlice = 64   // chunks that are brought over at a time, between two Writes
	smallest     = 8192 // bytes of a file with readings
)

// replace sets the damaged file aside and begins a new one with what is in memory.
// The caller holds s.write or is Open.
func (s *Store) replace(ctx context.Context, cause error) error {
	aside := s.options.Path + pendingMark + s.options.Now().UTC().Format(asideTime)
	rows := s.head.rows()
	if err := errors.Join(s.closeFiles(), renameBoth(s.options.Path, aside)); err != nil {
		return fmt.Errorf("set the damaged file aside: %w", err)
	}
	err := s.open(ctx)
	if err == nil {
		err = s.log(ctx, rows)
	}
	if err != nil {
		err = errors.Join(err, s.closeFiles(), removeBoth(s.options.Path), renameBoth(aside, s.options.Path))
		return errors.Join(fmt.Errorf("begin a new file: %w", err), s.open(ctx))
	}
	s.suspect.Store(false)
	s.damage.other(0, fmt.Errorf("the file was damaged (%w) and a new one was begun", cause))
	s.bringOver()
	return nil
}

// retire sets a file of an earlier version aside and begins a new one, so that an update
// of the program stops nobody. It is called by Open.
func (s *Store) retire(ctx context.Context, cause error) error {
	aside := s.options.Path + olderMark + s.options.Now().UTC().Format(asideTime)
	if err := errors.Join(s.closeFiles(), renameBoth(s.options.Path, aside)); err != nil {
		return fmt.Errorf("set the file of an earlier version aside: %w", err)
	}
	if err := s.open(ctx); err != nil {
		return fmt.Errorf("begin a new file: %w", err)
	}
	s.damage.say(fmt.Errorf("%w; it is kept as %s, and a new file was begun; the program that wrote it can still export it", cause, filepath.Base(aside)))
	return nil
}

// bringOver brings over what damaged files hold, until it is done or Close.
func (s *Store) bringOver() {
	s.work.Go(func() {
		s.salvaging.Lock()
		defer s.salvaging.Unlock()
		pending, err := filepath.Glob(quoteGlob(s.options.Path) + pendingMark + "*Z")
		for _, aside := range pending {
			err = errors.Join(err, s.salvage(s.alive, aside))
		}
		if s.alive.Err() == nil {
			s.tally.Upkeep(classify(s.alive, "bring over what a damaged file holds", err))
		}
	})
}

func quoteGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// salvage brings over what one file holds.
func (s *Store) salvage(ctx context.Context, aside string) (err error) {
	done := strings.Replace(aside, pendingMark, damagedMark, 1)
	if info, err := os.Stat(aside); err != nil || info.Size() < smallest {
		return errors.Join(err, renameBoth(aside, done)) // it never was one of ours, or holds nothing
	}
	v, err := openWreck(ctx, aside)
	if err != nil {
		return err
	}
	held, saved := v.held(ctx), 0
	for _, table := range []struct {
		query string
		take  func([]byte) map[int64][]sample
	}{
		{"SELECT id, samples FROM data WHERE id > $1 ORDER BY id LIMIT $2", chunkOf},
		{"SELECT id, entries FROM log WHERE id > $1 ORDER BY id LIMIT $2", entriesOf},
	} {
		n, err := s.salvageTable(ctx, v, table.query, table.take)
		if saved += n; err != nil {
			return errors.Join(err, v.db.Close())
		}
	}
	if err := v.db.Close(); err != nil {
		return err
	}
	s.damage.other(max(0, held-saved), fmt.Errorf("%d readings were saved of the damaged file %s", saved, filepath.Base(aside)))
	return renameBoth(aside, done)
}

// salvageTable brings over the samples in the rows of a table that can be read.
func (s *Store) salvageTable(ctx context.Context, v *wreck, query string, take func([]byte) map[int64][]sample) (saved int, err error) {
	after := int64(math.MinInt64)
	for ctx.Err() == nil {
		found := map[int64][]sample{}
		next, err := v.read(ctx, query, after, salvageSlice, func(data []byte) {
			for series, samples := range take(data) {
				found[series] = append(found[series], samples...)
			}
		})
		if err != nil && !unreadable(err) {
			return saved, err
		}
		if err != nil && next == after {
			if next = v.skip(ctx, query, after); next == after {
				return saved, nil
			}
		}
		if err == nil && next == after {
			return saved, nil
		}
		n, err := s.takeOver(ctx, v, found)
		if saved += n; err != nil {
			return saved, err
		}
		after = next
	}
	return saved, ctx.Err()
}

// takeOver packs samples of a damaged file, by its series, under those that are here.
func (s *Store) takeOver(ctx context.Context, v *wreck, found map[int64][]sample) (saved int, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	tx, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	p, err := s.newPacker(ctx, tx)
	if err != nil {
		return 0, err
	}
	p.older = true
	added := map[seriesKey]int64{}
	for _, old := range slices.Sorted(maps.Keys(found)) {
		key, ok := v.keys[old]
		if !ok {
			continue // nobody knows whose they are
		}
		series, err := s.seriesFor(ctx, tx, &history.Row{Kind: key.kind, Reading: facility.Reading{Point: key.point}}, added)
		if err != nil {
			return 0, err
		}
		samples := order(found[old])
		if err := p.pack(ctx, series, samples); err != nil {
			return 0, err
		}
		saved += len(samples)
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	s.head.learn(added)
	s.looked = false
	return saved, nil
}

func chunkOf(data []byte) map[int64][]sample {
	series, _, ok := opened(data)
	if !ok {
		return nil
	}
	samples, err := new(decoder).decode(nil, series, data)
	if err != nil {
		return nil
	}
	return map[int64][]sample{series: samples}
}

func entriesOf(data []byte) map[int64][]sample {
	entries, err := decodeLog(data)
	if err != nil {
		return nil
	}
	out := map[int64][]sample{}
	for _, e := range entries {
		out[e.series] = append(out[e.series], e.sample)
	}
	return out
}

// wreck is a damaged file.
type wreck struct {
	db   *sql.DB
	keys map[int64]seriesKey
}

func openWreck(ctx context.Context, path string) (*wreck, error) {
	if err := lengthen(path); err != nil {
		return nil, err
	}
	v := &wreck{keys: map[int64]seriesKey{}}
	var err error
	if v.db, err = sql.Open("sqlite", source(path)); err != nil {
		return nil, err
	}
	v.db.SetMaxOpenConns(1)
	if err := v.checkHead(ctx); err != nil {
		if err := errors.Join(v.db.Close(), newHead(ctx, path)); err != nil {
			return nil, err
		}
		if v.db, err = sql.Open("sqlite", source(path)); err != nil {
			return nil, err
		}
		v.db.SetMaxOpenConns(1)
	}
	for _, table := range []string{"series_again", "series"} {
		err := each(ctx, v.db, "SELECT id, kind, device, quantity FROM "+table, nil, func(rows *sql.Rows) error {
			var key seriesKey
			var id int64
			if err := rows.Scan(&id, &key.kind, &key.point.Device, &key.point.Quantity); err != nil {
				return err
			}
			v.keys[id] = key
			return nil
		})
		if err != nil && !corrupt(err) {
			return nil, errors.Join(err, v.db.Close())
		}
	}
	return v, nil
}

// checkHead fails where the file does not know its tables any more.
func (v *wreck) checkHead(ctx context.Context) error {
	tx, err := v.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	return checkTables(ctx, tx)
}

// held is how many readings the file says that it had. Where it cannot say it is
// more by one than is known: something is lost.
func (v *wreck) held(ctx context.Context) (readings int) {
	unknown := 0
	for _, table := range []string{"chunk", "log"} {
		err := each(ctx, v.db, "SELECT readings FROM "+table, nil, func(rows *sql.Rows) error {
			var n int
			err := rows.Scan(&n)
			readings += min(max(n, 0), logPiece)
			return err
		})
		if err != nil {
			unknown = 1
		}
	}
	return readings + unknown
}

// read gives up to so many rows behind an id to do, and returns the id of the last.
func (v *wreck) read(ctx context.Context, query string, after int64, limit int, do func([]byte)) (last int64, err error) {
	last = after
	err = each(ctx, v.db, query, []any{after, limit}, func(rows *sql.Rows) error {
		var id int64
		var data sql.RawBytes
		if err := rows.Scan(&id, &data); err != nil {
			return err
		}
		if id <= last { // a damaged page sends us back
			return errChunk
		}
		last = id
		do(data)
		return nil
	})
	return last, err
}

const farthest = 1 << 40 // ids that are tried behind a damaged one

// skip returns the id before the next row that can be read, by doubling steps and
// then halving back; the same id where there is none.
func (v *wreck) skip(ctx context.Context, query string, after int64) int64 {
	from := max(after, -farthest)
	readable := func(id int64) bool {
		_, err := v.read(ctx, query, id, 1, func([]byte) {})
		return err == nil
	}
	step := int64(1)
	for !readable(from + step) {
		if step *= 2; step > 2*farthest || ctx.Err() != nil {
			return after
		}
	}
	low, high := from+step/2, from+step
	for low+1 < high {
		if mid := low + (high-low)/2; readable(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

func renameBoth(from, to string) error {
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Rename(from+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return removeIf(from + "-shm")
}

func removeBoth(path string) error {
	return errors.Join(removeIf(path), removeIf(path+"-wal"), removeIf(path+"-shm"))
}

func removeIf(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
