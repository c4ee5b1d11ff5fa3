package patrol_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules/patrol"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func clock(t testing.TB, s string, z *time.Location) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", s, z)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestSchedule(t *testing.T) {
	weekdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	tests := []struct {
		name     string
		zone     string
		plan     facility.Plan
		from, to string
		want     string // starts, as "day hh:mm" with the offset where it matters
	}{
		{"times", "Asia/Shanghai", facility.Plan{Times: []string{"22:00", "00:30"}}, "2026-11-22 00:00", "2026-11-24 00:00", "22T00:30+08:00 22T22:00+08:00 23T00:30+08:00 23T22:00+08:00"},
		{"from is in it, to is not", "Asia/Shanghai", facility.Plan{Times: []string{"22:00"}}, "2026-11-22 22:00", "2026-11-23 22:00", "22T22:00+08:00"},
		{"nothing", "Asia/Shanghai", facility.Plan{Times: []string{"22:00"}}, "2026-11-22 22:00", "2026-11-22 22:00", ""},
		{"every, past midnight", "Asia/Shanghai", facility.Plan{Every: 2 * time.Hour, From: "20:00", Until: "06:00"}, "2026-11-22 12:00", "2026-11-23 12:00", "22T20:00+08:00 22T22:00+08:00 23T00:00+08:00 23T02:00+08:00 23T04:00+08:00"},
		{"every, seen from after midnight", "Asia/Shanghai", facility.Plan{Every: 2 * time.Hour, From: "20:00", Until: "06:00"}, "2026-11-23 00:01", "2026-11-23 12:00", "23T02:00+08:00 23T04:00+08:00"},
		{"every, all day", "Asia/Shanghai", facility.Plan{Every: 8 * time.Hour}, "2026-11-22 00:00", "2026-11-23 08:00", "22T00:00+08:00 22T08:00+08:00 22T16:00+08:00 23T00:00+08:00"},
		{"every, round the clock from eight", "Asia/Shanghai", facility.Plan{Every: 12 * time.Hour, From: "08:00", Until: "08:00"}, "2026-11-22 08:00", "2026-11-23 08:00", "22T08:00+08:00 22T20:00+08:00"},
		{"every, uneven", "Asia/Shanghai", facility.Plan{Every: 7 * time.Hour, From: "08:00", Until: "20:00"}, "2026-11-22 00:00", "2026-11-24 00:00", "22T08:00+08:00 22T15:00+08:00 23T08:00+08:00 23T15:00+08:00"},
		// 2026-11-20 is a Friday.
		{"days of times", "Asia/Shanghai", facility.Plan{Times: []string{"23:30", "00:30"}, Days: []time.Weekday{time.Saturday}}, "2026-11-20 00:00", "2026-11-23 00:00", "21T00:30+08:00 21T23:30+08:00"},
		{"days of every are those of from", "Asia/Shanghai", facility.Plan{Every: 3 * time.Hour, From: "22:00", Until: "06:00", Days: weekdays}, "2026-11-20 12:00", "2026-11-23 12:00", "20T22:00+08:00 21T01:00+08:00 21T04:00+08:00"},
		{"end of the month", "Asia/Shanghai", facility.Plan{Times: []string{"23:50"}, Window: time.Hour}, "2026-02-27 00:00", "2026-03-02 00:00", "27T23:50+08:00 28T23:50+08:00 01T23:50+08:00"},
		{"end of the year", "Asia/Shanghai", facility.Plan{Every: 4 * time.Hour, From: "20:00", Until: "04:00"}, "2026-12-31 12:00", "2027-01-01 12:00", "31T20:00+08:00 01T00:00+08:00"},
		{"leap day", "Asia/Shanghai", facility.Plan{Times: []string{"12:00"}}, "2028-02-28 00:00", "2028-03-02 00:00", "28T12:00+08:00 29T12:00+08:00 01T12:00+08:00"},
		{"crontab", "Asia/Shanghai", facility.Plan{Cron: "30 22,23 * * 1-5"}, "2026-11-20 00:00", "2026-11-24 00:00", "20T22:30+08:00 20T23:30+08:00 23T22:30+08:00 23T23:30+08:00"},
		{"crontab of a month", "Asia/Shanghai", facility.Plan{Cron: "0 9 1 * *"}, "2026-11-20 00:00", "2027-01-20 00:00", "01T09:00+08:00 01T09:00+08:00"},
		{"twice the same", "Asia/Shanghai", facility.Plan{Times: []string{"22:00", "22:00"}}, "2026-11-22 00:00", "2026-11-23 00:00", "22T22:00+08:00"},

		// Berlin skips 02:00 to 03:00 on 2026-03-29 and has 02:00 to 03:00 twice on 2026-10-25.
		{"summer time begins", "Europe/Berlin", facility.Plan{Every: 30 * time.Minute, From: "01:30", Until: "04:00"}, "2026-03-29 00:00", "2026-03-30 00:00", "29T01:30+01:00 29T03:00+02:00 29T03:30+02:00"},
		{"summer time ends", "Europe/Berlin", facility.Plan{Every: 30 * time.Minute, From: "01:30", Until: "04:00"}, "2026-10-25 00:00", "2026-10-26 00:00", "25T01:30+02:00 25T02:00+02:00 25T02:30+02:00 25T03:00+01:00 25T03:30+01:00"},
		{"a time that is skipped", "Europe/Berlin", facility.Plan{Times: []string{"02:15"}}, "2026-03-28 00:00", "2026-03-31 00:00", "28T02:15+01:00 29T03:00+02:00 30T02:15+02:00"},
		{"a crontab that is skipped", "Europe/Berlin", facility.Plan{Cron: "15 2 * * *"}, "2026-03-28 00:00", "2026-03-31 00:00", "28T02:15+01:00 29T03:00+02:00 30T02:15+02:00"},
		{"a time that comes twice", "Europe/Berlin", facility.Plan{Times: []string{"02:15"}}, "2026-10-24 00:00", "2026-10-27 00:00", "24T02:15+02:00 25T02:15+02:00 26T02:15+01:00"},
		{"a night of the change", "Europe/Berlin", facility.Plan{Every: 2 * time.Hour, From: "22:00", Until: "06:00"}, "2026-03-28 12:00", "2026-03-29 12:00", "28T22:00+01:00 29T00:00+01:00 29T03:00+02:00 29T04:00+02:00"},
		{"midnight that is skipped", "America/Sao_Paulo", facility.Plan{Times: []string{"00:00"}}, "2018-11-03 12:00", "2018-11-05 12:00", "04T01:00-02:00 05T00:00-02:00"},
		{"midnight that comes twice", "America/Havana", facility.Plan{Times: []string{"00:30"}}, "2026-10-31 12:00", "2026-11-02 12:00", "01T00:30-04:00 02T00:30-05:00"},
		{"half an hour", "Australia/Lord_Howe", facility.Plan{Times: []string{"02:15"}}, "2026-10-03 12:00", "2026-10-05 12:00", "04T02:30+11:00 05T02:15+11:00"},
		{"a day that is skipped", "Pacific/Apia", facility.Plan{Times: []string{"12:00"}}, "2011-12-29 00:00", "2012-01-01 00:00", "29T12:00-10:00 31T00:00+14:00 31T12:00+14:00"},

		{"nonsense", "Asia/Shanghai", facility.Plan{Times: []string{"25:00"}, Every: time.Second}, "2026-11-22 00:00", "2026-11-24 00:00", ""},
		{"nonsense from", "Asia/Shanghai", facility.Plan{Every: time.Hour, From: "x", Until: "06:00"}, "2026-11-22 00:00", "2026-11-24 00:00", ""},
		{"nonsense crontab", "Asia/Shanghai", facility.Plan{Cron: "x"}, "2026-11-22 00:00", "2026-11-24 00:00", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			z := zone(t, test.zone)
			test.plan.ID = "p"
			var got []string
			for _, r := range patrol.Schedule(test.plan, facility.Route{ID: "r", Checkpoints: []string{"a"}}, clock(t, test.from, z), clock(t, test.to, z), z) {
				got = append(got, r.Start.In(z).Format("02T15:04Z07:00"))
				if want := "p@" + r.Start.In(z).Format("2006-01-02T15:04Z07:00"); r.ID != want {
					t.Errorf("id %s, want %s", r.ID, want)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("starts\n  %s\nwant\n  %s", strings.Join(got, " "), test.want)
			}
		})
	}
}

