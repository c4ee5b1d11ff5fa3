package hub

import (
	"encoding/json"
	"fmt"

	"gengfu/facility"
	"gengfu/gateway/payload"
	"gengfu/storage/ledger"
)

// maxEarly is how many batches may wait for the judge outside the journal.
const maxEarly = 16

const stateEarly = "early"

// Ahead shows urgent facts that the journal cannot take now, and has them judged.
// It reports whether they are: if not they are to be brought again. In the end they
// come through the journal, which changes nothing any more.
func (h *Hub) Ahead(head payload.Header, readings []facility.Reading, taps []facility.Tap) bool {
	f := newFact(head, readings, taps, head.Received)
	h.show(f.readings)
	select {
	case h.judge.urgent <- f:
		return true
	default:
		return false
	}
}

// early knows which facts were judged before they came through the journal: up to
// which sequence of their source. It is kept in the transaction of what followed
// from them.
type early struct {
	upTo    map[string]uint64
	changed bool
}

// judged notes that a fact from outside the journal is judged, and reports false
// when it was before.
func (e *early) judged(f fact) bool {
	if f.seq <= e.upTo[f.source] {
		return false
	}
	if e.upTo == nil {
		e.upTo = map[string]uint64{}
	}
	e.upTo[f.source], e.changed = f.seq, true
	return true
}

// knew reports whether a fact of the journal was judged before.
func (e *early) knew(f fact) bool {
	upTo, ok := e.upTo[f.source]
	if ok && f.seq >= upTo { // nothing that was comes after it
		delete(e.upTo, f.source)
		e.changed = true
	}
	return ok && f.seq <= upTo
}

func (e *early) save(tx *ledger.Tx) error {
	if !e.changed {
		return nil
	}
	data, err := json.Marshal(e.upTo)
	if err != nil {
		return fmt.Errorf("keep what was judged early: %w", err)
	}
	return tx.SaveState(stateEarly, data)
}

func (e *early) saved() { e.changed = false }

func (e *early) restore(tx *ledger.Tx) error {
	data, err := tx.State(stateEarly)
	if err != nil || len(data) == 0 {
		return err
	}
	if err := json.Unmarshal(data, &e.upTo); err != nil {
		return fmt.Errorf("take up what was judged early: %w", err)
	}
	return nil
}
