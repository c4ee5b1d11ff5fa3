// Package journal is a durable, bounded, ordered log with named cursors: what
// stands between a fact and the disk, at the edge and at the hub. It never
// returns a record that would not survive a power cut, and it never refuses to
// start because its file is damaged.
//
// It is built on SQLite in write-ahead mode. A record is a sequence number, the
// time of its arrival, the caller's bytes and a checksum of all three.
package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Errors that callers tell apart.
var (
	ErrFull   = errors.New("the journal is full")   // back off until a cursor has moved
	ErrClosed = errors.New("the journal is closed") // give up
)

const (
	defaultMaxBytes = 256 << 20
	// overhead is what a record costs in the file beside its body, roughly.
	overhead = 32
	// cursorDelay bounds how long a moved cursor stays in memory only.
	cursorDelay = 250 * time.Millisecond
	// maxPending bounds what Append may hold in memory ahead of the disk when
	// Sync is set, in bytes.
	maxPending = 8 << 20
)

// Options are what Open needs. The zero value is a journal of 256 MiB that
// refuses records when it is full and keeps everything, as it has no cursor.
type Options struct {
	MaxBytes int64         // of records with their overhead; 0 is 256 MiB
	Evict    bool          // when full, the oldest records go; otherwise Append fails with ErrFull
	Sync     time.Duration // 0: Append returns when durable; else the longest time that Append runs ahead of the disk
	Cursors  []string      // a record is trimmed when all of these have passed it; with none, nothing is
	Logger   *slog.Logger
	Now      func() time.Time // nil is time.Now
}

// Record is one entry. Seq grows by at least one from record to record.
type Record struct {
	Seq  uint64
	At   time.Time // when it was appended, UTC
	Body []byte
}

// Mark is a number that is stored in the same transaction as records, under a
// key of the caller's: the high-water mark of a source. It only grows; 0 removes it.
type Mark struct {
	Key string
	Seq uint64
}

// Stats is what the health page shows.
type Stats struct {
	Epoch   string
	First   uint64 // oldest record held; 0 when empty
	Last    uint64 // newest record that is durable; 0 before the first
	Bytes   int64
	Records int64
	Oldest  time.Time // arrival of the oldest record; zero when empty
	Evicted int64     // records that went unread because the journal was full, since Open
	Damaged int64     // records that were lost to damage of the file, since Open
	Resets  int64     // times that a damaged file was set aside, since Open
	Cursors map[string]uint64
}

// Journal is safe for concurrent use.
type Journal struct {
	path string
	opts Options
	log  *slog.Logger

	// file serialises all use of the file. It is taken before mu.
	file sync.Mutex
	f    *file

	mu       sync.Mutex
	pending  []*request
	held     int64 // bytes of pending
	assigned uint64
	st       Stats
	newest   uint64 // sequence of the newest record that can be read; 0 without any
	marks    map[string]uint64
	moved    map[string]uint64 // cursors that are not yet in the file
	grown    chan struct{}     // closed and replaced when Last grows
	closed   bool
	broken   error // why the last commit failed; a journal with Sync tells the next Append

	wake chan struct{}
	done chan struct{}
}

type request struct {
	recs  []Record
	marks []Mark
	size  int64
	done  chan error // nil: nobody waits
	taken bool
}

// Open opens the journal in the file path, or begins it. A file that is damaged
// is set aside as "path.damaged-TIME"; what can still be read of it moves into
// the new one, which has a new epoch. Open fails when the file belongs to
// another process or cannot be made at all.
func Open(path string, opts Options) (*Journal, error) {
	opts.MaxBytes = cmp.Or(opts.MaxBytes, defaultMaxBytes)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	j := &Journal{
		path:  path,
		opts:  opts,
		log:   opts.Logger.With("journal", path),
		moved: map[string]uint64{},
		grown: make(chan struct{}),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
	f, state, err := openFile(path)
	if damaged(err) {
		f, state, err = j.setAside(err)
	}
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	j.use(f, state)
	go j.commits()
	return j, nil
}

// use takes over a freshly opened file.
func (j *Journal) use(f *file, s state) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.f = f
	for _, name := range j.opts.Cursors {
		if _, ok := s.cursors[name]; !ok {
			s.cursors[name] = 0
		}
	}
	j.st.Epoch, j.st.Bytes, j.st.Records, j.newest = s.epoch, s.bytes, s.records, s.newest
	j.st.Last = max(j.st.Last, s.last)
	j.st.Cursors, j.marks = s.cursors, s.marks
	j.assigned = max(j.assigned, s.last)
}

// Epoch names the life of the sequence numbers. It changes when numbers may be
// used for a second time: when a damaged file was replaced, or after Renew.
func (j *Journal) Epoch() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.Epoch
}

// Append adds the records in order and returns the sequence of the last one. It
// returns when they are durable; concurrent calls share one write to the disk.
// With Options.Sync it may return earlier, but the records can be read only when
// they are durable. The bodies must not be changed afterwards.
//
// ErrFull means that nothing was taken. When ctx ends before the write has
// begun, nothing was taken either.
func (j *Journal) Append(ctx context.Context, records ...[]byte) (last uint64, err error) {
	return j.AppendMarked(ctx, nil, records...)
}

