package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
)

type object = map[string]any

func TestHealthAndReadiness(t *testing.T) {
	h := startHouse(t)
	var s struct {
		Status  string
		Waiting []string `json:"waiting_for"`
	}
	if h.browser().want(200, "GET", "/healthz", nil, &s); s.Status != "ok" {
		t.Errorf("healthz: %+v", s)
	}
	if h.browser().want(200, "GET", "/readyz", nil, &s); s.Status != "ok" {
		t.Errorf("readyz: %+v", s)
	}
	h.set(func() { h.waiting = []string{"broker"} })
	if h.browser().want(503, "GET", "/readyz", nil, &s); s.Status != "unready" || !slices.Equal(s.Waiting, []string{"broker"}) {
		t.Errorf("readyz: %+v", s)
	}
}

func TestDevices(t *testing.T) {
	h := startHouse(t)
	h.tell(Event{Readings: []facility.Reading{
		h.value(pressure, 4.25), h.value(pumpOn, 1),
		{Point: volume, Time: noon.Add(-time.Minute), Quality: facility.Bad, Reason: facility.NoAnswer},
		{Point: waterOn, Time: noon, Quality: facility.Good},
	}})
	a := h.as("viewer").want(200, "GET", "/api/devices", nil, nil)
	golden(t, "devices", a.body)
	var d object
	h.as("viewer").want(200, "GET", "/api/devices/water", nil, &d)
	if d["online"] != false || d["reason"] != "no_answer" || d["last_seen"] != nil {
		t.Errorf("water: online %v, reason %v, last seen %v", d["online"], d["reason"], d["last_seen"])
	}
	h.as("viewer").wantError("not_found", "", "GET", "/api/devices/nothing", nil)
}

