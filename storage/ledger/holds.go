package ledger

import (
	"context"
	"fmt"

	"gengfu/facility"
)

const holdColumns = `key, kind, made_by, reason, cause, order_id, since, until, one_shot`

func scanHold(row row) (facility.AlarmHold, error) {
	var h facility.AlarmHold
	err := row.Scan(&h.Key, &h.Kind, &h.By, &h.Reason, &h.Cause, asText{&h.Order}, asTime{&h.Since}, asTimePtr{&h.Until}, &h.OneShot)
	return h, err
}

// AlarmHolds returns all that keeps alarms quiet now, by key.
func (l *Ledger) AlarmHolds(ctx context.Context) ([]facility.AlarmHold, error) {
	return l.read().holdsWhere(ctx, "TRUE")
}

// AlarmHolds returns all that keeps alarms quiet now, by key.
func (t *Tx) AlarmHolds() ([]facility.AlarmHold, error) { return t.holdsWhere(t.ctx, "TRUE") }

// KeyHolds returns what keeps the alarm of a key quiet now.
func (t *Tx) KeyHolds(key string) ([]facility.AlarmHold, error) {
	return t.holdsWhere(t.ctx, "key = $2", key)
}

// OrderHolds returns what is out of service for an order, by key.
func (t *Tx) OrderHolds(order string) ([]facility.AlarmHold, error) {
	return t.holdsWhere(t.ctx, "order_id = $2", order)
}

func (r register) holdsWhere(ctx context.Context, where string, args ...any) ([]facility.AlarmHold, error) {
	holds, err := collect(ctx, r, scanHold, `
		SELECT `+holdColumns+` FROM alarm_hold WHERE site = $1 AND `+where+` ORDER BY key, kind`,
		append([]any{r.site}, args...)...)
	return holds, failure(err, "read what keeps alarms quiet")
}

// withHolds fills in what keeps the alarms quiet now.
func (r register) withHolds(ctx context.Context, alarms []facility.Alarm) ([]facility.Alarm, error) {
	if len(alarms) == 0 {
		return alarms, nil
	}
	holds, err := r.holdsWhere(ctx, "TRUE")
	if err != nil || len(holds) == 0 {
		return alarms, err
	}
	byKey := map[string][]facility.AlarmHold{}
	for _, h := range holds {
		byKey[h.Key] = append(byKey[h.Key], h)
	}
	for i := range alarms {
		alarms[i].Holds = byKey[alarms[i].Key]
	}
	return alarms, nil
}

// BeginHold keeps what holds a key from now on, in place of one of the same kind, and the
// line of its history, whose ID and actor are filled in when they are empty. A line that
// is there already stands: then nothing changes, so that a replay is no error. It fails
// with facility.ErrInvalid when something is missing.
func (t *Tx) BeginHold(h facility.AlarmHold, e facility.HoldRecord) error {
	added, err := t.addHoldEvent(e)
	if err != nil || !added {
		return err
	}
	args := []any{h.Key, h.Kind, h.By, h.Reason, h.Cause, nullable(h.Order), nanos(h.Since), nanosOf(h.Until), h.OneShot, t.site}
	_, err = t.exec(`
		INSERT INTO alarm_hold (`+holdColumns+`, site) VALUES (`+placeholders(len(args))+`)
		ON CONFLICT (site, key, kind) DO UPDATE SET
			made_by = excluded.made_by, reason = excluded.reason, cause = excluded.cause, order_id = excluded.order_id,
			since = excluded.since, until = excluded.until, one_shot = excluded.one_shot`,
		args, "keep that %s is %s", h.Key, h.Kind)
	return err
}

// EndHold lets go of what holds a key, and keeps the line of its history, whose ID and
// actor are filled in when they are empty. Where nothing of the kind holds it nothing
// changes, so that a replay is no error.
func (t *Tx) EndHold(key string, kind facility.AlarmState, e facility.HoldRecord) error {
	n, err := t.exec(`DELETE FROM alarm_hold WHERE site = $1 AND key = $2 AND kind = $3`,
		[]any{t.site, key, kind}, "keep that %s is not %s any more", key, kind)
	if err != nil || n == 0 {
		return err
	}
	_, err = t.addHoldEvent(e)
	return err
}

func (t *Tx) addHoldEvent(e facility.HoldRecord) (added bool, err error) {
	if e.At.IsZero() {
		return false, fmt.Errorf("history of what holds %s: %s has no time: %w", e.Key, e.Event, facility.ErrInvalid)
	}
	if e.ID, err = newID(e.ID); err != nil {
		return false, err
	}
	if e.Actor == "" {
		e.Actor = facility.SystemActor
	}
	n, err := t.exec(`
		INSERT INTO hold_event (site, id, key, alarm, at, actor, event, note, cause, order_id, until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (site, id) DO NOTHING`,
		[]any{
			t.site, e.ID, e.Key, nullable(e.Alarm), nanos(e.At), e.Actor, e.Event, e.Note, e.Cause,
			nullable(e.Order), nanosOf(e.Until),
		}, "history of what holds %s: %s", e.Key, e.Event)
	return n > 0, err
}

// HoldEvents returns the history of what held a key, newest first; an empty key is all
// of them. A limit of 0 is 100, the most is 1000.
func (l *Ledger) HoldEvents(ctx context.Context, key string, limit int) ([]facility.HoldRecord, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	r := l.read()
	var c conditions
	c.add("site = ?", r.site)
	if key != "" {
		c.add("key = ?", key)
	}
	tail := " ORDER BY at DESC, id DESC LIMIT " + c.arg(min(limit, maxLimit))
	events, err := collect(ctx, r, func(row row) (facility.HoldRecord, error) {
		var e facility.HoldRecord
		err := row.Scan(&e.ID, &e.Key, asText{&e.Alarm}, asTime{&e.At}, &e.Actor, &e.Event, &e.Note, &e.Cause, asText{&e.Order}, asTimePtr{&e.Until})
		return e, err
	}, `SELECT id, key, alarm, at, actor, event, note, cause, order_id, until FROM hold_event `+c.where()+tail, c.args...)
	return events, failure(err, "history of what held %q", key)
}
