// Package intake is the hub's side of the way from the edges: it takes each batch
// exactly once into the hub's journal and then acknowledges it. It never
// acknowledges what is not durable, and nothing that anybody sends stops it.
package intake

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

const (
	queueLen   = 64       // messages that wait, for each stream
	queueBytes = 16 << 20 // and their size
	groupLen   = 64       // messages in one transaction
	groupBytes = 2 << 20
	// patience is how long a full queue holds the network back before messages
	// are dropped, to be sent again; longer, and the broker is thought dead.
	patience = 2 * time.Second
	// telemetryFill is how full the journal may be for samples. The rest is kept
	// for urgent facts.
	telemetryFill = 0.8
	maxStreams    = 10_000
)

// LocalGateway is the gateway of facts that are made at the hub.
const LocalGateway = "hub"

// Options are what New needs.
type Options struct {
	Root     string
	Site     string // empty: all sites
	URL      string // of the broker
	Username string
	Password string
	TLS      *tls.Config
	ClientID string // unique at the broker; empty: a random one
	// KeepSession has the broker keep what comes while the hub is away. It needs a
	// ClientID that the next start has too.
	KeepSession bool
	Version     string // of the program, for others to see
	Journal     *journal.Journal
	// Letters keeps what cannot be taken; nil keeps the newest in memory.
	Letters *Letters
	// Room says why the disk's last room is kept for urgent facts, or nil; a nil Room
	// never does.
	Room func() error
	// Ahead shows urgent facts to people that the journal cannot take now, and reports
	// whether it did. They come to the journal later and are told again then. Nil never
	// does.
	Ahead func(payload.Header, []facility.Reading, []facility.Tap) bool
	// Taking is told what is in a record that is about to go into the journal, for who
	// reads it there. Nil is nobody.
	Taking   func(record []byte, h payload.Header, readings []facility.Reading, taps []facility.Tap)
	MinPause time.Duration // between connections; 0 is 500 ms
	MaxPause time.Duration // 0 is 30 s
	// Silence is how long nothing may come of a stream before it is subscribed to once
	// more, and Patience how long the broker may take to confirm a subscription; 0 is
	// 5 s each. Together they are how long the hub may be deaf without knowing.
	Silence  time.Duration
	Patience time.Duration
	Logger   *slog.Logger
	Now      func() time.Time // nil is time.Now
	// Time is by which facts are received, and whether it is known, so that gateways may
	// be told. Nil is Now.
	Time func() (at time.Time, known bool)
}

// Intake takes what comes from the edges of a site, or of all.
type Intake struct {
	o   Options
	log *slog.Logger

	mu       sync.Mutex
	urgent   time.Time // since when the urgent stream is connected; zero when it is not
	streams  map[streamKey]*stream
	gateways map[gatewayKey]*GatewayStats
	// notes are written with the next batch of their stream, and so in order with its marks.
	notes   map[facility.Stream][]journal.Mark
	refused int64
	peers   peers
	trouble map[string]string // why nothing is made durable, by stream
}

