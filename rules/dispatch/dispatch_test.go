package dispatch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/dispatch"
)

var now = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

func text(zh, en string) facility.Text { return facility.Text{ZH: zh, EN: en} }

func low() facility.Alarm {
	return facility.Alarm{
		ID: "alarm-1", Key: "low/pump-1", Rule: "low", Device: "pump-1", Place: "pump-room",
		Title: text("1号生活泵 出口压力低", "Pump 1 outlet pressure low"), Advice: text("检查进水", "Check the inlet"), Priority: facility.P2,
		State: facility.AlarmUnacknowledged, Value: 1.8249999, Unit: "bar", Count: 1, RaisedAt: now, LastAt: now,
	}
}

func missed(checkpoint, zh, en string) facility.Alarm {
	round := "night@2026-11-22T22:00+08:00"
	return facility.Alarm{
		ID: "alarm-" + checkpoint, Key: "patrol/" + round + "/" + checkpoint, Rule: "patrol", Place: checkpoint + "-place", Checkpoint: checkpoint, Round: round,
		Title: text("漏巡：夜巡 22:00 · "+zh, "Missed patrol: Night patrol 22:00 · "+en), Priority: facility.P3,
		State: facility.AlarmUnacknowledged, Count: 1, RaisedAt: now, LastAt: now,
	}
}

func TestNewOrderOfADevice(t *testing.T) {
	at := now.Add(2 * time.Second)
	d := dispatch.FromAlarm(low(), rules.OrderPolicy{Category: "pump"}, nil, nil, at)
	want := dispatch.Decision{Create: &facility.Order{
		Key: "low/pump-1", Source: facility.FromAlarm, Title: text("1号生活泵 出口压力低", "Pump 1 outlet pressure low"),
		Detail: text("数值：1.825 bar\n检查进水\n专业：水泵", "Value: 1.825 bar\nCheck the inlet\nTrade: pumps"),
		Device: "pump-1", Place: "pump-room", Priority: facility.P2, State: facility.OrderNew, Count: 1, Noted: 1,
		CreatedAt: at, LastAt: now, NotedAt: now, UpdatedAt: at, Version: 1,
		AcceptBy: at.Add(10 * time.Minute), ArriveBy: at.Add(30 * time.Minute), FinishBy: at.Add(12 * time.Hour),
	}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
}

func TestNewOrderOfARound(t *testing.T) {
	o := dispatch.FromAlarm(missed("pump", "泵房", "Pump room"), dispatch.PatrolPolicy(), nil, nil, now).Create
	if o.Key != "patrol/night@2026-11-22T22:00+08:00" || o.Source != facility.FromPatrol ||
		o.Title != text("漏巡：夜巡 22:00", "Missed patrol: Night patrol 22:00") ||
		o.Detail != text("漏巡：夜巡 22:00 · 泵房\n专业：巡更", "Missed patrol: Night patrol 22:00 · Pump room\nTrade: patrol") {
		t.Errorf("%+v", o)
	}
}

func TestPolicies(t *testing.T) {
	no := false
	if d := dispatch.FromAlarm(low(), rules.OrderPolicy{Create: &no}, nil, nil, now); !d.Nothing() {
		t.Errorf("an order that nobody wants: %+v", d)
	}
	o := dispatch.FromAlarm(low(), rules.OrderPolicy{Title: text("换泵", "")}, nil, nil, now).Create
	if o.Title != text("换泵", "换泵") {
		t.Errorf("title %+v", o.Title)
	}
	if r := (rules.OrderPolicy{}).Recipient(); r != facility.RoleTechnician {
		t.Errorf("recipient %s", r)
	}
	if r := dispatch.PatrolPolicy().Recipient(); r != facility.RoleGuard {
		t.Errorf("recipient %s", r)
	}
}

func TestOccurrences(t *testing.T) {
	const note = "1号生活泵 出口压力低 · Pump 1 outlet pressure low (1.825 bar)"
	order := func(state facility.OrderState, last time.Duration) *facility.Order {
		return &facility.Order{ID: "order-1", Key: "low/pump-1", State: state, LastAt: now.Add(last), NotedAt: now.Add(last), UpdatedAt: now.Add(last), Priority: facility.P2, Count: 1, Noted: 1}
	}
	recur := facility.Act{Action: facility.OrderRecur, Note: note, Target: "alarm-1"}
	reopen := facility.Act{Action: facility.OrderReopen, Note: "故障再次出现 · the fault came again"}
	tests := []struct {
		name   string
		open   *facility.Order
		closed *facility.Order
		want   []facility.Act // nil: a new order
	}{
		{"nobody has one", nil, nil, nil},
		{"new", order(facility.OrderNew, -time.Hour), nil, []facility.Act{recur}},
		{"at work", order(facility.OrderInProgress, -time.Hour), nil, []facility.Act{recur}},
		{"open and an older one closed", order(facility.OrderAssigned, -time.Hour), order(facility.OrderClosed, -2*time.Hour), []facility.Act{recur}},
		{"completed", order(facility.OrderCompleted, -time.Hour), nil, []facility.Act{reopen, recur}},
		{"verified", nil, order(facility.OrderVerified, -time.Hour), []facility.Act{reopen, recur}},
		{"closed yesterday", nil, order(facility.OrderClosed, -24*time.Hour), []facility.Act{reopen, recur}},
		{"closed long ago", nil, order(facility.OrderClosed, -24*time.Hour-1), nil},
		{"cancelled", nil, order(facility.OrderCancelled, -time.Minute), nil},
		{"of a backlog, older than the last", order(facility.OrderNew, time.Hour), nil, []facility.Act{recur}},
		{"long ago", order(facility.OrderNew, -48*time.Hour), nil, []facility.Act{recur}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := dispatch.FromAlarm(low(), rules.OrderPolicy{}, test.open, test.closed, now)
			if (d.Create != nil) != (test.want == nil) {
				t.Fatalf("creates %v", d.Create)
			}
			if len(test.want) == 0 {
				if len(d.Acts) != 0 {
					t.Fatalf("acts %v", d.Acts)
				}
				return
			}
			if diff := cmp.Diff(test.want, d.Acts); diff != "" {
				t.Fatal(diff)
			}
			o := test.open
			if o == nil {
				o = test.closed
			}
			for _, act := range d.Acts {
				if _, err := o.DoSystem(act, now); err != nil {
					t.Error(err)
				}
			}
			if o.Count != 2 || !o.State.Open() || o.State == facility.OrderCompleted || o.LastAt.Before(now) {
				t.Errorf("order afterwards: %+v", o)
			}
		})
	}
}

