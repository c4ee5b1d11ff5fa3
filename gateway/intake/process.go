package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// errNoRoom says that the journal keeps the rest of its room for urgent facts.
var errNoRoom = errors.New("the journal keeps its last room for urgent facts")

// stream is what is known of one stream of one gateway.
type stream struct {
	marks      map[string]uint64 // by epoch
	epoch      string            // the latest that was seen, since the start
	duplicates int64
	gaps       int64
	missing    int64
}

// group is what one transaction takes, and what is to be said after it.
type group struct {
	records [][]byte
	marks   map[markKey]uint64
	again   map[markKey]bool
	counted []func() // what to count when the transaction stands
}

type markKey struct {
	streamKey
	epoch string
}

// process takes messages into the journal and acknowledges them. An error ends
// the connection; that the journal cannot take them does not.
func (in *Intake) process(ctx context.Context, c *broker.Connection, s facility.Stream, messages []broker.Message) error {
	g := group{marks: map[markKey]uint64{}, again: map[markKey]bool{}}
	var replies []broker.Message
	for _, m := range messages {
		site, gateway, what, ok := payload.ParseTopic(in.o.Root, m.Topic)
		switch {
		case !ok:
			in.bury(m, errors.New("its topic names no gateway"))
		case what == payload.TopicStatus:
			replies = append(replies, in.status(gatewayKey{site, gateway}, m, s)...)
		default:
			in.sort(&g, streamKey{site, gateway, s}, m)
		}
	}
	if err := in.write(ctx, s, g); err != nil {
		in.complain(err) // nobody is told that it is durable: it comes again
		return publish(ctx, c, replies)
	}
	in.recovered()
	return publish(ctx, c, append(replies, in.settle(g)...))
}

// sort decides on one batch and adds it to the group.
func (in *Intake) sort(g *group, key streamKey, m broker.Message) {
	h, body, err := payload.Unwrap(m.Payload)
	switch {
	case err != nil:
		in.bury(m, err)
		return
	case h.Site != key.site || h.Gateway != key.gateway || h.Stream != key.stream:
		in.bury(m, fmt.Errorf("its header is of %s/%s/%s", h.Site, h.Gateway, h.Stream))
		return
	case h.Gateway == LocalGateway:
		in.bury(m, errors.New("the hub's own facts do not come from outside"))
		return
	}
	mk := markKey{key, h.Epoch}
	st := in.lookup(mk)
	if st == nil {
		in.bury(m, fmt.Errorf("more than %d streams", maxStreams))
		return
	}
	mark, ok := g.marks[mk]
	if !ok {
		in.mu.Lock()
		mark = st.marks[h.Epoch]
		in.mu.Unlock()
		g.marks[mk] = mark
	}
	switch v, missing := judge(h, mark); v {
	case duplicate:
		g.counted = append(g.counted, func() { st.duplicates++ })
	case gap:
		g.again[mk] = true
		g.counted = append(g.counted, func() { st.gaps++ })
	case take:
		g.marks[mk] = h.Seq
		in.accept(g, st, h, body, m, int64(missing))
	}
}

// accept adds a batch to the group. One that cannot be read is buried but passed
// over: it would be sent again for ever, and stop all that follows.
func (in *Intake) accept(g *group, st *stream, h payload.Header, body []byte, m broker.Message, missing int64) {
	if missing > 0 {
		in.log.Warn("the gateway no longer has some batches", "site", h.Site, "gateway", h.Gateway, "stream", h.Stream, "batches", missing, "before", h.Seq)
		g.counted = append(g.counted, func() { st.missing += missing })
	}
	if _, _, _, err := payload.Decode(m.Payload); err != nil {
		in.bury(m, err)
		return
	}
	h.Received = in.o.Now().UTC()
	g.records = append(g.records, payload.Wrap(h, body))
}

func (in *Intake) write(ctx context.Context, s facility.Stream, g group) error {
	var marks []journal.Mark
	for mk, seq := range g.marks {
		if seq > in.markOf(mk) {
			marks = append(marks, journal.Mark{Key: mk.mark(mk.epoch), Seq: seq})
		}
	}
	if len(marks) == 0 {
		return nil
	}
	if s == facility.Telemetry && in.o.Journal.Fill() > telemetryFill {
		return errNoRoom
	}
	_, err := in.o.Journal.AppendMarked(ctx, marks, g.records...)
	return err
}

