package patrol_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/facility"
	"gengfu/rules/patrol"
)

// shanghai has no clock changes, and needs no table of zones.
func shanghai() *time.Location { return time.FixedZone("CST", 8*3600) }

func text(zh, en string) facility.Text { return facility.Text{ZH: zh, EN: en} }

// estate has a round of three checkpoints at 22:00 local time, 45 min long, with
// 10 min of tolerance and 30 min of grace.
func estate(plans ...facility.Plan) facility.Estate {
	if plans == nil {
		plans = []facility.Plan{nightPlan("22:00")}
	}
	return facility.Estate{
		Site: facility.Site{ID: "example", Zone: shanghai()},
		Checkpoints: []facility.Checkpoint{
			{ID: "gate", Name: text("东门", "East gate"), Place: "gate", Token: "token-gate"},
			{ID: "pump", Name: text("泵房", "Pump room"), Place: "pump-room", Token: "token-pump", Tags: []string{"04A035B2"}},
			{ID: "roof", Name: text("屋顶", "Roof"), Place: "roof"},
			{ID: "store", Name: text("仓库", "Store")},
		},
		Readers: []facility.Reader{{ID: "reader-gate", Checkpoint: "gate"}},
		Routes: []facility.Route{
			{ID: "night", Checkpoints: []string{"gate", "pump", "roof"}},
			{ID: "strict", Checkpoints: []string{"gate", "pump", "roof"}, InOrder: true},
		},
		Plans: plans,
	}
}

func nightPlan(times ...string) facility.Plan {
	return facility.Plan{
		ID: "night", Name: text("夜巡", "Night patrol"), Route: "night", Times: times,
		Window: 45 * time.Minute, Tolerance: 10 * time.Minute, Grace: 30 * time.Minute,
	}
}

// evening runs a judge through one evening of 2026-11-22 by local clock.
type evening struct {
	t     testing.TB
	judge *patrol.Judge
	quiet patrol.Quiet
	taps  int
}

func (e *evening) at(s string) time.Time {
	layout := "2006-01-02 15:04"
	if strings.Count(s, ":") == 2 {
		layout = "2006-01-02 15:04:05"
	}
	at, err := time.ParseInLocation(layout, "2026-11-22 "+s, shanghai())
	if err != nil {
		e.t.Fatal(err)
	}
	return at
}

// do runs one line:
//
//	22:10 tick
//	22:10 tap gate              made and received now
//	23:00 brings 22:10 gate     made earlier by a phone
//	23:00 ack gate
func (e *evening) do(line string) []string {
	words := strings.Fields(line)
	now := e.at(words[0])
	var out []string
	switch words[1] {
	case "tick":
		out = e.describe(e.judge.Advance(now, e.quiet))
	case "tap":
		out = e.tap(facility.Tap{Source: facility.TapURL, Checkpoint: words[2], TappedAt: now, SentAt: now, ReceivedAt: now})
	case "brings":
		out = e.tap(facility.Tap{Source: facility.TapURL, Checkpoint: words[3], TappedAt: e.at(words[2]), SentAt: now, ReceivedAt: now})
	case "ack":
		changes, err := e.judge.Acknowledge(e.alarm(words[2]).ID, "desk", "seen", now)
		if err != nil {
			e.t.Fatal(err)
		}
		out = e.describe(changes)
	default:
		e.t.Fatalf("cannot %s", line)
	}
	return out
}

func (e *evening) alarm(checkpoint string) facility.Alarm {
	for _, a := range e.judge.Standing() {
		if a.Checkpoint == checkpoint {
			return a
		}
	}
	e.t.Fatalf("no alarm of %s stands", checkpoint)
	return facility.Alarm{}
}

func (e *evening) tap(t facility.Tap) []string {
	e.taps++
	t.ID, t.Person = fmt.Sprintf("tap-%d", e.taps), "li"
	judged, changes := e.judge.Tap(t, nil)
	s := "tap " + judged.Checkpoint
	if judged.Round != "" {
		s += " " + string(judged.Verdict) + " in " + judged.Round[len("night@2026-11-"):len("night@2026-11-22T22:00")]
	}
	for _, f := range judged.Flags {
		s += " " + string(f)
	}
	return append([]string{s}, e.describe(changes)...)
}

