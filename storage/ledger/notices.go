package ledger

import (
	"context"

	"gengfu/facility"
)

// AddNotice keeps that people were told. An empty ID is filled in. A notice that is
// kept already is passed over, so that a replay is no error. It fails with
// facility.ErrInvalid when it is of no alarm.
func (t *Tx) AddNotice(n facility.Notice) error {
	id, err := newID(n.ID)
	if err != nil {
		return err
	}
	added, err := t.exec(`
		INSERT INTO notice (site, id, at, priority, flood, alarms) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (site, id) DO NOTHING`,
		[]any{t.site, id, nanos(n.At), n.Priority, n.Flood, len(n.Alarms)}, "notice %s", id)
	if err != nil || added == 0 {
		return err
	}
	for i, a := range n.Alarms {
		if _, err := t.exec(`
			INSERT INTO notice_alarm (site, notice, position, alarm, key, title_zh, title_en, priority, gone, follow)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			[]any{t.site, id, i, a.Alarm, a.Key, a.Title.ZH, a.Title.EN, a.Priority, a.Gone, a.Follow},
			"notice %s of alarm %s", id, a.Key); err != nil {
			return err
		}
	}
	return nil
}

// Notices returns what people were told, newest first.
func (l *Ledger) Notices(ctx context.Context, p facility.Page) ([]facility.Notice, error) {
	r := l.read()
	var c conditions
	c.add("site = ?", r.site)
	tail, err := r.page(ctx, &c, "notice", "at", p)
	if err != nil {
		return nil, err
	}
	notices, err := collect(ctx, r, func(row row) (facility.Notice, error) {
		var n facility.Notice
		err := row.Scan(&n.ID, asTime{&n.At}, &n.Priority, &n.Flood)
		return n, err
	}, `SELECT id, at, priority, flood FROM notice `+c.where()+tail, c.args...)
	if err != nil {
		return nil, failure(err, "list notices")
	}
	for i := range notices {
		n := &notices[i]
		n.Alarms, err = collect(ctx, r, func(row row) (facility.NoticeAlarm, error) {
			var a facility.NoticeAlarm
			err := row.Scan(&a.Alarm, &a.Key, &a.Title.ZH, &a.Title.EN, &a.Priority, &a.Gone, &a.Follow)
			return a, err
		}, `SELECT alarm, key, title_zh, title_en, priority, gone, follow
			FROM notice_alarm WHERE site = $1 AND notice = $2 ORDER BY position`, r.site, n.ID)
		if err != nil {
			return nil, failure(err, "alarms of notice %s", n.ID)
		}
	}
	return notices, nil
}
