package intake_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/brokertest"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	root    = "test/gengfu"
	site    = "example"
	gateway = "gw1"
	// limit is how long a test waits for what must come.
	limit = 3 * time.Minute
)

// post is a broker that a test can take away and bring back.
type post interface {
	URL() string
	Addr() string
	Stop()
	Start()
}

type embedded struct {
	t    *testing.T
	b    *broker.Embedded
	addr string
}

func (e *embedded) URL() string  { return "tcp://" + e.addr }
func (e *embedded) Addr() string { return e.addr }

func (e *embedded) Stop() {
	if err := e.b.Close(); err != nil {
		e.t.Error(err)
	}
}

func (e *embedded) Start() {
	b, err := broker.Embed(broker.EmbeddedOptions{Address: e.addr})
	if err != nil {
		e.t.Fatal(err)
	}
	e.b, e.addr = b, b.Addr()
}

// onBrokers runs the test with the embedded broker and with a real Mosquitto.
func onBrokers(t *testing.T, test func(*testing.T, post)) {
	t.Run("embedded", func(t *testing.T) {
		e := &embedded{t: t}
		e.Start()
		t.Cleanup(func() { _ = e.b.Close() })
		test(t, e)
	})
	t.Run("mosquitto", func(t *testing.T) {
		test(t, brokertest.StartMosquitto(t))
	})
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// task is something that runs until it is stopped.
type task struct {
	cancel context.CancelFunc
	done   chan error
}

func start(t *testing.T, run func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(context.Background())
	k := &task{cancel: cancel, done: make(chan error, 1)}
	go func() { k.done <- run(ctx) }()
	t.Cleanup(func() { k.stop(t) })
	return k
}

func (k *task) stop(t *testing.T) {
	if k.cancel == nil {
		return
	}
	k.cancel()
	k.cancel = nil
	select {
	case err := <-k.done:
		if err != nil && !errors.Is(err, journal.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(limit):
		t.Error("does not stop")
	}
}

// edge is an edge with everything but devices.
type edge struct {
	t         *testing.T
	dir       string
	journals  map[facility.Stream]*journal.Journal
	up        *uplink.Uplink
	collector *uplink.Collector
	tasks     []*task
}

func startEdge(t *testing.T, dir, url string) *edge {
	t.Helper()
	return startEdgeWith(t, dir, url, func(*uplink.Options) {})
}

func startEdgeWith(t *testing.T, dir, url string, change func(*uplink.Options)) *edge {
	t.Helper()
	e := &edge{t: t, dir: dir, journals: map[facility.Stream]*journal.Journal{}}
	for _, s := range []facility.Stream{facility.Urgent, facility.Telemetry} {
		j, err := journal.Open(filepath.Join(dir, string(s)), journal.Options{
			MaxBytes: 64 << 20, Evict: s == facility.Telemetry, Cursors: []string{uplink.Cursor},
		})
		if err != nil {
			t.Fatal(err)
		}
		e.journals[s] = j
	}
	var err error
	o := uplink.Options{
		Site: site, Gateway: gateway, Root: root, URL: url, Streams: e.journals, Version: "test",
		ResendAfter: 200 * time.Millisecond, MinPause: 10 * time.Millisecond, MaxPause: 100 * time.Millisecond,
		Logger: discard(),
	}
	change(&o)
	e.up, err = uplink.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e.collector = uplink.NewCollector(uplink.CollectorOptions{
		Urgent: e.journals[facility.Urgent], Telemetry: e.journals[facility.Telemetry],
		StreamOf: func(p facility.PointID) facility.Stream { return facility.Stream(p.Quantity) },
		MaxAge:   5 * time.Millisecond, MaxReadings: 10,
	})
	e.tasks = []*task{start(t, e.up.Run), start(t, e.collector.Run)}
	t.Cleanup(e.stop)
	return e
}

func (e *edge) stop() {
	for _, k := range e.tasks {
		k.stop(e.t)
	}
	for _, j := range e.journals {
		if err := j.Close(); err != nil {
			e.t.Error(err)
		}
	}
}

// facts brings the facts from..to to the collector, each in both streams, and a
// tap for each tenth.
func (e *edge) facts(from, to int) {
	e.t.Helper()
	var some []facility.Reading
	for n := from; n <= to; n++ {
		some = append(some, fact(facility.Telemetry, n), fact(facility.Urgent, n))
		if n%5 == 0 || n == to {
			if err := e.collector.Readings(context.Background(), some); err != nil {
				e.t.Fatal(err)
			}
			some = nil
		}
		if n%10 == 0 {
			if err := e.collector.Tap(context.Background(), tap(n)); err != nil {
				e.t.Fatal(err)
			}
		}
	}
}

func fact(s facility.Stream, n int) facility.Reading {
	return facility.Reading{
		Point: facility.PointID{Device: "meter", Quantity: string(s)},
		Time:  time.Unix(1_800_000_000, int64(n)).UTC(), Value: float64(n), Unit: "kWh", Quality: facility.Good,
	}
}

func tap(n int) facility.Tap {
	return facility.Tap{ID: fmt.Sprint("tap-", n), Source: facility.TapReader, Reader: "gate", Credential: "04A035B2", TappedAt: time.Unix(1_800_000_000, int64(n)).UTC()}
}

// hub is a hub with nothing but its intake.
type hub struct {
	t    *testing.T
	j    *journal.Journal
	in   *intake.Intake
	task *task
}

func startHub(t *testing.T, path, url string, o journal.Options) *hub {
	t.Helper()
	o.Cursors = []string{"consumer"}
	j, err := journal.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	in, err := intake.New(intake.Options{
		Root: root, URL: url, Journal: j, MinPause: 10 * time.Millisecond, MaxPause: 100 * time.Millisecond, Logger: discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, j: j, in: in, task: start(t, in.Run)}
	t.Cleanup(h.stop)
	return h
}

func (h *hub) stop() {
	h.task.stop(h.t)
	if err := h.j.Close(); err != nil {
		h.t.Error(err)
	}
}

// arrivals are numbered facts by stream and epoch.
type arrivals map[facility.Stream]map[string][]int

// take checks that a fact is in the order of its epoch, and urgent ones in that of
// all, and that none comes twice. A backlog of samples may come beside live ones,
// in an epoch of its own.
func (a arrivals) take(t *testing.T, head payload.Header, n int) {
	t.Helper()
	if a[head.Stream] == nil {
		a[head.Stream] = map[string][]int{}
	}
	stream, epoch := a[head.Stream], head.Epoch
	if head.Stream == facility.Urgent {
		epoch = ""
	}
	if had := stream[epoch]; len(had) > 0 && had[len(had)-1]+1 != n {
		t.Fatalf("fact %d of %s after %d: header %+v", n, head.Stream, had[len(had)-1], head)
	}
	for other, had := range stream {
		if other != epoch && n >= had[0] && n <= had[len(had)-1] {
			t.Fatalf("fact %d of %s came in the epochs %s and %s", n, head.Stream, other, epoch)
		}
	}
	stream[epoch] = append(stream[epoch], n)
}

// received reads the hub's whole journal and checks that each stream is in order
// and without repetition.
func (h *hub) received() (urgent, telemetry, taps int) {
	h.t.Helper()
	var after uint64
	arrived := arrivals{}
	for {
		recs, err := h.j.Read(after, 1<<20)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(recs) == 0 {
			return urgent, telemetry, taps
		}
		for _, rec := range recs {
			after = rec.Seq
			head, readings, ts, err := payload.Decode(rec.Body)
			if err != nil {
				h.t.Fatalf("the hub's journal holds %q: %v", rec.Body, err)
			}
			if head.Received.IsZero() {
				h.t.Fatal("a batch without time of reception")
			}
			for _, r := range readings {
				if want := fact(head.Stream, int(r.Value)); r != want {
					h.t.Fatalf("fact %+v, want %+v", r, want)
				}
				if head.Stream == facility.Urgent {
					urgent++
				} else {
					telemetry++
				}
				arrived.take(h.t, head, int(r.Value))
			}
			for _, got := range ts {
				taps++
				want := tap(taps * 10)
				want.ReceivedAt = head.Received
				if got != want {
					h.t.Fatalf("tap %+v, want %+v", got, want)
				}
			}
		}
	}
}

// expect waits until the facts 1..n are there, each exactly once.
func (h *hub) expect(n int) {
	h.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		grown := h.j.Grown()
		urgent, telemetry, taps := h.received()
		if urgent >= n && telemetry >= n && taps >= n/10 {
			if urgent != n || telemetry != n || taps != n/10 {
				h.t.Fatalf("%d urgent facts, %d samples, %d taps, want %d", urgent, telemetry, taps, n)
			}
			return
		}
		select {
		case <-grown:
		case <-time.After(time.Until(deadline)):
			h.t.Fatalf("after %v: %d urgent facts, %d samples, %d taps of %d; %+v", limit, urgent, telemetry, taps, n, h.in.Stats())
		}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// drained waits until the edge has heard that the hub has everything.
func (e *edge) drained() {
	e.t.Helper()
	eventually(e.t, "the edge's journals are empty", func() bool {
		for _, s := range e.up.Stats() {
			if s.Queued > 0 || s.Acknowledged != s.Sent {
				return false
			}
		}
		return true
	})
}

func TestEveryFactOnceInOrder(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		e := startEdge(t, t.TempDir(), p.URL())
		e.facts(1, 500)
		h.expect(500)
		e.drained()
		resent := int64(0) // on a machine that is busy an acknowledgement may be late
		for _, s := range e.up.Stats() {
			resent += s.Resent
		}
		if s := h.in.Stats(); s.DeadLetters != 0 || resent == 0 && s.Streams[0].Gaps+s.Streams[1].Gaps != 0 || len(s.Gateways) != 1 || !s.Gateways[0].Online || s.Gateways[0].Version != "test" {
			t.Errorf("stats %+v", s)
		}
		if c := e.collector.Stats(); c.Read != 1000 || c.Journalled != 1000 || c.Waiting != 0 || c.Taps != 50 {
			t.Errorf("collector %+v", c)
		}
		e.stop()
		eventually(t, "the gateway is offline", func() bool { return !h.in.Stats().Gateways[0].Online })
	})
}

func TestConnectionsAreCut(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		toEdge, toHub := brokertest.NewProxy(t, p.Addr()), brokertest.NewProxy(t, p.Addr())
		h := startHub(t, filepath.Join(t.TempDir(), "j"), toHub.URL(), journal.Options{})
		e := startEdge(t, t.TempDir(), toEdge.URL())
		r := rand.New(rand.NewPCG(1, 1))
		for n := 1; n <= 1500; n += 50 {
			e.facts(n, n+49)
			if r.IntN(2) == 0 {
				toEdge.Cut()
			}
			if r.IntN(3) == 0 {
				toHub.Cut()
			}
		}
		toEdge.Refuse(true)
		e.facts(1501, 1600)
		toEdge.Refuse(false)
		h.expect(1600)
		e.drained()
	})
}

