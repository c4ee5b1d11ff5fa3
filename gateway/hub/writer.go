package hub

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/dispatch"
	"gengfu/rules/lifecycle"
	"gengfu/rules/patrol"
	"gengfu/storage/ledger"
)

// writer carries out one outcome within one transaction, and remembers what
// everybody is to be told when it is durable.
type writer struct {
	tx    *ledger.Tx
	site  facility.Site
	now   time.Time
	actor string // "" is the program
	note  string

	news   []dashboard.Event
	linked map[string]string // the order of an alarm that it raised or was counted on
}

func (w *writer) write(o outcome) error {
	if o.act != nil {
		order, err := o.act.do(w.tx)
		if err != nil {
			return err
		}
		w.news = append(w.news, dashboard.Event{Order: &order})
	}
	for _, t := range o.taps {
		if err := w.tap(t); err != nil {
			return err
		}
	}
	if err := w.rounds(o.patrol); err != nil {
		return err
	}
	if err := w.missed(o.patrol); err != nil {
		return err
	}
	return w.ruled(o)
}

// ruled keeps the changes of rules, and what people are told between them.
func (w *writer) ruled(o outcome) error {
	for i, c := range o.rules {
		if err := w.told(o.notices, i); err != nil {
			return err
		}
		if err := w.hold(c); err != nil {
			return fmt.Errorf("what holds alarm %s: %w", c.Hold.Key, err)
		}
		if c.Alarm.ID == "" {
			continue // only what holds a normal alarm has changed
		}
		if err := w.alarm(c, 0); err != nil {
			return err
		}
	}
	return w.told(o.notices, len(o.rules))
}

// missed keeps the changes of patrol alarms.
func (w *writer) missed(changes []patrol.Change) error {
	for _, c := range changes {
		if c.Alarm == nil {
			continue
		}
		event := c.Event
		if event == facility.AlarmRetire && c.Reason == patrol.LateSync {
			event = lateSync
		}
		change := rules.Change{Alarm: *c.Alarm, Event: event, From: c.From, At: c.At, Order: dispatch.PatrolPolicy(), Annunciate: c.Annunciate}
		if err := w.alarm(change, c.Missing); err != nil {
			return err
		}
	}
	return nil
}

// lateSync retires a patrol alarm that was raised in error.
const lateSync facility.AlarmEvent = "late_sync"

func (w *writer) tap(t facility.JudgedTap) error {
	inserted, err := w.tx.InsertTap(t)
	if err != nil {
		return fmt.Errorf("keep tap %s: %w", t.Tap.ID, err)
	}
	if inserted {
		w.news = append(w.news, dashboard.Event{Tap: &t})
	}
	return nil
}

// rounds keeps the last form of each round that changed.
func (w *writer) rounds(changes []patrol.Change) error {
	last := map[string]facility.Round{}
	for _, c := range changes {
		if c.Round.ID != "" {
			last[c.Round.ID] = c.Round
		}
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		r := last[id]
		if err := w.tx.SaveRound(r); err != nil {
			return fmt.Errorf("keep round %s: %w", id, err)
		}
		w.news = append(w.news, dashboard.Event{Round: &r})
	}
	return nil
}

// alarm keeps one change of an alarm and does to the work orders what follows
// from it. missing is how many checkpoints of its round are missed.
func (w *writer) alarm(c rules.Change, missing int) error {
	a := c.Alarm
	if err := w.know(&a); err != nil {
		return err
	}
	if err := w.order(&a, c, missing); err != nil {
		return fmt.Errorf("work order of alarm %s: %w", a.Key, err)
	}
	if err := w.tx.SaveAlarm(a); err != nil {
		return fmt.Errorf("keep alarm %s: %w", a.Key, err)
	}
	record := facility.AlarmRecord{
		Alarm: a.ID, At: c.At, Actor: facility.SystemActor, Event: c.Event,
		From: c.From, To: a.State, Value: a.Value,
	}
	switch {
	case c.Event == facility.AlarmAcknowledge:
		record.Actor, record.Note = w.actor, w.note
	case c.By != "":
		record.Actor, record.Note = c.By, c.Note
	}
	if err := w.tx.AddAlarmEvent(record); err != nil {
		return fmt.Errorf("history of alarm %s: %w", a.Key, err)
	}
	w.news = append(w.news, dashboard.Event{Alarm: &a})
	return nil
}

