package modbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gengfu/devices/profile"
)

// readGuarded reads what a late reply could be taken for: it reads more than is
// wanted, so that the late one has another length. Where the slave does not give
// more, its answer to some other request, after the late one was let pass, says that
// nothing that was asked before comes any more: slaves answer in order. What is read
// is believed also when it agrees with a reply that was in doubt.
func (m *Master) readGuarded(ctx context.Context, r Request, t Timing, words []uint16, doubted []byte) error {
	m.counters.Resyncs++
	data, err := m.readWider(ctx, r, t, doubted)
	if errors.Is(err, errNoWider) {
		data, err = m.readAlike(ctx, r, t, doubted)
	}
	if data, err = m.meet(ctx, r, t, data, err); err != nil {
		return fmt.Errorf("%s: after a lost reply: %w", r, err)
	}
	m.told.note(r, data, time.Now())
	r.unpack(data, words)
	return nil
}

// harmless is how many bytes of noise before a reply are nothing to wonder about:
// drivers that switch on and off leave one or two.
const harmless = 3

// mostDoubts is how many replies are doubted in a row, mostRefusals how many
// requests for more are refused until none is made any more: one that reads on
// beyond what was wanted, and one that begins before it.
const (
	mostDoubts   = 3
	mostRefusals = 2
)

// doubts reports whether a reply that looks right may be of another request: the
// one before come twice, or another master's whose request was not understood. Its
// like is then not asked for again for a while.
//
// One that says what the same request brought a short while ago is believed, but it may
// be that reply, come again. Its own is then still under way, and until that has come
// nothing of its shape is asked for.
func (m *Master) doubts(r Request, data []byte, t Timing) bool {
	if m.opts.Framing == TCP {
		return false
	}
	now := time.Now()
	own := lost{shape: r.expected(), sent: m.bus.Sent(), passed: true}
	calm, said := m.calm(r.Unit, now), repeats
	if m.spurious <= harmless {
		said = m.told.judge(r, data, calm, now)
	}
	switch {
	case said == repeats:
		m.taken()
		own.ends = now.Add(repeatable)
	case said == same && (!calm || slices.Equal(m.former.body, m.last.body)):
		own.ends = m.bus.Sent().Add(m.patience(own.shape, t))
	default:
		return false
	}
	m.lost.add(own, now, 0)
	return said == repeats
}

// readAlike asks the same again, when nothing else should be taken for its reply. It
// listens for a second one: then one of the two was late after all.
func (m *Master) readAlike(ctx context.Context, r Request, t Timing, doubted []byte) ([]byte, error) {
	e := r.expected()
	if err := m.opts.Wait(ctx, m.lost.of(e).until); err != nil {
		return nil, err
	}
	if err := m.sync(ctx, r, t); err != nil {
		return nil, err
	}
	for range mostDoubts {
		stale := m.counters.Stale
		data, err := m.read(ctx, r, t)
		if err != nil {
			return nil, err
		}
		if err := m.bus.Listen(ctx, m.bus.Sent().Add(m.patience(e, t))); err != nil {
			return nil, err
		}
		alone := m.counters.Stale == stale && m.spurious <= harmless
		if alone && (slices.Equal(data, doubted) || m.told.judge(r, data, false, time.Now()) != repeats) {
			return data, nil
		}
		doubted = data
	}
	return nil, m.failed(e, t, fmt.Errorf("more than one reply: %w", ErrGarbled))
}

// unlearned is how long a slave may take to answer, of which nothing was learned
// and which has just answered.
const unlearned = 50 * time.Millisecond

// patience returns how long after a request its own reply has ended.
func (m *Master) patience(e expected, t Timing) time.Duration {
	wait := unlearned
	if t.Pace != nil && t.Pace.Slowest() > 0 {
		wait = t.Pace.Slowest()*3/2 + 10*time.Millisecond
	}
	return min(wait, m.timeout(t)) + m.wireTime(e)
}

