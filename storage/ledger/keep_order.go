package ledger

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"gengfu/facility"
)

// InsertOrder keeps a new order with the first line of its history. It fills in
// what is empty: the ID, the number (the local day of CreatedAt and a count from
// 1 on that day, "20261122-0007"), the maker (the actor of first, else the program), the count, the
// version, what the history tells of, and in first the ID, the order and, when it has no action, everything.
// It fails with facility.ErrConflict when an open order has the same key.
func (t *Tx) InsertOrder(o *facility.Order, first facility.OrderEvent) error {
	n := *o
	if n.CreatedAt.IsZero() {
		return fmt.Errorf("create order: it has no time: %w", facility.ErrInvalid)
	}
	var err error
	if n.ID, err = newID(n.ID); err != nil {
		return err
	}
	if n.No == "" {
		if n.No, err = t.number(n.CreatedAt); err != nil {
			return err
		}
	}
	n.CreatedBy = cmp.Or(n.CreatedBy, first.Actor, facility.SystemActor)
	if n.UpdatedAt.IsZero() {
		n.UpdatedAt = n.CreatedAt
	}
	n.Count, n.Version = max(n.Count, 1), max(n.Version, 1)
	if n.ActedVersion == 0 {
		n.ActedVersion = n.Version
	}
	if n.Noted == 0 {
		n.Noted, n.NotedAt = n.Count, n.LastAt
	}
	if first.Action == "" {
		first.Actor, first.Action, first.At, first.To = n.CreatedBy, facility.OrderCreate, n.CreatedAt, n.State
	}
	if err := t.checkAssignee(n.Assignee); err != nil {
		return fmt.Errorf("create order %s: %w", n.No, err)
	}
	if err := t.insertOrder(n); err != nil {
		return err
	}
	if err := t.insertOrderEvent(n, first); err != nil {
		return err
	}
	*o = n
	return nil
}

func (t *Tx) insertOrder(o facility.Order) error {
	checklist, err := listText(o.Checklist)
	if err != nil {
		return fmt.Errorf("checklist of order %s: %w", o.No, err)
	}
	bring, err := listText(o.Bring)
	if err != nil {
		return fmt.Errorf("what to bring for order %s: %w", o.No, err)
	}
	args := []any{
		o.ID, o.No, o.Key, o.Source, o.Title.ZH, o.Title.EN, o.Detail.ZH, o.Detail.EN, o.Device, o.Place,
		o.Priority, o.State, nullable(o.Assignee), o.Count, o.CreatedBy,
		nanos(o.CreatedAt), nanos(o.LastAt), nanos(o.UpdatedAt),
		nanos(o.AcceptBy), nanos(o.ArriveBy), nanos(o.FinishBy),
		nanosOf(o.AcceptedAt), nanosOf(o.ArrivedAt), nanosOf(o.FinishedAt),
		o.Reopened, o.Version, o.ActedVersion,
		checklist, bring, o.Noted, nanos(o.NotedAt), searchText(o), t.site,
	}
	_, err = t.exec(`INSERT INTO work_order (`+orderColumns+`, search, site) VALUES (`+placeholders(len(args))+`)`,
		args, "create order %s", o.No)
	return err
}

// number takes the next number of the local day.
func (t *Tx) number(at time.Time) (string, error) {
	day := at.In(t.zone).Format("20060102")
	var n int
	err := t.db.QueryRowContext(t.ctx, `
		INSERT INTO order_number (site, day, last) VALUES ($1, $2, 1)
		ON CONFLICT (site, day) DO UPDATE SET last = order_number.last + 1
		RETURNING last`, t.site, day).Scan(&n)
	if err != nil {
		return "", failure(err, "number an order of %s", day)
	}
	return fmt.Sprintf("%s-%04d", day, n), nil
}

