package hub_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gengfu/facility"
)

// TestHoldsOnRandomWays: whatever people do, in whatever order, while the fault comes and
// goes and the program ends, the ledger and the judge hold the same, its history leads
// there, and no order ends while its fault is there and in service.
func TestHoldsOnRandomWays(t *testing.T) {
	for seed := range ways(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same ways each time
				h.stop()
				h.rules[0].Latch = seed%2 == 1
				if seed%4 > 1 {
					h.rules[0].Realarm = time.Hour
				}
				h.start()
				var way []string
				defer func() {
					if t.Failed() {
						t.Log(way)
					}
				}()
				for range 100 {
					h.pass(time.Duration(1+r.IntN(20)) * time.Second)
					way = append(way, h.stray(r))
					h.agreed()
					h.historyLeadsThere()
				}
			})
		})
	}
}

// ways is how many seeds are tried.
func ways(all uint64) uint64 {
	if testing.Short() {
		return all / 3
	}
	return all
}

// stray does one thing at random, and says what.
func (h *house) stray(r *rand.Rand) string {
	h.t.Helper()
	var err error
	var what string
	all := []string{
		"on", "on", "off", "bad", "wait", "shelve", "shelve", "take out", "take out for its order", "take out for its order", "unshelve", "put back",
		"acknowledge", "reset", "work", "work", "work", "verify", "verify", "close", "close", "cancel", "restart", "crash", "forget",
	}
	switch what = all[r.IntN(len(all))]; what {
	case "on":
		h.tell(h.bit(1))
	case "off":
		h.tell(h.bit(0))
	case "bad":
		bad := h.bit(0)
		bad.Quality, bad.Reason = facility.Bad, facility.NoAnswer
		h.tell(bad)
	case "wait":
		h.pass(time.Duration(1+r.IntN(90)) * time.Minute)
	case "shelve":
		h.shelve(time.Duration(1+r.IntN(60))*time.Minute, r.IntN(2) == 0)
	case "take out":
		h.must(h.takeOut(desk, ""))
	case "unshelve":
		err = h.release(desk, facility.AlarmShelved)
	case "put back":
		err = h.release(desk, facility.AlarmOutOfService)
	case "restart":
		h.restart()
	case "crash":
		h.crash()
	case "forget":
		h.stop()
		h.forgetRules()
		h.start()
	default:
		err = h.actOnFault(what)
	}
	if err != nil && !errors.Is(err, facility.ErrUnlawful) && !errors.Is(err, facility.ErrHoldOrder) {
		h.t.Fatalf("%s: %v", what, err)
	}
	return fmt.Sprintf("%s (%v)", what, err)
}

// actOnFault does what needs the newest alarm of the fault, or its order; without one
// nothing.
func (h *house) actOnFault(what string) error {
	h.t.Helper()
	for _, a := range h.alarms() {
		if a.Key != faultKey {
			continue
		}
		switch what {
		case "acknowledge":
			_, err := h.hub.AcknowledgeAlarm(h.t.Context(), desk, a.ID, "")
			return err
		case "reset":
			_, err := h.hub.ResetAlarm(h.t.Context(), desk, a.ID, "")
			return err
		}
		if a.OrderID == "" {
			return nil
		}
		return h.actOnOrder(what, a, h.orderOf(a))
	}
	return nil
}

func (h *house) actOnOrder(what string, a facility.Alarm, o facility.Order) error {
	h.t.Helper()
	var err error
	switch what {
	case "take out for its order":
		return h.takeOut(desk, o.ID)
	case "work":
		for _, act := range []facility.Act{
			{Action: facility.OrderAssign, Target: technician.Login},
			{Action: facility.OrderAccept},
			{Action: facility.OrderArrive},
			{Action: facility.OrderComplete, Note: "n"},
		} {
			by := technician
			if act.Action == facility.OrderAssign {
				by = desk
			}
			if _, err = h.act(by, o, act); err != nil {
				return err
			}
		}
	case "verify", "close":
		there := a.State.Active() && a.Shown() != facility.AlarmOutOfService
		_, err = h.act(desk, o, facility.Act{Action: facility.OrderAction(what)})
		if there && err == nil || !there && errors.Is(err, facility.ErrAlarmActive) {
			h.t.Fatalf("%s of the order of an alarm that is %s: %v", what, a.Shown(), err)
		}
	case "cancel":
		_, err = h.act(desk, o, facility.Act{Action: facility.OrderCancel, Note: "n"})
	}
	return err
}

