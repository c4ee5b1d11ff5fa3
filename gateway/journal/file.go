package journal

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"modernc.org/sqlite" // also registers the driver
	sqlite3 "modernc.org/sqlite/lib"
)

// The file has one connection, in exclusive mode: a second process cannot open
// it, and no shared memory can be damaged. FULL syncs the write-ahead log at
// each commit; without it a power cut could take back sequence numbers that the
// other end has already seen.
const pragmas = "?_pragma=busy_timeout(2000)" +
	"&_pragma=auto_vacuum(incremental)" +
	"&_pragma=locking_mode(exclusive)" +
	"&_pragma=journal_mode(wal)" +
	"&_pragma=synchronous(full)" +
	"&_pragma=journal_size_limit(4194304)" +
	"&_pragma=cache_size(-1024)"

const schema = `
CREATE TABLE IF NOT EXISTS records (
	seq  INTEGER PRIMARY KEY,
	at   INTEGER NOT NULL,
	sum  INTEGER NOT NULL,
	body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS state (
	kind  TEXT NOT NULL,
	name  TEXT NOT NULL,
	value TEXT NOT NULL,
	sum   INTEGER NOT NULL,
	PRIMARY KEY (kind, name)
) WITHOUT ROWID;`

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

// state is what a file says when it is opened.
type state struct {
	epoch   string
	cursors map[string]uint64
	marks   map[string]uint64
	last    uint64 // the greatest sequence that was ever used, as far as the file knows
	held    uint64 // that of the newest record; 0 without any
	records int64
	bytes   int64
}

func openFile(path string) (*file, state, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, state{}, err
	}
	f, err := connect(path)
	if err != nil {
		return nil, state{}, err
	}
	s, err := f.prepare()
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, state{}, errors.Join(err, f.close())
	}
	return f, s, nil
}

func connect(path string) (*file, error) {
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: url.PathEscape(path)}).String()+pragmas)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &file{db, conn}, nil
}

// prepare makes the tables or checks them, and loads what they say.
func (f *file) prepare() (state, error) {
	if err := f.exec(schema); err != nil {
		var e *sqlite.Error
		if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_ERROR {
			err = errors.Join(errDamaged, err) // tables of somebody else
		}
		return state{}, err
	}
	var verdict string
	if err := f.row("PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return state{}, err
	}
	if verdict != "ok" {
		return state{}, fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	s, bad, err := f.loadState()
	if err != nil {
		return state{}, err
	}
	if bad > 0 {
		return state{}, fmt.Errorf("%w: %d of its cursors and marks", errDamaged, bad)
	}
	if s.epoch == "" {
		if s.records > 0 {
			return state{}, fmt.Errorf("%w: it has no epoch", errDamaged)
		}
		s.epoch, err = f.renew()
	}
	return s, err
}

// loadState reads everything but the records. bad counts entries with a wrong
// checksum, which are left out.
func (f *file) loadState() (s state, bad int, err error) {
	s.cursors, s.marks = map[string]uint64{}, map[string]uint64{}
	rows, err := f.conn.QueryContext(context.Background(), "SELECT kind, name, value, sum FROM state")
	if err != nil {
		return s, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind, name, value string
		var sum uint32
		if err := rows.Scan(&kind, &name, &value, &sum); err != nil {
			return s, bad, err
		}
		n, numErr := strconv.ParseUint(value, 10, 64)
		switch {
		case sum != stateSum(kind, name, value):
			bad++
		case kind == "epoch":
			s.epoch = value
		case numErr != nil:
			bad++
		case kind == "cursor":
			s.cursors[name] = n
			s.last = max(s.last, n)
		case kind == "mark":
			s.marks[name] = n
		}
	}
	if err := rows.Err(); err != nil {
		return s, bad, err
	}
	err = f.row("SELECT coalesce(max(seq), 0), count(*), coalesce(sum(length(body) + ?), 0) FROM records", overhead).
		Scan(&s.held, &s.records, &s.bytes)
	s.last = max(s.last, s.held)
	return s, bad, err
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
			if err := f.put("mark", m.Key, m.Seq); err != nil {
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

// syncDir makes a new name in the folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
