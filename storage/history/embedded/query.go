package embedded

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/storage/history"
)

// Query returns the buckets of a point. It decodes only those chunks that lie
// across the edge of a bucket or have newer samples between theirs.
func (s *Store) Query(ctx context.Context, p facility.Point, kind string, from, to time.Time, step time.Duration) ([]facility.Bucket, error) {
	grid, err := history.NewGrid(from, to, step)
	if err != nil {
		return nil, err
	}
	key := seriesKey{kind: kind, point: p.ID}
	halves := grid.Halves(longChart)
	buckets, errs := make([][]facility.Bucket, len(halves)), make([]error, len(halves))
	var reading sync.WaitGroup
	for i, half := range halves {
		reading.Go(func() { buckets[i], errs[i] = s.fold(ctx, key, half) })
	}
	reading.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, s.failed(ctx, fmt.Sprintf("query %s", p.ID), err)
	}
	return slices.Concat(buckets...), nil
}

// longChart is how long a chart may be without being read in two halves at once: a
// year of seconds is worth a second processor.
const longChart = 60 * 24 * time.Hour

// fold adds up what is in the grid.
func (s *Store) fold(ctx context.Context, key seriesKey, grid history.Grid) ([]facility.Bucket, error) {
	f := folder{history.NewFold(grid), grid}
	first, end := grid.Milliseconds()
	whole := func(c chunkRow) bool {
		i := grid.Index(c.start)
		return i >= 0 && i == grid.Index(c.end)
	}
	err := s.walk(ctx, key, first, end, whole, f)
	return f.Buckets(), err
}

// Readings returns what was written of a point.
func (s *Store) Readings(ctx context.Context, p facility.Point, kind string, from, to time.Time) ([]facility.Reading, error) {
	var c collector
	never := func(chunkRow) bool { return false }
	err := s.walk(ctx, seriesKey{kind: kind, point: p.ID}, history.Milli(from), history.Milli(to), never, &c)
	if err != nil {
		return nil, s.failed(ctx, fmt.Sprintf("read %s", p.ID), err)
	}
	out := make([]facility.Reading, len(c.kept))
	for i, x := range c.kept {
		out[i] = x.reading(p)
	}
	return out, nil
}

// Latest returns the last reading of every point of the devices.
func (s *Store) Latest(ctx context.Context, devices []facility.Device, before time.Time) (map[facility.PointID]facility.Reading, error) {
	end := history.Milli(before)
	begin := end - history.Lookback.Milliseconds()
	out := map[facility.PointID]facility.Reading{}
	for _, d := range devices {
		for _, p := range d.Points {
			last, ok, err := s.last(ctx, seriesKey{kind: d.Kind, point: p.ID}, end)
			if err != nil {
				return nil, s.failed(ctx, fmt.Sprintf("look up the last reading of %s", p.ID), err)
			}
			if ok && last.t >= begin {
				out[p.ID] = last.reading(p)
			}
		}
	}
	return out, nil
}

// failed gives an error of a reader its type. A file that is damaged is replaced by
// the next Write.
func (s *Store) failed(ctx context.Context, doing string, err error) error {
	if corrupt(err) {
		s.suspect.Store(true)
	}
	return classify(ctx, doing, err)
}

