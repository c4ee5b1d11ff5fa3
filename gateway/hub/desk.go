package hub

import (
	"context"
	"errors"
	"fmt"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/storage/ledger"
)

// CreateOrder makes a work order that a person asks for: its source, words,
// place, device and priority. All else is filled in.
func (h *Hub) CreateOrder(ctx context.Context, by facility.Person, asked facility.Order) (facility.Order, error) {
	now := h.o.Now().UTC()
	o := facility.Order{
		Source: asked.Source, Title: asked.Title, Detail: asked.Detail, Place: asked.Place, Device: asked.Device,
		Priority: asked.Priority, State: facility.OrderNew, Count: 1, Version: 1,
		CreatedBy: by.Login, CreatedAt: now, LastAt: now, UpdatedAt: now,
	}
	switch {
	case !o.MayAct(by, facility.OrderCreate):
		return facility.Order{}, fmt.Errorf("%s may not create orders: %w", by.Login, facility.ErrForbidden)
	case !o.Priority.Valid():
		return facility.Order{}, fmt.Errorf("priority %q is not one of P1 to P4: %w", o.Priority, facility.ErrInvalid)
	case o.Title.Empty():
		return facility.Order{}, fmt.Errorf("an order needs a title: %w", facility.ErrInvalid)
	}
	o.Promise(now)
	first := facility.OrderEvent{
		At: now, Actor: by.Login, Action: facility.OrderCreate,
		To: facility.OrderNew, Note: o.Detail.In("zh"),
	}
	err := h.board.change(ctx, func() ([]dashboard.Event, error) {
		err := h.o.Ledger.Update(ctx, func(tx *ledger.Tx) error { return tx.InsertOrder(&o, first) })
		return []dashboard.Event{{Order: &o}}, err
	})
	if err != nil {
		return facility.Order{}, fmt.Errorf("create an order: %w", err)
	}
	return o, nil
}

// ActOnOrder does what a person asks, if the order's state and the person's role
// allow it. What ends an order goes through the judge: alarms hang on it.
func (h *Hub) ActOnOrder(ctx context.Context, by facility.Person, id string, act facility.Act, photo *facility.Photo) (facility.Order, error) {
	select {
	case h.acting <- struct{}{}: // so that what the judge has looked at is still so when it is written
		defer func() { <-h.acting }()
	case <-ctx.Done():
		return facility.Order{}, ctx.Err()
	}
	a := orderAct{by: by, id: id, act: act, photo: photo}
	var o facility.Order
	var err error
	switch act.Action {
	case facility.OrderVerify, facility.OrderClose, facility.OrderCancel:
		err = h.judge.ask(ctx, func() (outcome, error) {
			a.at = h.judge.now().UTC()
			return h.judge.endOrder(ctx, a)
		})
		if err == nil {
			o, err = h.o.Ledger.Order(ctx, id)
		}
	default:
		a.at = h.o.Now().UTC()
		err = h.board.change(ctx, func() ([]dashboard.Event, error) {
			err := h.o.Ledger.Update(ctx, func(tx *ledger.Tx) (err error) {
				o, err = a.do(tx)
				return err
			})
			return []dashboard.Event{{Order: &o}}, err
		})
	}
	if err != nil {
		return facility.Order{}, fmt.Errorf("%s order %s: %w", act.Action, id, err)
	}
	return o, nil
}

// do applies the act to the order as it is kept.
func (a orderAct) do(tx *ledger.Tx) (facility.Order, error) {
	o, err := tx.Order(a.id)
	if err != nil {
		return o, err
	}
	act, photo := a.act, a.photo
	if photo != nil {
		p := *photo
		if p.ID == "" {
			if p.ID, err = newID(); err != nil {
				return o, err
			}
		}
		p.Order, p.By, p.At = o.ID, a.by.Login, a.at
		act.Photo, photo = p.ID, &p
	}
	if o.MayAct(a.by, act.Action) && o.Already(act) {
		return o, nil // a phone sends again what arrived
	}
	e, err := o.Do(a.by, act, a.at)
	if err != nil {
		return o, err
	}
	return o, tx.SaveOrder(o, e, photo)
}

// AcknowledgeAlarm says that a person has seen the alarm.
func (h *Hub) AcknowledgeAlarm(ctx context.Context, by facility.Person, id, note string) (facility.Alarm, error) {
	if !by.Role.May(facility.AcknowledgeAlarm) {
		return facility.Alarm{}, fmt.Errorf("%s may not acknowledge alarms: %w", by.Login, facility.ErrForbidden)
	}
	return h.seen(ctx, "acknowledge", id, h.judge.acknowledge(ctx, by, id, note))
}

// seen returns the alarm that a person acted on, or why they could not.
func (h *Hub) seen(ctx context.Context, doing, id string, err error) (facility.Alarm, error) {
	if errors.Is(err, facility.ErrNotFound) {
		// Nobody's mind has it: it is normal already, or never was.
		if _, known := h.o.Ledger.Alarm(ctx, id); known == nil {
			err = facility.ErrUnlawful
		}
	}
	if err != nil {
		return facility.Alarm{}, fmt.Errorf("%s alarm %s: %w", doing, id, err)
	}
	return h.o.Ledger.Alarm(ctx, id)
}
