package devices

import (
	"fmt"
	"sync"
	"sync/atomic"

	"gengfu/devices/bus"
)

// ears are those who listen to the frames of a running line. A line that nobody
// listens to keeps no frames.
type ears struct {
	any atomic.Bool

	mu   sync.Mutex
	next int
	open map[int]func(bus.Exchange)

	// of the goroutine of the line:
	hears  bool
	device string // that is asked
}

func (e *ears) add(see func(bus.Exchange)) (stop func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == nil {
		e.open = map[int]func(bus.Exchange){}
	}
	n := e.next
	e.next++
	e.open[n] = see
	e.any.Store(true)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.open, n)
		e.any.Store(len(e.open) > 0)
	}
}

func (e *ears) tell(x bus.Exchange) {
	x.Device = e.device
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, see := range e.open {
		see(x)
	}
}

// listen lets the masters keep their frames as long as somebody listens.
func (l *busLine) listen(d *slave) {
	l.ears.device = d.cfg.ID
	if hears := l.ears.any.Load(); hears != l.ears.hears {
		l.ears.hears = hears
		l.masters.trace(nil)
		if hears {
			l.masters.trace(l.ears.tell)
		}
	}
}

// Trace lets somebody see every request of a line and what came back, from its next
// one on until stop, after which see is not called any more. It is called from the
// goroutine of the line, which waits for it: it must not block. The error says that
// there is no such line with devices.
func (f *Field) Trace(line string, see func(bus.Exchange)) (stop func(), err error) {
	for _, o := range f.lines {
		if l, ok := o.(*busLine); ok && l.cfg.ID == line {
			return l.ears.add(see), nil
		}
	}
	return nil, fmt.Errorf("trace: there is no line %q with devices", line)
}
