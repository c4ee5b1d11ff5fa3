package rules_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"gengfu/facility"
	"gengfu/rules"
)

func TestLateReadingsAreCounted(t *testing.T) {
	e := compile(t, rule("fault", rules.Rule{When: "fault", For: rules.Selector{Having: []string{"fault"}}}))
	script(t, e, "5s pump-1/fault=0", "5s pump-1/fault=1", "4s pump-1/fault=1", "4s tank/level=1", "6s pump-1/fault=0")
	if got := e.Stats(); got.Late != 2 {
		t.Errorf("late: %d, want 2", got.Late)
	}
}

func TestAlarmSaysWhatAndWhere(t *testing.T) {
	r := rule("low", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "running and 4 - 2.0 > outlet_pressure * 2"})
	r.Advice = text("检查进水", "")
	e := compile(t, r)
	changes := e.Observe(reading(t, start, "pump-1/running=1"), reading(t, start, "pump-1/outlet_pressure=0.75"))
	if len(changes) != 1 {
		t.Fatalf("%d changes, want 1", len(changes))
	}
	a := changes[0].Alarm
	want := facility.Alarm{
		ID: a.ID, Key: "low/pump-1", Rule: "low", Device: "pump-1", Place: "pump-room",
		Title: text("1号生活泵 异常", "Pump 1 trouble"), Advice: text("检查进水", "检查进水"), Priority: facility.P2,
		State: facility.AlarmUnacknowledged, Value: 1.5, Unit: "bar", Count: 1, RaisedAt: start, LastAt: start,
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("alarm\n%+v, want\n%+v", a, want)
	}
}

func TestAlarmShowsTheNumberThatItIsAbout(t *testing.T) {
	tests := []struct {
		when  string
		value float64
		unit  string
	}{
		{"outlet_pressure < 3", 2.5, "bar"},
		{"3 > outlet_pressure", 2.5, "bar"},
		{"mode == 1 and outlet_pressure < 3", 2.5, "bar"},
		{"not (outlet_pressure > 3)", 2.5, "bar"},
		{"max(outlet_pressure, 1) < 3", 2.5, "bar"},
		{"running ? outlet_pressure < 3 : false", 2.5, "bar"},
		{"hour > 1 and fault", 1, ""},
		{"fault == 1", 1, ""},
		{"mode == 1", 1, ""},
		{`fault and value("tank/level") > 1`, 1.25, "m"},
	}
	for _, test := range tests {
		t.Run(test.when, func(t *testing.T) {
			e := compile(t, rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: test.when}))
			var a facility.Alarm
			for _, w := range []string{"pump-1/running=1", "pump-1/fault=1", "tank/level=1.25", "pump-1/mode=1", "pump-1/outlet_pressure=2.5"} {
				for _, c := range e.Observe(reading(t, start, w)) {
					a = c.Alarm
				}
			}
			if a.Value != test.value || a.Unit != test.unit {
				t.Errorf("%v %q, want %v %q", a.Value, a.Unit, test.value, test.unit)
			}
		})
	}
}

func TestRateAndSilenceShowTheirNumbers(t *testing.T) {
	meter := rules.Selector{Devices: []string{"main-water"}}
	e := compile(t,
		rule("burst", rules.Rule{For: meter, Rate: &rules.Rate{Quantity: "total", Over: time.Minute, Per: 30 * time.Minute, Above: ptr(10.0)}}),
		rule("silent", rules.Rule{For: meter, NoData: &rules.NoData{After: 90 * time.Second}}))
	script(t, e, "0s tick", "0s main-water/total=10", "60s main-water/total=10.5", "150s tick")
	for i, want := range []struct {
		value float64
		unit  string
	}{{15, "m3/30min"}, {90, "s"}} {
		if a := e.Standing()[i]; a.Value != want.value || a.Unit != want.unit {
			t.Errorf("%s: %v %s, want %v %s", a.Key, a.Value, a.Unit, want.value, want.unit)
		}
	}
}

func TestAcknowledgeRefuses(t *testing.T) {
	e := compile(t, rule("fault", rules.Rule{When: "fault", For: rules.Selector{Devices: []string{"pump-1"}}}))
	if _, err := e.Acknowledge("nobody", "wang", "", start); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("unknown alarm: %v, want ErrNotFound", err)
	}
	script(t, e, "0s pump-1/fault=1", "1s ack fault/pump-1")
	id := e.Standing()[0].ID
	if _, err := e.Acknowledge(id, "wang", "", start); !errors.Is(err, facility.ErrUnlawful) {
		t.Errorf("acknowledged alarm: %v, want ErrUnlawful", err)
	}
	script(t, e, "2s pump-1/fault=0")
	if _, err := e.Acknowledge(id, "wang", "", start); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("alarm that is normal again: %v, want ErrNotFound", err)
	}
}

func TestAcknowledgementIsKept(t *testing.T) {
	e := compile(t, rule("fault", rules.Rule{When: "fault", For: rules.Selector{Devices: []string{"pump-1"}}}))
	script(t, e, "0s pump-1/fault=1")
	a := e.Standing()[0]
	e.SetOrder(a.ID, "order-1")
	c, err := e.Acknowledge(a.ID, "wang", "on my way", start.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if c.From != facility.AlarmUnacknowledged || c.Alarm.AckedBy != "wang" || c.Alarm.AckNote != "on my way" || !c.Alarm.AckedAt.Equal(start.Add(time.Minute)) || c.Alarm.OrderID != "order-1" {
		t.Errorf("change %+v", c)
	}
	*c.Alarm.AckedAt = time.Time{}
	if again := e.Standing()[0]; again.AckedAt.IsZero() {
		t.Error("a change shares memory with the engine")
	}
}

func TestAlarmIDs(t *testing.T) {
	id := rules.AlarmID("example", "fault/pump-1", start)
	if id != rules.AlarmID("example", "fault/pump-1", start.Local()) {
		t.Error("the same alarm has two ids")
	}
	for _, other := range []string{
		rules.AlarmID("other", "fault/pump-1", start),
		rules.AlarmID("example", "fault/pump-2", start),
		rules.AlarmID("example", "fault/pump-1", start.Add(1)),
	} {
		if id == other {
			t.Errorf("two alarms have the id %s", id)
		}
	}
	if later := rules.AlarmID("example", "fault/pump-1", start.Add(time.Millisecond)); later <= id {
		t.Errorf("%s of a millisecond later does not sort behind %s", later, id)
	}
	u, err := uuid.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	if sec, nsec := u.Time().UnixTime(); u.Version() != 7 || u.Variant() != uuid.RFC4122 || !time.Unix(sec, nsec).Equal(start) {
		t.Errorf("%s is no UUIDv7 of %s", id, start)
	}
}
