package hub_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"
)

// TestTheLedgerIsRight: whatever the rules remember, what holds after a start is what the
// ledger says.
func TestTheLedgerIsRight(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		made := h.shelve(time.Hour, true)
		h.must(h.takeOut(desk, ""))
		h.stop()
		h.forgetRules()
		h.start()
		if held := h.agreed(); len(held) != 2 || !held[1].Same(made) {
			t.Fatalf("the state of the rules is lost, and held is %+v", held)
		}
		h.stop()
		h.write(func(tx *ledger.Tx) error {
			return tx.EndHold(faultKey, facility.AlarmOutOfService, facility.HoldRecord{Key: faultKey, At: h.now(), Event: facility.AlarmPutBack})
		})
		h.start()
		if held := h.agreed(); len(held) != 1 || held[0].Kind != facility.AlarmShelved {
			t.Fatalf("it was put back, and held is %+v", held)
		}
		h.rules = h.rules[1:]
		h.restart()
		if held := h.agreed(); held != nil || h.holdCourse() != "shelve:li take_out:li put_back:system unshelve:system" {
			t.Errorf("its rule is gone, and held is %+v after %q", held, h.holdCourse())
		}
	})
}

// TestAnOrderThatEndedUnheard: a program of before the judge looked at holds may have ended
// the order.
func TestAnOrderThatEndedUnheard(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		o := h.order()
		h.must(h.takeOut(desk, o.ID))
		h.stop()
		h.write(func(tx *ledger.Tx) error {
			o, err := tx.Order(o.ID)
			if err != nil {
				return err
			}
			e, err := o.Do(desk, facility.Act{Action: facility.OrderCancel, Note: "n"}, h.now())
			if err != nil {
				return err
			}
			return tx.SaveOrder(o, e, nil)
		})
		h.start()
		if h.agreed() != nil || h.holdCourse() != "take_out:li put_back:system" || len(h.orders()) != 2 {
			t.Errorf("held %q, %d orders", h.holdCourse(), len(h.orders()))
		}
	})
}

// write changes the ledger of a house that stands still.
func (h *house) write(do func(tx *ledger.Tx) error) {
	h.t.Helper()
	l, err := ledger.Open(h.t.Context(), filepath.Join(h.dir, "ledger.db"), ledger.Options{Site: estate().Site})
	h.must(err)
	h.must(l.Update(h.t.Context(), do))
	h.must(l.Close())
}

// forgetRules loses the state of the rules.
func (h *house) forgetRules() {
	h.t.Helper()
	h.write(func(tx *ledger.Tx) error { return tx.SaveState("rules", nil) })
}

// TestHoldsWhileTheLedgerCannotBeWritten: who asks is told that it cannot be kept now. The
// first thing asked is done all the same as soon as it can, whole; further ones are not.
func TestHoldsWhileTheLedgerCannotBeWritten(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		o := h.order()
		h.worked(o)
		h.must(h.takeOut(technician, o.ID))
		_, err := h.act(desk, o, facility.Act{Action: facility.OrderVerify})
		h.must(err)
		mend := h.breakLedger()
		if _, err := h.act(desk, o, facility.Act{Action: facility.OrderClose}); err == nil || errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("closed: %v", err)
		}
		until := h.now().Add(time.Hour)
		if _, err := h.hub.HoldAlarm(t.Context(), desk, facility.AlarmHold{Key: faultKey, Kind: facility.AlarmShelved, Reason: "r", Until: &until}); err == nil {
			t.Error("shelved, and it cannot be written")
		}
		if h.orderOf(h.fault()).State != facility.OrderVerified || h.holdCourse() != "take_out:zhang" {
			t.Error("this tests nothing: it is written")
		}
		mend()
		h.pass(2 * time.Second)
		if got := h.holdCourse(); h.agreed() != nil || got != "take_out:zhang put_back:li" {
			t.Errorf("held: %q", got)
		}
		if got := h.story(h.orderOf(h.fault())); !strings.HasSuffix(got, "verify close reopen recur") {
			t.Errorf("the order: %q", got)
		}
	})
}