func TestBrokerRestarts(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		e := startEdge(t, t.TempDir(), p.URL())
		for n := 0; n < 4; n++ {
			e.facts(n*200+1, n*200+100)
			p.Stop()
			e.facts(n*200+101, n*200+200)
			p.Start()
		}
		h.expect(800)
		e.drained()
	})
}

func TestHubAndEdgeRestart(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		hubPath, edgeDir := filepath.Join(t.TempDir(), "j"), t.TempDir()
		h := startHub(t, hubPath, p.URL(), journal.Options{})
		e := startEdge(t, edgeDir, p.URL())
		for n := 0; n < 4; n++ {
			e.facts(n*300+1, n*300+100)
			h.stop()
			e.facts(n*300+101, n*300+200)
			e.stop()
			h = startHub(t, hubPath, p.URL(), journal.Options{})
			e = startEdge(t, edgeDir, p.URL())
			e.facts(n*300+201, n*300+300)
		}
		h.expect(1200)
		e.drained()
		for _, s := range h.in.Stats().Streams {
			if s.Dropped != 0 {
				t.Errorf("stream %+v", s)
			}
		}
	})
}

// TestHostileNetwork lets a relay between two brokers lose, repeat, delay and
// reorder messages and acknowledgements.
func TestHostileNetwork(t *testing.T) {
	near, far := &embedded{t: t}, &embedded{t: t}
	for _, e := range []*embedded{near, far} {
		e.Start()
		t.Cleanup(func() { _ = e.b.Close() })
	}
	relay := func(from, to, filter string, seed uint64) {
		messages := make(chan broker.Message, 1000)
		start(t, func(ctx context.Context) error {
			return broker.Maintain(ctx, broker.ClientOptions{URL: from, ClientID: "from" + fmt.Sprint(seed), MinPause: time.Millisecond}, func(ctx context.Context, c *broker.Connection) error {
				err := c.Subscribe(ctx, filter, 1, func(m broker.Message) { messages <- m })
				<-ctx.Done()
				return err
			})
		})
		start(t, func(ctx context.Context) error {
			r := rand.New(rand.NewPCG(seed, 9))
			var held []broker.Message
			return broker.Maintain(ctx, broker.ClientOptions{URL: to, ClientID: "to" + fmt.Sprint(seed), MinPause: time.Millisecond}, func(ctx context.Context, c *broker.Connection) error {
				for {
					select {
					case m := <-messages:
						switch r.IntN(12) {
						case 0: // lost
							continue
						case 1: // late
							held = append(held, m)
							continue
						case 2: // twice
							held = append(held, m)
						}
						held = append(held, m)
						r.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
						for _, m := range held {
							if err := c.Publish(ctx, m); err != nil {
								return err
							}
						}
						held = held[:0]
					case <-ctx.Done():
						return nil
					}
				}
			})
		})
	}
	relay(near.URL(), far.URL(), root+"/+/+/urgent", 1)
	relay(near.URL(), far.URL(), root+"/+/+/telemetry", 2)
	relay(far.URL(), near.URL(), root+"/+/+/ack", 3)

	h := startHub(t, filepath.Join(t.TempDir(), "j"), far.URL(), journal.Options{})
	e := startEdge(t, t.TempDir(), near.URL())
	e.facts(1, 1000)
	h.expect(1000)
	e.drained()
	s := h.in.Stats()
	if n := s.Streams[0].Duplicates + s.Streams[1].Duplicates; n == 0 {
		t.Error("no duplicates came: the test proves little")
	}
	if n := s.Streams[0].Gaps + s.Streams[1].Gaps; n == 0 {
		t.Error("no gaps came: the test proves little")
	}
}

