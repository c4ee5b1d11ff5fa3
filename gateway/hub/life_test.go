package hub_test

import (
	"slices"
	"testing"
	"time"

	"gengfu/facility"
)

// TestWhatPeopleAreNotToldMakesNoOrder: a fault that comes again within the quiet time
// waits, and becomes an order when people are told that it stands.
func TestWhatPeopleAreNotToldMakesNoOrder(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		h.stop()
		h.rules[0].Quiet = time.Hour
		h.start()
		h.tell(h.bit(1))
		o := h.order()
		_, err := h.act(desk, o, facility.Act{Action: facility.OrderCancel, Note: "误报"})
		h.must(err)
		first := h.alarm()
		_, err = h.hub.AcknowledgeAlarm(t.Context(), desk, first.ID, "")
		h.must(err)
		h.pass(time.Minute)
		h.tell(h.bit(0))
		interrupt()
		h.pass(time.Minute)
		h.tell(h.bit(1))
		interrupt()
		if alarms := h.alarms(); len(alarms) != 2 || len(h.orders()) != 1 {
			t.Fatalf("within the quiet time: %d alarms, %d orders", len(alarms), len(h.orders()))
		}
		h.pass(time.Hour)
		interrupt()
		h.pass(time.Second)
		alarms := h.alarms()
		i := slices.IndexFunc(alarms, func(a facility.Alarm) bool { return a.Key == first.Key && a.ID != first.ID })
		if h.course(alarms[i]) != "raise realarm" {
			t.Fatalf("after it: %q", h.course(alarms[i]))
		}
		made := 0
		for _, after := range h.orders() {
			if after.Key == o.Key && after.ID != o.ID && after.ID == alarms[i].OrderID && after.Count == 1 {
				made++
			}
		}
		if made != 1 {
			t.Errorf("%d orders of what people were told again: %+v", made, h.orders())
		}
	})
}

func TestALatchedAlarmStands(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		h.stop()
		h.rules[0].Latch = true
		h.start()
		h.tell(h.bit(1))
		h.pass(time.Second)
		h.tell(h.bit(0))
		interrupt()
		if a := h.alarm(); a.State != facility.AlarmLatchedUnacknowledged || a.ClearedAt == nil {
			t.Fatalf("it is %+v", a)
		}
		_, err := h.hub.AcknowledgeAlarm(t.Context(), desk, h.alarm().ID, "")
		h.must(err)
		interrupt()
		if a := h.alarm(); a.State != facility.AlarmLatchedAcknowledged || h.course(a) != "raise clear acknowledge" {
			t.Errorf("it is %s after %q", a.State, h.course(a))
		}
	})
}