func TestOrderOfATemplate(t *testing.T) {
	p := rules.OrderPolicy{
		Title: text("换密封", "Change the seal"), Priority: facility.P4,
		Checklist: []facility.Text{text("停泵", "Stop the pump"), text("换", "")}, Bring: []facility.Text{text("机械密封", "")},
	}
	o := dispatch.FromAlarm(low(), p, nil, nil, now).Create
	want := []facility.OrderStep{{Text: text("停泵", "Stop the pump")}, {Text: text("换", "换")}}
	if diff := cmp.Diff(want, o.Checklist); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]facility.Text{text("机械密封", "机械密封")}, o.Bring); diff != "" {
		t.Error(diff)
	}
	if o.Title != text("换密封", "Change the seal") || o.Priority != facility.P4 || !o.AcceptBy.Equal(now.Add(2*time.Hour)) {
		t.Errorf("%s %+v, to be accepted by %v", o.Priority, o.Title, o.AcceptBy)
	}
}

func TestReopenIsThePolicys(t *testing.T) {
	closed := func(ago time.Duration) *facility.Order {
		return &facility.Order{ID: "order-1", State: facility.OrderClosed, UpdatedAt: now.Add(-ago)}
	}
	for _, test := range []struct {
		reopen  *time.Duration
		ago     time.Duration
		reopens bool
	}{
		{nil, rules.DefaultReopen, true},
		{nil, rules.DefaultReopen + 1, false},
		{new(time.Hour), time.Hour, true},
		{new(time.Hour), time.Hour + 1, false},
		{new(72 * time.Hour), 71 * time.Hour, true},
		{new(time.Duration(0)), 0, false},
	} {
		d := dispatch.FromAlarm(low(), rules.OrderPolicy{Reopen: test.reopen}, nil, closed(test.ago), now)
		if reopened := d.Create == nil; reopened != test.reopens {
			t.Errorf("closed %s ago with %v: reopened %v", test.ago, test.reopen, reopened)
		}
	}
}

