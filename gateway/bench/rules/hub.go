package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/gateway/bench/figure"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/rules"
	"gengfu/storage/history/embedded"
	"gengfu/storage/ledger"
)

const (
	// each device is polled so often, so that 1,000 of them are 10,000 readings a second.
	each = 500 * time.Millisecond
	// batch is how many polls come in one record: an intake's of ten milliseconds.
	batch = 20
	// warm is how many rounds the windows have seen before.
	warm = 400
)

// measureHub sends 10,000 readings a second through a hub with its journal, ledger and
// history on disk, and 10,000 instances, and takes the time from when the record that
// led to a change is in the hub's journal until the page's event stream has the change:
// judged, and durable with its order and the state that followed. What time alone
// brought about has no reading to be measured from and does not count.
func measureHub(p plan, out io.Writer) (_ []figure.Figure, err error) {
	h, err := startHouse()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	var beside sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	var syncs []float64
	var syncing error
	beside.Go(func() { syncs, syncing = fsyncs(ctx, filepath.Join(h.dir, "fsync")) })
	err = h.feed(p.paced)
	cancel()
	beside.Wait()
	if err = errors.Join(err, syncing); err != nil {
		return nil, err
	}
	late, whole := h.latencies()
	if len(late) < 100 {
		return nil, fmt.Errorf("only %d alarms came or went by a reading", len(late))
	}
	fmt.Fprintf(out, "Hub: %d changes in %s at 10,000 readings a second, at true speed; from the journal to the event stream median %.1f ms, p99 %.1f ms, longest %.0f ms; from the record's coming, journal included, median %.1f ms, p99 %.1f ms; a write and fsync of 4 KB beside it took %.1f ms (median), %.1f ms (p99)\n",
		len(late), p.paced, figure.Quantile(late, 0.5), figure.Quantile(late, 0.99), figure.Quantile(late, 1),
		figure.Quantile(whole, 0.5), figure.Quantile(whole, 0.99), figure.Quantile(syncs, 0.5), figure.Quantile(syncs, 0.99))
	return []figure.Figure{
		figure.AtMost("rules_hub_latency_p99", figure.Quantile(late, 0.99), "ms", 5, 1,
			fmt.Sprintf("from a record durable in the hub's journal to the change in the event stream, the ledger's commit between; fsync's own p99 %.1f ms", figure.Quantile(syncs, 0.99))),
	}, nil
}

// fsyncs takes the time, in milliseconds, of writing and syncing 4 KB now and then.
func fsyncs(ctx context.Context, path string) (took []float64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for page := make([]byte, 4096); ; {
		begin := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(begin)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return took, nil
		}
	}
}

// house is a hub with all that it stands on.
type house struct {
	dir     string
	estate  facility.Estate
	begun   time.Time // by the machine's clock
	from    time.Time // by the hub's
	journal *journal.Journal
	hub     *hub.Hub
	closers []func() error
	cancel  context.CancelFunc
	running sync.WaitGroup
	ended   error

	sent map[sending]*moments // by reading
	told []telling            // read when the hub has stopped
}

// sending names a reading; telling is an event of an alarm.
type sending struct {
	device string
	at     int64
}

type telling struct {
	sending
	when time.Time
}

// moments are when a record came, and when it was durable.
type moments struct{ came, durable time.Time }

// now is the hub's time.
func (h *house) now() time.Time { return h.from.Add(time.Since(h.begun)) }

func startHouse() (_ *house, err error) {
	h := &house{estate: estate(1000), sent: map[sending]*moments{}, cancel: func() {}}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.stop())
		}
	}()
	if h.dir, err = os.MkdirTemp("", "gengfu-rules-"); err != nil {
		return nil, err
	}
	h.closers = append(h.closers, func() error { return os.RemoveAll(h.dir) })
	engine, err := compile(mix(), h.estate)
	if err != nil {
		return nil, err
	}
	for round := range warm {
		feed(engine, h.estate, round)
	}
	h.from, h.begun = began.Add(warm*period), time.Now()
	return h, h.open(engine)
}

