package rules_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/lifecycle"
)

// tell is describe with what people are told, and what pages show if it is another.
func tell(c rules.Change) string {
	s := describe(c)
	if c.Shown != c.Alarm.State {
		s += " (" + string(c.Shown) + ")"
	}
	if c.Annunciate {
		return s + " TOLD: " + string(c.Why)
	}
	return s + ": " + string(c.Why)
}

// TestLife plays each life from its beginning, with the engine saved and restored
// behind each line, and without.
func TestLife(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy rules.Rule
		script string
		want   string
	}{
		{"without anything else it is as ever", rules.Rule{}, `
			1s pump-1/fault=1
			2s pump-1/fault=0
			3s pump-1/fault=1
			9h tick`, `
			1s raise r/pump-1 unacknowledged TOLD: raised
			2s clear r/pump-1 returned: silent
			3s recur r/pump-1 unacknowledged x2: unseen`},
		{"latched until it is reset", rules.Rule{Latch: true}, `
			1s pump-1/fault=1
			2s ack r/pump-1
			3s pump-1/fault=0
			4s pump-1/fault=1
			5s pump-1/fault=0
			6s reset r/pump-1
			7s ack r/pump-1`, `
			1s raise r/pump-1 unacknowledged TOLD: raised
			2s acknowledge r/pump-1 acknowledged: silent
			3s clear r/pump-1 latched_acknowledged: silent
			4s recur r/pump-1 unacknowledged x2 TOLD: raised
			5s clear r/pump-1 latched_unacknowledged x2: silent
			6s reset r/pump-1 returned x2: silent
			7s acknowledge r/pump-1 normal x2: silent`},
		{"told again while it stands, not while it is unknown", rules.Rule{Realarm: time.Hour}, `
			1s pump-1/fault=1
			2s ack r/pump-1
			61m tick
			90m pump-1/fault=bad
			150m tick
			160m pump-1/fault=1
			161m tick`, `
			1s raise r/pump-1 unacknowledged TOLD: raised
			2s acknowledge r/pump-1 acknowledged: silent
			1h0m1s realarm r/pump-1 unacknowledged TOLD: realarm
			1h30m0s unknown r/pump-1 unacknowledged unknown: silent
			2h40m0s known r/pump-1 unacknowledged: silent
			2h40m0s realarm r/pump-1 unacknowledged TOLD: realarm`},
		{"told once in the quiet time, also of the next occurrence", rules.Rule{Quiet: time.Hour}, `
			1s pump-1/fault=1
			2s ack r/pump-1
			3s pump-1/fault=0
			4s pump-1/fault=1
			2h tick`, `
			1s raise r/pump-1 unacknowledged TOLD: raised
			2s acknowledge r/pump-1 acknowledged: silent
			3s clear r/pump-1 normal: silent
			4s raise r/pump-1 unacknowledged: quiet
			1h0m1s realarm r/pump-1 unacknowledged TOLD: realarm`},
		{"shelved before it is there", rules.Rule{}, `
			1s shelve r/pump-1 1h
			2s pump-1/fault=1
			3s pump-1/fault=0
			4s pump-1/fault=1
			2h tick`, `
			1s shelve r/pump-1 normal (shelved): silent
			2s raise r/pump-1 unacknowledged (shelved): held
			3s clear r/pump-1 normal (shelved): silent
			4s raise r/pump-1 unacknowledged (shelved): held
			1h0m1s unshelve r/pump-1 unacknowledged TOLD: released`},
		{"a one-shot shelf ends with the condition", rules.Rule{}, `
			1s pump-1/fault=1
			2s shelve r/pump-1 1h once
			3s pump-1/fault=0
			4s pump-1/fault=1`, `
			1s raise r/pump-1 unacknowledged TOLD: raised
			2s shelve r/pump-1 unacknowledged (shelved): silent
			3s clear r/pump-1 normal: silent
			4s raise r/pump-1 unacknowledged TOLD: raised`},
		{"the last of three holds", rules.Rule{}, `
			1s shelve r/pump-1 1h
			1s suppress r/pump-1
			1s take_out r/pump-1
			2s pump-1/fault=1
			3s put_back r/pump-1
			4s unsuppress r/pump-1
			5s unshelve r/pump-1`, `
			1s shelve r/pump-1 normal (shelved): silent
			1s suppress r/pump-1 normal (suppressed): silent
			1s take_out r/pump-1 normal (out_of_service): silent
			2s raise r/pump-1 unacknowledged (out_of_service): held
			3s put_back r/pump-1 unacknowledged (suppressed): silent
			4s unsuppress r/pump-1 unacknowledged (shelved): silent
			5s unshelve r/pump-1 unacknowledged TOLD: released`},
		{"a hold of what was never heard", rules.Rule{}, `
			1s shelve r/pump-1 1m
			2m tick
			3m pump-1/fault=1`, `
			1s shelve r/pump-1 normal unknown (shelved): silent
			1m1s unshelve r/pump-1 normal unknown: silent
			3m0s raise r/pump-1 unacknowledged TOLD: raised`},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.policy.For, test.policy.When = rules.Selector{Devices: []string{"pump-1"}}, "fault"
			r := rule("r", test.policy)
			for _, restart := range []bool{false, true} {
				e := compile(t, r)
				var got []string
				if !strings.Contains(test.name, "never heard") {
					script(t, e, "0s pump-1/fault=0")
				}
				for _, line := range lines(test.script) {
					for _, c := range play(t, e, line) {
						got = append(got, tell(c))
					}
					if restart {
						next := compile(t, r)
						if err := next.Restore(save(t, e)); err != nil {
							t.Fatal(err)
						}
						e = next
					}
				}
				wantLines(t, got, lines(test.want))
			}
		})
	}
}

