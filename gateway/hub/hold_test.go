package hub_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gengfu/facility"
)

const faultKey = "pump-fault/pump-1"

// shelve puts the fault off for a time.
func (h *house) shelve(d time.Duration, oneShot bool) facility.AlarmHold {
	h.t.Helper()
	until := h.now().Add(d)
	made, err := h.hub.HoldAlarm(h.t.Context(), desk, facility.AlarmHold{
		Key: faultKey, Kind: facility.AlarmShelved, Reason: "等配件", Until: &until, OneShot: oneShot,
	})
	h.must(err)
	return made
}

// takeOut takes the fault out of service.
func (h *house) takeOut(by facility.Person, order string) error {
	reason := "检修"
	if order != "" {
		reason = ""
	}
	_, err := h.hub.HoldAlarm(h.t.Context(), by, facility.AlarmHold{Key: faultKey, Kind: facility.AlarmOutOfService, Reason: reason, Order: order})
	return err
}

func (h *house) release(by facility.Person, kind facility.AlarmState) error {
	return h.hub.ReleaseAlarm(h.t.Context(), by, faultKey, kind, "可以了")
}

// agreed checks that the ledger and the judge hold the same, and returns it.
func (h *house) agreed() []facility.AlarmHold {
	h.t.Helper()
	inMind, err := h.hub.Held()
	h.must(err)
	kept, err := h.ledger.AlarmHolds(h.t.Context())
	h.must(err)
	byKey := func(a, b facility.AlarmHold) int {
		return strings.Compare(a.Key+string(a.Kind), b.Key+string(b.Kind))
	}
	slices.SortFunc(inMind, byKey)
	slices.SortFunc(kept, byKey)
	if diff := cmp.Diff(kept, inMind); diff != "" {
		h.t.Fatalf("the ledger (-) and the judge (+) hold other alarms:\n%s", diff)
	}
	return kept
}

// holdCourse is the history of what held the fault, in words.
func (h *house) holdCourse() string {
	h.t.Helper()
	events, err := h.ledger.HoldEvents(h.t.Context(), faultKey, 0)
	h.must(err)
	var words []string
	for _, e := range slices.Backward(events) {
		words = append(words, string(e.Event)+":"+e.Actor)
	}
	return strings.Join(words, " ")
}

// fault is the newest alarm of the pump's fault.
func (h *house) fault() facility.Alarm {
	h.t.Helper()
	all := h.alarms()
	i := slices.IndexFunc(all, func(a facility.Alarm) bool { return a.Key == faultKey })
	if i < 0 {
		h.t.Fatalf("there is no fault: %+v", all)
	}
	return all[i]
}

func (h *house) orderOf(a facility.Alarm) facility.Order {
	h.t.Helper()
	o, err := h.ledger.Order(h.t.Context(), a.OrderID)
	h.must(err)
	return o
}

func (h *house) assigned(o facility.Order) {
	h.t.Helper()
	_, err := h.act(desk, o, facility.Act{Action: facility.OrderAssign, Target: technician.Login})
	h.must(err)
}

// worked brings the order to the state in which it waits to be verified.
func (h *house) worked(o facility.Order) {
	h.t.Helper()
	h.assigned(o)
	for _, a := range []facility.Act{{Action: facility.OrderAccept}, {Action: facility.OrderArrive}, {Action: facility.OrderComplete, Note: "换了保险"}} {
		_, err := h.act(technician, o, a)
		h.must(err)
	}
}

// TestAShelfEndsByTime: nobody is called meanwhile, people are told at its end, and all
// of it is kept.
func TestAShelfEndsByTime(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		made := h.shelve(time.Hour, false)
		interrupt()
		if held := h.agreed(); len(held) != 1 || !held[0].Same(made) || made.By != desk.Login {
			t.Fatalf("held: %+v, made %+v", held, made)
		}
		h.tell(h.bit(1))
		interrupt()
		if a := h.alarm(); a.Shown() != facility.AlarmShelved || len(a.Holds) != 1 || len(h.orders()) != 0 {
			t.Fatalf("it is %+v, with %d orders", a, len(h.orders()))
		}
		h.pass(time.Hour)
		interrupt()
		h.pass(2 * time.Second)
		if a := h.fault(); a.Shown() != facility.AlarmUnacknowledged || h.course(a) != "raise unshelve" || !strings.HasPrefix(h.story(h.orderOf(a)), "create") {
			t.Errorf("after it: %+v, %q", a, h.course(a))
		}
		if got := h.holdCourse(); len(h.agreed()) != 0 || got != "shelve:li unshelve:system" {
			t.Errorf("its history: %q", got)
		}
		events, err := h.ledger.HoldEvents(t.Context(), faultKey, 1)
		h.must(err)
		if e := events[0]; e.Alarm != h.fault().ID || !e.At.Equal(*made.Until) {
			t.Errorf("its end is %+v", e)
		}
	})
}

