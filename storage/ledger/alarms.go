package ledger

import (
	"context"

	"gengfu/facility"
)

// standing is "not normal" in SQL, word for word as in the partial index.
const standing = "state <> 'normal'"

const alarmColumns = `id, key, rule, device, place, checkpoint, round, title_zh, title_en, advice_zh, advice_en,
	priority, state, is_unknown, value, unit, occurrences, raised_at, last_at, cleared_at, acked_at, acked_by, ack_note, order_id`

func scanAlarm(row row) (facility.Alarm, error) {
	var a facility.Alarm
	err := row.Scan(&a.ID, &a.Key, &a.Rule, &a.Device, &a.Place, &a.Checkpoint, &a.Round,
		&a.Title.ZH, &a.Title.EN, &a.Advice.ZH, &a.Advice.EN,
		&a.Priority, &a.State, &a.Unknown, &a.Value, &a.Unit, &a.Count, asTime{&a.RaisedAt}, asTime{&a.LastAt},
		asTimePtr{&a.ClearedAt}, asTimePtr{&a.AckedAt}, &a.AckedBy, &a.AckNote, asText{&a.OrderID})
	return a, err
}

// Alarms returns alarms, the last raised first.
func (l *Ledger) Alarms(ctx context.Context, f facility.AlarmFilter) ([]facility.Alarm, error) {
	r := l.read()
	var c conditions
	c.add("site = ?", r.site)
	if f.Standing {
		c.add(standing)
	}
	if f.Device != "" {
		c.add("device = ?", f.Device)
	}
	tail, err := r.page(ctx, &c, "alarm", "raised_at", f.Page)
	if err != nil {
		return nil, err
	}
	alarms, err := collect(ctx, r, scanAlarm, `SELECT `+alarmColumns+` FROM alarm `+c.where()+tail, c.args...)
	if err != nil {
		return nil, failure(err, "list alarms")
	}
	return r.withHolds(ctx, alarms)
}

// Alarm returns one alarm, or facility.ErrNotFound.
func (l *Ledger) Alarm(ctx context.Context, id string) (facility.Alarm, error) {
	return l.read().alarm(ctx, id)
}

// Alarm returns one alarm, or facility.ErrNotFound.
func (t *Tx) Alarm(id string) (facility.Alarm, error) { return t.alarm(t.ctx, id) }

func (r register) alarm(ctx context.Context, id string) (facility.Alarm, error) {
	held := false // as it mostly is not, and each change of an alarm asks
	a, err := scanAlarm(rowAnd{r.db.QueryRowContext(ctx, `
		SELECT `+alarmColumns+`, EXISTS (SELECT 1 FROM alarm_hold h WHERE h.site = alarm.site AND h.key = alarm.key)
		FROM alarm WHERE site = $1 AND id = $2`, r.site, id), &held})
	if err != nil {
		return facility.Alarm{}, failure(err, "alarm %s", id)
	}
	if held {
		a.Holds, err = r.holdsWhere(ctx, "key = $2", a.Key)
	}
	return a, err
}

// rowAnd is a row with one column more than is scanned.
type rowAnd struct {
	row
	last any
}

func (r rowAnd) Scan(dest ...any) error { return r.row.Scan(append(dest, r.last)...) }

// StandingAlarms returns all alarms that are not normal, the last raised first.
func (t *Tx) StandingAlarms() ([]facility.Alarm, error) {
	return t.alarmsWhere(t.ctx, standing)
}

// OrderAlarms returns the alarms that are about the order, the last raised first.
func (l *Ledger) OrderAlarms(ctx context.Context, id string) ([]facility.Alarm, error) {
	return l.read().alarmsWhere(ctx, "order_id = $2", id)
}

