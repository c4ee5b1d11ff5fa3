package intake

import (
	"context"
	"sync/atomic"
	"time"

	"gengfu/gateway/broker"
)

// queue holds messages between the network and the journal, bounded in number
// and bytes.
type queue struct {
	ch    chan broker.Message
	bytes atomic.Int64
	freed chan struct{}
}

func newQueue() *queue {
	return &queue{ch: make(chan broker.Message, queueLen), freed: make(chan struct{}, 1)}
}

// put waits for room, but not longer than patience. Only one goroutine may put.
func (q *queue) put(ctx context.Context, m broker.Message, patience time.Duration) bool {
	if q.try(m) {
		return true
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-q.freed:
			if q.try(m) {
				return true
			}
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (q *queue) try(m broker.Message) bool {
	if q.bytes.Load() > queueBytes {
		return false
	}
	select {
	case q.ch <- m:
		q.bytes.Add(int64(len(m.Payload)))
		return true
	default:
		return false
	}
}

// take waits for a message and returns it with those that are there already, as
// many as fit into one transaction; none when ctx ends or something else is due.
func (q *queue) take(ctx context.Context, due <-chan time.Time) (group []broker.Message) {
	select {
	case m := <-q.ch:
		group = append(group, m)
	case <-due:
		return nil
	case <-ctx.Done():
		return nil
	}
	size := len(group[0].Payload)
	for len(group) < groupLen && size < groupBytes {
		select {
		case m := <-q.ch:
			group = append(group, m)
			size += len(m.Payload)
			continue
		default:
		}
		break
	}
	q.bytes.Add(-int64(size))
	select {
	case q.freed <- struct{}{}:
	default:
	}
	return group
}