// settle takes over what is durable now, and says so.
func (in *Intake) settle(g group) (acks []broker.Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, count := range g.counted {
		count()
	}
	for mk, seq := range g.marks {
		st := in.stream(mk.streamKey)
		if st.epoch != mk.epoch {
			in.newEpoch(st, mk)
		}
		if seq > 0 {
			st.marks[mk.epoch] = max(st.marks[mk.epoch], seq)
		}
		acks = append(acks, in.ack(mk.streamKey, payload.Ack{Stream: mk.stream, Epoch: mk.epoch, Seq: seq, Again: g.again[mk]}))
	}
	return acks
}

func (in *Intake) newEpoch(st *stream, mk markKey) {
	_, known := st.marks[mk.epoch]
	switch {
	case known:
	case len(st.marks) == 0:
		in.log.Info("a new stream", "site", mk.site, "gateway", mk.gateway, "stream", string(mk.stream), "epoch", mk.epoch)
	default:
		in.log.Warn("A NEW EPOCH: the gateway's journal was damaged or replaced",
			"site", mk.site, "gateway", mk.gateway, "stream", string(mk.stream), "epoch", mk.epoch, "before", st.epoch)
	}
	st.epoch = mk.epoch
}

// lookup returns the stream of a mark, or nil when there are too many.
func (in *Intake) lookup(mk markKey) *stream {
	in.mu.Lock()
	defer in.mu.Unlock()
	st, ok := in.streams[mk.streamKey]
	switch {
	case !ok && len(in.streams) >= maxStreams:
		return nil
	case !ok:
		return in.stream(mk.streamKey)
	}
	return st
}

// stream returns the stream, new if need be. The caller holds in.mu.
func (in *Intake) stream(key streamKey) *stream {
	st, ok := in.streams[key]
	if !ok {
		st = &stream{marks: map[string]uint64{}}
		in.streams[key] = st
	}
	return st
}

func (in *Intake) markOf(mk markKey) uint64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.stream(mk.streamKey).marks[mk.epoch]
}

// bury keeps the beginning of a message that cannot be taken for somebody to
// look at.
func (in *Intake) bury(m broker.Message, why error) {
	excerpt := string(m.Payload[:min(len(m.Payload), maxExcerpt)])
	d := DeadLetter{At: in.o.Now().UTC(), Topic: m.Topic, Reason: why.Error(), Size: len(m.Payload), Excerpt: strings.ToValidUTF8(excerpt, "\uFFFD")}
	in.log.Error("a message cannot be taken", "topic", d.Topic, "reason", d.Reason, "bytes", d.Size)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.deadAll++
	if len(in.dead) == maxDead {
		in.dead = in.dead[1:]
	}
	in.dead = append(in.dead, d)
}

// status notes the state of a gateway. One that is retained was there before
// this connection: its sender may wait for a hub, and is told that one is here.
func (in *Intake) status(key gatewayKey, m broker.Message, s facility.Stream) []broker.Message {
	st, err := payload.ParseStatus(m.Payload)
	if err != nil {
		if len(m.Payload) > 0 && s == facility.Urgent { // empty: somebody removed it
			in.bury(m, err)
		}
		return nil
	}
	if s == facility.Urgent {
		in.noteStatus(key, st)
	}
	if !m.Retained || st.State != payload.Online {
		return nil
	}
	return []broker.Message{in.ack(streamKey{key.site, key.gateway, s}, payload.Ack{Stream: s, Again: true})}
}

func (in *Intake) noteStatus(key gatewayKey, st payload.Status) {
	in.mu.Lock()
	defer in.mu.Unlock()
	g, ok := in.gateways[key]
	if !ok && len(in.gateways) >= maxStreams {
		return
	}
	if !ok {
		g = &GatewayStats{Site: key.site, ID: key.gateway}
		in.gateways[key] = g
	}
	online := st.State == payload.Online
	if !ok || g.Online != online {
		g.Since, g.heard = in.o.Now().UTC(), in.o.Now()
		in.log.Info("gateway", "site", key.site, "gateway", key.gateway, "state", st.State)
	}
	if !st.Since.IsZero() {
		g.Since = st.Since
	}
	g.Online, g.Clock = online, st.Clock
	if st.Version != "" {
		g.Version = st.Version
	}
}

// complain logs a trouble with the journal when it is another one than before.
func (in *Intake) complain(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refused++
	if s := err.Error(); s != in.trouble {
		in.trouble = s
		in.log.Error("the journal takes nothing; the gateways keep it", "error", err)
	}
}

func (in *Intake) recovered() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.trouble != "" {
		in.trouble = ""
		in.log.Info("the journal takes facts again")
	}
}
