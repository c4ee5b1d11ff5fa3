package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gengfu/facility"
	"gengfu/rules"
	"gengfu/rules/dispatch"
	"gengfu/rules/lifecycle"
	"gengfu/rules/patrol"
	"gengfu/storage/ledger"
)

// ResetAlarm lets go of the latch of an alarm.
func (h *Hub) ResetAlarm(ctx context.Context, by facility.Person, id, note string) (facility.Alarm, error) {
	if !by.Role.May(facility.AcknowledgeAlarm) {
		return facility.Alarm{}, fmt.Errorf("%s may not reset alarms: %w", by.Login, facility.ErrForbidden)
	}
	err := h.judge.ask(ctx, func() (outcome, error) {
		c, err := h.judge.engine.Reset(id, by.Login, note, h.judge.now().UTC())
		return outcome{rules: []rules.Change{c}}, err
	})
	return h.seen(ctx, "reset", id, err)
}

// TakeAsUsual says that what an alarm is about is how things are from now on. It changes
// what counts as wrong, so it is for whoever may change rules.
func (h *Hub) TakeAsUsual(ctx context.Context, by facility.Person, id, note string) (facility.Alarm, error) {
	if !by.Role.May(facility.EditRules) {
		return facility.Alarm{}, fmt.Errorf("%s may not say what is usual: %w", by.Login, facility.ErrForbidden)
	}
	err := h.judge.ask(ctx, func() (outcome, error) {
		changes, err := h.judge.engine.TakeAsUsual(id, by.Login, strings.TrimSpace(note), h.judge.now().UTC())
		return outcome{rules: changes}, err
	})
	return h.seen(ctx, "take as usual", id, err)
}

// HoldAlarm shelves the alarm of a key, or takes it out of service.
func (h *Hub) HoldAlarm(ctx context.Context, by facility.Person, asked facility.AlarmHold) (facility.AlarmHold, error) {
	var made facility.AlarmHold
	err := h.judge.ask(ctx, func() (outcome, error) {
		c, err := h.judge.beginHold(ctx, by, asked)
		made = c.Hold
		return outcome{rules: []rules.Change{c}}, err
	})
	if err != nil {
		return facility.AlarmHold{}, fmt.Errorf("hold alarm %s: %w", asked.Key, err)
	}
	return made, nil
}

// ReleaseAlarm ends a shelf, or puts an alarm back into service.
func (h *Hub) ReleaseAlarm(ctx context.Context, by facility.Person, key string, kind facility.AlarmState, note string) error {
	err := h.judge.ask(ctx, func() (outcome, error) {
		c, err := h.judge.endHold(ctx, by, key, kind, note)
		return outcome{rules: []rules.Change{c}}, err
	})
	if err != nil {
		return fmt.Errorf("release alarm %s: %w", key, err)
	}
	return nil
}

func (j *judge) beginHold(ctx context.Context, by facility.Person, asked facility.AlarmHold) (rules.Change, error) {
	event, _, err := byPeople(asked.Key, asked.Kind)
	if err != nil {
		return rules.Change{}, err
	}
	var o facility.Order
	if asked.Order != "" {
		o, err = j.order(ctx, asked.Order)
		if errors.Is(err, facility.ErrNotFound) || err == nil && (!o.State.Open() || o.Source == facility.FromPatrol) {
			return rules.Change{}, fmt.Errorf("order %s: %w", asked.Order, facility.ErrHoldOrder)
		}
		if err != nil {
			return rules.Change{}, err
		}
	}
	present, replaces := j.holds(asked.Key, asked.Kind)
	if !mayHold(by, asked.Key, asked.Kind, o) || replaces && present.Order != asked.Order && !by.Role.May(facility.HoldAlarm) {
		return rules.Change{}, fmt.Errorf("%s may not hold it: %w", by.Login, facility.ErrForbidden)
	}
	in := lifecycle.Input{
		Event: event, At: j.now().UTC(), By: by.Login, Note: strings.TrimSpace(asked.Reason), OneShot: asked.OneShot, Order: asked.Order,
	}
	if asked.Until != nil {
		in.Until = *asked.Until
	}
	return j.engine.Hold(asked.Key, in)
}

