package hub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/facility"
)

// What the rule says of the order is on it, through the ledger and a restart, and who
// works on it ticks: once, however often a phone sends it.
func TestAnOrderOfATemplate(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.stop()
		p := &h.rules[0].Order
		p.Title, p.Priority = facility.Text{ZH: "换密封", EN: "Change the seal"}, facility.P4
		p.Checklist = []facility.Text{{ZH: "停泵", EN: "Stop the pump"}, {ZH: "换密封"}}
		p.Bring = []facility.Text{{ZH: "机械密封", EN: "a shaft seal"}}
		h.start()
		h.tell(h.bit(1))
		o := h.order()
		if o.Title.EN != "Change the seal" || o.Priority != facility.P4 || len(o.Checklist) != 2 || len(o.Bring) != 1 || h.alarm().Priority != facility.P2 {
			t.Fatalf("%+v", o)
		}
		do := func(by facility.Person, a facility.Act) {
			t.Helper()
			var err error
			o, err = h.act(by, o, a)
			h.must(err)
		}
		do(desk, facility.Act{Action: facility.OrderAssign, Target: technician.Login})
		do(technician, facility.Act{Action: facility.OrderAccept})
		h.pass(time.Hour)
		made := h.now().Add(-time.Minute).UTC()
		for range 3 {
			do(technician, facility.Act{Action: facility.OrderTick, Step: 1, At: made})
		}
		h.stop()
		h.start()
		kept, err := h.ledger.Order(t.Context(), o.ID)
		h.must(err)
		want := []facility.OrderStep{{Text: facility.Text{ZH: "停泵", EN: "Stop the pump"}, By: technician.Login, At: made}, {Text: facility.Text{ZH: "换密封", EN: "换密封"}}}
		if diff := cmp.Diff(want, kept.Checklist); diff != "" {
			t.Error(diff)
		}
		do(technician, facility.Act{Action: facility.OrderArrive})
		do(technician, facility.Act{Action: facility.OrderComplete, Note: "好了"})
		if got, want := h.story(o), "create assign accept tick arrive complete"; got != want {
			t.Errorf("the order's history is %q, want %q", got, want)
		}
		events, err := h.ledger.OrderEvents(t.Context(), o.ID)
		h.must(err)
		if note := events[len(events)-1].Note; !strings.HasPrefix(note, "好了\n") || !strings.Contains(note, "2. 换密封") {
			t.Errorf("completed with %q", note)
		}
	})
}