// errNoWider says that the slave does not give more than was wanted.
var errNoWider = errors.New("no wider request can be made")

func (m *Master) readWider(ctx context.Context, r Request, t Timing, doubted []byte) ([]byte, error) {
	if m.told.narrow[r] {
		return nil, errNoWider
	}
	doubts, refusals := 0, 0
	for w := range variants(r, true) {
		if !t.allows(w) || m.lost.ambiguous(w.expected(), time.Now()) {
			continue
		}
		data, err := m.read(ctx, w, t)
		switch {
		case err == nil:
			part := w.part(r, data)
			if !m.doubts(w, data, t) || slices.Equal(part, doubted) {
				return part, nil
			}
			doubted = part
			if doubts++; doubts == mostDoubts {
				return nil, fmt.Errorf("replies that may be of other requests: %w", ErrGarbled)
			}
		case !m.refusedWider(err):
			return nil, err
		case errors.Is(err, ErrGarbled): // it may be of an earlier request
			return nil, errNoWider
		default:
			if refusals++; refusals == mostRefusals {
				m.told.narrow[r] = true
				return nil, errNoWider
			}
		}
	}
	return nil, errNoWider
}

// refusedWider reports whether a slave does not give more than was wanted, which
// is then not counted: nobody but the master wanted it.
func (m *Master) refusedWider(err error) bool {
	var refused Exception
	if !errors.As(err, &refused) || refused.Later() || refused.Unreached() {
		return false
	}
	m.uncount(err)
	return true
}

// uncount takes back a refusal of what nobody but the master wanted.
func (m *Master) uncount(err error) {
	if errors.Is(err, ErrGarbled) {
		m.counters.Garbled--
	} else {
		m.counters.Exceptions--
	}
}

// sync gets an answer to a request whose reply no late one can be taken for.
func (m *Master) sync(ctx context.Context, r Request, t Timing) error {
	if !m.lost.unpassed(r.Unit, time.Now()) {
		return nil
	}
	if s, _, ok := m.another(r, t); ok {
		return m.answer(ctx, s, t)
	}
	return fmt.Errorf("too many lost replies: %w", ErrTimeout)
}

// answer makes a request of which only that it is answered matters.
func (m *Master) answer(ctx context.Context, r Request, t Timing) error {
	_, err := m.read(ctx, r, t)
	var refused Exception
	if !errors.As(err, &refused) || refused.Unreached() {
		return err
	}
	m.uncount(err)
	m.lost.answered(r.Unit, time.Now())
	return nil
}

// part returns the data of a narrower request out of those of the request.
func (r Request) part(narrow Request, data []byte) []byte {
	from := int(narrow.Address - r.Address)
	if r.Table.Bits() {
		return data[from/8 : from/8+int(narrow.count())]
	}
	return data[2*from : 2*from+int(narrow.count())]
}

// variants returns the requests that read more than r, r among it, or less than r
// at its beginning, the nearest first. Their replies have other lengths.
func variants(r Request, wider bool) func(yield func(Request) bool) {
	step, most := 1, profile.MaxRegisters
	if r.Table.Bits() {
		step, most = 8, profile.MaxBits
	}
	// Some slaves hold pairs of registers and refuse odd quantities.
	if r.Quantity%2 == 0 && step == 1 {
		step = 2
	}
	return func(yield func(Request) bool) {
		for d := step; d < most; d += step {
			candidates := []Request{{r.Unit, r.Table, r.Address, r.Quantity - uint16(d)}}
			if wider {
				candidates = []Request{
					{r.Unit, r.Table, r.Address, r.Quantity + uint16(d)},
					{r.Unit, r.Table, r.Address - uint16(d), r.Quantity + uint16(d)},
				}
			}
			for _, c := range candidates {
				if (wider || d < int(r.Quantity)) && c.Address <= r.Address && c.validate() == nil && !yield(c) {
					return
				}
			}
		}
	}
}
