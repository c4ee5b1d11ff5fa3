package ledger

import (
	"database/sql"
	"errors"
	"fmt"
	"math"

	"gengfu/facility"
)

// SaveState keeps the judge's state under a name, in place of what was there.
func (t *Tx) SaveState(name string, data []byte) error {
	if data == nil {
		data = []byte{} // nil would be NULL
	}
	_, err := t.exec(`
		INSERT INTO judge_state (site, name, data, updated_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (site, name) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at`,
		[]any{t.site, name, data, nanos(t.now())}, "save state %s", name)
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