func TestRoundIsACopyOfItsPlan(t *testing.T) {
	z := zone(t, "Asia/Shanghai")
	plan := facility.Plan{
		ID: "night", Route: "round-the-block", Times: []string{"23:30"}, Window: 45 * time.Minute, Tolerance: 10 * time.Minute,
		Grace: 30 * time.Minute, Assignee: "li",
	}
	route := facility.Route{ID: "round-the-block", Name: facility.Text{ZH: "一圈"}, Checkpoints: []string{"gate", "pump-room"}, InOrder: true}
	r := patrol.Schedule(plan, route, clock(t, "2026-11-22 00:00", z), clock(t, "2026-11-23 00:00", z), z)[0]
	if r.ID != "night@2026-11-22T23:30+08:00" || r.Start.Location() != time.UTC || !r.End.Equal(clock(t, "2026-11-23 00:15", z)) ||
		r.Tolerance != plan.Tolerance || r.Grace != plan.Grace || r.Assignee != "li" || !r.InOrder || r.Name.ZH != "一圈" ||
		r.Plan != "night" || r.Route != "round-the-block" || r.State != facility.RoundScheduled {
		t.Errorf("round %+v", r)
	}
	for i, c := range route.Checkpoints {
		if r.Visits[i].Checkpoint != c || r.Visits[i].Verdict != facility.Pending {
			t.Errorf("visit %d is %+v", i, r.Visits[i])
		}
	}
}

