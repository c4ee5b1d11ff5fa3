package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

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
// allow it.
func (h *Hub) ActOnOrder(ctx context.Context, by facility.Person, id string, act facility.Act, photo *facility.Photo) (facility.Order, error) {
	var o facility.Order
	err := h.board.change(ctx, func() ([]dashboard.Event, error) {
		err := h.o.Ledger.Update(ctx, func(tx *ledger.Tx) (err error) {
			o, err = actOn(tx, by, id, act, photo, h.o.Now().UTC())
			return err
		})
		return []dashboard.Event{{Order: &o}}, err
	})
	if err != nil {
		return facility.Order{}, fmt.Errorf("%s order %s: %w", act.Action, id, err)
	}
	return o, nil
}

func actOn(tx *ledger.Tx, by facility.Person, id string, act facility.Act, photo *facility.Photo, now time.Time) (facility.Order, error) {
	o, err := tx.Order(id)
	if err != nil {
		return o, err
	}
	if photo != nil {
		p := *photo
		if p.ID == "" {
			if p.ID, err = newID(); err != nil {
				return o, err
			}
		}
		p.Order, p.By, p.At = o.ID, by.Login, now
		act.Photo, photo = p.ID, &p
	}
	e, err := o.Do(by, act, now)
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
	err := h.judge.acknowledge(ctx, by, id, note)
	if errors.Is(err, facility.ErrNotFound) {
		// Nobody's mind has it: it is normal already, or never was.
		if _, known := h.o.Ledger.Alarm(ctx, id); known == nil {
			err = facility.ErrUnlawful
		}
	}
	if err != nil {
		return facility.Alarm{}, fmt.Errorf("acknowledge alarm %s: %w", id, err)
	}
	return h.o.Ledger.Alarm(ctx, id)
}