// know fills in the order that the alarm has already. Whoever judges learns of it
// only after the transaction, and may not have after a crash.
func (w *writer) know(a *facility.Alarm) error {
	if id := w.linked[a.ID]; id != "" {
		a.OrderID = id
	}
	if a.OrderID != "" {
		return nil
	}
	kept, err := w.tx.Alarm(a.ID)
	switch {
	case errors.Is(err, facility.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	if a.OrderID = kept.OrderID; a.OrderID != "" {
		w.linked[a.ID] = a.OrderID
	}
	return nil
}

func (w *writer) order(a *facility.Alarm, c rules.Change, missing int) error {
	open, err := found(w.tx.OpenOrderByKey(dispatch.Key(*a)))
	if err != nil {
		return err
	}
	var d dispatch.Decision
	switch c.Event {
	case facility.AlarmRaise, facility.AlarmRecur:
		counted, err := w.counted(*a)
		if err != nil || counted || (c.Annunciate || keptBack(c)) && !atWork(open) {
			return err // an order is made when people are told, see notice
		}
		if d, err = w.dispatch(*a, c, open); err != nil {
			return err
		}
	case facility.AlarmClear:
		d = dispatch.Returned(*a, open)
	case facility.AlarmRetire:
		d = dispatch.Retired(*a, open)
	case facility.AlarmUsual:
		d = dispatch.Usual(*a, open, c.Note)
	case lateSync:
		d = dispatch.Withdraw(*a, open, missing)
	}
	return w.carryOut(a, d, c.At)
}

// keptBack reports whether people are not told of an alarm that was raised, because
// something holds it or they were told a short while ago. Nor do they get an order.
func keptBack(c rules.Change) bool {
	return !c.Annunciate && (c.Why == lifecycle.WhyHeld || c.Why == lifecycle.WhyQuiet)
}

// atWork reports whether the order, which may be nil, tells people already that there is
// something to do: what comes again is counted on it and calls nobody.
func atWork(o *facility.Order) bool {
	return o != nil && o.State.Open() && o.State != facility.OrderCompleted
}

// dispatch decides what an alarm that people are told of does to the orders.
func (w *writer) dispatch(a facility.Alarm, c rules.Change, open *facility.Order) (dispatch.Decision, error) {
	if open != nil && a.Rule != patrol.Rule {
		return dispatch.FromAlarm(a, c.Order, open, nil, w.now), nil // what ended before is of no matter
	}
	closed, err := found(w.tx.LatestOrderByKey(dispatch.Key(a)))
	if err != nil {
		return dispatch.Decision{}, err
	}
	if closed != nil && closed.State.Open() {
		closed = nil
	}
	return dispatch.FromAlarm(a, c.Order, open, closed, w.now), nil
}

// counted reports whether the ledger knows of this occurrence already. It goes by the
// alarm's count, never by times: many occurrences of a backlog may bear one.
func (w *writer) counted(a facility.Alarm) (bool, error) {
	kept, err := w.tx.Alarm(a.ID)
	if errors.Is(err, facility.ErrNotFound) {
		return false, nil
	}
	return a.Rule != patrol.Rule && kept.Count >= a.Count, err
}

// found turns a missing order into none.
func found(o facility.Order, err error) (*facility.Order, error) {
	switch {
	case errors.Is(err, facility.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &o, nil
}

// carryOut does to the orders what was decided. A fault that came again did so at
// the instant at; everything else happens now.
func (w *writer) carryOut(a *facility.Alarm, d dispatch.Decision, at time.Time) error {
	if d.Nothing() {
		return nil
	}
	if d.Create != nil {
		o := *d.Create
		first := facility.OrderEvent{
			At: w.now, Actor: facility.SystemActor, Action: facility.OrderCreate,
			To: facility.OrderNew, Target: a.ID, Note: o.Title.In("zh"),
		}
		if err := w.tx.InsertOrder(&o, first); err != nil {
			return err
		}
		w.link(a, o)
		return nil
	}
	o, err := w.tx.Order(d.Order)
	if err != nil {
		return err
	}
	if d.Count {
		if err := o.CountOn(at.UTC()); err != nil {
			return err
		}
		if err := w.tx.CountOrder(o); err != nil {
			return err
		}
	}
	for _, act := range d.Acts {
		when := w.now
		if act.Action == facility.OrderRecur {
			when = at.UTC()
		}
		e, err := o.DoSystem(act, when)
		if err != nil {
			return err
		}
		if err := w.tx.SaveOrder(o, e, nil); err != nil {
			return err
		}
	}
	w.link(a, o)
	return nil
}

func (w *writer) link(a *facility.Alarm, o facility.Order) {
	a.OrderID = o.ID
	w.linked[a.ID] = o.ID
	w.news = append(w.news, dashboard.Event{Order: &o})
}

func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}
