package journal

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

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

// taken reports whether the error means that another process has the file.
func taken(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// file is the SQLite side. It is not safe for concurrent use.
type file struct {
	path     string
	db       *sql.DB
	conn     *sql.Conn
	readOnly bool // nothing can be written
}

// tally counts records, their bytes and the facts in them.
type tally struct{ records, bytes, facts int64 }

func (t tally) plus(o tally) tally {
	return tally{t.records + o.records, t.bytes + o.bytes, t.facts + o.facts}
}

func (t tally) minus(o tally) tally {
	return tally{t.records - o.records, t.bytes - o.bytes, t.facts - o.facts}
}

// work is the content of one transaction.
type work struct {
	requests []*request
	marks    []Mark // as they are to stand
	counts   map[string]int64
	cursors  map[string]uint64
	runs     runs   // nil when the file has them
	trim     uint64 // records up to here go
	evict    bool
	maxBytes int64
	held     tally // in the file before
	last     uint64
	books    books // as they stand when all requests are written
}

// written is what a transaction changed.
type written struct {
	trimmed, evicted tally
	held             tally  // in the file after
	gone             uint64 // records up to here were trimmed or evicted
	lost             int64  // facts that should have been among the trimmed
}

func (f *file) write(w work) (out written, err error) {
	err = f.transact(func() error {
		out, err = f.writeAll(w)
		return err
	})
	if err == nil && out.trimmed.records+out.evicted.records > 0 {
		f.shrink()
	}
	return out, err
}

func (f *file) writeAll(w work) (out written, err error) {
	out.held = w.held
	if out.held, err = f.insertAll(w.requests, out.held); err != nil {
		return out, err
	}
	for _, m := range w.marks {
		if err := f.mark(m); err != nil {
			return out, err
		}
	}
	for name, n := range w.counts {
		if err := f.put("count", name, uint64(n)); err != nil {
			return out, err
		}
	}
	for name, seq := range w.cursors {
		if err := f.put("cursor", name, seq); err != nil {
			return out, err
		}
	}
	if w.runs != nil {
		if err := f.putRuns(w.runs); err != nil {
			return out, err
		}
	}
	if len(w.cursors) > 0 {
		if out.trimmed, err = f.trim(w.trim); err != nil {
			return out, err
		}
		out.gone = w.trim
		out.held = out.held.minus(out.trimmed)
		if w.trim >= w.last { // whatever was lost among them
			out.lost, out.held = out.held.facts, tally{}
		}
	}
	if over := out.held.bytes - w.maxBytes; w.evict && over > 0 {
		var upTo uint64
		if out.evicted, upTo, err = f.evict(over); err != nil {
			return out, err
		}
		out.gone = max(out.gone, upTo)
		out.held = out.held.minus(out.evicted)
	}
	w.books.evicted += out.evicted.facts
	w.books.damaged += out.lost
	return out, f.putHeld(out.held, w.last, w.books)
}

func (f *file) insertAll(requests []*request, held tally) (tally, error) {
	for _, r := range requests {
		for _, rec := range r.recs {
			if err := f.insert("INSERT", rec); err != nil {
				return held, err
			}
		}
		held = held.plus(tally{int64(len(r.recs)), r.size, r.facts()})
	}
	return held, nil
}

// transact carries out do, whole or not at all.
func (f *file) transact(do func() error) error {
	if err := f.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		err = f.exec("COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself; then this is refused.
		_ = f.exec("ROLLBACK")
		f.cutLog()
	}
	return err
}

func (f *file) insert(verb string, r Record) error {
	at := r.At.UnixNano()
	return f.exec(verb+" INTO records (seq, at, sum, body) VALUES (?, ?, ?, ?)",
		int64(r.Seq), at, recordSum(r.Seq, at, r.Facts, r.Body), r.Body)
}

func (f *file) mark(m Mark) error {
	if m.Seq == 0 {
		return f.exec("DELETE FROM state WHERE kind = 'mark' AND name = ?", m.Key)
	}
	return f.put("mark", m.Key, m.Seq)
}

// put stores a number.
func (f *file) put(kind, name string, n uint64) error {
	return f.putText(kind, name, strconv.FormatUint(n, 10))
}

func (f *file) putText(kind, name, value string) error {
	return f.exec("INSERT OR REPLACE INTO state (kind, name, value, sum) VALUES (?, ?, ?, ?)",
		kind, name, value, int64(stateSum(kind, name, value)))
}

// putHeld stores what would else have to be counted at each start, and what cannot be
// counted any more.
func (f *file) putHeld(t tally, last uint64, b books) error {
	return f.putText("held", "", fmt.Sprintf("%d %d %d %d %s", t.records, t.bytes, last, t.facts, b))
}

// putRuns replaces the runs. The first of all has no name, whatever it begins at.
func (f *file) putRuns(rs runs) error {
	if err := f.exec("DELETE FROM state WHERE kind = 'epoch'"); err != nil {
		return err
	}
	for _, r := range rs {
		name := ""
		if r.first > 1 {
			name = strconv.FormatUint(r.first, 10)
		}
		if err := f.putText("epoch", name, r.epoch); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) trim(upTo uint64) (tally, error) {
	var t tally
	err := f.row("SELECT count(*), coalesce(sum(length(body) + ?), 0), coalesce(sum(sum >> 32), 0) FROM records WHERE seq <= ?", overhead, int64(upTo)).
		Scan(&t.records, &t.bytes, &t.facts)
	if err != nil || t.records == 0 {
		return t, err
	}
	return t, f.exec("DELETE FROM records WHERE seq <= ?", int64(upTo))
}

// evict removes the oldest records until so many bytes are gone, but never the
// newest one. It returns the last that went.
func (f *file) evict(bytes int64) (t tally, upTo uint64, err error) {
	newest, err := f.newest()
	if err != nil {
		return t, 0, err
	}
	if upTo, err = f.oldestOf(bytes, newest); err != nil || upTo == 0 {
		return t, 0, err
	}
	t, err = f.trim(upTo)
	return t, upTo, err
}

// oldestOf returns the end of the oldest stretch of so many bytes; it looks at no
// more than these.
func (f *file) oldestOf(bytes int64, newest uint64) (upTo uint64, err error) {
	rows, err := f.conn.QueryContext(context.Background(), "SELECT seq, length(body) + ? FROM records ORDER BY seq", overhead)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for bytes > 0 && rows.Next() {
		var seq, size int64
		if err := rows.Scan(&seq, &size); err != nil {
			return 0, err
		}
		if uint64(seq) >= newest {
			break
		}
		upTo = uint64(seq)
		bytes -= size
	}
	return upTo, rows.Err()
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

// read returns records in order while they fit, and the sequences of those that
// have a wrong checksum. Sequences that go back were never written so.
func (f *file) read(after, upTo uint64, maxBytes int) (recs []Record, bad []uint64, err error) {
	rows, err := f.conn.QueryContext(context.Background(),
		"SELECT seq, at, sum, body FROM records WHERE seq > ? AND seq <= ? ORDER BY seq", int64(after), int64(upTo))
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	size := 0
	for rows.Next() {
		r, ok, err := scanRecord(rows)
		if err != nil {
			return recs, bad, err
		}
		if r.Seq <= after {
			return recs, bad, fmt.Errorf("%w: record %d comes after %d", errDamaged, r.Seq, after)
		}
		after = r.Seq
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
		return r, false, fmt.Errorf("%w: %w", errDamaged, err) // a value of a kind that was never written
	}
	r.Seq, r.At, r.Facts = uint64(seq), time.Unix(0, at).UTC(), int64(uint64(sum)>>32)
	return r, sum == recordSum(r.Seq, at, r.Facts, r.Body), nil
}

func (f *file) remove(seqs []uint64) (t tally, err error) {
	for _, seq := range seqs {
		one := tally{records: 1}
		if err := f.row("SELECT length(body) + ?, sum >> 32 FROM records WHERE seq = ?", overhead, int64(seq)).Scan(&one.bytes, &one.facts); err != nil {
			return t, err
		}
		if err := f.exec("DELETE FROM records WHERE seq = ?", int64(seq)); err != nil {
			return t, err
		}
		t = t.plus(one)
	}
	return t, nil
}

// newest returns the sequence of the newest record; 0 without any.
func (f *file) newest() (seq uint64, err error) {
	err = f.row("SELECT coalesce(max(seq), 0) FROM records").Scan(&seq)
	return seq, err
}

func (f *file) oldest() (uint64, time.Time, error) {
	var seq, at int64
	err := f.row("SELECT seq, at FROM records ORDER BY seq LIMIT 1").Scan(&seq, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, time.Time{}, nil
	}
	return uint64(seq), time.Unix(0, at).UTC(), err
}

func (f *file) exec(query string, args ...any) error {
	_, err := f.conn.ExecContext(context.Background(), query, args...)
	return err
}

func (f *file) row(query string, args ...any) *sql.Row {
	return f.conn.QueryRowContext(context.Background(), query, args...)
}

func (f *file) close() error { return errors.Join(f.conn.Close(), f.db.Close()) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recordSum is what stands beside a record: the checksum of all of it, and above its 32
// bits how many facts it holds.
func recordSum(seq uint64, at, facts int64, body []byte) int64 {
	var head [24]byte
	binary.BigEndian.PutUint64(head[:], seq)
	binary.BigEndian.PutUint64(head[8:], uint64(at))
	binary.BigEndian.PutUint64(head[16:], uint64(facts))
	used := head[:]
	if facts == 0 { // as before facts were counted
		used = head[:16]
	}
	return facts<<32 | int64(crc32.Update(crc32.Checksum(used, castagnoli), castagnoli, body))
}

func stateSum(kind, name, value string) uint32 {
	return crc32.Checksum([]byte(kind+"\x00"+name+"\x00"+value), castagnoli)
}
