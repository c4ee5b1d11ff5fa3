package dashboard

import (
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

// healthy are the facts of an estate where everything is well.
func healthy(t *testing.T) facts {
	t.Helper()
	at := noon.Add(-10 * time.Second)
	good := func(id facility.PointID, v float64) facility.Reading {
		return facility.Reading{Point: id, Time: at, Value: v, Quality: facility.Good}
	}
	return facts{
		estate: newEstate(testEstate(t), ""), tiles: []facility.PointID{pressure, {Device: "no", Quantity: "such"}},
		values: latest{pressure: good(pressure, 4.2), pumpOn: good(pumpOn, 1), volume: good(volume, 100), waterOn: good(waterOn, 1)},
		names:  map[string]string{"guard": "赵队"},
	}
}

func alarmOf(p facility.Priority, s facility.AlarmState) facility.Alarm {
	return facility.Alarm{Priority: p, State: s, Title: facility.Text{ZH: "1号泵 故障", EN: "Pump 1 fault"}, LastAt: noon}
}

func TestOverviewState(t *testing.T) {
	tests := []struct {
		name   string
		change func(*facts)
		state  estateState
		zh, en string // a part of the sentence
	}{
		{"all is well", func(*facts) {}, estateOK, "一切正常：2 台设备全部在线", "2 devices online"},
		{"P1 present", func(f *facts) {
			f.standing = []facility.Alarm{alarmOf(facility.P1, facility.AlarmUnacknowledged)}
		}, estateAlarm, "1号泵 故障（P1）", "Pump 1 fault (P1)"},
		{"P2 present and seen", func(f *facts) {
			f.standing = []facility.Alarm{alarmOf(facility.P2, facility.AlarmAcknowledged)}
		}, estateAlarm, "（P2）", "(P2)"},
		{"the worst is named", func(f *facts) {
			f.standing = []facility.Alarm{
				{Priority: facility.P2, State: facility.AlarmAcknowledged, Title: facility.Text{ZH: "乙"}, LastAt: noon},
				{Priority: facility.P1, State: facility.AlarmAcknowledged, Title: facility.Text{ZH: "甲", EN: "the worst"}, LastAt: noon.Add(-time.Hour)},
				{Priority: facility.P1, State: facility.AlarmUnacknowledged, Title: facility.Text{ZH: "丙", EN: "an older"}, LastAt: noon.Add(-2 * time.Hour)},
			}
		}, estateAlarm, "甲（P1）；另有 2 条紧急报警", "the worst (P1); 2 more urgent alarms"},
		{"P1 whose points are bad", func(f *facts) {
			a := alarmOf(facility.P1, facility.AlarmUnacknowledged)
			a.Unknown = true
			f.standing = []facility.Alarm{a}
		}, estateAlarm, "现状不明", "not known"},
		{"P1 gone but not seen", func(f *facts) {
			f.standing = []facility.Alarm{alarmOf(facility.P1, facility.AlarmReturned)}
		}, estateAttention, "1 条报警未确认", "1 alarm not acknowledged"},
		{"P3 present and seen", func(f *facts) {
			f.standing = []facility.Alarm{alarmOf(facility.P3, facility.AlarmAcknowledged)}
		}, estateAttention, "1 条已确认的报警未恢复", "1 acknowledged alarm still standing"},
		{"what is held calls nobody", func(f *facts) {
			a := alarmOf(facility.P1, facility.AlarmUnacknowledged)
			a.Holds = []facility.AlarmHold{{Key: a.Key, Kind: facility.AlarmShelved}}
			f.standing, f.holds = []facility.Alarm{a}, a.Holds
		}, estateAttention, "1 项报警已搁置", "1 alarm kept quiet"},
		{"latched and seen", func(f *facts) {
			f.standing = []facility.Alarm{alarmOf(facility.P1, facility.AlarmLatchedAcknowledged)}
		}, estateAttention, "1 条已确认的报警未恢复", "1 acknowledged alarm still standing"},
		{"overdue", func(f *facts) { f.orders = facility.OrderTotals{Open: 3, Overdue: 2} }, estateAttention, "2 张工单超时", "2 work orders overdue"},
		{"open orders alone are work, not trouble", func(f *facts) { f.orders = facility.OrderTotals{Open: 3, Unassigned: 1} }, estateOK, "一切正常", "All is well"},
		{"missed", func(f *facts) {
			f.rounds = []facility.Round{{Start: noon.Add(-4 * time.Hour), End: noon.Add(-3 * time.Hour), State: facility.RoundMissed, Visits: []facility.Visit{{Verdict: facility.Missed}}}}
		}, estateAttention, "今日漏巡 1 处", "1 checkpoint missed today"},
		{"a device is away", func(f *facts) {
			f.values[waterOn] = facility.Reading{Point: waterOn, Time: noon, Value: 0, Quality: facility.Good}
		}, estateAttention, "1 台设备离线", "1 device offline"},
		{"one device is silent", func(f *facts) {
			delete(f.values, volume)
			delete(f.values, waterOn)
		}, estateAttention, "1 台设备没有最新数据", "1 device without current data"},
		{"nothing was ever heard", func(f *facts) { f.values = latest{} }, estateUnknown, "现状不明", "not known"},
		{"nothing was heard for long", func(f *facts) {
			for id, r := range f.values {
				r.Time = noon.Add(-time.Hour)
				f.values[id] = r
			}
		}, estateUnknown, "现状不明", "not known"},
		{"nothing is known and P3 stands", func(f *facts) {
			f.values = latest{}
			f.standing = []facility.Alarm{alarmOf(facility.P3, facility.AlarmUnacknowledged)}
		}, estateUnknown, "现状不明", "not known"},
		{"nothing is known and P1 stands", func(f *facts) {
			f.values = latest{}
			f.standing = []facility.Alarm{alarmOf(facility.P1, facility.AlarmUnacknowledged)}
		}, estateAlarm, "没有任何设备的最新数据", "no device gives current data"},
		{"an estate without devices", func(f *facts) {
			f.estate = newEstate(facility.Estate{}, "")
			f.values = latest{}
		}, estateOK, "一切正常", "All is well"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := healthy(t)
			test.change(&f)
			o := overview(f, noon)
			if o.State != test.state || !strings.Contains(o.Summary.ZH, test.zh) || !strings.Contains(o.Summary.EN, test.en) {
				t.Errorf("%s: %+v; want %s with %q and %q", o.State, o.Summary, test.state, test.zh, test.en)
			}
			if strings.ContainsAny(o.Summary.ZH+o.Summary.EN, "{}") {
				t.Errorf("a placeholder is left: %+v", o.Summary)
			}
		})
	}
}

