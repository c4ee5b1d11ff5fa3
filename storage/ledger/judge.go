package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"math"

	"gengfu/facility"
)

// SaveState keeps the judge's state under a name, in place of what was there and of its
// parts.
func (t *Tx) SaveState(name string, data []byte) error {
	if data == nil {
		data = []byte{} // nil would be NULL
	}
	_, err := t.exec(`
		INSERT INTO judge_state (site, name, data, updated_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (site, name) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`,
		[]any{t.site, name, data, nanos(t.now())}, "save state %s", name)
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM judge_part WHERE site = $1 AND name = $2`, []any{t.site, name}, "forget the parts of state %s", name)
	return err
}

// trimmed is how many old parts go with a new one, so that none waits for many.
const trimmed = 4

// AddToState keeps what changed of the state under a name since it was saved, behind
// what was added before.
func (t *Tx) AddToState(name string, part []byte) error {
	_, err := t.exec(`
		INSERT INTO judge_part (site, name, seq, data)
		SELECT $1, $2, COALESCE(MAX(seq), 0) + 1, $3 FROM judge_part WHERE site = $1 AND name = $2`,
		[]any{t.site, name, part}, "add to state %s", name)
	return err
}

// SavePart does so for whoever numbers the parts, from 1: one of the same sequence that is
// there is replaced, and some of those below before, the lowest first, go.
func (t *Tx) SavePart(name string, seq, before uint64, part []byte) error {
	if seq > math.MaxInt64 || before > math.MaxInt64 {
		return fmt.Errorf("save part %d of state %s: %w", seq, name, facility.ErrInvalid)
	}
	_, err := t.exec(`
		INSERT INTO judge_part (site, name, seq, data) VALUES ($1, $2, $3, $4)
		ON CONFLICT (site, name, seq) DO UPDATE SET data = excluded.data`,
		[]any{t.site, name, int64(seq), part}, "save part %d of state %s", seq, name)
	if err != nil || before <= 1 {
		return err
	}
	_, err = t.exec(`
		DELETE FROM judge_part WHERE site = $1 AND name = $2 AND seq < $3
		AND seq < (SELECT MIN(seq) FROM judge_part WHERE site = $1 AND name = $2) + $4`,
		[]any{t.site, name, int64(before), trimmed}, "forget old parts of state %s", name)
	return err
}

// State returns what SaveState kept under the name, nil when there is nothing.
func (t *Tx) State(name string) ([]byte, error) {
	var data []byte
	err := t.db.QueryRowContext(t.ctx, `SELECT data FROM judge_state WHERE site = $1 AND name = $2`, t.site, name).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return data, failure(err, "state %s", name)
}

// StateParts returns what AddToState or SavePart kept since the state was saved, in order.
func (t *Tx) StateParts(name string) ([][]byte, error) {
	parts, err := collect(t.ctx, t.register, func(r row) (data []byte, err error) {
		err = r.Scan(&data)
		return data, err
	}, `SELECT data FROM judge_part WHERE site = $1 AND name = $2 ORDER BY seq`, t.site, name)
	return parts, failure(err, "parts of state %s", name)
}

// SetCursor keeps the sequence number up to which something is done. It may also
// go back: a journal that begins a new epoch counts anew.
func (t *Tx) SetCursor(name string, seq uint64) error {
	if seq > math.MaxInt64 {
		return fmt.Errorf("set cursor %s to %d: %w", name, seq, facility.ErrInvalid)
	}
	_, err := t.exec(`
		INSERT INTO journal_cursor (site, name, seq) VALUES ($1, $2, $3)
		ON CONFLICT (site, name) DO UPDATE SET seq = excluded.seq`,
		[]any{t.site, name, int64(seq)}, "set cursor %s", name)
	return err
}

// Cursor returns what SetCursor kept under the name, 0 when there is nothing.
func (t *Tx) Cursor(name string) (uint64, error) {
	var seq int64
	err := t.db.QueryRowContext(t.ctx, `SELECT seq FROM journal_cursor WHERE site = $1 AND name = $2`, t.site, name).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, failure(err, "cursor %s", name)
	}
	return uint64(seq), nil // the table checks that it is not negative
}
