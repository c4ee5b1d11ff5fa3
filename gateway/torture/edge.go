package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gengfu/facility"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
)

// memory is what a journal holds while the disk refuses.
const memory = 8 << 20

// edge is the edge of a gateway as the daemon puts it together, with numbered
// facts in place of a field. It tells its standard output before it makes a fact,
// and again when that is durable: what is in a pipe outlives the process.
type edge struct {
	numbering
	tell      *teller
	collector *uplink.Collector
	uplink    *uplink.Uplink
	urgent    *journal.Journal
	telemetry *journal.Journal
	next      map[kind]int
}

// progress is what an edge tells of one stream.
type progress struct {
	Stream  facility.Stream
	Epoch   string
	Queued  int64
	Last    uint64
	Acked   uint64
	Evicted int64
	Damaged int64
	Resets  int64
	Resent  int64
	// Forgotten and Volatile are of what is in memory while the disk refuses.
	Forgotten int64
	Volatile  int64
	Trouble   string // why the disk refuses
}

// teller writes lines that are whole.
type teller struct {
	mu  sync.Mutex
	out io.Writer
}

func (t *teller) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintf(t.out, format+"\n", args...) // whoever listens is gone: it will end this process
}

func runEdge(ctx context.Context, args []string, in io.Reader, out, log io.Writer) (err error) {
	flags := flag.NewFlagSet("edge", flag.ContinueOnError)
	data := flags.String("data", "", "")
	url := flags.String("url", "", "")
	base := flags.Int64("base", 0, "milliseconds since 1970")
	room := flags.Int64("room", 0, "bytes of the telemetry journal")
	next := map[kind]*int{}
	for _, k := range kinds {
		next[k] = flags.Int(string(k), 0, "number of the first")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	e := &edge{numbering: numbering{time.UnixMilli(*base)}, tell: &teller{out: out}, next: map[kind]int{}}
	for k, n := range next {
		e.next[k] = *n
	}
	cursors := []string{uplink.Cursor}
	e.urgent, err = journal.Open(filepath.Join(*data, "edge-urgent.db"), journal.Options{
		Cursors: cursors, Logger: logger, Memory: memory,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.urgent.Close()) }()
	e.telemetry, err = journal.Open(filepath.Join(*data, "edge-telemetry.db"), journal.Options{
		Cursors: cursors, Logger: logger, Evict: true, Sync: 200 * time.Millisecond, MaxBytes: *room, Memory: memory,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.telemetry.Close()) }()
	watched := []*watchedLog{{journal: e.urgent, edge: e}, {journal: e.telemetry, edge: e, ahead: true}}
	e.collector = uplink.NewCollector(uplink.CollectorOptions{
		Urgent: watched[0], Telemetry: watched[1], Logger: logger,
		StreamOf: func(p facility.PointID) facility.Stream {
			if p == fault {
				return facility.Urgent
			}
			return facility.Telemetry
		},
	})
	e.uplink, err = uplink.New(uplink.Options{
		Site: site, Gateway: gateway, Root: "gengfu", URL: *url, Logger: logger,
		Streams:  map[facility.Stream]*journal.Journal{facility.Urgent: e.urgent, facility.Telemetry: e.telemetry},
		MinPause: 50 * time.Millisecond, MaxPause: 500 * time.Millisecond, ResendAfter: time.Second,
	})
	if err != nil {
		return err
	}
	return e.run(ctx, in, watched)
}

// run works until the input ends.
func (e *edge) run(ctx context.Context, in io.Reader, watched []*watchedLog) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	fieldCtx, stopField := context.WithCancel(ctx)
	var field, running sync.WaitGroup
	running.Go(func() { _ = e.uplink.Run(ctx) }) // it ends with ctx, and says what is wrong in the log
	running.Go(func() { _ = e.collector.Run(ctx) })
	running.Go(func() { e.report(ctx) })
	for _, w := range watched {
		running.Go(func() { w.follow(ctx) })
	}
	orders := make(chan string)
	field.Go(func() { e.make(fieldCtx, orders) })
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		orders <- lines.Text()
	}
	stopField()
	field.Wait()
	stop()
	running.Wait()
	return nil
}

// make makes facts as it is told: "rate N" is so many samples each second, with a
// tenth of it in bits and some taps; "burst N" is so many samples at once.
func (e *edge) make(ctx context.Context, orders <-chan string) {
	const step = 20 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	rate, owed := 0, 0.0
	for steps := 0; ; {
		select {
		case <-ctx.Done():
			return
		case order := <-orders:
			var n int
			switch {
			case scan(order, "rate", &n):
				rate, owed = n, 0
			case scan(order, "burst", &n):
				e.samples(ctx, n)
			}
		case <-tick.C:
			owed += float64(rate) * step.Seconds()
			if rate == 0 {
				continue
			}
			n := int(owed)
			owed -= float64(n)
			e.samples(ctx, n)
			if steps++; steps%2 == 0 {
				e.bit(ctx)
			}
			if steps%10 == 0 {
				e.tap(ctx)
			}
		}
	}
}