func TestBacklogDoesNotDelayUrgentFacts(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		e := startEdge(t, t.TempDir(), p.URL())
		const batches = 4000
		var backlog [][]byte
		for n := range batches {
			rs := make([]facility.Reading, 100)
			for i := range rs {
				rs[i] = fact(facility.Telemetry, n*100+i+1)
			}
			b, err := payload.AppendReadings(nil, rs)
			if err != nil {
				t.Fatal(err)
			}
			backlog = append(backlog, b)
		}
		if _, err := e.journals[facility.Telemetry].Append(context.Background(), backlog...); err != nil {
			t.Fatal(err)
		}
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		eventually(t, "the backlog moves", func() bool { return h.j.Last() > 100 })
		began := time.Now()
		for n := 1; n <= 20; n++ {
			if err := e.collector.Readings(context.Background(), []facility.Reading{fact(facility.Urgent, n)}); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "the urgent facts are acknowledged", func() bool {
			return e.journals[facility.Urgent].Cursor(uplink.Cursor) == 20
		})
		took := time.Since(began)
		left := batches - int(e.journals[facility.Telemetry].Cursor(uplink.Cursor))
		t.Logf("20 urgent facts took %v, with %d batches of samples still to go", took, left)
		if left == 0 {
			t.Error("the backlog went first")
		}
	})
}

