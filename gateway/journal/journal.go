// Package journal is a durable, bounded, ordered log with named cursors: what
// stands between a fact and the disk, at the edge and at the hub. It never
// refuses to start because its file is damaged, and gives no number a second
// time for another record.
//
// It is built on SQLite in write-ahead mode. A record is a sequence number, the
// time of its arrival, the caller's bytes and a checksum of all three. Sequences
// have no holes but where records were lost.
package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"
)

// Errors that callers tell apart.
var (
	ErrFull   = errors.New("the journal is full")   // back off until a cursor has moved
	ErrClosed = errors.New("the journal is closed") // give up
	// ErrVolatile comes with records that were taken, and can be read, but are in
	// memory only as the disk refuses them. They are durable when Durable has
	// reached their sequences; a crash before loses them.
	ErrVolatile = errors.New("taken into memory only")
	// ErrReturned comes from Commit when the file, which could not be opened before,
	// came back with records that the cursor's owner has yet to read: Resume.
	ErrReturned = errors.New("older records came back")
)

const (
	defaultMaxBytes = 256 << 20
	// overhead is what a record costs in the file beside its body, roughly.
	overhead = 32
	// cursorDelay bounds how long a moved cursor stays in memory only.
	cursorDelay = 250 * time.Millisecond
	// defaultMemory bounds what Append may hold in memory ahead of the disk when
	// Sync is set, in bytes.
	defaultMemory = 8 << 20
)

// Options are what Open needs. The zero value is a journal of 256 MiB that
// refuses records when it is full and keeps everything, as it has no cursor.
type Options struct {
	MaxBytes int64         // of records with their overhead; 0 is 256 MiB
	Evict    bool          // when full, the oldest records go; otherwise Append fails with ErrFull
	Sync     time.Duration // 0: Append returns when durable; else the longest time that Append runs ahead of the disk
	Memory   int64         // bytes that are held in memory while the disk refuses; 0: none, and Append and Open fail; 8 MiB with Sync
	Cursors  []string      // a record is trimmed when all of these have passed it; with none, nothing is
	Logger   *slog.Logger
	Now      func() time.Time // nil is time.Now
	// Facts counts what a record holds, up to 2^31, for Books; nil counts each as one.
	Facts func(body []byte) int
}

// Record is one entry. Within an epoch Seq grows by one from record to record,
// but where records were lost.
type Record struct {
	Seq   uint64
	Epoch string    // of the run that the sequence belongs to
	At    time.Time // when it was appended, UTC
	Body  []byte
	Facts int64 // that it holds; 0 where an earlier version wrote it
}

func (r Record) size() int64 { return int64(len(r.Body)) + overhead }

// Mark is a number that is stored in the same transaction as records, under a
// key of the caller's: the high-water mark of a source. It only grows; 0 removes it.
// With Add it is one of Books.Counts, which grows by so much.
type Mark struct {
	Key string
	Seq uint64
	Add int64
}

// Stats is what the health page shows.
type Stats struct {
	Epoch     string
	First     uint64    // oldest record held; 0 when empty
	Last      uint64    // newest record that can be read; 0 before the first
	Bytes     int64     // in the file
	Records   int64     // in the file
	Oldest    time.Time // arrival of the oldest record; zero when empty
	Evicted   int64     // records that went unread because the journal was full, since Open
	Damaged   int64     // records that were lost to damage of the file, since Open
	Forgotten int64     // records that went unread because memory was full while the disk refused, since Open
	Vanished  int64     // records that were in memory only when the process before was killed, as far as the disk let it be noted
	Volatile  int64     // records that are in memory only
	Resets    int64     // times that a damaged file was set aside, since Open
	Trouble   string    // why the disk refuses; empty when it does not
	Cursors   map[string]uint64
	Books     Books
}

