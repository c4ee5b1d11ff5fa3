package patrol_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/facility"
	"gengfu/rules/patrol"
)

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
			e := &evening{t: t, judge: patrol.New(estate(plan))}
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
	now := clock(t, "2026-11-22 22:10", shanghai())
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
		{"a wand that somebody signed for", facility.Tap{Source: facility.TapWand, Reader: "W7", Checkpoint: "roof", Person: "li"}, "roof", "li", facility.OnTime, nil},
		{"a wand that nobody signed for", facility.Tap{Source: facility.TapWand, Reader: "W7", Checkpoint: "roof"}, "roof", "", facility.OnTime, []facility.TapFlag{facility.FlagUnknownBadge}},
		{"a phone of nobody", facility.Tap{Source: facility.TapURL, Checkpoint: "roof"}, "roof", "", facility.OnTime, []facility.TapFlag{facility.FlagUnknownBadge}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			j := patrol.New(estate())
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

// A card that nobody knows, such as a resident's, does not make a round complete,
// and does not stand in the way of the guard who comes after it.
func TestACardThatNobodyKnows(t *testing.T) {
	badge := func(uid string) string { return map[string]string{"AABBCCDD": "li"}[uid] }
	start := clock(t, "2026-11-22 22:00", shanghai())
	for _, test := range []struct {
		name  string
		cards []string // held to the reader at the gate, minute after minute
		by    string
		state facility.RoundState
	}{
		{"the guard", []string{"AABBCCDD"}, "li", facility.RoundCompleted},
		{"nobody", []string{"00000000"}, "", facility.RoundExceptions},
		{"nobody, then the guard", []string{"00000000", "AABBCCDD"}, "li", facility.RoundCompleted},
		{"the guard, then nobody", []string{"AABBCCDD", "00000000"}, "li", facility.RoundCompleted},
		{"nobody twice", []string{"00000000", "11111111"}, "", facility.RoundExceptions},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := patrol.New(estate(nightPlan("22:00")))
			j.Advance(start.Add(-time.Hour), nil)
			tap := func(i int, n facility.Tap) facility.JudgedTap {
				n.ID, n.TappedAt = fmt.Sprint("tap-", n.Checkpoint, i), start.Add(time.Duration(i)*time.Minute)
				n.SentAt, n.ReceivedAt = n.TappedAt, n.TappedAt
				judged, _ := j.Tap(n, badge)
				return judged
			}
			for _, other := range []string{"pump", "roof"} {
				tap(1, facility.Tap{Source: facility.TapURL, Checkpoint: other, Person: "li"})
			}
			for i, card := range test.cards {
				judged := tap(2+i, facility.Tap{Source: facility.TapReader, Reader: "reader-gate", Credential: card})
				if unknown := slices.Contains(judged.Flags, facility.FlagUnknownBadge); unknown != (judged.Person == "") {
					t.Errorf("tap %d: %+v", i, judged)
				}
			}
			r := j.Rounds()[0]
			if r.State != test.state || r.Visits[0].By != test.by {
				t.Errorf("round %s, the gate by %q, want %s by %q", r.State, r.Visits[0].By, test.state, test.by)
			}
		})
	}
}

func TestClocksOfPhones(t *testing.T) {
	now := clock(t, "2026-11-22 22:10", shanghai())
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
			j := patrol.New(estate())
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

func FuzzTap(f *testing.F) {
	f.Add("gate", "phone_url", "04A035B2", int64(0), int64(0), int64(0))
	f.Add("token-pump", "reader", "", int64(-3600), int64(7200), int64(60))
	f.Fuzz(func(t *testing.T, checkpoint, source, credential string, tapped, sent, received int64) {
		j := patrol.New(estate())
		now := clock(t, "2026-11-22 22:10", shanghai())
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

// A guard is not to blame for a gateway that did not know the time: a tap that may have
// been on time was, and it is marked.
func TestATapOfAGatewayThatDidNotKnowTheTime(t *testing.T) {
	tests := []struct {
		name    string
		said    string // the latest that it can have been
		within  time.Duration
		at      string
		verdict facility.Verdict
	}{
		{"on time at the latest", "2026-11-22 22:10", 6 * time.Hour, "2026-11-22 22:10", facility.OnTime},
		{"on time if it was earlier", "2026-11-22 23:40", 2 * time.Hour, "2026-11-22 22:44", facility.OnTime},
		{"late however early", "2026-11-22 22:53", 5 * time.Minute, "2026-11-22 22:53", facility.Late},
		{"too late however early", "2026-11-23 02:00", time.Hour, "", ""},
		{"no bound", "2026-11-23 02:00", 0, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := nightPlan("22:00")
			j := patrol.New(estate(plan))
			j.Open(clock(t, "2026-11-22 22:00", shanghai()))
			said := clock(t, test.said, shanghai())
			tap := facility.Tap{
				ID: "tap", Source: facility.TapReader, Reader: "reader-gate", Credential: "AABBCCDD",
				TappedAt: said, ReceivedAt: said, ClockUnknown: true, Within: test.within,
			}
			judged, _ := j.Tap(tap, func(string) string { return "li" })
			if judged.Verdict != test.verdict || !slices.Contains(judged.Flags, facility.FlagClockUnknown) {
				t.Errorf("%s, %v", judged.Verdict, judged.Flags)
			}
			if test.at != "" {
				want := clock(t, test.at, shanghai())
				if at := j.Rounds()[0].Visits[0].TappedAt; at == nil || at.Truncate(time.Minute) != instantOf(want) {
					t.Errorf("counted at %v, want %v", at, want)
				}
			}
			again, changes := j.Tap(tap, func(string) string { return "li" })
			if diff := cmp.Diff(judged, again); diff != "" || len(changes) > 0 {
				t.Errorf("the same tap again: %s, %v", diff, changes)
			}
		})
	}
}

func instantOf(t time.Time) time.Time { return t.UTC().Round(0) }
