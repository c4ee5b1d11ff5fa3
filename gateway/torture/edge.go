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
	e.urgent, err = journal.Open(filepath.Join(*data, "edge-urgent.db"), journal.Options{Cursors: cursors, Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.urgent.Close()) }()
	e.telemetry, err = journal.Open(filepath.Join(*data, "edge-telemetry.db"), journal.Options{
		Cursors: cursors, Logger: logger, Evict: true, Sync: 200 * time.Millisecond, MaxBytes: *room,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.telemetry.Close()) }()
	watched := &watchedLog{Log: e.telemetry, edge: e}
	e.collector = uplink.NewCollector(uplink.CollectorOptions{
		Urgent: e.urgent, Telemetry: watched, Logger: logger,
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
func (e *edge) run(ctx context.Context, in io.Reader, watched *watchedLog) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	fieldCtx, stopField := context.WithCancel(ctx)
	var field, running sync.WaitGroup
	running.Go(func() { _ = e.uplink.Run(ctx) }) // it ends with ctx, and says what is wrong in the log
	running.Go(func() { _ = e.collector.Run(ctx) })
	running.Go(func() { e.report(ctx) })
	running.Go(func() { watched.follow(ctx) })
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
	e.took(bits, n, e.collector.Readings(ctx, []facility.Reading{e.numbering.bit(n)}))
}

func (e *edge) tap(ctx context.Context) {
	n := e.next[taps]
	e.next[taps]++
	e.tell.say("made %s %d %d", taps, n, n+1)
	e.took(taps, n, e.collector.Tap(ctx, e.numbering.tap(n)))
}

func (e *edge) took(k kind, n int, err error) {
	if err != nil {
		e.tell.say("refused %s %d %d %q", k, n, n+1, err.Error())
		return
	}
	e.tell.say("kept %s %d %d", k, n, n+1)
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
				Evicted: st.Evicted, Damaged: st.Damaged, Resets: st.Resets, Resent: s.Resent,
			})
		}
		waiting := e.collector.Stats().Waiting
		if text, err := json.Marshal(all); err == nil {
			e.tell.say("progress %d %s", waiting, text)
		}
	}
}

// watchedLog tells what becomes of each batch of samples: refused by the journal,
// or durable in it.
type watchedLog struct {
	uplink.Log
	edge *edge

	mu      sync.Mutex
	batches []batch
}

type batch struct {
	seq      uint64
	from, to int // numbers of samples, to exclusive
}

func (w *watchedLog) Append(ctx context.Context, records ...[]byte) (uint64, error) {
	from, to := 0, 0
	for i, record := range records {
		_, readings, _, err := payload.Decode(payload.Wrap(payload.Header{Site: site, Gateway: gateway, Stream: facility.Telemetry, Epoch: "e", Seq: 1}, record))
		if err != nil || len(readings) == 0 {
			w.edge.tell.say("broken a batch of the collector cannot be read: %v", err)
			continue
		}
		if i == 0 {
			from = w.edge.number(readings[0].Time)
		}
		to = w.edge.number(readings[len(readings)-1].Time) + 1
	}
	last, err := w.Log.Append(ctx, records...)
	if err != nil {
		w.edge.tell.say("refused %s %d %d %q", samples, from, to, err.Error())
		return last, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, batch{last, from, to})
	return last, nil
}

// follow says of batches that they are durable, until ctx ends. A batch is durable
// when the journal's last durable sequence has reached it.
func (w *watchedLog) follow(ctx context.Context) {
	for {
		grown := w.edge.telemetry.Grown()
		last := w.edge.telemetry.Last()
		w.mu.Lock()
		for len(w.batches) > 0 && w.batches[0].seq <= last {
			b := w.batches[0]
			w.batches = w.batches[1:]
			w.edge.tell.say("kept %s %d %d", samples, b.from, b.to)
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