// However a fault comes and goes, its order counts each time, and its history has one
// line at most in each period, which tell of all but those since the last one.
func TestCountAndLines(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		period := time.Duration(rapid.IntRange(1, 180).Draw(rt, "period, min")) * time.Minute
		p := rules.OrderPolicy{Every: period}
		a := low()
		o := *dispatch.FromAlarm(a, p, nil, nil, now).Create
		o.ID = "order-1"
		count, lines, told, first := 1, 0, 1, a.LastAt
		for range rapid.IntRange(0, 200).Draw(rt, "times") {
			a.LastAt = a.LastAt.Add(time.Duration(rapid.IntRange(0, 7200).Draw(rt, "after, s")) * time.Second)
			a.Count++
			count++
			d := dispatch.FromAlarm(a, p, &o, nil, a.LastAt)
			if d.Create != nil || d.Count == (len(d.Acts) > 0) {
				rt.Fatalf("%+v", d)
			}
			if d.Count {
				if err := o.CountOn(a.LastAt); err != nil {
					rt.Fatal(err)
				}
			}
			for _, act := range d.Acts {
				e, err := o.DoSystem(act, a.LastAt)
				if err != nil {
					rt.Fatal(err)
				}
				lines++
				told += e.Times
			}
			if o.Count != count || told != o.Noted || count-told < 0 {
				rt.Fatalf("%d times: counted %d, told of %d", count, o.Count, told)
			}
		}
		if most := int(a.LastAt.Sub(first)/period) + 1; lines > most {
			rt.Fatalf("%d lines in %s, at most one each %s", lines, a.LastAt.Sub(first), period)
		}
	})
}

