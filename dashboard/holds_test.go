package dashboard

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/dashboard/lang"
	"gengfu/facility"
)

// holder is the hub and the ledger as far as alarms are held, in memory.
type holder struct {
	*fake
	holds   []facility.AlarmHold
	records map[string][]facility.AlarmRecord
	refuses error // of the next act
}

func (k *holder) AlarmHolds(context.Context) ([]facility.AlarmHold, error) {
	unlock, err := k.lock()
	defer unlock()
	return slices.Clone(k.holds), err
}

func (k *holder) AlarmEvents(_ context.Context, id string) ([]facility.AlarmRecord, error) {
	unlock, err := k.lock()
	defer unlock()
	return k.records[id], err
}

func (k *holder) ResetAlarm(_ context.Context, _ facility.Person, id, _ string) (facility.Alarm, error) {
	unlock, err := k.lock()
	defer unlock()
	a := k.alarms[id]
	if a.State != facility.AlarmLatchedAcknowledged {
		return a, facility.ErrUnlawful
	}
	a.State = facility.AlarmNormal
	k.alarms[id] = a
	return a, err
}

func (k *holder) TakeAsUsual(_ context.Context, _ facility.Person, id, note string) (facility.Alarm, error) {
	unlock, err := k.lock()
	defer unlock()
	a := k.alarms[id]
	switch {
	case !a.State.Active():
		return a, facility.ErrUnlawful
	case note == "":
		return a, facility.ErrNoteMissing
	}
	a.State = facility.AlarmNormal
	k.alarms[id] = a
	return a, err
}

func (k *holder) HoldAlarm(_ context.Context, by facility.Person, h facility.AlarmHold) (facility.AlarmHold, error) {
	unlock, err := k.lock()
	defer unlock()
	if k.refuses != nil {
		return h, k.refuses
	}
	h.By, h.Since = by.Login, k.now()
	k.holds = append(k.holds, h)
	for id, a := range k.alarms {
		if a.Key == h.Key {
			a.Holds = append(a.Holds, h)
			k.alarms[id] = a
		}
	}
	return h, err
}

func (k *holder) ReleaseAlarm(_ context.Context, _ facility.Person, key string, kind facility.AlarmState, _ string) error {
	unlock, err := k.lock()
	defer unlock()
	for i, h := range k.holds {
		if h.Key == key && h.Kind == kind {
			k.holds = slices.Delete(k.holds, i, i+1)
			return err
		}
	}
	return facility.ErrUnlawful
}

// book has one rule.
type book struct{ RuleBook }

func (book) Rules(context.Context) ([]RuleShape, error) {
	return []RuleShape{{ID: "pump-fault", Name: facility.Text{ZH: "水泵故障", EN: "Pump fault"}}}, nil
}

// startHolding starts a house in which alarms can be held.
func startHolding(t *testing.T, change ...func(*Options)) (*house, *holder) {
	t.Helper()
	k := &holder{records: map[string][]facility.AlarmRecord{}}
	h := startHouse(t, append([]func(*Options){func(o *Options) {
		k.fake = o.Orders.(*fake)
		o.Holds, o.Held, o.Usual = k, k, k
	}}, change...)...)
	return h, k
}

const pumpKey = "pump-fault/pump-1"

func shelf(until time.Time) object {
	return object{"key": pumpKey, "kind": "shelved", "reason": " 等备件 ", "until": until.Format(time.RFC3339), "one_shot": true}
}

