package patrol_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules/patrol"
)

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
		through := &evening{t: t, judge: patrol.New(estate(plans...))}
		broken := &evening{t: t, judge: patrol.New(estate(plans...))}
		start := through.at("19:00")
		through.judge.Advance(start, nil)
		broken.judge.Advance(start, nil)
		for _, l := range lines {
			want := through.play(l)
			if rapid.Bool().Draw(rt, "stop") {
				fresh := patrol.New(estate(plans...))
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
		e := &evening{t: t, judge: patrol.New(estate(plans...))}
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
