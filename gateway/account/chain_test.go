package account_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/facility"
	"gengfu/gateway/account"
	"gengfu/gateway/broker"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const site, gateway = "garden", "gw1"

// world is an edge and a hub with real journals and a real broker. The hub's consumers
// count what they are given.
type world struct {
	t    *testing.T
	dir  string
	room int64 // bytes of the edge's journal
	log  *slog.Logger

	broker    *broker.Embedded
	edge      *journal.Journal
	urgent    *journal.Journal
	hub       *journal.Journal
	collector *uplink.Collector
	opened    int64
	given     atomic.Int64
	stops     []func()
	hubStops  []func()
	made      int64
	seen      map[string]bool // facts that were delivered, each by its point and time
	mu        sync.Mutex
	doubled   int
}

func newWorld(t *testing.T, room int64) *world {
	w := &world{
		t: t, dir: t.TempDir(), room: room, seen: map[string]bool{},
		log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError + 1})),
	}
	var err error
	if w.broker, err = broker.Embed(broker.EmbeddedOptions{Address: "127.0.0.1:0", Logger: w.log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.stopEdge()
		w.stopHub()
		if err := w.broker.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) open(path string, o journal.Options) *journal.Journal {
	w.t.Helper()
	o.Logger = w.log
	j, err := journal.Open(path, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

// run starts something and returns what stops it.
func (w *world) run(do func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- do(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			w.t.Error(err)
		}
	}
}

func (w *world) startEdge() {
	w.edge = w.open(w.path("edge.db"), journal.Options{
		MaxBytes: w.room, Evict: true, Sync: 20 * time.Millisecond, Memory: 4 << 20,
		Cursors: []string{uplink.Cursor}, Facts: payload.Facts,
	})
	w.urgent = w.open(w.path("urgent.db"), journal.Options{Memory: 1 << 20, Cursors: []string{uplink.Cursor}, Facts: payload.Facts})
	w.collector = uplink.NewCollector(uplink.CollectorOptions{
		Urgent: w.urgent, Telemetry: w.edge, MaxReadings: 20, MaxAge: 5 * time.Millisecond, Logger: w.log,
		StreamOf: func(p facility.PointID) facility.Stream {
			if p.Quantity == "fault" {
				return facility.Urgent
			}
			return facility.Telemetry
		},
	})
	up, err := uplink.New(uplink.Options{
		Site: site, Gateway: gateway, Root: "gengfu", URL: w.broker.URL(), Logger: w.log,
		Streams:     map[facility.Stream]*journal.Journal{facility.Telemetry: w.edge, facility.Urgent: w.urgent},
		ResendAfter: 200 * time.Millisecond, MinPause: 10 * time.Millisecond, MaxPause: 50 * time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.stops = []func(){w.run(up.Run), w.run(w.collector.Run)}
	if w.hub != nil {
		w.meet()
	}
}

func (w *world) stopEdge() {
	if w.stops == nil {
		return
	}
	w.stops[1]()
	w.stops[0]()
	w.stops = nil
	for _, j := range []*journal.Journal{w.edge, w.urgent} {
		if err := j.Close(); err != nil {
			w.t.Log(err)
		}
	}
}

func (w *world) startHub() {
	w.hub = w.open(w.path("hub.db"), journal.Options{Cursors: []string{"judge", "history"}, Facts: payload.FactsWrapped})
	w.opened = w.hub.Stats().Books.Passed("history")
	w.given.Store(0)
	in, err := intake.New(intake.Options{
		Root: "gengfu", Site: site, URL: w.broker.URL(), Journal: w.hub, Logger: w.log,
		MinPause: 10 * time.Millisecond, MaxPause: 50 * time.Millisecond,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.hubStops = []func(){w.run(in.Run), w.run(func(ctx context.Context) error { return w.consume(ctx, "history") }), w.run(func(ctx context.Context) error { return w.consume(ctx, "judge") })}
	if w.stops != nil {
		w.meet()
	}
}

func (w *world) stopHub() {
	if w.hubStops == nil {
		return
	}
	for _, stop := range w.hubStops {
		stop()
	}
	w.hubStops = nil
	if err := w.hub.Close(); err != nil {
		w.t.Error(err)
	}
	w.hub = nil
}

// meet is what the gateway does when it has opened its journals.
func (w *world) meet() {
	books := w.hub.Stats().Books
	for _, e := range w.edges() {
		if _, met := books.Counts[e.Base()]; !met {
			w.hub.Count(e.Base(), e.Apart(books))
		}
	}
}

func (w *world) consume(ctx context.Context, cursor string) error {
	after := w.hub.Cursor(cursor)
	for {
		if err := w.hub.Wait(ctx, after); err != nil {
			return ctx.Err() // it ends with the world
		}
		records, err := w.hub.Read(after, 64<<10)
		if err != nil {
			return err
		}
		for _, r := range records {
			_, readings, taps, err := payload.Decode(r.Body)
			if err != nil {
				return err
			}
			after = r.Seq
			if cursor != "history" {
				continue
			}
			w.note(readings)
			w.given.Add(int64(len(readings) + len(taps)))
		}
		if err := w.hub.Commit(cursor, after); err != nil {
			return err
		}
	}
}

func (w *world) note(readings []facility.Reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range readings {
		id := fmt.Sprint(r.Point, r.Time.UnixNano())
		if w.seen[id] {
			w.doubled++
		}
		w.seen[id] = true
	}
}

// make brings so many samples, and an urgent fact now and then.
func (w *world) make(n int) {
	w.t.Helper()
	for i := range n {
		w.made++
		r := facility.Reading{
			Point: facility.PointID{Device: "pump-1", Quantity: "pressure"}, Time: time.Unix(1_795_000_000+w.made, 0),
			Value: float64(i), Quality: facility.Good, Unit: "bar",
		}
		if i%50 == 49 {
			r.Point.Quantity = "fault"
		}
		if err := w.collector.Readings(context.Background(), []facility.Reading{r}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.collector.Flush(context.Background())
}

func (w *world) edges() (out []account.Edge) {
	for name, j := range map[string]*journal.Journal{"telemetry": w.edge, "urgent": w.urgent} {
		out = append(out, account.Edge{Site: site, Gateway: gateway, Stream: name, Books: j.Stats().Books})
	}
	if out[0].Stream > out[1].Stream {
		out[0], out[1] = out[1], out[0]
	}
	return out
}

func (w *world) law() account.Law {
	before, given := w.edges(), w.given.Load()
	if w.hub == nil {
		return account.Of(before, nil, before, 0)
	}
	books := w.hub.Stats().Books
	return account.Of(before, &account.Hub{Books: books, Opened: w.opened, Given: given, History: "history", Judge: "judge"}, w.edges(), w.given.Load())
}

// settled waits until nothing is under way, and holds the law against what was made and
// what came.
func (w *world) settled(what string) account.Law {
	w.t.Helper()
	var l account.Law
	for deadline := time.Now().Add(2 * time.Minute); ; {
		grown := w.hub.Grown()
		l = w.law()
		if l.Queued == 0 && l.Judge.Queued == 0 && l.Read == w.made && l.Delivered+l.Dropped == l.Read {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("after %s nothing comes to rest: %+v", what, l)
		}
		select {
		case <-grown:
		case <-time.After(20 * time.Millisecond):
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case l.Difference != 0:
		w.t.Fatalf("after %s the law is broken: %+v\nhub %+v\nhistory %+v", what, l, *l.Hub, *l.History)
	case l.Read != w.made:
		w.t.Fatalf("after %s %d were read, by the books %d: %+v", what, w.made, l.Read, l)
	case l.Delivered != int64(len(w.seen)):
		w.t.Fatalf("after %s %d were delivered, by the books %d (%d twice): %+v", what, len(w.seen), l.Delivered, w.doubled, l)
	}
	return l
}

// TestTheLawHoldsAfterEveryFault: what was made is what came, or is counted as dropped
// with the reason, to the last one.
func TestTheLawHoldsAfterEveryFault(t *testing.T) {
	w := newWorld(t, 1<<20)
	w.startHub()
	w.startEdge()
	w.make(500)
	if l := w.settled("a start"); l.Dropped != 0 || l.Delivered != 500 {
		t.Fatalf("%+v", l)
	}

	w.stopHub()
	w.make(200)
	for _, j := range []*journal.Journal{w.edge, w.urgent} {
		if err := j.Wait(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := j.AppendMarked(t.Context(), []journal.Mark{{Key: "all is written", Seq: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if l := w.law(); l.Queued != 200 || l.Difference != 0 {
		t.Fatalf("while the hub is away: %+v", l)
	}
	w.startHub()
	w.settled("a restart of the hub")

	w.stopEdge()
	w.startEdge()
	w.make(100)
	w.settled("a restart of the edge")

	bad := facility.Reading{Point: facility.PointID{Device: "no such\nname", Quantity: "x"}}
	if err := w.collector.Readings(t.Context(), []facility.Reading{bad, bad}); err != nil {
		t.Fatal(err)
	}
	w.made += 2
	if l := w.settled("readings that cannot be"); l.DroppedBy[uplink.DropInvalid] != 2 {
		t.Fatalf("%+v", l)
	}

	w.stopHub()
	w.make(300)
	w.stopEdge()
	hurt(t, w.path("edge.db"))
	w.startEdge()
	w.startHub()
	w.make(100)
	if l := w.settled("damage to the edge's journal"); l.DroppedBy[account.Damaged] == 0 {
		t.Errorf("nothing was lost: %+v", l)
	}

	for i := range 3 {
		w.make(400)
		w.snatch()
		w.make(100)
		if l := w.settled(fmt.Sprint("kill ", i+1)); l.Kills < int64(i+1) {
			t.Errorf("%d kills after %d: %+v", l.Kills, i+1, l)
		}
	}
}

// snatch puts the files of edge and hub back as they were on the disk at a moment when
// everything was settled, which is what a kill at that moment leaves.
func (w *world) snatch() {
	w.t.Helper()
	w.settled("before a kill")
	var names []string
	for _, name := range []string{"edge.db", "urgent.db", "hub.db"} {
		names = append(names, name, name+"-wal")
	}
	kept := map[string][]byte{}
	for _, name := range names {
		if b, err := os.ReadFile(w.path(name)); err == nil {
			kept[name] = b
		}
	}
	w.stopEdge()
	w.stopHub()
	for _, name := range names {
		if err := os.Remove(w.path(name)); err != nil && !os.IsNotExist(err) {
			w.t.Fatal(err)
		}
		if b, ok := kept[name]; ok {
			if err := os.WriteFile(w.path(name), b, 0o600); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.mu.Lock()
	w.doubled = 0
	w.mu.Unlock()
	w.startHub()
	w.startEdge()
}

// hurt turns bits in the bodies of some records.
func hurt(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mark := []byte(`"n":"pump-1/pressure"`)
	var at []int
	for i := range len(b) - len(mark) {
		if string(b[i:i+len(mark)]) == string(mark) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		t.Fatal("no record to damage")
	}
	for i := 0; i < len(at); i += 35 { // some stand where nothing is any more
		b[at[i]+8] ^= 4
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTheLawHoldsWhenTheJournalIsFull: what goes because there is no room is counted,
// also where it had come already and only the acknowledgement was missing.
func TestTheLawHoldsWhenTheJournalIsFull(t *testing.T) {
	w := newWorld(t, 60_000)
	w.startHub()
	w.startEdge()
	w.make(200)
	w.settled("a start")
	for i := range 4 {
		w.make(500) // on its way while the hub goes
		w.stopHub()
		w.make(2500)
		w.startHub()
		w.make(800) // the oldest go while they are sent
		l := w.settled(fmt.Sprint("fill ", i))
		if l.DroppedBy[account.Evicted] == 0 {
			t.Fatalf("nothing was evicted: %+v", l)
		}
	}
}

// TestTheLawHoldsWithoutADisk: the edge begins where its file cannot be made, sends from
// memory, and gets its disk.
func TestTheLawHoldsWithoutADisk(t *testing.T) {
	w := newWorld(t, 1<<20)
	w.startHub()
	dir := w.dir
	w.dir = filepath.Join(dir, "edge")
	if err := os.WriteFile(w.dir, []byte("no folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.startEdge()
	w.make(100)
	w.settled("sending from memory")
	if err := os.Remove(w.dir); err != nil {
		t.Fatal(err)
	}
	w.make(100)
	for deadline := time.Now().Add(2 * time.Minute); w.edge.Stats().Trouble != "" || w.urgent.Stats().Trouble != ""; {
		if time.Now().After(deadline) {
			t.Fatalf("the disk is not taken: %+v", w.edge.Stats())
		}
		<-time.After(20 * time.Millisecond)
	}
	w.make(100)
	if l := w.settled("the disk came"); l.Dropped != 0 || l.Delivered != 300 {
		t.Errorf("%+v", l)
	}
	w.stopEdge()
	w.startEdge()
	w.make(100)
	w.settled("a restart")
	w.stopEdge()
	w.dir = dir
}
