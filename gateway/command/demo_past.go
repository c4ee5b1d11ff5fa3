package command

import (
	"context"
	"fmt"
	"time"

	"gengfu/dashboard/password"
	"gengfu/facility"
	"gengfu/gateway/config"
	"gengfu/gateway/demo"
	"gengfu/storage/history"
	"gengfu/storage/ledger"
)

// How much past the demo estate has when it is seen first.
const (
	historyDays = 30
	roundDays   = 2
)

// prepareDemo gives a new demo its people and its past.
func prepareDemo(ctx context.Context, cfg *config.Config, estate *demo.Estate, l *ledger.Ledger, h history.Store) error {
	people, err := l.People(ctx)
	if err != nil || len(people) > 0 {
		return err
	}
	if err := writePastReadings(ctx, cfg, estate, h); err != nil {
		return fmt.Errorf("write the demo's past: %w", err)
	}
	// People come last: where they are, nothing is missing.
	err = l.Update(ctx, func(tx *ledger.Tx) error {
		if err := addDemoPeople(tx); err != nil {
			return err
		}
		return addPastRecords(tx, cfg.Estate, time.Now())
	})
	if err != nil {
		return fmt.Errorf("make the demo's people and their past: %w", err)
	}
	return nil
}

func addDemoPeople(tx *ledger.Tx) error {
	// Everybody may know these passwords: making them hard to find from their
	// hashes would only cost time.
	cost := password.Cost{Memory: 64, Passes: 1, Lanes: 1}
	for _, login := range demo.People() {
		hash, err := password.Hash(login.Password, cost)
		if err != nil {
			return err
		}
		if err := tx.CreatePerson(login.Person, hash); err != nil {
			return err
		}
	}
	return nil
}

func addPastRecords(tx *ledger.Tx, estate facility.Estate, now time.Time) error {
	rounds, err := demo.PastRounds(estate, roundDays, now)
	if err != nil {
		return err
	}
	for _, r := range rounds {
		if err := tx.SaveRound(r); err != nil {
			return err
		}
	}
	for _, p := range demo.PastOrders(now) {
		o := p.Order
		first := facility.OrderEvent{
			At: o.CreatedAt, Actor: o.CreatedBy, Action: facility.OrderCreate, To: facility.OrderNew, Note: o.Detail.In("zh"),
		}
		if err := tx.InsertOrder(&o, first); err != nil {
			return err
		}
		for _, act := range p.Acts {
			e, err := o.Do(act.By, act.Act, act.At)
			if err != nil {
				return err
			}
			if err := tx.SaveOrder(o, e, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func writePastReadings(ctx context.Context, cfg *config.Config, estate *demo.Estate, h history.Store) error {
	devices := map[string]facility.Device{}
	for _, d := range cfg.Estate.Devices {
		devices[d.ID] = d
	}
	const many = 20_000
	var rows []history.Row
	for readings := range estate.History(historyDays) {
		for _, r := range readings {
			d := devices[r.Point.Device]
			rows = append(rows, history.Row{Reading: r, Kind: d.Kind, Place: d.Place})
		}
		if len(rows) < many {
			continue
		}
		if err := h.Write(ctx, rows); err != nil {
			return err
		}
		rows = rows[:0]
	}
	return h.Write(ctx, rows)
}
