package hub_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/hub"
	"gengfu/gateway/journal"
	"gengfu/storage/ledger"
)

func journalGone(dir string) error {
	var errs []error
	for _, end := range []string{"", "-wal"} {
		if err := os.Remove(filepath.Join(dir, "journal.db"+end)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// interrupted runs a test with each way in which a program can end in between.
func interrupted(t *testing.T, test func(t *testing.T, h *house, interrupt func())) {
	t.Helper()
	for _, way := range []struct {
		name string
		do   func(h *house)
	}{
		{"never", func(*house) {}},
		{"restart", (*house).restart},
		{"crash", (*house).crash},
	} {
		t.Run(way.name, func(t *testing.T) {
			inHouse(t, func(t *testing.T, h *house) {
				test(t, h, func() { way.do(h) })
			})
		})
	}
}

func TestAnAlarmGoesOnAfterTheProgram(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		h.tell(h.bit(1))
		interrupt()
		h.pass(time.Second)
		h.tell(h.bit(1)) // still there
		interrupt()
		h.pass(time.Second)
		h.tell(h.bit(0))
		interrupt()
		h.pass(time.Second)
		h.tell(h.bit(1))
		interrupt()
		a, o := h.alarm(), h.order()
		if a.Count != 2 || o.Count != 2 || a.State != facility.AlarmUnacknowledged || a.OrderID != o.ID {
			t.Errorf("alarm %+v, order counted %d times", a, o.Count)
		}
		if h.course(a) != "raise clear recur" || h.story(o) != "create comment" { // it came again too soon for a line of its own
			t.Errorf("alarm: %q, order: %q", h.course(a), h.story(o))
		}
		_, err := h.hub.AcknowledgeAlarm(t.Context(), desk, a.ID, "")
		h.must(err)
		if a := h.alarm(); a.OrderID != o.ID || a.State != facility.AlarmAcknowledged {
			t.Errorf("acknowledged it is %+v", a)
		}
	})
}

// TestAnAlarmKeepsItsOrder: the state that is written with an alarm does not know
// of its order yet, and the order is not open any more when the alarm changes.
func TestAnAlarmKeepsItsOrder(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		h.tell(h.bit(1))
		interrupt()
		o := h.order()
		_, err := h.act(desk, o, facility.Act{Action: facility.OrderCancel, Note: "误报"})
		h.must(err)
		_, err = h.hub.AcknowledgeAlarm(t.Context(), desk, h.alarm().ID, "")
		h.must(err)
		h.pass(time.Second)
		h.tell(h.bit(0))
		if a := h.alarm(); a.OrderID != o.ID || a.State != facility.AlarmNormal {
			t.Errorf("the alarm is %+v, its order was %s", a, o.ID)
		}
	})
}

func TestADelayGoesOnAfterTheProgram(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		at := h.now()
		h.tell(h.bar(1.5))
		h.pass(20 * time.Second)
		interrupt()
		h.pass(20 * time.Second)
		if a := h.alarm(); !a.RaisedAt.Equal(at.Add(30 * time.Second)) {
			t.Errorf("raised at %v", a.RaisedAt)
		}
	})
}

func TestARoundGoesOnAfterTheProgram(t *testing.T) {
	interrupted(t, func(t *testing.T, h *house, interrupt func()) {
		start := evening.Add(10 * time.Minute)
		h.pass(time.Minute)
		interrupt()
		h.until(start.Add(time.Minute))
		h.badge(h.now())
		interrupt()
		h.until(start.Add(36 * time.Minute))
		interrupt()
		h.phone("roof", start.Add(20*time.Minute))
		interrupt()
		h.until(start.Add(2 * time.Hour))
		if r := h.round(); verdicts(r) != "completed gate:on_time roof:on_time" {
			t.Errorf("the round is %s", verdicts(r))
		}
		if o := h.order(); h.story(o) != "create withdraw" {
			t.Errorf("the order's history is %q", h.story(o))
		}
		taps, err := h.ledger.Taps(t.Context(), evening, evening.Add(3*time.Hour))
		h.must(err)
		if len(taps) != 2 {
			t.Errorf("%d taps are kept", len(taps))
		}
	})
}

// TestTheJournalIsToldAgain: a record that comes a second time, as after a copy of
// the journal was put back, changes nothing.
func TestTheJournalIsToldAgain(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		var said []facility.Reading
		for n := range 4 {
			r := h.bit(float64((n + 1) % 2))
			said = append(said, r)
			h.tell(r)
			h.pass(time.Second)
		}
		before := h.alarm()
		h.tell(said...)
		if a, o := h.alarm(), h.order(); a.Count != before.Count || a.State != before.State || o.Count != 2 {
			t.Errorf("told again: %+v, order counted %d times", a, o.Count)
		}
	})
}

