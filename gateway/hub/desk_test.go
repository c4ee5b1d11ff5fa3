package hub_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"gengfu/facility"
)

func TestWhoMayDoWhat(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		title := facility.Text{ZH: "漏水"}
		for name, test := range map[string]struct {
			by   facility.Person
			o    facility.Order
			want error
		}{
			"a viewer":      {viewer, facility.Order{Source: facility.FromDesk, Title: title, Priority: facility.P3}, facility.ErrForbidden},
			"no priority":   {desk, facility.Order{Source: facility.FromDesk, Title: title}, facility.ErrInvalid},
			"no title":      {desk, facility.Order{Source: facility.FromDesk, Priority: facility.P3}, facility.ErrInvalid},
			"no source":     {desk, facility.Order{Title: title, Priority: facility.P3}, facility.ErrInvalid},
			"a guard may":   {guard, facility.Order{Source: facility.FromStaff, Title: title, Priority: facility.P3}, nil},
			"a foreign key": {desk, facility.Order{Source: facility.FromDesk, Title: title, Priority: facility.P3, Key: "pump-fault/pump-1", No: "7", Assignee: "zhang"}, nil},
		} {
			o, err := h.hub.CreateOrder(t.Context(), test.by, test.o)
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil && (o.No == "7" || o.Key != "" || o.Assignee != "" || o.State != facility.OrderNew || o.CreatedBy != test.by.Login || o.AcceptBy.IsZero()) {
				t.Errorf("%s: made %+v", name, o)
			}
		}
		h.tell(h.bit(1))
		a := h.alarm()
		if _, err := h.hub.AcknowledgeAlarm(t.Context(), viewer, a.ID, ""); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("a viewer acknowledges: %v", err)
		}
		if _, err := h.hub.AcknowledgeAlarm(t.Context(), desk, "no such alarm", ""); !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("an alarm that is none: %v", err)
		}
		h.pass(time.Second)
		h.tell(h.bit(0))
		_, err := h.hub.AcknowledgeAlarm(t.Context(), desk, a.ID, "")
		h.must(err)
		if _, err := h.hub.AcknowledgeAlarm(t.Context(), desk, a.ID, ""); !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("an alarm that is normal: %v", err)
		}
	})
}

func TestAnOrderThroughItsLife(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		o := h.order()
		seen := o.Version
		do := func(by facility.Person, a facility.Act) {
			t.Helper()
			var err error
			o, err = h.act(by, o, a)
			h.must(err)
		}
		if _, err := h.act(technician, o, facility.Act{Action: facility.OrderAccept}); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("accepted without being asked: %v", err)
		}
		do(desk, facility.Act{Action: facility.OrderAssign, Target: technician.Login})
		if _, err := h.act(desk, o, facility.Act{Action: facility.OrderCancel, Note: "x", Version: seen}); !errors.Is(err, facility.ErrConflict) {
			t.Errorf("acted on what is not so any more: %v", err)
		}
		if _, err := h.act(technician, o, facility.Act{Action: facility.OrderComplete, Note: "x"}); !errors.Is(err, facility.ErrUnlawful) {
			t.Errorf("completed before it was accepted: %v", err)
		}
		do(technician, facility.Act{Action: facility.OrderAccept})
		do(technician, facility.Act{Action: facility.OrderArrive})
		picture := []byte("\xff\xd8 a picture")
		var err error
		o, err = h.hub.ActOnOrder(t.Context(), technician, o.ID, facility.Act{Action: facility.OrderPhoto}, &facility.Photo{Type: "image/jpeg", Data: picture})
		h.must(err)
		events, err := h.ledger.OrderEvents(t.Context(), o.ID)
		h.must(err)
		kept, err := h.ledger.Photo(t.Context(), events[len(events)-1].Photo)
		h.must(err)
		if !bytes.Equal(kept.Data, picture) || kept.By != technician.Login || kept.Order != o.ID || !kept.At.Equal(h.now()) {
			t.Errorf("the photo is %+v", kept)
		}
		do(technician, facility.Act{Action: facility.OrderComplete, Note: "换了密封"})
		if _, err := h.act(technician, o, facility.Act{Action: facility.OrderVerify}); !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("verified by who did it: %v", err)
		}
		h.pass(time.Second)
		h.tell(h.bit(0))
		do(desk, facility.Act{Action: facility.OrderVerify})
		if got, want := h.story(o), "create assign accept arrive photo complete comment verify"; got != want {
			t.Errorf("the history is %q, want %q", got, want)
		}
	})
}