func scan(order, word string, n *int) bool {
	rest, ok := strings.CutPrefix(order, word+" ")
	if !ok {
		return false
	}
	_, err := fmt.Sscan(rest, n)
	return err == nil
}

func (e *edge) samples(ctx context.Context, n int) {
	const together = 100
	for n > 0 {
		from := e.next[samples]
		count := min(n, together)
		readings := make([]facility.Reading, count)
		for i := range readings {
			readings[i] = e.sample(from + i)
		}
		e.next[samples] += count
		n -= count
		e.tell.say("made %s %d %d", samples, from, from+count)
		_ = e.collector.Readings(ctx, readings) // samples are never the reason of an error
	}
}

func (e *edge) bit(ctx context.Context) {
	n := e.next[bits]
	e.next[bits]++
	e.tell.say("made %s %d %d", bits, n, n+1)
	_ = e.collector.Readings(ctx, []facility.Reading{e.numbering.bit(n)}) // the journal's watcher tells
}

func (e *edge) tap(ctx context.Context) {
	n := e.next[taps]
	e.next[taps]++
	e.tell.say("made %s %d %d", taps, n, n+1)
	_ = e.collector.Tap(ctx, e.numbering.tap(n)) // likewise
}

func (e *edge) report(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var all []progress
		for _, s := range e.uplink.Stats() {
			j := e.urgent
			if s.Stream == facility.Telemetry {
				j = e.telemetry
			}
			st := j.Stats()
			all = append(all, progress{
				Stream: s.Stream, Epoch: st.Epoch, Queued: st.Records, Last: st.Last, Acked: st.Cursors[uplink.Cursor],
				Evicted: st.Evicted, Damaged: st.Damaged, Resets: st.Resets, Resent: s.Resent, Forgotten: st.Forgotten, Volatile: st.Volatile, Trouble: st.Trouble,
			})
		}
		waiting := e.collector.Stats().Waiting
		if text, err := json.Marshal(all); err == nil {
			e.tell.say("progress %d %s", waiting, text)
		}
	}
}

// watchedLog tells what becomes of each batch: refused by the journal, held in its
// memory, or durable in it.
type watchedLog struct {
	journal *journal.Journal
	edge    *edge
	ahead   bool // Append returns before the disk has it

	mu      sync.Mutex
	batches []batch // not yet durable
}

type batch struct {
	seq      uint64
	kind     kind
	from, to int // numbers, to exclusive
}

func (w *watchedLog) Append(ctx context.Context, records ...[]byte) (uint64, error) {
	b, err := w.read(records)
	if err != nil {
		w.edge.tell.say("broken a batch of the collector cannot be read: %q", err.Error())
	}
	b.seq, err = w.journal.Append(ctx, records...)
	switch {
	case err == nil && !w.ahead:
		w.edge.tell.say("kept %s %d %d", b.kind, b.from, b.to)
		return b.seq, nil
	case errors.Is(err, journal.ErrVolatile):
		w.edge.tell.say("held %s %d %d", b.kind, b.from, b.to)
	case err != nil:
		w.edge.tell.say("refused %s %d %d %q", b.kind, b.from, b.to, err.Error())
		return b.seq, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, b)
	return b.seq, err
}

// read says which facts are in records.
func (w *watchedLog) read(records [][]byte) (b batch, err error) {
	header := payload.Header{Site: site, Gateway: gateway, Stream: facility.Telemetry, Epoch: "e", Seq: 1}
	for i, record := range records {
		_, readings, brought, err := payload.Decode(payload.Wrap(header, record))
		if err != nil || len(readings)+len(brought) == 0 {
			return b, fmt.Errorf("%d facts: %w", len(readings)+len(brought), err)
		}
		if len(brought) > 0 {
			n := w.edge.number(brought[0].TappedAt)
			return batch{kind: taps, from: n, to: n + len(brought)}, nil
		}
		if i == 0 {
			b.kind, b.from = samples, w.edge.number(readings[0].Time)
		}
		if readings[0].Point == fault {
			b.kind = bits
		}
		b.to = w.edge.number(readings[len(readings)-1].Time) + 1
	}
	return b, nil
}

// follow says of batches that they are durable, until ctx ends.
func (w *watchedLog) follow(ctx context.Context) {
	for {
		grown := w.journal.Grown()
		durable := w.journal.Durable()
		w.mu.Lock()
		for len(w.batches) > 0 && w.batches[0].seq <= durable {
			b := w.batches[0]
			w.batches = w.batches[1:]
			w.edge.tell.say("kept %s %d %d", b.kind, b.from, b.to)
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-grown:
		case <-time.After(50 * time.Millisecond): // one may be noted after it became durable
		}
	}
}
