package uplink

import "time"

const (
	maxFlight      = 64      // batches unacknowledged
	maxFlightBytes = 2 << 20 // and their size, unless it is one batch
	// ample is how many may be on a way that takes longer than brisk.
	ample      = 16
	maxTimeout = time.Minute
)

// window is the state of one stream on one connection: go-back-N, with a window
// that begins at one batch and doubles while acknowledgements come. It is plain
// data: time comes in as an argument.
type window struct {
	least time.Duration // until an acknowledgement is thought lost, at first
	share float64       // of the window's full size
	brisk time.Duration // how soon a batch is to be acknowledged, or fewer are sent; 0: no matter

	acked    uint64 // the hub has everything up to here
	held     uint64 // the hub has everything up to here in memory only; else 0
	flight   []sent // unacknowledged, in order
	bytes    int
	limit    int
	timeout  time.Duration
	deadline time.Time     // zero when nothing is in flight
	twice    uint64        // up to here batches may have been sent more than once
	soonest  time.Duration // that a batch which was sent once was acknowledged in; 0: not known
	backTo   uint64        // where the hub asked to begin again
	backAt   time.Time
}

type sent struct {
	seq  uint64
	size int
	at   time.Time
}

// newWindow begins after what has been acknowledged.
func newWindow(acked uint64, least time.Duration) *window {
	return &window{least: least, acked: acked, limit: 1, timeout: least, share: 1}
}

// after is the sequence after which the next batch is to be read.
func (w *window) after() uint64 {
	if n := len(w.flight); n > 0 {
		return w.flight[n-1].seq
	}
	return max(w.acked, w.held)
}

// prev is what the header of the next batch says of the one before it: 0 when the
// hub has everything before it or the journal no longer has it.
func (w *window) prev() uint64 {
	if n := len(w.flight); n > 0 {
		return w.flight[n-1].seq
	}
	return w.held
}

// room reports whether a batch of the size may be sent.
func (w *window) room(size int) bool {
	return len(w.flight) == 0 || len(w.flight) < w.limit && w.bytes+size <= int(w.share*maxFlightBytes)
}

func (w *window) send(seq uint64, size int, now time.Time) {
	if w.deadline.IsZero() {
		w.deadline = now.Add(w.timeout)
	}
	w.flight = append(w.flight, sent{seq, size, now})
	w.bytes += size
}

// ack takes an acknowledgement. With again it begins anew behind seq, though not
// twice for one loss: each batch behind a lost one makes the hub ask.
func (w *window) ack(seq uint64, again bool, now time.Time) (advanced bool) {
	if seq > w.acked {
		w.advance(seq, now)
		advanced = true
	}
	if again && seq >= w.acked && (seq != w.backTo || !now.Before(w.backAt.Add(w.least))) {
		w.backTo, w.backAt = seq, now
		w.rewind()
	}
	return advanced
}

func (w *window) advance(seq uint64, now time.Time) {
	w.acked = seq
	if w.held <= seq {
		w.held = 0
	}
	w.land(seq, now)
	w.deadline = now.Add(w.timeout)
	if len(w.flight) == 0 && w.held == 0 {
		w.deadline = time.Time{}
	}
}

// hold takes the word of a hub that has everything up to seq in memory, and cannot
// make it durable: what follows may go, and all of it is sent again when the
// acknowledgement does not come in time.
func (w *window) hold(seq uint64, now time.Time) (advanced bool) {
	if seq <= max(w.acked, w.held) {
		return false
	}
	w.held = seq
	w.land(seq, now)
	return true
}

// land takes what has arrived out of the window, which opens for more; not far when
// that took long, and it closes when that would make others late, or batches wait behind
// each other on a line that is thin.
func (w *window) land(seq uint64, now time.Time) {
	var last sent
	for len(w.flight) > 0 && w.flight[0].seq <= seq {
		last = w.flight[0]
		w.bytes -= last.size
		w.flight = w.flight[1:]
	}
	if last.seq == 0 { // from before the window
		return
	}
	took := now.Sub(last.at)
	w.measure(last.seq, took)
	switch {
	case w.brisk > 0 && took > w.brisk, w.soonest > 0 && took > w.soonest+w.least:
		w.limit = max(1, w.limit/2)
	case w.soonest == 0 && w.timeout > w.least: // it may be slow, or have been away
	case took <= brisk || w.limit < ample:
		w.limit = min(2*w.limit, max(1, int(w.share*maxFlight)))
	}
}

// measure sets the timeout by how long a batch took. What was sent twice says nothing, as
// nobody knows which was acknowledged: then the timeout stays as long as it had to become,
// or a line that is only slow would be filled with repetitions.
func (w *window) measure(seq uint64, took time.Duration) {
	if seq <= w.twice {
		return
	}
	if w.soonest == 0 || took < w.soonest {
		w.soonest = took
	}
	w.timeout = min(max(w.least, 2*took), maxTimeout)
}

// hasten forgets how long the hub was away.
func (w *window) hasten() {
	w.timeout = min(max(w.least, 2*w.soonest), maxTimeout)
}

// expire begins anew with a single batch when no acknowledgement has come in
// time, so that a hub that is away costs little.
func (w *window) expire(now time.Time) bool {
	if w.deadline.IsZero() || now.Before(w.deadline) {
		return false
	}
	w.timeout = min(2*w.timeout, maxTimeout)
	w.limit = 1
	w.rewind()
	return true
}

// rewind forgets what is in flight, so that it is sent again.
func (w *window) rewind() {
	if n := len(w.flight); n > 0 {
		w.twice = max(w.twice, w.flight[n-1].seq)
	}
	w.flight, w.bytes, w.held, w.deadline = nil, 0, 0, time.Time{}
}
