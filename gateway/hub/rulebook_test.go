package hub_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/backtest"
)

var manager = facility.Person{Login: "wang", Name: "王经理", Role: facility.RoleManager}

// written is a rule for pumps as a person writes it.
func written(id, when, more string) string {
	return fmt.Sprintf("# By hand.\nid: %s\nname: {zh: 自定, en: own}\npriority: P3\nfor: {kinds: [pump]}\nwhen: %s\n%s", id, when, more)
}

// rewrite saves a rule as the manager does who has just read it.
func (h *house) rewrite(id, source string) error {
	h.t.Helper()
	detail, err := h.hub.Rules().Rule(h.t.Context(), id)
	if err != nil && !errors.Is(err, facility.ErrNotFound) {
		h.t.Fatal(err)
	}
	_, err = h.hub.Rules().SaveRule(h.t.Context(), manager, dashboard.RuleSaving{ID: id, Source: source, Reason: "试一试", Version: detail.Rule.Version})
	return err
}

// stands compares the alarms that are not normal, as "key state".
func (h *house) stands(want ...string) {
	h.t.Helper()
	var got []string
	for _, a := range h.standing() {
		got = append(got, a.Key+" "+string(a.State))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		h.t.Errorf("%q stand, want %q", got, want)
	}
}

// What other rules remember stays when one is saved: alarms, and delays that run.
func TestSavingARuleKeepsTheStateOfAllOthers(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1), h.bar(1.5)) // faulty, and low for the first of 30 seconds
		h.pass(20 * time.Second)
		before := h.alarm()
		h.must(h.rewrite("own", written("own", "outlet_pressure < 1.8", "")))
		if again := h.alarm(); again.ID != before.ID || again.State != before.State {
			t.Errorf("%+v became %+v", before, again)
		}
		h.pass(11 * time.Second)
		h.stands("low-pressure/pump-1 unacknowledged", "pump-fault/pump-1 unacknowledged")
		h.tell(h.bar(1.4)) // the new rule hears it
		h.stands("low-pressure/pump-1 unacknowledged", "own/pump-1 unacknowledged", "pump-fault/pump-1 unacknowledged")

		h.restart()
		h.stands("low-pressure/pump-1 unacknowledged", "own/pump-1 unacknowledged", "pump-fault/pump-1 unacknowledged")
		h.must(h.rewrite("own", "")) // taken back: its alarm goes
		h.stands("low-pressure/pump-1 unacknowledged", "pump-fault/pump-1 unacknowledged")
		h.restart()
		h.stands("low-pressure/pump-1 unacknowledged", "pump-fault/pump-1 unacknowledged")
	})
}

// A rule that judges otherwise ends its alarm, and raises it again where the fault is
// still there; what held it still does.
func TestAnOverrideCountsAtOnceAndUntilItIsTakenBack(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(0), h.bar(1.9))
		h.pass(31 * time.Second)
		h.stands("low-pressure/pump-1 unacknowledged")
		until := h.now().Add(time.Hour)
		_, err := h.hub.HoldAlarm(t.Context(), desk, facility.AlarmHold{Key: "low-pressure/pump-1", Kind: facility.AlarmShelved, Reason: "等配件", Until: &until})
		h.must(err)
		h.must(h.rewrite("low-pressure", written("low-pressure", "outlet_pressure < 1.5", "")))
		h.stands()
		h.pass(time.Second)
		h.tell(h.bar(1.9))
		h.stands()
		h.pass(time.Second)
		h.tell(h.bar(1.2))
		h.stands("low-pressure/pump-1 unacknowledged")
		holds, err := h.ledger.AlarmHolds(t.Context())
		if err != nil || len(holds) != 1 {
			t.Errorf("%+v, %v", holds, err)
		}
		h.must(h.rewrite("low-pressure", ""))
		h.stands()
		h.pass(time.Second)
		h.tell(h.bar(1.9))
		h.pass(31 * time.Second)
		h.stands("low-pressure/pump-1 unacknowledged")
	})
}