func TestAlarmDetail(t *testing.T) {
	h, k := startHolding(t, func(o *Options) {
		o.Limits = AlarmLimits{
			MaxShelf: map[facility.Priority]time.Duration{facility.P2: 4 * time.Hour},
			AckNote:  map[facility.Priority]bool{facility.P2: true},
		}
	})
	a := h.alarm(facility.P2, facility.AlarmUnacknowledged)
	h.set(func() {
		k.records[a.ID] = []facility.AlarmRecord{
			{ID: "1", Alarm: a.ID, At: noon, Actor: facility.SystemActor, Event: facility.AlarmRaise, From: facility.AlarmNormal, To: facility.AlarmUnacknowledged, Value: 1},
			{ID: "2", Alarm: a.ID, At: noon, Actor: "desk", Event: facility.AlarmShelve, From: facility.AlarmUnacknowledged, To: facility.AlarmUnacknowledged, Note: "等备件", Until: new(noon.Add(time.Hour))},
		}
	})
	viewer := h.as("viewer")
	var d alarmDetailShape
	viewer.want(200, "GET", "/api/alarms/"+a.ID, nil, &d)
	if d.Alarm.ID != a.ID || d.Alarm.Shown != facility.AlarmUnacknowledged || d.Alarm.Holds == nil || d.LongestShelf != 4*3600 || !d.NoteNeeded {
		t.Errorf("the alarm: %+v", d)
	}
	if len(d.Events) != 2 || d.Events[1].ActorName != "name of desk" || d.Events[1].Note != "等备件" || d.Events[0].Until != nil || d.Events[1].Until == nil || !d.Events[1].Until.Equal(noon.Add(time.Hour)) || d.Events[0].To != facility.AlarmUnacknowledged {
		t.Errorf("its history: %+v", d.Events)
	}
	viewer.wantError("not_found", "", "GET", "/api/alarms/nothing", nil)
	h.set(func() { h.failing = facility.ErrUnavailable })
	if a := viewer.call("GET", "/api/alarms/"+a.ID, nil); a.StatusCode != 503 {
		t.Errorf("while nothing can be read: %d", a.StatusCode)
	}
}

func TestReset(t *testing.T) {
	h, _ := startHolding(t)
	a := h.alarm(facility.P1, facility.AlarmLatchedAcknowledged)
	technician := h.as("technician")
	wantPage(t, h.basicAs("desk").get("/basic/alarms"), 200, "锁存，已确认", "/basic/alarms/"+a.ID+"/reset")
	var done alarmShape
	technician.want(200, "POST", "/api/alarms/"+a.ID+"/reset", object{"note": "已看过"}, &done)
	if done.State != facility.AlarmNormal {
		t.Errorf("after the reset: %+v", done)
	}
	technician.wantError("unlawful", "", "POST", "/api/alarms/"+a.ID+"/reset", nil)
	technician.wantError("invalid", "note", "POST", "/api/alarms/"+a.ID+"/reset", object{"note": strings.Repeat("长", 2001)})
	h.as("viewer").wantError("forbidden", "", "POST", "/api/alarms/"+a.ID+"/reset", nil)
	if got := h.audited(); !slices.Contains(got, "technician alarm.reset "+a.ID) {
		t.Errorf("the audit says %q", got)
	}

	b := h.alarm(facility.P1, facility.AlarmLatchedAcknowledged)
	desk := h.basicAs("desk")
	wantRedirect(t, desk.post("/basic/alarms/"+b.ID+"/reset", "token", tokenOf(t, desk.get("/basic/alarms"))), "/basic/alarms")
	if h.alarms[b.ID].State != facility.AlarmNormal {
		t.Errorf("by the plain page: %+v", h.alarms[b.ID])
	}
}

func TestTakeAsUsual(t *testing.T) {
	h, _ := startHolding(t)
	a := h.alarm(facility.P3, facility.AlarmUnacknowledged)
	manager, path := h.as("manager"), "/api/alarms/"+a.ID+"/usual"
	h.as("desk").wantError("forbidden", "", "POST", path, object{"note": "so"})
	manager.wantError("invalid", "note", "POST", path, nil)
	manager.wantError("invalid", "note", "POST", path, object{"note": strings.Repeat("长", 2001)})
	var done alarmShape
	manager.want(200, "POST", path, object{"note": "洗衣店夜班"}, &done)
	if done.State != facility.AlarmNormal {
		t.Errorf("afterwards: %+v", done)
	}
	manager.wantError("unlawful", "", "POST", path, object{"note": "洗衣店夜班"})
	if got := h.audited(); !slices.Contains(got, "manager alarm.usual "+a.ID) {
		t.Errorf("the audit says %q", got)
	}
}

