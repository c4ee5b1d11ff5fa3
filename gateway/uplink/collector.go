package uplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// Log is where a collector puts batches; a journal is one.
type Log interface {
	Append(ctx context.Context, records ...[]byte) (last uint64, err error)
}

var _ Log = (*journal.Journal)(nil)

// Reasons why a reading is dropped.
const (
	DropInvalid = "invalid" // it cannot be encoded
	DropFull    = "full"    // the journal takes no more
	DropDisk    = "disk"    // the journal cannot write
)

// CollectorOptions are what NewCollector needs.
type CollectorOptions struct {
	Urgent      Log
	Telemetry   Log
	StreamOf    func(facility.PointID) facility.Stream
	MaxAge      time.Duration // of a sample before its batch is closed; 0 is 200 ms
	MaxReadings int           // in a batch; 0 is 500
	Clock       Clock         // that the field's times are of; nil: they are right
	Logger      *slog.Logger
}

// CollectorStats counts readings and taps. Read is Journalled, Waiting and
// Dropped together.
type CollectorStats struct {
	Read       int64            `json:"read"`
	Journalled int64            `json:"journalled"`
	Waiting    int64            `json:"waiting"`
	Dropped    map[string]int64 `json:"dropped"`  // by reason
	Volatile   int64            `json:"volatile"` // of Journalled and Taps: in memory only when they were taken, as the disk refused
	Taps       int64            `json:"taps"`
	TapsFailed int64            `json:"taps_failed"` // told to whoever brought them
}

// Collector takes facts from the field into the journals: urgent ones at once,
// samples in batches. It is safe for concurrent use.
type Collector struct {
	o   CollectorOptions
	log *slog.Logger

	mu      sync.Mutex
	waiting []facility.Reading
	stats   CollectorStats
	urgent  trouble // in writing the urgent stream
	samples trouble // ... and the other
	invalid trouble // in what is brought
	filled  chan struct{}

	flushing sync.Mutex // keeps batches in order
}

// NewCollector returns a collector. Its Run must be running for samples to reach
// the journal in time.
func NewCollector(o CollectorOptions) *Collector {
	o.MaxAge = cmp.Or(o.MaxAge, 200*time.Millisecond)
	o.MaxReadings = cmp.Or(o.MaxReadings, 500)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Collector{
		o: o, log: o.Logger, filled: make(chan struct{}, 1),
		stats: CollectorStats{Dropped: map[string]int64{}},
	}
}

// Readings takes readings. Those of the urgent stream are durable when it
// returns nil, or in memory and on their way while the disk refuses them. On an error the urgent ones were not taken, and are counted as
// dropped; samples are never the reason of an error.
func (c *Collector) Readings(ctx context.Context, readings []facility.Reading) error {
	urgent, samples := c.split(readings)
	if len(samples) > 0 {
		c.addSamples(ctx, samples)
	}
	if len(urgent) == 0 {
		return nil
	}
	return c.write(ctx, c.o.Urgent, &c.urgent, urgent)
}

// split sorts readings by stream, without those that cannot be encoded.
func (c *Collector) split(readings []facility.Reading) (urgent, samples []facility.Reading) {
	var invalid int64
	var why error
	for _, r := range readings {
		if err := payload.CheckReading(r); err != nil {
			invalid++
			why = err
			continue
		}
		if c.o.StreamOf(r.Point) == facility.Urgent {
			urgent = append(urgent, r)
		} else {
			samples = append(samples, r)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Read += int64(len(readings))
	if invalid > 0 {
		c.stats.Dropped[DropInvalid] += invalid
		c.invalid.tell(c.log, "readings cannot be encoded", why)
		book(c.o.Telemetry, DropInvalid, invalid)
	}
	return urgent, samples
}

func (c *Collector) addSamples(ctx context.Context, samples []facility.Reading) {
	c.mu.Lock()
	first := len(c.waiting) == 0
	c.waiting = append(c.waiting, samples...)
	full := len(c.waiting) >= c.o.MaxReadings
	c.mu.Unlock()
	switch {
	case full: // in the field's own time: it must not outrun the disk
		c.Flush(ctx)
	case first:
		select {
		case c.filled <- struct{}{}:
		default:
		}
	}
}

// Run writes batches of samples when they are old enough, until ctx ends; then
// it writes the rest. Whoever brings readings must have stopped before.
func (c *Collector) Run(ctx context.Context) error {
	defer c.Flush(context.WithoutCancel(ctx))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.filled:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.o.MaxAge):
			c.Flush(ctx)
		}
	}
}