// SaveOrder keeps what an act made of an order, the line of its history that the
// act returned, and a photo if there is one. The stored order must be the one
// that the act was done to, one version before and in the state that e comes
// from, else it is facility.ErrConflict. An ID, source, number, key, maker and
// time of creation never change. Empty IDs of e and photo are filled in.
func (t *Tx) SaveOrder(o facility.Order, e facility.OrderEvent, photo *facility.Photo) error {
	if e.Action == facility.OrderAssign {
		if err := t.checkAssignee(o.Assignee); err != nil {
			return fmt.Errorf("assign order %s: %w", o.No, err)
		}
	}
	checklist, err := listText(o.Checklist)
	if err != nil {
		return fmt.Errorf("checklist of order %s: %w", o.No, err)
	}
	n, err := t.exec(`
		UPDATE work_order SET
			title_zh = $5, title_en = $6, detail_zh = $7, detail_en = $8, device = $9, place = $10,
			priority = $11, state = $12, assignee = $13, occurrences = $14, last_at = $15, updated_at = $16,
			accept_by = $17, arrive_by = $18, finish_by = $19, accepted_at = $20, arrived_at = $21, finished_at = $22,
			reopened = $23, version = $24, acted_version = $25, search = $26,
			checklist = $27, noted = $28, noted_at = $29
		WHERE site = $1 AND id = $2 AND version = $3 AND state = $4`,
		[]any{
			t.site, o.ID, o.Version - 1, e.From,
			o.Title.ZH, o.Title.EN, o.Detail.ZH, o.Detail.EN, o.Device, o.Place,
			o.Priority, o.State, nullable(o.Assignee), o.Count, nanos(o.LastAt), nanos(o.UpdatedAt),
			nanos(o.AcceptBy), nanos(o.ArriveBy), nanos(o.FinishBy),
			nanosOf(o.AcceptedAt), nanosOf(o.ArrivedAt), nanosOf(o.FinishedAt),
			o.Reopened, o.Version, o.ActedVersion, searchText(o), checklist, o.Noted, nanos(o.NotedAt),
		}, "%s order %s", e.Action, o.No)
	if err != nil {
		return err
	}
	if n == 0 {
		if _, err := t.Order(o.ID); err != nil {
			return err
		}
		return fmt.Errorf("%s order %s at version %d: %w", e.Action, o.No, o.Version-1, facility.ErrConflict)
	}
	if photo != nil {
		if e.Photo, err = t.insertPhoto(o, *photo, e.Photo); err != nil {
			return err
		}
	}
	return t.insertOrderEvent(o, e)
}

// CountOrder keeps that the fault of an order came again, once or more often, without a
// line of its history, as facility.Order.CountOn left it. It fails with facility.ErrConflict when something
// was done to the order meanwhile.
func (t *Tx) CountOrder(o facility.Order) error {
	n, err := t.exec(`
		UPDATE work_order SET occurrences = $4, last_at = $5, updated_at = $6
		WHERE site = $1 AND id = $2 AND version = $3 AND occurrences < $4`,
		[]any{t.site, o.ID, o.Version, o.Count, nanos(o.LastAt), nanos(o.UpdatedAt)}, "count on order %s", o.No)
	if err == nil && n == 0 {
		return fmt.Errorf("count on order %s at version %d: %w", o.No, o.Version, facility.ErrConflict)
	}
	return err
}

func (t *Tx) insertOrderEvent(o facility.Order, e facility.OrderEvent) error {
	id, err := newID(e.ID)
	if err != nil {
		return err
	}
	if e.To != o.State {
		return fmt.Errorf("history of order %s: it is %s, not %s: %w", o.No, o.State, e.To, facility.ErrInvalid)
	}
	_, err = t.exec(`
		INSERT INTO order_event (site, id, order_id, version, at, actor, action, from_state, to_state, note, target, photo, step, times)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		[]any{
			t.site, id, o.ID, o.Version, nanos(e.At), e.Actor, e.Action, e.From, e.To, e.Note, e.Target,
			nullable(e.Photo), e.Step, e.Times,
		}, "history of order %s: %s", o.No, e.Action)
	return err
}

// insertPhoto keeps a picture of the order under the id that the history names,
// and returns that id.
func (t *Tx) insertPhoto(o facility.Order, p facility.Photo, named string) (string, error) {
	if p.ID == "" {
		p.ID = named
	}
	if named != "" && named != p.ID {
		return "", fmt.Errorf("photo of order %s is %s, its history says %s: %w", o.No, p.ID, named, facility.ErrInvalid)
	}
	id, err := newID(p.ID)
	if err != nil {
		return "", err
	}
	_, err = t.exec(`
		INSERT INTO photo (site, id, order_id, media_type, made_by, at, data) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		[]any{t.site, id, o.ID, p.Type, p.By, nanos(p.At), p.Data}, "photo of order %s", o.No)
	return id, err
}

// checkAssignee refuses an assignee who is not there or not assignable, within
// the transaction, so that nobody can be disabled in between.
func (t *Tx) checkAssignee(login string) error {
	if login == "" {
		return nil
	}
	p, err := t.Person(login)
	if err != nil {
		return fmt.Errorf("%w: %w", err, facility.ErrInvalid)
	}
	if !p.Assignable() {
		return fmt.Errorf("%s takes no orders: %w", login, facility.ErrInvalid)
	}
	return nil
}

// searchText is what OrderFilter.Search looks into. The line breaks keep a search
// from matching across two fields.
func searchText(o facility.Order) string {
	return fold(strings.Join([]string{
		o.No, o.Title.ZH, o.Title.EN, o.Detail.ZH, o.Detail.EN, o.Device, o.Place,
	}, "\n"))
}
