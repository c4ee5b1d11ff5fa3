package discipline_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules/discipline"
)

var start = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

// estate is mains, two lines behind them with devices each, and one device with a battery.
func estate(t interface{ Fatal(...any) }, each int) *discipline.Topology {
	e := facility.Estate{
		Places: []facility.Place{{ID: "cellar", DependsOn: []string{"mains"}}},
		Lines: []facility.Line{
			{ID: "a", Gateway: "gw1", DependsOn: []string{"mains"}}, {ID: "b", Gateway: "gw1"}, {ID: "solo", Gateway: "gw2"},
		},
		Devices: []facility.Device{{ID: "mains", Line: "solo", DependsOn: []string{"mains"}}, {ID: "battery", Line: "solo"}},
	}
	for n := range each {
		e.Devices = append(e.Devices,
			facility.Device{ID: fmt.Sprintf("a%d", n), Line: "a"},
			facility.Device{ID: fmt.Sprintf("b%d", n), Line: "b", Place: "cellar"})
	}
	top, err := discipline.NewTopology(e)
	if err != nil {
		t.Fatal(err)
	}
	return top
}

func TestTopologyRefuses(t *testing.T) {
	devices := func(x, y []string) []facility.Device {
		return []facility.Device{{ID: "x", DependsOn: x}, {ID: "y", DependsOn: y}}
	}
	for name, e := range map[string]facility.Estate{
		"circle":            {Devices: devices([]string{"y"}, []string{"x"})},
		"no device":         {Devices: devices([]string{"z"}, nil)},
		"no device, line":   {Devices: devices(nil, nil), Lines: []facility.Line{{ID: "l", DependsOn: []string{"z"}}}},
		"no device, place":  {Devices: devices(nil, nil), Places: []facility.Place{{ID: "p", DependsOn: []string{"z"}}}},
		"a line feeds none": {Devices: devices([]string{"l"}, nil), Lines: []facility.Line{{ID: "l"}}},
	} {
		_, err := discipline.NewTopology(e)
		var circle *discipline.CircleError
		if !errors.Is(err, facility.ErrInvalid) || errors.As(err, &circle) != (name == "circle") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// life is what the owner of a Control does: it carries out holds and gives back what
// comes of them.
type life struct {
	control *discipline.Control
	last    map[string]discipline.Event
	cause   map[string]string
	tell    []discipline.Notification
	kept    [][]byte
}

func newLife(top *discipline.Topology) *life {
	return &life{control: discipline.New(top, discipline.Settings{}), last: map[string]discipline.Event{}, cause: map[string]string{}}
}

func (l *life) raise(at time.Duration, e discipline.Event) {
	e.Event, e.To, e.At = facility.AlarmRaise, facility.AlarmUnacknowledged, start.Add(at)
	e.Annunciate = l.cause[e.Key] == ""
	l.step(e)
}

func (l *life) clear(at time.Duration, key string) {
	e := l.last[key]
	e.Event, e.To, e.At, e.Annunciate = facility.AlarmClear, facility.AlarmReturned, start.Add(at), false
	if l.cause[key] != "" {
		e.To = facility.AlarmNormal
	}
	l.step(e)
}

func (l *life) step(e discipline.Event) {
	l.last[e.Key] = e
	l.carry(l.control.Step(e), e.At)
}

func (l *life) carry(out discipline.Outcome, at time.Time) {
	l.tell = append(l.tell, out.Tell...)
	for _, h := range out.Holds {
		l.cause[h.Key] = h.Cause
		e := l.last[h.Key]
		e.At, e.Event, e.Annunciate = at, facility.AlarmSuppress, false
		if h.Cause == "" {
			delete(l.cause, h.Key)
			e.Event, e.Annunciate = facility.AlarmUnsuppress, e.To.Active()
		}
		l.step(e)
	}
}

func mains() discipline.Event {
	return discipline.Event{Key: "mains-lost/mains", Device: "mains", Priority: facility.P1, Downs: discipline.Node{Kind: discipline.Supply, ID: "mains"}}
}

// TestMainsLoss has mains fail with 500 alarms after it and before it, and come back.
func TestMainsLoss(t *testing.T) {
	for name, root := range map[string]time.Duration{"cause first": 0, "cause in between": 5 * time.Second, "cause last": 14 * time.Second} {
		t.Run(name, func(t *testing.T) {
			l := newLife(estate(t, 125))
			told := false
			chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same at each run
			var keys []string
			for n := range 500 {
				at := time.Duration(n) * 28 * time.Millisecond
				if !told && at >= root {
					l.raise(at, mains())
					told = true
				}
				e := discipline.Event{Device: fmt.Sprintf("%c%d", 'a'+rune(n%2), n/4), Priority: facility.Priority(fmt.Sprintf("P%d", 1+chance.IntN(4)))}
				e.Key = "low/" + e.Device
				if n%4 > 1 {
					e.Key, e.Downs = "offline/"+e.Device, discipline.Node{Kind: discipline.DeviceAt, ID: e.Device}
				}
				keys = append(keys, e.Key)
				l.raise(at, e)
			}
			if !told {
				l.raise(root, mains())
			}
			if len(l.cause) != 500 {
				t.Fatalf("%d of 500 are suppressed", len(l.cause))
			}
			for key, cause := range l.cause {
				if cause != "mains-lost/mains" {
					t.Fatalf("%s is said to follow from %s", key, cause)
				}
			}
			l.carry(l.control.Advance(start.Add(time.Hour)), start.Add(time.Hour))
			l.clear(time.Hour, "mains-lost/mains")
			for key, cause := range l.cause { // what cannot be read yet says nothing, nor does a line of which nothing can be
				if device := l.last[key].Device; cause != "offline/"+device && cause != "offline/a0" && cause != "offline/b0" {
					t.Fatalf("%s stays suppressed by %s", key, cause)
				}
			}
			for n, key := range keys[:490] {
				l.clear(time.Hour+time.Duration(n)*100*time.Millisecond, key)
			}
			l.carry(l.control.Advance(start.Add(2*time.Hour)), start.Add(2*time.Hour))
			if len(l.tell) > 3 {
				t.Fatalf("%d notifications: %v", len(l.tell), l.tell)
			}
			roots := 0
			for _, n := range l.tell {
				for _, a := range n.Alarms {
					if a.Key == "mains-lost/mains" {
						roots++
					}
				}
			}
			last := l.tell[len(l.tell)-1]
			stand := len(last.Alarms)
			for _, a := range last.Alarms {
				stand += a.Follow
			}
			if roots != 1 || stand != 10 {
				t.Fatalf("root told %d times, at last %d alarms of 10", roots, stand)
			}
			t.Logf("%d notifications", len(l.tell))
		})
	}
}

func TestFlood(t *testing.T) {
	l := newLife(estate(t, 30))
	for n := range 12 {
		l.raise(time.Duration(n)*time.Second, discipline.Event{Key: fmt.Sprint("k", n), Device: fmt.Sprint("a", n), Priority: facility.P3})
	}
	l.carry(l.control.Advance(start.Add(time.Minute)), start.Add(time.Minute))
	if since, on := l.control.Flood(); !on || !since.Equal(start.Add(15*time.Second)) || len(l.tell) != 1 || !l.tell[0].Flood || len(l.tell[0].Alarms) != 12 {
		t.Fatalf("flood %v since %v, told %v", on, since, l.tell)
	}
	l.raise(2*time.Minute, discipline.Event{Key: "minor", Device: "a20", Priority: facility.P3})
	l.raise(3*time.Minute, discipline.Event{Key: "urgent", Device: "a21", Priority: facility.P1})
	l.raise(3*time.Minute, discipline.Event{Key: "fire", Device: "a22", Priority: facility.P1, Safety: true})
	if len(l.tell) != 3 || l.tell[1].Alarms[0].Key != "urgent" || len(l.tell[1].Alarms) != 1 || l.tell[2].Alarms[0].Key != "fire" {
		t.Fatalf("told %v", l.tell)
	}
	l.carry(l.control.Advance(start.Add(time.Hour)), start.Add(time.Hour))
	if _, on := l.control.Flood(); on || len(l.tell) != 4 || l.tell[3].Alarms[0].Key != "minor" || !l.tell[3].At.Equal(start.Add(10*time.Minute+15*time.Second)) {
		t.Fatalf("after the flood: %v", l.tell)
	}
}

func TestChatterAndStale(t *testing.T) {
	l := newLife(estate(t, 1))
	for n := range 5 {
		l.raise(time.Duration(n)*20*time.Second, discipline.Event{Key: "k", Device: "a0", Priority: facility.P3})
		if n < 4 {
			l.clear(time.Duration(n)*20*time.Second+time.Second, "k")
		}
	}
	got := l.control.Chattering(start.Add(2 * time.Minute))
	if len(got) != 1 || got[0].Count != 5 || !got[0].Since.Equal(start) {
		t.Fatalf("chattering: %v", got)
	}
	if got := l.control.Chattering(start.Add(time.Hour)); len(got) != 0 {
		t.Fatalf("calm, but chattering: %v", got)
	}
	day := start.Add(80*time.Second + discipline.StaleAfter)
	if got := l.control.Stale(day); len(got) != 0 {
		t.Fatalf("stale too early: %v", got)
	}
	if got := l.control.Stale(day.Add(1)); len(got) != 1 {
		t.Fatalf("stale: %v", got)
	}
}

// TestProperties lets alarms come and go at random, with restarts in between.
func TestProperties(t *testing.T) {
	top := estate(t, 3)
	nodes := map[discipline.Node]bool{}
	for _, k := range []discipline.NodeKind{"supply", "device", "line", "place", "gateway"} {
		for _, id := range []string{"mains", "battery", "a0", "a1", "b0", "a", "b", "solo", "cellar", "gw1", "gw2"} {
			if n := (discipline.Node{Kind: k, ID: id}); top.Has(n) {
				nodes[n] = true
			}
		}
	}
	var events []discipline.Event
	for n := range nodes {
		events = append(events, discipline.Event{Key: "down/" + n.String(), Downs: n, Priority: facility.P2})
	}
	for _, d := range []string{"mains", "battery", "a0", "a1", "b0", "nowhere", ""} {
		events = append(events, discipline.Event{Key: "x/" + d, Device: d, Priority: facility.P3}, discipline.Event{Key: "fire/" + d, Device: d, Priority: facility.P1, Safety: true})
	}
	byKey := map[string]discipline.Event{}
	for _, e := range events {
		byKey[e.Key] = e
	}
	rapid.Check(t, func(t *rapid.T) {
		l := newLife(top)
		now := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 90).Draw(t, "pass")) * time.Second
			e := byKey[rapid.SampledFrom(sorted(byKey)).Draw(t, "alarm")]
			before := len(l.tell)
			switch was := l.last[e.Key]; {
			case was.To.Active():
				l.clear(now, e.Key)
			default:
				e.Held = rapid.IntRange(0, 5).Draw(t, "held") == 0
				l.raise(now, e)
				if e.Safety && !tells(l.tell[before:], e.Key) {
					t.Fatalf("%s was not told at once", e.Key)
				}
			}
			check(t, top, l)
			restart(t, top, l, start.Add(now))
		}
	})
}