// Journal is safe for concurrent use.
type Journal struct {
	path string
	opts Options
	log  *slog.Logger

	// file serialises all use of the file. It is taken before mu.
	file   sync.Mutex
	f      *file    // nil while it cannot be opened
	saving *salvage // nil without a damaged file

	mu         sync.Mutex
	note       note
	pending    []*request // not yet tried
	shown      []*request // in memory only: the disk refused them
	shownBytes int64
	held       int64  // bytes of pending and shown
	assigned   uint64 // the last number that was given
	opened     uint64 // the last that was given when it was opened
	durable    uint64 // the newest in the file
	newest     uint64 // the newest record that there is; 0 without any
	frontier   uint64 // the newest that was saved of a damaged file
	gone       uint64 // up to here records were trimmed or evicted
	verified   uint64 // up to here holes were counted
	recent     recent
	runs       runs
	// runsChanged counts the changes of runs, runsWritten is how many are in the file.
	runsChanged, runsWritten int

	facts  int64 // in the file
	books  books
	booked bool             // the file says that it is open
	counts map[string]int64 // of the caller's
	told   map[string]bool  // those that are not yet in the file

	returned map[string]bool // cursors whose owners must go back, and have yet to do so
	volatile bool            // the newest run is of records that the disk refused
	saves    bool            // a damaged file is being saved
	st       Stats
	marks    map[string]uint64
	moved    map[string]uint64 // cursors that are not yet in the file
	grown    chan struct{}     // closed and replaced when Last or Durable grows
	closed   bool
	ended    bool
	broken   error // why the last commit failed

	wake    chan struct{}
	done    chan struct{} // of commits
	stop    chan struct{} // for workers
	workers sync.WaitGroup
}

type request struct {
	recs    []Record
	marks   []Mark
	size    int64
	done    chan error // nil: nobody waits
	taken   bool
	dropped bool // no longer among shown
}

func (r *request) last() uint64 {
	if len(r.recs) == 0 {
		return 0
	}
	return r.recs[len(r.recs)-1].Seq
}

// Open opens the journal in the file path, or begins it. A file that is damaged
// is set aside as "path.damaged-TIME"; what can still be read of it moves into
// the new one, and what comes then is of a new epoch. Where the file cannot be
// made or written, the journal works from memory if Options.Memory allows, reads
// the file if it can, and tries again. Open fails when the file belongs to another
// process.
func Open(path string, opts Options) (*Journal, error) {
	opts.MaxBytes = cmp.Or(opts.MaxBytes, defaultMaxBytes)
	if opts.Sync > 0 {
		opts.Memory = cmp.Or(opts.Memory, defaultMemory)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	j := &Journal{
		path:     path,
		opts:     opts,
		log:      opts.Logger.With("journal", path),
		marks:    map[string]uint64{},
		moved:    map[string]uint64{},
		counts:   map[string]int64{},
		told:     map[string]bool{},
		returned: map[string]bool{},
		grown:    make(chan struct{}),
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		stop:     make(chan struct{}),
	}
	j.st.Cursors = map[string]uint64{}
	if err := j.begin(); err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	j.beginNote()
	go j.commits()
	return j, nil
}

// begin opens the file, or works without it.
func (j *Journal) begin() error {
	f, s, v, err := j.openOrReplace()
	if err == nil {
		j.use(f, s, v)
		j.books = s.books.opened(j.opts.Now())
		j.opened = j.assigned
		if err := j.save(time.Now().Add(salvageTime)); err != nil {
			j.log.Warn("cannot save all that is intact of the damaged file yet", "error", err)
		}
		j.background()
		return nil
	}
	if taken(err) || j.opts.Memory == 0 {
		return err
	}
	if j.beginReadOnly(err) {
		return nil
	}
	life, lifeErr := newLife()
	if lifeErr != nil {
		return errors.Join(err, lifeErr)
	}
	// Numbers beyond any that the file may hold.
	j.assigned = uint64(j.opts.Now().UnixMicro())
	j.opened = j.assigned
	j.setRuns(runs{{j.assigned + 1, life}})
	j.volatile = true
	for _, name := range j.opts.Cursors {
		j.st.Cursors[name] = 0
	}
	j.books = books{}.opened(j.opts.Now())
	j.trouble(err)
	return nil
}

// beginReadOnly reads the file that cannot be written because of the cause, and
// reports whether it can.
func (j *Journal) beginReadOnly(cause error) bool {
	f, s, err := openReadOnly(j.path)
	if err != nil {
		return false
	}
	j.use(f, s, nil)
	j.books = s.books.opened(j.opts.Now())
	j.opened = j.assigned
	j.trouble(cause)
	return true
}

func (j *Journal) openOrReplace() (*file, state, *salvage, error) {
	f, s, err := openFile(j.path)
	if err == nil {
		return f, s, j.resume(s), nil
	}
	if damaged(err) {
		return j.setAside(err)
	}
	return nil, state{}, nil, err
}

// use takes over a freshly opened file.
func (j *Journal) use(f *file, s state, v *salvage) {
	j.f, j.saving = f, v
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, name := range j.opts.Cursors {
		if _, ok := s.cursors[name]; !ok {
			s.cursors[name] = 0
		}
	}
	j.st.Bytes, j.st.Records = s.held.bytes, s.held.records
	j.st.Last, j.durable = max(j.st.Last, s.last), max(j.durable, s.last)
	j.facts = s.held.facts
	j.st.Cursors, j.marks, j.counts = s.cursors, s.marks, s.counts
	j.assigned = max(j.assigned, s.last)
	j.setRuns(s.runs)
	j.recent.clear()
	j.runsWritten = j.runsChanged
	j.newest, j.gone = max(s.newest, j.newestShown()), 0
	if j.saves = v != nil; j.saves {
		j.frontier = v.upTo
		j.verified = max(j.verified, v.before-1) // the salvage counts its losses itself
	}
	if v != nil && v.upTo == 0 {
		j.st.Resets++
	}
}

// background goes on with the salvage.
func (j *Journal) background() {
	if j.saving != nil {
		j.workers.Go(j.salvages)
	}
}

// Append adds the records in order and returns the sequence of the last one. It
// returns when they are durable; concurrent calls share one write to the disk.
// With Options.Sync it returns earlier, with the sequence that is expected, and
// the records can be read when they are durable. The bodies must not be changed
// afterwards.
//
// ErrFull means that nothing was taken, ErrVolatile that all was, but the disk
// refuses it. When ctx ends before the write has begun, nothing was taken either.
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
	if errors.Is(err, ErrFull) && j.makeRoom(ctx) {
		r, last, err = j.enqueue(marks, records)
	}
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
	switch {
	case err == nil:
		return r.last(), nil
	case errors.Is(err, ErrVolatile):
		return r.last(), fmt.Errorf("append to journal %s: %w", j.path, err)
	default:
		return 0, fmt.Errorf("append to journal %s: %w", j.path, err)
	}
}

