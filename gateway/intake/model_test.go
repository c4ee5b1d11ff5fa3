package intake

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// sender is a gateway as the model has it: a journal, and go-back-N without a limit.
type sender struct {
	name, epoch string
	held        []uint64 // sequences that are not acknowledged, in order
	last        uint64   // of the journal
	acked       uint64
	sent        uint64 // nothing is to be sent again up to here
}

func (s *sender) next() (h payload.Header, ok bool) {
	for i, seq := range s.held {
		if seq <= s.sent {
			continue
		}
		h := payload.Header{Site: "s", Gateway: s.name, Stream: facility.Urgent, Epoch: s.epoch, Seq: seq}
		if i > 0 {
			h.Prev = s.held[i-1]
		}
		s.sent = seq
		return h, true
	}
	return h, false
}

func (s *sender) take(a payload.Ack) {
	if a.Epoch != s.epoch {
		return
	}
	if a.Seq > s.acked {
		s.acked = a.Seq
		s.held = slices.DeleteFunc(s.held, func(seq uint64) bool { return seq <= a.Seq })
	}
	if a.Again && a.Seq >= s.acked {
		s.sent = s.acked
	}
}

// name of a fact.
func factName(epoch string, seq uint64) string { return fmt.Sprintf("%s-%d", epoch, seq) }

// world is a hub, some gateways and a network that does what it likes.
type world struct {
	t       *rapid.T
	dir     string
	j       *journal.Journal
	in      *Intake
	senders []*sender
	lives   int

	toHub   []broker.Message
	toEdge  []broker.Message
	lost    map[string]bool              // facts that their gateway dropped before they were acknowledged
	want    []string                     // facts that were made
	got     map[string][]string          // by consumer
	ahead   map[string]uint64            // by epoch: up to where people were told, in this life of the hub
	aheadOK bool                         // whether they can be told
	order   map[string]map[string]uint64 // by consumer and epoch: the last sequence
}

const roomForFew = 4 << 10