func TestHoldAndRelease(t *testing.T) {
	h, _ := startHolding(t, func(o *Options) { o.Rules = book{} })
	h.alarm(facility.P1, facility.AlarmUnacknowledged)
	desk := h.as("desk")
	until := noon.Add(4 * time.Hour)
	h.set(func() { h.values[pumpOn], h.values[waterOn] = h.value(pumpOn, 1), h.value(waterOn, 1) })
	var made holdShape
	desk.want(201, "POST", "/api/holds", shelf(until), &made)
	want := holdShape{
		Key: pumpKey, Kind: facility.AlarmShelved, Rule: "pump-fault", RuleName: facility.Text{ZH: "水泵故障", EN: "Pump fault"}, Device: "pump-1",
		By: "desk", ByName: "name of desk", Reason: "等备件", Since: noon, OneShot: true,
	}
	name, end := made.DeviceName, made.Until
	if made.DeviceName, made.Until = nil, nil; made != want || name.EN != "Pump 1" || !end.Equal(until) {
		t.Errorf("made %+v %v until %v", made, name, end)
	}

	var list struct {
		Alarms []alarmShape
		Holds  []holdShape
	}
	viewer := h.as("viewer")
	if viewer.want(200, "GET", "/api/holds", nil, &list); len(list.Holds) != 1 || list.Holds[0].ByName != "name of desk" {
		t.Errorf("held: %+v", list.Holds)
	}
	if viewer.want(200, "GET", "/api/alarms", nil, &list); list.Alarms[0].Shown != facility.AlarmShelved || len(list.Alarms[0].Holds) != 1 || list.Alarms[0].Holds[0].RuleName.EN != "Pump 1 fault" {
		t.Errorf("the alarm: %+v", list.Alarms)
	}
	var o overviewShape
	viewer.want(200, "GET", "/api/overview", nil, &o)
	if o.Alarms != (alarmTotals{Held: 1}) || !strings.Contains(o.Summary.ZH, "1 项报警已搁置") || o.State != estateAttention {
		t.Errorf("the overview: %+v", o)
	}
	wantPage(t, h.basicAs("viewer").get("/basic/alarms"), 200, "已搁置", "等备件", "到 16:00")

	h.as("manager").want(204, "POST", "/api/holds/release", object{"key": pumpKey, "kind": "shelved", "note": "修好了"}, nil)
	desk.wantError("unlawful", "", "POST", "/api/holds/release", object{"key": pumpKey, "kind": "shelved"})
	if viewer.want(200, "GET", "/api/holds", nil, &list); list.Holds == nil || len(list.Holds) != 0 {
		t.Errorf("held after the release: %+v", list.Holds)
	}
	for _, entry := range []string{"desk alarm.shelved " + pumpKey, "manager alarm.release " + pumpKey} {
		if got := h.audited(); !slices.Contains(got, entry) {
			t.Errorf("the audit lacks %q: %q", entry, got)
		}
	}
}

func TestHoldsThatCannotBe(t *testing.T) {
	h, k := startHolding(t)
	desk := h.as("desk")
	with := func(changes object) object {
		body := shelf(noon.Add(time.Hour))
		for name, value := range changes {
			body[name] = value
		}
		return body
	}
	for _, test := range []struct {
		field string
		body  object
	}{
		{"key", with(object{"key": " "})},
		{"key", with(object{"key": strings.Repeat("k", 201)})},
		{"kind", with(object{"kind": "suppressed"})},
		{"kind", with(object{"kind": ""})},
		{"reason", with(object{"reason": "  "})},
		{"reason", with(object{"reason": strings.Repeat("长", maxHoldReason+1)})},
		{"until", with(object{"until": ""})},
		{"until", with(object{"until": "tomorrow"})},
		{"until", with(object{"until": noon.Add(59 * time.Second).Format(time.RFC3339)})},
		{"until", with(object{"kind": "out_of_service", "until": noon.Add(-time.Hour).Format(time.RFC3339)})},
		{"reason", with(object{"kind": "out_of_service", "reason": ""})},
	} {
		desk.wantError("invalid", test.field, "POST", "/api/holds", test.body)
	}
	if len(k.holds) != 0 {
		t.Errorf("held all the same: %+v", k.holds)
	}
	desk.wantError("invalid", "kind", "POST", "/api/holds/release", object{"key": pumpKey, "kind": "suppressed"})
	desk.wantError("invalid", "key", "POST", "/api/holds/release", object{"kind": "shelved"})

	for _, test := range []struct {
		refusal error
		code    string
		field   string
		zh      string
	}{
		{&facility.ShelfTooLongError{Longest: 90 * time.Minute}, "invalid", "until", "最长可搁置 1 小时 30 分钟"},
		{facility.ErrPatrolHold, "invalid", "key", "漏巡"},
		{facility.ErrHoldOrder, "invalid", "order", "工单"},
		{facility.ErrNoteMissing, "invalid", "note", "请写明"},
		{facility.ErrAlarmActive, "unlawful", "", "停用"},
		{facility.ErrForbidden, "forbidden", "", ""},
		{facility.ErrNotFound, "not_found", "", ""},
	} {
		h.set(func() { k.refuses = test.refusal })
		a := desk.call("POST", "/api/holds", shelf(noon.Add(2*time.Hour)))
		checkError(t, a, test.code, test.field)
		if !strings.Contains(string(a.body), test.zh) {
			t.Errorf("%v: %s lacks %q", test.refusal, a.body, test.zh)
		}
	}
}