// What held an alarm goes with the rule that it was of.
func TestHoldsGoWithTheirRule(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.must(h.rewrite("own", written("own", "outlet_pressure < 1.8", "")))
		until := h.now().Add(time.Hour)
		_, err := h.hub.HoldAlarm(t.Context(), desk, facility.AlarmHold{Key: "own/pump-1", Kind: facility.AlarmShelved, Reason: "等配件", Until: &until})
		h.must(err)
		h.must(h.rewrite("own", ""))
		holds, err := h.ledger.AlarmHolds(t.Context())
		if err != nil || len(holds) != 0 {
			t.Errorf("%+v, %v", holds, err)
		}
	})
}

func TestWhatIsSavedIsReadAgain(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		book := h.hub.Rules()
		source := written("low-pressure", "outlet_pressure < 1.5", "")
		detail, err := book.SaveRule(t.Context(), manager, dashboard.RuleSaving{ID: "low-pressure", Source: source, Reason: " 误报 "})
		h.must(err)
		at := h.now().UTC()
		rule := dashboard.RuleShape{
			ID: "low-pressure", Name: facility.Text{ZH: "自定", EN: "own"}, Priority: facility.P3, Origin: dashboard.RuleOverridden, File: "rules/pump.yaml",
			Devices: []string{"pump-1"}, Condition: "outlet_pressure < 1.5", Version: 1, Author: "wang", At: &at,
		}
		want := dashboard.RuleDetailShape{
			Rule: rule, Source: source, OfFile: "# low-pressure of the file\n", Points: []string{"pump-1/outlet_pressure"},
			Versions: []dashboard.RuleVersionShape{{Version: 1, At: at, Author: "wang", Reason: "误报", Source: source}},
		}
		if diff := cmp.Diff(want, detail); diff != "" {
			t.Error(diff)
		}
		h.tell(h.bar(1.2))
		h.must(h.rewrite("own", written("own", "fault", "")))
		all, err := book.Rules(t.Context())
		h.must(err)
		var got []string
		for _, r := range all {
			got = append(got, fmt.Sprintf("%s %s %d %d", r.ID, r.Origin, r.Version, r.Standing))
		}
		if want := []string{"pump-fault file 0 0", "low-pressure override 1 1", "own own 1 0"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		h.must(h.rewrite("low-pressure", ""))
		h.must(h.rewrite("own", ""))
		detail, err = book.Rule(t.Context(), "low-pressure")
		h.must(err)
		if detail.Rule.Origin != dashboard.RuleOfFile || detail.Rule.Version != 2 || detail.Source != "# low-pressure of the file\n" || detail.OfFile != "" || len(detail.Versions) != 2 {
			t.Errorf("%+v", detail)
		}
		detail, err = book.Rule(t.Context(), "own") // gone from the list, but not its past
		if err != nil || detail.Source != "" || len(detail.Versions) != 2 {
			t.Errorf("%+v, %v", detail, err)
		}
		if all, err = book.Rules(t.Context()); err != nil || len(all) != 2 {
			t.Errorf("%d rules, %v", len(all), err)
		}
		log, err := h.ledger.AuditLog(t.Context(), facility.Page{})
		h.must(err)
		var deeds []string
		for _, e := range log {
			deeds = append(deeds, strings.Join([]string{e.Actor, e.Action, e.Target, e.Detail}, " "))
		}
		slices.Sort(deeds)
		if want := []string{
			"wang rule.save low-pressure version 1: 误报", "wang rule.save own version 1: 试一试",
			"wang rule.take_back low-pressure version 2: 试一试", "wang rule.take_back own version 2: 试一试",
		}; !slices.Equal(deeds, want) {
			t.Errorf("%q", deeds)
		}
	})
}