func (j *Journal) enqueue(marks []Mark, records [][]byte) (r *request, expected uint64, err error) {
	r = &request{marks: marks, recs: make([]Record, len(records))}
	for i, b := range records {
		r.recs[i].Body, r.recs[i].Facts = b, 1
		if j.opts.Facts != nil {
			r.recs[i].Facts = int64(min(max(0, j.opts.Facts(b)), math.MaxInt32))
		}
		r.size += r.recs[i].size()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	ahead := j.opts.Sync > 0 && len(marks) == 0
	waiting := j.held - j.shownBytes
	switch {
	case j.closed:
		return nil, 0, ErrClosed
	case r.size > j.opts.MaxBytes,
		!j.opts.Evict && r.size > 0 && j.st.Bytes+j.held+r.size > j.opts.MaxBytes:
		return nil, 0, ErrFull
	case ahead && waiting > 0 && waiting+r.size > j.opts.Memory,
		ahead && !j.opts.Evict && j.broken != nil && j.held+r.size > j.opts.Memory:
		return nil, 0, cmp.Or(j.broken, ErrFull)
	}
	at := j.opts.Now().UTC()
	for i := range r.recs {
		r.recs[i].At = at
	}
	if !ahead {
		r.done = make(chan error, 1)
	}
	j.pending = append(j.pending, r)
	j.held += r.size
	expected = j.assigned
	for _, p := range j.pending {
		expected += uint64(len(p.recs))
	}
	j.poke()
	return r, expected, nil
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
	case j.returned[cursor]:
		return fmt.Errorf("journal %s: cursor %q: %w", j.path, cursor, ErrReturned)
	case seq > j.st.Last:
		return fmt.Errorf("journal %s: cursor %q to %d: the last record is %d", j.path, cursor, seq, j.st.Last)
	case seq > was:
		j.st.Cursors[cursor] = seq
		j.moved[cursor] = seq
		j.dropPassed()
		if j.volatile {
			j.noteDown()
		}
		j.recent.forget(j.passed())
		j.poke()
	}
	return nil
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
	close(j.stop)
	j.workers.Wait()

	j.file.Lock()
	defer j.file.Unlock()
	j.mu.Lock()
	j.ended = true
	lost, broken := 0, j.broken
	for _, r := range append(j.shown, j.pending...) {
		lost += len(r.recs)
	}
	close(j.grown)
	j.mu.Unlock()
	var err error
	if j.f != nil {
		err = errors.Join(j.sign(), j.f.close())
		j.f = nil
	}
	if j.saving != nil {
		err = errors.Join(err, j.saving.close())
	}
	err = errors.Join(err, j.note.close())
	if lost > 0 {
		j.log.Error("RECORDS ARE LOST that the disk has refused to the end", "records", lost, "error", broken)
		err = errors.Join(fmt.Errorf("%d records could not be written: %w", lost, broken), err)
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
