package daemon

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/facility/porttest"
	"gengfu/gateway/clock"
)

// liar is this machine's clocks, with a wall clock that is off.
type liar struct {
	clock.Machine
	mu     sync.Mutex
	off    time.Duration
	synced bool
}

func newLiar(shows time.Time) *liar {
	return &liar{Machine: *clock.NewMachine(), off: time.Until(shows)}
}

func (l *liar) Read() clock.Reading {
	r := l.Machine.Read()
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Wall, r.Synced = r.Wall.Add(l.off), l.synced
	return r
}

func (l *liar) set(off time.Duration, synced bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.off, l.synced = off, synced
}

// timely checks that the history has each of the pressures with a time of this test
// and without a doubt.
func (b *box) timely(from time.Time, want ...float64) {
	b.t.Helper()
	p := facility.Point{ID: facility.PointID{Device: "pump-1", Quantity: "outlet_pressure"}}
	all, err := b.history.Readings(b.t.Context(), p, "pump", time.Unix(0, 0), time.Now().AddDate(100, 0, 0))
	if err != nil {
		b.t.Fatal(err)
	}
	seen := map[float64]bool{}
	for _, r := range all {
		if r.Time.Before(from) || r.Time.After(time.Now()) || r.Quality == facility.Uncertain {
			b.t.Errorf("%+v", r)
		}
		if r.Quality == facility.Good {
			seen[r.Value] = true
		}
	}
	for _, v := range want {
		if !seen[v] {
			b.t.Errorf("%v is not in the history: %v", v, seen)
		}
	}
}

// TestAnEdgeWithAWrongClock: an edge starts in 1970 and nobody tells it the time but
// its hub; then its clock is set, wrongly.
func TestAnEdgeWithAWrongClock(t *testing.T) {
	slave, address := simulatedPump(t)
	port := porttest.Port(t)
	hub := newBox(t, load(t, fmt.Sprintf(twoBoxes, "hub", address, fmt.Sprintf(`{url: embedded, listen: "127.0.0.1:%s"}`, port)), nil))
	edge := newBox(t, load(t, fmt.Sprintf(twoBoxes, "edge", address, fmt.Sprintf(`{url: "tcp://127.0.0.1:%s"}`, port)), nil))
	wrong := newLiar(time.Unix(1000, 0))
	edge.clock = wrong
	began := time.Now().Add(-time.Second)
	set := func(v float64) {
		t.Helper()
		if err := slave.Set("outlet_pressure", v); err != nil {
			t.Fatal(err)
		}
	}
	served := func() {
		t.Helper()
		from := slave.Served()
		eventually(t, 2*time.Minute, "the edge to read", func() bool { return slave.Served() > from+4 })
	}
	set(3.1)
	edge.start()
	served() // before there is a hub
	hub.start()
	hub.ready()
	hub.holds(3.1)
	c := client(t, nil)
	wrong.set(7*time.Hour, false)
	set(3.2)
	served()
	hub.holds(3.1, 3.2)
	wrong.set(-7*time.Hour, false)
	set(3.3)
	served()
	hub.holds(3.1, 3.2, 3.3)
	hub.timely(began, 3.1, 3.2, 3.3)
	if code, body := get(t, c, edge.url+"/metrics"); code != http.StatusOK || !strings.Contains(body, `gengfu_clock_state{state="stepped"} 1`) {
		t.Errorf("metrics: %d", code)
	}
	if code, body := get(t, c, edge.url+"/readyz"); code != http.StatusOK {
		t.Errorf("readyz: %d %s", code, body)
	}
}

// TestAWholeGatewayThatBeginsIn1970: what it reads before a time service comes waits for
// it, and so does its judge.
func TestAWholeGatewayThatBeginsIn1970(t *testing.T) {
	slave, address := simulatedPump(t)
	b := newBox(t, load(t, fmt.Sprintf(twoBoxes, "both", address, `{url: embedded}`), nil))
	wrong := newLiar(time.Unix(1000, 0))
	b.clock = wrong
	began := time.Now().Add(-time.Second)
	if err := slave.Set("outlet_pressure", 3.1); err != nil {
		t.Fatal(err)
	}
	if err := slave.Set("fault", 1); err != nil {
		t.Fatal(err)
	}
	b.start()
	from := slave.Served()
	eventually(t, 2*time.Minute, "the field to be read", func() bool { return slave.Served() > from+4 })
	wrong.set(0, true)
	b.ready()
	b.holds(3.1)
	b.timely(began, 3.1)
	eventually(t, 2*time.Minute, "an alarm of today", func() bool {
		all, err := b.ledger.Alarms(t.Context(), facility.AlarmFilter{Device: "pump-1"})
		if err != nil {
			t.Fatal(err)
		}
		return len(all) == 1 && all[0].RaisedAt.After(began) && all[0].RaisedAt.Before(time.Now())
	})
}

// TestAWholeGatewayWhoseClockIsSetWrongly: it goes on by the time that it had.
func TestAWholeGatewayWhoseClockIsSetWrongly(t *testing.T) {
	slave, address := simulatedPump(t)
	b := newBox(t, load(t, fmt.Sprintf(twoBoxes, "both", address, `{url: embedded}`), nil))
	wrong := newLiar(time.Now())
	wrong.set(0, true)
	b.clock = wrong
	began := time.Now().Add(-time.Second)
	b.start()
	b.ready()
	var all []float64
	for i, off := range []time.Duration{0, -7 * time.Hour, 7 * time.Hour, -30 * 365 * 24 * time.Hour} {
		wrong.set(off, off == 0)
		all = append(all, 3.1+float64(i)/10)
		if err := slave.Set("outlet_pressure", all[i]); err != nil {
			t.Fatal(err)
		}
		eventually(t, 2*time.Minute, fmt.Sprint(all[i], " in the history"), func() bool {
			got := b.pressures()
			return len(got) > 0 && got[len(got)-1] > all[i]-0.01
		})
	}
	b.timely(began)
}