func (r register) alarmsWhere(ctx context.Context, where string, args ...any) ([]facility.Alarm, error) {
	alarms, err := collect(ctx, r, scanAlarm, `
		SELECT `+alarmColumns+` FROM alarm WHERE site = $1 AND `+where+` ORDER BY raised_at DESC, id DESC`,
		append([]any{r.site}, args...)...)
	if err != nil {
		return nil, failure(err, "read alarms")
	}
	return r.withHolds(ctx, alarms)
}

// SaveAlarm keeps the alarm as it is now, a new one or one that was kept before;
// its ID, key, rule and first raising never change. It fails with
// facility.ErrConflict when another alarm with its key is standing.
func (t *Tx) SaveAlarm(a facility.Alarm) error {
	args := []any{
		a.ID, a.Key, a.Rule, a.Device, a.Place, a.Checkpoint, a.Round,
		a.Title.ZH, a.Title.EN, a.Advice.ZH, a.Advice.EN,
		a.Priority, a.State, a.Unknown, a.Value, a.Unit, a.Count, nanos(a.RaisedAt), nanos(a.LastAt),
		nanosOf(a.ClearedAt), nanosOf(a.AckedAt), a.AckedBy, a.AckNote, nullable(a.OrderID), t.site,
	}
	_, err := t.exec(`
		INSERT INTO alarm (`+alarmColumns+`, site) VALUES (`+placeholders(len(args))+`)
		ON CONFLICT (site, id) DO UPDATE SET
			device = excluded.device, place = excluded.place, checkpoint = excluded.checkpoint, round = excluded.round,
			title_zh = excluded.title_zh, title_en = excluded.title_en,
			advice_zh = excluded.advice_zh, advice_en = excluded.advice_en,
			priority = excluded.priority, state = excluded.state, is_unknown = excluded.is_unknown,
			value = excluded.value, unit = excluded.unit, occurrences = excluded.occurrences, last_at = excluded.last_at,
			cleared_at = excluded.cleared_at, acked_at = excluded.acked_at, acked_by = excluded.acked_by,
			ack_note = excluded.ack_note, order_id = excluded.order_id`,
		args, "save alarm %s (%s)", a.ID, a.Key)
	return err
}

// AddAlarmEvent adds a line to an alarm's history. An empty ID or actor is filled
// in. A line whose ID is there already is passed over, so that a replay is no
// error.
func (t *Tx) AddAlarmEvent(e facility.AlarmRecord) error {
	id, err := newID(e.ID)
	if err != nil {
		return err
	}
	if e.Actor == "" {
		e.Actor = facility.SystemActor
	}
	_, err = t.exec(`
		INSERT INTO alarm_event (site, id, alarm, at, actor, event, from_state, to_state, value, note)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (site, id) DO NOTHING`,
		[]any{t.site, id, e.Alarm, nanos(e.At), e.Actor, e.Event, e.From, e.To, e.Value, e.Note},
		"history of alarm %s: %s", e.Alarm, e.Event)
	return err
}

// AlarmEvents returns the history of an alarm, oldest first.
func (l *Ledger) AlarmEvents(ctx context.Context, id string) ([]facility.AlarmRecord, error) {
	events, err := collect(ctx, l.read(), func(row row) (facility.AlarmRecord, error) {
		e := facility.AlarmRecord{Alarm: id}
		err := row.Scan(&e.ID, asTime{&e.At}, &e.Actor, &e.Event, &e.From, &e.To, &e.Value, &e.Note, asTimePtr{&e.Until})
		return e, err
	}, `SELECT e.id, e.at, e.actor, e.event, e.from_state, e.to_state, e.value, e.note, (
			SELECT MAX(h.until) FROM hold_event h
			WHERE h.site = e.site AND h.key = a.key AND h.at = e.at AND h.event = e.event AND h.event IN ('shelve', 'take_out'))
		FROM alarm_event e JOIN alarm a ON a.site = e.site AND a.id = e.alarm
		WHERE e.site = $1 AND e.alarm = $2 ORDER BY e.at, e.id`, l.site, id)
	return events, failure(err, "history of alarm %s", id)
}
