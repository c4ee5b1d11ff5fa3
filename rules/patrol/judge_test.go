package patrol_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules/patrol"
)

func text(zh, en string) facility.Text { return facility.Text{ZH: zh, EN: en} }

// estate has a round of three checkpoints at 22:00 local time, 45 min long, with
// 10 min of tolerance and 30 min of grace.
func estate(t testing.TB, plans ...facility.Plan) facility.Estate {
	if plans == nil {
		plans = []facility.Plan{nightPlan("22:00")}
	}
	return facility.Estate{
		Site: facility.Site{ID: "example", Zone: zone(t, "Asia/Shanghai")},
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
	at, err := time.ParseInLocation(layout, "2026-11-22 "+s, zone(e.t, "Asia/Shanghai"))
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
		s := c.At.In(zone(e.t, "Asia/Shanghai")).Format("15:04") + " " + string(c.Round.State)
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
			"rounds without a pause between them", []facility.Plan{nightPlan("21:00", "21:45")},
			[]string{"20:30 tick", "21:40 tap gate", "21:43 tap gate", "21:47 tap gate", "21:50 tap pump"},
			[]string{
				"20:30 scheduled", "20:30 scheduled", "tap gate on_time in 22T21:00", "21:40 in_progress",
				"tap gate duplicate", "tap gate on_time in 22T21:45", "21:47 in_progress", "tap pump on_time in 22T21:45", "21:50 in_progress",
			},
		},
		{
			"one stop serves one round", []facility.Plan{nightPlan("21:00", "21:45")},
			[]string{"20:30 tick", "21:44:50 tap gate", "21:45:05 tap gate", "21:45:50 tap gate"},
			[]string{
				"20:30 scheduled", "20:30 scheduled", "tap gate on_time in 22T21:00", "21:44 in_progress",
				"tap gate duplicate", "tap gate on_time in 22T21:45", "21:45 in_progress",
			},
		},
		{
			"late for one and early for the next", []facility.Plan{nightPlan("21:00", "22:00")},
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
			e := &evening{t: t, judge: patrol.New(estate(t, test.plans...))}
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

func TestOrderOfTheRoute(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		flags map[string]bool // out of order at the end
		state facility.RoundState
	}{
		{"in order", []string{"22:01 tap gate", "22:02 tap pump", "22:03 tap roof"}, nil, facility.RoundCompleted},
		{"the middle one last", []string{"22:01 tap gate", "22:02 tap roof", "22:03 tap pump"}, map[string]bool{"pump": true}, facility.RoundExceptions},
		{"backwards", []string{"22:01 tap roof", "22:02 tap pump", "22:03 tap gate"}, map[string]bool{"gate": true, "pump": true}, facility.RoundExceptions},
		{"in order, brought in disorder", []string{"22:10 brings 22:03 roof", "22:11 brings 22:01 gate", "22:12 brings 22:02 pump"}, nil, facility.RoundCompleted},
		{"out of order, brought in order", []string{"22:10 brings 22:02 gate", "22:11 brings 22:01 pump", "22:12 brings 22:03 roof"}, map[string]bool{"gate": true}, facility.RoundExceptions},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := nightPlan("22:00")
			plan.Route = "strict"
			e := &evening{t: t, judge: patrol.New(estate(t, plan))}
			e.do("21:00 tick")
			for _, l := range test.lines {
				e.do(l)
			}
			r := e.judge.Rounds()[0]
			for _, v := range r.Visits {
				if v.OutOfOrder != test.flags[v.Checkpoint] {
					t.Errorf("%s out of order: %v", v.Checkpoint, v.OutOfOrder)
				}
			}
			if r.State != test.state {
				t.Errorf("state %s, want %s", r.State, test.state)
			}
		})
	}
}