func TestAOneShotShelfEndsWithTheCondition(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		h.tell(h.bit(1))
		h.shelve(time.Hour, true)
		interrupt()
		h.pass(time.Minute)
		h.tell(h.bit(0))
		interrupt()
		if got := h.holdCourse(); len(h.agreed()) != 0 || got != "shelve:li unshelve:system" {
			t.Fatalf("its history: %q", got)
		}
		h.pass(time.Minute)
		h.tell(h.bit(1))
		if alarms := h.alarms(); len(alarms) != 2 || alarms[0].Shown() != facility.AlarmUnacknowledged {
			t.Errorf("it came again: %+v", alarms)
		}
	})
}

func TestAShelfIsReplacedAndReleased(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		h.tell(h.bit(1))
		h.shelve(time.Hour, false)
		h.pass(time.Minute)
		second := h.shelve(2*time.Hour, true)
		interrupt()
		if held := h.agreed(); len(held) != 1 || !held[0].Same(second) {
			t.Fatalf("held: %+v", held)
		}
		h.must(h.release(desk, facility.AlarmShelved))
		interrupt()
		if err := h.release(desk, facility.AlarmShelved); !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("released twice: %v", err)
		}
		if a := h.alarm(); a.Holds != nil || h.course(a) != "raise shelve shelve unshelve" || h.holdCourse() != "shelve:li shelve:li unshelve:li" {
			t.Errorf("it is %+v after %q, held %q", a, h.course(a), h.holdCourse())
		}
	})
}

func TestWhoMayHold(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		o := h.order()
		until := h.now().Add(time.Hour)
		asked := facility.AlarmHold{Key: faultKey, Kind: facility.AlarmShelved, Reason: "r", Until: &until, Order: o.ID}
		for _, by := range []facility.Person{technician, guard, viewer} {
			if _, err := h.hub.HoldAlarm(t.Context(), by, asked); !errors.Is(err, facility.ErrForbidden) {
				t.Errorf("%s shelves: %v", by.Role, err)
			}
			if err := h.takeOut(by, o.ID); !errors.Is(err, facility.ErrForbidden) {
				t.Errorf("%s takes out of service for the order of another: %v", by.Role, err)
			}
		}
		h.assigned(o)
		h.must(h.takeOut(technician, o.ID))
		if err := h.takeOut(technician, ""); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("without an order: %v", err)
		}
		h.must(h.release(technician, facility.AlarmOutOfService))
		h.must(h.takeOut(desk, ""))
		if err := h.takeOut(technician, o.ID); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("in place of what the desk wants: %v", err)
		}
		if err := h.release(technician, facility.AlarmOutOfService); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("against what the desk wants: %v", err)
		}
		h.must(h.release(desk, facility.AlarmOutOfService))
		other, err := h.hub.CreateOrder(t.Context(), desk, facility.Order{Title: facility.Text{ZH: "换灯"}, Source: facility.FromDesk, Priority: facility.P4})
		h.must(err)
		h.assigned(other)
		if err := h.takeOut(technician, other.ID); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("for an order about something else: %v", err)
		}
		h.agreed()
	})
}

func TestRefusedHolds(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		h.pass(time.Second)
		h.tell(h.bit(0))
		o := h.order()
		_, err := h.act(desk, o, facility.Act{Action: facility.OrderCancel, Note: "误报"})
		h.must(err)
		soon, late := h.now().Add(time.Hour), h.now().Add(9*time.Hour)
		var long *facility.ShelfTooLongError
		for _, test := range []struct {
			what string
			hold facility.AlarmHold
			want error
		}{
			{"a rule that is not", facility.AlarmHold{Key: "no/pump-1", Kind: facility.AlarmShelved, Reason: "r", Until: &soon}, facility.ErrNotFound},
			{"a patrol", facility.AlarmHold{Key: "patrol/night/gate", Kind: facility.AlarmShelved, Reason: "r", Until: &soon}, facility.ErrPatrolHold},
			{"no reason", facility.AlarmHold{Key: faultKey, Kind: facility.AlarmShelved, Reason: " ", Until: &soon}, facility.ErrInvalid},
			{"no end", facility.AlarmHold{Key: faultKey, Kind: facility.AlarmShelved, Reason: "r"}, facility.ErrInvalid},
			{"too long", facility.AlarmHold{Key: faultKey, Kind: facility.AlarmShelved, Reason: "r", Until: &late}, facility.ErrInvalid},
			{"suppressed by a person", facility.AlarmHold{Key: faultKey, Kind: facility.AlarmSuppressed, Cause: "x"}, facility.ErrInvalid},
			{"neither order nor reason", facility.AlarmHold{Key: faultKey, Kind: facility.AlarmOutOfService}, facility.ErrInvalid},
			{"an order that is not", facility.AlarmHold{Key: faultKey, Kind: facility.AlarmOutOfService, Order: "ghost"}, facility.ErrHoldOrder},
			{"an order that has ended", facility.AlarmHold{Key: faultKey, Kind: facility.AlarmOutOfService, Order: o.ID}, facility.ErrHoldOrder},
		} {
			_, err := h.hub.HoldAlarm(t.Context(), desk, test.hold)
			if !errors.Is(err, test.want) || test.what == "too long" && !errors.As(err, &long) {
				t.Errorf("%s: %v, want %v", test.what, err, test.want)
			}
		}
		if held := h.agreed(); held != nil || h.holdCourse() != "" {
			t.Errorf("held: %+v", held)
		}
	})
}