// last returns the last sample of a series before end.
func (s *Store) last(ctx context.Context, key seriesKey, end int64) (sample, bool, error) {
	series, ok := s.head.series(key)
	if !ok {
		return sample{}, false, nil
	}
	fresh := s.head.ordered(series, math.MinInt64, end)
	tx, err := s.reader().BeginTx(ctx, nil)
	if err != nil {
		return sample{}, false, err
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	packed, err := s.lastPacked(ctx, tx, series, end)
	if err != nil {
		return sample{}, false, err
	}
	all := merge(between(packed, math.MinInt64, end), fresh)
	if len(all) == 0 {
		return sample{}, false, nil
	}
	return all[len(all)-1], true, nil
}

// lastPacked returns the samples of the last chunk that starts before end and can be
// read.
func (s *Store) lastPacked(ctx context.Context, tx *sql.Tx, series, end int64) ([]sample, error) {
	load, err := tx.PrepareContext(ctx, "SELECT samples FROM data WHERE id = $1")
	if err != nil {
		return nil, err
	}
	defer load.Close() //nolint:errcheck // the transaction ends anyway
	r := &chunkReader{load: load, series: series}
	for {
		c, err := scanChunk(tx.QueryRowContext(ctx,
			`SELECT `+chunkColumns+` FROM chunk WHERE series = $1 AND start < $2 ORDER BY start DESC LIMIT 1`, series, end))
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		samples, err := r.samples(ctx, nil, c.data)
		if !unreadable(err) {
			return samples, err
		}
		s.damage.chunk(series, c)
		end = c.start
	}
}

// sink takes what walk finds, in order of time. The samples are valid until it
// returns.
type sink interface {
	summary(c summary)
	samples(s []sample)
}

// walk gives the samples of a series in [from, to) to the sink. A chunk that lies
// wholly inside, has no newer sample between its own and is whole goes there as
// its summary.
func (s *Store) walk(ctx context.Context, key seriesKey, from, to int64, whole func(chunkRow) bool, out sink) error {
	series, ok := s.head.series(key)
	if !ok || from >= to {
		return nil
	}
	fresh := s.head.ordered(series, from, to) // before the chunks: what is packed in between is then seen twice, not never
	tx, err := s.reader().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it only read
	chunks, err := overlapping(ctx, tx, series, from, to)
	if err != nil {
		return err
	}
	load, err := tx.PrepareContext(ctx, "SELECT samples FROM data WHERE id = $1")
	if err != nil {
		return err
	}
	defer load.Close() //nolint:errcheck // the transaction ends anyway
	r := &chunkReader{load: load, series: series}
	if chunks, err = s.mended(ctx, r, chunks); err != nil {
		return err
	}
	var buffer []sample
	for _, c := range chunks {
		fresh = pour(fresh, c.start, out)
		inside := between(fresh, c.start, c.end+1)
		fresh = fresh[len(inside):]
		if len(inside) == 0 && c.start >= from && c.end < to && whole(c) {
			out.summary(c.summary)
			continue
		}
		if buffer, err = r.samples(ctx, buffer[:0], c.data); unreadable(err) {
			s.damage.chunk(series, c)
			buffer = buffer[:0]
		} else if err != nil {
			return err
		}
		all := buffer
		if len(inside) > 0 {
			all = merge(buffer, inside)
		}
		out.samples(between(all, from, to))
	}
	out.samples(fresh)
	return nil
}

// pour gives the samples before end to the sink and returns the others.
func pour(samples []sample, end int64, out sink) []sample {
	before := between(samples, math.MinInt64, end)
	out.samples(before)
	return samples[len(before):]
}

const chunkColumns = `start, "end", readings, count, sum, min, max, first, last, data, checksum`

// chunkRow is a chunk without its bytes.
type chunkRow struct {
	summary
	data     int64 // id of the bytes
	checksum int64
}

func scanChunk(row interface{ Scan(...any) error }) (c chunkRow, err error) {
	err = row.Scan(&c.start, &c.end, &c.readings, &c.Count, &c.Sum, &c.Min, &c.Max, &c.First, &c.Last, &c.data, &c.checksum)
	return c, err
}

// sum returns the checksum of a row: SQLite has none, and a turned bit would be a
// wrong chart.
func (c chunkRow) sum(series int64) int64 {
	b := make([]byte, 0, 11*8)
	for _, n := range []int64{series, c.start, c.end, int64(c.readings), int64(c.Count), c.data} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	for _, v := range []float64{c.Sum, c.Min, c.Max, c.First, c.Last} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return int64(crc32.Checksum(b, castagnoli))
}

func (c chunkRow) intact(series int64) bool { return c.checksum == c.sum(series) }

// overlapping returns the chunks that have to do with [from, to), in order.
func overlapping(ctx context.Context, tx *sql.Tx, series, from, to int64) (out []chunkRow, err error) {
	const query = `SELECT ` + chunkColumns + ` FROM chunk WHERE series = $1 AND start < $3 AND "end" >= $2
		AND start >= coalesce((SELECT max(start) FROM chunk WHERE series = $1 AND start <= $2), 0) ORDER BY start`
	err = each(ctx, tx, query, []any{series, from, to}, func(rows *sql.Rows) error {
		c, err := scanChunk(rows)
		out = append(out, c)
		return err
	})
	return out, err
}

// collector keeps every sample.
type collector struct{ kept []sample }

func (c *collector) samples(s []sample) { c.kept = append(c.kept, s...) }
func (c *collector) summary(summary)    {}

// folder adds samples and summaries up in buckets.
type folder struct {
	*history.Fold
	grid history.Grid
}

func (f folder) summary(c summary) { f.Stretch(c.start, c.end, c.Summary) }

// samples adds up those of one bucket before it is looked for.
func (f folder) samples(samples []sample) {
	for len(samples) > 0 {
		end := f.grid.Until(samples[0].t)
		var s history.Summary
		start, last, n := samples[0].t, samples[0].t, 0
		for ; n < len(samples) && (n == 0 || samples[n].t < end); n++ {
			if samples[n].quality == facility.Bad {
				continue
			}
			if s.Count == 0 {
				start = samples[n].t
			}
			last = samples[n].t
			s.Add(samples[n].value)
		}
		f.Stretch(start, last, s)
		samples = samples[n:]
	}
}
