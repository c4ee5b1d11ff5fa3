package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gengfu/facility"
	"gengfu/storage/ledger"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is what the ledger should hold, kept in plain memory: orders with their
// histories, in the order of their creation.
type model struct {
	prefix string // of all keys, so that runs do not meet in the one file
	orders []facility.Order
	events map[string][]facility.OrderEvent
	last   string // id of the order that was touched last
	now    time.Time
}

func (m *model) open(key string) *facility.Order {
	for i := range m.orders {
		if o := &m.orders[i]; o.Key == key && o.State.Open() {
			return o
		}
	}
	return nil
}

// Whatever people and the program do to orders, one after the other, the ledger
// holds what the domain made of it, refuses what it refuses, and its histories
// lead from state to state without a gap.
func TestOrderLifeAgainstAModel(t *testing.T) {
	l := staffed(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		m := &model{prefix: fmt.Sprintf("run-%d-", run), events: map[string][]facility.OrderEvent{}, now: noon}
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) { m.create(t, rt, l) },
			"act":    func(rt *rapid.T) { m.act(t, rt, l) },
			"system": func(rt *rapid.T) { m.system(t, rt, l) },
			"":       func(rt *rapid.T) { m.check(t, rt, l, m.last) },
		})
		for _, o := range m.orders {
			m.check(t, rt, l, o.ID)
		}
		m.checkKeys(t, rt, l)
	})
}