func (j *judge) endHold(ctx context.Context, by facility.Person, key string, kind facility.AlarmState, note string) (rules.Change, error) {
	_, event, err := byPeople(key, kind)
	if err != nil {
		return rules.Change{}, err
	}
	var o facility.Order
	present, ok := j.holds(key, kind)
	if ok && present.Order != "" {
		if o, err = j.order(ctx, present.Order); err != nil {
			return rules.Change{}, err
		}
	}
	if !mayHold(by, key, kind, o) {
		return rules.Change{}, fmt.Errorf("%s may not release it: %w", by.Login, facility.ErrForbidden)
	}
	return j.engine.Release(key, lifecycle.Input{Event: event, At: j.now().UTC(), By: by.Login, Note: strings.TrimSpace(note)})
}

// byPeople returns the events by which people begin and end holds of the kind.
func byPeople(key string, kind facility.AlarmState) (begins, ends facility.AlarmEvent, err error) {
	if strings.HasPrefix(key, patrol.Rule+"/") {
		return "", "", facility.ErrPatrolHold
	}
	if kind != facility.AlarmShelved && kind != facility.AlarmOutOfService {
		return "", "", fmt.Errorf("%q is not for people: %w", kind, facility.ErrInvalid)
	}
	begins, ends = lifecycle.Begins(kind)
	return begins, ends, nil
}

// mayHold reports whether a person may begin or end what holds a key. Whoever works on
// the order o may take out of service what the order is about.
func mayHold(by facility.Person, key string, kind facility.AlarmState, o facility.Order) bool {
	if by.Role.May(facility.HoldAlarm) {
		return true
	}
	_, device, _ := strings.Cut(key, "/")
	return kind == facility.AlarmOutOfService && by.Role.May(facility.AcknowledgeAlarm) && o.State.Open() &&
		o.Assignee == by.Login && (o.Key == key || o.Device != "" && o.Device == device)
}

// holds returns the hold of a kind that is on a key.
func (j *judge) holds(key string, kind facility.AlarmState) (facility.AlarmHold, bool) {
	for _, h := range j.engine.Holds(key) {
		if h.Kind == kind {
			return h, true
		}
	}
	return facility.AlarmHold{}, false
}

func (j *judge) order(ctx context.Context, id string) (o facility.Order, err error) {
	err = j.ledger.View(ctx, func(tx *ledger.Tx) error {
		o, err = tx.Order(id)
		return err
	})
	return o, err
}

// orderAct is what a person does to an order in the transaction of an outcome.
type orderAct struct {
	by    facility.Person
	id    string
	act   facility.Act
	photo *facility.Photo
	at    time.Time
}

// endOrder decides what the end of an order, or its verification, does to alarms: what
// was out of service for it is put back. It is refused while the fault is there.
func (j *judge) endOrder(ctx context.Context, a orderAct) (outcome, error) {
	o, err := j.order(ctx, a.id)
	if err != nil {
		return outcome{}, err
	}
	after := o
	if _, err := after.Do(a.by, a.act, a.at); err != nil {
		return outcome{}, err
	}
	if a.act.Action != facility.OrderCancel && j.stillThere(o) {
		return outcome{}, facility.ErrAlarmActive
	}
	out := outcome{act: &a}
	if ended(after) {
		out.rules = j.putBack(o, a.by.Login, a.at)
	}
	return out, nil
}

// ended reports whether nothing more is done on the order, not even to look at it.
func ended(o facility.Order) bool {
	return o.State == facility.OrderClosed || o.State == facility.OrderCancelled
}

// stillThere reports whether the fault of an order is, as far as it is known, and people
// count on hearing of it. A missed patrol stays missed and is nothing to wait for.
func (j *judge) stillThere(o facility.Order) bool {
	for _, a := range j.engine.Standing() {
		about := a.OrderID == o.ID || o.Key != "" && dispatch.Key(a) == o.Key
		if about && a.State.Active() && a.Shown() != facility.AlarmOutOfService {
			return true
		}
	}
	return false
}