func TestWhoTapsWhere(t *testing.T) {
	badge := func(uid string) string { return map[string]string{"AABBCCDD": "li"}[uid] }
	now := clock(t, "2026-11-22 22:10", zone(t, "Asia/Shanghai"))
	tests := []struct {
		name       string
		tap        facility.Tap
		checkpoint string
		person     string
		verdict    facility.Verdict
		flags      []facility.TapFlag
	}{
		{"a badge", facility.Tap{Source: facility.TapReader, Reader: "reader-gate", Credential: "AABBCCDD"}, "gate", "li", facility.OnTime, nil},
		{"an unknown badge", facility.Tap{Source: facility.TapReader, Reader: "reader-gate", Credential: "00000000"}, "gate", "", facility.OnTime, []facility.TapFlag{facility.FlagUnknownBadge}},
		{"a reader that hangs nowhere", facility.Tap{Source: facility.TapReader, Reader: "reader-x", Credential: "AABBCCDD"}, "", "li", "", []facility.TapFlag{facility.FlagUnknownCheckpoint}},
		{"a reader does not believe what a phone would say", facility.Tap{Source: facility.TapReader, Reader: "reader-gate", Credential: "AABBCCDD", Checkpoint: "roof", Person: "boss"}, "gate", "li", facility.OnTime, nil},
		{"a phone with the id", facility.Tap{Source: facility.TapURL, Checkpoint: "roof", Person: "li"}, "roof", "li", facility.OnTime, nil},
		{"a phone with the token", facility.Tap{Source: facility.TapQR, Checkpoint: "token-pump", Person: "li"}, "pump", "li", facility.OnTime, nil},
		{"a phone that read a tag", facility.Tap{Source: facility.TapNFC, Credential: "04A035B2", Person: "li"}, "pump", "li", facility.OnTime, nil},
		{"a phone at an unknown tag", facility.Tap{Source: facility.TapNFC, Credential: "FFFFFFFF", Person: "li"}, "", "li", "", []facility.TapFlag{facility.FlagUnknownCheckpoint}},
		{"a phone of nobody", facility.Tap{Source: facility.TapURL, Checkpoint: "roof"}, "roof", "", facility.OnTime, []facility.TapFlag{facility.FlagUnknownBadge}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := patrol.New(estate(t))
			j.Advance(now.Add(-time.Hour), nil)
			test.tap.ID, test.tap.TappedAt, test.tap.SentAt, test.tap.ReceivedAt = "tap", now, now, now
			got, _ := j.Tap(test.tap, badge)
			if got.Checkpoint != test.checkpoint || got.Person != test.person || got.Verdict != test.verdict || !slices.Equal(got.Flags, test.flags) {
				t.Errorf("%+v", got)
			}
			if d := cmp.Diff(test.tap, got.Tap); d != "" {
				t.Errorf("the tap was altered: %s", d)
			}
		})
	}
}

