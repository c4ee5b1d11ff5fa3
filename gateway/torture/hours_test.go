package main

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gengfu/facility"
	"gengfu/facility/porttest"
	"gengfu/gateway/broker"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
)

// TestThreeDaysWithoutABroker: 72 hours of virtual time in which the broker cannot be
// reached, with readings of 20 points every minute and a tap every hour. Then it can,
// and the hub gets every fact once, with the time at which it was made.
func TestThreeDaysWithoutABroker(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	address := porttest.Address(t)
	dir := t.TempDir()
	var f numbering
	synctest.Test(t, func(t *testing.T) {
		f.base = time.Now()
		g := openGate(t, dir, address)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		g.start(t, ctx, &running)
		g.threeDays(t, ctx, f)
		stop()
		running.Wait()
	})
	// A socket that waits does so in real time, in which nobody can wait for days.
	post, err := broker.Embed(broker.EmbeddedOptions{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := post.Close(); err != nil {
			t.Error(err)
		}
	})
	hub := openJournal(t, filepath.Join(dir, "hub.db"), journal.Options{})
	in, err := intake.New(intake.Options{Root: "gengfu", Site: site, URL: post.URL(), Journal: hub})
	if err != nil {
		t.Fatal(err)
	}
	g := openGate(t, dir, address)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	g.start(t, ctx, &running)
	running.Go(func() {
		if err := in.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	a := &arrived{here: map[kind]map[int]bool{samples: {}, bits: {}, taps: {}}}
	for after := uint64(0); len(a.here[samples]) < points*minutes || len(a.here[taps]) < minutes/60; {
		after = readJournal(t, ctx, hub, f, a, after)
	}
	stop()
	running.Wait()
	if len(a.wrong)+len(a.doubled) > 0 || len(a.here[samples]) != points*minutes || len(a.here[taps]) != minutes/60 {
		t.Errorf("%d samples, %d taps, wrong: %q, doubled: %q", len(a.here[samples]), len(a.here[taps]), a.wrong, a.doubled)
	}
}

const points, minutes = 20, 72 * 60

// gate is an edge within the test's process.
type gate struct {
	collector *uplink.Collector
	uplink    *uplink.Uplink
}

func openGate(t *testing.T, dir, address string) gate {
	t.Helper()
	o := journal.Options{Cursors: []string{uplink.Cursor}, Memory: memory}
	urgent := openJournal(t, filepath.Join(dir, "urgent.db"), o)
	o.Evict, o.Sync = true, 200*time.Millisecond
	telemetry := openJournal(t, filepath.Join(dir, "telemetry.db"), o)
	up, err := uplink.New(uplink.Options{
		Site: site, Gateway: gateway, Root: "gengfu", URL: "tcp://" + address,
		Streams: map[facility.Stream]*journal.Journal{facility.Urgent: urgent, facility.Telemetry: telemetry},
	})
	if err != nil {
		t.Fatal(err)
	}
	return gate{uplink: up, collector: uplink.NewCollector(uplink.CollectorOptions{
		Urgent: urgent, Telemetry: telemetry, StreamOf: func(facility.PointID) facility.Stream { return facility.Telemetry },
	})}
}

func (g gate) start(t *testing.T, ctx context.Context, running *sync.WaitGroup) {
	for _, run := range []func(context.Context) error{g.collector.Run, g.uplink.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func (g gate) threeDays(t *testing.T, ctx context.Context, f numbering) {
	t.Helper()
	for minute := range minutes {
		readings := make([]facility.Reading, points)
		for i := range readings {
			readings[i] = f.sample(points*minute + i)
		}
		if err := g.collector.Readings(ctx, readings); err != nil {
			t.Fatal(err)
		}
		if minute%60 == 0 {
			if err := g.collector.Tap(ctx, f.tap(minute/60)); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Minute)
	}
	if s := g.collector.Stats(); s.Journalled != points*minutes || len(s.Dropped) > 0 {
		t.Fatalf("the journals hold %+v", s)
	}
}

func openJournal(t *testing.T, path string, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// readJournal reads what the hub has after the sequence, and waits until that is
// something.
func readJournal(t *testing.T, ctx context.Context, hub *journal.Journal, f numbering, a *arrived, after uint64) uint64 {
	t.Helper()
	if err := hub.Wait(ctx, after); err != nil {
		t.Fatal(err)
	}
	records, err := hub.Read(after, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		_, readings, brought, err := payload.Decode(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, reading := range readings {
			a.reading(f, reading)
		}
		for _, tap := range brought {
			a.tap(f, tap)
		}
		after = r.Seq
	}
	return after
}