func sorted(m map[string]discipline.Event) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	for i := range keys { // few
		for j := i; j > 0 && keys[j] < keys[j-1]; j-- {
			keys[j], keys[j-1] = keys[j-1], keys[j]
		}
	}
	return keys
}

func tells(ns []discipline.Notification, key string) bool {
	for _, n := range ns {
		for _, a := range n.Alarms {
			if a.Key == key {
				return true
			}
		}
	}
	return false
}

// check holds: a cause is active, above what follows from it and itself a root; and
// whatever has an active cause above it and is active is suppressed.
func check(t *rapid.T, top *discipline.Topology, l *life) {
	for key, e := range l.last {
		want := false
		for cause, c := range l.last {
			if c.Downs == (discipline.Node{}) || c.Held || !c.To.Active() || cause == key {
				continue
			}
			seat := e.Downs
			if seat == (discipline.Node{}) {
				seat = discipline.Node{Kind: discipline.DeviceAt, ID: e.Device}
			}
			above := seat == c.Downs && (e.Downs == discipline.Node{} || l.cause[cause] == "")
			for _, n := range top.Above(seat) {
				above = above || n == c.Downs
			}
			want = want || above
			if l.cause[key] == cause && !above && !together(l, top, key, cause) {
				t.Fatalf("%s is not above %s", cause, key)
			}
		}
		want = want || stands(l, top, key) && key != speaker(l, top, lineOf(l, key))
		cause := l.cause[key]
		switch {
		case e.Safety && cause != "":
			t.Fatalf("%s is about life safety and suppressed", key)
		case cause != "" && !want:
			t.Fatalf("%s stays suppressed by %s, which is gone", key, cause)
		case cause == "" && want && e.To.Active() && !e.Safety:
			t.Fatalf("%s is not suppressed", key)
		case cause != "" && (l.cause[cause] != "" || !l.last[cause].To.Active()):
			t.Fatalf("%s follows from %s, which is no root", key, cause)
		}
	}
}