func TestClocksOfPhones(t *testing.T) {
	now := clock(t, "2026-11-22 22:10", zone(t, "Asia/Shanghai"))
	delayed, skewed := facility.FlagDelayed, facility.FlagClockSkew
	tests := []struct {
		name                   string
		source                 facility.TapSource
		tapped, sent, received time.Duration // from 22:10
		want                   time.Duration // when the visit was made
		flags                  []facility.TapFlag
	}{
		{"right", facility.TapURL, 0, time.Second, 2 * time.Second, 0, nil},
		{"a little off", facility.TapURL, -time.Minute, -time.Minute, 0, -time.Minute, nil},
		{"an hour slow", facility.TapURL, -time.Hour, -time.Hour, 0, 0, []facility.TapFlag{skewed}},
		{"an hour fast", facility.TapURL, time.Hour, time.Hour, 0, 0, []facility.TapFlag{skewed}},
		{"an hour fast and five minutes on the way", facility.TapURL, 55 * time.Minute, time.Hour, 0, -5 * time.Minute, []facility.TapFlag{skewed, delayed}},
		{"right and five minutes on the way", facility.TapURL, -5 * time.Minute, 0, 0, -5 * time.Minute, []facility.TapFlag{delayed}},
		{"set back between tap and sending", facility.TapURL, 10 * time.Minute, 0, 0, 0, []facility.TapFlag{skewed}},
		{"a second fast", facility.TapURL, time.Second, time.Second, 0, 0, nil},
		{"a reader whose gateway was cut off", facility.TapReader, 0, 0, 20 * time.Minute, 0, []facility.TapFlag{delayed}},
		{"a phone that does not say", facility.TapURL, 0, -now.Sub(time.Time{}), 0, 0, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := patrol.New(estate(t))
			j.Advance(now.Add(-time.Hour), nil)
			tap := facility.Tap{ID: "tap", Source: test.source, Reader: "reader-gate", Checkpoint: "gate", Person: "li", TappedAt: now.Add(test.tapped), ReceivedAt: now.Add(test.received)}
			if sent := now.Add(test.sent); test.sent > -24*time.Hour {
				tap.SentAt = sent
			}
			got, changes := j.Tap(tap, func(string) string { return "li" })
			if !slices.Equal(got.Flags, test.flags) {
				t.Errorf("flags %v, want %v", got.Flags, test.flags)
			}
			if len(changes) != 1 {
				t.Fatalf("%d changes", len(changes))
			}
			if at := changes[0].Round.Visits[0].TappedAt; !at.Equal(now.Add(test.want)) {
				t.Errorf("judged at %s, want %s", at, now.Add(test.want))
			}
		})
	}
}

