package hub_test

import (
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/gateway/payload"
)

func TestAFaultBitBecomesOneAlarmAndOneOrder(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		events, cancel := h.hub.Subscribe()
		told := keep(events)
		h.tell(h.bit(0))
		h.pass(time.Second)
		at := h.now()
		h.tell(h.bit(1))
		h.pass(time.Second)
		h.tell(h.bit(1)) // still

		a, o := h.alarm(), h.order()
		if a.State != facility.AlarmUnacknowledged || a.Key != "pump-fault/pump-1" || !a.RaisedAt.Equal(at) || a.OrderID != o.ID || a.Count != 1 {
			t.Errorf("the alarm is %+v", a)
		}
		if o.State != facility.OrderNew || o.Source != facility.FromAlarm || o.Priority != facility.P2 || o.Count != 1 ||
			o.Title.EN != "Pump 1 fault" || o.CreatedBy != facility.SystemActor {
			t.Errorf("the order is %+v", o)
		}
		if got := h.story(o); got != "create" {
			t.Errorf("the order's history is %q", got)
		}
		cancel()
		<-told.done
		var alarms, orders, readings int
		for _, e := range told.all() {
			switch {
			case e.Alarm != nil:
				alarms++
				if e.Alarm.OrderID != o.ID {
					t.Errorf("the pages hear of an alarm without its order: %+v", *e.Alarm)
				}
			case e.Order != nil:
				orders++
			case e.Readings != nil:
				readings += len(e.Readings)
			}
		}
		if alarms != 1 || orders != 1 || readings != 3 {
			t.Errorf("told of %d alarms, %d orders, %d readings", alarms, orders, readings)
		}
		if r := h.hub.Latest()[fault]; r.Value != 1 {
			t.Errorf("the board shows %+v", r)
		}
	})
}

func TestOccurrencesAreCountedOnTheOrder(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		for range 3 {
			h.tell(h.bit(1))
			h.pass(time.Minute)
			h.tell(h.bit(0))
			h.pass(time.Second)
		}
		a, o := h.alarm(), h.order()
		if a.State != facility.AlarmReturned || a.Count != 3 || o.Count != 3 {
			t.Errorf("alarm %s, counted %d times, its order %d times", a.State, a.Count, o.Count)
		}
		if got, want := h.story(o), "create comment"; got != want {
			t.Errorf("order: %q, want %q", got, want)
		}
		if got, want := h.course(a), "raise clear recur clear recur clear"; got != want {
			t.Errorf("alarm: %q, want %q", got, want)
		}
		h.pass(time.Hour)
		h.tell(h.bit(1))
		h.pass(time.Minute)
		h.tell(h.bit(0))
		h.pass(time.Second)
		o, err := h.ledger.Order(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := h.story(o), "create comment recur comment"; got != want {
			t.Errorf("an hour later: order %q, want %q", got, want)
		}
		if times := toldTimes(t, h.ledger, o); o.Count != 4 || times != 3 {
			t.Errorf("counted %d times, the history tells of %d more than the first", o.Count, times)
		}
	})
}

// TestABacklogIsJudgedAsItHappened: what happened while nobody listened comes at
// once, in one batch, and makes the same of it.
func TestABacklogIsJudgedAsItHappened(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		var backlog []facility.Reading
		for n := range 10 {
			r := h.bit(float64((n + 1) % 2))
			r.Time = r.Time.Add(time.Duration(n-60) * time.Minute)
			backlog = append(backlog, r)
		}
		h.tell(backlog...)
		if a, o := h.alarm(), h.order(); a.Count != 5 || o.Count != 5 || a.State != facility.AlarmReturned || !a.RaisedAt.Equal(backlog[0].Time) {
			t.Errorf("alarm %+v, order counted %d times", a, o.Count)
		}
	})
}

