package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gengfu/facility"
)

const roundColumns = `id, plan, route, name_zh, name_en, starts_at, ends_at, tolerance, grace, in_order, assignee, state`

func scanRound(row row) (facility.Round, error) {
	var r facility.Round
	err := row.Scan(&r.ID, &r.Plan, &r.Route, &r.Name.ZH, &r.Name.EN, asTime{&r.Start}, asTime{&r.End},
		&r.Tolerance, &r.Grace, &r.InOrder, &r.Assignee, &r.State)
	return r, err
}

// Rounds returns those that start in [from, to), by start.
func (l *Ledger) Rounds(ctx context.Context, from, to time.Time) (rounds []facility.Round, err error) {
	// A round and its visits are two queries, and must be of one moment.
	err = l.View(ctx, func(t *Tx) error {
		rounds, err = t.RoundsBetween(from, to)
		return err
	})
	return rounds, err
}

// RoundsBetween returns those that start in [from, to), by start.
func (t *Tx) RoundsBetween(from, to time.Time) ([]facility.Round, error) {
	return t.rounds("starts_at >= $2 AND starts_at < $3", nanos(from), nanos(to))
}

// Round returns one round with its visits, or facility.ErrNotFound.
func (t *Tx) Round(id string) (facility.Round, error) {
	rounds, err := t.rounds("id = $2", id)
	if err != nil {
		return facility.Round{}, err
	}
	if len(rounds) == 0 {
		return facility.Round{}, fmt.Errorf("round %s: %w", id, facility.ErrNotFound)
	}
	return rounds[0], nil
}

func (t *Tx) rounds(where string, args ...any) ([]facility.Round, error) {
	args = append([]any{t.site}, args...)
	rounds, err := collect(t.ctx, t.register, scanRound,
		`SELECT `+roundColumns+` FROM patrol_round WHERE site = $1 AND `+where+` ORDER BY starts_at, id`, args...)
	if err != nil {
		return nil, failure(err, "read rounds")
	}
	at := make(map[string]*facility.Round, len(rounds))
	for i := range rounds {
		at[rounds[i].ID] = &rounds[i]
	}
	_, err = collect(t.ctx, t.register, func(row row) (struct{}, error) {
		var round string
		var v facility.Visit
		err := row.Scan(&round, &v.Checkpoint, &v.Verdict, &v.OutOfOrder, &v.Tap, asTimePtr{&v.TappedAt}, &v.By, &v.Corrected)
		if err != nil {
			return struct{}{}, err
		}
		at[round].Visits = append(at[round].Visits, v)
		return struct{}{}, nil
	}, `SELECT round, checkpoint, verdict, out_of_order, tap, tapped_at, made_by, corrected FROM visit
		WHERE site = $1 AND round IN (SELECT id FROM patrol_round WHERE site = $1 AND `+where+`)
		ORDER BY round, position`, args...)
	if err != nil {
		return nil, failure(err, "read visits")
	}
	return rounds, nil
}

// SaveRound keeps the round with its visits as they are now, a new one or one
// that was kept before. What was frozen when it was first kept (plan, route,
// times, tolerance) stays.
func (t *Tx) SaveRound(r facility.Round) error {
	args := []any{
		r.ID, r.Plan, r.Route, r.Name.ZH, r.Name.EN, nanos(r.Start), nanos(r.End),
		r.Tolerance, r.Grace, r.InOrder, r.Assignee, r.State, t.site,
	}
	_, err := t.exec(`
		INSERT INTO patrol_round (`+roundColumns+`, site) VALUES (`+placeholders(len(args))+`)
		ON CONFLICT (site, id) DO UPDATE SET assignee = excluded.assignee, state = excluded.state`,
		args, "save round %s", r.ID)
	if err != nil {
		return err
	}
	for i, v := range r.Visits {
		_, err := t.exec(`
			INSERT INTO visit (site, round, position, checkpoint, verdict, out_of_order, tap, tapped_at, made_by, corrected)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (site, round, position) DO UPDATE SET
				checkpoint = excluded.checkpoint, verdict = excluded.verdict, out_of_order = excluded.out_of_order,
				tap = excluded.tap, tapped_at = excluded.tapped_at, made_by = excluded.made_by, corrected = excluded.corrected`,
			[]any{t.site, r.ID, i, v.Checkpoint, v.Verdict, v.OutOfOrder, v.Tap, nanosOf(v.TappedAt), v.By, v.Corrected},
			"save visit %d of round %s", i, r.ID)
		if err != nil {
			return err
		}
	}
	_, err = t.exec(`DELETE FROM visit WHERE site = $1 AND round = $2 AND position >= $3`,
		[]any{t.site, r.ID, len(r.Visits)}, "save visits of round %s", r.ID)
	return err
}

// InsertTap keeps a tap with what the judge made of it, and reports false when
// the tap is there already: the first telling counts.
func (t *Tx) InsertTap(j facility.JudgedTap) (inserted bool, err error) {
	n, err := t.exec(`
		INSERT INTO tap (site, `+tapColumns+`) VALUES (`+placeholders(15)+`) ON CONFLICT (site, id) DO NOTHING`,
		[]any{
			t.site, j.Tap.ID, j.Tap.Source, j.Tap.Reader, j.Tap.Credential, j.Tap.Checkpoint, j.Tap.Person,
			nanos(j.Tap.TappedAt), nanos(j.Tap.SentAt), nanos(j.Tap.ReceivedAt),
			j.Checkpoint, j.Person, j.Round, j.Verdict, joinFlags(j.Flags),
		}, "keep tap %s", j.Tap.ID)
	return n > 0, err
}

const tapColumns = `id, source, reader, credential, checkpoint, person, tapped_at, sent_at, received_at,
	judged_checkpoint, judged_person, round, verdict, flags`

// Taps returns those tapped in [from, to), newest first. A tap whose device told
// no time counts by when it was received.
func (l *Ledger) Taps(ctx context.Context, from, to time.Time) ([]facility.JudgedTap, error) {
	taps, err := collect(ctx, l.read(), func(row row) (facility.JudgedTap, error) {
		var j facility.JudgedTap
		var flags string
		err := row.Scan(&j.Tap.ID, &j.Tap.Source, &j.Tap.Reader, &j.Tap.Credential, &j.Tap.Checkpoint, &j.Tap.Person,
			asTime{&j.Tap.TappedAt}, asTime{&j.Tap.SentAt}, asTime{&j.Tap.ReceivedAt},
			&j.Checkpoint, &j.Person, &j.Round, &j.Verdict, &flags)
		j.Flags = splitFlags(flags)
		return j, err
	}, `SELECT `+tapColumns+` FROM tap
		WHERE site = $1 AND (tapped_at >= $2 AND tapped_at < $3 OR
			tapped_at IS NULL AND received_at >= $2 AND received_at < $3)
		ORDER BY COALESCE(tapped_at, received_at) DESC, id DESC`, l.site, nanos(from), nanos(to))
	return taps, failure(err, "read taps")
}

func joinFlags(flags []facility.TapFlag) string {
	words := make([]string, len(flags))
	for i, f := range flags {
		words[i] = string(f)
	}
	return strings.Join(words, ",")
}

func splitFlags(s string) []facility.TapFlag {
	if s == "" {
		return nil
	}
	var flags []facility.TapFlag
	for word := range strings.SplitSeq(s, ",") {
		flags = append(flags, facility.TapFlag(word))
	}
	return flags
}