func TestCheckpointsOfARoundShareAnOrder(t *testing.T) {
	a, b := missed("pump", "泵房", "Pump room"), missed("roof", "屋顶", "Roof")
	order := dispatch.FromAlarm(a, dispatch.PatrolPolicy(), nil, nil, now).Create
	order.ID = "order-1"
	d := dispatch.FromAlarm(b, dispatch.PatrolPolicy(), order, nil, now)
	want := dispatch.Decision{Order: "order-1", Acts: []facility.Act{{Action: facility.OrderRecur, Target: "alarm-roof", Note: "漏巡：夜巡 22:00 · 屋顶 · Missed patrol: Night patrol 22:00 · Roof"}}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	b.OrderID = "order-1"
	if d := dispatch.FromAlarm(b, dispatch.PatrolPolicy(), order, nil, now); !d.Nothing() {
		t.Errorf("counted twice: %+v", d)
	}
	order.State = facility.OrderCompleted
	if d := dispatch.FromAlarm(missed("gate", "东门", "Gate"), dispatch.PatrolPolicy(), order, nil, now); len(d.Acts) != 1 || d.Acts[0].Action != facility.OrderRecur {
		t.Errorf("another checkpoint reopens the order: %+v", d)
	}
}

func TestReturned(t *testing.T) {
	if d := dispatch.Returned(low(), nil); !d.Nothing() {
		t.Errorf("without an order: %+v", d)
	}
	if d := dispatch.Returned(low(), &facility.Order{ID: "o", State: facility.OrderClosed}); !d.Nothing() {
		t.Errorf("a closed order: %+v", d)
	}
	o := &facility.Order{ID: "o", State: facility.OrderInProgress}
	if d := dispatch.Returned(missed("pump", "泵房", "Pump room"), o); !d.Nothing() {
		t.Errorf("a missed checkpoint: %+v", d)
	}
	d := dispatch.Returned(low(), o)
	want := []facility.Act{{Action: facility.OrderComment, Note: "报警已恢复正常 · returned to normal: 1号生活泵 出口压力低 · Pump 1 outlet pressure low"}}
	if diff := cmp.Diff(dispatch.Decision{Order: "o", Acts: want}, d); diff != "" {
		t.Error(diff)
	}
	if _, err := o.DoSystem(d.Acts[0], now); err != nil || o.State != facility.OrderInProgress {
		t.Errorf("%v, state %s", err, o.State)
	}
}

func TestReturnOfAnAlarmThatComesAndGoes(t *testing.T) {
	for _, test := range []struct {
		name  string
		count int
		noted time.Duration // how long before it came the order's history told of the fault
		stood time.Duration
		says  bool
	}{
		{"the first time", 1, 0, time.Second, true},
		{"chatter", 2, 0, time.Second, false},
		{"much chatter", 2000, 0, 59 * time.Second, false},
		{"it came again and stayed", 2, 0, time.Minute, true},
		{"it came again without a line and stayed", 2, time.Second, time.Hour, false},
	} {
		a, o := low(), &facility.Order{ID: "o", State: facility.OrderNew, Count: test.count, NotedAt: now.Add(-test.noted)}
		a.ClearedAt = new(now.Add(test.stood))
		if d := dispatch.Returned(a, o); d.Nothing() == test.says {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
}

func TestRetired(t *testing.T) {
	if d := dispatch.Retired(low(), nil); !d.Nothing() {
		t.Errorf("without an order: %+v", d)
	}
	if d := dispatch.Retired(low(), &facility.Order{ID: "o", State: facility.OrderVerified}); !d.Nothing() {
		t.Errorf("an order that is done: %+v", d)
	}
	o := &facility.Order{ID: "o", State: facility.OrderAccepted}
	d := dispatch.Retired(low(), o)
	if len(d.Acts) != 1 || d.Acts[0].Action != facility.OrderComment || d.Order != "o" {
		t.Fatalf("%+v", d)
	}
	if _, err := o.DoSystem(d.Acts[0], now); err != nil || o.State != facility.OrderAccepted {
		t.Errorf("%v, state %s", err, o.State)
	}
}

func TestWithdraw(t *testing.T) {
	tests := []struct {
		state   facility.OrderState
		missing int
		want    facility.OrderAction
	}{
		{facility.OrderNew, 0, facility.OrderWithdraw},
		{facility.OrderAssigned, 0, facility.OrderWithdraw},
		{facility.OrderAccepted, 0, facility.OrderWithdraw},
		{facility.OrderNew, 1, facility.OrderComment},
		{facility.OrderArrived, 0, facility.OrderComment},
		{facility.OrderInProgress, 0, facility.OrderComment},
		{facility.OrderCompleted, 0, facility.OrderComment},
		{facility.OrderClosed, 0, ""},
		{facility.OrderCancelled, 0, ""},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s, %d missing", test.state, test.missing), func(t *testing.T) {
			o := &facility.Order{ID: "o", State: test.state}
			d := dispatch.Withdraw(missed("pump", "泵房", "Pump room"), o, test.missing)
			if test.want == "" {
				if !d.Nothing() {
					t.Fatalf("%+v", d)
				}
				return
			}
			if len(d.Acts) != 1 || d.Acts[0].Action != test.want || d.Order != "o" {
				t.Fatalf("%+v", d)
			}
			if _, err := o.DoSystem(d.Acts[0], now); err != nil {
				t.Error(err)
			}
		})
	}
	if d := dispatch.Withdraw(missed("pump", "", ""), nil, 0); !d.Nothing() {
		t.Errorf("without an order: %+v", d)
	}
}

func TestValue(t *testing.T) {
	for want, a := range map[string]facility.Alarm{
		"":          {Value: 1},
		"0 bar":     {Unit: "bar"},
		"1.825 bar": {Value: 1.82499, Unit: "bar"},
		"-3 m":      {Value: -3, Unit: "m"},
		"1500 kWh":  {Value: 1500, Unit: "kWh"},
	} {
		if got := dispatch.Value(a); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestAtMostOneOpenOrder lets a fault come and go while people work on its orders
// as they like. There is never more than one open order, every occurrence is
// counted once, and each act is lawful.
func TestAtMostOneOpenOrder(t *testing.T) {
	people := []facility.OrderAction{
		facility.OrderAssign, facility.OrderAccept, facility.OrderArrive, facility.OrderStart, facility.OrderComplete,
		facility.OrderVerify, facility.OrderClose, facility.OrderCancel, facility.OrderHold, facility.OrderResume, facility.OrderReturn,
	}
	boss := facility.Person{Login: "boss", Role: facility.RoleAdmin}
	rapid.Check(t, func(rt *rapid.T) {
		var orders []*facility.Order
		open := func() (found *facility.Order) {
			for _, o := range orders {
				if o.State.Open() {
					if found != nil {
						rt.Fatalf("two open orders: %s and %s", found.ID, o.ID)
					}
					found = o
				}
			}
			return found
		}
		at, raised := now, 0
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 600).Draw(rt, "minutes")) * time.Minute)
			if rapid.IntRange(0, 2).Draw(rt, "who") > 0 && len(orders) > 0 {
				o := orders[len(orders)-1]
				act := facility.Act{Action: rapid.SampledFrom(people).Draw(rt, "act"), Note: "note", Target: "boss"}
				_, _ = o.Do(boss, act, at) // what is not lawful does nothing
				continue
			}
			raised++
			a := low()
			a.ID, a.RaisedAt, a.LastAt = fmt.Sprint("alarm-", raised), at, at
			current := open()
			var closed *facility.Order
			if current == nil && len(orders) > 0 {
				closed = orders[len(orders)-1]
			}
			d := dispatch.FromAlarm(a, rules.OrderPolicy{}, current, closed, at)
			if d.Create != nil {
				d.Create.ID = fmt.Sprint("order-", len(orders))
				orders = append(orders, d.Create)
			}
			if d.Count {
				if err := orders[len(orders)-1].CountOn(at); err != nil {
					rt.Fatal(err)
				}
			}
			for _, act := range d.Acts {
				if _, err := orders[len(orders)-1].DoSystem(act, at); err != nil {
					rt.Fatal(err)
				}
			}
			if open() == nil {
				rt.Fatal("a fault without an open order")
			}
		}
		counted := 0
		for _, o := range orders {
			counted += o.Count
		}
		if counted != raised {
			rt.Fatalf("%d occurrences on the orders, %d happened", counted, raised)
		}
	})
}