// ways are the devices of each line of the estate.
var ways = map[string][]string{"a": {"a0", "a1", "a2"}, "b": {"b0", "b1", "b2"}, "solo": {"battery", "mains"}}

// lone returns the alarms that say that a device is down and follow from nothing, when
// every device of the line is down and the line itself is not said to be.
func lone(l *life, top *discipline.Topology, line string) map[string]bool {
	out := map[string]bool{}
	downs := func(n discipline.Node) (keys []string) {
		for key, e := range l.last {
			if e.Downs == n && e.To.Active() && !e.Held {
				keys = append(keys, key)
			}
		}
		return keys
	}
	if len(downs(discipline.Node{Kind: discipline.Line, ID: line})) > 0 {
		return out
	}
	for _, device := range ways[line] {
		n := discipline.Node{Kind: discipline.DeviceAt, ID: device}
		keys := downs(n)
		if len(keys) == 0 {
			return map[string]bool{}
		}
		alone := true
		for _, above := range top.Above(n) {
			alone = alone && len(downs(above)) == 0
		}
		for _, key := range keys {
			out[key] = alone
		}
	}
	return out
}

func lineOf(l *life, key string) string {
	device := l.last[key].Device
	if n := l.last[key].Downs; n != (discipline.Node{}) {
		device = n.ID
		if n.Kind != discipline.DeviceAt {
			return ""
		}
	}
	for line, devices := range ways {
		if slices.Contains(devices, device) {
			return line
		}
	}
	return ""
}