func (w *world) open() {
	var err error
	w.j, err = journal.Open(filepath.Join(w.dir, "hub"), journal.Options{MaxBytes: roomForFew, Cursors: []string{"judge", "history"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.begin()
}

// begin starts the intake anew, which knows what is in the journal only.
func (w *world) begin() {
	var err error
	w.ahead = map[string]uint64{}
	w.in, err = New(Options{Root: "r", URL: "tcp://127.0.0.1:1", Journal: w.j, Ahead: w.tell, Taking: w.taking})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) taking(record []byte, h payload.Header, readings []facility.Reading, taps []facility.Tap) {
	head, rs, ts, err := payload.Decode(record)
	if diff := cmp.Diff([]any{head, rs, ts, error(nil)}, []any{h, readings, taps, err}); diff != "" {
		w.t.Errorf("the record is another than what is said of it (-record +said):\n%s", diff)
	}
}

func (w *world) close() {
	if err := w.j.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// tell is where people are told of what is not durable.
func (w *world) tell(h payload.Header, readings []facility.Reading, _ []facility.Tap) bool {
	if !w.aheadOK {
		return false
	}
	if h.Seq <= w.ahead[h.Epoch] || len(readings) != 1 || readings[0].Point.Device != factName(h.Epoch, h.Seq) {
		w.t.Fatalf("people are told of %s/%d after %d: %+v", h.Epoch, h.Seq, w.ahead[h.Epoch], readings)
	}
	w.ahead[h.Epoch] = h.Seq
	return true
}

func (w *world) newLife(s *sender) {
	w.lives++
	for _, seq := range s.held {
		w.lost[factName(s.epoch, seq)] = true
	}
	*s = sender{name: s.name, epoch: fmt.Sprint("e", w.lives)}
}

func (w *world) make(s *sender) {
	s.last++
	s.held = append(s.held, s.last)
	w.want = append(w.want, factName(s.epoch, s.last))
}

func (w *world) send(s *sender) bool {
	h, ok := s.next()
	if !ok {
		return false
	}
	body, err := payload.AppendReadings(nil, []facility.Reading{{
		Point: facility.PointID{Device: factName(h.Epoch, h.Seq), Quantity: "q"}, Time: time.Unix(1_800_000_000, int64(h.Seq)), Quality: facility.Good,
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.toHub = append(w.toHub, broker.Message{Topic: payload.Topic("r", "s", s.name, "urgent"), Payload: payload.Wrap(h, body)})
	return true
}

// deliver hands messages to the hub at once, and what it says to the network.
func (w *world) deliver(messages []broker.Message) {
	w.toEdge = append(w.toEdge, w.in.handle(context.Background(), facility.Urgent, messages)...)
}

func (w *world) answer(m broker.Message) {
	a, err := payload.ParseAck(m.Payload)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range w.senders {
		if a.Epoch == s.epoch && a.Seq > s.last {
			w.t.Fatalf("%+v of a gateway that has made %d", a, s.last)
		}
		if payload.Topic("r", "s", s.name, payload.TopicAck) == m.Topic {
			s.take(a)
		}
	}
}

// consume lets a consumer read what there is and move its cursor.
func (w *world) consume(name string) {
	recs, err := w.j.Read(w.j.Cursor(name), 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, rec := range recs {
		h, readings, _, err := payload.Decode(rec.Body)
		if err != nil || len(readings) != 1 {
			w.t.Fatalf("%d readings, %v", len(readings), err)
		}
		if w.order[name][h.Epoch] >= h.Seq {
			w.t.Fatalf("%s gets %s/%d after %d", name, h.Epoch, h.Seq, w.order[name][h.Epoch])
		}
		w.order[name][h.Epoch] = h.Seq
		w.got[name] = append(w.got[name], readings[0].Point.Device)
	}
	if len(recs) > 0 {
		if err := w.j.Commit(name, recs[len(recs)-1].Seq); err != nil {
			w.t.Fatal(err)
		}
	}
}

// settle lets everything arrive.
func (w *world) settle() {
	for range 1000 {
		left := 0
		for _, s := range w.senders {
			s.sent = s.acked
			for w.send(s) {
			}
			left += len(s.held)
		}
		if left == 0 {
			return
		}
		for len(w.toHub) > 0 {
			n := min(len(w.toHub), 10)
			w.deliver(w.toHub[:n])
			w.toHub = w.toHub[n:]
			w.consume("judge")
			w.consume("history")
		}
		for _, m := range w.toEdge {
			w.answer(m)
		}
		w.toEdge = nil
	}
	w.t.Fatalf("it does not come to rest: %+v, %+v", w.senders, w.in.Stats())
}

// check compares what the consumers have with what was made.
func (w *world) check() {
	for name, got := range w.got {
		seen := map[string]bool{}
		for _, f := range got {
			if seen[f] {
				w.t.Fatalf("%s got %s twice", name, f)
			}
			seen[f] = true
		}
		for _, f := range w.want {
			if !seen[f] && !w.lost[f] {
				w.t.Fatalf("%s did not get %s", name, f)
			}
		}
		if len(seen) > len(w.want) {
			w.t.Fatalf("%s got %d facts of %d", name, len(seen), len(w.want))
		}
	}
}

// TestEachFactOnce lets a network, a disk and programs do what they like to two
// gateways, two of which use one name now and then, and to the hub: in the end each
// consumer has each fact once, in the order of its epoch.
func TestEachFactOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "intake")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		w := &world{
			t: rt, dir: dir, lost: map[string]bool{}, got: map[string][]string{"judge": nil, "history": nil},
			order: map[string]map[string]uint64{"judge": {}, "history": {}},
		}
		for _, name := range []string{"gw1", "gw2", "gw2"} {
			s := &sender{name: name}
			w.newLife(s)
			w.senders = append(w.senders, s)
		}
		w.open()
		defer func() { w.close() }()
		one := func(rt *rapid.T) *sender { return rapid.SampledFrom(w.senders).Draw(rt, "gateway") }
		from := func(rt *rapid.T, messages *[]broker.Message) (m broker.Message) {
			if len(*messages) == 0 {
				rt.Skip("nothing under way")
			}
			i := rapid.IntRange(0, len(*messages)-1).Draw(rt, "which")
			m = (*messages)[i]
			if rapid.IntRange(0, 3).Draw(rt, "stays under way") > 0 {
				*messages = slices.Delete(*messages, i, i+1)
			}
			return m
		}
		rt.Repeat(map[string]func(*rapid.T){
			"make": func(rt *rapid.T) {
				for range rapid.IntRange(1, 5).Draw(rt, "facts") {
					w.make(one(rt))
				}
			},
			"send": func(rt *rapid.T) {
				s := one(rt)
				for range rapid.IntRange(1, 8).Draw(rt, "batches") {
					w.send(s)
				}
			},
			"send again": func(rt *rapid.T) { s := one(rt); s.sent = s.acked },
			"deliver": func(rt *rapid.T) {
				var group []broker.Message
				for range rapid.IntRange(1, 6).Draw(rt, "messages") {
					if len(w.toHub) > 0 {
						group = append(group, from(rt, &w.toHub))
					}
				}
				w.deliver(group)
			},
			"lose":   func(rt *rapid.T) { from(rt, &w.toHub) },
			"answer": func(rt *rapid.T) { w.answer(from(rt, &w.toEdge)) },
			"lose an answer": func(rt *rapid.T) {
				from(rt, &w.toEdge)
			},
			"the hub restarts between effect and answer": func(rt *rapid.T) {
				if len(w.toHub) > 0 {
					w.deliver([]broker.Message{from(rt, &w.toHub)})
				}
				w.toEdge = nil
				w.begin()
			},
			"the hub opens its file again": func(*rapid.T) { w.close(); w.open() },
			"judge":                        func(*rapid.T) { w.consume("judge") },
			"history":                      func(*rapid.T) { w.consume("history") },
			"people can be told or not":    func(rt *rapid.T) { w.aheadOK = rapid.Bool().Draw(rt, "can be") },
			"evict": func(rt *rapid.T) {
				if s := one(rt); len(s.held) > 0 {
					w.lost[factName(s.epoch, s.held[0])] = true
					s.held = s.held[1:]
				}
			},
			"a gateway is replaced": func(rt *rapid.T) {
				if rapid.IntRange(0, 5).Draw(rt, "seldom") == 0 {
					w.newLife(one(rt))
				}
			},
			"": func(*rapid.T) { w.durable() },
		})
		w.settle()
		w.consume("judge")
		w.consume("history")
		w.check()
	})
}

// durable is true at every moment: what is acknowledged is in the journal or was
// dropped by its gateway.
func (w *world) durable() {
	marks := w.j.Marks()
	for _, s := range w.senders {
		key := streamKey{"s", s.name, facility.Urgent}
		if mark := marks[key.mark(s.epoch)]; s.acked > mark {
			w.t.Fatalf("%s was told %d of %s, and %d is durable", s.name, s.acked, s.epoch, mark)
		}
	}
}