func TestSavingsThatMayNotBe(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.must(h.rewrite("own", written("own", "fault", "")))
		for name, c := range map[string]struct {
			by   facility.Person
			ask  dashboard.RuleSaving
			want error
		}{
			"by a technician":            {technician, dashboard.RuleSaving{ID: "own", Source: written("own", "fault", ""), Reason: "r", Version: 1}, facility.ErrForbidden},
			"without a reason":           {manager, dashboard.RuleSaving{ID: "own", Source: written("own", "fault", ""), Reason: " ", Version: 1}, facility.ErrInvalid},
			"of what was not read":       {manager, dashboard.RuleSaving{ID: "own", Source: written("own", "fault", ""), Reason: "r"}, facility.ErrConflict},
			"of what is not there":       {manager, dashboard.RuleSaving{ID: "none", Reason: "r"}, facility.ErrNotFound},
			"taking back what is a file": {manager, dashboard.RuleSaving{ID: "pump-fault", Reason: "r"}, facility.ErrUnlawful},
		} {
			if _, err := h.hub.Rules().SaveRule(t.Context(), c.by, c.ask); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for source, want := range map[string]dashboard.RuleProblem{
			written("own", "fualt", ""):   {Path: "when", Line: 6, Column: 7},
			written("other", "fault", ""): {Path: "id", Line: 2, Column: 1},
		} {
			var wrong *dashboard.RuleMistakesError
			err := h.rewrite("own", source)
			if !errors.As(err, &wrong) || !errors.Is(err, facility.ErrInvalid) {
				t.Fatalf("%s: %v", source, err)
			}
			if p := wrong.Problems[0]; p.Path != want.Path || p.Line != want.Line || p.Column != want.Column || p.What.EN == "" || p.Cure.EN == "" || p.What.ZH == p.What.EN || p.Cure.ZH == p.Cure.EN {
				t.Errorf("%+v, want %+v", p, want)
			}
		}
		check, err := h.hub.Rules().CheckRule(t.Context(), written("any", "fault", ""))
		if diff := cmp.Diff(dashboard.RuleCheckShape{Problems: []dashboard.RuleProblem{}, Devices: []string{"pump-1"}, Points: []string{"pump-1/fault"}}, check); err != nil || diff != "" {
			t.Error(err, diff)
		}
	})
}

// A rule whose device is gone stops nothing: it is left out, the file's counts again, and
// when the device is back so is the rule.
func TestARuleThatFitsNoLongerIsLeftOut(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		whole := h.site
		more := func() facility.Estate {
			e := whole()
			second := e.Devices[0]
			second.ID = "pump-2"
			second.Points = []facility.Point{{ID: facility.PointID{Device: "pump-2", Quantity: "fault"}, Kind: facility.Signal}}
			e.Devices = append(slices.Clone(e.Devices), second)
			return e
		}
		h.stop()
		h.site = more
		h.rules = h.rules[:1] // pump-fault
		h.start()
		h.must(h.rewrite("pump-fault", written("pump-fault", `fault and value("pump-2/fault")`, "")))
		h.must(h.rewrite("own", written("own", `fault or value("pump-2/fault")`, "")))
		h.tell(h.bit(1))
		h.stands("own/pump-1 unacknowledged")

		h.stop()
		h.site = whole
		h.start()
		h.pass(time.Second)
		h.tell(h.bit(1))
		h.stands("pump-fault/pump-1 unacknowledged")
		if got := h.hub.Judgement().RulesLeftOut; !slices.Equal(got, []string{"own", "pump-fault"}) {
			t.Errorf("left out: %q", got)
		}
		all, err := h.hub.Rules().Rules(t.Context())
		h.must(err)
		for _, r := range all {
			if len(r.LeftOut) == 0 || !strings.Contains(r.LeftOut[0].What.ZH, "pump-2") || r.LeftOut[0].Line != 6 {
				t.Errorf("%+v", r)
			}
		}
		detail, err := h.hub.Rules().Rule(t.Context(), "pump-fault")
		if err != nil || detail.Source != "# pump-fault of the file\n" || detail.Rule.Origin != dashboard.RuleOverridden || len(detail.Versions) != 1 {
			t.Errorf("%+v, %v", detail, err)
		}

		h.stop()
		h.site = more
		h.start()
		if got := h.hub.Judgement().RulesLeftOut; len(got) != 0 {
			t.Errorf("left out: %q", got)
		}
		h.pass(time.Second)
		h.tell(h.bit(1))
		h.stands("own/pump-1 unacknowledged")
	})
}