// TestAPhotoOfARefusedActIsNotKept: both are of one transaction.
func TestAPhotoOfARefusedActIsNotKept(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		p := facility.Photo{ID: "01a20385-5740-7ca1-b213-f805bc455700", Type: "image/jpeg", Data: []byte{1}}
		_, err := h.hub.ActOnOrder(t.Context(), viewer, h.order().ID, facility.Act{Action: facility.OrderPhoto}, &p)
		if !errors.Is(err, facility.ErrForbidden) {
			t.Errorf("a viewer adds a photo: %v", err)
		}
		if _, err := h.ledger.Photo(t.Context(), p.ID); !errors.Is(err, facility.ErrNotFound) {
			t.Errorf("it is kept: %v", err)
		}
		if p.Order != "" || p.By != "" {
			t.Errorf("the caller's photo was altered: %+v", p)
		}
	})
}

// TestPeopleActWhileTheFaultRecurs: nothing is lost on either side, and whoever
// looks sees the order only ever go forward.
func TestPeopleActWhileTheFaultRecurs(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		h.tell(h.bit(1))
		o := h.order()
		events, cancel := h.hub.Subscribe()
		told := keep(events)
		const times = 30
		var people sync.WaitGroup
		people.Go(func() {
			for range times {
				if _, err := h.act(desk, o, facility.Act{Action: facility.OrderComment, Note: "在看"}); err != nil {
					t.Error(err)
				}
			}
		})
		people.Go(func() {
			if _, err := h.act(desk, o, facility.Act{Action: facility.OrderAssign, Target: technician.Login, Version: o.Version}); err != nil {
				t.Error(err)
			}
		})
		for n := range 2 * times {
			r := h.bit(float64(n % 2))
			r.Time = r.Time.Add(time.Duration(n+1) * time.Millisecond)
			h.tell(r)
		}
		people.Wait()
		h.pass(time.Second)
		cancel()
		<-told.done
		if o = h.order(); o.Count != 1+times || o.Assignee != technician.Login {
			t.Errorf("the order is counted %d times and of %q", o.Count, o.Assignee)
		}
		version := 0
		for _, e := range told.all() {
			if e.Order == nil {
				continue
			}
			if e.Order.Version < version {
				t.Errorf("version %d is told after %d", e.Order.Version, version)
			}
			version = e.Order.Version
		}
		if version != o.Version {
			t.Errorf("told up to version %d of %d", version, o.Version)
		}
	})
}

func TestASubscriberThatIsTooSlowIsLetGo(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		slow, leaveSlow := h.hub.Subscribe()
		quick, leaveQuick := h.hub.Subscribe()
		told := keep(quick)
		const many = 400
		for n := range many {
			h.tell(h.bar(3 + float64(n)/1000))
		}
		n := 0
		for range slow { // ends, because it is closed
			n++
		}
		if n == 0 || n >= many {
			t.Errorf("the slow one got %d of %d", n, many)
		}
		leaveSlow() // once more is no harm
		leaveQuick()
		leaveQuick()
		<-told.done
		if got := len(told.all()); got != many {
			t.Errorf("the quick one got %d of %d", got, many)
		}
	})
}

func TestTheEndIsTold(t *testing.T) {
	inHouse(t, func(t *testing.T, h *house) {
		events, _ := h.hub.Subscribe()
		told := keep(events)
		stopping := h.hub
		h.stop()
		<-told.done
		all := told.all()
		if len(all) != 1 || !all[0].Stopping {
			t.Errorf("told %+v", all)
		}
		late, _ := stopping.Subscribe()
		if _, open := <-late; open {
			t.Error("an event after the end")
		}
		if got := stopping.Ready(); len(got) != 1 || got[0] != "hub" {
			t.Errorf("ready says %v", got)
		}
		if _, err := stopping.AcknowledgeAlarm(t.Context(), desk, "x", ""); err == nil {
			t.Error("acknowledged after the end")
		}
	})
}
