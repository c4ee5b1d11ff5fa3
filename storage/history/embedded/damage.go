package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// damage is what was found that cannot be read: it is left out, counted and named,
// so that one turned bit costs a chunk and not the chart.
type damage struct {
	mu       sync.Mutex
	seen     map[[3]int64]bool // chunks
	readings uint64
	last     string
}

// chunk notes a chunk once.
func (d *damage) chunk(series int64, c chunkRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := [...]int64{c.data, c.start, c.checksum}
	if d.seen[key] {
		return
	}
	if d.seen == nil {
		d.seen = map[[3]int64]bool{}
	}
	d.seen[key] = true
	lost := 1 // at least
	if c.intact(series) {
		lost = c.readings
	}
	d.lost(lost, fmt.Errorf("a chunk of series %d from %s is damaged", series, time.UnixMilli(c.start).UTC().Format(time.RFC3339)))
}

// other notes readings that are lost for another reason.
func (d *damage) other(readings int, why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost(readings, why)
}

// say notes what costs no reading.
func (d *damage) say(what error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = what.Error()
}

func (d *damage) lost(readings int, why error) {
	d.readings += uint64(readings)
	d.last = fmt.Sprintf("%v; %d readings are lost in all", why, d.readings)
}

// found returns how many readings were found damaged, and of what the last ones.
func (d *damage) found() (readings uint64, last string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.readings, d.last
}

// unreadable is true of errors that say that the file is damaged where it was read.
func unreadable(err error) bool {
	if errors.Is(err, errChunk) || errors.Is(err, errLog) || errors.Is(err, sql.ErrNoRows) {
		return true
	}
	return corrupt(err)
}

// corrupt is true of errors by which SQLite says that the file is damaged.
func corrupt(err error) bool {
	var s *sqlite.Error
	return errors.Is(err, errHead) || errors.As(err, &s) && (s.Code()&0xff == sqlite3.SQLITE_CORRUPT || s.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// chunkReader reads the bytes of chunks in one transaction.
type chunkReader struct {
	load   *sql.Stmt
	series int64
	decoder
}

// samples appends those of a chunk to out.
func (r *chunkReader) samples(ctx context.Context, out []sample, id int64) ([]sample, error) {
	var data []byte
	if err := r.load.QueryRowContext(ctx, id).Scan(&data); err != nil {
		return out, err
	}
	return r.decode(out, r.series, data)
}

// mended returns the chunks with the summary of those made anew whose row is not
// intact, and without those that cannot be read.
func (s *Store) mended(ctx context.Context, r *chunkReader, chunks []chunkRow) ([]chunkRow, error) {
	wrong := func(c chunkRow) bool { return !c.intact(r.series) }
	if !slices.ContainsFunc(chunks, wrong) {
		return chunks, nil
	}
	var out []chunkRow
	for _, c := range chunks {
		if wrong(c) {
			samples, err := r.samples(ctx, nil, c.data)
			switch {
			case err == nil && len(samples) > 0:
				c.summary = summarise(samples)
			case err == nil || unreadable(err):
				s.damage.chunk(r.series, c)
				continue
			default:
				return nil, err
			}
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b chunkRow) int { return int(min(max(a.start-b.start, -1), 1)) })
	return out, nil
}
