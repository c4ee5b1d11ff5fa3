package intake_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/brokertest"
	"gengfu/gateway/intake"
	"gengfu/gateway/journal"
	"gengfu/gateway/uplink"
)

// startQuickHub is a hub that notices soon when it is deaf.
func startQuickHub(t *testing.T, url string, patience time.Duration) *hub {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "j"), journal.Options{Cursors: []string{"consumer"}})
	if err != nil {
		t.Fatal(err)
	}
	in, err := intake.New(intake.Options{
		Root: root, Site: site, URL: url, Journal: j, MinPause: 10 * time.Millisecond, MaxPause: 100 * time.Millisecond,
		Silence: 400 * time.Millisecond, Patience: patience, Logger: discard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{t: t, j: j, in: in, task: start(t, in.Run)}
	t.Cleanup(h.stop)
	return h
}

// damage changes a letter of what is said as often as it is found, so many times.
func damage(p *brokertest.Proxy, said string, times int) (left func() int) {
	done := make(chan int, 1)
	done <- times
	p.Tamper(func(piece []byte) {
		n := <-done
		if at := bytes.Index(piece, []byte(said)); at >= 0 && n > 0 {
			piece[at+len(said)-1] ^= 1
			n--
		}
		done <- n
	})
	return func() int {
		n := <-done
		done <- n
		return n
	}
}

// TestASubscriptionIsDamagedOnItsWay: the broker confirms another filter than was
// meant, and answers every ping. Whoever is deaf so says it again.
func TestASubscriptionIsDamagedOnItsWay(t *testing.T) {
	for what, said := range map[string]string{"the hub's to samples": "+/telemetry", "the hub's to taps": "+/urgent", "the hub's to status": "+/status", "the edge's": gateway + "/ack"} {
		t.Run(what, func(t *testing.T) {
			onBrokers(t, func(t *testing.T, p post) {
				way := brokertest.NewProxy(t, p.Addr())
				left := damage(way, said, 2) // a status is subscribed to on both connections, and so are acknowledgements
				h := startQuickHub(t, way.URL(), limit)
				e := startEdge(t, t.TempDir(), way.URL())
				e.facts(1, 50)
				h.expect(50)
				e.drained()
				eventually(t, "the gateway is online", func() bool {
					g := h.in.Stats().Gateways
					return len(g) == 1 && g[0].Online
				})
				if n := left(); n != 0 {
					t.Errorf("%d of 2 were not said", n)
				}
				if n := way.Taken(); n != 4 {
					t.Errorf("%d connections, want the first 4", n)
				}
			})
		})
	}
}

// TestAHubOnAHalfOpenConnection comes back though it says nothing itself.
func TestAHubOnAHalfOpenConnection(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		way := brokertest.NewProxy(t, p.Addr())
		h := startQuickHub(t, way.URL(), time.Second)
		e := startEdge(t, t.TempDir(), p.URL())
		e.facts(1, 20)
		h.expect(20)
		e.drained()
		way.Deafen()
		began := time.Now()
		e.facts(21, 40)
		h.expect(40)
		t.Logf("after %v", time.Since(began).Round(time.Millisecond))
	})
}

// TestAnEdgeOnAHalfOpenConnection connects anew when the broker owes confirmations, and
// does not when only the hub is away.
func TestAnEdgeOnAHalfOpenConnection(t *testing.T) {
	onBrokers(t, func(t *testing.T, p post) {
		way := brokertest.NewProxy(t, p.Addr())
		h := startHub(t, filepath.Join(t.TempDir(), "j"), p.URL(), journal.Options{})
		e := startEdgeWith(t, t.TempDir(), way.URL(), func(o *uplink.Options) { o.Patience = 500 * time.Millisecond })
		e.facts(1, 20)
		h.expect(20)
		e.drained()
		way.Deafen()
		began := time.Now()
		e.facts(21, 40)
		h.expect(40)
		t.Logf("after %v", time.Since(began).Round(time.Millisecond))
		e.drained()
		taken := way.Taken()
		h.stop()
		e.facts(41, 42)
		resent := func() (n int64) {
			for _, s := range e.up.Stats() {
				if s.Stream == facility.Urgent {
					n = s.Resent
				}
			}
			return n
		}
		before := resent()
		eventually(t, "it is sent again and again", func() bool { return resent() >= before+4 })
		if n := way.Taken(); n != taken {
			t.Errorf("%d more connections while the hub is away", n-taken)
		}
	})
}