// TestAnOldCopyOfTheJournal: its sequences count as judged in the ledger, and
// still what comes next is heard.
func TestAnOldCopyOfTheJournal(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		for range 5 {
			h.tell(h.bit(0))
			h.pass(10 * time.Second)
		}
		h.stop()
		l, err := ledger.Open(t.Context(), h.dir+"/ledger.db", ledger.Options{Site: estate().Site, Now: h.now})
		h.must(err)
		j, err := journal.Open(h.dir+"/journal.db", journal.Options{Cursors: hub.Cursors})
		h.must(err)
		h.must(l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.SetCursor("judge@"+j.Epoch(), 1000) }))
		h.must(errors.Join(l.Close(), j.Close()))
		h.start()
		h.tell(h.bit(1))
		if a := h.alarm(); a.State != facility.AlarmUnacknowledged {
			t.Errorf("the alarm is %+v", a)
		}
	})
}

// TestANewJournal: the old one is gone with its numbers.
func TestANewJournal(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		h.stop()
		h.must(journalGone(h.dir))
		h.start()
		h.pass(time.Second)
		h.tell(h.bit(0))
		h.pass(time.Second)
		h.tell(h.bit(1))
		if a, o := h.alarm(), h.order(); a.Count != 2 || o.Count != 2 {
			t.Errorf("counted %d and %d times", a.Count, o.Count)
		}
	})
}

func TestAChangedRuleTakesItsAlarmBack(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1), h.bar(1.5))
		h.pass(time.Minute)
		if len(h.alarms()) != 2 || len(h.orders()) != 2 {
			t.Fatalf("%d alarms, %d orders", len(h.alarms()), len(h.orders()))
		}
		h.stop()
		h.rules = pumpRules()[:1]
		h.rules[0].When = "fault == 1 and outlet_pressure < 1"
		h.start()
		h.pass(time.Second)
		for _, a := range h.alarms() {
			if a.State != facility.AlarmNormal || !strings.HasSuffix(h.course(a), "raise retire") || a.OrderID == "" {
				t.Errorf("%s is %s after %q, of order %q", a.Key, a.State, h.course(a), a.OrderID)
			}
		}
		for _, o := range h.orders() {
			if h.story(o) != "create comment" || !o.State.Open() {
				t.Errorf("order %s is %s after %q", o.Key, o.State, h.story(o))
			}
		}
		h.tell(h.bit(1), h.bar(0.5)) // wrong by the new rule too: on the same order
		if len(h.orders()) != 2 || len(h.alarms()) != 3 {
			t.Errorf("%d alarms, %d orders", len(h.alarms()), len(h.orders()))
		}
	})
}

// TestTheStateOfTheRulesIsLost: nothing that stands may stand for ever.
func TestTheStateOfTheRulesIsLost(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		h.stop()
		l, err := ledger.Open(t.Context(), h.dir+"/ledger.db", ledger.Options{Site: estate().Site, Now: h.now})
		h.must(err)
		h.must(l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.SaveState("rules", []byte("{")) }))
		h.must(l.Close())
		h.start()
		if a := h.alarm(); a.State != facility.AlarmNormal || h.course(a) != "raise retire" {
			t.Errorf("the alarm is %s after %q", a.State, h.course(a))
		}
		h.pass(time.Second)
		h.tell(h.bit(1))
		if alarms := h.alarms(); len(alarms) != 2 || alarms[0].State != facility.AlarmUnacknowledged || h.order().Count != 2 {
			t.Errorf("raised again: %+v; order counted %d times", alarms, h.order().Count)
		}
	})
}

// TestTheEndWaitsForADecision: somebody else holds the ledger when the program is
// told to stop. What was decided is written before it does.
func TestTheEndWaitsForADecision(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		hold, held := make(chan struct{}), make(chan struct{})
		var holding sync.WaitGroup
		holding.Go(func() {
			err := h.ledger.Update(t.Context(), func(*ledger.Tx) error {
				close(held)
				<-hold
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-held
		h.tell(h.bit(1))
		h.cancel()
		h.pass(time.Second)
		close(hold)
		holding.Wait()
		if err := <-h.ended; err != nil {
			t.Error(err)
		}
		h.close()
		h.start()
		if a, o := h.alarm(), h.order(); a.OrderID != o.ID {
			t.Errorf("alarm %+v, order %+v", a, o)
		}
	})
}

// TestTheEndDoesNotWaitForEver: the decision cannot be written, and so neither is
// the state that followed from it. The next start makes it again.
func TestTheEndDoesNotWaitForEver(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		hold, held := make(chan struct{}), make(chan struct{})
		var holding sync.WaitGroup
		holding.Go(func() {
			err := h.ledger.Update(t.Context(), func(*ledger.Tx) error {
				close(held)
				<-hold
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-held
		h.tell(h.bit(1))
		h.cancel()
		if err := <-h.ended; err != nil {
			t.Error(err)
		}
		close(hold)
		holding.Wait()
		if len(h.alarms()) > 0 {
			t.Fatal("this tests nothing: the alarm was written")
		}
		h.close()
		h.start()
		h.pass(time.Second)
		if a, o := h.alarm(), h.order(); a.OrderID != o.ID || h.course(a) != "raise" {
			t.Errorf("alarm %+v, order %+v", a, o)
		}
	})
}
