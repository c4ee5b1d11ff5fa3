package rules_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/lifecycle"
)

// start is the instant from which the scripts count.
var start = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

func text(zh, en string) facility.Text { return facility.Text{ZH: zh, EN: en} }

func ptr[T any](v T) *T { return &v }

func device(id, kind, place string, name facility.Text, points ...facility.Point) facility.Device {
	for i := range points {
		points[i].ID.Device = id
	}
	return facility.Device{ID: id, Kind: kind, Place: place, Name: name, Points: points}
}

func quantity(name string, kind facility.PointKind, unit string, labels ...int) facility.Point {
	p := facility.Point{ID: facility.PointID{Quantity: name}, Kind: kind, Unit: unit}
	for _, l := range labels {
		if p.Labels == nil {
			p.Labels = map[int]facility.Text{}
		}
		p.Labels[l] = text(strconv.Itoa(l), "")
	}
	return p
}

// estate has two pumps, a tank and a water meter.
func estate() facility.Estate {
	pump := func(id, zh, en string) facility.Device {
		return device(id, "pump", "pump-room", text(zh, en),
			quantity("fault", facility.Signal, ""),
			quantity("dry_run", facility.Signal, ""),
			quantity("running", facility.State, "", 0, 1),
			quantity("mode", facility.State, "", 0, 1, 2),
			quantity("outlet_pressure", facility.Measure, "bar"),
			quantity("starts", facility.Counter, ""))
	}
	return facility.Estate{
		Site:   facility.Site{ID: "example", Name: text("示例小区", "Example"), Zone: time.FixedZone("CST", 8*3600)},
		Places: []facility.Place{{ID: "pump-room"}, {ID: "roof"}},
		Devices: []facility.Device{
			pump("pump-1", "1号生活泵", "Pump 1"),
			pump("pump-2", "2号生活泵", "Pump 2"),
			device("tank", "level", "roof", text("水箱", "Tank"), quantity("level", facility.Measure, "m")),
			device("main-water", "water_meter", "pump-room", text("总水表", "Main water meter"),
				quantity("total", facility.Counter, "m3"), quantity("flow", facility.Measure, "m3/h")),
		},
	}
}

func compile(t testing.TB, rs ...rules.Rule) *rules.Engine {
	t.Helper()
	e, problems := rules.Compile(rs, estate(), rules.WithDetectors(strangers))
	for _, p := range problems {
		t.Error(p)
	}
	if e == nil {
		t.Fatal("no engine")
	}
	return e
}

// rule fills in what every rule must have.
func rule(id string, r rules.Rule) rules.Rule {
	r.ID, r.Name, r.Priority = id, text("异常", "trouble"), facility.P2
	return r
}

// script runs lines on the engine and returns what changed, a line each:
//
//	5s pump-1/fault=1 pump-1/running=0   readings of one instant
//	5s pump-1/fault=bad                  or =uncertain:1
//	7s tick                              Advance
//	7s listen
//	8s ack pump-fault/pump-1
//	8s shelve pump-fault/pump-1 30s      for so long; "once" behind it is one-shot
//	8s unshelve pump-fault/pump-1        and so on with each hold
//	8s reset pump-fault/pump-1
//
// A change is "5s raise pump-fault/pump-1 unacknowledged", with what is worth
// saying behind it.
func script(t testing.TB, e *rules.Engine, lines ...string) []string {
	t.Helper()
	var out []string
	for _, line := range lines {
		for _, c := range play(t, e, line) {
			out = append(out, describe(c))
		}
	}
	return out
}

func play(t testing.TB, e *rules.Engine, line string) []rules.Change {
	t.Helper()
	words := strings.Fields(line)
	after, err := time.ParseDuration(words[0])
	if err != nil {
		t.Fatal(err)
	}
	at := start.Add(after)
	switch words[1] {
	case "tick":
		return e.Advance(at)
	case "listen":
		e.Listen(at)
		return nil
	case "ack":
		for _, a := range e.Standing() {
			if a.Key == words[2] {
				c, err := e.Acknowledge(a.ID, "wang", "seen", at)
				if err != nil {
					t.Fatal(err)
				}
				return []rules.Change{c}
			}
		}
		t.Fatalf("%s: no such alarm stands", line)
	case "shelve", "unshelve", "suppress", "unsuppress", "take_out", "put_back", "reset":
		before := e.Advance(at.Add(-1))
		c, err := person(e, words[1:], at)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return append(before, c)
	}
	var readings []facility.Reading
	for _, w := range words[1:] {
		readings = append(readings, reading(t, at, w))
	}
	return e.Observe(readings...)
}

// person does to an alarm what a person, or another alarm, does.
func person(e *rules.Engine, words []string, at time.Time) (rules.Change, error) {
	in := lifecycle.Input{Event: facility.AlarmEvent(words[0]), At: at, By: "wang", Note: "works", Cause: "mains/room"}
	if len(words) > 2 {
		long, err := time.ParseDuration(words[2])
		if err != nil {
			return rules.Change{}, err
		}
		in.Until, in.OneShot = at.Add(long), len(words) > 3
	}
	switch words[0] {
	case "reset":
		for _, a := range e.Standing() {
			if a.Key == words[1] {
				return e.Reset(a.ID, in.By, in.Note, at)
			}
		}
		return e.Reset("none", in.By, in.Note, at)
	case "shelve", "suppress", "take_out":
		return e.Hold(words[1], in)
	}
	return e.Release(words[1], in)
}

func reading(t testing.TB, at time.Time, word string) facility.Reading {
	t.Helper()
	name, value, _ := strings.Cut(word, "=")
	id, err := facility.ParsePointID(name)
	if err != nil {
		t.Fatal(err)
	}
	r := facility.Reading{Point: id, Time: at, Quality: facility.Good}
	if value == "bad" {
		r.Quality, r.Reason = facility.Bad, facility.NoAnswer
		return r
	}
	if rest, ok := strings.CutPrefix(value, "uncertain:"); ok {
		r.Quality, r.Reason, value = facility.Uncertain, facility.ClockUnknown, rest
	}
	if r.Value, err = strconv.ParseFloat(value, 64); err != nil {
		t.Fatal(err)
	}
	return r
}

func describe(c rules.Change) string {
	s := fmt.Sprintf("%s %s %s %s", c.At.Sub(start), c.Event, c.Alarm.Key, c.Alarm.State)
	if c.Alarm.Unknown {
		s += " unknown"
	}
	if c.Alarm.Count > 1 {
		s += fmt.Sprintf(" x%d", c.Alarm.Count)
	}
	return s
}

func wantLines(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("changes:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// strangers makes a detector for everything that is measured.
func strangers(_ facility.Device, p facility.Point) rules.Detector {
	if p.Kind != facility.Measure {
		return nil
	}
	return &stranger{}
}

// stranger knows the mean of all that it has seen, and wonders at what is more than
// twice of it.
type stranger struct{ Sum, N float64 }

func (s *stranger) Observe(_ time.Time, v float64) rules.Verdict {
	out := rules.Verdict{Sure: s.N >= 3}
	if s.N > 0 {
		out.Baseline = s.Sum / s.N
		out.Flag = v > 2*out.Baseline
	}
	s.Sum, s.N = s.Sum+v, s.N+1
	return out
}

func (s *stranger) Snapshot() ([]byte, error) { return json.Marshal(s) }
func (s *stranger) Restore(data []byte) error { return json.Unmarshal(data, s) }