func (m *model) create(t *testing.T, rt *rapid.T, l *ledger.Ledger) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "later")) * time.Hour)
	o := newOrder()
	o.CreatedAt, o.Key = m.now, m.prefix+rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key")
	o.Priority = rapid.SampledFrom([]facility.Priority{facility.P1, facility.P3}).Draw(rt, "priority")
	o.CreatedBy = rapid.SampledFrom([]string{"guard", facility.SystemActor}).Draw(rt, "maker")
	first := facility.OrderEvent{ID: "", At: m.now, Actor: o.CreatedBy, Action: facility.OrderCreate, To: o.State}
	err := l.Update(t.Context(), func(tx *ledger.Tx) error { return tx.InsertOrder(&o, first) })
	if m.open(o.Key) != nil {
		if !errors.Is(err, facility.ErrConflict) {
			rt.Fatalf("a second open order of %s: %v", o.Key, err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	first.Order, m.last = o.ID, o.ID
	m.orders, m.events[o.ID] = append(m.orders, o), []facility.OrderEvent{first}
}

var allActions = []facility.OrderAction{
	"assign", "accept", "return", "arrive", "start", "hold", "resume", "complete",
	"verify", "close", "cancel", "reopen", "comment", "photo", "tick", "untick", "recur", "withdraw",
}

func (m *model) act(t *testing.T, rt *rapid.T, l *ledger.Ledger) {
	if len(m.orders) == 0 {
		return
	}
	o := &m.orders[rapid.IntRange(0, len(m.orders)-1).Draw(rt, "order")]
	role := rapid.SampledFrom(facility.Roles).Draw(rt, "by")
	a := facility.Act{
		Action: rapid.SampledFrom(allActions).Draw(rt, "action"),
		Note:   rapid.SampledFrom([]string{"", "because"}).Draw(rt, "note"),
		Target: rapid.SampledFrom([]string{"technician", "guard", "desk", ""}).Draw(rt, "target"),
	}
	if rapid.Bool().Draw(rt, "likely") { // most random acts are refused; help life along
		role = facility.Role(o.Assignee)
		if may := o.Actions(facility.Person{Login: string(role), Role: role}); len(may) > 0 {
			a.Action, a.Note = rapid.SampledFrom(may).Draw(rt, "offered"), "because"
		}
	}
	if rapid.Bool().Draw(rt, "checks the version") {
		a.Version = o.Version - rapid.IntRange(0, 2).Draw(rt, "versions behind")
	}
	var photo *facility.Photo
	if a.Action == facility.OrderPhoto {
		photo = &facility.Photo{Type: "image/jpeg", Data: []byte{1}, By: string(role), At: m.now}
		a.Photo = fmt.Sprintf("%s%s-%d", m.prefix, o.ID, o.Version)
	}
	p := facility.Person{Login: string(role), Role: role}
	m.apply(t, rt, l, o, photo, func(o *facility.Order) (facility.OrderEvent, error) { return o.Do(p, a, m.now) })
}

func (m *model) system(t *testing.T, rt *rapid.T, l *ledger.Ledger) {
	if len(m.orders) == 0 {
		return
	}
	o := &m.orders[rapid.IntRange(0, len(m.orders)-1).Draw(rt, "order")]
	a := facility.Act{Action: rapid.SampledFrom(allActions).Draw(rt, "action"), Note: "why", Target: "alarm"}
	m.apply(t, rt, l, o, nil, func(o *facility.Order) (facility.OrderEvent, error) { return o.DoSystem(a, m.now) })
}

// apply does the same to the model and, as the hub does, to the ledger.
func (m *model) apply(t *testing.T, rt *rapid.T, l *ledger.Ledger, o *facility.Order, photo *facility.Photo,
	do func(*facility.Order) (facility.OrderEvent, error),
) {
	m.now, m.last = m.now.Add(time.Minute), o.ID
	next := *o
	event, want := do(&next)
	if want == nil && next.State.Open() && !o.State.Open() && m.open(o.Key) != nil {
		want = facility.ErrConflict // reopened beside a new order of the same fault
	}
	got := l.Update(t.Context(), func(tx *ledger.Tx) error {
		stored, err := tx.Order(o.ID)
		if err != nil {
			return err
		}
		e, err := do(&stored)
		if err != nil {
			return err
		}
		return tx.SaveOrder(stored, e, photo)
	})
	if (got == nil) != (want == nil) {
		rt.Fatalf("%s: %v, want %v", event.Action, got, want)
	}
	for _, kind := range []error{facility.ErrConflict, facility.ErrForbidden, facility.ErrInvalid, facility.ErrUnlawful} {
		if errors.Is(got, kind) != errors.Is(want, kind) {
			rt.Fatalf("%s: %v, want %v", event.Action, got, want)
		}
	}
	if got == nil {
		*o = next
		m.events[o.ID] = append(m.events[o.ID], event)
	}
}

func (m *model) check(t *testing.T, rt *rapid.T, l *ledger.Ledger, id string) {
	for _, want := range m.orders {
		if want.ID != id {
			continue
		}
		got, err := l.Order(t.Context(), want.ID)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			rt.Fatal(err, diff)
		}
		events, err := l.OrderEvents(t.Context(), want.ID)
		if err != nil {
			rt.Fatal(err)
		}
		state := facility.OrderState("")
		for i := range events {
			if events[i].From != state {
				rt.Fatalf("history of %s: from %s after %s", want.No, events[i].From, state)
			}
			state, events[i].ID = events[i].To, ""
		}
		if diff := cmp.Diff(m.events[want.ID], events); diff != "" || state != want.State || len(events) != want.Version {
			rt.Fatalf("history of %s, %s at version %d: %s", want.No, want.State, want.Version, diff)
		}
	}
}

func (m *model) checkKeys(t *testing.T, rt *rapid.T, l *ledger.Ledger) {
	if err := l.View(t.Context(), func(tx *ledger.Tx) error {
		for _, key := range []string{m.prefix + "a", m.prefix + "b"} {
			o, err := tx.OpenOrderByKey(key)
			if want := m.open(key); (want == nil) != errors.Is(err, facility.ErrNotFound) || want != nil && o.ID != want.ID {
				rt.Fatalf("open order of %s: %s, %v", key, o.ID, err)
			}
			latest := ""
			for _, o := range m.orders {
				if o.Key == key {
					latest = o.ID
				}
			}
			if o, err = tx.LatestOrderByKey(key); (latest == "") != errors.Is(err, facility.ErrNotFound) || o.ID != latest {
				rt.Fatalf("latest order of %s: %s, %v; want %s", key, o.ID, err, latest)
			}
		}
		return nil
	}); err != nil {
		rt.Fatal(err)
	}
}
