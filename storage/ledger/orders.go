package ledger

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"gengfu/facility"
)

// open is facility.OrderState.Open in SQL, word for word as in the partial
// indexes, or they would not be used.
const open = "state NOT IN ('verified', 'closed', 'cancelled')"

const orderColumns = `id, number, key, source, title_zh, title_en, detail_zh, detail_en, device, place,
	priority, state, assignee, occurrences, created_by, created_at, last_at, updated_at,
	accept_by, arrive_by, finish_by, accepted_at, arrived_at, finished_at, reopened, version, acted_version,
	checklist, bring, noted, noted_at`

func scanOrder(row row) (facility.Order, error) {
	var o facility.Order
	err := row.Scan(&o.ID, &o.No, &o.Key, &o.Source, &o.Title.ZH, &o.Title.EN, &o.Detail.ZH, &o.Detail.EN, &o.Device, &o.Place,
		&o.Priority, &o.State, asText{&o.Assignee}, &o.Count, &o.CreatedBy,
		asTime{&o.CreatedAt}, asTime{&o.LastAt}, asTime{&o.UpdatedAt},
		asTime{&o.AcceptBy}, asTime{&o.ArriveBy}, asTime{&o.FinishBy},
		asTimePtr{&o.AcceptedAt}, asTimePtr{&o.ArrivedAt}, asTimePtr{&o.FinishedAt},
		&o.Reopened, &o.Version, &o.ActedVersion,
		asList[facility.OrderStep]{&o.Checklist}, asList[facility.Text]{&o.Bring}, &o.Noted, asTime{&o.NotedAt})
	return o, err
}

// maxSearch bounds what a list is searched for, in characters; SQLite refuses
// patterns of 50,000 bytes.
const maxSearch = 200

// Orders returns work orders, newest first.
func (l *Ledger) Orders(ctx context.Context, f facility.OrderFilter) ([]facility.Order, error) {
	r := l.read()
	var c conditions
	c.add("site = ?", r.site)
	if f.Open {
		c.add(open)
	}
	if f.Done {
		c.add("NOT (" + open + ")")
	}
	if f.Concern != "" {
		c.add("(assignee = ? OR created_by = ?)", f.Concern, f.Concern)
	}
	if f.Mine != "" {
		c.add("assignee = ?", f.Mine)
	}
	if f.Search != "" {
		if utf8.RuneCountInString(f.Search) > maxSearch {
			return nil, fmt.Errorf("search for more than %d characters: %w", maxSearch, facility.ErrInvalid)
		}
		c.add(`search LIKE ? ESCAPE '\'`, likePattern(f.Search))
	}
	tail, err := r.page(ctx, &c, "work_order", "created_at", f.Page)
	if err != nil {
		return nil, err
	}
	orders, err := collect(ctx, r, scanOrder, `SELECT `+orderColumns+` FROM work_order `+c.where()+tail, c.args...)
	return orders, failure(err, "list orders")
}

// Order returns one order, or facility.ErrNotFound.
func (l *Ledger) Order(ctx context.Context, id string) (facility.Order, error) {
	return l.read().order(ctx, "order "+id, "id = $2", id)
}

// Order returns one order, or facility.ErrNotFound.
func (t *Tx) Order(id string) (facility.Order, error) {
	return t.order(t.ctx, "order "+id, "id = $2", id)
}

// OpenOrderByKey returns the open order with the key, or facility.ErrNotFound.
func (t *Tx) OpenOrderByKey(key string) (facility.Order, error) {
	return t.order(t.ctx, "open order about "+key, "key = $2 AND key <> '' AND "+open, key)
}

// LatestOrderByKey returns the order with the key that was created last, open or
// not, or facility.ErrNotFound.
func (t *Tx) LatestOrderByKey(key string) (facility.Order, error) {
	return t.order(t.ctx, "order about "+key, "key = $2 AND key <> '' ORDER BY created_at DESC, id DESC LIMIT 1", key)
}

func (r register) order(ctx context.Context, what, where string, arg any) (facility.Order, error) {
	o, err := scanOrder(r.db.QueryRowContext(ctx,
		`SELECT `+orderColumns+` FROM work_order WHERE site = $1 AND `+where, r.site, arg))
	if err != nil {
		return facility.Order{}, failure(err, "%s", what)
	}
	return o, nil
}

// OrderEvents returns the history of an order, oldest first.
func (l *Ledger) OrderEvents(ctx context.Context, id string) ([]facility.OrderEvent, error) {
	return l.read().orderEvents(ctx, id)
}

// OrderEvents returns the history of an order, oldest first.
func (t *Tx) OrderEvents(id string) ([]facility.OrderEvent, error) { return t.orderEvents(t.ctx, id) }

func (r register) orderEvents(ctx context.Context, id string) ([]facility.OrderEvent, error) {
	events, err := collect(ctx, r, func(row row) (facility.OrderEvent, error) {
		e := facility.OrderEvent{Order: id}
		err := row.Scan(&e.ID, asTime{&e.At}, &e.Actor, &e.Action, &e.From, &e.To, &e.Note, &e.Target, asText{&e.Photo}, &e.Step, &e.Times)
		return e, err
	}, `SELECT id, at, actor, action, from_state, to_state, note, target, photo, step, times
		FROM order_event WHERE site = $1 AND order_id = $2 ORDER BY version`, r.site, id)
	return events, failure(err, "history of order %s", id)
}

// OpenOrders counts the open orders by assignee, without those of nobody.
func (l *Ledger) OpenOrders(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	_, err := collect(ctx, l.read(), func(row row) (struct{}, error) {
		var login string
		var n int
		err := row.Scan(&login, &n)
		out[login] = n
		return struct{}{}, err
	}, `SELECT assignee, count(*) FROM work_order
		WHERE site = $1 AND assignee IS NOT NULL AND `+open+` GROUP BY assignee`, l.site)
	if err != nil {
		return nil, failure(err, "count open orders")
	}
	return out, nil
}

// OrderTotals counts the open orders, those of nobody, and those that are
// overdue at now as facility.Order.Overdue says.
func (l *Ledger) OrderTotals(ctx context.Context, now time.Time) (facility.OrderTotals, error) {
	var n facility.OrderTotals
	err := l.reader.QueryRowContext(ctx, `
		SELECT count(*),
			count(*) FILTER (WHERE assignee IS NULL),
			count(*) FILTER (WHERE state <> 'completed' AND (
				(accepted_at IS NULL AND accept_by < $2) OR
				(arrived_at IS NULL AND arrive_by < $2) OR
				(finished_at IS NULL AND finish_by < $2)))
		FROM work_order WHERE site = $1 AND `+open, l.site, nanos(now)).Scan(&n.Open, &n.Unassigned, &n.Overdue)
	return n, failure(err, "count orders")
}

// Photo returns a picture, or facility.ErrNotFound.
func (l *Ledger) Photo(ctx context.Context, id string) (facility.Photo, error) {
	p := facility.Photo{ID: id}
	err := l.reader.QueryRowContext(ctx, `
		SELECT order_id, media_type, data, made_by, at FROM photo WHERE site = $1 AND id = $2`, l.site, id).
		Scan(&p.Order, &p.Type, &p.Data, &p.By, asTime{&p.At})
	if err != nil {
		return facility.Photo{}, failure(err, "photo %s", id)
	}
	return p, nil
}