// New checks the options.
func New(o Options) (*Intake, error) {
	if o.Journal == nil || !payload.ValidRoot(o.Root) {
		return nil, fmt.Errorf("intake: no journal, or the root of topics %q cannot be used", o.Root)
	}
	if o.Site != "" && !payload.ValidID(o.Site) {
		return nil, fmt.Errorf("intake: the site %q has other signs than letters, digits, \"-\", \"_\" and \".\"", o.Site)
	}
	if err := broker.CheckURL(o.URL); err != nil {
		return nil, fmt.Errorf("intake: %w", err)
	}
	if o.ClientID == "" && o.KeepSession {
		return nil, errors.New("intake: a session that is kept needs the same client's name at each start")
	}
	if o.ClientID == "" {
		o.ClientID = "gengfu-hub-" + uuid.NewString()[:8]
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Time == nil {
		o.Time = func() (time.Time, bool) { return o.Now(), true }
	}
	o.Silence, o.Patience = cmp.Or(o.Silence, 5*time.Second), cmp.Or(o.Patience, 5*time.Second)
	if o.Letters == nil {
		o.Letters = newLetters(nil)
	}
	in := &Intake{
		o: o, log: o.Logger, streams: map[streamKey]*stream{}, gateways: map[gatewayKey]*GatewayStats{},
		notes: map[facility.Stream][]journal.Mark{}, trouble: map[string]string{}, peers: peers{own: uuid.NewString(), seen: map[string]Peer{}},
	}
	in.recall(o.Journal.Marks(), o.Now())
	return in, nil
}

// recall takes up the marks that the journal keeps, but those of streams that are
// long gone.
func (in *Intake) recall(marks map[string]uint64, now time.Time) {
	today := dayOf(now)
	for mark, seq := range marks {
		key, name, ok := parseMark(mark)
		if !ok {
			continue
		}
		e := newEpoch(name)
		e.mark, e.day, e.heard = seq, marks[key.dayMark(name)], now
		if e.day == 0 || e.day > today { // by a clock that was wrong
			e.day = today
			in.notes[key.stream] = append(in.notes[key.stream], journal.Mark{Key: key.dayMark(name), Seq: today})
		}
		in.stream(key).epochs[name] = e
	}
	for key, st := range in.streams {
		in.forget(key, st.prune(now, ""))
		if len(st.epochs) == 0 {
			delete(in.streams, key)
		}
	}
}

// forget has marks removed from the journal.
func (in *Intake) forget(key streamKey, epochs []string) {
	for _, name := range epochs {
		in.log.Info("a stream that was not heard for long is forgotten", "site", key.site, "gateway", key.gateway, "stream", string(key.stream), "epoch", name)
		in.notes[key.stream] = append(in.notes[key.stream], journal.Mark{Key: key.mark(name)}, journal.Mark{Key: key.dayMark(name)})
	}
}

// Run takes what comes until ctx ends. Each stream has its own connection, so
// that samples never stand before an urgent fact.
func (in *Intake) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	streams := []facility.Stream{facility.Urgent, facility.Telemetry}
	errs := make([]error, len(streams))
	var running sync.WaitGroup
	for i, s := range streams {
		running.Go(func() {
			defer cancel()
			q := newQueue()
			ears := in.ears(s, func(m broker.Message) { in.enqueue(ctx, q, m) })
			errs[i] = broker.Maintain(ctx, broker.ClientOptions{
				URL: in.o.URL, ClientID: in.o.ClientID + "-" + string(s),
				Username: in.o.Username, Password: in.o.Password, TLS: in.o.TLS,
				Will: in.will(s), MinPause: in.o.MinPause, MaxPause: in.o.MaxPause, Patience: in.o.Patience, Logger: in.log,
				Keep: in.o.KeepSession, Expected: expected(ears),
			}, func(ctx context.Context, c *broker.Connection) error { return in.serve(ctx, c, s, q, ears) })
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// serve takes one stream from one connection. What is in the queue when the connection
// is lost is taken all the same, and acknowledged on the next.
func (in *Intake) serve(ctx context.Context, c *broker.Connection, s facility.Stream, q *queue, ears []*ear) error {
	if err := listen(ctx, c, ears); err != nil {
		return err
	}
	if err := errors.Join(in.present(ctx, c, s, 0), in.hello(ctx, c, s)); err != nil {
		return err
	}
	defer in.leave(ctx, c, s)
	in.noteConnected(s, in.o.Now())
	defer in.noteConnected(s, time.Time{})
	again := time.NewTicker(in.o.Silence / 4)
	defer again.Stop()
	for {
		group := q.take(ctx, again.C)
		if ctx.Err() != nil {
			return nil
		}
		err := errors.Join(listenAgain(ctx, c, ears, in.o.Patience), in.present(ctx, c, s, presence))
		if err != nil {
			return err
		}
		if err := in.process(ctx, c, s, group); err != nil {
			return err
		}
	}
}

func (in *Intake) enqueue(ctx context.Context, q *queue, m broker.Message) {
	if q.put(ctx, m, patience) || ctx.Err() != nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refused++
}

// hello tells all senders that are known where they stand, so that those that
// wait for a hub go on at once.
func (in *Intake) hello(ctx context.Context, c *broker.Connection, s facility.Stream) error {
	return publish(ctx, c, in.standings(s))
}

// standings are the marks of the epochs of a stream that may still be sent from.
func (in *Intake) standings(s facility.Stream) (acks []broker.Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for key, st := range in.streams {
		if key.stream != s {
			continue
		}
		names := st.byAge()
		for _, name := range names[max(0, len(names)-youngest):] {
			acks = append(acks, in.ack(key, payload.Ack{Stream: s, Epoch: name, Seq: st.epochs[name].mark, Again: true}))
		}
	}
	return acks
}

func (in *Intake) ack(key streamKey, a payload.Ack) broker.Message {
	return broker.Message{
		Topic:   payload.Topic(in.o.Root, key.site, key.gateway, payload.TopicAck),
		Payload: payload.MarshalControl(a),
	}
}

func publish(ctx context.Context, c *broker.Connection, messages []broker.Message) error {
	for _, m := range messages {
		if err := c.Publish(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// Local makes facts that began at the hub durable in its journal: taps from
// phones. It returns when they are.
func (in *Intake) Local(ctx context.Context, site string, taps []facility.Tap) error {
	return Keep(ctx, in.o.Journal, site, taps, in.time())
}

// Keep makes taps durable in the journal of a hub, which judges them when it runs.
func Keep(ctx context.Context, j *journal.Journal, site string, taps []facility.Tap, now time.Time) error {
	if len(taps) == 0 {
		return nil
	}
	h := payload.Header{
		Site: site, Gateway: LocalGateway, Stream: facility.Urgent,
		Epoch: j.Epoch(), Received: now.UTC(),
	}
	batches := make([][]byte, len(taps))
	for i, t := range taps {
		batches[i] = payload.AppendTap(nil, t)
	}
	arrived := journal.Mark{Key: Arrived + streamKey{site, LocalGateway, facility.Urgent}.name(), Add: int64(len(taps))}
	if _, err := j.AppendMarked(ctx, []journal.Mark{arrived}, payload.Wrap(h, batches...)); err != nil {
		return fmt.Errorf("take %d taps: %w", len(taps), err)
	}
	return nil
}