// Flush writes the samples that wait, now.
func (c *Collector) Flush(ctx context.Context) {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	c.mu.Lock()
	batch := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	if len(batch) > 0 {
		_ = c.write(context.WithoutCancel(ctx), c.o.Telemetry, &c.samples, batch) // counted and logged
	}
}

// write appends readings, all or none, and counts what became of them.
func (c *Collector) write(ctx context.Context, log Log, t *trouble, readings []facility.Reading) error {
	var records [][]byte
	for batch := range slices.Chunk(readings, c.o.MaxReadings) {
		record, err := stamped(c.o.Clock, batch)
		if err != nil {
			return fmt.Errorf("collect readings: %w", err) // split has let none of these pass
		}
		records = append(records, record)
	}
	_, err := log.Append(ctx, records...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.took(t, err, len(readings)) {
		c.stats.Journalled += int64(len(readings))
		return nil
	}
	reason := DropDisk
	if errors.Is(err, journal.ErrFull) {
		reason = DropFull
	}
	c.stats.Dropped[reason] += int64(len(readings))
	book(log, reason, int64(len(readings)))
	t.tell(c.log, "facts are not taken", err)
	return fmt.Errorf("collect %d readings: %w", len(readings), err)
}

// Refused is how the counts of an edge's journal begin that say what was never taken
// into it, by reason.
const Refused = "refused/"

// book has a journal keep in mind what was dropped before it.
func book(log Log, reason string, facts int64) {
	if j, ok := log.(interface{ Count(string, int64) }); ok {
		j.Count(Refused+reason, facts)
	}
}

// took reports whether facts were taken, and counts them if only into memory. The
// caller holds c.mu.
func (c *Collector) took(t *trouble, err error, facts int) bool {
	switch {
	case err == nil:
		t.over(c.log, "facts are taken to disk again")
	case errors.Is(err, journal.ErrVolatile):
		c.stats.Volatile += int64(facts)
		t.tell(c.log, "facts are taken into memory only", err)
	default:
		return false
	}
	return true
}

// Tap takes a tap; it is durable when Tap returns nil, or in memory and on its way
// while the disk refuses it. On an error it was not
// taken, and whoever brought it keeps it.
func (c *Collector) Tap(ctx context.Context, t facility.Tap) error {
	_, err := c.o.Urgent.Append(ctx, stampedTap(c.o.Clock, t))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.took(&c.urgent, err, 1) {
		c.stats.Taps++
		return nil
	}
	c.stats.TapsFailed++
	c.urgent.tell(c.log, "facts are not taken", err)
	return fmt.Errorf("collect tap %s: %w", t.ID, err)
}

// Stats returns the present figures.
func (c *Collector) Stats() CollectorStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Waiting = s.Read - s.Journalled
	s.Dropped = maps.Clone(s.Dropped)
	for _, n := range s.Dropped {
		s.Waiting -= n
	}
	return s
}

// trouble is logged when it changes, not each time.
type trouble struct{ said string }

func (t *trouble) tell(log *slog.Logger, what string, err error) {
	if s := err.Error(); s != t.said {
		t.said = s
		log.Error(what, "error", err)
	}
}

func (t *trouble) over(log *slog.Logger, what string) {
	if t.said != "" {
		t.said = ""
		log.Info(what)
	}
}