// golden compares an answer with the one that is kept, which a person has read.
func golden(t *testing.T, name string, body []byte) {
	t.Helper()
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := "testdata/" + name + ".json"
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, append(got, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != string(got) {
		t.Errorf("%s differs (UPDATE_GOLDEN=1 writes it anew):\n%s", file, got)
	}
}

func TestOverviewAnswer(t *testing.T) {
	h := startHouse(t)
	h.tell(Event{Readings: []facility.Reading{h.value(pressure, 4.25), h.value(pumpOn, 1), h.value(waterOn, 1)}})
	h.alarm(facility.P1, facility.AlarmUnacknowledged)
	h.set(func() {
		h.rounds = []facility.Round{{
			ID: "night@2026-11-22T12:00+08:00", Plan: "night", Route: "night", Name: facility.Text{ZH: "夜巡", EN: "Night patrol"},
			Start: noon, End: noon.Add(time.Hour), Tolerance: 10 * time.Minute, Assignee: "guard", State: facility.RoundDue,
			Visits: []facility.Visit{{Checkpoint: "gate", Verdict: facility.Pending}, {Checkpoint: "taken-away", Verdict: facility.OnTime, TappedAt: new(noon), By: "guard"}},
		}}
	})
	golden(t, "overview", h.as("viewer").want(200, "GET", "/api/overview", nil, nil).body)
}

func TestHistory(t *testing.T) {
	h := startHouse(t)
	h.set(func() {
		h.buckets = []facility.Bucket{
			{Start: noon.Add(-2 * time.Hour), Count: 3, Mean: 4, Min: 3.5, Max: 4.5, Last: 4.2}, {Start: noon.Add(-time.Hour)},
		}
	})
	b := h.as("viewer")
	var s struct {
		Point struct{ ID, Unit string }
		From  time.Time
		To    time.Time
		Step  float64
		Bucks []bucketShape `json:"buckets"`
	}
	b.want(200, "GET", "/api/history/pump-1/outlet_pressure", nil, &s)
	if want := (query{pressure, "pump", noon.Add(-24 * time.Hour), noon, 288 * time.Second}); h.asked != want {
		t.Errorf("asked %+v, want %+v", h.asked, want)
	}
	if s.Step != 288 || s.Point.ID != "pump-1/outlet_pressure" || len(s.Bucks) != 1 || s.Bucks[0].Mean != 4 || s.Bucks[0].Count != 3 || !s.To.Equal(noon) {
		t.Errorf("answer %+v", s)
	}
	b.want(200, "GET", "/api/history/pump-1/outlet_pressure?from=2026-11-01T00:00:00%2B08:00&to=2026-11-02T00:00:00Z&steps=7", nil, &s)
	if h.asked.step != 16458*time.Second || !h.asked.from.Equal(time.Date(2026, 10, 31, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("asked %+v", h.asked)
	}
	for query, field := range map[string]string{
		"?steps=0": "steps", "?steps=2001": "steps", "?steps=x": "steps", "?from=yesterday": "from", "?to=1": "to",
		"?from=2026-11-22T05:00:00Z": "from", "?from=1990-01-01T00:00:00Z": "from",
	} {
		b.wantError("invalid", field, "GET", "/api/history/pump-1/outlet_pressure"+query, nil)
	}
	b.wantError("not_found", "", "GET", "/api/history/pump-1/nothing", nil)
}

// TestHistoryOfACounter: each bucket says what was counted since the one before, also
// the first, and where the counter was exchanged.
func TestHistoryOfACounter(t *testing.T) {
	h := startHouse(t)
	bucket := func(hour int, first, last float64) facility.Bucket {
		return facility.Bucket{Start: noon.Add(time.Duration(hour-4) * time.Hour), Count: 2, Min: min(first, last), Max: max(first, last), First: first, Last: last}
	}
	h.buckets = []facility.Bucket{bucket(0, 90, 95), bucket(1, 96, 100), bucket(3, 1, 4)}
	var s struct {
		Buckets []bucketShape `json:"buckets"`
	}
	h.as("viewer").want(200, "GET", "/api/history/water/volume?from=2026-11-22T01:00:00Z&to=2026-11-22T04:00:00Z&steps=3", nil, &s)
	if want := noon.Add(-4 * time.Hour); !h.asked.from.Equal(want) || h.asked.step != time.Hour {
		t.Errorf("asked %+v, want from %s by the hour", h.asked, want)
	}
	if len(s.Buckets) != 2 || *s.Buckets[0].Increase != 5 || s.Buckets[0].Reset || *s.Buckets[1].Increase != 4 || !s.Buckets[1].Reset {
		t.Errorf("answer %+v", s)
	}
}

func TestConsumption(t *testing.T) {
	h := startHouse(t)
	midnight := time.Date(2026, 11, 20, 16, 0, 0, 0, time.UTC) // of the 21st
	for i := -1; i < 36; i++ {
		h.buckets = append(h.buckets, facility.Bucket{Start: midnight.Add(time.Duration(i) * time.Hour), Count: 1, First: float64(i), Last: float64(i) + 1})
	}
	var s consumptionShape
	h.as("viewer").want(200, "GET", "/api/consumption/water/volume?days=2", nil, &s)
	if len(s.Days) != 2 || s.Days[0].Day != "2026-11-21" || s.Days[1].Day != "2026-11-22" || s.Unit != "m3" {
		t.Fatalf("answer %+v", s)
	}
	if s.Days[0].Amount == nil || *s.Days[0].Amount != 24 || !s.Days[0].Complete || *s.Days[1].Amount != 12 || s.Days[1].Complete {
		t.Errorf("days %+v: %v, %v", s.Days, *s.Days[0].Amount, *s.Days[1].Amount)
	}
	if h.asked.step != time.Hour || !h.asked.from.Equal(midnight.Add(-time.Hour)) {
		t.Errorf("asked %+v", h.asked)
	}
	h.as("viewer").wantError("invalid", "quantity", "GET", "/api/consumption/pump-1/outlet_pressure", nil)
	h.as("viewer").wantError("invalid", "days", "GET", "/api/consumption/water/volume?days=401", nil)
}

func TestAlarms(t *testing.T) {
	h := startHouse(t)
	a := h.alarm(facility.P2, facility.AlarmUnacknowledged)
	h.alarm(facility.P3, facility.AlarmNormal)
	var list struct{ Alarms []alarmShape }
	technician := h.as("technician")
	technician.want(200, "GET", "/api/alarms", nil, &list)
	if len(list.Alarms) != 1 || list.Alarms[0].ID != a.ID || list.Alarms[0].DeviceName.EN != "Pump 1" || list.Alarms[0].PlaceName.EN != "Pump room" {
		t.Errorf("standing: %+v", list)
	}
	if technician.want(200, "GET", "/api/alarms?show=all&device=pump-1&limit=5", nil, &list); len(list.Alarms) != 2 {
		t.Errorf("all: %+v", list)
	}
	technician.wantError("invalid", "show", "GET", "/api/alarms?show=some", nil)
	technician.wantError("invalid", "limit", "GET", "/api/alarms?limit=1001", nil)
	var done alarmShape
	technician.want(200, "POST", "/api/alarms/"+a.ID+"/acknowledge", object{"note": "去看"}, &done)
	if done.State != facility.AlarmAcknowledged || done.AckedBy != "technician" || done.AckNote != "去看" {
		t.Errorf("acknowledged: %+v", done)
	}
	technician.wantError("unlawful", "", "POST", "/api/alarms/"+a.ID+"/acknowledge", nil)
	technician.wantError("not_found", "", "POST", "/api/alarms/nothing/acknowledge", object{})
	if got := h.audited(); !slices.Contains(got, "technician acknowledge "+a.ID) {
		t.Errorf("the audit says %q", got)
	}
}

func TestOrdersFromReportToClosed(t *testing.T) {
	h := startHouse(t)
	guard, desk, technician, manager := h.as("guard"), h.as("desk"), h.as("technician"), h.as("manager")
	var o orderShape
	guard.want(201, "POST", "/api/orders", object{"title": " 水管漏水 ", "detail": "地下一层", "device": "pump-1"}, &o)
	if o.Title.ZH != "水管漏水" || o.Source != facility.FromStaff || o.Priority != facility.P3 || o.Place != "pump-room" || o.State != facility.OrderNew ||
		!slices.Equal(o.Actions, []facility.OrderAction{facility.OrderComment, facility.OrderPhoto}) {
		t.Errorf("the guard's order: %+v", o)
	}
	technician.wantError("not_found", "", "GET", "/api/orders/"+o.ID, nil)
	technician.wantError("not_found", "", "POST", "/api/orders/"+o.ID+"/actions", object{"action": "accept"})
	guard.wantError("forbidden", "", "POST", "/api/orders/"+o.ID+"/actions", object{"action": "assign", "target": "guard"})

	var d orderDetailShape
	desk.want(200, "GET", "/api/orders/"+o.ID, nil, &d)
	var names []string
	for _, a := range d.Assignable {
		names = append(names, a.Login)
	}
	if !slices.Equal(names, []string{"technician", "guard", "desk", "manager", "admin"}) {
		t.Errorf("assignable are %q", names)
	}
	act := func(b *browser, action, note, target string) {
		t.Helper()
		b.want(200, "POST", "/api/orders/"+o.ID+"/actions", object{"action": action, "note": note, "target": target, "version": d.Order.Version}, &d)
	}
	desk.wantError("invalid", "target", "POST", "/api/orders/"+o.ID+"/actions", object{"action": "assign", "target": "viewer"})
	desk.wantError("invalid", "target", "POST", "/api/orders/"+o.ID+"/actions", object{"action": "assign", "target": "nobody"})
	act(desk, "assign", "", "technician")
	if d.Order.AssigneeName != "name of technician" || d.Events[len(d.Events)-1].TargetName != "name of technician" {
		t.Errorf("assigned: %+v", d.Order)
	}
	seen := d.Order.Version
	act(technician, "accept", "", "")
	if len(d.Assignable) != 0 {
		t.Errorf("the technician is told who can be sent: %+v", d.Assignable)
	}
	technician.wantError("conflict", "", "POST", "/api/orders/"+o.ID+"/actions", object{"action": "arrive", "version": seen})
	technician.wantError("invalid", "note", "POST", "/api/orders/"+o.ID+"/actions", object{"action": "hold"})
	technician.wantError("unlawful", "", "POST", "/api/orders/"+o.ID+"/actions", object{"action": "start"})
	for _, action := range []string{"photo", "create", "recur", "withdraw", "explode", ""} {
		manager.wantError("invalid", "action", "POST", "/api/orders/"+o.ID+"/actions", object{"action": action})
	}
	act(technician, "arrive", "", "")
	act(technician, "complete", "换了密封圈", "")
	act(manager, "verify", "", "")
	act(manager, "close", "", "")
	var steps []string
	for _, e := range d.Events {
		steps = append(steps, fmt.Sprintf("%s %s %s", e.ActorName, e.Action, e.Note))
	}
	want := []string{
		"name of guard create ", "name of desk assign ", "name of technician accept ", "name of technician arrive ",
		"name of technician complete 换了密封圈", "name of manager verify ", "name of manager close ",
	}
	if !slices.Equal(steps, want) {
		t.Errorf("the history is %q", steps)
	}
	if got := h.audited(); !slices.Contains(got, "manager order.verify "+o.ID) || !slices.Contains(got, "guard order.create "+o.ID) {
		t.Errorf("the audit says %q", got)
	}
}

func TestOrderLists(t *testing.T) {
	h := startHouse(t)
	mine := h.order("desk", "technician")
	reported := h.order("technician", "")
	other := h.order("desk", "guard")
	done := h.order("desk", "")
	if _, err := h.ActOnOrder(context.Background(), h.people["desk"], done.ID, facility.Act{Action: facility.OrderCancel, Note: "x"}, nil); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		login, query string
		want         []string
	}{
		{"desk", "", []string{other.ID, reported.ID, mine.ID}},
		{"desk", "?show=all", []string{done.ID, other.ID, reported.ID, mine.ID}},
		{"desk", "?show=done", []string{done.ID}},
		{"desk", "?show=mine", nil},
		{"desk", "?limit=1", []string{other.ID}},
		{"desk", "?limit=1&before=" + other.ID, []string{reported.ID}},
		{"desk", "?q=" + reported.No, []string{reported.ID}},
		{"viewer", "", []string{other.ID, reported.ID, mine.ID}},
		{"technician", "", []string{reported.ID, mine.ID}},
		{"technician", "?show=mine", []string{mine.ID}},
		{"technician", "?show=all", []string{reported.ID, mine.ID}},
		{"guard", "?show=all", []string{other.ID}},
	}
	for _, test := range tests {
		var list struct{ Orders []orderShape }
		h.as(test.login).want(200, "GET", "/api/orders"+test.query, nil, &list)
		var got []string
		for _, o := range list.Orders {
			got = append(got, o.ID)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s %s: %q, want %q", test.login, test.query, got, test.want)
		}
	}
}

func TestOrderRefused(t *testing.T) {
	h := startHouse(t)
	desk := h.as("desk")
	for field, body := range map[string]object{
		"title":    {"title": "  "},
		"detail":   {"title": "x\ty", "detail": strings.Repeat("长", 4001)},
		"place":    {"title": "x", "place": "nowhere"},
		"device":   {"title": "x", "device": "nothing"},
		"priority": {"title": "x", "priority": "P0"},
	} {
		desk.wantError("invalid", field, "POST", "/api/orders", body)
	}
	desk.wantError("invalid", "title", "POST", "/api/orders", object{"title": 7})
	desk.wantError("invalid", "title", "POST", "/api/orders", object{"title": "a\x00b"})
	checkError(t, desk.send("POST", "/api/orders", strings.NewReader("title=x"), map[string]string{
		"X-Gengfu": "1", "Content-Type": "application/x-www-form-urlencoded",
	}), "unsupported", "")
	for _, body := range []string{"", "{", `{"title":"x"} {}`, "[]", "null x"} {
		checkError(t, desk.send("POST", "/api/orders", strings.NewReader(body), map[string]string{
			"X-Gengfu": "1", "Content-Type": "application/json; charset=utf-8",
		}), "invalid", "")
	}
	if len(h.orders) != 0 {
		t.Errorf("%d orders were made", len(h.orders))
	}
}

func TestPatrol(t *testing.T) {
	h := startHouse(t, func(o *Options) { o.BaseURL = "https://estate.example/" })
	round := facility.Round{
		ID: "night@2026-11-22T12:00+08:00", Plan: "night", Name: facility.Text{ZH: "夜巡"}, Start: noon.Add(-time.Minute), End: noon.Add(time.Hour),
		Tolerance: 10 * time.Minute, State: facility.RoundDue, Visits: []facility.Visit{{Checkpoint: "gate", Verdict: facility.Pending}},
	}
	yesterday := round
	yesterday.ID, yesterday.Start, yesterday.End = "old", noon.Add(-24*time.Hour), noon.Add(-23*time.Hour)
	h.set(func() { h.rounds = []facility.Round{yesterday, round} })
	guard := h.as("guard")
	var rounds struct {
		Day    string
		Rounds []roundShape
	}
	if guard.want(200, "GET", "/api/rounds", nil, &rounds); rounds.Day != "2026-11-22" || len(rounds.Rounds) != 1 || rounds.Rounds[0].Tolerance != 600 {
		t.Errorf("today: %+v", rounds)
	}
	if guard.want(200, "GET", "/api/rounds?day=2026-11-21", nil, &rounds); rounds.Day != "2026-11-21" || rounds.Rounds[0].ID != "old" {
		t.Errorf("yesterday: %+v", rounds)
	}
	guard.wantError("invalid", "day", "GET", "/api/rounds?day=22.11.2026", nil)

	var points struct{ Checkpoints []checkpointShape }
	if guard.want(200, "GET", "/api/checkpoints", nil, &points); len(points.Checkpoints) != 2 || points.Checkpoints[0].URL != "" ||
		points.Checkpoints[0].TokenHash != hashToken("gate-7f3a91") {
		t.Errorf("the guard is told the tags' addresses: %+v", points)
	}
	if h.as("manager").want(200, "GET", "/api/checkpoints", nil, &points); points.Checkpoints[1].URL != "https://estate.example/t/roof%2F2b%208c" {
		t.Errorf("the manager is told %+v", points)
	}
	var what struct {
		Checkpoint checkpointShape
		Round      *roundShape
	}
	guard.want(200, "GET", "/api/checkpoints/by-token/gate-7f3a91", nil, &what)
	if what.Checkpoint.ID != "gate" || what.Round == nil || what.Round.ID != round.ID {
		t.Errorf("by token: %+v", what)
	}
	guard.want(200, "GET", "/api/checkpoints/by-token/roof%2F2b%208c", nil, &what)
	if what.Checkpoint.ID != "roof" || what.Round != nil {
		t.Errorf("by token: %+v", what)
	}
	guard.wantError("not_found", "", "GET", "/api/checkpoints/by-token/guess", nil)
}

func TestTaps(t *testing.T) {
	h := startHouse(t)
	guard := h.as("guard")
	const one, two = "0193a1b2-0000-7000-8000-000000000001", "0193a1b2-0000-7000-8000-000000000002"
	tapped := noon.Add(-90 * time.Second)
	tap := func(id, token, source string, at any) object {
		return object{"id": id, "token": token, "source": source, "tapped_at": at, "battery": 80}
	}
	body := object{"sent_at": noon.Add(-time.Second), "taps": []object{
		tap(one, "gate-7f3a91", "phone_url", tapped),
		tap("not an id", "gate-7f3a91", "phone_url", tapped),
		tap(strings.ToUpper(two), "gate-7f3a91", "phone_url", tapped),
		tap(two, "guess", "phone_url", tapped),
		tap(two, "gate-7f3a91", "reader", tapped),
		tap(two, "gate-7f3a91", "phone_qr", "0001-01-01T00:00:00Z"),
		tap(two, "roof/2b 8c", "phone_nfc", tapped),
	}}
	for range 2 { // the phone did not hear the answer and hands them over once more
		var answer struct{ Results []tapResultShape }
		a := guard.want(200, "POST", "/api/taps", body, &answer)
		var got []string
		for _, r := range answer.Results {
			word := "accepted at "
			if r.Error != nil {
				word = r.Error.Code + " " + r.Error.Field
			} else {
				word += r.Checkpoint.ID
			}
			got = append(got, word)
		}
		want := []string{"accepted at gate", "invalid id", "invalid id", "not_found ", "invalid source", "invalid tapped_at", "accepted at roof"}
		if !slices.Equal(got, want) {
			t.Errorf("results %q: %s", got, a.body)
		}
	}
	wanted := facility.Tap{
		ID: one, Source: facility.TapURL, Checkpoint: "gate", Person: "guard",
		TappedAt: tapped, SentAt: noon.Add(-time.Second), ReceivedAt: noon,
	}
	if len(h.taps) != 2 || h.taps[0] != wanted {
		t.Errorf("the hub has %+v", h.taps)
	}
	var list struct{ Taps []tapShape }
	if guard.want(200, "GET", "/api/taps", nil, &list); len(list.Taps) != 2 || list.Taps[0].PersonName != "name of guard" || list.Taps[0].Flags == nil {
		t.Errorf("the list is %+v", list)
	}
	guard.wantError("invalid", "taps", "POST", "/api/taps", object{"sent_at": noon, "taps": []object{}})
	guard.wantError("invalid", "taps", "POST", "/api/taps", object{"sent_at": noon, "taps": slices.Repeat([]object{tap(one, "x", "phone_url", tapped)}, 201)})
	guard.wantError("invalid", "sent_at", "POST", "/api/taps", object{"taps": []object{tap(one, "x", "phone_url", tapped)}})
}

// A tap that could not be kept is not told to be: the phone keeps it.
func TestTapsThatCannotBeKept(t *testing.T) {
	h := startHouse(t)
	guard := h.as("guard")
	taking := &refusingDesk{Desk: h.fake}
	h.server.options.Desk = taking
	guard.wantError("unavailable", "", "POST", "/api/taps", object{"sent_at": noon, "taps": []object{
		{"id": "0193a1b2-0000-7000-8000-000000000001", "token": "gate-7f3a91", "source": "phone_url", "tapped_at": noon},
	}})
}

// A full disk is no fault of the request and none of the program: the answer says so.
func TestWhatAFullDiskAnswers(t *testing.T) {
	h := startHouse(t)
	desk := h.as("desk")
	h.server.options.Desk = &refusingDesk{Desk: h.fake}
	a := desk.call("POST", "/api/orders", object{"title": "a lamp", "device": "pump-1"})
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "5" || !strings.Contains(string(a.body), "disk") {
		t.Errorf("%d, %v: %s", a.StatusCode, a.Header, a.body)
	}
}

type refusingDesk struct{ Desk }

func (*refusingDesk) CreateOrder(context.Context, facility.Person, facility.Order) (facility.Order, error) {
	return facility.Order{}, fmt.Errorf("create an order: %w: the disk is full", facility.ErrUnavailable)
}

func (*refusingDesk) TakeTaps(context.Context, []facility.Tap) error {
	return fmt.Errorf("the journal: %w", context.DeadlineExceeded)
}

func TestPeople(t *testing.T) {
	h := startHouse(t)
	admin, guard := h.as("admin"), h.as("guard")
	var p object
	admin.want(201, "POST", "/api/people", object{
		"login": "xiao.sun", "name": " 小孙 ", "role": "guard", "password": "long enough", "phone": "138", "badges": []string{"04:a0:35:b2", "04A035B2"},
	}, &p)
	if p["name"] != "小孙" || fmt.Sprint(p["badges"]) != "[04A035B2]" || p["disabled"] != false {
		t.Errorf("created: %v", p)
	}
	h.browser().want(200, "POST", "/api/session", object{"login": "xiao.sun", "password": "long enough"}, nil)
	admin.wantError("conflict", "", "POST", "/api/people", object{"login": "xiao.sun", "name": "x", "role": "guard", "password": "long enough"})
	admin.wantError("conflict", "", "POST", "/api/people", object{"login": "other", "name": "x", "role": "guard", "password": "long enough", "badges": []string{"04a035b2"}})
	for field, change := range map[string]object{
		"login": {"login": "Bad Login"}, "name": {"name": ""}, "role": {"role": "king"}, "password": {"password": "short"},
		"badges": {"badges": []string{"xyz"}}, "phone": {"phone": strings.Repeat("1", 41)},
	} {
		body := object{"login": "new", "name": "x", "role": "guard", "password": "long enough"}
		for k, v := range change {
			body[k] = v
		}
		admin.wantError("invalid", field, "POST", "/api/people", body)
	}
	admin.wantError("invalid", "login", "POST", "/api/people", object{"login": "system", "name": "x", "role": "guard", "password": "long enough"})

	admin.want(200, "PATCH", "/api/people/xiao.sun", object{"disabled": true, "name": "孙"}, &p)
	if p["disabled"] != true || p["name"] != "孙" || p["phone"] != "138" {
		t.Errorf("changed: %v", p)
	}
	var list struct{ People []object }
	guard.want(200, "GET", "/api/people", nil, &list)
	for _, p := range list.People {
		if len(p) != 3 || p["login"] == "xiao.sun" {
			t.Errorf("the guard sees %v", p)
		}
	}
	admin.want(200, "GET", "/api/people", nil, &list)
	if len(list.People) != 7 || len(list.People[0]) != 6 {
		t.Errorf("the admin sees %v", list.People)
	}
	admin.wantError("unlawful", "", "PATCH", "/api/people/admin", object{"role": "viewer"})
	admin.wantError("unlawful", "", "PATCH", "/api/people/admin", object{"disabled": true})
	admin.wantError("not_found", "", "PATCH", "/api/people/nobody", object{"name": "x"})
	admin.want(200, "PATCH", "/api/people/admin", object{"password": "a new password"}, nil)
	admin.want(200, "GET", "/api/audit", nil, nil)
	admin.want(200, "PATCH", "/api/people/guard", object{"password": "a new password"}, nil)
	guard.wantError("signed_out", "", "GET", "/api/rounds", nil)

	got := h.audited()
	for _, want := range []string{"admin person.create xiao.sun", "admin person.update xiao.sun", "admin person.password guard"} {
		if !slices.Contains(got, want) {
			t.Errorf("the audit lacks %q: %q", want, got)
		}
	}
	var log struct{ Entries []auditShape }
	if admin.want(200, "GET", "/api/audit?limit=1", nil, &log); len(log.Entries) != 1 || log.Entries[0].Action != "person.password" {
		t.Errorf("the audit's page is %+v", log)
	}
}

func TestNewNamesAreShownAtOnce(t *testing.T) {
	h := startHouse(t)
	o := h.order("desk", "technician")
	admin := h.as("admin")
	var d orderDetailShape
	admin.want(200, "GET", "/api/orders/"+o.ID, nil, &d)
	admin.want(200, "PATCH", "/api/people/technician", object{"name": "张师傅"}, nil)
	if admin.want(200, "GET", "/api/orders/"+o.ID, nil, &d); d.Order.AssigneeName != "张师傅" {
		t.Errorf("the assignee is %q", d.Order.AssigneeName)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	h := startHouse(t)
	b := h.as("admin")
	b.wantError("not_found", "", "GET", "/api/nothing", nil)
	b.wantError("not_allowed", "", "PUT", "/api/orders", object{})
	if a := b.send("HEAD", "/api/session", nil, nil); a.StatusCode != 200 || len(a.body) != 0 {
		t.Errorf("HEAD: %d with %d bytes", a.StatusCode, len(a.body))
	}
	var sentences map[string]string
	if b.want(200, "GET", "/api/lang/en", nil, &sentences); sentences["error.not_found"] == "" {
		t.Error("the sentences are not served")
	}
	b.wantError("not_found", "", "GET", "/api/lang/fr", nil)
	if a := b.send("BREW", "/api/session", nil, nil); a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("BREW: %d", a.StatusCode)
	}
}

// A body that is too long is refused by what its head says, before it is read.
func TestBodyLimits(t *testing.T) {
	h := startHouse(t)
	tests := []struct {
		path   string
		cookie string
		length int
	}{
		{"/api/orders", "gengfu=x", maxBody + 1},
		{"/api/orders/1/photos", "gengfu=x", maxUpload + 1},
		{"/api/orders/1/photos", "", maxBody + 1},
		{"/api/orders/1/photos", "gengfu=guess; __Host-gengfu=guess", maxBody + 1},
	}
	for _, test := range tests {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Gengfu: 1\r\nCookie: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", test.path, test.cookie, test.length)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", test.path, err)
		}
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s with %d bytes: %s", test.path, test.length, resp.Status)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
