package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// keepUp packs the head when it is large and deletes what is too old.
func (s *Store) keepUp(ctx context.Context) {
	if s.suspect.Load() {
		s.tally.Upkeep(classify(ctx, "replace a damaged file", s.replace(ctx, errFound)))
		return
	}
	if s.head.size >= s.limit {
		err := s.pack(ctx)
		s.suspect.Store(corrupt(err))
		s.tally.Upkeep(classify(ctx, "pack the log", err))
		s.limit = s.options.HeadLimit
		if err != nil { // and not again at each Write
			s.limit = s.head.size + max(1, s.options.HeadLimit/4)
			return
		}
	}
	now := s.options.Now()
	if s.options.Retention <= 0 || now.Before(s.prune) {
		return
	}
	more, err := s.deleteOld(ctx, now)
	s.tally.Upkeep(classify(ctx, "delete what is too old", err))
	if !more {
		s.prune = now.Add(pruneInterval)
	}
}

var errFound = errors.New("what was stored could not be read")

// pack moves the head into chunks. A reader that looked at the head before sees
// samples in both places, which is as good as once.
func (s *Store) pack(ctx context.Context) error {
	tx, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	p, err := s.newPacker(ctx, tx)
	if err != nil {
		return err
	}
	for _, series := range slices.Sorted(maps.Keys(s.head.samples)) {
		fresh := s.head.ordered(series, math.MinInt64, math.MaxInt64)
		if err := p.pack(ctx, series, fresh); err != nil {
			return fmt.Errorf("series %d: %w", series, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM log WHERE id <= $1", s.head.last); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.head.clear()
	return nil
}

// packer has the statements of one transaction.
type packer struct {
	before, first, next, load, insert, describe, remove, discard, damaged *sql.Stmt

	older   bool // what is packed gives way to what is there
	lost    *damage
	last    int64 // id of the last of those data that stay
	decoder decoder
}

func (s *Store) newPacker(ctx context.Context, tx *sql.Tx) (*packer, error) {
	p := &packer{lost: &s.damage}
	for _, q := range []struct {
		into **sql.Stmt
		text string
	}{
		{&p.before, `SELECT ` + chunkColumns + ` FROM chunk WHERE series = $1 AND start <= $2 ORDER BY start DESC LIMIT 1`},
		{&p.first, `SELECT ` + chunkColumns + ` FROM chunk WHERE series = $1 ORDER BY start LIMIT 1`},
		{&p.next, `SELECT start FROM chunk WHERE series = $1 AND start > $2 ORDER BY start LIMIT 1`},
		{&p.load, `SELECT samples FROM data WHERE id = $1`},
		{&p.insert, `INSERT OR REPLACE INTO data (id, samples) VALUES ($1, $2)`},
		{&p.describe, `INSERT INTO chunk (series, ` + chunkColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`},
		{&p.remove, `DELETE FROM chunk WHERE series = $1 AND start = $2`},
		{&p.discard, `DELETE FROM data WHERE id = $1`},
		{&p.damaged, `INSERT INTO damaged (series, start, "end", samples) VALUES ($1, $2, $3, $4)`},
	} {
		stmt, err := tx.PrepareContext(ctx, q.text) //nolint:sqlclosecheck // it ends with the transaction
		if err != nil {
			return nil, err
		}
		*q.into = stmt
	}
	err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM data WHERE id > 0").Scan(&p.last)
	return p, err
}

// pack puts ordered samples of a series into its chunks. Each belongs into the
// last chunk that starts before it, or the first; a chunk that is full is left
// alone by samples behind its end.
func (p *packer) pack(ctx context.Context, series int64, fresh []sample) error {
	for len(fresh) > 0 {
		home, end, err := p.home(ctx, series, fresh[0].t)
		if err != nil {
			return err
		}
		group := between(fresh, math.MinInt64, end)
		fresh = fresh[len(group):]
		if home != nil && (!home.full() || group[0].t <= home.end || !home.intact(series)) {
			old, err := p.open(ctx, series, *home)
			if err != nil {
				return err
			}
			if p.older {
				old, group = group, old
			}
			group = merge(old, group)
		}
		parts := cut(group)
		for i, part := range parts {
			grows := i == len(parts)-1 && end == math.MaxInt64
			if err := p.add(ctx, series, part, grows); err != nil {
				return err
			}
		}
	}
	return nil
}

// home returns the chunk that a sample of the time t belongs into, nil when the
// series has none, and the end of its reach: where the next one starts.
func (p *packer) home(ctx context.Context, series, t int64) (*chunkRow, int64, error) {
	c, err := scanChunk(p.before.QueryRowContext(ctx, series, t))
	if errors.Is(err, sql.ErrNoRows) {
		c, err = scanChunk(p.first.QueryRowContext(ctx, series))
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, math.MaxInt64, nil
	}
	if err != nil {
		return nil, 0, err
	}
	end := int64(math.MaxInt64)
	err = p.next.QueryRowContext(ctx, series, c.start).Scan(&end)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, err
	}
	return &c, end, nil
}

// open takes a chunk out of the file and returns its samples. One that cannot be
// decoded is laid aside, for it must not keep new readings out.
func (p *packer) open(ctx context.Context, series int64, c chunkRow) ([]sample, error) {
	var data []byte
	if err := p.load.QueryRowContext(ctx, c.data).Scan(&data); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if _, err := p.remove.ExecContext(ctx, series, c.start); err != nil {
		return nil, err
	}
	if _, err := p.discard.ExecContext(ctx, c.data); err != nil {
		return nil, err
	}
	samples, err := p.decoder.decode(make([]sample, 0, c.readings), series, data)
	if err != nil {
		p.lost.chunk(series, c)
		_, err = p.damaged.ExecContext(ctx, series, c.start, c.end, append([]byte{}, data...))
		return nil, err
	}
	return samples, nil
}

// add puts samples into the file as a chunk, or as two where they take much. The
// last one of a series grows, unless it is full.
func (p *packer) add(ctx context.Context, series int64, samples []sample, grows bool) error {
	data := encode(series, samples)
	if half := len(samples) / 2; len(data) > maxBytes && half >= fullCount {
		if err := p.add(ctx, series, samples[:half], false); err != nil {
			return err
		}
		return p.add(ctx, series, samples[half:], grows)
	}
	c := chunkRow{summary: summarise(samples)}
	if c.data = -series; !grows || c.full() {
		p.last++
		c.data = p.last
	}
	if _, err := p.insert.ExecContext(ctx, c.data, data); err != nil {
		return err
	}
	_, err := p.describe.ExecContext(ctx, series, c.start, c.end, c.readings, c.Count, c.Sum, c.Min, c.Max, c.First, c.Last, c.data, c.sum(series))
	return err
}

const maxDeletions = 5000 // of chunks in one Write

// deleteOld deletes chunks that ended before the retention began, and reports
// whether there may be more. A clock that runs ahead deletes nothing that the
// readings do not confirm to be old.
func (s *Store) deleteOld(ctx context.Context, now time.Time) (more bool, err error) {
	newest, err := s.newest(ctx)
	if err != nil {
		return false, err
	}
	before := min(now.UnixMilli(), newest) - s.options.Retention.Milliseconds()
	tx, err := s.begin(ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it has nothing to do
	budget := maxDeletions
	for _, series := range s.head.known() {
		n, err := deleteChunks(ctx, tx, series, before, budget)
		if err != nil {
			return false, err
		}
		if budget -= n; budget <= 0 {
			break
		}
	}
	return budget <= 0, tx.Commit()
}

func deleteChunks(ctx context.Context, tx *sql.Tx, series, before int64, limit int) (int, error) {
	var starts, data []int64
	err := each(ctx, tx, `SELECT start, data FROM chunk WHERE series = $1 AND start < $2 AND "end" < $2 ORDER BY start LIMIT $3`,
		[]any{series, before, limit}, func(rows *sql.Rows) error {
			var start, id int64
			if err := rows.Scan(&start, &id); err != nil {
				return err
			}
			starts, data = append(starts, start), append(data, id)
			return nil
		})
	if err != nil {
		return 0, err
	}
	for i := range starts {
		if _, err := tx.ExecContext(ctx, "DELETE FROM chunk WHERE series = $1 AND start = $2", series, starts[i]); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM data WHERE id = $1", data[i]); err != nil {
			return 0, err
		}
	}
	return len(starts), nil
}

// newest returns the time of the newest sample, in milliseconds. What is in chunks
// is looked up once: after that all goes through the head.
func (s *Store) newest(ctx context.Context) (int64, error) {
	if s.looked {
		return s.head.newest, nil
	}
	newest := int64(0)
	for _, series := range s.head.known() {
		var end int64
		err := s.reader().QueryRowContext(ctx, `SELECT "end" FROM chunk WHERE series = $1 ORDER BY start DESC LIMIT 1`, series).Scan(&end)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		newest = max(newest, end)
	}
	s.head.newest = max(s.head.newest, newest)
	s.looked = true
	return s.head.newest, nil
}
