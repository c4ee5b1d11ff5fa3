package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// desk is an intake without a broker, whose clock the test moves.
type desk struct {
	*Intake
	t   *testing.T
	dir string
	now time.Time
	j   *journal.Journal
	out *Letters
	log bytes.Buffer

	full     error // why the disk keeps its last room
	told     []uint64
	tellable bool
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), tellable: true}
	d.open()
	t.Cleanup(d.close)
	return d
}

func (d *desk) open() {
	d.t.Helper()
	var err error
	if d.j, err = journal.Open(filepath.Join(d.dir, "hub.db"), journal.Options{MaxBytes: 64 << 10, Cursors: []string{"all"}}); err != nil {
		d.t.Fatal(err)
	}
	if d.out, err = OpenLetters(filepath.Join(d.dir, "letters.db"), nil, nil); err != nil {
		d.t.Fatal(err)
	}
	d.Intake, err = New(Options{
		Root: "r", Site: "s", URL: "tcp://127.0.0.1:1", Journal: d.j, Letters: d.out,
		Logger: slog.New(slog.NewTextHandler(&d.log, nil)), Now: func() time.Time { return d.now },
		Room: func() error { return d.full },
		Ahead: func(h payload.Header, _ []facility.Reading, _ []facility.Tap) bool {
			if d.tellable {
				d.told = append(d.told, h.Seq)
			}
			return d.tellable
		},
		Taking: func(record []byte, h payload.Header, readings []facility.Reading, taps []facility.Tap) {
			sameAs(d.t, record, h, readings, taps)
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// sameAs checks that a record holds what is said of it.
func sameAs(t *testing.T, record []byte, h payload.Header, readings []facility.Reading, taps []facility.Tap) {
	t.Helper()
	head, rs, ts, err := payload.Decode(record)
	if diff := cmp.Diff([]any{head, rs, ts, error(nil)}, []any{h, readings, taps, err}); diff != "" {
		t.Errorf("the record is another than what is said of it (-record +said):\n%s", diff)
	}
}

func (d *desk) close() {
	if err := errors.Join(d.j.Close(), d.out.Close()); err != nil {
		d.t.Error(err)
	}
}

func (d *desk) restart() { d.close(); d.open() }

// header is that of a batch of the gateway gw's urgent stream.
func header(epoch string, prev, seq uint64) payload.Header {
	return payload.Header{Site: "s", Gateway: "gw", Stream: facility.Urgent, Epoch: epoch, Prev: prev, Seq: seq}
}

func message(h payload.Header, bodies ...string) broker.Message {
	var raw [][]byte
	for _, b := range bodies {
		raw = append(raw, []byte(b))
	}
	return broker.Message{Topic: payload.Topic("r", "s", "gw", string(h.Stream)), Payload: payload.Wrap(h, raw...)}
}

const good = `{"bt":1800000000,"n":"pump/fault","v":1}`

// take hands messages over and returns what is answered, in short.
func (d *desk) take(messages ...broker.Message) string {
	d.t.Helper()
	stream := facility.Urgent
	if len(messages) > 0 && strings.HasSuffix(messages[0].Topic, "telemetry") {
		stream = facility.Telemetry
	}
	var words []string
	for _, m := range d.handle(d.t.Context(), stream, messages) {
		a, err := payload.ParseAck(m.Payload)
		if err != nil {
			d.t.Fatal(err)
		}
		word := fmt.Sprint(a.Epoch, ":", a.Seq)
		if a.Again {
			word += " again"
		}
		if a.Held > 0 {
			word += fmt.Sprint(" held ", a.Held)
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func (d *desk) want(what, got, want string) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("%s: answered %q, want %q", what, got, want)
	}
}

func TestCases(t *testing.T) {
	d := newDesk(t)
	d.want("the first", d.take(message(header("e", 0, 1), good)), "e:1")
	d.want("again", d.take(message(header("e", 0, 1), good)), "e:1")
	d.want("too early", d.take(message(header("e", 2, 3), good)), "e:1 again")
	d.want("in the wrong order", d.take(message(header("e", 2, 3), good), message(header("e", 1, 2), good)), "e:2 again")
	d.want("after an eviction", d.take(message(header("e", 0, 9), good)), "e:9")
	d.want("broken", d.take(message(header("e", 9, 10), `{"n":"pump/fault","v":NaN}`)), "e:10")
	d.want("too large", d.take(message(header("e", 10, 11), good, strings.Repeat(" ", payload.MaxBytes))), "e:11")
	d.want("of another", d.take(message(payload.Header{Site: "x", Gateway: "gw", Stream: facility.Urgent, Epoch: "e", Seq: 12}, good)), "")
	d.want("of the hub itself", d.take(broker.Message{
		Topic:   payload.Topic("r", "s", LocalGateway, "urgent"),
		Payload: payload.Wrap(payload.Header{Site: "s", Gateway: LocalGateway, Stream: facility.Urgent, Epoch: "e", Seq: 12}, []byte(good)),
	}), "")
	d.want("of an endless name", d.take(message(header(strings.Repeat("e", maxEpoch+1), 0, 1), good)), "")
	d.want("of a replaced gateway", d.take(message(header("f", 0, 1), good)), "f:1")
	if s := d.Stats(); s.DeadLetters != 5 || len(s.Streams) != 1 {
		t.Errorf("stats %+v", s)
	}
	st := d.Stats().Streams[0]
	if st.Duplicates != 1 || st.Gaps != 2 || st.Dropped != 6 || st.Batches != 4 || st.Readings != 4 || st.Rivals != nil || st.Epoch != "f" {
		t.Errorf("stream %+v", st)
	}
	d.restart()
	d.want("after a restart", d.take(message(header("e", 0, 11), good), message(header("f", 0, 2), good)), "e:11, f:2")
}

// TestALaterVersion is left with its gateway: this program cannot read it, the next
// one can.
func TestALaterVersion(t *testing.T) {
	for name, later := range map[string]broker.Message{
		"a fact":         message(header("e", 1, 2), good, `{"n":"pump/fault","v":1,"scale_":10}`),
		"all that is in": {Topic: "r/s/gw/urgent", Payload: []byte(`[{"bver":11,"bn":"urn:gengfu:s:gw:","n":"batch"}]`)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.take(message(header("e", 0, 1), good))
			readable := strings.Contains(string(later.Payload), `"v":2`)
			for range 3 {
				want := ""
				if readable {
					want = "e:1" // and not to send it again at once
				}
				d.want("it", d.take(later), want)
			}
			if readable {
				d.want("what follows", d.take(message(header("e", 2, 3), good)), "e:1")
				if st := d.Stats().Streams[0]; !strings.Contains(st.Stuck, "NEWER") {
					t.Errorf("stream %+v", st)
				}
			}
			dead, all := d.out.newest()
			if all != 3 || len(dead) != 1 || dead[0].Times != 3 || !strings.Contains(dead[0].Reason, "later version") {
				t.Errorf("%d dead letters: %+v", all, dead)
			}
			d.want("the same by an older program", d.take(message(header("e", 1, 2), good)), "e:2")
			if st := d.Stats().Streams[0]; st.Stuck != "" {
				t.Errorf("stream %+v", st)
			}
		})
	}
}

func TestTwoGatewaysOfOneName(t *testing.T) {
	d := newDesk(t)
	for n := range uint64(6) {
		for _, epoch := range []string{"0190-a", "0191-b"} {
			d.now = d.now.Add(10 * time.Second)
			d.want("each has its own sequence", d.take(message(header(epoch, 0, n+1), good)), fmt.Sprint(epoch, ":", n+1))
			d.take(message(header(epoch, 0, n+1), good)) // again
		}
	}
	st := d.Stats().Streams[0]
	if !slices.Equal(st.Rivals, []string{"0190-a", "0191-b"}) || st.Batches != 12 || st.Dropped != 0 {
		t.Errorf("stream %+v", st)
	}
	if n := strings.Count(d.log.String(), "TWO GATEWAYS USE ONE NAME"); n != 1 {
		t.Errorf("said %d times", n)
	}
	d.now = d.now.Add(rivalsWithin)
	if st := d.Stats().Streams[0]; st.Rivals != nil {
		t.Errorf("one of them is gone: %+v", st)
	}
}

// TestAReplacedGatewayIsNoRival, whatever of the old one comes late.
func TestAReplacedGatewayIsNoRival(t *testing.T) {
	d := newDesk(t)
	d.take(message(header("a", 0, 1), good))
	d.take(message(header("b", 0, 1), good))
	d.take(message(header("a", 0, 2), good))
	for n := range uint64(5) {
		d.take(message(header("b", 0, n+2), good))
	}
	if st := d.Stats().Streams[0]; st.Rivals != nil {
		t.Errorf("stream %+v", st)
	}
	if n := strings.Count(d.log.String(), "A NEW EPOCH"); n != 1 {
		t.Errorf("the new epoch is told %d times", n)
	}
}

// TestABacklogOfManyStarts: a gateway sends what is live first, then what waited from
// hundreds of starts, and then all of it again, as it was ended before it heard that
// the hub has it. Whatever came of others meanwhile, and whether the hub restarted,
// nothing is taken twice.
func TestABacklogOfManyStarts(t *testing.T) {
	for _, starts := range []int{200, 2 * maxEpochs} {
		for _, restarts := range []bool{false, true} {
			t.Run(fmt.Sprint(starts, restarts), func(t *testing.T) {
				d := newDesk(t)
				life := "0193a0c0-0000-7000-8000-000000000000"
				name := func(n int) string { return fmt.Sprintf("%s.%014x-%08x", life, n, n) }
				send := func(n int) {
					d.take(message(header(name(n), 0, uint64(n)), good))
					d.now = d.now.Add(time.Second)
					if err := d.j.Commit("all", d.j.Last()); err != nil {
						t.Fatal(err)
					}
				}
				send(starts + 1) // what is live
				for n := 1; n <= starts; n++ {
					send(n)
				}
				taken := d.j.Last()
				if taken != uint64(starts+1) {
					t.Fatalf("%d of %d are taken", taken, starts+1)
				}
				if restarts {
					d.restart()
				}
				for n := starts + 1; n > 0; n-- {
					send(n)
				}
				st := d.Stats().Streams[0]
				if d.j.Last() != taken || st.Duplicates != int64(starts+1) || st.Copies != nil || st.Rivals != nil {
					t.Errorf("%d more are taken: %+v", d.j.Last()-taken, st)
				}
			})
		}
	}
}

// TestCopiesAreSeenAmongManyEpochs: which epochs share sequences is found when one of
// them begins, and when one grows into another.
func TestCopiesAreSeenAmongManyEpochs(t *testing.T) {
	d := newDesk(t)
	name := func(first uint64) string { return fmt.Sprintf("life.%014x-%08x", first, first) }
	for n := range uint64(50) {
		d.take(message(header(name(100*n+1), 0, 100*n+1), good))
	}
	d.take(message(header(name(201), 0, 300), good))
	if st := d.Stats().Streams[0]; st.Copies != nil {
		t.Fatalf("of one journal: %+v", st)
	}
	d.take(message(header(name(201), 0, 301), good)) // which another has given
	if got := d.Stats().Streams[0].Copies; !slices.Equal(got, []string{name(201), name(301)}) {
		t.Errorf("one that grows: %v", got)
	}
	d.take(message(header(name(296), 0, 296), good))
	if got := d.Stats().Streams[0].Copies; !slices.Equal(got, []string{name(201), name(296), name(301)}) {
		t.Errorf("one that begins: %v", got)
	}
}

func TestEpochsAreForgotten(t *testing.T) {
	d := newDesk(t)
	for n := range 2 * maxEpochs {
		d.take(message(header(fmt.Sprintf("e%03d", n), 0, 1), good))
		d.now = d.now.Add(10 * time.Second)
		if err := d.j.Commit("all", d.j.Last()); err != nil {
			t.Fatal(err)
		}
	}
	kept := func() (n int) {
		for mark := range d.j.Marks() {
			if _, _, ok := parseMark(mark); ok {
				n++
			}
		}
		return n
	}
	if n := kept(); n > maxEpochs+1 {
		t.Errorf("%d epochs are kept", n)
	}
	if all := d.standings(facility.Urgent); len(all) != youngest {
		t.Errorf("a hub that comes tells of %d epochs", len(all))
	} else if a, err := payload.ParseAck(all[youngest-1].Payload); err != nil || a.Epoch != fmt.Sprintf("e%03d", 2*maxEpochs-1) || a.Seq != 1 || !a.Again {
		t.Errorf("the youngest is %+v, %v", a, err)
	}
	d.want("one that is kept", d.take(message(header(fmt.Sprintf("e%03d", 2*maxEpochs-5), 0, 1), good)), fmt.Sprintf("e%03d:1", 2*maxEpochs-5))
	d.now = d.now.Add((rememberBy + 2) * day)
	d.restart()
	d.take(message(header("new", 0, 1), good))
	if m := d.j.Marks(); len(m) != 2 {
		t.Errorf("after a quarter of a year: %v", m)
	}
	if s := d.Stats().Streams; len(s) != 1 || s[0].Epoch != "new" {
		t.Errorf("streams %+v", s)
	}
}

// TestADiskThatTakesNothing: people are told at once, and the gateway keeps all
// until it is durable.
func TestADiskThatTakesNothing(t *testing.T) {
	d := newDesk(t)
	d.take(message(header("e", 0, 1), good))
	filler := make([]byte, 60<<10)
	if _, err := d.j.Append(t.Context(), filler); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat(good+",", 99) + good
	d.want("one", d.take(message(header("e", 0, 2), long)), "e:1 held 2")
	d.want("past it", d.take(message(header("e", 2, 3), long), message(header("e", 3, 4), long)), "e:1, e:1 held 4")
	d.want("one that is missing", d.take(message(header("e", 5, 6), long)), "e:1 again")
	d.want("all again", d.take(message(header("e", 0, 2), long), message(header("e", 2, 3), long)), "e:1 held 4")
	d.tellable = false
	d.want("a judge that is busy", d.take(message(header("e", 4, 5), long)), "e:1, e:1 held 4")
	if fmt.Sprint(d.told) != "[2 3 4]" {
		t.Errorf("people were told %v", d.told)
	}
	if s := d.Stats(); s.Streams[0].Held != 4 || s.Trouble["urgent"] == "" || d.Quiet(d.now.Add(time.Hour)) {
		t.Errorf("stats %+v", s)
	}
	if err := d.j.Commit("all", d.j.Last()); err != nil {
		t.Fatal(err)
	}
	if _, err := d.j.AppendMarked(t.Context(), []journal.Mark{{Key: "@x", Seq: 1}}); err != nil { // the room is there with the next commit
		t.Fatal(err)
	}
	d.want("past it, until the first comes again", d.take(message(header("e", 4, 5), long)), "e:1, e:1 held 4")
	d.want("again from the first", d.take(message(header("e", 0, 2), long)), "e:2")
	d.want("and with all that follow", d.take(message(header("e", 2, 3), long), message(header("e", 3, 4), long)), "e:4")
	if s := d.Stats(); s.Streams[0].Held != 0 || len(s.Trouble) != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestSamplesLeaveTheLastRoom(t *testing.T) {
	d := newDesk(t)
	d.full = errors.New("little is left")
	sample := header("e", 0, 1)
	sample.Stream = facility.Telemetry
	d.want("a sample", d.take(message(sample, good)), "")
	d.want("a fault", d.take(message(header("e", 0, 1), good)), "e:1")
	if s := d.Stats(); s.Trouble["telemetry"] != "little is left" || s.Trouble["urgent"] != "" {
		t.Errorf("trouble %v", s.Trouble)
	}
	d.full = nil
	d.want("a sample, with room", d.take(message(sample, good)), "e:1")
}

func TestDeadLettersAreKeptWithinBounds(t *testing.T) {
	d := newDesk(t)
	broken := func(n int) broker.Message {
		return broker.Message{Topic: "r/s/gw/urgent", Payload: fmt.Appendf(nil, "%d\xff%s", n, strings.Repeat("x", 2*maxHead))}
	}
	const many = maxLetters + 500
	for n := 0; n < many; n += groupLen {
		var group []broker.Message
		for i := n; i < min(n+groupLen, many); i++ {
			group = append(group, broken(i))
		}
		d.want("a broken one", d.take(append(group, broken(min(n+groupLen, many)-1))...), "") // the last twice
	}
	d.restart()
	var out bytes.Buffer
	if err := d.out.Export(&out); err != nil {
		t.Fatal(err)
	}
	var all []Letter
	for dec := json.NewDecoder(&out); dec.More(); {
		var l Letter
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	if len(all) == 0 || len(all) > maxLetters {
		t.Fatalf("%d are kept", len(all))
	}
	size := 0
	for i, l := range all {
		size += len(l.Body)
		if want := broken(many - len(all) + i).Payload; !bytes.Equal(l.Body, want[:maxHead]) || l.Size != len(want) || l.Reason == "" || l.Topic != "r/s/gw/urgent" {
			t.Fatalf("letter %d of %d: %+v", i, len(all), l.DeadLetter)
		}
	}
	if size > maxLettersBytes {
		t.Errorf("%d bytes", size)
	}
	shown := d.Stats().Dead
	if len(shown) != maxShown || shown[maxShown-1].Excerpt[:4] != fmt.Sprint(many-1) {
		t.Errorf("%d are shown, the last %+v", len(shown), shown[len(shown)-1])
	}
}

// TestTheOnlyCopyIsKeptWhole: a batch that is passed over is no longer with its
// gateway.
func TestTheOnlyCopyIsKeptWhole(t *testing.T) {
	d := newDesk(t)
	m := message(header("e", 0, 1), good, `{"n":"no point","v":1}`, strings.Repeat(good+",", 2000)+good)
	d.want("it", d.take(m), "e:1")
	err := d.out.Each(func(l Letter) error {
		if !bytes.Equal(l.Body, m.Payload) {
			t.Errorf("%d bytes of %d", len(l.Body), len(m.Payload))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := d.out.Close(); err != nil { // it takes nothing any more
		t.Fatal(err)
	}
	d.want("another", d.take(message(header("e", 1, 2), `{"n":"no point","v":1}`)), "")
	d.want("a good one", d.take(message(header("e", 1, 2), good)), "e:2")
}