func TestOverviewCounts(t *testing.T) {
	f := healthy(t)
	f.standing = []facility.Alarm{
		alarmOf(facility.P1, facility.AlarmUnacknowledged), alarmOf(facility.P3, facility.AlarmReturned),
		alarmOf(facility.P3, facility.AlarmAcknowledged), alarmOf(facility.P4, facility.AlarmNormal),
	}
	round := func(start time.Duration, state facility.RoundState, verdicts ...facility.Verdict) facility.Round {
		r := facility.Round{ID: start.String(), Start: noon.Add(start), End: noon.Add(start + time.Hour), Tolerance: 10 * time.Minute, State: state}
		for _, v := range verdicts {
			r.Visits = append(r.Visits, facility.Visit{Checkpoint: "gate", Verdict: v})
		}
		return r
	}
	f.rounds = []facility.Round{
		round(-20*time.Hour, facility.RoundMissed, facility.Missed), // yesterday
		round(-3*time.Hour, facility.RoundExceptions, facility.OnTime, facility.Late, facility.Early, facility.Exempt),
		round(-2*time.Hour, facility.RoundCancelled, facility.Pending),
		round(-30*time.Minute, facility.RoundInProgress, facility.OnTime, facility.Pending),
		round(3*time.Hour, facility.RoundScheduled, facility.Pending, facility.Pending),
		round(20*time.Hour, facility.RoundScheduled, facility.Pending), // tomorrow
	}
	o := overview(f, noon)
	if o.Alarms != (alarmTotals{Standing: 3, Unacknowledged: 2, P1: 1, P3: 2}) {
		t.Errorf("alarms: %+v", o.Alarms)
	}
	if o.Patrol.Expected != 7 || o.Patrol.Reached != 4 || o.Patrol.Missed != 0 || o.Patrol.Next == nil || o.Patrol.Next.ID != "-30m0s" {
		t.Errorf("patrol: %+v", o.Patrol)
	}
	if o.Patrol.Next.Visits[0].Name.EN != "East gate" {
		t.Errorf("next: %+v", o.Patrol.Next)
	}
	if o.Devices != (deviceTotals{Total: 2, Online: 2}) || len(o.Tiles) != 1 || *o.Tiles[0].Value != 4.2 {
		t.Errorf("devices %+v, tiles %+v", o.Devices, o.Tiles)
	}
}

// A round of last night that is not over yet belongs to today as well.
func TestOverviewAfterMidnight(t *testing.T) {
	f := healthy(t)
	midnight := time.Date(2026, 11, 22, 16, 10, 0, 0, time.UTC) // 00:10
	f.rounds = []facility.Round{{
		ID: "night", Start: midnight.Add(-40 * time.Minute), End: midnight.Add(5 * time.Minute), State: facility.RoundInProgress,
		Visits: []facility.Visit{{Verdict: facility.OnTime}, {Verdict: facility.Pending}},
	}}
	if o := overview(f, midnight); o.Patrol.Expected != 2 || o.Patrol.Reached != 1 || o.Patrol.Next == nil {
		t.Errorf("at 00:10: %+v", o.Patrol)
	}
	if o := overview(f, midnight.Add(time.Hour)); o.Patrol.Expected != 0 || o.Patrol.Next != nil {
		t.Errorf("at 01:10: %+v", o.Patrol)
	}
}

