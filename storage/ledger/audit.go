package ledger

import (
	"context"

	"gengfu/facility"
)

// Audit adds an entry. An empty ID or time is filled in.
func (l *Ledger) Audit(ctx context.Context, e facility.AuditEntry) error {
	return l.Update(ctx, func(t *Tx) error { return t.Audit(e) })
}

// Audit does the same within a transaction, so that a deed and its entry stand
// or fall together.
func (t *Tx) Audit(e facility.AuditEntry) error {
	id, err := newID(e.ID)
	if err != nil {
		return err
	}
	if e.At.IsZero() {
		e.At = t.now()
	}
	_, err = t.exec(`
		INSERT INTO audit (site, id, at, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		[]any{t.site, id, nanos(e.At), e.Actor, e.Action, e.Target, e.Detail}, "audit %s of %s", e.Action, e.Actor)
	return err
}

// AuditLog returns the entries, newest first.
func (l *Ledger) AuditLog(ctx context.Context, page facility.Page) ([]facility.AuditEntry, error) {
	r := l.read()
	var c conditions
	c.add("site = ?", r.site)
	tail, err := r.page(ctx, &c, "audit", "at", page)
	if err != nil {
		return nil, err
	}
	entries, err := collect(ctx, r, func(row row) (facility.AuditEntry, error) {
		var e facility.AuditEntry
		err := row.Scan(&e.ID, asTime{&e.At}, &e.Actor, &e.Action, &e.Target, &e.Detail)
		return e, err
	}, `SELECT id, at, actor, action, target, detail FROM audit `+c.where()+tail, c.args...)
	return entries, failure(err, "read the audit log")
}