// TestOutOfServiceEndsWithItsOrder: while it lasts the order may be verified although the
// fault is there; afterwards people are told that it is.
func TestOutOfServiceEndsWithItsOrder(t *testing.T) {
	for _, end := range []struct {
		acts []facility.OrderAction
		want string // the order's history behind its completion
	}{
		{[]facility.OrderAction{facility.OrderVerify, facility.OrderClose}, "verify close reopen recur"},
		{[]facility.OrderAction{facility.OrderReopen, facility.OrderCancel}, "reopen cancel"},
	} {
		t.Run(string(end.acts[1]), func(t *testing.T) {
			interrupted(t, func(t *testing.T, h *house, interrupt func()) {
				h.tell(h.bit(1))
				o := h.order()
				h.worked(o)
				h.must(h.takeOut(technician, o.ID))
				interrupt()
				for i, action := range end.acts {
					if held := h.agreed(); len(held) != 1 || held[0].Order != o.ID {
						t.Fatalf("before %s: %+v", action, held)
					}
					_, err := h.act(desk, o, facility.Act{Action: action, Note: "n"})
					h.must(err)
					if i == 0 {
						interrupt()
					}
				}
				a := h.alarms()[0]
				if got := h.holdCourse(); len(h.agreed()) != 0 || got != "take_out:zhang put_back:li" || h.course(a) != "raise take_out put_back" {
					t.Errorf("held %q, alarm %q", got, h.course(a))
				}
				of := h.orders()[slices.IndexFunc(h.orders(), func(x facility.Order) bool { return x.ID == o.ID })]
				if got := h.story(of); !strings.HasSuffix(got, end.want) {
					t.Errorf("the order: %q", got)
				}
				if owed, err := h.ledger.Order(t.Context(), a.OrderID); err != nil || !owed.State.Open() {
					t.Errorf("nobody is called: %+v, %v", owed, err)
				}
			})
		})
	}
}

// TestAnOrderOfAFaultThatIsThere can be completed, because a person may be done before the
// sensor agrees, but neither verified nor closed.
func TestAnOrderOfAFaultThatIsThere(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		o := h.order()
		h.worked(o)
		verify := func() error {
			_, err := h.act(desk, o, facility.Act{Action: facility.OrderVerify})
			return err
		}
		if err := verify(); !errors.Is(err, facility.ErrAlarmActive) || !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("verified while it is there: %v", err)
		}
		h.shelve(time.Hour, false)
		if err := verify(); !errors.Is(err, facility.ErrAlarmActive) {
			t.Errorf("verified while it is shelved: %v", err)
		}
		h.must(h.takeOut(desk, ""))
		h.must(verify())
		h.must(h.release(desk, facility.AlarmOutOfService))
		_, err := h.act(desk, o, facility.Act{Action: facility.OrderClose})
		if !errors.Is(err, facility.ErrAlarmActive) {
			t.Errorf("closed while it is there: %v", err)
		}
		bad := h.bit(0)
		bad.Quality, bad.Reason = facility.Bad, facility.NoAnswer
		h.pass(time.Second)
		h.tell(bad)
		if _, err = h.act(desk, o, facility.Act{Action: facility.OrderClose}); !errors.Is(err, facility.ErrAlarmActive) {
			t.Errorf("closed while nobody knows: %v", err)
		}
		h.pass(time.Second)
		h.tell(h.bit(0))
		_, err = h.act(desk, o, facility.Act{Action: facility.OrderClose})
		h.must(err)
		if got := h.story(h.order()); !strings.HasSuffix(got, "verify close") {
			t.Errorf("the order: %q", got)
		}
	})
}

func TestReset(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		h.stop()
		h.rules[0].Latch = true
		h.start()
		h.tell(h.bit(1))
		id := h.alarm().ID
		if _, err := h.hub.ResetAlarm(t.Context(), desk, id, ""); !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("reset while it is there: %v", err)
		}
		h.pass(time.Second)
		h.tell(h.bit(0))
		interrupt()
		if _, err := h.hub.ResetAlarm(t.Context(), guard, id, ""); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("reset by a guard: %v", err)
		}
		a, err := h.hub.ResetAlarm(t.Context(), technician, id, "看过了")
		h.must(err)
		interrupt()
		if a.State != facility.AlarmReturned || h.alarm().State != a.State || h.course(a) != "raise clear reset" {
			t.Errorf("it is %s after %q", h.alarm().State, h.course(a))
		}
		_, err = h.hub.AcknowledgeAlarm(t.Context(), desk, id, "")
		h.must(err)
		if _, err := h.hub.ResetAlarm(t.Context(), desk, id, ""); !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("reset of what is normal: %v", err)
		}
		if _, err := h.hub.ResetAlarm(t.Context(), desk, "ghost", ""); !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("reset of nothing: %v", err)
		}
	})
}
