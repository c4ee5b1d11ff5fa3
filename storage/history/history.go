// Package history is the time series of one site: every reading that the hub
// took in, and what a point did over a stretch of time. It has two engines,
// embedded and influx, that give the same answers, as historytest proves; it must
// never judge or alter a reading.
package history

import (
	"context"
	"time"

	"gengfu/facility"
)

// Resolution is how finely the history tells times apart: event times are cut
// down to it. The fastest point is read once in many milliseconds, and a coarser
// time than the clock's nanoseconds is what makes series small on both engines.
const Resolution = time.Millisecond

// Lookback is how far before the time asked Latest looks for a reading.
const Lookback = 30 * 24 * time.Hour

// Row is a reading with what is kept beside it of its device.
type Row struct {
	facility.Reading
	Kind  string // of the device, the measurement
	Place string // id of its place, may be empty
}

// Store is the history of one site. Its methods may be called concurrently.
//
// A point has at one time (see Resolution) one row. Writing the row again changes
// nothing; a row with another value replaces it; a bad reading does not take away
// a value, and a good one does not take away the mark of an uncertain one. Rows
// may come in any order of time.
type Store interface {
	// Write stores the rows; when it returns nil they are durable. Other errors
	// than these are those of the context:
	//   - *TemporaryError: some or all rows may be missing; write them again later, all or those behind what it says is done.
	//   - *ConfigurationError: as above, but a person has to change something first.
	//   - *RejectedError: all rows but those in it are durable; they will never be taken.
	Write(ctx context.Context, rows []Row) error

	// Query returns the buckets of length step that start in [from, to), aligned
	// to from, in order and without those that have no value. Good and uncertain
	// readings count, bad ones have no value. The last bucket is whole, even where
	// it ends after to. It fails with facility.ErrInvalid when the step is not
	// positive or more than MaxBuckets fit in.
	Query(ctx context.Context, p facility.Point, kind string, from, to time.Time, step time.Duration) ([]facility.Bucket, error)

	// Readings returns what was written of the point in [from, to), in order, with
	// marks of bad and uncertain ones. It holds all in memory: ask for days, not years.
	Readings(ctx context.Context, p facility.Point, kind string, from, to time.Time) ([]facility.Reading, error)

	// Latest returns the last reading before the given time, good or bad, of every
	// point of the devices that has one within Lookback.
	Latest(ctx context.Context, devices []facility.Device, before time.Time) (map[facility.PointID]facility.Reading, error)

	// Rows returns what was written of the devices, of all when none is named, in
	// [from, to), in any order; their units, and with the embedded engine their
	// places, are empty. It fails with ErrTooMany when there are more than limit.
	Rows(ctx context.Context, devices []string, from, to time.Time, limit int) ([]Row, error)

	// Span returns the times of the first and the last row of the devices, of all
	// when none is named; zero without any.
	Span(ctx context.Context, devices []string) (first, last time.Time, err error)

	// Stats returns what the store did so far.
	Stats() Stats

	// Close ends the store; a running call may fail.
	Close() error
}

// Stats is what a store did since it was opened.
type Stats struct {
	Engine    string    // "embedded" or "influxdb"
	Stored    uint64    // readings that were made durable
	Rejected  uint64    // readings that were refused
	Damaged   uint64    // readings that were found damaged in what is stored, and left out
	Damage    string    // what was found last
	Failures  uint64    // calls of Write that stored less than all that is lawful
	LastWrite time.Time // of the last one that went well, zero for none
	Error     string    // of the last Write, else of upkeep; empty when they went well
}
