package hub_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/rules"
)

// nightRule is one that goes by what is usual.
func nightRule() rules.Rule {
	return rules.Rule{
		ID: "night-high", Name: facility.Text{ZH: "夜间升高", EN: "night risen"}, Priority: facility.P3,
		For:  rules.Selector{Kinds: []string{"pump"}},
		When: "night_minimum(outlet_pressure) > night_minimum(outlet_pressure, 30) + 1 bar",
	}
}

// TestTakeAsUsual has a pressure that is higher since last night, and that stays so: the
// manager says so, and the next night is none.
func TestTakeAsUsual(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		manager := facility.Person{Login: "wang", Name: "王经理", Role: facility.RoleManager}
		h.must(h.ledger.CreatePerson(t.Context(), manager, "no hash"))
		h.stop()
		h.rules = append(h.rules, nightRule())
		h.start()
		var lately []facility.Reading
		for at, now := h.now().Add(-5*24*time.Hour), h.now(); at.Before(now); at = at.Add(10 * time.Minute) {
			r := h.bar(3)
			if r.Time = at.UTC(); at.After(now.Add(-24 * time.Hour)) {
				r.Value = 5
			}
			lately = append(lately, r)
		}
		h.tell(lately...)
		a := h.alarm()
		interrupt()
		if _, err := h.hub.TakeAsUsual(t.Context(), desk, a.ID, "so"); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("by the desk: %v", err)
		}
		if _, err := h.hub.TakeAsUsual(t.Context(), manager, a.ID, "  "); !errors.Is(err, facility.ErrNoteMissing) {
			t.Errorf("without a note: %v", err)
		}
		if _, err := h.hub.TakeAsUsual(t.Context(), manager, "ghost", "so"); !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("of nothing: %v", err)
		}
		done, err := h.hub.TakeAsUsual(t.Context(), manager, a.ID, " 新泵 ")
		h.must(err)
		interrupt()
		if done.State != facility.AlarmNormal || done.ClearedAt == nil || h.alarm().State != facility.AlarmNormal || !strings.HasSuffix(h.course(a), "raise usual") {
			t.Errorf("it is %s after %q", h.alarm().State, h.course(a))
		}
		events, err := h.ledger.AlarmEvents(t.Context(), a.ID)
		h.must(err)
		if last := events[len(events)-1]; last.Actor != manager.Login || last.Note != "新泵" {
			t.Errorf("its history says %+v", last)
		}
		if o := h.order(); !o.State.Open() || !strings.HasSuffix(h.story(o), "comment") {
			t.Errorf("its order is %s after %q", o.State, h.story(o))
		}
		if _, err := h.hub.TakeAsUsual(t.Context(), manager, a.ID, "so"); !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("twice: %v", err)
		}
		h.pass(time.Minute)
		h.tell(h.bar(5))
		if h.alarm().State != facility.AlarmNormal {
			t.Errorf("it is raised again: %q", h.course(a))
		}
		detail, err := h.book.Rule(t.Context(), "night-high")
		if h.must(err); !detail.Learns {
			t.Error("its rule does not say that it learns")
		}
		other, err := h.book.Rule(t.Context(), "pump-fault")
		if h.must(err); other.Learns {
			t.Error("a rule says that it learns, and does not")
		}
	})
}