// TestScheduleAgainstWatchingTheClock compares the starts with those that
// somebody sees who looks at the clock on the wall every minute: each time wanted
// happens the first time that the clock shows it or a later one.
func TestScheduleAgainstWatchingTheClock(t *testing.T) {
	zones := []string{"Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut", "UTC"}
	days := []string{"2026-03-07", "2026-03-28", "2026-03-29", "2026-04-23", "2026-10-03", "2026-10-24", "2026-10-29", "2026-10-31", "2026-11-01", "2026-12-31"}
	rapid.Check(t, func(rt *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(rt, "zone"))
		from := clock(t, rapid.SampledFrom(days).Draw(rt, "day")+" 00:00", z).Add(time.Duration(rapid.IntRange(0, 48*60).Draw(rt, "from")) * time.Minute)
		to := from.Add(time.Duration(rapid.IntRange(0, 40*60).Draw(rt, "to")) * time.Minute)
		var times []string
		for range rapid.IntRange(1, 4).Draw(rt, "times") {
			times = append(times, fmt.Sprintf("%02d:%02d", rapid.IntRange(0, 23).Draw(rt, "hour"), rapid.SampledFrom([]int{0, 5, 15, 30, 45, 59}).Draw(rt, "minute")))
		}
		var got, want []time.Time
		for _, r := range patrol.Schedule(facility.Plan{ID: "p", Times: times}, facility.Route{}, from, to, z) {
			got = append(got, r.Start)
		}
		done := map[string]bool{}
		for at := from.AddDate(0, 0, -2).Truncate(time.Minute); at.Before(to); at = at.Add(time.Minute) {
			local := at.In(z)
			shown := local.Format("2006-01-02 15:04")
			for _, back := range []int{1, 0} { // a time just before midnight may be skipped into the next day
				y, m, d := local.Date()
				date := time.Date(y, m, d-back, 0, 0, 0, 0, time.UTC).Format("2006-01-02")
				for _, s := range times {
					if wanted := date + " " + s; shown >= wanted && !done[wanted] {
						done[wanted] = true
						if !at.Before(from) && at.UTC() != last(want) {
							want = append(want, at.UTC())
						}
					}
				}
			}
		}
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			rt.Fatalf("in %s from %s to %s at %v:\n%v, want\n%v", z, from, to, times, got, want)
		}
	})
}

// last is the last of the times.
func last(times []time.Time) time.Time {
	if len(times) == 0 {
		return time.Time{}
	}
	return times[len(times)-1]
}
