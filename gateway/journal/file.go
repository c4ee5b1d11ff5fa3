package journal

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/google/uuid"
	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"
)

// freePages is how much emptiness the file may keep, in pages of 4 KiB, and how
// much of it is given back in one commit.
const freePages = 1024

// errDamaged says that a file holds something that was never written.
var errDamaged = errors.New("the file is damaged")

// damaged reports whether the error means that the file's content is wrong, as
// against a disk that is full, slow or gone.
func damaged(err error) bool {
	if errors.Is(err, errDamaged) {
		return true
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return e.Code() == sqlite3.SQLITE_IOERR_SHORT_READ
}

// file is the SQLite side. It is not safe for concurrent use.
type file struct {
	db   *sql.DB
	conn *sql.Conn
}

// tally counts records and their bytes.
type tally struct{ records, bytes int64 }

// written is what a transaction removed.
type written struct{ trimmed, evicted tally }

func (f *file) write(w work) (out written, err error) {
	if err := f.exec("BEGIN IMMEDIATE"); err != nil {
		return out, err
	}
	defer func() {
		if err != nil {
			// SQLite may have rolled back by itself; then this is refused.
			_ = f.exec("ROLLBACK")
		}
	}()
	var size int64
	for _, r := range w.requests {
		size += r.size
		for _, rec := range r.recs {
			if err := f.insert("INSERT", rec); err != nil {
				return out, err
			}
		}
		for _, m := range r.marks {
			if err := f.mark(m); err != nil {
				return out, err
			}
		}
	}
	for name, seq := range w.cursors {
		if err := f.put("cursor", name, seq); err != nil {
			return out, err
		}
	}
	if len(w.cursors) > 0 {
		if out.trimmed, err = f.trim(w.trim); err != nil {
			return out, err
		}
	}
	if over := w.bytes + size - out.trimmed.bytes - w.maxBytes; w.evict && over > 0 {
		if out.evicted, err = f.evict(over); err != nil {
			return out, err
		}
	}
	if err := f.exec("COMMIT"); err != nil {
		return out, err
	}
	if out.trimmed.records+out.evicted.records > 0 {
		f.shrink()
	}
	return out, nil
}

func (f *file) insert(verb string, r Record) error {
	at := r.At.UnixNano()
	return f.exec(verb+" INTO records (seq, at, sum, body) VALUES (?, ?, ?, ?)",
		int64(r.Seq), at, int64(recordSum(r.Seq, at, r.Body)), r.Body)
}

func (f *file) mark(m Mark) error {
	if m.Seq == 0 {
		return f.exec("DELETE FROM state WHERE kind = 'mark' AND name = ?", m.Key)
	}
	return f.put("mark", m.Key, m.Seq)
}

// put stores a number that only grows.
func (f *file) put(kind, name string, n uint64) error {
	value := strconv.FormatUint(n, 10)
	return f.exec("INSERT OR REPLACE INTO state (kind, name, value, sum) VALUES (?, ?, ?, ?)",
		kind, name, value, int64(stateSum(kind, name, value)))
}

func (f *file) trim(upTo uint64) (tally, error) {
	var t tally
	err := f.row("SELECT count(*), coalesce(sum(length(body) + ?), 0) FROM records WHERE seq <= ?", overhead, int64(upTo)).
		Scan(&t.records, &t.bytes)
	if err != nil || t.records == 0 {
		return t, err
	}
	return t, f.exec("DELETE FROM records WHERE seq <= ?", int64(upTo))
}

// evict removes the oldest records until so many bytes are gone, but never the
// newest one.
func (f *file) evict(bytes int64) (tally, error) {
	var upTo sql.NullInt64
	err := f.row(`SELECT min(seq) FROM (SELECT seq, sum(length(body) + ?) OVER (ORDER BY seq) AS total FROM records)
		WHERE total >= ? AND seq < (SELECT max(seq) FROM records)`, overhead, bytes).Scan(&upTo)
	if err != nil {
		return tally{}, err
	}
	return f.trim(uint64(upTo.Int64))
}

// shrink gives free pages back to the file system, some at a time. That it fails
// is no harm: the pages are used again.
func (f *file) shrink() {
	var free, all int
	if f.row("PRAGMA freelist_count").Scan(&free) != nil || f.row("PRAGMA page_count").Scan(&all) != nil {
		return
	}
	if free > freePages && free > all/2 {
		_ = f.exec("PRAGMA incremental_vacuum(" + strconv.Itoa(freePages) + ")")
	}
}

func (f *file) read(after uint64, maxBytes int) (recs []Record, bad []uint64, err error) {
	rows, err := f.conn.QueryContext(context.Background(),
		"SELECT seq, at, sum, body FROM records WHERE seq > ? ORDER BY seq", int64(after))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	size := 0
	for rows.Next() {
		r, ok, err := scanRecord(rows)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			bad = append(bad, r.Seq)
			continue
		}
		if size += len(r.Body); size > maxBytes && len(recs) > 0 {
			break
		}
		recs = append(recs, r)
	}
	return recs, bad, rows.Err()
}