// Whoever lacks hold_alarm may only take out of service, for an order.
func TestHoldsOfTechnicians(t *testing.T) {
	h, _ := startHolding(t)
	o := h.order("desk", "technician")
	technician := h.as("technician")
	technician.wantError("forbidden", "", "POST", "/api/holds", shelf(noon.Add(time.Hour)))
	technician.wantError("forbidden", "", "POST", "/api/holds", object{"key": pumpKey, "kind": "out_of_service", "reason": "检修"})
	technician.wantError("forbidden", "", "POST", "/api/holds/release", object{"key": pumpKey, "kind": "shelved"})
	var made holdShape
	technician.want(201, "POST", "/api/holds", object{"key": pumpKey, "kind": "out_of_service", "order": o.ID, "one_shot": true}, &made)
	if made.OrderNo != o.No || made.OneShot || made.Until != nil || made.RuleName.ZH != "pump-fault" {
		t.Errorf("made %+v of order %s", made, o.No)
	}
	technician.want(204, "POST", "/api/holds/release", object{"key": pumpKey, "kind": "out_of_service"}, nil)
	for _, login := range []string{"viewer", "guard"} {
		b := h.as(login)
		b.wantError("forbidden", "", "POST", "/api/holds", shelf(noon.Add(time.Hour)))
		b.wantError("forbidden", "", "POST", "/api/holds/release", object{"key": pumpKey, "kind": "shelved"})
	}
	h.as("guard").wantError("forbidden", "", "GET", "/api/holds", nil)
}

// Without a hub that can hold alarms nothing of it is offered.
func TestHoldsAreNotOffered(t *testing.T) {
	h := startHouse(t)
	a := h.alarm(facility.P1, facility.AlarmLatchedAcknowledged)
	admin := h.as("admin")
	for _, path := range []string{"/api/holds", "/api/alarms/" + a.ID} {
		admin.wantError("not_found", "", "GET", path, nil)
	}
	for _, path := range []string{"/api/holds", "/api/holds/release", "/api/alarms/" + a.ID + "/reset"} {
		admin.wantError("not_found", "", "POST", path, shelf(noon.Add(time.Hour)))
	}
}

func TestHeldNames(t *testing.T) {
	v := &views{estate: newEstate(testEstate(t), "")}
	hold := facility.AlarmHold{Key: pumpKey, Kind: facility.AlarmSuppressed, By: facility.SystemActor, Cause: "mains/water"}
	names := heldNames{rules: map[string]facility.Text{"mains": {ZH: "断电", EN: "Mains lost"}}}
	if s := v.hold(hold, names); *s.CauseName != (facility.Text{ZH: "总水表 断电", EN: "Water meter Mains lost"}) || s.RuleName.ZH != "pump-fault" {
		t.Errorf("of rules: %+v caused by %+v", s, *s.CauseName)
	}
	names.titles = map[string]facility.Text{"mains/water": {ZH: "市电中断", EN: "Mains power lost"}, pumpKey: {ZH: "故障", EN: "Fault"}}
	if s := v.hold(hold, names); s.CauseName.EN != "Mains power lost" || s.RuleName.EN != "Fault" {
		t.Errorf("of alarms: %+v caused by %+v", s, *s.CauseName)
	}
	hold.Key, hold.Cause = "gone/nothing", "gone/nothing"
	if s := v.hold(hold, names); s.DeviceName != nil || s.CauseName.ZH != "gone" {
		t.Errorf("of what is gone: %+v", s)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]facility.Text{
		8 * time.Hour:    {ZH: "8 小时", EN: "8 h"},
		90 * time.Minute: {ZH: "1 小时 30 分钟", EN: "1 h 30 min"},
		30 * time.Minute: {ZH: "30 分钟", EN: "30 min"},
	} {
		if got := lang.Span(d); got != want {
			t.Errorf("%v is %+v, want %+v", d, got, want)
		}
	}
}