func lines(text string) (out []string) {
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// TestAHoldOutlivesItsRulesConditions: it belongs to the rule on the device, whatever
// the rule says now; the alarm does not.
func TestAHoldOutlivesItsRulesConditions(t *testing.T) {
	r := rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault"})
	before := compile(t, r)
	script(t, before, "0s pump-1/fault=1", "1s shelve r/pump-1 1h")
	r.When = "fault and not running"
	after := compile(t, r)
	if err := after.Restore(save(t, before)); err != nil {
		t.Fatal(err)
	}
	if got := after.Retire(start.Add(time.Minute)); len(got) != 1 || got[0].From != facility.AlarmUnacknowledged {
		t.Fatalf("retired %v", got)
	}
	held := after.Held()
	if len(held) != 1 || held[0].Alarm.ID != "" || held[0].Life.Shelf.By != "wang" || !held[0].Life.Shelf.Until.Equal(start.Add(time.Hour+time.Second)) {
		t.Fatalf("held: %+v", held)
	}
	var got []string
	for _, line := range []string{"2m pump-1/running=0", "2h tick"} {
		for _, c := range play(t, after, line) {
			got = append(got, tell(c))
		}
	}
	wantLines(t, got, []string{"2m0s raise r/pump-1 unacknowledged (shelved): held", "1h0m1s unshelve r/pump-1 unacknowledged TOLD: released"})
}

// TestAPointThatFlaps comes and goes 500 times in an hour.
func TestAPointThatFlaps(t *testing.T) {
	e := compile(t, rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault", Realarm: time.Hour}))
	told, at := 0, 0
	for i := range 1000 {
		at = 3600 * i / 1000
		for _, c := range play(t, e, fmt.Sprintf("%dms pump-1/fault=%d", 3600*i, (i+1)%2)) {
			if c.Annunciate {
				told++
			}
		}
	}
	if a := e.Standing(); told != 1 || len(a) != 1 || a[0].Count != 500 {
		t.Errorf("until %ds told %d times of %+v", at, told, a)
	}
}

func TestRefusedHolds(t *testing.T) {
	e := compile(t, rule("r", rules.Rule{For: rules.Selector{Devices: []string{"pump-1"}}, When: "fault", Latch: true}))
	script(t, e, "0s pump-1/fault=1")
	before := save(t, e)
	for words, want := range map[string]error{
		"shelve r/pump-2 1h":  facility.ErrNotFound,
		"shelve r/pump-1 9h":  facility.ErrInvalid,
		"shelve r/pump-1":     facility.ErrInvalid,
		"unshelve r/pump-1":   facility.ErrUnlawful,
		"put_back r/pump-1":   facility.ErrUnlawful,
		"reset r/pump-1":      facility.ErrUnlawful,
		"reset r/pump-2":      facility.ErrNotFound,
		"retire r/pump-1":     facility.ErrInvalid,
		"unsuppress r/pump-2": facility.ErrNotFound,
	} {
		if _, err := person(e, strings.Fields(words), start.Add(time.Second)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", words, err, want)
		}
	}
	if _, err := e.Hold("r/pump-1", lifecycle.Input{Event: facility.AlarmUnshelve, At: start}); !errors.Is(err, facility.ErrInvalid) {
		t.Errorf("to end is no hold: %v", err)
	}
	if string(save(t, e)) != string(before) {
		t.Error("what was refused has changed the engine")
	}
}

func TestHowOftenPeopleAreTold(t *testing.T) {
	for path, r := range map[string]rules.Rule{"realarm": {Realarm: time.Second}, "quiet": {Quiet: -time.Hour}} {
		r.For, r.When = rules.Selector{Devices: []string{"pump-1"}}, "fault"
		_, problems := rules.Compile([]rules.Rule{rule("r", r)}, estate())
		if len(problems) != 1 || !strings.HasSuffix(problems[0].Path, path) {
			t.Errorf("%s: %v", path, problems)
		}
	}
}
