package uplink

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// paper is a log in memory that may refuse.
type paper struct {
	mu      sync.Mutex
	records [][]byte
	err     error
	wrote   chan struct{}
}

func newPaper() *paper { return &paper{wrote: make(chan struct{}, 1000)} }

func (p *paper) Append(_ context.Context, records ...[]byte) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	p.records = append(p.records, records...)
	p.wrote <- struct{}{}
	return uint64(len(p.records)), nil
}

func (p *paper) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

// batches returns how many facts each record holds.
func (p *paper) batches(t *testing.T) (sizes []int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.records {
		_, readings, taps, err := payload.Decode(payload.Wrap(payload.Header{Site: "s", Gateway: "g", Stream: facility.Urgent, Epoch: "e", Seq: 1}, r))
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(readings)+len(taps))
	}
	return sizes
}

func streamOf(p facility.PointID) facility.Stream { return facility.Stream(p.Quantity) }

func readings(s facility.Stream, n int) []facility.Reading {
	out := make([]facility.Reading, n)
	for i := range out {
		out[i] = facility.Reading{Point: facility.PointID{Device: "d", Quantity: string(s)}, Time: t0, Value: float64(i), Quality: facility.Good}
	}
	return out
}

func balanced(t *testing.T, s CollectorStats) {
	t.Helper()
	sum := s.Journalled + s.Waiting
	for _, n := range s.Dropped {
		sum += n
	}
	if s.Read != sum || s.Waiting < 0 {
		t.Errorf("read is not journalled + waiting + dropped: %+v", s)
	}
}

func TestCollectorSplitsAndGroups(t *testing.T) {
	urgent, samples := newPaper(), newPaper()
	c := NewCollector(CollectorOptions{Urgent: urgent, Telemetry: samples, StreamOf: streamOf, MaxReadings: 100})
	ctx := t.Context()
	mixed := append(readings(facility.Telemetry, 60), readings(facility.Urgent, 3)...)
	if err := c.Readings(ctx, mixed); err != nil {
		t.Fatal(err)
	}
	if got := urgent.batches(t); len(got) != 1 || got[0] != 3 {
		t.Errorf("urgent batches %v, want one of 3, at once", got)
	}
	if got := samples.batches(t); len(got) != 0 {
		t.Errorf("sample batches %v, want none yet", got)
	}
	if s := c.Stats(); s.Waiting != 60 {
		t.Errorf("stats %+v", s)
	}
	for range 2 {
		if err := c.Readings(ctx, readings(facility.Telemetry, 60)); err != nil {
			t.Fatal(err)
		}
	}
	c.Flush(ctx)
	if got := samples.batches(t); len(got) != 3 || got[0] != 100 || got[1] != 20 || got[2] != 60 {
		t.Errorf("sample batches %v, want 100, 20, 60", got)
	}
	balanced(t, c.Stats())
}

func TestCollectorRunWritesOldSamplesAndTheRest(t *testing.T) {
	samples := newPaper()
	c := NewCollector(CollectorOptions{Urgent: newPaper(), Telemetry: samples, StreamOf: streamOf, MaxAge: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	for range 3 {
		if err := c.Readings(ctx, readings(facility.Telemetry, 2)); err != nil {
			t.Fatal(err)
		}
		<-samples.wrote
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := c.Stats(); s.Journalled != 6 || s.Waiting != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestCollectorCountsWhatItDrops(t *testing.T) {
	urgent, samples := newPaper(), newPaper()
	c := NewCollector(CollectorOptions{Urgent: urgent, Telemetry: samples, StreamOf: streamOf})
	ctx := t.Context()
	bad := readings(facility.Telemetry, 3)
	bad[1].Value = math.NaN()
	if err := c.Readings(ctx, bad); err != nil {
		t.Fatal(err)
	}
	samples.refuse(journal.ErrFull)
	c.Flush(ctx)
	disk := errors.New("input/output error")
	urgent.refuse(disk)
	if err := c.Readings(ctx, readings(facility.Urgent, 4)); !errors.Is(err, disk) {
		t.Errorf("error %v, want the disk's", err)
	}
	if err := c.Tap(ctx, facility.Tap{ID: "x"}); !errors.Is(err, disk) {
		t.Errorf("error %v, want the disk's", err)
	}
	s := c.Stats()
	if s.Dropped[DropInvalid] != 1 || s.Dropped[DropFull] != 2 || s.Dropped[DropDisk] != 4 || s.TapsFailed != 1 || s.Taps != 0 {
		t.Errorf("stats %+v", s)
	}
	balanced(t, s)
	urgent.refuse(nil)
	if err := c.Tap(ctx, facility.Tap{ID: "x"}); err != nil || c.Stats().Taps != 1 {
		t.Errorf("the tap was refused again: %v", err)
	}
}

func TestCollectorTellsATroubleOnce(t *testing.T) {
	urgent, samples := newPaper(), newPaper()
	var log bytes.Buffer
	c := NewCollector(CollectorOptions{
		Urgent: urgent, Telemetry: samples, StreamOf: streamOf, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	urgent.refuse(errors.New("no space left"))
	for range 5 { // samples still find room in what their journal had
		if err := c.Readings(t.Context(), append(readings(facility.Telemetry, 2), readings(facility.Urgent, 1)...)); err == nil {
			t.Fatal("what was not taken was confirmed")
		}
		c.Flush(t.Context())
	}
	urgent.refuse(nil)
	if err := c.Readings(t.Context(), readings(facility.Urgent, 1)); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"facts are not taken", "facts are taken to disk again"} {
		if n := strings.Count(log.String(), what); n != 1 {
			t.Errorf("%q is said %d times:\n%s", what, n, log.String())
		}
	}
	balanced(t, c.Stats())
}

func TestOptionsAreChecked(t *testing.T) {
	j, err := journal.Open(filepath.Join(t.TempDir(), "j"), journal.Options{Cursors: []string{Cursor}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	good := Options{Site: "s", Gateway: "g", Root: "r", URL: "tcp://x:1", Streams: map[facility.Stream]*journal.Journal{facility.Urgent: j}}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"site":    func(o *Options) { o.Site = "a/b" },
		"gateway": func(o *Options) { o.Gateway = "" },
		"root":    func(o *Options) { o.Root = "a/#" },
		"url":     func(o *Options) { o.URL = "http://x" },
		"streams": func(o *Options) { o.Streams = nil },
	} {
		bad := good
		change(&bad)
		if _, err := New(bad); err == nil {
			t.Errorf("a wrong %s was accepted", name)
		}
	}
}
