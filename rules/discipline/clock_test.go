package discipline_test

import (
	"fmt"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules/discipline"
)

// A backlog of one gateway beside what is live: it is told now, and never before its
// turn.
func TestWhatHappenedBeforeIsToldNow(t *testing.T) {
	l := newLife(estate(t, 3))
	l.raise(time.Hour, discipline.Event{Key: "live", Device: "a0", Priority: facility.P3})
	l.raise(0, discipline.Event{Key: "late", Device: "a1", Priority: facility.P3})
	end := start.Add(time.Hour + 15*time.Second)
	l.carry(l.control.Advance(end.Add(-1)), end)
	if len(l.tell) != 0 {
		t.Fatalf("told too early: %v", l.tell)
	}
	l.carry(l.control.Advance(end), end)
	if len(l.tell) != 1 || len(l.tell[0].Alarms) != 2 || !l.tell[0].At.Equal(end) {
		t.Fatalf("told %v", l.tell)
	}
}

// A clock that was a year ahead keeps nobody waiting for a year.
func TestTheClockIsSetBack(t *testing.T) {
	l := newLife(estate(t, 3))
	year := 365 * 24 * time.Hour
	for n := range 12 {
		l.raise(year, discipline.Event{Key: fmt.Sprint("k", n), Device: "a0", Priority: facility.P2})
	}
	l.carry(l.control.Advance(start.Add(year+time.Minute)), start.Add(year))
	l.raise(year+2*time.Minute, discipline.Event{Key: "waits", Device: "a1", Priority: facility.P3})
	if _, flood := l.control.Flood(); !flood || len(l.tell) != 1 {
		t.Fatalf("before: flood %v, told %v", flood, l.tell)
	}
	l.control.Rebase(start)
	l.raise(0, discipline.Event{Key: "new", Device: "a2", Priority: facility.P1})
	end := start.Add(11 * time.Minute)
	l.carry(l.control.Advance(end), end)
	if _, flood := l.control.Flood(); flood || !tells(l.tell, "waits") || !tells(l.tell, "new") || len(l.tell) != 3 {
		t.Fatalf("after: flood %v, told %v", flood, l.tell)
	}
}

// What nobody was told of when it was suppressed is said so: the life cycle must not
// think that people know.
func TestUntold(t *testing.T) {
	l := newLife(estate(t, 3))
	l.raise(0, discipline.Event{Key: "early", Device: "a0", Priority: facility.P3})
	l.carry(l.control.Advance(start.Add(15*time.Second)), start.Add(15*time.Second))
	l.raise(16*time.Second, discipline.Event{Key: "waits", Device: "a1", Priority: facility.P3})
	e := mains()
	e.Event, e.To, e.At, e.Annunciate = facility.AlarmRaise, facility.AlarmUnacknowledged, start.Add(17*time.Second), true
	untold := map[string]bool{}
	for _, h := range l.control.Step(e).Holds {
		untold[h.Key] = h.Untold
	}
	if told, ok := untold["early"]; !ok || told || !untold["waits"] {
		t.Fatalf("untold: %v", untold)
	}
	after := discipline.Event{Key: "after", Device: "a2", Priority: facility.P1, Event: facility.AlarmRaise, To: facility.AlarmUnacknowledged, At: start.Add(18 * time.Second), Annunciate: true}
	if out := l.control.Step(after); len(out.Tell) != 0 || len(out.Holds) != 1 || !out.Holds[0].Untold {
		t.Fatalf("raised behind its cause: %+v", out)
	}
}

// All devices of a line silent at once are one alarm, until one of them answers.
func TestSilentLine(t *testing.T) {
	l := newLife(estate(t, 3))
	offline := func(device string) discipline.Event {
		return discipline.Event{Key: "offline/" + device, Device: device, Priority: facility.P3, Downs: discipline.Node{Kind: discipline.DeviceAt, ID: device}}
	}
	for n, device := range []string{"a2", "a0", "a1"} {
		l.raise(time.Duration(n)*time.Second, offline(device))
	}
	end := start.Add(time.Minute)
	l.carry(l.control.Advance(end), end)
	if len(l.tell) != 1 || len(l.tell[0].Alarms) != 1 || l.tell[0].Alarms[0] != (discipline.Told{Key: "offline/a2", Priority: facility.P3, Follow: 2}) {
		t.Fatalf("told %+v", l.tell)
	}
	l.clear(2*time.Minute, "offline/a1")
	if l.cause["offline/a0"] != "" {
		t.Fatalf("one answers, and a0 follows from %s", l.cause["offline/a0"])
	}
	end = start.Add(4 * time.Minute)
	l.carry(l.control.Advance(end), end)
	if len(l.tell) != 2 || l.tell[1].Alarms[0].Key != "offline/a0" {
		t.Fatalf("what stays silent: %+v", l.tell)
	}
}

// BenchmarkStep is one transition among ten thousand active alarms, half of which wait
// to be told.
func BenchmarkStep(b *testing.B) {
	var e facility.Estate
	for n := range 10_000 {
		e.Devices = append(e.Devices, facility.Device{ID: fmt.Sprint("d", n), Line: fmt.Sprint("l", n/100)})
	}
	top, err := discipline.NewTopology(e)
	if err != nil {
		b.Fatal(err)
	}
	c := discipline.New(top, discipline.Settings{Withhold: 1000 * time.Hour})
	at := start
	raise := func(n int, p facility.Priority) {
		c.Step(discipline.Event{
			Key: fmt.Sprint("k", n), Device: fmt.Sprint("d", n), Event: facility.AlarmRaise, To: facility.AlarmUnacknowledged,
			At: at, Priority: p, Annunciate: true, Downs: discipline.Node{Kind: discipline.DeviceAt, ID: fmt.Sprint("d", n)},
		})
	}
	for n := range 10_000 {
		at = at.Add(time.Second / 20)
		raise(n, facility.P3)
	}
	b.ResetTimer()
	for n := range b.N {
		at = at.Add(time.Millisecond)
		k := n % 10_000
		c.Step(discipline.Event{Key: fmt.Sprint("k", k), Device: fmt.Sprint("d", k), Event: facility.AlarmClear, To: facility.AlarmNormal, At: at, Priority: facility.P3})
		raise(k, facility.P3)
	}
}
