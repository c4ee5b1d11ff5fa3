package rules_test

import (
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

func save(t *testing.T, e *rules.Engine) []byte {
	t.Helper()
	data, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRestoreWithOtherRules(t *testing.T) {
	pump := rules.Selector{Devices: []string{"pump-1"}}
	kept := rule("kept", rules.Rule{For: pump, When: "fault", OnDelay: 10 * time.Second})
	changed := rule("changed", rules.Rule{For: pump, When: "fault"})
	gone := rule("gone", rules.Rule{For: pump, When: "fault", Order: rules.OrderPolicy{Category: "pump"}})
	before := compile(t, gone, changed, kept)
	script(t, before, "0s pump-1/fault=1", "1s ack gone/pump-1")

	kept.Name, kept.Priority = text("新名", ""), facility.P1
	changed.When = "fault and running"
	after := compile(t, kept, changed)
	if err := after.Restore(save(t, before)); err != nil {
		t.Fatal(err)
	}
	retired := after.Retire(start.Add(time.Minute))
	var got []string
	for _, c := range retired {
		got = append(got, describe(c)+" from "+string(c.From))
	}
	wantLines(t, got, []string{
		"1m0s retire changed/pump-1 normal from unacknowledged",
		"1m0s retire gone/pump-1 normal from acknowledged",
	})
	if retired[1].Order.Category != "pump" || !retired[1].Alarm.ClearedAt.Equal(start.Add(time.Minute)) {
		t.Errorf("retired %+v", retired[1])
	}
	if again := after.Retire(start); len(again) != 0 {
		t.Errorf("retired twice: %v", again)
	}
	// The delay of the rule that judges the same runs on; the changed one starts
	// anew with what is known of its points.
	wantLines(t, script(t, after, "10s tick", "11s pump-1/running=1"), []string{
		"10s raise kept/pump-1 unacknowledged", "11s raise changed/pump-1 unacknowledged",
	})
}

func TestRestoreANewSilence(t *testing.T) {
	meter := rules.Selector{Devices: []string{"main-water"}}
	before := compile(t, rule("silent", rules.Rule{For: meter, NoData: &rules.NoData{After: time.Minute}}))
	script(t, before, "0s tick", "40s main-water/flow=1")
	after := compile(t, rule("silent", rules.Rule{For: meter, NoData: &rules.NoData{After: 30 * time.Second}}))
	if err := after.Restore(save(t, before)); err != nil {
		t.Fatal(err)
	}
	wantLines(t, script(t, after, "69s tick", "70s tick"), []string{"1m10s raise silent/main-water unacknowledged"})
}

func TestRestoreRefuses(t *testing.T) {
	e := compile(t, rule("fault", rules.Rule{When: "fault", For: rules.Selector{Devices: []string{"pump-1"}}}))
	script(t, e, "0s pump-1/fault=1")
	for _, bad := range []string{"", "{", `{"version": 99}`, `{"version":1,"points":{"x":{}}}`} {
		if err := e.Restore([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "restore the state of the rules: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if len(e.Standing()) != 1 {
		t.Error("a snapshot that was refused has changed the engine")
	}
}

func FuzzRestore(f *testing.F) {
	e := compile(f, everything()...)
	script(f, e, "0s tick", "1s pump-1/fault=1", "2s main-water/total=1", "9s main-water/total=9", "10s pump-1/fault=bad")
	data, err := e.Snapshot()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := compile(t, everything()...)
		if e.Restore(data) != nil {
			return
		}
		e.Retire(start)
		script(t, e, "1h tick", "2h pump-1/fault=1 main-water/total=3", "3h pump-1/fault=0", "4h tick")
		e.Standing()
	})
}
