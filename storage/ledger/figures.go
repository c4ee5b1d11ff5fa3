package ledger

import (
	"context"
	"time"

	"gengfu/facility"
)

// AlarmLine is one thing that the histories tell of a key.
type AlarmLine struct {
	At       time.Time
	Alarm    string // id, empty for what held a key without an alarm
	Key      string
	Event    facility.AlarmEvent // empty: people were told of it
	To       facility.AlarmState // of the alarm itself after it; empty where only a hold or a telling is told of
	Priority facility.Priority   // empty for holds
	Told     bool
}

// What is live in a period is what has a line in it, and what stands. Of that all is
// told, from its first line on. Before the first notice was kept people were told of
// each raise, and nothing says so but the raise, unless a notice tells of the alarm too.
const alarmLines = `
	WITH live (id) AS MATERIALIZED (
		SELECT id FROM alarm WHERE site = $1 AND ` + standing + ` AND raised_at < $3
		UNION SELECT alarm FROM alarm_event WHERE site = $1 AND at >= $2
	), said (since) AS MATERIALIZED (
		SELECT MIN(at) FROM notice WHERE site = $1
	)
	SELECT e.at AS at, 0 AS part, e.alarm, a.key, e.event, e.to_state, a.priority,
			e.event IN ('raise', 'recur', 'realarm') AND e.at < COALESCE(said.since, $3)
				AND NOT EXISTS (SELECT 1 FROM notice_alarm x WHERE x.site = $1 AND x.alarm = e.alarm), e.id AS id
		FROM live CROSS JOIN said JOIN alarm a ON a.site = $1 AND a.id = live.id
		JOIN alarm_event e ON e.site = $1 AND e.alarm = live.id
		WHERE e.at < $3
	UNION ALL
	SELECT h.at, 1, COALESCE(h.alarm, ''), h.key, h.event, '', '', 0, h.id
		FROM hold_event h
		WHERE h.site = $1 AND h.at < $3 AND h.key IN (SELECT a.key FROM live JOIN alarm a ON a.site = $1 AND a.id = live.id)
	UNION ALL
	SELECT n.at, 2, x.alarm, x.key, '', '', x.priority, 1, n.id
		FROM live JOIN notice_alarm x ON x.site = $1 AND x.alarm = live.id JOIN notice n ON n.site = $1 AND n.id = x.notice
		WHERE n.at < $3
	ORDER BY at, part, id`

// AlarmLines returns what happened in [from, to) to alarms, to what held them and of
// telling people, in the order of time, and of every alarm that there was then also what
// had happened to it before.
func (l *Ledger) AlarmLines(ctx context.Context, from, to time.Time) ([]AlarmLine, error) {
	lines, err := collect(ctx, l.read(), func(row row) (AlarmLine, error) {
		var a AlarmLine
		var part int
		var id string
		err := row.Scan(asTime{&a.At}, &part, &a.Alarm, &a.Key, &a.Event, &a.To, &a.Priority, &a.Told, &id)
		return a, err
	}, alarmLines, l.site, nanos(from), nanos(to))
	return lines, failure(err, "what happened to alarms from %v to %v", from, to)
}

// Begun returns when the ledger began to know of anything: its first line of the audit
// log or of an alarm. The time is zero while it knows of nothing.
func (l *Ledger) Begun(ctx context.Context) (time.Time, error) {
	r := l.read()
	var at time.Time
	err := r.db.QueryRowContext(ctx, `
		SELECT MIN(at) FROM (
			SELECT MIN(at) AS at FROM audit WHERE site = $1
			UNION ALL SELECT MIN(at) FROM alarm_event WHERE site = $1)`, r.site).Scan(asTime{&at})
	return at, failure(err, "read when the ledger began")
}
