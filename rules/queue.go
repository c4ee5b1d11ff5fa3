package rules

// queue is a heap of the instances that time alone may do something to, the soonest
// first. An instance that is to be looked at later than it stands there is put right
// when its turn comes: readings move deadlines on all the time, and that costs
// nothing.
type queue []*instance

// plan puts the instance where it belongs.
func (q *queue) plan(i *instance) {
	next := min(i.due(), i.Wake)
	switch {
	case next >= i.queued: // it is looked at early enough
	case i.place == 0:
		i.queued = next
		*q = append(*q, i)
		i.place = int32(len(*q))
		q.up(int(i.place) - 1)
	default:
		i.queued = next
		q.up(int(i.place) - 1)
	}
}

// take returns the instances whose turn has come until the instant, in no order.
func (q *queue) take(until instant, out []*instance) []*instance {
	for len(*q) > 0 && (*q)[0].queued <= until {
		i := (*q)[0]
		last := len(*q) - 1
		q.swap(0, last)
		(*q)[last] = nil
		*q = (*q)[:last]
		i.place, i.queued = 0, never
		q.down(0)
		if min(i.due(), i.Wake) <= until {
			out = append(out, i)
		} else {
			q.plan(i)
		}
	}
	return out
}

func (q queue) swap(a, b int) {
	q[a], q[b] = q[b], q[a]
	q[a].place, q[b].place = int32(a+1), int32(b+1)
}

func (q queue) up(k int) {
	for k > 0 {
		parent := (k - 1) / 2
		if q[parent].queued <= q[k].queued {
			return
		}
		q.swap(parent, k)
		k = parent
	}
}

func (q queue) down(k int) {
	for {
		child := 2*k + 1
		if child >= len(q) {
			return
		}
		if child+1 < len(q) && q[child+1].queued < q[child].queued {
			child++
		}
		if q[k].queued <= q[child].queued {
			return
		}
		q.swap(k, child)
		k = child
	}
}
