package modbus

import (
	"slices"
	"time"

	"gengfu/devices/bus"
)

// lateness is how long a reply may take and still be expected. A serial server
// that buffers, or a slave that hangs and wakes, is late by seconds.
const lateness = 30 * time.Second

// longestHold bounds Hold for slaves with a long timeout.
const longestHold = 2 * time.Second

// Hold returns how long a slave on a serial line is better left alone after a
// request that ran into its timeout, when nothing was learned of it: a reply that is
// only late then passes by.
func Hold(timeout time.Duration) time.Duration { return min(2*timeout, longestHold) }

// unanswered remembers the requests over serial lines whose reply may still come.
// There is no transaction id, so that a late reply is told from the one that is
// waited for only by slave, function and length.
type unanswered []lost

type lost struct {
	shape  expected
	sent   time.Time // when the request had left
	pace   *bus.Pace // of the slave, to learn how late it was; nil for none
	until  time.Time // the reply is better let pass by until then
	ends   time.Time // it may come until then, even after that to a later request; zero is after lateness
	passed bool      // the slave has answered a later request after it was held
	again  bool      // it was answered, and the reply came a second time
}

// add remembers a request that was given up.
func (u *unanswered) add(l lost, now time.Time, hold time.Duration) {
	u.expire(now)
	l.until = now.Add(hold)
	if l.ends.IsZero() {
		l.ends = now.Add(lateness)
	}
	if i := slices.IndexFunc(*u, func(o lost) bool { return o.shape == l.shape }); i >= 0 {
		(*u)[i] = (*u)[i].and(l)
		return
	}
	*u = append(*u, l)
}

// and joins what is remembered of two requests of one shape.
func (l lost) and(later lost) lost {
	later.passed = l.passed && later.passed
	later.again = l.again && later.again
	if l.until.After(later.until) {
		later.until = l.until
	}
	if l.ends.After(later.ends) {
		later.ends = l.ends
	}
	return later
}

// ambiguous reports whether a late reply could be taken for the reply to this.
func (u *unanswered) ambiguous(e expected, now time.Time) bool {
	u.expire(now)
	return slices.ContainsFunc(*u, func(l lost) bool { return l.shape == e })
}

// of returns what is remembered of a shape, the zero value for nothing.
func (u *unanswered) of(e expected) lost {
	i := slices.IndexFunc(*u, func(l lost) bool { return l.shape == e })
	if i < 0 {
		return lost{}
	}
	return (*u)[i]
}

// explains reports whether a refusal may be of an earlier request, because it does
// not say which registers it refuses, and takes it for that.
func (u *unanswered) explains(e expected, now time.Time) bool {
	u.expire(now)
	i := slices.IndexFunc(*u, func(l lost) bool {
		return !l.passed && l.shape.unit == e.unit && l.shape.function == e.function
	})
	if i < 0 {
		return false
	}
	(*u)[i].passed = true
	return true
}

// unpassed reports whether the slave may still answer something in its order.
func (u *unanswered) unpassed(unit byte, now time.Time) bool {
	u.expire(now)
	return slices.ContainsFunc(*u, func(l lost) bool { return !l.passed && l.shape.unit == unit })
}

// answered says that the slave has answered: slaves answer in order, so that
// nothing that was asked before comes any more, save what converters are known to
// reorder.
func (u *unanswered) answered(unit byte, now time.Time) {
	for i := range *u {
		if l := &(*u)[i]; l.shape.unit == unit && !l.until.After(now) {
			l.passed = true
		}
	}
}

// forgive forgets replies of the slave that came a second time: all of them do, and
// are heard out.
func (u *unanswered) forgive(unit byte) {
	*u = slices.DeleteFunc(*u, func(l lost) bool { return l.again && l.shape.unit == unit })
}

func (u *unanswered) expire(now time.Time) {
	*u = slices.DeleteFunc(*u, func(l lost) bool { return now.After(l.ends) })
}

// overhear looks at what answered nothing. A whole reply says that such come unasked
// on this line, late or twice or to another master; another master's request, that
// its reply will. What looks like it is then read with another length.
func (m *Master) overhear(stray []byte, at time.Time) {
	bodies, around := bodiesRTU, func(body int) int { return body + checkLength }
	if m.opts.Framing == ASCII {
		bodies, around = bodiesASCII, charactersASCII
	}
	if len(stray) > harmless {
		m.troubled = at
	}
	spurious := len(stray)
	for body := range bodies(stray) {
		switch e, isReply := answering(body); {
		case refusal(body):
			if !m.again(body, at) {
				continue // it does not say what it refuses
			}
		case isReply && m.again(body, at):
			if !m.TwiceTold(e.unit) {
				m.lost.add(lost{shape: e, sent: at, passed: true, again: true}, at, 0)
			}
		case isReply:
			m.counters.Stale++
			m.strange[e.unit] += uint64(len(body))
			m.stray(e, at)
		default:
			if e, ok := asked(body); ok && !m.own(body) {
				m.stray(e, at)
			}
		}
		spurious -= around(len(body))
	}
	m.noise += uint64(max(0, spurious))
	if !m.bus.Sent().Equal(m.before) {
		m.spurious += max(0, spurious)
	}
}

func (m *Master) stray(e expected, at time.Time) {
	i := slices.IndexFunc(m.lost, func(l lost) bool { return l.shape == e })
	if i < 0 {
		m.lost.add(lost{shape: e, sent: at, passed: true}, at, 0)
		return
	}
	l := &m.lost[i]
	if ends := at.Add(lateness); ends.After(l.ends) {
		l.ends = ends
	}
	if l.pace != nil {
		l.pace.Late(max(0, at.Sub(l.sent)-m.wireTime(e)))
	}
}

// wireTime returns how long the reply is on a serial line.
func (m *Master) wireTime(e expected) time.Duration {
	if m.opts.Framing == ASCII {
		return m.bus.Wire().Of(charactersASCII(e.length()))
	}
	return m.bus.Wire().Of(e.length() + checkLength)
}

// own reports whether the body is the request that was sent last, come back.
func (m *Master) own(body []byte) bool {
	if m.opts.Framing == ASCII {
		last, _, _ := cutASCII(m.request)
		return slices.Equal(last, body)
	}
	return len(m.request) == len(body)+checkLength && slices.Equal(m.request[:len(body)], body)
}
