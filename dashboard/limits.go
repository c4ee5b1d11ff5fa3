package dashboard

import (
	"sync"
	"time"
)

// maxLimited is how many keys a limiter remembers. Who makes up more of them,
// only gains a fresh allowance for the few that are forgotten.
const maxLimited = 10_000

// limiter gives each key a number of tries that grows back with time.
type limiter struct {
	perSecond float64
	burst     float64
	now       func() time.Time

	mu   sync.Mutex
	keys map[string]*allowance
}

type allowance struct {
	left float64
	at   time.Time
}

func newLimiter(perSecond, burst float64, now func() time.Time) *limiter {
	return &limiter{perSecond: perSecond, burst: burst, now: now, keys: map[string]*allowance{}}
}

// take uses up one try of the key. When none is left it returns how long it
// takes until there is one.
func (l *limiter) take(key string) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	a := l.keys[key]
	if a == nil {
		if len(l.keys) >= maxLimited {
			l.forget(now)
		}
		a = &allowance{left: l.burst, at: now}
		l.keys[key] = a
	}
	if passed := now.Sub(a.at).Seconds(); passed > 0 {
		a.left = min(a.left+passed*l.perSecond, l.burst)
	}
	a.at = now
	if a.left >= 1 {
		a.left--
		return 0
	}
	return time.Duration((1 - a.left) / l.perSecond * float64(time.Second))
}

// give returns a try that turned out to be none.
func (l *limiter) give(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.keys[key]; a != nil {
		a.left = min(a.left+1, l.burst)
	}
}

// forget makes room in one sweep: it lets go the keys whose allowance has grown
// back in full, which changes nothing for them, and of the others as many as it
// takes to have a tenth free.
func (l *limiter) forget(now time.Time) {
	full := time.Duration(l.burst / l.perSecond * float64(time.Second))
	for key, a := range l.keys {
		if now.Sub(a.at) >= full {
			delete(l.keys, key)
		}
	}
	for key := range l.keys {
		if len(l.keys) <= maxLimited*9/10 {
			return
		}
		delete(l.keys, key)
	}
}