// together reports whether the cause may stand for all silent devices of the line of the
// other.
func together(l *life, top *discipline.Topology, key, cause string) bool {
	line := lineOf(l, key)
	return line != "" && line == lineOf(l, cause) && lone(l, top, line)[cause]
}

// stands reports whether an alarm stands for all devices of the line of this one.
func stands(l *life, top *discipline.Topology, key string) bool {
	line := lineOf(l, key)
	return line != "" && speaker(l, top, line) != ""
}

// speaker is the alarm that stands for all devices of the line: the one that is not
// suppressed; "several" is never right.
func speaker(l *life, top *discipline.Topology, line string) string {
	found := ""
	for key, alone := range lone(l, top, line) {
		switch {
		case !alone || l.cause[key] != "":
		case found != "":
			return "several"
		default:
			found = key
		}
	}
	return found
}

// restart goes on from what is kept: a snapshot, and the parts since.
func restart(t *rapid.T, top *discipline.Topology, l *life, now time.Time) {
	whole, err := l.control.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	part, err := l.control.Part()
	if err != nil {
		t.Fatal(err)
	}
	if l.kept = append(l.kept, part); rapid.IntRange(0, 9).Draw(t, "whole") == 0 {
		l.kept = [][]byte{whole}
	}
	l.control.Kept()
	again, out, err := discipline.Restore(l.kept, top, discipline.Settings{}, now)
	if err != nil || len(out.Holds) != 0 || len(out.Tell) != 0 {
		t.Fatalf("a restart does %v, %v", out, err)
	}
	second, err := again.Snapshot()
	if err != nil || !bytes.Equal(whole, second) {
		t.Fatalf("a restart changes\n%s\ninto\n%s: %v", whole, second, err)
	}
	if rapid.Bool().Draw(t, "restarts") {
		l.control = again
	}
}
