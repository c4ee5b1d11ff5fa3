package rules_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// nightOf is the alarm of a rule on the flat's meter that stands, or an empty id.
func nightOf(e *rules.Engine, rule string) string {
	for _, a := range e.Standing() {
		if a.Key == rule+"/flat-water" {
			return a.ID
		}
	}
	return ""
}

// TestWhatIsUsualNowIsLearnedAnew has a block that takes more at night for good, as of a
// laundry that moved in. The engineer says so; a leak behind that is still one.
func TestWhatIsUsualNowIsLearnedAnew(t *testing.T) {
	taken := 12 * day
	lines := eachStep(10*minute, 0, 50*day, block("flat-water", func(at time.Duration) float64 {
		switch {
		case at < 7*day:
			return byDay(at)
		case at < 40*day:
			return byDay(at) + 1
		}
		return byDay(at) + 2.5
	}))
	split := slices.IndexFunc(lines, func(l string) bool { return l >= "288h" && l[:4] == "288h" })
	e := shippedOn(t)
	wantLines(t, script(t, e, lines[:split]...), []string{"185h0m0s raise water-night-minimum/flat-water unacknowledged"})
	id := nightOf(e, "water-night-minimum")
	changes, err := e.TakeAsUsual(id, "manager", "洗衣店夜班", start.Add(taken))
	if err != nil || len(changes) != 1 {
		t.Fatalf("taken as usual: %v, %v", changes, err)
	}
	c := changes[0]
	if c.Event != facility.AlarmUsual || c.Alarm.State != facility.AlarmNormal || c.By != "manager" || c.Note != "洗衣店夜班" || c.Annunciate ||
		c.Alarm.ClearedAt == nil || !c.Alarm.ClearedAt.Equal(start.Add(taken)) {
		t.Errorf("it became %+v", c)
	}
	if len(e.Standing()) > 0 {
		t.Errorf("there stands %v", e.Standing())
	}
	if _, err := e.TakeAsUsual(id, "manager", "again", start.Add(taken)); !errors.Is(err, facility.ErrNotFound) {
		t.Errorf("taken twice: %v", err)
	}
	wantLines(t, script(t, e, lines[split:]...), []string{"977h0m0s raise water-night-minimum/flat-water unacknowledged"})
}

// TestAFlatThatIsNeverStillAnyMore has a flat whose tank is filled by a trickle for good:
// it is told apart from then on as a block is, by what its nights are.
func TestAFlatThatIsNeverStillAnyMore(t *testing.T) {
	lines := eachStep(10*minute, 0, 30*day, flat(0.02, 6*day, 40*day))
	split := slices.IndexFunc(lines, func(l string) bool { return l[:4] == "240h" })
	e := shippedOn(t)
	wantLines(t, script(t, e, lines[:split]...), []string{"168h0m0s raise water-never-still/flat-water unacknowledged"})
	if _, err := e.TakeAsUsual(nightOf(e, "water-never-still"), "manager", "补水", start.Add(10*day)); err != nil {
		t.Fatal(err)
	}
	wantLines(t, script(t, e, lines[split:]...), nil)
}

// TestWhatIsTakenAsUsualIsKept makes sure that what was forgotten is in the next part.
func TestWhatIsTakenAsUsualIsKept(t *testing.T) {
	lines := eachStep(10*minute, 0, 8*day, flat(0.02, 6*day, 9*day))
	e := shippedOn(t)
	script(t, e, lines...)
	saved, err := e.Save()
	if err != nil || !saved.Whole {
		t.Fatalf("whole: %v", err)
	}
	e.Kept()
	if _, err := e.TakeAsUsual(nightOf(e, "water-never-still"), "manager", "补水", start.Add(8*day)); err != nil {
		t.Fatal(err)
	}
	part, err := e.Save()
	if err != nil {
		t.Fatal(err)
	}
	other := shippedOn(t)
	if err := other.Restore(saved.Data, part.Data); err != nil {
		t.Fatal(err)
	}
	want, err := e.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Snapshot(); err != nil || !bytes.Equal(got, want) {
		t.Errorf("what was restored is not what was saved: %v", err)
	}
	if len(other.Standing()) > 0 {
		t.Errorf("there stands %v", other.Standing())
	}
}

func TestWhichRulesAskWhatIsUsual(t *testing.T) {
	for id, want := range map[string]bool{"water-night-minimum": true, "water-never-still": true, "water-meter-stopped": true, "water-use-unusual": false, "tank-low": false} {
		e, problems := rules.Compile(shippedBy(t, id), wholeRange(t), rules.WithDetectors(rules.Learners(time.UTC)))
		if problems != nil {
			t.Fatal(problems)
		}
		if got := e.AsksUsual(); got != want {
			t.Errorf("%s asks what is usual: %v, want %v", id, got, want)
		}
	}
}

func TestWhatCannotBeTakenAsUsual(t *testing.T) {
	e := shippedOn(t)
	script(t, e, "0s tank/level=2", "1s tank/level=0.5", "20s tick")
	tank := e.Standing()[0].ID
	script(t, e, eachStep(10*minute, hour, 8*day, flat(0.02, 6*day, 9*day))...)
	leak := nightOf(e, "water-never-still")
	for _, test := range []struct {
		id, by, note string
		want         error
	}{
		{"ghost", "manager", "so", facility.ErrNotFound},
		{tank, "manager", "so", facility.ErrUnlawful},
		{leak, "", "so", facility.ErrInvalid},
		{leak, "manager", "", facility.ErrNoteMissing},
	} {
		if got, err := e.TakeAsUsual(test.id, test.by, test.note, start.Add(9*day)); !errors.Is(err, test.want) || len(got) > 0 {
			t.Errorf("%+v: %v, %v", test, got, err)
		}
	}
	if nightOf(e, "water-never-still") != leak {
		t.Error("what was refused changed something")
	}
}

// TestALearnerIsTakenAsUsualToo makes sure that a baseline is another after it, that is
// not yet sure.
func TestALearnerIsTakenAsUsualToo(t *testing.T) {
	made := 0
	learners := func(_ facility.Device, p facility.Point) rules.Detector {
		if p.Kind != facility.Measure {
			return nil
		}
		made++
		return &steadyLearner{}
	}
	high := rule("high", rules.Rule{For: rules.Selector{Devices: []string{"tank"}}, When: "level > baseline(level) - 0.5 m and level > 2 m"})
	e, problems := rules.Compile([]rules.Rule{high}, estate(), rules.WithDetectors(learners))
	if problems != nil {
		t.Fatal(problems)
	}
	wantLines(t, script(t, e, "0m tank/level=1", "1m tank/level=1", "2m tank/level=1", "3m tank/level=2.2"), []string{"3m0s raise high/tank unacknowledged"})
	before := made
	if _, err := e.TakeAsUsual(e.Standing()[0].ID, "manager", "新水位", start.Add(3*minute)); err != nil {
		t.Fatal(err)
	}
	if made != before+1 {
		t.Error("what was learned is still there")
	}
	wantLines(t, script(t, e, "4m tank/level=2.2", "5m tank/level=2.2", "6m tank/level=2.2"), nil)
}
