package modbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gengfu/devices/bus"
)

// unmet reports whether what looks like a reply of the slave may be to somebody
// else's request, of before the line was opened: its own has not been told from that
// yet on this connection.
func (m *Master) unmet(unit byte) bool {
	if m.opts.Framing == TCP {
		return false
	}
	at, line := m.bus.Attached()
	return m.met[unit] != line && time.Since(at) < lateness
}

// meet tells the first reply of a slave on a connection, or its refusal, from a late
// one to what was asked before the line was opened, by whomever: of what nobody here
// has asked, the length cannot be known. The slave is asked for something of another
// length. It answers in order, so that its own reply, if that was not it, comes
// before the answer.
func (m *Master) meet(ctx context.Context, r Request, t Timing, data []byte, err error) ([]byte, error) {
	var refused Exception
	told := err == nil || errors.As(err, &refused) && !refused.Later() && !refused.Unreached() && !errors.Is(err, ErrGarbled)
	if !told || !m.unmet(r.Unit) {
		return data, err
	}
	before := m.strays(r.Unit)
	switch answered, failure := m.otherwise(ctx, r, t); {
	case failure != nil:
		return nil, failure
	case !answered && err != nil:
		return nil, err // it refuses all that it is asked
	case !answered:
		if data, err = m.alone(ctx, r, t); err != nil {
			return nil, err
		}
	}
	if m.strays(r.Unit)-before > harmless {
		return nil, m.failed(r.expected(), t, fmt.Errorf("a reply that was on its way before the line was opened: %w", ErrGarbled))
	}
	_, m.met[r.Unit] = m.bus.Attached()
	return data, err
}

// strays counts the bytes that came and may have been a reply of the slave.
func (m *Master) strays(unit byte) uint64 { return m.strange[unit] + m.noise }

// otherwise has the slave answer something of another length than the request;
// false when there is nothing that it could be asked, or when it is silent about
// what was not wanted.
func (m *Master) otherwise(ctx context.Context, r Request, t Timing) (answered bool, err error) {
	s, wider, ok := m.another(r, t)
	if !ok {
		return false, nil
	}
	err = m.answer(ctx, s, t)
	if wider && errors.Is(err, ErrTimeout) && !errors.Is(err, bus.ErrUnsent) {
		return false, nil
	}
	return err == nil, err
}

// another returns a request whose reply no other can be taken for.
func (m *Master) another(r Request, t Timing) (s Request, wider, ok bool) {
	for _, wider := range []bool{false, true} {
		for s := range variants(r, wider) {
			if (!wider || t.allows(s)) && !m.lost.ambiguous(s.expected(), time.Now()) {
				return s, wider, true
			}
		}
	}
	return s, false, false
}

// alone makes the request and listens whether another reply comes.
func (m *Master) alone(ctx context.Context, r Request, t Timing) ([]byte, error) {
	data, err := m.read(ctx, r, t)
	if err != nil {
		return nil, err
	}
	return data, m.bus.Listen(ctx, m.bus.Sent().Add(m.timeout(t)+m.wireTime(r.expected())))
}