func TestStaleAfter(t *testing.T) {
	tests := []struct {
		point facility.Point
		want  time.Duration
	}{
		{facility.Point{Period: time.Second}, 90 * time.Second},
		{facility.Point{Period: 10 * time.Minute}, 30 * time.Minute},
		{facility.Point{Kind: facility.Signal}, 3 * time.Minute},
		{facility.Point{Kind: facility.Measure}, 5 * time.Minute},
		{facility.Point{Kind: facility.Counter}, time.Hour},
	}
	for _, test := range tests {
		if got := staleAfter(&test.point); got != test.want {
			t.Errorf("%s every %v: %v, want %v", test.point.Kind, test.point.Period, got, test.want)
		}
	}
	// What the field side repeats least often must not look stale.
	if got := staleAfter(&facility.Point{Period: time.Second}); got <= facility.BadKeepAlive {
		t.Errorf("stale after %v, but repeated only every %v", got, facility.BadKeepAlive)
	}
}

func TestReach(t *testing.T) {
	reading := func(id facility.PointID, v float64, q facility.Quality, why facility.Reason, age time.Duration) facility.Reading {
		return facility.Reading{Point: id, Value: v, Quality: q, Reason: why, Time: noon.Add(-age)}
	}
	tests := []struct {
		name     string
		readings []facility.Reading
		want     string
		reason   string
		seen     time.Duration // ago; negative for never
	}{
		{"never heard", nil, "unknown", "", -1},
		{"says online", []facility.Reading{reading(pumpOn, 1, facility.Good, "", 10*time.Second)}, "online", "", 10 * time.Second},
		{"said online long ago", []facility.Reading{reading(pumpOn, 1, facility.Good, "", time.Hour)}, "unknown", "stale", time.Hour},
		{"says offline, its points say why", []facility.Reading{
			reading(pumpOn, 0, facility.Good, "", 5*time.Second), reading(pressure, 0, facility.Bad, facility.LineDown, 5*time.Second),
			reading(fault, 0, facility.Good, "", 2*time.Minute),
		}, "offline", "line_down", 2 * time.Minute},
		{"says offline and why itself", []facility.Reading{reading(pumpOn, 0, facility.Bad, facility.NoAnswer, 0)}, "offline", "no_answer", -1},
		{"only points, good", []facility.Reading{reading(pressure, 4, facility.Good, "", time.Second)}, "online", "", time.Second},
		{"only points, one good", []facility.Reading{
			reading(pressure, 4, facility.Uncertain, facility.ClockUnknown, time.Second), reading(fault, 0, facility.Bad, facility.DeviceError, 0),
		}, "online", "", time.Second},
		{"only points, bad", []facility.Reading{reading(pressure, 0, facility.Bad, facility.NoAnswer, time.Second)}, "offline", "no_answer", -1},
		{"only points, old", []facility.Reading{reading(pressure, 4, facility.Good, "", time.Hour)}, "unknown", "stale", time.Hour},
	}
	device := &testEstate(t).Devices[0]
	for _, test := range tests {
		values := latest{}
		for _, r := range test.readings {
			values[r.Point] = r
		}
		got := reach(device, values, noon)
		seen := time.Duration(-1)
		if got.LastSeen != nil {
			seen = noon.Sub(*got.LastSeen)
		}
		if known(got) != test.want || got.Reason != test.reason || seen != test.seen {
			t.Errorf("%s: %s %q seen %v ago, want %s %q %v", test.name, known(got), got.Reason, seen, test.want, test.reason, test.seen)
		}
	}
}

func TestBestRound(t *testing.T) {
	round := func(id string, start, end time.Duration, v facility.Verdict) facility.Round {
		return facility.Round{
			ID: id, Start: noon.Add(start), End: noon.Add(end), Tolerance: 10 * time.Minute,
			Visits: []facility.Visit{{Checkpoint: "gate", Verdict: v}},
		}
	}
	late := round("late", -2*time.Hour, -5*time.Minute, facility.Pending)
	now := round("now", -30*time.Minute, 30*time.Minute, facility.Pending)
	early := round("early", 5*time.Minute, time.Hour, facility.Pending)
	done := round("done", -30*time.Minute, 30*time.Minute, facility.OnTime)
	past := round("past", -2*time.Hour, -time.Hour, facility.Pending)
	off := round("off", -30*time.Minute, 30*time.Minute, facility.Pending)
	off.State = facility.RoundCancelled
	tests := []struct {
		rounds []facility.Round
		want   string
	}{
		{[]facility.Round{early, late, now}, "now"},
		{[]facility.Round{early, late, done}, "late"},
		{[]facility.Round{early, past, off}, "early"},
		{[]facility.Round{past, done, off}, ""},
		{nil, ""},
	}
	for _, test := range tests {
		got := ""
		if r := bestRound(test.rounds, "gate", noon); r != nil {
			got = r.ID
		}
		if got != test.want {
			t.Errorf("best is %q, want %q", got, test.want)
		}
	}
	if bestRound([]facility.Round{now}, "roof", noon) != nil {
		t.Error("a round that does not visit the checkpoint")
	}
}