func TestAcknowledgeAndClear(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		a := h.alarm()
		acked, err := h.hub.AcknowledgeAlarm(t.Context(), desk, a.ID, "派人去看")
		h.must(err)
		if acked.State != facility.AlarmAcknowledged || acked.AckedBy != desk.Login || acked.AckNote != "派人去看" || acked.OrderID == "" {
			t.Errorf("acknowledged it is %+v", acked)
		}
		h.pass(time.Second)
		h.tell(h.bit(0))
		if a := h.alarm(); a.State != facility.AlarmNormal || a.ClearedAt == nil {
			t.Errorf("cleared it is %+v", a)
		}
		if o := h.order(); o.State != facility.OrderNew {
			t.Errorf("an alarm that clears leaves its order to people; it is %s", o.State)
		}
		h.pass(time.Second)
		h.tell(h.bit(1))
		if alarms := h.alarms(); len(alarms) != 2 || alarms[0].OrderID != h.order().ID || h.order().Count != 2 {
			t.Errorf("a fault that comes again after it was normal: %+v, order counted %d times", alarms, h.order().Count)
		}
	})
}

func TestBadDataNeitherRaisesNorClears(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		h.pass(time.Second)
		h.tell(facility.Reading{Point: fault, Time: h.now().UTC(), Quality: facility.Bad, Reason: facility.NoAnswer})
		if a := h.alarm(); !a.Unknown || a.State != facility.AlarmUnacknowledged {
			t.Errorf("without an answer the alarm is %+v", a)
		}
		h.pass(8 * time.Minute)
		if a := h.alarm(); a.State != facility.AlarmUnacknowledged {
			t.Errorf("after minutes of silence it is %s", a.State)
		}
		h.tell(h.bit(0))
		if a := h.alarm(); a.Unknown || a.State != facility.AlarmReturned {
			t.Errorf("when it answers again the alarm is %+v", a)
		}
	})
}

func TestADelayRunsOutByTimeAlone(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		at := h.now()
		h.tell(h.bar(1.5))
		h.pass(29 * time.Second)
		if len(h.alarms()) > 0 {
			t.Fatal("raised before the delay ran out")
		}
		h.pass(3 * time.Second)
		if a := h.alarm(); !a.RaisedAt.Equal(at.Add(30*time.Second)) || a.Value != 1.5 || a.Unit != "bar" {
			t.Errorf("raised as %+v", a)
		}
	})
}

func TestMissedPatrolBecomesAnOrderWithinAMinute(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		start := evening.Add(10 * time.Minute)
		closing := start.Add(35 * time.Minute)
		h.until(start.Add(5 * time.Minute))
		h.badge(h.now())
		if r := h.round(); verdicts(r) != "in_progress gate:on_time roof:pending" || r.Visits[0].By != guard.Login {
			t.Errorf("after the gate: %s by %q", verdicts(r), r.Visits[0].By)
		}
		h.until(closing.Add(-time.Second))
		if len(h.alarms()) > 0 {
			t.Fatalf("blamed before the tolerance is over: %+v", h.alarms())
		}
		h.until(closing.Add(2 * time.Second))
		a, o := h.alarm(), h.order()
		if a.Checkpoint != "roof" || a.Rule != "patrol" || !a.RaisedAt.Equal(closing) || o.Source != facility.FromPatrol || a.OrderID != o.ID {
			t.Errorf("alarm %+v, order %+v", a, o)
		}
		if r := h.round(); verdicts(r) != "incomplete gate:on_time roof:missed" {
			t.Errorf("the round is %s", verdicts(r))
		}
	})
}

func TestALateTapWithdrawsTheOrder(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		start := evening.Add(10 * time.Minute)
		h.until(start.Add(5 * time.Minute))
		h.badge(h.now())
		inTime := h.now().Add(10 * time.Minute)
		h.until(start.Add(40 * time.Minute))
		if o := h.order(); o.State != facility.OrderNew {
			t.Fatalf("the order is %s", o.State)
		}
		h.phone("roof", inTime)
		o := h.order()
		if o.State != facility.OrderCancelled || h.story(o) != "create withdraw" {
			t.Errorf("the order is %s after %q", o.State, h.story(o))
		}
		events, err := h.ledger.OrderEvents(t.Context(), o.ID)
		h.must(err)
		if last := events[len(events)-1]; last.Actor != facility.SystemActor || last.Note == "" {
			t.Errorf("withdrawn without a reason: %+v", last)
		}
		if a := h.alarm(); a.State != facility.AlarmNormal || h.course(a) != "raise late_sync" {
			t.Errorf("the alarm is %s after %q", a.State, h.course(a))
		}
		if r := h.round(); verdicts(r) != "completed gate:on_time roof:on_time" || !r.Visits[1].Corrected {
			t.Errorf("the round is %s, %+v", verdicts(r), r.Visits[1])
		}
	})
}