// putBack puts into service again what was out of it for an order that has ended.
func (j *judge) putBack(o facility.Order, by string, at time.Time) []rules.Change {
	var out []rules.Change
	for _, held := range j.engine.Held() {
		if held.Life.Outage.Order != o.ID {
			continue
		}
		c, err := j.engine.Release(held.Alarm.Key, lifecycle.Input{
			Event: facility.AlarmPutBack, At: at, By: by, Note: fmt.Sprintf("工单 %s 已结束 · work order %s has ended", o.No, o.No),
		})
		if err != nil {
			j.log.Error("an alarm cannot be put back into service", "key", held.Alarm.Key, "error", err)
			continue
		}
		out = append(out, c)
	}
	return out
}

// hold keeps what began or ended to hold a key.
func (w *writer) hold(c rules.Change) error {
	h := c.Hold
	if h.Key == "" {
		return nil
	}
	e := facility.HoldRecord{
		Key: h.Key, Alarm: c.Alarm.ID, At: c.At, Actor: c.By, Event: c.Event, Note: c.Note,
		Cause: h.Cause, Order: h.Order, Until: h.Until,
	}
	begins, ends := lifecycle.Begins(h.Kind)
	if c.Event == begins {
		return w.tx.BeginHold(h, e)
	}
	if c.Event != ends { // a one-shot shelf ended with the condition
		e.Event, e.Actor, e.Note = ends, facility.SystemActor, ""
	}
	return w.tx.EndHold(h.Key, h.Kind, e)
}

// keptHolds are the holds that the ledger knows, and those of them whose order has ended.
type keptHolds struct {
	all  []facility.AlarmHold
	over map[string]facility.Order // by id
}

func readHolds(tx *ledger.Tx) (k keptHolds, err error) {
	if k.all, err = tx.AlarmHolds(); err != nil {
		return k, err
	}
	k.over = map[string]facility.Order{}
	for _, h := range k.all {
		if h.Order == "" {
			continue
		}
		o, err := tx.Order(h.Order)
		if err != nil {
			return k, err
		}
		if ended(o) {
			k.over[o.ID] = o
		}
	}
	return k, nil
}

// agree makes the engine hold what the ledger says, which is written in one with all that
// people were told, and returns what changes for people. It is for when the engine's
// state is not the one that the ledger was written with: it is older, or lost, or rules
// have come and gone.
func (j *judge) agree(k keptHolds, now time.Time) []rules.Change {
	var out []rules.Change
	known := map[facility.AlarmHold]bool{} // by key and kind
	name := func(h facility.AlarmHold) facility.AlarmHold { return facility.AlarmHold{Key: h.Key, Kind: h.Kind} }
	for _, h := range k.all {
		if err := j.holdAgain(h); err != nil {
			j.log.Warn("what held an alarm cannot hold it any more", "key", h.Key, "kind", h.Kind, "error", err)
			out = append(out, dropped(h, now))
			continue
		}
		known[name(h)] = true
	}
	for _, held := range j.engine.Held() {
		for _, h := range held.Life.Holds(held.Alarm.Key) {
			if known[name(h)] {
				continue
			}
			_, ends := lifecycle.Begins(h.Kind)
			c, err := j.engine.Release(h.Key, lifecycle.Input{Event: ends, At: now, By: facility.SystemActor})
			if err == nil {
				out = append(out, c)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(k.over)) {
		out = append(out, j.putBack(k.over[id], facility.SystemActor, now)...)
	}
	return out
}

// holdAgain makes the engine hold what was held before.
func (j *judge) holdAgain(h facility.AlarmHold) error {
	if present, ok := j.holds(h.Key, h.Kind); ok && present.Same(h) {
		return nil
	}
	event, _ := lifecycle.Begins(h.Kind)
	in := lifecycle.Input{
		Event: event, At: h.Since, By: h.By, Note: h.Reason, Cause: h.Cause, Order: h.Order, OneShot: h.OneShot,
	}
	if h.Until != nil {
		in.Until = *h.Until
	}
	_, err := j.engine.Hold(h.Key, in) // the ledger has it already
	return err
}

// dropped is the end of a hold that the engine does not know: its rule or device is gone,
// or the site allows it no more.
func dropped(h facility.AlarmHold, now time.Time) rules.Change {
	_, ends := lifecycle.Begins(h.Kind)
	return rules.Change{Event: ends, At: now.UTC(), By: facility.SystemActor, Why: lifecycle.WhySilent, Hold: h}
}
