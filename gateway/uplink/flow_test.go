package uplink_test

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/broker"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
	"gengfu/gateway/uplink"
)

const limit = 3 * time.Minute

func openJournal(t *testing.T, path string, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// start runs something until the test ends.
func start(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, journal.ErrClosed) {
			t.Error(err)
		}
	})
}

func body(t *testing.T, n, readings int) []byte {
	t.Helper()
	rs := make([]facility.Reading, readings)
	for i := range rs {
		rs[i] = facility.Reading{
			Point: facility.PointID{Device: "meter", Quantity: "energy"}, Value: float64(n*readings + i),
			Time: time.Unix(1_800_000_000, int64(n*readings+i)), Quality: facility.Good,
		}
	}
	b, err := payload.AppendReadings(nil, rs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// arrivals follows the hub's journal: when each reading came, and whether each came
// once and in the order of its epoch.
type arrivals struct {
	t        *testing.T
	j        *journal.Journal
	after    uint64
	at       map[int]time.Time
	last     map[string]int
	messages int
}

func (a *arrivals) follow() {
	a.t.Helper()
	recs, err := a.j.Read(a.after, 1<<20)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, rec := range recs {
		a.after = rec.Seq
		a.messages++
		head, readings, _, err := payload.Decode(rec.Body)
		if err != nil {
			a.t.Fatal(err)
		}
		for _, r := range readings {
			n := int(r.Value)
			if _, twice := a.at[n]; twice {
				a.t.Fatalf("reading %d came twice", n)
			}
			if last, ok := a.last[head.Epoch]; ok && n != last+1 {
				a.t.Fatalf("reading %d after %d in epoch %s", n, last, head.Epoch)
			}
			a.at[n], a.last[head.Epoch] = rec.At, n
		}
	}
}

// until follows until the condition holds.
func (a *arrivals) until(what string, ok func() bool) {
	a.t.Helper()
	deadline := time.After(limit)
	for {
		grown := a.j.Grown()
		if a.follow(); ok() {
			return
		}
		select {
		case <-grown:
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			a.t.Fatalf("never: %s; %d readings came", what, len(a.at))
		}
	}
}

type site struct {
	edge, hub *journal.Journal
	up        *uplink.Uplink
	in        *intake.Intake
	arrived   *arrivals
}

// connect runs an edge of one stream of samples and a hub.
func connect(t *testing.T, edge *journal.Journal, o uplink.Options) *site {
	t.Helper()
	b, err := broker.Embed(broker.EmbeddedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &site{edge: edge, hub: openJournal(t, filepath.Join(t.TempDir(), "hub"), journal.Options{})}
	o.Site, o.Gateway, o.Root, o.URL = "s", "g", "r", b.URL()
	o.Streams = map[facility.Stream]*journal.Journal{facility.Telemetry: edge}
	o.MinPause, o.ResendAfter = 10*time.Millisecond, cmp.Or(o.ResendAfter, 500*time.Millisecond)
	if s.up, err = uplink.New(o); err != nil {
		t.Fatal(err)
	}
	if s.in, err = intake.New(intake.Options{Root: "r", URL: b.URL(), Journal: s.hub, MinPause: 10 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	s.arrived = &arrivals{t: t, j: s.hub, at: map[int]time.Time{}, last: map[string]int{}}
	start(t, s.in.Run)
	start(t, s.up.Run)
	return s
}

func edgeJournal(t *testing.T, path string) *journal.Journal {
	return openJournal(t, path, journal.Options{Evict: true, Sync: 20 * time.Millisecond, Cursors: []string{uplink.Cursor}})
}

// TestLiveReadingsOvertakeABacklog: a backlog that takes seconds on a thin line does
// not make live readings late, and all arrive once, each run of them in order.
func TestLiveReadingsOvertakeABacklog(t *testing.T) {
	const waiting, live, each = 600, 60, 10
	edge := edgeJournal(t, filepath.Join(t.TempDir(), "edge"))
	for n := range waiting {
		if _, err := edge.Append(t.Context(), body(t, n, each)); err != nil {
			t.Fatal(err)
		}
	}
	if err := edge.Wait(t.Context(), waiting-1); err != nil {
		t.Fatal(err)
	}
	life := edge.Epoch()
	s := connect(t, edge, uplink.Options{
		RateLimits:  map[facility.Stream]int64{facility.Telemetry: 150_000},
		ResendAfter: limit, // a machine that stands still for a moment is not to fill the line twice
	})
	s.arrived.until("the backlog is set apart", func() bool { return edge.Epoch() != life })
	made := map[int]time.Time{}
	for n := waiting; n < waiting+live; n++ {
		made[n] = time.Now()
		if _, err := edge.Append(t.Context(), body(t, n, each)); err != nil {
			t.Fatal(err)
		}
		<-time.After(20 * time.Millisecond)
	}
	s.arrived.until("all arrives", func() bool { return len(s.arrived.at) == (waiting+live)*each })
	// How late live readings are is told by how much of the backlog came meanwhile: that
	// stands still with the machine.
	done, meanwhile, during, before := s.arrived.at[waiting*each-1], 0, 0, 0
	for n, at := range made {
		came := s.arrived.at[n*each]
		if at.Before(done) {
			during++
		}
		if came.Before(done) {
			before++
		}
		passed := 0
		for m := range waiting {
			if old := s.arrived.at[m*each]; old.After(at) && old.Before(came) {
				passed++
			}
		}
		meanwhile = max(meanwhile, passed)
	}
	t.Logf("of %d live batches %d were made before the backlog had come, and %d came; at most %d of %d old ones came meanwhile", live, during, before, meanwhile, waiting)
	if during < live/2 || before < during*3/4 {
		t.Errorf("only %d of %d live batches overtook the backlog, %d of them made in time", before, live, during)
	}
	if meanwhile > waiting/3 {
		t.Errorf("%d of %d old batches came before a live one that was made", meanwhile, waiting)
	}
	if e := edge.Epoch(); e == life || journal.Life(e) != journal.Life(life) {
		t.Errorf("epochs %s, then %s: want a run of the same life", life, e)
	}
	if all := (waiting + live); s.arrived.messages > all/2 {
		t.Errorf("%d messages for %d batches: small ones were not joined", s.arrived.messages, all)
	}
	s.arrived.until("the edge's journal is empty", func() bool { return edge.Stats().Records == 0 })
	if st := s.in.Stats(); len(st.Streams) != 1 || st.Streams[0].Dropped != 0 {
		t.Errorf("the hub thinks that something was dropped: %+v", st.Streams)
	}
}

// TestABacklogSurvivesARestartOfTheEdge: the runs of sequences are in the file, so
// that what was sent live is not taken a second time.
func TestABacklogSurvivesARestartOfTheEdge(t *testing.T) {
	const waiting, live = 400, 20
	path := filepath.Join(t.TempDir(), "edge")
	first, err := journal.Open(path, journal.Options{Cursors: []string{uplink.Cursor}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range waiting {
		if _, err := first.Append(t.Context(), body(t, n, 1)); err != nil {
			t.Fatal(err)
		}
	}
	first.Split()
	for n := waiting; n < waiting+live; n++ {
		if _, err := first.Append(t.Context(), body(t, n, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	edge := edgeJournal(t, path)
	s := connect(t, edge, uplink.Options{})
	s.arrived.until("all arrives", func() bool { return len(s.arrived.at) == waiting+live })
	s.arrived.until("the edge's journal is empty", func() bool { return edge.Stats().Records == 0 })
	if len(s.arrived.last) != 2 {
		t.Errorf("epochs %v, want two", s.arrived.last)
	}
}
