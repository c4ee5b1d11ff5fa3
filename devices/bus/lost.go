package bus

import "time"

// lateness is how long a reply may take and still be expected. A serial server
// that buffers, or a slave that hangs and wakes, is late by seconds.
const lateness = 30 * time.Second

// Lost counts, by slave, the requests that ran into their timeout and whose reply
// may still come. It is for protocols whose refusals do not name what they refuse,
// so that a late one could be taken for that to the present request. The zero
// value is ready.
type Lost[A comparable] map[A]lost

type lost struct {
	count int
	ends  time.Time
}

// Add says that a request was given up.
func (l *Lost[A]) Add(slave A, now time.Time) {
	if *l == nil {
		*l = Lost[A]{}
	}
	n := 1
	if was := (*l)[slave]; now.Before(was.ends) {
		n = was.count + 1
	}
	(*l)[slave] = lost{count: n, ends: now.Add(lateness)}
}

// Answered says that a reply came that names what it answers: slaves answer in
// order, so that none of an earlier request comes any more.
func (l Lost[A]) Answered(slave A) { delete(l, slave) }

// Explains reports whether a reply that does not name what it answers may be a late
// one, and takes it for that: as many are explained as requests were lost.
func (l Lost[A]) Explains(slave A, now time.Time) bool {
	was, ok := l[slave]
	if !ok || !now.Before(was.ends) {
		delete(l, slave)
		return false
	}
	was.count--
	if was.count == 0 {
		delete(l, slave)
	} else {
		l[slave] = was
	}
	return true
}
