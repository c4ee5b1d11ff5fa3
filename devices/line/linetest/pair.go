// Package linetest is a line in memory, for tests: what a master and a slave see
// of a wire, with deadlines, without a kernel. It works in a bubble of
// testing/synctest, where hours of a bus pass in a moment.
package linetest

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"gengfu/devices/line"
)

// Pair returns the two ends of a line. What one end writes the other reads,
// without limit.
func Pair() (*Master, *Slave) {
	toSlave, toMaster := newQueue(), newQueue()
	return &Master{in: toMaster, out: toSlave}, &Slave{in: toSlave, out: toMaster}
}

// Wait is line.Wait with a timer alone, for a clock that only timers move.
func Wait(ctx context.Context, until time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	left := time.Until(until)
	if left <= 0 {
		return nil
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Master is the gateway's end, as line.Conn is.
type Master struct{ in, out *queue }

// Read waits until the deadline for at least one byte.
func (m *Master) Read(ctx context.Context, p []byte, deadline time.Time) (int, error) {
	timer := time.NewTimer(max(0, time.Until(deadline)))
	defer timer.Stop()
	for {
		n, closed, changed := m.in.take(p)
		if n > 0 {
			return n, nil
		}
		if closed {
			return 0, line.ErrBroken
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-timer.C:
			return 0, os.ErrDeadlineExceeded
		case <-changed:
		}
	}
}

// Write sends to the slaves.
func (m *Master) Write(ctx context.Context, p []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !m.out.put(p) {
		return line.ErrBroken
	}
	return nil
}

// Discard throws away what was not read.
func (m *Master) Discard() error {
	var p [256]byte
	for {
		n, closed, _ := m.in.take(p[:])
		switch {
		case n > 0:
		case closed:
			return line.ErrBroken
		default:
			return nil
		}
	}
}

// Close breaks the line.
func (m *Master) Close() error {
	m.in.close()
	m.out.close()
	return nil
}

// Slave is the other end, as a simulated bus wants it.
type Slave struct{ in, out *queue }

var _ io.ReadWriteCloser = (*Slave)(nil)

// Read waits for at least one byte.
func (s *Slave) Read(p []byte) (int, error) {
	for {
		n, closed, changed := s.in.take(p)
		if n > 0 {
			return n, nil
		}
		if closed {
			return 0, io.EOF
		}
		<-changed
	}
}

// Write sends to the master.
func (s *Slave) Write(p []byte) (int, error) {
	if !s.out.put(p) {
		return 0, os.ErrClosed
	}
	return len(p), nil
}

// Close breaks the line.
func (s *Slave) Close() error {
	s.in.close()
	s.out.close()
	return nil
}

// queue is one direction.
type queue struct {
	mu      sync.Mutex
	bytes   []byte
	closed  bool
	changed chan struct{} // closed and replaced when the above change
}

func newQueue() *queue { return &queue{changed: make(chan struct{})} }

func (q *queue) take(p []byte) (n int, closed bool, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = copy(p, q.bytes)
	q.bytes = q.bytes[n:]
	return n, q.closed, q.changed
}

func (q *queue) put(p []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.bytes = append(q.bytes, p...)
	q.signal()
	return true
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	close(q.changed)
	q.changed = make(chan struct{})
}
