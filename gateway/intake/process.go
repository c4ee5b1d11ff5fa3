package intake

import (
	"context"
	"errors"
	"fmt"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// errNoRoom says that the journal keeps the rest of its room for urgent facts.
var errNoRoom = errors.New("the journal keeps its last room for urgent facts")

// group is what one transaction takes, and what is to be said after it.
type group struct {
	records [][]byte
	urgent  []parcel // decoded, in order, for who wants to know before the disk does
	next    map[markKey]uint64
	again   map[markKey]bool
	late    map[markKey]uint64 // up to where there are late ones
	sent    map[markKey]moment // when the newest was sent, by its gateway's clock
	counted []func()           // what to count when the transaction stands
	facts   map[string]int64   // that came, by the count of the journal that says so
	letters []Letter
	passed  bool // one of the letters is passed over
}

type markKey struct {
	streamKey
	epoch string
}

// parcel is a batch on its way to people. A late one cannot go into the journal
// yet, because what precedes it did not.
type parcel struct {
	markKey
	header   payload.Header
	readings []facility.Reading
	taps     []facility.Tap
}

func newGroup() *group {
	return &group{next: map[markKey]uint64{}, again: map[markKey]bool{}, late: map[markKey]uint64{}, sent: map[markKey]moment{}, facts: map[string]int64{}}
}

// process takes messages into the journal and acknowledges them. An error ends
// the connection; that the journal cannot take them does not.
func (in *Intake) process(ctx context.Context, c *broker.Connection, s facility.Stream, messages []broker.Message) error {
	return publish(ctx, c, in.handle(ctx, s, messages))
}

// handle takes messages into the journal and returns what is to be said.
func (in *Intake) handle(ctx context.Context, s facility.Stream, messages []broker.Message) (replies []broker.Message) {
	g := newGroup()
	for _, m := range messages {
		site, gateway, what, ok := payload.ParseTopic(in.o.Root, m.Topic)
		switch {
		case !ok:
			in.bury(g, m, errors.New("its topic names no gateway"), false)
		case what == payload.TopicStatus && gateway == LocalGateway:
			if in.speaks(s) {
				replies = append(replies, in.peer(m)...)
			}
		case what == payload.TopicStatus:
			replies = append(replies, in.status(g, gatewayKey{site, gateway}, m, s)...)
		default:
			in.sort(g, streamKey{site, gateway, s}, m)
		}
	}
	wrote, err := in.write(ctx, s, g)
	switch {
	case err != nil:
		in.complain(string(s), err) // nobody is told that it is durable: it comes again
		return append(replies, in.ahead(g)...)
	case wrote:
		in.recovered(string(s))
		for mk := range g.late { // the disk takes facts again: those before must come first
			g.again[mk] = true
		}
		return append(replies, in.settle(g)...)
	}
	return append(append(replies, in.settle(g)...), in.ahead(g)...)
}

// sort decides on one batch and adds it to the group.
func (in *Intake) sort(g *group, key streamKey, m broker.Message) {
	h, body, err := payload.Unwrap(m.Payload)
	switch {
	case err != nil:
		in.bury(g, m, err, false)
		return
	case h.Site != key.site || h.Gateway != key.gateway || h.Stream != key.stream:
		in.bury(g, m, fmt.Errorf("its header is of %s/%s/%s", h.Site, h.Gateway, h.Stream), false)
		return
	case h.Gateway == LocalGateway:
		in.bury(g, m, errors.New("the hub's own facts do not come from outside"), false)
		return
	case len(h.Epoch) > maxEpoch:
		in.bury(g, m, fmt.Errorf("the name of its epoch is longer than %d bytes", maxEpoch), false)
		return
	}
	mk := markKey{key, h.Epoch}
	g.sent[mk] = moment{h.Boot, h.Up}
	st := in.lookup(key)
	if st == nil {
		in.bury(g, m, fmt.Errorf("more than %d streams", maxStreams), false)
		return
	}
	e := in.now(mk)
	mark, begun := g.next[mk]
	if !begun {
		mark = e.mark
		g.next[mk] = mark
	}
	v, missing := judge(h, mark)
	switch {
	case v == duplicate:
		g.counted = append(g.counted, func() { st.duplicates++ })
	case v == take:
		in.accept(g, mk, h, body, m, int64(missing))
	case e.stuck != "": // what is missing was here, and cannot be taken
	case h.Prev <= max(e.ahead, g.late[mk]) && in.troubled(key.stream):
		in.acceptLate(g, mk, h, m)
	default:
		g.again[mk] = true
		g.counted = append(g.counted, func() { st.gaps++ })
	}
}

// accept adds a batch to the group. One that cannot be read is buried but passed
// over: it would be sent again for ever, and stop all that follows. Only what a
// later program may be able to read is left with its gateway until there is one.
func (in *Intake) accept(g *group, mk markKey, h payload.Header, body []byte, m broker.Message, missing int64) {
	received := in.time()
	_, readings, taps, err := payload.DecodeAt(m.Payload, received)
	var broken *payload.Error
	if errors.As(err, &broken) && broken.Newer {
		err = fmt.Errorf("THE GATEWAY'S PROGRAM IS NEWER than this one, which cannot read what it sends; the gateway keeps it until this one is updated: %w", err)
		in.bury(g, m, err, false)
		in.note(mk, func(e *epoch) { e.stuck = err.Error() })
		return
	}
	g.next[mk] = h.Seq
	facts := int64(payload.Facts(body))
	g.facts[Arrived+mk.name()] += facts
	st := in.lookup(mk.streamKey)
	if missing > 0 {
		in.log.Warn("the gateway no longer has some batches", "site", h.Site, "gateway", h.Gateway, "stream", h.Stream, "batches", missing, "before", h.Seq)
		g.counted = append(g.counted, func() { st.missing += missing })
	}
	if err != nil {
		g.facts[Dead+mk.name()] += facts
		in.bury(g, m, err, true)
		return
	}
	g.counted = append(g.counted, func() {
		st.batches++
		st.readings += int64(len(readings))
		st.taps += int64(len(taps))
	})
	h.Received = received
	record := payload.Wrap(h, body)
	g.records = append(g.records, record)
	if in.o.Taking != nil {
		in.o.Taking(record, h, readings, taps)
	}
	if mk.stream == facility.Urgent {
		g.urgent = append(g.urgent, parcel{mk, h, readings, taps})
	}
}

// acceptLate adds a batch for people whose predecessors are known to them, and are
// not durable.
func (in *Intake) acceptLate(g *group, mk markKey, h payload.Header, m broker.Message) {
	received := in.time()
	_, readings, taps, err := payload.DecodeAt(m.Payload, received)
	if err != nil { // buried when it can be taken
		return
	}
	g.late[mk] = max(g.late[mk], h.Seq)
	h.Received = received
	g.urgent = append(g.urgent, parcel{mk, h, readings, taps})
}

// write makes the group durable: first what is buried, then what is taken with its
// marks.
func (in *Intake) write(ctx context.Context, s facility.Stream, g *group) (wrote bool, err error) {
	fresh, err := in.o.Letters.add(ctx, g.letters)
	for _, d := range fresh {
		in.log.Error("a message cannot be taken", "topic", d.Topic, "reason", d.Reason, "bytes", d.Size)
	}
	switch {
	case err != nil && g.passed: // nobody else would have it
		return false, err
	case err != nil:
		in.complain(deadLetters, err)
	case len(fresh) > 0:
		in.recovered(deadLetters)
	}
	marks := in.marks(g)
	if len(marks) == 0 {
		return false, nil
	}
	if s == facility.Telemetry {
		if in.o.Journal.Fill() > telemetryFill {
			return false, errNoRoom
		}
		if in.o.Room != nil {
			if err := in.o.Room(); err != nil {
				return false, err
			}
		}
	}
	in.mu.Lock()
	notes := in.notes[s]
	delete(in.notes, s)
	in.mu.Unlock()
	if _, err = in.o.Journal.AppendMarked(ctx, append(notes, marks...), g.records...); err != nil {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.notes[s] = append(notes[:len(notes):len(notes)], in.notes[s]...)
		return false, err
	}
	return true, nil
}

// marks are the high-water marks that the group moves, and once a day that it did.
func (in *Intake) marks(g *group) (marks []journal.Mark) {
	today := dayOf(in.o.Now())
	for mk, seq := range g.next {
		e := in.now(mk)
		if seq <= e.mark {
			continue
		}
		marks = append(marks, journal.Mark{Key: mk.mark(mk.epoch), Seq: seq})
		if e.day < today {
			marks = append(marks, journal.Mark{Key: mk.dayMark(mk.epoch), Seq: today})
		}
	}
	for name, n := range g.facts {
		marks = append(marks, journal.Mark{Key: name, Add: n})
	}
	return marks
}

// settle takes over what is durable now, and says so.
func (in *Intake) settle(g *group) (acks []broker.Message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, count := range g.counted {
		count()
	}
	for mk, seq := range g.next {
		in.advance(mk, seq)
		acks = append(acks, in.ack(mk.streamKey, in.timed(payload.Ack{Stream: mk.stream, Epoch: mk.epoch, Seq: seq, Again: g.again[mk]}, g.sent[mk])))
	}
	return acks
}

// advance moves the mark of an epoch. The caller holds in.mu.
func (in *Intake) advance(mk markKey, seq uint64) {
	if seq == 0 {
		return
	}
	st, now := in.stream(mk.streamKey), in.o.Now()
	e := in.epoch(mk)
	e.heard = now
	if seq <= e.mark {
		return
	}
	known := e.mark > 0
	if !known {
		in.newEpoch(st, mk)
	}
	e.mark, e.day, e.stuck = seq, max(e.day, dayOf(now)), ""
	if e.ahead <= seq {
		e.ahead = 0
	}
	before, copied := st.rivals(now), st.copies(now)
	st.heard(mk.epoch, now, known)
	if copies := st.copies(now); len(copies) > len(copied) {
		in.log.Error("A COPY OF A GATEWAY'S JOURNAL IS IN USE: its disk was put back as it was, or two gateways run from one disk; all are taken",
			"site", mk.site, "gateway", mk.gateway, "stream", string(mk.stream), "epochs", copies)
	}
	if rivals := st.rivals(now); before == nil && rivals != nil {
		in.log.Error("TWO GATEWAYS USE ONE NAME: give each a gateway.id of its own; until then both are taken, each in its order",
			"site", mk.site, "gateway", mk.gateway, "stream", string(mk.stream), "epochs", rivals)
	}
}

func (in *Intake) newEpoch(st *stream, mk markKey) {
	if len(st.epochs) == 1 {
		in.log.Info("a new stream", "site", mk.site, "gateway", mk.gateway, "stream", string(mk.stream), "epoch", mk.epoch)
		return
	}
	for name := range st.epochs {
		if name != mk.epoch && journal.Life(name) == journal.Life(mk.epoch) {
			in.log.Info("a gateway has started again, or sends a backlog beside what is live", "site", mk.site, "gateway", mk.gateway, "stream", string(mk.stream), "epoch", mk.epoch)
			return
		}
	}
	in.log.Warn("A NEW EPOCH: the gateway's journal was damaged or replaced",
		"site", mk.site, "gateway", mk.gateway, "stream", string(mk.stream), "epoch", mk.epoch, "epochs", len(st.epochs))
}

// ahead shows urgent facts to people that could not be made durable, and tells
// their gateway to keep them and go on.
func (in *Intake) ahead(g *group) (acks []broker.Message) {
	if in.o.Ahead == nil {
		return nil
	}
	stopped := map[markKey]bool{}
	for _, p := range g.urgent {
		if stopped[p.markKey] || p.header.Seq <= in.now(p.markKey).ahead {
			continue
		}
		if !in.o.Ahead(p.header, p.readings, p.taps) {
			stopped[p.markKey] = true
			continue
		}
		in.note(p.markKey, func(e *epoch) { e.ahead = p.header.Seq })
	}
	said := map[markKey]bool{}
	for _, p := range g.urgent {
		e := in.now(p.markKey)
		if e.ahead == 0 || said[p.markKey] {
			continue
		}
		said[p.markKey] = true
		acks = append(acks, in.ack(p.streamKey, in.timed(payload.Ack{Stream: p.stream, Epoch: p.epoch, Seq: e.mark, Held: e.ahead}, g.sent[p.markKey])))
	}
	return acks
}

// lookup returns a stream, new if need be, or nil when there are too many.
func (in *Intake) lookup(key streamKey) *stream {
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, ok := in.streams[key]; !ok && len(in.streams) >= maxStreams {
		return nil
	}
	return in.stream(key)
}

// stream returns the stream, new if need be. The caller holds in.mu.
func (in *Intake) stream(key streamKey) *stream {
	st, ok := in.streams[key]
	if !ok {
		st = &stream{epochs: map[string]*epoch{}}
		in.streams[key] = st
	}
	return st
}

// now is what is known of an epoch; the zero value when nothing is.
func (in *Intake) now(mk markKey) epoch {
	in.mu.Lock()
	defer in.mu.Unlock()
	if st, ok := in.streams[mk.streamKey]; ok {
		if e, ok := st.epochs[mk.epoch]; ok {
			return *e
		}
	}
	return epoch{}
}

// note changes what is known of an epoch.
func (in *Intake) note(mk markKey, change func(*epoch)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	change(in.epoch(mk))
}

// epoch returns the epoch, new if need be. The caller holds in.mu.
func (in *Intake) epoch(mk markKey) *epoch {
	st := in.stream(mk.streamKey)
	e, ok := st.epochs[mk.epoch]
	if !ok {
		now := in.o.Now()
		e = newEpoch(mk.epoch)
		e.day, e.heard = dayOf(now), now
		st.add(mk.epoch, e)
		in.forget(mk.streamKey, st.prune(now, mk.epoch))
	}
	return e
}

// bury keeps a message that cannot be taken for somebody to look at; passed says
// that its gateway is told to forget it.
func (in *Intake) bury(g *group, m broker.Message, why error, passed bool) {
	g.letters = append(g.letters, newLetter(m, why, passed, in.o.Now()))
	g.passed = g.passed || passed
}

func (in *Intake) troubled(s facility.Stream) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.trouble[string(s)] != ""
}

// deadLetters is what the trouble with keeping these is known by.
const deadLetters = "dead letters"

// complain logs a trouble with a file when it is another one than before.
func (in *Intake) complain(what string, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refused++
	if said := err.Error(); said != in.trouble[what] {
		in.trouble[what] = said
		in.log.Error("the hub cannot make durable what comes; the gateways keep it", "what", what, "error", err)
	}
}

func (in *Intake) recovered(what string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.trouble[what] != "" {
		delete(in.trouble, what)
		in.log.Info("what comes is made durable again", "what", what)
	}
}