func (e *evening) describe(changes []patrol.Change) []string {
	var out []string
	for _, c := range changes {
		if c.Round.Start.After(e.at("23:59")) {
			continue // of tomorrow
		}
		s := c.At.In(shanghai()).Format("15:04") + " " + string(c.Round.State)
		if c.Alarm != nil {
			s += fmt.Sprintf(" %s %s %s->%s", c.Alarm.Checkpoint, c.Event, c.From, c.Alarm.State)
			if c.Reason != "" {
				s += fmt.Sprintf(" %s, %d missing", c.Reason, c.Missing)
			}
		}
		out = append(out, s)
	}
	return out
}

func TestEvenings(t *testing.T) {
	tests := []struct {
		name  string
		plans []facility.Plan
		lines []string
		want  []string
	}{
		{
			"all on time", nil,
			[]string{"21:00 tick", "22:00 tick", "22:01 tap gate", "22:20 tap pump", "22:44 tap roof", "22:55 tick", "23:30 tick"},
			[]string{"21:00 scheduled", "22:00 due", "tap gate on_time in 22T22:00", "22:01 in_progress", "tap pump on_time in 22T22:00", "22:20 in_progress", "tap roof on_time in 22T22:00", "22:44 completed"},
		},
		{
			"early and late", nil,
			[]string{"21:00 tick", "21:49 tap gate", "21:50 tap gate", "22:00 tick", "22:20 tap pump", "22:45 tap roof"},
			[]string{"21:00 scheduled", "tap gate no_round", "tap gate early in 22T22:00", "21:50 in_progress", "tap pump on_time in 22T22:00", "22:20 in_progress", "tap roof late in 22T22:00", "22:45 exceptions"},
		},
		{
			"one missed", nil,
			[]string{"21:00 tick", "22:00 tick", "22:01 tap gate", "22:20 tap pump", "22:54 tick", "22:55:30 tick", "22:56 tap roof"},
			[]string{
				"21:00 scheduled", "22:00 due", "tap gate on_time in 22T22:00", "22:01 in_progress", "tap pump on_time in 22T22:00", "22:20 in_progress",
				"22:55 incomplete roof raise normal->unacknowledged", "tap roof no_round",
			},
		},
		{
			"all missed", nil,
			[]string{"21:00 tick", "23:00 tick"},
			[]string{
				"21:00 scheduled", "22:00 due", "22:55 missed gate raise normal->unacknowledged",
				"22:55 missed pump raise normal->unacknowledged", "22:55 missed roof raise normal->unacknowledged",
			},
		},
		{
			"a phone brings a tap late", nil,
			[]string{"21:00 tick", "22:01 tap gate", "22:20 tap pump", "22:56 tick", "23:20 brings 22:30 roof", "23:21 tick", "23:59 tick"},
			[]string{
				"21:00 scheduled", "tap gate on_time in 22T22:00", "22:01 in_progress", "tap pump on_time in 22T22:00", "22:20 in_progress",
				"22:55 incomplete roof raise normal->unacknowledged",
				"tap roof on_time in 22T22:00 delayed", "23:20 completed roof retire unacknowledged->normal late_sync, 0 missing",
			},
		},
		{
			"a phone brings one of two", nil,
			[]string{"21:00 tick", "22:01 tap gate", "22:56 tick", "22:57 ack pump", "23:20 brings 22:50 pump"},
			[]string{
				"21:00 scheduled", "tap gate on_time in 22T22:00", "22:01 in_progress",
				"22:55 incomplete pump raise normal->unacknowledged", "22:55 incomplete roof raise normal->unacknowledged",
				"22:57 incomplete pump acknowledge unacknowledged->acknowledged",
				"tap pump late in 22T22:00 delayed", "23:20 incomplete pump retire acknowledged->normal late_sync, 1 missing",
			},
		},
		{
			"a phone brings a tap after the grace", nil,
			[]string{"21:00 tick", "22:01 tap gate", "22:20 tap pump", "22:56 tick", "23:25 brings 22:30 roof"},
			[]string{
				"21:00 scheduled", "tap gate on_time in 22T22:00", "22:01 in_progress", "tap pump on_time in 22T22:00", "22:20 in_progress",
				"22:55 incomplete roof raise normal->unacknowledged", "tap roof delayed no_round",
			},
		},
		{
			"a tap that was brought before the verdict is just late in coming", nil,
			[]string{"21:00 tick", "22:52 brings 22:10 gate"},
			[]string{"21:00 scheduled", "tap gate on_time in 22T22:00 delayed", "22:52 in_progress"},
		},
		{
			"the same checkpoint twice", nil,
			[]string{"21:00 tick", "22:01 tap gate", "22:20 tap gate"},
			[]string{"21:00 scheduled", "tap gate on_time in 22T22:00", "22:01 in_progress", "tap gate duplicate"},
		},
		{
			"a tap on time takes the place of an early one", nil,
			[]string{"21:00 tick", "21:55 tap gate", "22:00:10 tap gate", "22:20 tap gate"},
			[]string{"21:00 scheduled", "tap gate early in 22T22:00", "21:55 in_progress", "tap gate on_time in 22T22:00", "22:00 in_progress", "tap gate duplicate"},
		},
		{
			"rounds without a pause between them",
			[]facility.Plan{nightPlan("21:00", "21:45")},
			[]string{"20:30 tick", "21:40 tap gate", "21:43 tap gate", "21:47 tap gate", "21:50 tap pump"},
			[]string{
				"20:30 scheduled", "20:30 scheduled", "tap gate on_time in 22T21:00", "21:40 in_progress",
				"tap gate duplicate", "tap gate on_time in 22T21:45", "21:47 in_progress", "tap pump on_time in 22T21:45", "21:50 in_progress",
			},
		},
		{
			"one stop serves one round",
			[]facility.Plan{nightPlan("21:00", "21:45")},
			[]string{"20:30 tick", "21:44:50 tap gate", "21:45:05 tap gate", "21:45:50 tap gate"},
			[]string{
				"20:30 scheduled", "20:30 scheduled", "tap gate on_time in 22T21:00", "21:44 in_progress",
				"tap gate duplicate", "tap gate on_time in 22T21:45", "21:45 in_progress",
			},
		},
		{
			"late for one and early for the next",
			[]facility.Plan{nightPlan("21:00", "22:00")},
			[]string{"20:30 tick", "21:52 tap gate", "21:54 tap gate"},
			[]string{"20:30 scheduled", "20:30 scheduled", "tap gate late in 22T21:00", "21:52 in_progress", "tap gate duplicate"},
		},
		{
			"an acknowledged miss is over with the grace", nil,
			[]string{"21:00 tick", "22:01 tap gate", "22:20 tap pump", "22:56 tick", "23:00 ack roof", "23:24 tick", "23:26 tick", "23:27 tick"},
			[]string{
				"21:00 scheduled", "tap gate on_time in 22T22:00", "22:01 in_progress", "tap pump on_time in 22T22:00", "22:20 in_progress",
				"22:55 incomplete roof raise normal->unacknowledged", "23:00 incomplete roof acknowledge unacknowledged->acknowledged",
				"23:25 incomplete roof clear acknowledged->normal over, 1 missing",
			},
		},
		{
			"a miss stands until it is acknowledged", nil,
			[]string{"21:00 tick", "22:01 tap gate", "22:20 tap pump", "22:56 tick", "23:40 tick", "23:50 ack roof"},
			[]string{
				"21:00 scheduled", "tap gate on_time in 22T22:00", "22:01 in_progress", "tap pump on_time in 22T22:00", "22:20 in_progress",
				"22:55 incomplete roof raise normal->unacknowledged", "23:50  roof acknowledge unacknowledged->acknowledged",
				"23:50  roof clear acknowledged->normal over, 0 missing",
			},
		},
		{
			"a checkpoint of no round", nil,
			[]string{"21:00 tick", "22:10 tap store", "22:11 tap nowhere"},
			[]string{"21:00 scheduled", "tap store no_round", "tap  unknown_checkpoint"},
		},
		{
			"nobody is blamed for what began before", nil,
			[]string{"22:10 tick", "22:20 tap gate", "23:59 tick"},
			[]string{"tap gate no_round"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := &evening{t: t, judge: patrol.New(estate(test.plans...))}
			var got []string
			for _, l := range test.lines {
				got = append(got, e.do(l)...)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestMissedWaitsForWhatMayBeOnItsWay(t *testing.T) {
	e := &evening{t: t, judge: patrol.New(estate())}
	e.quiet = func(checkpoint string, before time.Time) bool {
		if want := e.at("22:55"); !before.Equal(want) {
			t.Errorf("asked for %s, want %s", before, want)
		}
		return checkpoint == "gate"
	}
	var got []string
	for _, l := range []string{"21:00 tick", "22:56 tick", "23:10 tick", "23:11 brings 22:30 pump", "23:24 tick", "23:25 tick"} {
		got = append(got, e.do(l)...)
	}
	want := []string{
		"21:00 scheduled", "22:00 due", "22:55 due gate raise normal->unacknowledged",
		"tap pump on_time in 22T22:00 delayed", "23:11 in_progress",
		"22:55 incomplete roof raise normal->unacknowledged",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestMissedAlarm(t *testing.T) {
	e := &evening{t: t, judge: patrol.New(estate())}
	e.do("21:00 tick")
	e.do("22:55 tick")
	a := e.alarm("pump")
	at := e.at("22:55").UTC()
	want := facility.Alarm{
		ID: a.ID, Key: "patrol/night@2026-11-22T22:00+08:00/pump", Rule: "patrol", Place: "pump-room", Checkpoint: "pump", Round: "night@2026-11-22T22:00+08:00",
		Title: text("漏巡：夜巡 22:00 · 泵房", "Missed patrol: Night patrol 22:00 · Pump room"), Advice: a.Advice, Priority: facility.P3,
		State: facility.AlarmUnacknowledged, Count: 1, RaisedAt: at, LastAt: at,
	}
	if d := cmp.Diff(want, a); d != "" {
		t.Error(d)
	}
	if _, err := e.judge.Acknowledge("nobody", "desk", "", at); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("unknown alarm: %v", err)
	}
	e.do("22:56 ack pump")
	if _, err := e.judge.Acknowledge(a.ID, "desk", "", at); !errors.Is(err, facility.ErrUnlawful) {
		t.Errorf("acknowledged alarm: %v", err)
	}
	e.judge.SetOrder(a.ID, "order-1")
	if got := e.alarm("pump").OrderID; got != "order-1" {
		t.Errorf("order %q", got)
	}
}

func TestTheSameTapTwiceIsTheSame(t *testing.T) {
	e := &evening{t: t, judge: patrol.New(estate())}
	e.do("21:00 tick")
	at := e.at("22:10")
	tap := facility.Tap{ID: "tap", Source: facility.TapURL, Checkpoint: "gate", Person: "li", TappedAt: at, SentAt: at, ReceivedAt: at}
	first, _ := e.judge.Tap(tap, nil)
	second, changes := e.judge.Tap(tap, nil)
	if d := cmp.Diff(first, second); d != "" || len(changes) != 0 {
		t.Errorf("%d changes, %s", len(changes), d)
	}
}

func TestExpected(t *testing.T) {
	e := &evening{t: t, judge: patrol.New(estate())}
	e.do("21:00 tick")
	for at, want := range map[string]bool{"21:49": false, "21:50": true, "22:10": true, "22:54": true, "22:55": false} {
		r, ok := e.judge.Expected("gate", e.at(at))
		if ok != want || ok && r.ID != "night@2026-11-22T22:00+08:00" {
			t.Errorf("at %s: %v %s", at, ok, r.ID)
		}
	}
	e.do("22:10 tap gate")
	if _, ok := e.judge.Expected("gate", e.at("22:20")); ok {
		t.Error("a checkpoint that was reached is expected")
	}
}
