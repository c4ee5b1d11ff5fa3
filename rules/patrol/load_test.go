package patrol_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules/patrol"
)

func TestRoundsAreMadeADayAhead(t *testing.T) {
	e := &evening{t: t, judge: patrol.New(estate(nightPlan("06:00", "14:00", "22:00")))}
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
	e := &evening{t: t, judge: patrol.New(estate(nightPlan("10:00")))}
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
	first := &evening{t: t, judge: patrol.New(estate(nightPlan("09:30", "20:00", "22:00")))}
	first.do("09:00 tick")
	first.do("09:31 tap gate")

	longer := nightPlan("20:00", "23:00")
	longer.Window = time.Hour
	second := &evening{t: t, judge: patrol.New(estate(longer))}
	second.judge.Load(first.judge.Rounds(), first.judge.Standing())
	second.judge.Advance(second.at("10:00"), nil)
	want := map[string]string{
		"09:30": "in_progress 45m0s", // has begun, and stays as it was
		"20:00": "scheduled 1h0m0s",  // follows the plan
		"22:00": "cancelled 45m0s",   // is not planned any more
		"23:00": "scheduled 1h0m0s",
	}
	for _, r := range second.judge.Rounds() {
		at := r.Start.In(shanghai()).Format("15:04")
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
	first := &evening{t: t, judge: patrol.New(estate())}
	first.do("21:00 tick")
	first.do("22:55 tick")
	second := &evening{t: t, judge: patrol.New(estate())}
	second.judge.Load(nil, first.judge.Standing())
	want := []string{"23:59  gate acknowledge unacknowledged->acknowledged", "23:59  gate clear acknowledged->normal over, 0 missing"}
	if got := second.do("23:59 ack gate"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