// scanRecord reads one row; ok is false when its checksum is wrong.
func scanRecord(rows *sql.Rows) (r Record, ok bool, err error) {
	var seq, at, sum int64
	if err := rows.Scan(&seq, &at, &sum, &r.Body); err != nil {
		return r, false, err
	}
	r.Seq, r.At = uint64(seq), time.Unix(0, at).UTC()
	return r, sum == int64(recordSum(r.Seq, at, r.Body)), nil
}

func (f *file) remove(seqs []uint64) (t tally, err error) {
	for _, seq := range seqs {
		var size int64
		if err := f.row("SELECT length(body) + ? FROM records WHERE seq = ?", overhead, int64(seq)).Scan(&size); err != nil {
			return t, err
		}
		if err := f.exec("DELETE FROM records WHERE seq = ?", int64(seq)); err != nil {
			return t, err
		}
		t.records++
		t.bytes += size
	}
	return t, nil
}

// newest returns the sequence of the newest record; 0 without any.
func (f *file) newest() (seq uint64, err error) {
	err = f.row("SELECT coalesce(max(seq), 0) FROM records").Scan(&seq)
	return seq, err
}

func (f *file) oldest() (uint64, time.Time, error) {
	if f.closed() {
		return 0, time.Time{}, nil
	}
	var seq, at int64
	err := f.row("SELECT seq, at FROM records ORDER BY seq LIMIT 1").Scan(&seq, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, nil
	}
	return uint64(seq), time.Unix(0, at).UTC(), err
}

func (f *file) renew() (epoch string, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	epoch = id.String()
	return epoch, f.exec("INSERT OR REPLACE INTO state (kind, name, value, sum) VALUES ('epoch', '', ?, ?)",
		epoch, int64(stateSum("epoch", "", epoch)))
}

func (f *file) exec(query string, args ...any) error {
	_, err := f.conn.ExecContext(context.Background(), query, args...)
	return err
}

func (f *file) row(query string, args ...any) *sql.Row {
	return f.conn.QueryRowContext(context.Background(), query, args...)
}

func (f *file) closed() bool { return f.db == nil }

func (f *file) close() error {
	if f.closed() {
		return nil
	}
	err := errors.Join(f.conn.Close(), f.db.Close())
	f.db = nil
	return err
}

func recordSum(seq uint64, at int64, body []byte) uint32 {
	var head [16]byte
	binary.BigEndian.PutUint64(head[:], seq)
	binary.BigEndian.PutUint64(head[8:], uint64(at))
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(head[:], table), table, body)
}

func stateSum(kind, name, value string) uint32 {
	return crc32.Checksum([]byte(kind+"\x00"+name+"\x00"+value), crc32.MakeTable(crc32.Castagnoli))
}