// AppendMarked is Append with marks in the same transaction. Records may be
// empty; with marks Append always waits for the disk.
func (j *Journal) AppendMarked(ctx context.Context, marks []Mark, records ...[]byte) (last uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	r, last, err := j.enqueue(marks, records)
	if err != nil || r.done == nil {
		return last, err
	}
	select {
	case err = <-r.done:
	case <-ctx.Done():
		if j.withdraw(r) {
			return 0, ctx.Err()
		}
		err = <-r.done
	}
	if err != nil {
		return 0, fmt.Errorf("append to journal %s: %w", j.path, err)
	}
	return last, nil
}

func (j *Journal) enqueue(marks []Mark, records [][]byte) (*request, uint64, error) {
	r := &request{marks: marks, recs: make([]Record, len(records))}
	for _, b := range records {
		r.size += int64(len(b)) + overhead
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	ahead := j.opts.Sync > 0 && len(marks) == 0
	switch {
	case j.closed:
		return nil, 0, ErrClosed
	case r.size > j.opts.MaxBytes,
		!j.opts.Evict && r.size > 0 && j.st.Bytes+j.held+r.size > j.opts.MaxBytes:
		return nil, 0, ErrFull
	case ahead && j.held > 0 && j.held+r.size > maxPending:
		return nil, 0, cmp.Or(j.broken, ErrFull)
	}
	at := j.opts.Now().UTC()
	for i, b := range records {
		j.assigned++
		r.recs[i] = Record{Seq: j.assigned, At: at, Body: b}
	}
	if !ahead {
		r.done = make(chan error, 1)
	}
	j.pending = append(j.pending, r)
	j.held += r.size
	j.poke()
	return r, j.assigned, nil
}

// withdraw removes a request that no commit has taken yet.
func (j *Journal) withdraw(r *request) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r.taken {
		return false
	}
	for i, p := range j.pending {
		if p == r {
			j.pending = append(j.pending[:i:i], j.pending[i+1:]...)
			j.held -= r.size
			return true
		}
	}
	return false
}

// Commit says that the cursor's owner has dealt with everything up to seq, and
// trims what all cursors have passed. It reaches the disk with the next records,
// or 250 ms later, so after a crash an owner may see its last records again.
func (j *Journal) Commit(cursor string, seq uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	was, ok := j.st.Cursors[cursor]
	switch {
	case j.closed:
		return ErrClosed
	case !ok:
		return fmt.Errorf("journal %s: no cursor %q", j.path, cursor)
	case seq > j.st.Last:
		return fmt.Errorf("journal %s: cursor %q to %d: the last record is %d", j.path, cursor, seq, j.st.Last)
	case seq > was:
		j.st.Cursors[cursor] = seq
		j.moved[cursor] = seq
		j.poke()
	}
	return nil
}

// Cursor returns how far the cursor's owner has come; 0 is nowhere.
func (j *Journal) Cursor(cursor string) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.Cursors[cursor]
}

// Marks returns all marks.
func (j *Journal) Marks() map[string]uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.marks)
}

// Wait returns when there is a durable record after the sequence, or ctx ends.
// Records that are gone again, trimmed or damaged, are not waited for.
func (j *Journal) Wait(ctx context.Context, after uint64) error {
	for {
		j.mu.Lock()
		newest, grown, closed := j.newest, j.grown, j.closed
		j.mu.Unlock()
		switch {
		case newest > after:
			return nil
		case closed:
			return ErrClosed
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Holds reports whether there is a durable record after the sequence, which is
// when Wait returns at once.
func (j *Journal) Holds(after uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.newest > after
}

// Grown returns a channel that is closed when there are new durable records or
// the journal is closed, for those who wait for other things at the same time.
func (j *Journal) Grown() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.grown
}

// Last returns the newest durable sequence; 0 before the first.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.Last
}

// Fill returns how full the journal is, from 0 to 1.
func (j *Journal) Fill() float64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return float64(j.st.Bytes+j.held) / float64(j.opts.MaxBytes)
}

// Closed reports whether Close was called.
func (j *Journal) Closed() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}

// Stats returns the present figures.
func (j *Journal) Stats() Stats {
	j.file.Lock()
	defer j.file.Unlock()
	first, at, err := j.f.oldest()
	if err != nil {
		j.log.Warn("cannot read the oldest record", "error", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.st
	s.First, s.Oldest = first, at
	s.Cursors = maps.Clone(s.Cursors)
	return s
}

// Close writes what is pending and closes the file.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		<-j.done
		return nil
	}
	j.closed = true
	j.poke()
	j.mu.Unlock()
	<-j.done

	j.file.Lock()
	defer j.file.Unlock()
	j.mu.Lock()
	lost := len(j.pending)
	broken := j.broken
	j.mu.Unlock()
	err := j.f.close()
	close(j.grown)
	if lost > 0 {
		err = errors.Join(fmt.Errorf("%d appends could not be written: %w", lost, broken), err)
	}
	if err != nil {
		return fmt.Errorf("close journal %s: %w", j.path, err)
	}
	return nil
}

// poke wakes the committing goroutine.
func (j *Journal) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}