// Whatever statement the program is killed at while a rule is saved: it was saved, or it
// was not, and either way the alarms are those of the rules that count.
func TestKilledWhileARuleIsSaved(t *testing.T) {
	saved, not := 0, 0
	for n := 0; ; n++ {
		died := false
		inHouse(t, func(t *testing.T, h *house) {
			h.stop()
			fate.after(-1)
			h.driver = "mortal"
			h.start()
			h.tell(h.bit(1), h.bar(1.5))
			h.pass(31 * time.Second)
			fate.after(n)
			err := h.rewrite("low-pressure", written("low-pressure", "outlet_pressure < 1", ""))
			_, died = fate.state()
			h.stop()
			fate.after(-1)
			h.start()
			detail, e := h.hub.Rules().Rule(t.Context(), "low-pressure")
			h.must(e)
			if detail.Rule.Version == 0 {
				not++
				if err == nil {
					t.Errorf("statement %d: a rule that was saved is lost", n)
				}
				h.stands("low-pressure/pump-1 unacknowledged", "pump-fault/pump-1 unacknowledged")
				return
			}
			saved++
			h.stands("pump-fault/pump-1 unacknowledged")
		})
		if !died || t.Failed() {
			break
		}
	}
	if saved < 2 || not < 2 {
		t.Errorf("%d times saved, %d times not: too few to say anything", saved, not)
	}
}

// The hub's alarms are those of a backtest of the same readings, where nothing was late.
func TestLiveIsBacktest(t *testing.T) {
	for seed := range uint64(5) {
		inHouse(t, func(t *testing.T, h *house) {
			h.stop()
			h.rules = []rules.Rule{
				{ID: "a", Name: facility.Text{ZH: "甲"}, Priority: facility.P2, For: rules.Selector{Kinds: []string{"pump"}}, When: "avg(outlet_pressure, 20s) > 2", OnDelay: 3 * time.Second},
				{ID: "b", Name: facility.Text{ZH: "乙"}, Priority: facility.P3, For: rules.Selector{Kinds: []string{"pump"}}, When: "held(fault, 4s)", OffDelay: 5 * time.Second},
				{ID: "c", Name: facility.Text{ZH: "丙"}, Priority: facility.P3, For: rules.Selector{Kinds: []string{"pump"}}, NoData: &rules.NoData{Quantities: []string{"fault"}, After: 12 * time.Second}},
			}
			h.start()
			begin := h.now()
			events, cancel := h.hub.Subscribe()
			told := keep(events)
			r := rand.New(rand.NewPCG(seed, 1))
			for range 120 {
				h.pass(time.Duration(200+r.IntN(1800)) * time.Millisecond)
				switch r.IntN(4) {
				case 0, 1:
					h.tell(h.bar(float64(r.IntN(5))))
				case 2:
					h.tell(h.bit(float64(r.IntN(2))))
				}
				if r.IntN(20) == 0 {
					h.pass(15 * time.Second)
				}
			}
			h.pass(20 * time.Second)
			end := h.now()
			cancel()
			<-told.done
			var lived []string
			for _, e := range told.all() {
				if e.Alarm != nil {
					lived = append(lived, phase(*e.Alarm))
				}
			}
			var past []string
			run, problems := backtest.New(backtest.Settings{Rules: h.rules, Estate: h.site(), Begin: begin, From: begin, Changes: func(c rules.Change) {
				if c.Alarm.ID != "" {
					past = append(past, phase(c.Alarm))
				}
			}})
			if problems != nil {
				t.Fatal(problems)
			}
			rows, err := h.history.Rows(t.Context(), []string{"pump-1"}, begin, end, 10_000)
			h.must(err)
			var readings []facility.Reading
			for _, row := range rows {
				readings = append(readings, row.Reading)
			}
			run.Take(readings)
			run.End(end.Add(-time.Second))
			for _, rule := range h.rules {
				l, p := of(lived, rule.ID), of(past, rule.ID)
				if diff := cmp.Diff(p, l); diff != "" || len(p) < 2 {
					t.Errorf("seed %d, rule %s: the backtest, and the hub\n%s", seed, rule.ID, diff)
				}
			}
		})
	}
}

// phase is what an alarm is at a time.
func phase(a facility.Alarm) string {
	cleared := ""
	if a.ClearedAt != nil {
		cleared = a.ClearedAt.Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%s %s %v %d %s %s %s", a.Key, a.State, a.Unknown, a.Count, a.RaisedAt.Format(time.RFC3339Nano), a.LastAt.Format(time.RFC3339Nano), cleared)
}

// of returns the phases of one rule, each once.
func of(phases []string, rule string) []string {
	return slices.Compact(slices.DeleteFunc(slices.Clone(phases), func(p string) bool { return !strings.HasPrefix(p, rule+"/") }))
}
