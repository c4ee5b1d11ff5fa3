package intake_test

import (
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/uplink"
)

func startHubOf(t *testing.T, path, url string) *hub {
	t.Helper()
	j, err := journal.Open(path, journal.Options{Cursors: []string{"consumer"}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := intake.New(intake.Options{
		Root: root, Site: site, URL: url, Journal: j, MinPause: 10 * time.Millisecond, MaxPause: 100 * time.Millisecond,
		Version: "test", Logger: discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, j: j, in: in, task: start(t, in.Run)}
	t.Cleanup(h.stop)
	return h
}

// TestTwoHubsOfOneSite: each fact is at one of them at least, at none twice, and each of
// them says that the other is there, until it is not.
func TestTwoHubsOfOneSite(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		path := filepath.Join(t.TempDir(), "second")
		first := startHubOf(t, filepath.Join(t.TempDir(), "first"), p.URL())
		e := startEdge(t, t.TempDir(), p.URL())
		e.facts(1, 50)
		first.expect(50)
		if hubs := first.in.Stats().Hubs; len(hubs) != 0 {
			t.Errorf("it sees %+v", hubs)
		}
		second := startHubOf(t, path, p.URL())
		for name, h := range map[string]*hub{"the first": first, "the second": second} {
			eventually(t, name+" sees the other", func() bool {
				hubs := h.in.Stats().Hubs
				return len(hubs) == 1 && hubs[0].Version == "test" && hubs[0].ID != ""
			})
		}
		e.facts(51, 200)
		e.drained()
		for _, s := range []facility.Stream{facility.Urgent, facility.Telemetry} {
			both := first.census(s)
			for n, times := range second.census(s) {
				if times != 1 {
					t.Errorf("the second has fact %d of %s %d times", n, s, times)
				}
				both[n] = max(both[n], times)
			}
			for n, times := range both {
				if times != 1 {
					t.Errorf("the first has fact %d of %s %d times", n, s, times)
				}
			}
			if len(both) != 200 {
				t.Errorf("they have %d facts of %s together", len(both), s)
			}
		}
		second.stop()
		eventually(t, "the first is alone again", func() bool { return len(first.in.Stats().Hubs) == 0 })
		p.Stop() // and with it what was said before
		p.Start()
		second = startHubOf(t, path, p.URL())
		first.stop()
		e.facts(201, 250)
		e.drained()
		seen := second.census(facility.Urgent)
		for n := 201; n <= 250; n++ {
			if seen[n] != 1 {
				t.Errorf("fact %d came %d times", n, seen[n])
			}
		}
		for _, g := range second.in.Stats().Gateways {
			if g.ID == intake.LocalGateway {
				t.Errorf("a hub counts as a gateway: %+v", g)
			}
		}
	})
}

// TestASessionIsKept: what the edge sent while no hub was there is with the broker, and
// the hub takes it though the edge is gone by then.
func TestASessionIsKept(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		path := filepath.Join(t.TempDir(), "hub")
		begin := func() *hub {
			t.Helper()
			j, err := journal.Open(path, journal.Options{Cursors: []string{"consumer"}})
			if err != nil {
				t.Fatal(err)
			}
			in, err := intake.New(intake.Options{
				Root: root, Site: site, URL: p.URL(), Journal: j, ClientID: "the-hub", KeepSession: true, Logger: discard(),
				MinPause: 10 * time.Millisecond, MaxPause: 100 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			h := &hub{t: t, j: j, in: in, task: start(t, in.Run)}
			t.Cleanup(h.stop)
			return h
		}
		h := begin()
		e := startEdgeWith(t, t.TempDir(), p.URL(), func(o *uplink.Options) { o.KeepSession = true })
		e.facts(1, 20)
		h.expect(20)
		e.drained()
		h.stop()
		e.facts(21, 24) // so few that they go in one batch of samples and urgent ones one by one
		eventually(t, "they are sent", func() bool {
			for _, s := range e.up.Stats() {
				if s.InFlight == 0 || s.Resent == 0 {
					return false
				}
			}
			return true
		})
		e.stop()
		h = begin()
		h.expect(24)
		if hubs := h.in.Stats().Hubs; len(hubs) != 0 {
			t.Errorf("it takes its own last words for another's: %+v", hubs)
		}
	})
	if _, err := intake.New(intake.Options{Root: root, URL: "tcp://127.0.0.1:1", Journal: &journal.Journal{}, KeepSession: true}); err == nil {
		t.Error("a session without a name is kept")
	}
}
