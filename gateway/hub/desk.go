package hub

import (
	"context"
	"fmt"

	"gengfu/dashboard"
	"gengfu/facility"
	"gengfu/storage/ledger"
)

// CreateOrder makes a work order that a person asks for.
func (h *Hub) CreateOrder(ctx context.Context, by facility.Person, o facility.Order) (facility.Order, error) {
	now := h.o.Now().UTC()
	if !o.MayAct(by, facility.OrderCreate) {
		return o, fmt.Errorf("%s may not create orders: %w", by.Login, facility.ErrForbidden)
	}
	if !o.Priority.Valid() {
		return o, fmt.Errorf("priority %q is not one of P1 to P4: %w", o.Priority, facility.ErrInvalid)
	}
	o.ID, o.No, o.Key, o.Assignee = "", "", "", ""
	o.CreatedBy = by.Login
	o.State, o.Count, o.Version = facility.OrderNew, 1, 1
	o.CreatedAt, o.LastAt, o.UpdatedAt = now, now, now
	o.Promise(now)
	first := facility.OrderEvent{
		At: now, Actor: by.Login, Action: facility.OrderCreate,
		To: facility.OrderNew, Note: o.Detail.In("zh"),
	}
	err := h.o.Ledger.Update(ctx, func(tx *ledger.Tx) error { return tx.InsertOrder(&o, first) })
	if err != nil {
		return o, fmt.Errorf("create an order: %w", err)
	}
	h.publish(dashboard.Event{Order: &o})
	return o, nil
}

// ActOnOrder does what a person asks, if the order's state and the person's role
// allow it.
func (h *Hub) ActOnOrder(ctx context.Context, by facility.Person, id string, act facility.Act, photo *facility.Photo) (facility.Order, error) {
	now := h.o.Now().UTC()
	var o facility.Order
	err := h.o.Ledger.Update(ctx, func(tx *ledger.Tx) error {
		var err error
		if o, err = tx.Order(id); err != nil {
			return err
		}
		if photo != nil {
			if photo.ID == "" {
				if photo.ID, err = newID(); err != nil {
					return err
				}
			}
			photo.Order, photo.By, photo.At = o.ID, by.Login, now
			act.Photo = photo.ID
		}
		e, err := o.Do(by, act, now)
		if err != nil {
			return err
		}
		if e.ID, err = newID(); err != nil {
			return err
		}
		return tx.SaveOrder(o, e, photo)
	})
	if err != nil {
		return o, fmt.Errorf("%s order %s: %w", act.Action, id, err)
	}
	h.publish(dashboard.Event{Order: &o})
	return o, nil
}

// AcknowledgeAlarm says that a person has seen the alarm.
func (h *Hub) AcknowledgeAlarm(ctx context.Context, by facility.Person, id, note string) (facility.Alarm, error) {
	if !by.Role.May(facility.AcknowledgeAlarm) {
		return facility.Alarm{}, fmt.Errorf("%s may not acknowledge alarms: %w", by.Login, facility.ErrForbidden)
	}
	if err := h.judge.acknowledge(ctx, by, id, note); err != nil {
		return facility.Alarm{}, fmt.Errorf("acknowledge alarm %s: %w", id, err)
	}
	return h.o.Ledger.Alarm(ctx, id)
}