// historyLeadsThere checks that what holds now is what its history says: no hold ends that
// did not begin, and none is there that did not.
func (h *house) historyLeadsThere() {
	h.t.Helper()
	events, err := h.ledger.HoldEvents(h.t.Context(), "", 1000)
	h.must(err)
	kept, err := h.ledger.AlarmHolds(h.t.Context())
	h.must(err)
	if err := leadsTo(events, kept); err != nil {
		h.t.Fatal(err)
	}
	for _, held := range kept {
		if held.Order == "" {
			continue
		}
		o, err := h.ledger.Order(h.t.Context(), held.Order)
		h.must(err)
		if o.State == facility.OrderClosed || o.State == facility.OrderCancelled {
			h.t.Fatalf("out of service for an order that is %s: %+v", o.State, held)
		}
	}
}

// TestSuppressionOnRandomWays does so where alarms follow from others, and people hold some
// of them.
func TestSuppressionOnRandomWays(t *testing.T) {
	suppressed := 0
	for seed := range ways(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same ways each time
				inStorm(h, 3)
				var way []string
				defer func() {
					if t.Failed() {
						t.Log(way)
					}
				}()
				for range 80 {
					h.pass(time.Duration(1+r.IntN(20)) * time.Second)
					way = append(way, h.strayInStorm(r))
					for _, held := range h.agreed() {
						if held.Kind == facility.AlarmSuppressed {
							suppressed++
						}
					}
					h.historyLeadsThere()
				}
			})
		})
	}
	if suppressed == 0 {
		t.Error("nothing was suppressed")
	}
}

func (h *house) strayInStorm(r *rand.Rand) string {
	h.t.Helper()
	key := []string{"mains-lost/mains", "low/d000", "low/d001", "offline/d001"}[r.IntN(4)]
	var err error
	var what string
	switch n := r.IntN(18); n {
	default:
		device, quantity := []string{"mains", "d000", "d001", "d002"}[r.IntN(4)], []string{"lost", "odd"}[r.IntN(2)]
		value := float64(min(1, r.IntN(3)))
		what = fmt.Sprint(device, "/", quantity, "=", value)
		h.tell(h.at(device, quantity, value))
	case 5, 6, 7:
		until := h.now().Add(time.Duration(1+r.IntN(30)) * time.Minute)
		hold := facility.AlarmHold{Key: key, Kind: facility.AlarmShelved, Reason: "r", Until: &until, OneShot: n == 5}
		if n == 7 {
			hold.Kind, hold.Until = facility.AlarmOutOfService, nil
		}
		what = fmt.Sprint(hold.Kind, " ", key)
		_, err = h.hub.HoldAlarm(h.t.Context(), desk, hold)
	case 8:
		what = "release " + key
		err = h.hub.ReleaseAlarm(h.t.Context(), desk, key, []facility.AlarmState{facility.AlarmShelved, facility.AlarmOutOfService}[r.IntN(2)], "")
	case 9:
		what = "crash"
		h.crash()
	case 10:
		what = "forget"
		h.stop()
		h.forgetRules()
		h.start()
	case 11:
		what = "wait"
		h.pass(time.Duration(1+r.IntN(20)) * time.Minute)
	}
	if err != nil && !errors.Is(err, facility.ErrUnlawful) {
		h.t.Fatalf("%s: %v", what, err)
	}
	return what
}
