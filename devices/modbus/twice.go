package modbus

import (
	"context"
	"slices"
	"time"
)

// said is the last reply that was taken for that to a request, to know it when it
// comes again.
type said struct {
	body []byte // empty for none, or when it has come again
	at   time.Time
}

// hear takes the body of a reply, into the room of the one before.
func (s *said) hear(body []byte, at time.Time) { s.body, s.at = append(s.body[:0], body...), at }

func (s *said) forget() { s.body = s.body[:0] }

// twice is what is known of a slave of which replies come twice, because of a
// converter that is set wrong or of a second one.
type twice struct {
	run    int           // replies in a row that came twice
	missed int           // and that did not, of a slave that is known for it
	delay  time.Duration // the longest from the end of a reply to the end of its second
}

// A slave is known for replies that come twice after so many in a row, and until as
// many did not.
const inARow = 3

// longestSecond is how long after a reply its second one may end.
const longestSecond = 500 * time.Millisecond

// turn makes room for the next reply, when the last one becomes the former.
func (m *Master) turn() {
	if b := m.former.body; len(b) > 0 {
		if t := m.twice[b[0]]; t != nil && !t.known() {
			t.run = 0
		}
	}
	m.former, m.last = m.last, m.former
	m.last.forget()
}

func (t *twice) known() bool { return t != nil && t.run >= inARow }

// again reports whether the body is one of the last two replies, come a second
// time. After its second nothing more comes of it.
func (m *Master) again(body []byte, at time.Time) bool {
	for _, s := range []*said{&m.last, &m.former} {
		if len(s.body) == 0 || !slices.Equal(s.body, body) || at.Sub(s.at) > longestSecond {
			continue
		}
		m.seen(s, at)
		return true
	}
	return false
}

// taken says that the reply to the last request is doubted. When it is the one
// before, that has come again.
func (m *Master) taken() {
	if len(m.former.body) > 0 && slices.Equal(m.last.body, m.former.body) && m.last.at.Sub(m.former.at) <= longestSecond {
		m.seen(&m.former, m.last.at)
		m.last.forget()
	}
}

// seen notes that a reply has come again.
func (m *Master) seen(s *said, at time.Time) {
	unit := s.body[0]
	s.forget()
	m.counters.Twice++
	t := m.twice[unit]
	if t == nil {
		t = &twice{}
		m.twice[unit] = t
	}
	t.run, t.missed = t.run+1, 0
	t.delay = max(t.delay, at.Sub(s.at))
	if t.run == inARow {
		m.lost.forgive(unit)
	}
}

// second hears out the second reply of a slave that is known for it, so that it is
// not taken for another. When it does not come, it may come later.
func (m *Master) second(ctx context.Context, e expected) error {
	w := m.twice[e.unit]
	if !w.known() {
		return nil
	}
	const margin = 10 * time.Millisecond
	if err := m.bus.Listen(ctx, m.last.at.Add(max(w.delay*5/4, m.wireTime(e))+margin)); err != nil {
		return err
	}
	if len(m.last.body) == 0 || refusal(m.last.body) {
		return nil
	}
	now := time.Now()
	m.lost.add(lost{shape: e, sent: m.bus.Sent(), passed: true, ends: now.Add(repeatable)}, now, 0)
	if w.missed++; w.missed == inARow {
		delete(m.twice, e.unit)
	}
	return nil
}

// TwiceTold reports whether every reply of the slave comes twice, as from a converter
// that is set wrong.
func (m *Master) TwiceTold(unit byte) bool { return m.twice[unit].known() }