func (h *house) open(engine *rules.Engine) error {
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	l, err := ledger.Open(ctx, filepath.Join(h.dir, "ledger.db"), ledger.Options{Site: h.estate.Site, Now: h.now})
	if err != nil {
		return err
	}
	h.closers = append(h.closers, l.Close)
	store, err := embedded.Open(ctx, embedded.Options{Path: filepath.Join(h.dir, "history.db")})
	if err != nil {
		return err
	}
	h.closers = append(h.closers, store.Close)
	if h.journal, err = journal.Open(filepath.Join(h.dir, "journal.db"), journal.Options{Cursors: hub.Cursors, Now: h.now}); err != nil {
		return err
	}
	h.closers = append(h.closers, h.journal.Close)
	h.hub = hub.New(hub.Options{
		Estate: h.estate, Rules: engine, Ledger: l, History: store, Journal: h.journal,
		Quiet: func() bool { return true }, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: h.now,
	})
	events, unsubscribe := h.hub.Subscribe()
	h.running.Go(func() {
		defer unsubscribe()
		h.listen(events)
	})
	h.running.Go(func() { h.ended = h.hub.Run(ctx) })
	return nil
}

// stop ends the hub and removes what it wrote. It may be called again.
func (h *house) stop() error {
	h.cancel()
	h.running.Wait()
	err := h.ended
	h.ended = nil
	for n := len(h.closers) - 1; n >= 0; n-- {
		err = errors.Join(err, h.closers[n]())
	}
	h.closers = nil
	return err
}

// listen notes when each change was told, until the hub stops.
func (h *house) listen(events <-chan dashboard.Event) {
	for e := range events {
		if e.Stopping {
			return
		}
		if e.Alarm == nil {
			continue
		}
		at := e.Alarm.LastAt
		if !e.Alarm.State.Active() && e.Alarm.ClearedAt != nil {
			at = *e.Alarm.ClearedAt
		}
		h.told = append(h.told, telling{sending{e.Alarm.Device, at.UnixNano()}, time.Now()})
	}
}

// feed sends polls at their pace for so long, once the hub is ready.
func (h *house) feed(paced time.Duration) error {
	ctx := context.Background()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(h.hub.Ready()) > 0 {
		<-tick.C
	}
	seq, start := uint64(0), time.Now()
	for round := 0; ; round++ {
		for n := 0; n < len(h.estate.Devices); n += batch {
			due := start.Add(time.Duration(round)*each + h.offset(n+batch))
			if due.Sub(start) > paced {
				return nil
			}
			for time.Until(due) > 0 {
				<-tick.C
			}
			seq++
			if err := h.send(ctx, seq, h.polls(n, round, start.Sub(h.begun))); err != nil {
				return err
			}
		}
	}
}

// offset is how long behind the beginning of its round a device is polled.
func (h *house) offset(n int) time.Duration {
	return each*time.Duration(n)/time.Duration(len(h.estate.Devices)) + time.Millisecond
}

// polls are of a batch of devices in a round, which begin so long after the hub's start.
func (h *house) polls(from, round int, start time.Duration) []facility.Reading {
	var out []facility.Reading
	for n := from; n < from+batch; n++ {
		before := len(out)
		out = poll(out, h.estate.Devices[n], n, warm+round)
		for k := range out[before:] {
			out[before+k].Time = h.from.Add(start + time.Duration(round)*each + h.offset(n))
		}
	}
	return out
}

func (h *house) send(ctx context.Context, seq uint64, readings []facility.Reading) error {
	body, err := payload.AppendReadings(nil, readings)
	if err != nil {
		return err
	}
	head := payload.Header{Site: h.estate.Site.ID, Gateway: "gw1", Stream: facility.Telemetry, Epoch: "e", Seq: seq, Received: h.now()}
	record := payload.Wrap(head, body)
	m := &moments{came: time.Now()}
	for _, r := range readings {
		h.sent[sending{r.Point.Device, r.Time.UnixNano()}] = m
	}
	h.hub.Expect(record, head, readings, nil)
	_, err = h.journal.Append(ctx, record)
	m.durable = time.Now()
	return err
}

// latencies are, in milliseconds, from when the record was durable, and from when it
// came, until the change that it led to was told. The hub has stopped.
func (h *house) latencies() (late, whole []float64) {
	h.cancel()
	h.running.Wait()
	seen := map[sending]bool{}
	for _, t := range h.told {
		m, ok := h.sent[t.sending]
		if !ok || seen[t.sending] { // by time alone, or told again of something else
			continue
		}
		seen[t.sending] = true
		late = append(late, max(0, milliseconds(t.when.Sub(m.durable))))
		whole = append(whole, milliseconds(t.when.Sub(m.came)))
	}
	return late, whole
}