func TestMissedWaitsForWhatMayBeOnItsWay(t *testing.T) {
	e := &evening{t: t, judge: patrol.New(estate(t))}
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
	e := &evening{t: t, judge: patrol.New(estate(t))}
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
	e := &evening{t: t, judge: patrol.New(estate(t))}
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
	e := &evening{t: t, judge: patrol.New(estate(t))}
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

func TestRoundsAreMadeADayAhead(t *testing.T) {
	e := &evening{t: t, judge: patrol.New(estate(t, nightPlan("06:00", "14:00", "22:00")))}
	seen := map[string]int{}
	for at := e.at("08:00"); at.Before(e.at("08:00").AddDate(0, 0, 40)); at = at.Add(10 * time.Minute) {
		for _, c := range e.judge.Advance(at, nil) {
			if c.Round.State == facility.RoundScheduled {
				seen[c.Round.ID]++
				if ahead := c.Round.Start.Sub(at); ahead < 0 || ahead > 24*time.Hour {
					t.Errorf("%s is made %s ahead", c.Round.ID, ahead)
				}
			}
		}
		if n := len(e.judge.Rounds()); n > 3+2 {
			t.Fatalf("the judge holds %d rounds", n)
		}
	}
	if len(seen) < 40*3 || len(seen) > 41*3 {
		t.Errorf("%d rounds in 40 days, want 3 a day", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was made %d times", id, n)
		}
	}
}

func TestServedRoundsAreLetGo(t *testing.T) {
	e := &evening{t: t, judge: patrol.New(estate(t, nightPlan("10:00")))}
	for _, l := range []string{"09:00 tick", "10:01 tap gate", "10:02 tap pump", "10:03 tap roof", "11:24 tick"} {
		e.do(l)
	}
	if n := len(e.judge.Rounds()); n != 2 {
		t.Errorf("%d rounds while the grace lasts, want 2", n)
	}
	e.do("11:25 tick")
	if n := len(e.judge.Rounds()); n != 1 {
		t.Errorf("%d rounds after the grace, want that of tomorrow", n)
	}
}

func TestLoadWithOtherPlans(t *testing.T) {
	first := &evening{t: t, judge: patrol.New(estate(t, nightPlan("09:30", "20:00", "22:00")))}
	first.do("09:00 tick")
	first.do("09:31 tap gate")

	longer := nightPlan("20:00", "23:00")
	longer.Window = time.Hour
	second := &evening{t: t, judge: patrol.New(estate(t, longer))}
	second.judge.Load(first.judge.Rounds(), first.judge.Standing())
	second.judge.Advance(second.at("10:00"), nil)
	want := map[string]string{
		"09:30": "in_progress 45m0s", // has begun, and stays as it was
		"20:00": "scheduled 1h0m0s",  // follows the plan
		"22:00": "cancelled 45m0s",   // is not planned any more
		"23:00": "scheduled 1h0m0s",
	}
	for _, r := range second.judge.Rounds() {
		at := r.Start.In(zone(t, "Asia/Shanghai")).Format("15:04")
		if got := fmt.Sprintf("%s %s", r.State, r.End.Sub(r.Start)); got != want[at] {
			t.Errorf("%s: %s, want %s", at, got, want[at])
		}
		delete(want, at)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestAlarmThatOutlivedItsRound(t *testing.T) {
	first := &evening{t: t, judge: patrol.New(estate(t))}
	first.do("21:00 tick")
	first.do("22:55 tick")
	second := &evening{t: t, judge: patrol.New(estate(t))}
	second.judge.Load(nil, first.judge.Standing())
	want := []string{"23:59  gate acknowledge unacknowledged->acknowledged", "23:59  gate clear acknowledged->normal over, 0 missing"}
	if got := second.do("23:59 ack gate"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// drawEvening makes lines in order of time.
func drawEvening(rt *rapid.T) []string {
	points := []string{"gate", "pump", "roof", "store"}
	var lines []string
	clock := func(minute int) string { return fmt.Sprintf("%02d:%02d:30", minute/60, minute%60) }
	now := 19 * 60
	for range rapid.IntRange(1, 40).Draw(rt, "lines") {
		now = min(now+rapid.IntRange(0, 25).Draw(rt, "pause"), 23*60+58)
		point := rapid.SampledFrom(points).Draw(rt, "point")
		switch rapid.IntRange(0, 4).Draw(rt, "what") {
		case 0, 1:
			lines = append(lines, clock(now)+" tick")
		case 2:
			lines = append(lines, clock(now)+" tap "+point)
		case 3:
			lines = append(lines, fmt.Sprintf("%s brings %s %s", clock(now), clock(now-rapid.IntRange(0, 80).Draw(rt, "age")), point))
		case 4:
			lines = append(lines, clock(now)+" ack-any")
		}
	}
	return lines
}

func (e *evening) play(line string) []string {
	if now, ok := strings.CutSuffix(line, " ack-any"); ok {
		for _, a := range e.judge.Standing() {
			if a.State == facility.AlarmUnacknowledged {
				changes, err := e.judge.Acknowledge(a.ID, "desk", "", e.at(now))
				if err != nil {
					e.t.Fatal(err)
				}
				return e.describe(changes)
			}
		}
		return nil
	}
	return e.do(line)
}

func TestLoadAnywhereGivesTheSameFuture(t *testing.T) {
	plans := []facility.Plan{nightPlan("19:30", "20:15", "21:30", "22:30")}
	rapid.Check(t, func(rt *rapid.T) {
		lines := drawEvening(rt)
		through := &evening{t: t, judge: patrol.New(estate(t, plans...))}
		broken := &evening{t: t, judge: patrol.New(estate(t, plans...))}
		start := through.at("19:00")
		through.judge.Advance(start, nil)
		broken.judge.Advance(start, nil)
		for _, l := range lines {
			want := through.play(l)
			if rapid.Bool().Draw(rt, "stop") {
				fresh := patrol.New(estate(t, plans...))
				fresh.Load(broken.judge.Rounds(), broken.judge.Standing())
				// Rounds beyond those made already are the only thing that a new judge
				// may add, and only with the first Advance.
				broken.judge = fresh
			}
			got := broken.play(l)
			drop := func(s string) bool { return strings.HasSuffix(s, " scheduled") }
			if want, got := slices.DeleteFunc(want, drop), slices.DeleteFunc(got, drop); !slices.Equal(got, want) {
				rt.Fatalf("%s: %v, want %v", l, got, want)
			}
		}
		if d := cmp.Diff(through.judge.Standing(), broken.judge.Standing()); d != "" {
			rt.Fatal(d)
		}
	})
}

// TestWhatHoldsOnEveryEvening states what must be true whatever happens.
func TestWhatHoldsOnEveryEvening(t *testing.T) {
	plans := []facility.Plan{nightPlan("19:30", "20:15", "21:30", "22:30")}
	rapid.Check(t, func(rt *rapid.T) {
		e := &evening{t: t, judge: patrol.New(estate(t, plans...))}
		e.judge.Advance(e.at("19:00"), nil)
		for _, l := range drawEvening(rt) {
			e.play(l)
			used := map[string]string{}
			missed := map[string]bool{}
			held := map[string]bool{}
			for _, r := range e.judge.Rounds() {
				held[r.ID] = true
				for _, v := range r.Visits {
					where := r.ID + "/" + v.Checkpoint
					if v.Verdict == facility.Missed {
						missed["patrol/"+where] = true
					}
					reached := v.Verdict == facility.OnTime || v.Verdict == facility.Early || v.Verdict == facility.Late
					if reached != (v.Tap != "") || reached != (v.TappedAt != nil) {
						rt.Fatalf("after %s: %s is %s by tap %q at %v", l, where, v.Verdict, v.Tap, v.TappedAt)
					}
					if v.Tap != "" && used[v.Tap] != "" {
						rt.Fatalf("after %s: %s counts for %s and %s", l, v.Tap, used[v.Tap], where)
					}
					used[v.Tap] = where
					if v.TappedAt == nil {
						continue
					}
					verdict := facility.OnTime
					if v.TappedAt.Before(r.Start) {
						verdict = facility.Early
					} else if !v.TappedAt.Before(r.End) {
						verdict = facility.Late
					}
					if v.Verdict != verdict || v.TappedAt.Before(r.Start.Add(-r.Tolerance)) || !v.TappedAt.Before(r.End.Add(r.Tolerance)) {
						rt.Fatalf("after %s: %s was reached at %s and is %s", l, where, v.TappedAt, v.Verdict)
					}
				}
			}
			for _, a := range e.judge.Standing() {
				if held[a.Round] && !missed[a.Key] {
					rt.Fatalf("after %s: alarm %s stands, but nothing is missed", l, a.Key)
				}
			}
		}
	})
}

func FuzzTap(f *testing.F) {
	f.Add("gate", "phone_url", "04A035B2", int64(0), int64(0), int64(0))
	f.Add("token-pump", "reader", "", int64(-3600), int64(7200), int64(60))
	f.Fuzz(func(t *testing.T, checkpoint, source, credential string, tapped, sent, received int64) {
		j := patrol.New(estate(t))
		now := clock(t, "2026-11-22 22:10", zone(t, "Asia/Shanghai"))
		j.Advance(now.Add(-time.Hour), nil)
		at := func(s int64) time.Time { return now.Add(time.Duration(s%1e8) * time.Second) }
		tap := facility.Tap{ID: "tap", Source: facility.TapSource(source), Reader: checkpoint, Checkpoint: checkpoint, Credential: credential, TappedAt: at(tapped), SentAt: at(sent), ReceivedAt: at(received)}
		first, changes := j.Tap(tap, nil)
		if (first.Round == "") != (first.Verdict == "") || (len(changes) == 0) != (first.Round == "") {
			t.Errorf("%+v with %d changes", first, len(changes))
		}
		second, _ := j.Tap(tap, nil)
		if d := cmp.Diff(first, second); d != "" {
			t.Error(d)
		}
		j.Advance(now.Add(3*time.Hour), nil)
	})
}
