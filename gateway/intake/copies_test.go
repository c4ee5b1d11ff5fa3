package intake_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/brokertest"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/payload"
)

// census counts how often each fact of a stream came.
func (h *hub) census(s facility.Stream) map[int]int {
	h.t.Helper()
	seen := map[int]int{}
	for after := uint64(0); ; {
		recs, err := h.j.Read(after, 1<<20)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(recs) == 0 {
			return seen
		}
		for _, rec := range recs {
			after = rec.Seq
			head, readings, _, err := payload.Decode(rec.Body)
			if err != nil {
				h.t.Fatal(err)
			}
			for _, r := range readings {
				if head.Stream == s {
					seen[int(r.Value)]++
				}
			}
		}
	}
}

// expectEach waits until the facts 1..n of both streams are there, in any order, and
// checks that none came twice.
func (h *hub) expectEach(n int) {
	h.t.Helper()
	for _, s := range []facility.Stream{facility.Urgent, facility.Telemetry} {
		deadline := time.Now().Add(limit)
		for seen := h.census(s); ; seen = h.census(s) {
			for fact, times := range seen {
				if times != 1 || fact < 1 || fact > n {
					h.t.Fatalf("fact %d of %s came %d times", fact, s, times)
				}
			}
			if len(seen) == n {
				break
			}
			if time.Now().After(deadline) {
				var missing []int
				for i := 1; i <= n; i++ {
					if seen[i] == 0 {
						missing = append(missing, i)
					}
				}
				h.t.Fatalf("%d of %d facts of %s came; missing %v", len(seen), n, s, missing)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}

func (h *hub) stream(s facility.Stream) intake.StreamStats {
	for _, st := range h.in.Stats().Streams {
		if st.Gateway == gateway && st.Stream == s {
			return st
		}
	}
	return intake.StreamStats{}
}

// TestAnOldCopyWithNewFacts: a disk is put back as it was days ago, and makes facts
// before it meets the hub, which knows their numbers of others.
func TestAnOldCopyWithNewFacts(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		dir := t.TempDir()
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		e := startEdge(t, dir, p.URL())
		e.facts(1, 20)
		h.expectEach(20)
		e.drained()
		e.stop()
		copyFiles(t, dir, filepath.Join(dir, "copy"))
		e = startEdge(t, dir, p.URL())
		e.facts(21, 60)
		h.expectEach(60)
		e.drained()
		e.stop()
		p.Stop()
		e = startEdge(t, filepath.Join(dir, "copy"), p.URL())
		e.facts(61, 500)
		p.Start()
		h.expectEach(500)
		e.drained()
		if st := h.stream(facility.Telemetry); len(st.Copies) != 2 || st.Rivals != nil || st.Dropped != 0 {
			t.Errorf("stream %+v", st)
		}
	})
}

// TestTwoGatewaysFromOneDisk: a box is set up from the image of another, and both run.
// The broker lets in one at a time, as they have one name.
func TestTwoGatewaysFromOneDisk(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		dir := t.TempDir()
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		e := startEdge(t, dir, p.URL())
		e.facts(1, 20)
		h.expectEach(20)
		e.drained()
		e.stop()
		copyFiles(t, dir, filepath.Join(dir, "copy"))
		one, other := startEdge(t, dir, p.URL()), startEdge(t, filepath.Join(dir, "copy"), p.URL())
		for n := 20; n < 420; n += 20 {
			one.facts(n+1, n+10)
			other.facts(n+11, n+20)
			<-time.After(10 * time.Millisecond)
		}
		h.expectEach(420)
		one.drained()
		other.drained()
		st := h.stream(facility.Urgent)
		if len(st.Copies) < 2 {
			t.Errorf("it is not told that one journal is there twice: %+v", st)
		}
	})
}

// TestTwoGatewaysOfOneNameAtABroker end each other's connections, and yet everything of
// both arrives, and they are named.
func TestTwoGatewaysOfOneNameAtABroker(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		one, other := startEdge(t, t.TempDir(), p.URL()), startEdge(t, t.TempDir(), p.URL())
		n := 0
		eventually(t, "they are named", func() bool {
			one.facts(n+1, n+10)
			other.facts(n+11, n+20)
			n += 20
			return len(h.stream(facility.Urgent).Rivals) == 2
		})
		h.expectEach(n)
		one.drained()
		other.drained()
		if st := h.stream(facility.Telemetry); st.Copies != nil || st.Dropped != 0 {
			t.Errorf("stream %+v", st)
		}
	})
}

// TestAReplacedGateway has an empty disk and the name of the one before.
func TestAReplacedGateway(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		e := startEdge(t, t.TempDir(), p.URL())
		e.facts(1, 50)
		h.expectEach(50)
		e.drained()
		first := h.stream(facility.Urgent).Epoch
		e.stop()
		e = startEdge(t, t.TempDir(), p.URL())
		e.facts(51, 100)
		h.expectEach(100)
		e.drained()
		st := h.stream(facility.Urgent)
		if journal.Life(st.Epoch) == journal.Life(first) || st.Rivals != nil || st.Copies != nil || st.Dropped != 0 {
			t.Errorf("stream %+v after %s", st, first)
		}
	})
}

// TestManyRestarts: each start begins a run of its own; that so many are known does no
// harm, to an edge that restarts while nobody listens and to one that is heard.
func TestManyRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	p := brokertest.StartMosquitto(t) // mochi reads what is retained while it is written, which the race detector sees
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "j")
	const starts, more = 70, 20 // first more than the epochs that a hub keeps
	for n := range starts {
		e := startEdge(t, dir, p.URL())
		e.facts(n*10+1, n*10+10)
		e.collector.Flush(context.Background())
		e.stop()
	}
	h := startHub(t, path, p.URL(), journal.Options{})
	e := startEdge(t, dir, p.URL())
	h.expect(starts * 10)
	e.drained()
	for n := starts; n < starts+more; n++ {
		e.stop()
		e = startEdge(t, dir, p.URL())
		e.facts(n*10+1, n*10+10)
		if n%8 == 0 {
			h.stop()
			h = startHub(t, path, p.URL(), journal.Options{})
		}
	}
	h.expect((starts + more) * 10)
	e.drained()
	for _, s := range []facility.Stream{facility.Urgent, facility.Telemetry} {
		if st := h.stream(s); st.Rivals != nil || st.Copies != nil || st.Dropped != 0 {
			t.Errorf("stream %+v", st)
		}
	}
	runs := e.journals[facility.Telemetry].Runs()
	if of := h.stream(facility.Telemetry).Epoch; len(runs) != 1 || journal.Life(of) != journal.Life(runs[0].Epoch) {
		t.Errorf("runs %v, the hub has %s", runs, of)
	}
}