func TestWhatCannotBeTakenStopsNothing(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		e := startEdge(t, t.TempDir(), p.URL())
		e.facts(1, 50)
		h.expect(50)
		head := payload.Header{Site: site, Gateway: "other", Stream: facility.Urgent, Epoch: "e", Seq: 1}
		good, err := payload.AppendReadings(nil, []facility.Reading{fact(facility.Urgent, 51)})
		if err != nil {
			t.Fatal(err)
		}
		topic := payload.Topic(root, site, "other", "urgent")
		next := head
		next.Seq, next.Prev = 2, 1
		hostile := []broker.Message{
			{Topic: topic},
			{Topic: topic, Payload: []byte("{")},
			{Topic: topic, Payload: []byte(strings.Repeat("[", 100_000))},
			{Topic: topic, Payload: payload.Wrap(head, []byte(`{"n":"a/b","v":NaN}`))},         // passed over
			{Topic: payload.Topic(root, site, gateway, "urgent"), Payload: payload.Wrap(next)}, // header of another
			{Topic: topic, Payload: payload.Wrap(next, good, []byte(strings.Repeat(" ", payload.MaxBytes)))},
		}
		tell := func(messages []broker.Message) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := broker.Maintain(ctx, broker.ClientOptions{URL: p.URL(), ClientID: "hostile"}, func(ctx context.Context, c *broker.Connection) error {
				defer cancel()
				for _, m := range messages {
					m.QoS = 1
					if err := c.PublishConfirmed(ctx, m); err != nil {
						t.Error(err)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		tell(hostile)
		eventually(t, "all are buried", func() bool { return h.in.Stats().DeadLetters == int64(len(hostile)) })
		next.Seq, next.Prev = 3, 2
		tell([]broker.Message{{Topic: topic, Payload: payload.Wrap(next, good)}})
		eventually(t, "the stream of the hostile gateway goes on", func() bool {
			for _, s := range h.in.Stats().Streams {
				if s.Gateway == "other" && s.Acknowledged == 3 {
					return true
				}
			}
			return false
		})
		for _, d := range h.in.Stats().Dead {
			if d.Reason == "" || len(d.Excerpt) > 600 {
				t.Errorf("dead letter %+v", d)
			}
		}
	})
}

func TestOldCopyOfAJournalBeginsANewEpoch(t *testing.T) {
	e0 := &embedded{t: t}
	e0.Start()
	t.Cleanup(func() { _ = e0.b.Close() })
	dir := t.TempDir()
	h := startHub(t, filepath.Join(t.TempDir(), "j"), e0.URL(), journal.Options{})
	e := startEdge(t, dir, e0.URL())
	e.facts(1, 20)
	h.expect(20)
	e.drained()
	e.stop()
	copyFiles(t, dir, filepath.Join(dir, "copy"))
	e = startEdge(t, dir, e0.URL())
	e.facts(21, 60)
	h.expect(60)
	e.drained()
	e.stop()
	e = startEdge(t, filepath.Join(dir, "copy"), e0.URL())
	e.facts(61, 100)
	h.expect(100)
	e.drained()
}

func TestFullHubKeepsRoomForUrgentFacts(t *testing.T) {
	e0 := &embedded{t: t}
	e0.Start()
	t.Cleanup(func() { _ = e0.b.Close() })
	h := startHub(t, filepath.Join(t.TempDir(), "j"), e0.URL(), journal.Options{MaxBytes: 400 << 10})
	e := startEdge(t, t.TempDir(), e0.URL())
	for n := range 1000 {
		rs := make([]facility.Reading, 10)
		for i := range rs {
			rs[i] = fact(facility.Telemetry, n*10+i+1)
		}
		if err := e.collector.Readings(context.Background(), rs); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the hub refuses samples", func() bool { return h.in.Stats().Refused > 0 })
	if err := e.collector.Readings(context.Background(), []facility.Reading{fact(facility.Urgent, 1)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the urgent fact passes", func() bool { u, _, _ := h.received(); return u == 1 })
	if f := h.j.Fill(); f > 1 {
		t.Errorf("filled to %v", f)
	}
	// A consumer that comes back lets everything through.
	seen, arrived := 0, arrivals{}
	eventually(t, "all samples arrive", func() bool {
		recs, err := h.j.Read(h.j.Cursor("consumer"), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range recs {
			head, readings, _, err := payload.Decode(rec.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range readings {
				if head.Stream == facility.Telemetry {
					seen++
					arrived.take(t, head, int(r.Value))
				}
			}
		}
		if len(recs) > 0 {
			if err := h.j.Commit("consumer", recs[len(recs)-1].Seq); err != nil {
				t.Fatal(err)
			}
		}
		return seen == 10_000
	})
}

func TestLocalTaps(t *testing.T) {
	e0 := &embedded{t: t}
	e0.Start()
	t.Cleanup(func() { _ = e0.b.Close() })
	h := startHub(t, filepath.Join(t.TempDir(), "j"), e0.URL(), journal.Options{})
	want := facility.Tap{ID: "x", Source: facility.TapURL, Checkpoint: "gate", Person: "sun", TappedAt: time.Unix(1_800_000_000, 5).UTC(), SentAt: time.Unix(1_800_000_001, 0).UTC()}
	if err := h.in.Local(t.Context(), site, []facility.Tap{want, {ID: "y"}}); err != nil {
		t.Fatal(err)
	}
	recs, err := h.j.Read(0, 1<<20)
	if err != nil || len(recs) != 1 {
		t.Fatal(len(recs), err)
	}
	head, _, taps, err := payload.Decode(recs[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	want.ReceivedAt = head.Received
	if head.Gateway != intake.LocalGateway || head.Site != site || len(taps) != 2 || taps[0] != want || taps[1].ID != "y" {
		t.Errorf("header %+v, taps %+v", head, taps)
	}
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o750); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // a folder
		}
		if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