// TestNobodyIsBlamedWhileAGatewayIsAway: its reader may hold the tap.
func TestNobodyIsBlamedWhileAGatewayIsAway(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		start := evening.Add(10 * time.Minute)
		h.until(start.Add(10 * time.Minute))
		h.phone("roof", h.now())
		h.quiet.Store(false)
		h.until(start.Add(64 * time.Minute))
		if len(h.alarms()) > 0 {
			t.Fatalf("blamed within the grace: %+v", h.alarms())
		}
		h.until(start.Add(66 * time.Minute)) // window, tolerance and grace are over
		if a := h.alarm(); a.Checkpoint != "gate" || !a.RaisedAt.Equal(start.Add(35*time.Minute)) {
			t.Errorf("after the grace: %+v", a)
		}
	})
}

// TestNobodyIsBlamedForTheHubsAbsence: what was tapped while the hub was down
// counts, though every grace has passed when it comes.
func TestNobodyIsBlamedForTheHubsAbsence(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		start := evening.Add(10 * time.Minute)
		h.pass(time.Minute) // the round is made
		h.stop()
		h.pass(2 * time.Hour)
		h.quiet.Store(false)
		h.start()
		h.pass(5 * time.Second)
		h.badge(start.Add(time.Minute))
		h.phone("roof", start.Add(time.Minute))
		h.quiet.Store(true)
		h.pass(5 * time.Minute)
		if r := h.round(); verdicts(r) != "completed gate:on_time roof:on_time" {
			t.Errorf("the round is %s", verdicts(r))
		}
		if len(h.orders()) > 0 {
			t.Errorf("blamed: %+v", h.orders())
		}
	})
}

// TestANewHouseHasItsRoundsAtOnce: they do not wait for the gateways.
func TestANewHouseHasItsRoundsAtOnce(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.stop()
		h.quiet.Store(false)
		h.start()
		if r := h.round(); r.State != facility.RoundScheduled {
			t.Errorf("the round is %s", r.State)
		}
		h.until(evening.Add(10*time.Minute + time.Second))
		h.badge(h.now())
		if r := h.round(); verdicts(r) != "in_progress gate:on_time roof:pending" {
			t.Errorf("the round is %s", verdicts(r))
		}
	})
}

// TestMissedWhileTheHubWasDown: when nothing comes after the hub is back, the
// verdict stands within two minutes.
func TestMissedWhileTheHubWasDown(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.pass(time.Minute)
		h.stop()
		h.pass(2 * time.Hour)
		h.quiet.Store(false) // a gateway never comes back
		h.start()
		h.pass(2 * time.Minute)
		if r := h.round(); verdicts(r) != "missed gate:missed roof:missed" {
			t.Errorf("the round is %s", verdicts(r))
		}
		if alarms := h.alarms(); len(alarms) != 2 || h.order().Count != 2 {
			t.Errorf("%d alarms, order counted %d times", len(alarms), h.order().Count)
		}
	})
}

func TestAReadersTapOfNobody(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.until(evening.Add(11 * time.Minute))
		disabled := guard
		disabled.Disabled = true
		h.must(h.ledger.UpdatePerson(t.Context(), disabled))
		tap := h.badge(h.now())
		h.append(payload.AppendTap(nil, tap)) // the same tap again
		h.pass(time.Second)
		taps, err := h.ledger.Taps(t.Context(), evening, evening.Add(time.Hour))
		h.must(err)
		if len(taps) != 1 || taps[0].Tap.ID != tap.ID || taps[0].Person != "" || len(taps[0].Flags) != 1 || taps[0].Flags[0] != facility.FlagUnknownBadge {
			t.Errorf("the taps are %+v", taps)
		}
	})
}
